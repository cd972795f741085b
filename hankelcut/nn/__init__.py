"""Reference layers with a fast scan: what the experiments train."""

from hankelcut.nn.blocks import ResidualBlock
from hankelcut.nn.classifier import InputKind, SequenceClassifier
from hankelcut.nn.layer_kinds import LayerKind, make_layer
from hankelcut.nn.lru import LRU
from hankelcut.nn.s4d import S4D
from hankelcut.nn.s5 import S5
from hankelcut.nn.scan import linear_scan

__all__ = [
    "LRU",
    "S4D",
    "S5",
    "InputKind",
    "LayerKind",
    "ResidualBlock",
    "SequenceClassifier",
    "linear_scan",
    "make_layer",
]
