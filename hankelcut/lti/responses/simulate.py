"""Response of a system to sampled inputs."""

from hankelcut import _array
from hankelcut._errors import InvalidSystemError
from hankelcut._typing import Array, Namespace
from hankelcut.lti.systems._kinds import require_dense_or_diagonal
from hankelcut.lti.systems._zero_order_hold import hold_dense, hold_gains
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.lti.systems.time_domain import Continuous

__all__ = ["simulate"]


def simulate(
    system: StateSpace | DiagonalStateSpace,
    inputs: Array,
    *,
    sampling_period: float | None = None,
) -> Array:
    r"""Return outputs of a system, from rest, for a sampled input.

    Parameters
    ----------
    system : StateSpace or DiagonalStateSpace
        The system, stable or not.
    inputs : (..., T, m) array
        Input samples; real for systems with a real readout.
    sampling_period : float, optional
        Continuous systems: the time in seconds for which each sample is held
        (zero-order hold, exact). Not for discrete systems.

    Returns
    -------
    outputs : (..., T, p) array
        :math:`y_k = C x_k + D u_k` with :math:`x_0 = 0`.

    Raises
    ------
    InvalidSystemError
        If the inputs have another width than the system, are complex where the readout
        is real, or `sampling_period` is missing or not wanted.
    """
    require_dense_or_diagonal("simulate", system)
    continuous = isinstance(system.time, Continuous)
    if continuous == (sampling_period is None):
        need = "needs" if continuous else "does not take"
        msg = (
            f"simulate: a {type(system.time).__name__} system {need} `sampling_period`"
        )
        raise InvalidSystemError(msg)
    xp, (B, u) = _array.as_arrays([system.B, inputs])
    if u.ndim < 2 or u.shape[-1] != system.n_inputs:
        msg = f"simulate: got inputs of shape {tuple(u.shape)}, need (..., T, "
        raise InvalidSystemError(msg + f"{system.n_inputs})")
    real_readout = isinstance(system, DiagonalStateSpace) and (
        system.readout != "complex"
    )
    if real_readout and _array.is_complex(_array.as_arrays([inputs])[1][0]):
        msg = "simulate: got complex inputs for a system with a real readout"
        raise InvalidSystemError(msg + "; simulate real and imaginary parts apart")
    transition, driven = _discrete_pair(system, B, sampling_period)
    forcing = u @ xp.matrix_transpose(driven)
    states = _recurrence(xp, transition, forcing)
    outputs = states @ xp.matrix_transpose(xp.astype(system.C, u.dtype))
    if isinstance(system, DiagonalStateSpace) and real_readout:
        outputs = 2 * system.readout_gain * xp.real(outputs)
        u = _array.to_real(u)
    return outputs + u @ xp.matrix_transpose(xp.astype(system.D, u.dtype))


def _recurrence(xp: Namespace, transition: Array, forcing: Array) -> Array:
    """States x_0 = 0, x_{k+1} = transition x_k + forcing_k, stacked over time."""
    diagonal = transition.shape[-2] == 1
    states: list[Array] = []
    state = _array.zeros((*forcing.shape[:-2], forcing.shape[-1]), forcing)
    for k in range(forcing.shape[-2]):
        states.append(state)
        moved = (
            transition[..., 0, :] * state
            if diagonal
            else xp.linalg.matmul(transition, state[..., None])[..., 0]
        )
        state = moved + forcing[..., k, :]
    return xp.stack(states, axis=-2) if states else forcing


def _discrete_pair(
    system: StateSpace | DiagonalStateSpace, B: Array, period: float | None
) -> tuple[Array, Array]:
    """Transition (a row of poles when diagonal) and input matrix of one sample."""
    xp = _array.namespace(B)
    if isinstance(system, DiagonalStateSpace):
        if period is None:
            return xp.astype(system.poles, B.dtype)[..., None, :], B
        exponents = xp.astype(system.exponents, B.dtype)
        held = _array.diagonal_rows(hold_gains(exponents, period), B)
        return xp.exp(exponents * period)[..., None, :], held
    A = xp.astype(system.A, B.dtype)
    if period is None:
        return A, B
    return hold_dense(A, B, period)
