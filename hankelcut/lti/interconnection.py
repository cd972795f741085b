"""Systems made of systems."""

from hankelcut import _array
from hankelcut._errors import InvalidSystemError
from hankelcut.lti.conversions import to_dense
from hankelcut.lti.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.state_space import StateSpace

__all__ = ["error_system"]


def error_system(
    full: StateSpace | DiagonalStateSpace, reduced: StateSpace | DiagonalStateSpace
) -> StateSpace | DiagonalStateSpace:
    """Return the system G - G_r whose norms are the errors of a reduction.

    Parameters
    ----------
    full, reduced : StateSpace or DiagonalStateSpace
        Systems with the same time domain, inputs, outputs and batch axes.

    Returns
    -------
    DiagonalStateSpace
        When both are diagonal with the same readout, of n + r states.
    StateSpace
        Otherwise.

    Raises
    ------
    InvalidSystemError
        If time domains or sizes differ.
    """
    facts = [(s.time, s.n_inputs, s.n_outputs, s.batch_shape) for s in (full, reduced)]
    if facts[0] != facts[1]:
        msg = f"error_system: got (time, m, p, batch) = {facts[0]} and {facts[1]}, need"
        raise InvalidSystemError(msg + " equal ones")
    xp = _array.namespace(full.B, reduced.B)
    if (
        isinstance(full, DiagonalStateSpace)
        and isinstance(reduced, DiagonalStateSpace)
        and full.readout == reduced.readout
    ):
        return DiagonalStateSpace(
            xp.concat([full.exponents, reduced.exponents], axis=-1),
            xp.concat([full.B, reduced.B], axis=-2),
            xp.concat([full.C, -reduced.C], axis=-1),
            full.D - reduced.D,
            full.time,
            full.readout,
        )
    first, second = to_dense(full), to_dense(reduced)
    _, (A1, A2) = _array.as_arrays([first.A, second.A])
    return StateSpace(
        _array.block_diagonal(A1, A2),
        xp.concat([first.B, second.B], axis=-2),
        xp.concat([first.C, -second.C], axis=-1),
        first.D - second.D,
        first.time,
    )
