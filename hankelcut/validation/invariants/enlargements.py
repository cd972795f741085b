"""Systems that are enlarged, by a state that does not count or by another system.

The quantity is compared as in `hankelcut.validation.invariants.invariances`.
"""

import numpy as np

from hankelcut.lti.systems.conversions import to_dense
from hankelcut.lti.systems.interconnection import append
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.validation.invariants._comparison import (
    RTOL,
    Quantity,
    Size,
    compare,
    rounding,
)
from hankelcut.validation.invariants._host import (
    Matrix,
    hankel_size,
    host_array,
    with_state,
)
from hankelcut.validation.invariants.violation import Property

__all__ = ["check_direct_sum", "check_padding"]


def check_padding(
    system: StateSpace,
    quantity: Quantity,
    *,
    rtol: float = RTOL,
    size: Size = hankel_size,
) -> None:
    """Check that a state that nothing drives or reads adds zeros at most.

    Parameters
    ----------
    system : StateSpace
        A stable NumPy system.
    quantity : callable
        Of a system, its Hankel singular values or a norm.
    rtol : float
        Allowed change of the squares, relative to the largest.
    size : callable
        Of a system, the size of the terms: by default the product of the norms of the
        factors of both Gramians, right for Hankel singular values and for the Hankel
        and H-infinity norms.

    Raises
    ------
    InvariantViolationError
        If values other than new zeros appear, or a norm changes.
    """
    padded = with_state(system, -0.5, driven=False)
    prop = Property("check_padding", "uncontrollable states do not count, Kalman 1963")

    def with_zero(of: StateSpace) -> Matrix:
        values = host_array(quantity(of))
        more = values.ndim == 1 and of is not padded
        return np.append(values, 0.0) if more else values

    case = {"system": system}
    allowed, change = (rtol, rounding(size, system, padded)), "a state without input"
    compare(prop, change, with_zero, (system, padded), allowed, case)


def check_direct_sum(
    first: StateSpace,
    second: StateSpace,
    quantity: Quantity,
    *,
    rtol: float = RTOL,
    size: Size = hankel_size,
) -> None:
    """Check that two uncoupled systems have the values of both, and the larger norm.

    Parameters
    ----------
    first, second : StateSpace
        Stable NumPy systems of one time domain.
    quantity : callable
        Of a system, its Hankel singular values, or its Hankel or H-infinity norm.
    rtol : float
        Allowed difference of the squares, relative to the largest.
    size : callable
        Of a system, the size of the terms: by default the product of the norms of the
        factors of both Gramians, right for Hankel singular values and for the Hankel
        and H-infinity norms.

    Raises
    ------
    InvariantViolationError
        If it has not.
    """
    both = to_dense(append(first, second))
    one, two, found = (host_array(quantity(of)) for of in (first, second, both))
    if found.ndim == 1:
        expected = np.sort(np.concatenate([one, two]))[::-1]
    else:
        expected = np.maximum(one, two)
    prop = Property("check_direct_sum", "block-diagonal Hankel operators, Glover 1984")
    largest = float(np.max(expected, initial=0.0))
    case = {"first": first, "second": second}
    what = "the squares for both systems side by side"
    allowed = rtol * largest**2 + rounding(size, both)
    prop.require_close(what, found**2, expected**2, allowed, case)
