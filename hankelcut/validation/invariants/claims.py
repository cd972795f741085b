"""Properties of what a result says of itself: order, values, bound, projections."""

from typing import Any

import numpy as np

from hankelcut import _array
from hankelcut.lti.gramians.hankel_singular_values import hankel_singular_values
from hankelcut.lti.norms.hankel_norm import hankel_norm
from hankelcut.lti.responses.peak_gain import peak_gain
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.interconnection import error_system
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.reduction.result import ReductionResult
from hankelcut.validation.invariants._host import System, host, host_array, precision
from hankelcut.validation.invariants.reductions import (
    check_reduced_stability,
    slack_of,
)
from hankelcut.validation.invariants.violation import Property

__all__ = ["check_claims", "check_projections"]

_HINF = "H-infinity norm of G - G_r"


def check_claims(system: System, result: ReductionResult) -> None:
    r"""Check what a result says of itself: order, values, and error bound.

    Parameters
    ----------
    system : StateSpace or DiagonalStateSpace
        The stable full system.
    result : ReductionResult
        Its reduction.

    Raises
    ------
    InvariantViolationError
        If the order is not that of the model; the values are not finite, not negative
        and descending, or called Hankel singular values and not all of those of the
        system (:math:`\sigma_1\sqrt\epsilon`); or the error is above the bound by
        more than :math:`\sqrt\epsilon\,\sigma_1`, by the largest of its gains on a
        refined grid and its Hankel norm.
    """
    check_reduced_stability(system, result)
    prop = Property("check_claims", "what the result says is true of it")
    case = {"system": system}
    fact = f"order {result.order} of a model with {result.system.n_states} states"
    prop.require(result.order == result.system.n_states, fact, case)
    values = host_array(result.characteristic_values)
    proper = np.isfinite(values).all() and (values >= 0).all()
    descends = bool((np.diff(values) <= 0).all())
    fact = f"the values {values} are not all finite, >= 0 and descending"
    prop.require(bool(proper) and descends, fact, case)
    slack = slack_of(system, result.system)
    if result.values_name == "Hankel singular values":
        _check_count(prop, system, values.size, case)
        exact = np.array(_array.to_list(hankel_singular_values(_detached(system))))
        if exact.size == values.size:
            what = "the Hankel singular values"
            prop.require_close(what, values, exact, slack, case)
    _check_bound(prop, system, result, slack)


def _check_count(
    prop: Property, system: System, count: int, case: dict[str, Any]
) -> None:
    """Require all values: one per state, or two of the map of a real readout."""
    n = system.n_states
    layer = isinstance(system, DiagonalStateSpace) and system.readout != "complex"
    allowed = (n, 2 * n) if layer else (n,)
    fact = f"there are {count} Hankel singular values of a system with {n} states"
    prop.require(count in allowed, f"{fact}; the tail cannot be told from them", case)


def _check_bound(
    prop: Property, system: System, result: ReductionResult, slack: float
) -> None:
    """Require the error to stay within the bound that a result claims."""
    bound = result.bound
    if bound.value is None:
        return
    if bound.error is not None:
        error = host(bound.error)
    elif bound.quantity == _HINF:
        error = host(error_system(host(system), host(result.system)))
    else:
        return
    gain = max(float(peak_gain(error)[0]), float(hankel_norm(error)))
    claimed = float(host_array(bound.value))
    fact = (
        f"the {bound.quantity} is {gain:.6g}, above its bound {claimed:.6g} (allowed "
        f"excess {slack:.3g}) at order {result.order}"
    )
    prop.require(gain <= claimed + slack, fact, {"system": system})


def check_projections(system: System, result: ReductionResult) -> None:
    r"""Check that the projections of a dense system make the model.

    Parameters
    ----------
    system : StateSpace
        The full system.
    result : ReductionResult
        Its reduction; nothing is checked where it has no projections.

    Raises
    ------
    InvariantViolationError
        If :math:`W^H T \ne I`, :math:`W^H A T \ne A_r`, :math:`W^H B \ne B_r` or
        :math:`C T \ne C_r` by more than :math:`10^3 n\,\epsilon \|W\|\|T\|` times the
        size of the matrix.
    """
    W, T = result.left_projection, result.right_projection
    if W is None or T is None or not isinstance(system, StateSpace):
        return
    full, model = host(system), host(result.system)
    left, right = host_array(W).conj().T, host_array(T)
    prop = Property("check_projections", "Petrov-Galerkin projection, Moore 1981")
    size = float(np.linalg.norm(left) * np.linalg.norm(right))
    unit = 1e3 * max(full.n_states, 1) * precision(system, result.system) * size
    pairs = {
        "W^H T": (left @ right, np.eye(right.shape[1]), 1.0),
        "W^H A T": (left @ full.A @ right, model.A, float(np.linalg.norm(full.A))),
        "W^H B": (left @ full.B, model.B, float(np.linalg.norm(full.B))),
        "C T": (full.C @ right, model.C, float(np.linalg.norm(full.C))),
    }
    case = {"system": system}
    for what, (found, expected, scale) in pairs.items():
        prop.require_close(what, found, expected, unit * max(scale, 1.0), case)


def _detached(system: System) -> System:
    """Return the system in NumPy: diagonal with a real readout stays what it is."""
    if isinstance(system, StateSpace):
        return host(system)
    exponents, B, C, D = (
        host_array(getattr(system, name)) for name in ("exponents", "B", "C", "D")
    )
    return DiagonalStateSpace(exponents, B, C, D, system.time, system.readout)
