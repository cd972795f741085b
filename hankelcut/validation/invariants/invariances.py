"""Changes of a system that leave a quantity of it as it is, or scale it.

The quantity is anything that depends on the transfer function alone: Hankel singular
values, or a norm. It is given as a function of a system, and compared by its squares,
which are what Gramians determine to full precision. Beside the relative tolerance, a
square may change by 100 eps size^2, with the size of the terms that add up to the
quantity, and may cancel.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from hankelcut.lti.systems.conversions import to_dense
from hankelcut.lti.systems.interconnection import append
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.validation.invariants._host import (
    ROUNDING,
    Matrix,
    hankel_size,
    host_array,
    with_state,
)
from hankelcut.validation.invariants.violation import Property

__all__ = [
    "check_direct_sum",
    "check_duality",
    "check_padding",
    "check_scaling",
    "check_similarity",
    "check_unitary_invariance",
]

Quantity = Callable[[StateSpace], Any]
"""Of a system, a number or an array."""

Size = Callable[[StateSpace], float]
"""Of a system, the size of the terms that add up to a quantity."""

# Of the square of the largest value: Gramians of condition 1e5 lose five digits.
_RTOL = 1e-10


def check_similarity(
    system: StateSpace,
    quantity: Quantity,
    T: Any,
    *,
    rtol: float = _RTOL,
    size: Size = hankel_size,
) -> None:
    r"""Check that a change of the states' basis changes nothing.

    Parameters
    ----------
    system : StateSpace
        A stable NumPy system.
    quantity : callable
        Of a system, its Hankel singular values or a norm.
    T : (n, n) array
        New basis: :math:`x = T z`.
    rtol : float
        Allowed change of the squares, relative to the largest, times the condition
        number of T.
    size : callable
        Of a system, the size of the terms: by default the product of the norms of the
        factors of both Gramians, right for Hankel singular values and for the Hankel
        and H-infinity norms.

    Raises
    ------
    InvariantViolationError
        If the quantity changes by more.
    """
    T = host_array(T)
    inverse = np.linalg.inv(T)
    other = replace(
        system, A=inverse @ system.A @ T, B=inverse @ system.B, C=system.C @ T
    )
    prop = Property("check_similarity", "invariance under similarity, Moore 1981")
    condition = float(np.linalg.cond(T)) if T.size else 1.0
    allowed = rtol * condition, _rounding(size, system, other)
    case, change = {"system": system, "T": T}, "T^-1 A T, T^-1 B, C T"
    _compare(prop, change, quantity, (system, other), allowed, case)


def check_duality(
    system: StateSpace,
    quantity: Quantity,
    *,
    rtol: float = _RTOL,
    size: Size = hankel_size,
) -> None:
    r"""Check that the dual system :math:`(A^H, C^H, B^H, D^H)` has the same values.

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
        If the quantity changes by more: for complex systems, look for a plain transpose
        where an adjoint is needed.
    """
    A, B, C, D = (getattr(system, name).conj().T for name in "ABCD")
    prop = Property("check_duality", "duality of P and Q, Kalman 1960, Moore 1981")
    dual = StateSpace(A, C, B, D, system.time)
    allowed = rtol, _rounding(size, system, dual)
    _compare(prop, "the dual", quantity, (system, dual), allowed, {"system": system})


def check_scaling(
    system: StateSpace,
    quantity: Quantity,
    *,
    inputs: int,
    outputs: int,
    rtol: float = _RTOL,
    size: Size = hankel_size,
) -> None:
    r"""Check that :math:`2^i B, 2^o C, 2^{i+o} D` has values times :math:`2^{i+o}`.

    Parameters
    ----------
    system : StateSpace
        A stable NumPy system.
    quantity : callable
        Of a system, its Hankel singular values or a norm.
    inputs, outputs : int
        The exponents i and o.
    rtol : float
        Allowed change of the squares, relative to the largest.
    size : callable
        Of a system, the size of the terms: by default the product of the norms of the
        factors of both Gramians, right for Hankel singular values and for the Hankel
        and H-infinity norms.

    Raises
    ------
    InvariantViolationError
        If the quantity changes otherwise: look for tolerances that are absolute
        numbers, for jitter added to Gramians, and for products that underflow.
    """
    i, o = float(2.0**inputs), float(2.0**outputs)
    scaled = replace(system, B=i * system.B, C=o * system.C, D=(i * o) * system.D)
    prop = Property("check_scaling", "the transfer function is linear in B, C and D")

    def unscaled(of: StateSpace) -> Any:
        values = host_array(quantity(of))
        return values / (i * o) if of is scaled else values

    case = {"system": system, "inputs": inputs, "outputs": outputs}
    what = f"2^{inputs} B, 2^{outputs} C"
    allowed = rtol, _rounding(size, system)
    _compare(prop, what, unscaled, (system, scaled), allowed, case)


def check_unitary_invariance(
    system: StateSpace,
    quantity: Quantity,
    U: Any,
    V: Any,
    *,
    rtol: float = _RTOL,
    size: Size = hankel_size,
) -> None:
    r"""Check that unitary matrices at the inputs and outputs change nothing.

    Parameters
    ----------
    system : StateSpace
        A stable NumPy system.
    quantity : callable
        Of a system, its Hankel singular values or a norm.
    U : (m, m) array
        Unitary: the inputs become :math:`u = U v`.
    V : (p, p) array
        Unitary: the outputs become :math:`V y`.
    rtol : float
        Allowed change of the squares, relative to the largest.
    size : callable
        Of a system, the size of the terms: by default the product of the norms of the
        factors of both Gramians, right for Hankel singular values and for the Hankel
        and H-infinity norms.

    Raises
    ------
    InvariantViolationError
        If the quantity changes by more.
    """
    U, V = host_array(U), host_array(V)
    turned = replace(system, B=system.B @ U, C=V @ system.C, D=V @ system.D @ U)
    prop = Property(
        "check_unitary_invariance", "unitarily invariant norms, Glover 1984"
    )
    case = {"system": system, "U": U, "V": V}
    allowed = rtol, _rounding(size, system, turned)
    _compare(prop, "B U, V C, V D U", quantity, (system, turned), allowed, case)


def check_padding(
    system: StateSpace,
    quantity: Quantity,
    *,
    rtol: float = _RTOL,
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
    allowed, change = (rtol, _rounding(size, system, padded)), "a state without input"
    _compare(prop, change, with_zero, (system, padded), allowed, case)


def check_direct_sum(
    first: StateSpace,
    second: StateSpace,
    quantity: Quantity,
    *,
    rtol: float = _RTOL,
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
    allowed = rtol * largest**2 + _rounding(size, both)
    prop.require_close(what, found**2, expected**2, allowed, case)


def _rounding(size: Size, *systems: StateSpace) -> float:
    """Return the rounding of the square of a quantity of systems."""
    return ROUNDING * max(size(system) for system in systems) ** 2


def _compare(
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
