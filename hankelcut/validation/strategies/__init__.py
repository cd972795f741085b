"""Hypothesis strategies of systems, layers, signals and orders.

Every number comes from a lattice (hundredths, tenths of a radian, powers of ten or of
two), so that failures shrink to zeros and short decimals, and repeated poles, ties and
silent states are common instead of never drawn.
"""

from hankelcut.validation.strategies.diagonal_systems import diagonal_systems
from hankelcut.validation.strategies.lru_parameters import (
    LRUParameters,
    lru_parameters,
)
from hankelcut.validation.strategies.nasty_systems import (
    NASTY_KINDS,
    NastyKind,
    nasty_systems,
)
from hankelcut.validation.strategies.orders import orders
from hankelcut.validation.strategies.signals import frequencies, input_signals
from hankelcut.validation.strategies.stable_systems import stable_systems
from hankelcut.validation.strategies.unstable_systems import unstable_systems

__all__ = [
    "NASTY_KINDS",
    "LRUParameters",
    "NastyKind",
    "diagonal_systems",
    "frequencies",
    "input_signals",
    "lru_parameters",
    "nasty_systems",
    "orders",
    "stable_systems",
    "unstable_systems",
]
