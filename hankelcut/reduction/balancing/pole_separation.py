r"""Separation of colliding poles, so that a diagonal form can be stored.

**Method.** The state matrix is perturbed in a fixed generic direction, which splits a
k-fold cluster of eigenvalues by about the k-th root of the size; with the new poles and
input rows held, the output matrix that is best in the H2 norm is C X P^-1, with the
Gramian P of the modes and the cross Gramian X. Of several sizes the one with the least
total error, of the perturbation and of storing the result, is taken. For a double pole
the best total is of the order of the square root of the storage precision or better.
"""

from dataclasses import replace

from hankelcut import _array
from hankelcut._typing import Array
from hankelcut.lti.gramians._structured_cholesky import displacement
from hankelcut.lti.responses.peak_gain import peak_gain
from hankelcut.lti.systems.conversions import to_dense
from hankelcut.lti.systems.diagonal_state_space import exponents_of
from hankelcut.lti.systems.interconnection import error_system
from hankelcut.lti.systems.time_domain import Continuous
from hankelcut.reduction.balancing.stored_modes import (
    Modes,
    Truncated,
    eigenvectors,
    modes_of,
    n_stored,
    storage_error,
)

__all__ = ["separated_modes"]

# Sizes of the perturbation tried, as powers of the storage precision.
_SIZE_POWERS = tuple(k / 12 for k in range(2, 10))
# The error of the perturbation is found by search: twice that goes into the bound.
_SEARCH_MARGIN = 2.0


def separated_modes(
    truncated: Truncated, most: int, storage_eps: float
) -> Modes | None:
    """Return modes of a perturbed system whose poles can be stored apart.

    Parameters
    ----------
    truncated : Truncated
        A balanced truncation whose diagonal form cannot be stored.
    most : int
        Largest number of stored states.
    storage_eps : float
        Machine epsilon of the storage.

    Returns
    -------
    Modes or None
        The best modes found, their `added_error` set; None if none fits.
    """
    xp = _array.namespace(truncated.dense.A)
    A = truncated.dense.A
    rows = xp.cumulative_sum(_array.to_real(A[:, 0]) * 0 + 1)
    generic = xp.cos(rows[:, None] * (2 * rows[None, :] - 1))
    generic = xp.astype(generic / xp.linalg.matrix_norm(generic), A.dtype)
    size = float(xp.linalg.matrix_norm(A, ord=2))
    best: Modes | None = None
    for power in _SIZE_POWERS:
        poles, vectors = eigenvectors(A + size * storage_eps**power * generic)
        if int(n_stored(poles, real_map=truncated.real_map)) > most:
            continue
        exponents = exponents_of(poles, truncated.dense.time)
        if bool(xp.any(xp.real(exponents) >= 0)):
            continue
        C = _refitted(truncated, poles, exponents, vectors)
        modes = modes_of(truncated, poles, vectors, C=C)
        if modes is None:
            continue
        added = _SEARCH_MARGIN * _model_error(truncated, modes)
        added += float(storage_error(modes, storage_eps))
        if best is None or added < best.added_error:
            best = replace(modes, added_error=added)
    if best is None:
        return None
    note = (
        f"order {truncated.order} has nearly colliding poles; they were separated by a "
        f"perturbation that adds up to {best.added_error:.2g} to the error"
    )
    return replace(best, notes=(*best.notes, note))


def _model_error(truncated: Truncated, modes: Modes) -> float:
    """Largest gain found of the difference between modes and truncation."""
    stored = replace(modes.system, D=0 * modes.system.D)
    if not truncated.real_map and stored.readout != "complex":
        gain = 2 * stored.readout_gain
        stored = replace(stored, C=gain * stored.C, readout="complex")
    error, _ = peak_gain(error_system(truncated.dense, to_dense(stored)))
    return float(error)


def _refitted(
    truncated: Truncated, poles: Array, exponents: Array, vectors: Array
) -> Array:
    """Return the output matrix of given modes that is best in the H2 norm: C X P^-1."""
    xp = _array.namespace(vectors)
    dense = truncated.dense
    B = xp.linalg.solve(vectors, _array.to_complex(dense.B))
    A = _array.to_complex(dense.A)
    conjugate = xp.conj(poles)[:, None, None]
    identity = _array.eye(dense.n_states, A)
    right = _array.to_complex(dense.B) @ _array.adjoint(B)
    right = xp.matrix_transpose(right)[..., None]
    if isinstance(dense.time, Continuous):
        cross = xp.linalg.solve(A + conjugate * identity, -right)
    else:
        cross = xp.linalg.solve(identity - conjugate * A, right)
    cross = xp.matrix_transpose(cross[..., 0])
    denominators = displacement(exponents[:, None], exponents[None, :], dense.time)
    P = (B @ _array.adjoint(B)) / denominators
    fitted = xp.linalg.solve(P, _array.adjoint(_array.to_complex(dense.C) @ cross))
    return _array.adjoint(fitted)
