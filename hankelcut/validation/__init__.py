"""State properties of linear systems and reductions, and try to break them.

Importing this package needs nothing but NumPy; the strategies need hypothesis, which
comes with ``pip install 'hankelcut[validation]'``.
"""

from hankelcut.validation.invariants import (
    InvariantViolationError,
    check_hankel_bounds,
    constructor,
)
from hankelcut.validation.strategies import diagonal_systems, stable_systems
from hankelcut.validation.systems import (
    random_diagonal_system,
    random_lru_system,
    random_stable_system,
)

__all__ = [
    "InvariantViolationError",
    "check_hankel_bounds",
    "constructor",
    "diagonal_systems",
    "random_diagonal_system",
    "random_lru_system",
    "random_stable_system",
    "stable_systems",
]
