"""Impulse response (Markov parameters) of a system."""

from hankelcut import _array
from hankelcut._errors import InvalidSystemError
from hankelcut._typing import Array
from hankelcut.lti.systems._kinds import require_dense_or_diagonal
from hankelcut.lti.systems._matrix_exponential import matrix_exponential
from hankelcut.lti.systems.conversions import conjugate_closure
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.lti.systems.time_domain import Continuous

__all__ = ["impulse_response"]


def impulse_response(
    system: StateSpace | DiagonalStateSpace,
    *,
    n_samples: int | None = None,
    times: Array | None = None,
) -> Array:
    r"""Impulse response of a discrete or continuous system.

    Parameters
    ----------
    system : StateSpace or DiagonalStateSpace
        The system, stable or not; real for the real readouts.
    n_samples : int
        Discrete time: number of samples :math:`h_0 = D,\ h_k = C A^{k-1} B`.
    times : (T,) real array
        Continuous time: instants in seconds of :math:`h(t) = C e^{At} B`; the
        feedthrough, a multiple of the Dirac impulse at 0, is not part of it.

    Returns
    -------
    response : (..., T, p, m) array
        Real for real systems and real readouts.

    Raises
    ------
    InvalidSystemError
        If `n_samples` is given for a continuous or `times` for a discrete system.
    """
    require_dense_or_diagonal("impulse_response", system)
    if isinstance(system.time, Continuous):
        if times is None or n_samples is not None:
            msg = "impulse_response: a continuous system needs `times` (s), not "
            raise InvalidSystemError(msg + "`n_samples`")
        xp, (_, instants) = _array.as_arrays([system.B, times])
        if bool(xp.any(_array.to_real(instants) < 0)):
            msg = "impulse_response: got negative times, need seconds after the impulse"
            raise InvalidSystemError(msg)
        return _response(system, _array.to_real(instants))
    if n_samples is None or times is not None or n_samples < 0:
        msg = f"impulse_response: got n_samples={n_samples!r}; a discrete system needs "
        raise InvalidSystemError(msg + "`n_samples` >= 0 and no `times`")
    xp = _array.namespace(system.B)
    if n_samples == 0:
        shape = (*system.batch_shape, 0, system.n_outputs, system.n_inputs)
        return _array.zeros(shape, system.D)
    D = system.D[..., None, :, :]
    powers = _array.to_real(_array.zeros((n_samples - 1,), system.B))
    powers = xp.cumulative_sum(powers + 1) - 1
    return xp.concat([D, xp.astype(_response(system, powers), D.dtype)], axis=-3)


def _response(system: StateSpace | DiagonalStateSpace, times: Array) -> Array:
    """C e^{At} B, or C A^t B for whole t in discrete time."""
    xp = _array.namespace(system.B)
    if isinstance(system, DiagonalStateSpace):
        closed = conjugate_closure(system) if system.readout != "complex" else system
        grown = xp.exp(times[:, None] * closed.exponents[..., None, :])
        response = closed.C[..., None, :, :] @ (
            grown[..., :, None] * closed.B[..., None, :, :]
        )
        return response if system.readout == "complex" else xp.real(response)
    if isinstance(system.time, Continuous):
        grown = matrix_exponential(system.A[..., None, :, :] * times[:, None, None])
        return system.C[..., None, :, :] @ grown @ system.B[..., None, :, :]
    columns = [system.B]
    for _ in range(times.shape[0] - 1):
        columns.append(system.A @ columns[-1])
    if times.shape[0] == 0:
        shape = (*system.batch_shape, 0, system.n_outputs, system.n_inputs)
        return _array.zeros(shape, system.B)
    return system.C[..., None, :, :] @ xp.stack(columns, axis=-3)
