"""Properties of Hankel singular values.

Beside every relative tolerance of a square, 100 eps times the square of the size are
allowed: what rounding leaves of values that cancel. The size is the product of the
(Frobenius) norms of the factors of both Gramians.
"""

import importlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from hankelcut._errors import MissingDependencyError
from hankelcut.lti.systems.conversions import to_dense
from hankelcut.lti.systems.discretization import undiscretize
from hankelcut.lti.systems.interconnection import error_system
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.lti.systems.time_domain import Continuous, Discrete
from hankelcut.validation.invariants._host import (
    ROUNDING,
    Matrix,
    gramians,
    hankel_size,
    host_array,
)
from hankelcut.validation.invariants.violation import Property

__all__ = [
    "check_bilinear_values",
    "check_first_order_value",
    "check_relative_accuracy",
    "check_value_monotonicity",
    "check_value_perturbation",
    "check_values_energy",
    "check_values_form",
]

Values = Callable[[StateSpace], Any]
"""Of a system, its Hankel singular values."""

# Of the square of the largest value: Gramians of condition 1e5 lose five digits.
_RTOL = 1e-10
# Digits of the reference values; the graded systems have values down to 1e-20.
_DIGITS = 60


def check_values_form(system: StateSpace, values: Any) -> None:
    """Check that there are n values, real, finite, not negative, and descending.

    Parameters
    ----------
    system : StateSpace
        The system.
    values : (n,) array
        Its Hankel singular values.

    Raises
    ------
    InvariantViolationError
        If they are not (no tolerance).
    """
    found = host_array(values)
    prop = Property("check_values_form", "singular values, Moore 1981, Glover 1984")
    case, n = {"system": system}, system.n_states
    fact = f"got values of shape {found.shape} of {n} states, need {(n,)}"
    prop.require(found.shape == (n,), fact, case)
    proper = np.isrealobj(found) and np.isfinite(found).all()
    prop.require(
        proper and bool((found >= 0).all()),
        f"the values {found} are not all real, finite and >= 0",
        case,
    )
    fact = f"the values {found} do not descend"
    prop.require(bool((np.diff(found) <= 0).all()), fact, case)


def check_first_order_value(system: StateSpace, values: Any) -> None:
    r"""Check the value of a system with one state against its formula.

    :math:`\sigma = \|b\|\|c\| / g` with :math:`g = -2\,\mathrm{Re}\,\lambda`
    (continuous) or :math:`1 - |\lambda|^2` (discrete).

    Parameters
    ----------
    system : StateSpace
        A stable NumPy system with one state.
    values : (1,) array
        Its Hankel singular value.

    Raises
    ------
    InvariantViolationError
        If it is another by more than a relative 1e-12.
    """
    pole = complex(system.A[0, 0])
    continuous = isinstance(system.time, Continuous)
    gap = -2 * pole.real if continuous else 1 - abs(pole) ** 2
    expected = np.linalg.norm(system.B) * np.linalg.norm(system.C) / gap
    prop = Property("check_first_order_value", "Gramians of one state, Moore 1981")
    case, tolerance = {"system": system}, 1e-12 * float(expected)
    found = host_array(values)
    prop.require_close("the value", found, np.array([expected]), tolerance, case)


def check_values_energy(system: StateSpace, values: Any) -> None:
    r"""Check :math:`\sum_k \sigma_k^2 = \mathrm{trace}(P Q)`, by Kronecker products.

    Parameters
    ----------
    system : StateSpace
        A stable NumPy system with few states.
    values : (n,) array
        Its Hankel singular values.

    Raises
    ------
    InvariantViolationError
        If the sides differ by more than a relative 1e-9, beside the rounding above.
    """
    found = host_array(values)
    P, Q = gramians(system)
    expected = float(np.trace(P @ Q).real)
    prop = Property(
        "check_values_energy", "Hilbert-Schmidt norm of the Hankel operator"
    )
    tolerance = 1e-9 * abs(expected) + ROUNDING * hankel_size(system) ** 2
    case = {"system": system}
    energy = np.sum(found**2)
    prop.require_close("the sum of the squares", energy, expected, tolerance, case)


def check_relative_accuracy(
    system: StateSpace, values: Any, *, rtol: float = 1e-6, floor: float = 1e-12
) -> None:
    """Check every value against 60 digits, for a diagonal state matrix.

    Parameters
    ----------
    system : StateSpace
        A stable NumPy system with a diagonal A.
    values : (n,) array
        Its Hankel singular values.
    rtol : float
        Allowed relative error of each value above `floor` times the largest.
    floor : float
        Values below it, relative to the largest, may be wrong by that much; all by
        100 eps times the size, as above.

    Raises
    ------
    InvariantViolationError
        If a value is further off: the small ones were computed from Gramians, or as
        square roots of eigenvalues of P Q, and not from factors.
    MissingDependencyError
        If mpmath is not installed.
    """
    found, exact = host_array(values), _exact_values(system)
    prop = Property(
        "check_relative_accuracy",
        "values from factors keep their digits, Hammarling 1982, Laub et al. 1987",
    )
    floor_value = floor * float(np.max(exact, initial=0.0))
    floor_value += ROUNDING * hankel_size(system)
    error = np.abs(found - exact) / (rtol * exact + floor_value + np.finfo(float).tiny)
    worst = int(np.argmax(error)) if error.size else 0
    fact = (
        f"value {worst + 1} is {found[worst : worst + 1]}, exact "
        f"{exact[worst : worst + 1]} (largest {np.max(exact, initial=0.0):.3g}), "
        f"allowed relative error {rtol:.0e}"
    )
    prop.require(bool((error <= 1).all()), fact, {"system": system})


def check_value_monotonicity(system: StateSpace, values: Values) -> None:
    r"""Check that leaving out an input, an output or a sample makes no value larger.

    In discrete time, :math:`(A, B, C A)` has the impulse response without its first
    sample.

    Parameters
    ----------
    system : StateSpace
        A stable NumPy system.
    values : callable
        Of a system, its Hankel singular values.

    Raises
    ------
    InvariantViolationError
        If the square of a value grows by more than 1e-10 of the largest, beside the
        rounding above.
    """
    prop = Property(
        "check_value_monotonicity",
        "parts of the Hankel operator, interlacing of singular values, Glover 1984",
    )
    whole = host_array(values(system)) ** 2
    allowed = _RTOL * float(np.max(whole, initial=0.0))
    allowed += ROUNDING * hankel_size(system) ** 2
    parts = {
        "the first input": replace(system, B=system.B[:, 1:], D=system.D[:, 1:]),
        "the first output": replace(system, C=system.C[1:], D=system.D[1:]),
    }
    if isinstance(system.time, Discrete):
        parts["the first sample"] = replace(system, C=system.C @ system.A)
    for what, part in parts.items():
        if 0 in (part.n_inputs, part.n_outputs):
            continue
        fewer = host_array(values(part)) ** 2
        growth = float(np.max(fewer - whole, initial=0.0))
        fact = f"without {what} a square grows by {growth:.3g}, allowed {allowed:.3g}"
        prop.require(growth <= allowed, fact, {"system": system})


def check_value_perturbation(
    first: StateSpace, second: StateSpace, values: Values
) -> None:
    r"""Check that values move by no more than those of the difference are.

    Parameters
    ----------
    first, second : StateSpace
        Stable NumPy systems of one time domain, with equal inputs and outputs.
    values : callable
        Of a system, its Hankel singular values.

    Raises
    ------
    InvariantViolationError
        If :math:`|\sigma_k(G_1) - \sigma_k(G_2)|` is above
        :math:`\sigma_1(G_1 - G_2)`, or the root of the sum of their squares above that
        of the :math:`\sigma_k(G_1 - G_2)^2`, by more than 1e-7 of the sizes above of
        both, which are no smaller than the values.
    """
    prop = Property("check_value_perturbation", "Weyl 1912, Mirsky 1960")
    one, two = host_array(values(first)), host_array(values(second))
    count = max(one.size, two.size)
    one, two = (np.pad(found, (0, count - found.size)) for found in (one, two))
    error = host_array(values(to_dense(error_system(first, second))))
    rounding = 1e-7 * (hankel_size(first) + hankel_size(second))
    case = {"first": first, "second": second}
    for what, order in (("a value moves", np.inf), ("the values move", 2)):
        moved, allowed = (
            float(np.linalg.norm(found, order)) if found.size else 0.0
            for found in (one - two, error)
        )
        allowed += rounding
        fact = f"{what} by {moved:.6g}, allowed {allowed:.6g}"
        prop.require(moved <= allowed, fact, case)


def check_bilinear_values(system: StateSpace, values: Values) -> None:
    """Check that the bilinear map to continuous time keeps every value.

    Parameters
    ----------
    system : StateSpace
        A stable discrete NumPy system without a pole at -1.
    values : callable
        Of a system, its Hankel singular values.

    Raises
    ------
    InvariantViolationError
        If a square changes by more than 1e-10 of the largest, beside the rounding
        above.
    """
    prop = Property("check_bilinear_values", "bilinear map of Gramians, Glover 1984")
    mapped = undiscretize(system, method="bilinear")
    before, after = (host_array(values(of)) ** 2 for of in (system, mapped))
    allowed = _RTOL * float(np.max(before, initial=0.0))
    allowed += ROUNDING * hankel_size(system) ** 2
    what = "the squares after the map"
    prop.require_close(what, after, before, allowed, {"system": system})


def _exact_values(system: StateSpace) -> Matrix:
    """Hankel singular values of a diagonal system, by Gramians of 60 digits."""
    try:
        mpmath = importlib.import_module("mpmath")
    except ImportError as error:
        msg = (
            "check_relative_accuracy needs mpmath, which is not installed; "
            "pip install 'hankelcut[validation]'"
        )
        raise MissingDependencyError(msg) from error
    continuous = isinstance(system.time, Continuous)
    n = system.n_states
    poles = [complex(pole) for pole in np.diag(system.A)]
    with mpmath.workdps(_DIGITS):
        exact = [mpmath.mpc(pole) for pole in poles]

        def gramian(rows: Matrix, own: list[Any]) -> Any:
            P = mpmath.matrix(n, n)
            right = mpmath.matrix(rows.tolist())
            products = right * right.H
            for i in range(n):
                for j in range(n):
                    other = mpmath.conj(own[j])
                    gap = -own[i] - other if continuous else 1 - own[i] * other
                    P[i, j] = products[i, j] / gap
            return P

        adjoint = [mpmath.conj(pole) for pole in exact]
        P, Q = gramian(system.B, exact), gramian(system.C.conj().T, adjoint)
        squares = mpmath.eig(P * Q, left=False, right=False)
        values = [float(mpmath.sqrt(abs(mpmath.re(square)))) for square in squares]
    return np.sort(np.array(values, dtype=float))[::-1]
