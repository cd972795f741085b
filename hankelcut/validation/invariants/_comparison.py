"""How a quantity of two systems is compared: by squares, and with rounding."""

from collections.abc import Callable
from typing import Any

import numpy as np

from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.validation.invariants._host import ROUNDING, host_array
from hankelcut.validation.invariants.violation import Property

__all__ = ["RTOL", "Quantity", "Size", "compare", "rounding"]

Quantity = Callable[[StateSpace], Any]
"""Of a system, a number or an array."""

Size = Callable[[StateSpace], float]
"""Of a system, the size of the terms that add up to a quantity."""

# Of the square of the largest value: Gramians of condition 1e5 lose five digits.
RTOL = 1e-10


def rounding(size: Size, *systems: StateSpace) -> float:
    """Return the rounding of the square of a quantity of systems."""
    return ROUNDING * max(size(system) for system in systems) ** 2


def compare(
    prop: Property,
    change: str,
    quantity: Quantity,
    systems: tuple[StateSpace, StateSpace],
    allowed: tuple[float, float],
    case: dict[str, Any],
) -> None:
    """Require equal squares of a quantity, to a relative and an absolute tolerance."""
    expected, found = (host_array(quantity(system)) for system in systems)
    finite = expected[np.isfinite(expected)] if expected.ndim else expected
    scale = float(np.max(np.abs(finite), initial=0.0))
    if np.array_equal(expected, found):
        return
    what = f"the squares after the change to {change}"
    relative, absolute = allowed
    tolerance = relative * scale**2 + absolute
    prop.require_close(what, found**2, expected**2, tolerance, case)
