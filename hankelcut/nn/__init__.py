"""Reference layers with a fast scan: what the experiments train."""

from hankelcut.nn.blocks import LRUBlock
from hankelcut.nn.classifier import InputKind, SequenceClassifier
from hankelcut.nn.lru import LRU
from hankelcut.nn.scan import linear_scan

__all__ = ["LRU", "InputKind", "LRUBlock", "SequenceClassifier", "linear_scan"]
