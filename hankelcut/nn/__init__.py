"""Reference layers with a fast scan: what the experiments train."""

from hankelcut.nn.blocks import LRUBlock, SequenceClassifier
from hankelcut.nn.lru import LRU
from hankelcut.nn.scan import linear_scan

__all__ = ["LRU", "LRUBlock", "SequenceClassifier", "linear_scan"]
