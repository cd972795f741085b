"""Properties of diagonal layers with a real readout, and of stacks of systems."""

from collections.abc import Callable
from typing import Any

import numpy as np

from hankelcut import _array
from hankelcut.lti.responses.impulse_response import impulse_response
from hankelcut.lti.systems.conversions import detached
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.lti.systems.time_domain import Discrete
from hankelcut.validation.invariants._host import Matrix, System, host, host_array
from hankelcut.validation.invariants.reductions import check_same_map
from hankelcut.validation.invariants.violation import Property

__all__ = ["check_batch", "check_impulse_response", "check_real_form"]

# Units of rounding, times the sum of the gains of the modes.
_STORED = 50.0


def check_impulse_response(
    system: System,
    samples: Any,
    *,
    scanned: bool = False,
    eps: float = float(np.finfo(np.float64).eps),
) -> None:
    r"""Check what a simulator or a layer puts out for impulses at its inputs.

    Parameters
    ----------
    system : StateSpace or DiagonalStateSpace
        A discrete system; a real readout is the real map it is.
    samples : (T, p, m) array
        Responses: column j is the output for an impulse at input j.
    scanned : bool
        Whether the states see the input of the same step, as in the scans of LRU, S4D
        and S5 layers: :math:`h_k = C A^k B`, and D is added to :math:`h_0`. Otherwise
        :math:`h_0 = D` and :math:`h_k = C A^{k-1} B`.
    eps : float
        Precision in which the parameters are stored.

    Raises
    ------
    InvariantViolationError
        If a sample is off by more than :math:`50\,\epsilon \max(\kappa, \|D\|)`, with
        :math:`\kappa` the sum of the gains :math:`\|c_i\|\|b_i\|/(1 - |\lambda_i|)` of
        the modes (dense: of the norms of the samples, and :math:`\|B\|\|C\|`).
    """
    found = host_array(samples)
    count = found.shape[0]
    expected = _samples(system, count, scanned=scanned)
    if isinstance(system, DiagonalStateSpace):
        B, C = host_array(system.B), host_array(system.C)
        decay = -np.expm1(host_array(system.exponents).real)
        gains = np.linalg.norm(C, axis=0) * np.linalg.norm(B, axis=1) / decay
    else:
        sizes = [np.linalg.norm(host_array(M)) for M in (system.B, system.C)]
        gains = np.append(np.linalg.norm(expected, axis=(-2, -1)), np.prod(sizes))
    size = max(float(np.sum(gains)), float(np.linalg.norm(host_array(system.D))))
    prop = Property("check_impulse_response", "h_k = C A^k B, Orvieto et al. 2023")
    what = "the impulse response"
    prop.require_close(what, found, expected, _STORED * eps * size, {"system": system})


def check_real_form(system: DiagonalStateSpace, real: StateSpace) -> None:
    r"""Check the real system that a diagonal one with a real readout is.

    Parameters
    ----------
    system : DiagonalStateSpace
        Stable, readout "real" or "twice_real".
    real : StateSpace
        The real form to check.

    Raises
    ------
    InvariantViolationError
        If a matrix of it is complex, or the transfer functions differ by more than
        :math:`\sqrt\epsilon\,\sigma_1`.
    """
    prop = Property(
        "check_real_form", "y = 2 kappa Re(C x) is a real map of 2 n states"
    )
    dense = host(real)
    is_real = all(np.isrealobj(getattr(dense, name)) for name in "ABCD")
    prop.require(is_real, "a matrix of the real form is complex", {"system": system})
    check_same_map(system, real, name=prop.check, source=prop.source)


def check_batch(
    stack: System, function: Callable[[Any], Any], *, rtol: float | None = None
) -> None:
    r"""Check that a stack of systems gives what its items give one by one.

    Parameters
    ----------
    stack : StateSpace or DiagonalStateSpace
        Systems along the batch axes.
    function : callable
        Of a system or a stack, an array with the batch axes first.
    rtol : float, optional
        Allowed difference relative to the largest entry; :math:`10^4\epsilon` by
        default.

    Raises
    ------
    InvariantViolationError
        If an item differs.
    """
    prop = Property("check_batch", "a stack is its items, one by one")
    whole = host_array(function(stack))
    relative = 1e4 * _array.eps(stack.B) if rtol is None else rtol
    for index in _array.batch_indices(stack):
        alone = host_array(function(stack[index]))
        allowed = relative * float(np.max(np.abs(alone), initial=0.0))
        case = {"item": stack[index]}
        what = f"the value of item {index}"
        prop.require_close(what, whole[index], alone, allowed, case)


def _samples(system: System, count: int, *, scanned: bool) -> Matrix:
    """Impulse response of the definition, or that of a scan."""
    if not isinstance(system.time, Discrete):
        msg = f"check_impulse_response: got {system.time}, need a discrete system"
        raise ValueError(msg)
    response = impulse_response(detached(system), n_samples=count + 1)
    values = host_array(response)
    if not scanned:
        return values[:count]
    shifted = values[1:].copy()
    shifted[0] += values[0]
    return shifted
