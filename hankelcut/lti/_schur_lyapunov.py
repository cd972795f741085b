r"""Hammarling's factored solution of dense Lyapunov and Stein equations.

**Method.** One complex Schur form :math:`A = U T U^H` serves both equations; the factor
R of the transformed equation is built column by column from the last row on, each step
a triangular solve and a rank-one update of the right-hand side, in the form of Sorensen
& Zhou (J. Appl. Math. 2003, p. 277) of the method of Hammarling (IMA J. Numer. Anal. 2,
1982, p. 303; discrete: Systems & Control Letters 17, 1991, p. 137). The Gramian itself
is never formed. Real systems get real factors: :math:`\mathrm{Re}(LL^H)` is the product
of the LQ factor of [Re L, Im L] with its transpose.

**Numerical aspects.** O(n^3), on the host, one system at a time.
"""

from typing import Any, TypeAlias

import numpy as np
import scipy.linalg

from hankelcut import _array
from hankelcut._errors import IllConditionedError
from hankelcut._typing import Array
from hankelcut.lti.time_domain import Continuous, TimeDomain

__all__ = ["hammarling_factors"]

_Matrix: TypeAlias = np.ndarray[Any, np.dtype[Any]]


def hammarling_factors(
    A: Array, B: Array, C: Array, time: TimeDomain
) -> tuple[Array, Array]:
    """Factors of both Gramians of a dense stable system, batched over leading axes.

    Parameters
    ----------
    A : (..., n, n) array
        Stable state matrix, in host memory.
    B : (..., n, m) array
        Input matrix.
    C : (..., p, n) array
        Output matrix.
    time : Continuous or Discrete
        The time domain.

    Returns
    -------
    Lc, Lo : (..., n, n) arrays
        Factors with P = Lc Lc^H and Q = Lo Lo^H, in the dtype of the system.

    Raises
    ------
    IllConditionedError
        If a factor overflows; names the batch items.
    """
    xp = _array.namespace(A, B, C)
    A, B, C = (_array.to_numpy(matrix) for matrix in (A, B, C))
    batch, n = A.shape[:-2], A.shape[-1]
    factors = np.zeros((2, *batch, n, n), dtype=A.dtype)
    for index in np.ndindex(*batch):
        # An overflow becomes an error below.
        with np.errstate(over="ignore", invalid="ignore"):
            pair = _one_system(A[index], B[index], C[index], time)
        factors[(0, *index)], factors[(1, *index)] = pair
    _require_range(factors)
    return xp.asarray(factors[0]), xp.asarray(factors[1])


def _require_range(factors: _Matrix) -> None:
    good = np.isfinite(factors).all(axis=(0, -2, -1))
    if good.all():
        return
    items = [int(item) for item in np.flatnonzero(~good)]
    msg = (
        f"Hammarling: the Gramian factors of batch items {items} leave the range of "
        f"{factors.dtype} (strongly non-normal state matrix); "
    )
    narrow = np.finfo(factors.dtype).bits < np.finfo(np.float64).bits
    raise IllConditionedError(
        msg + ("convert the system to double precision" if narrow else "rescale it")
    )


def _one_system(
    A: _Matrix, B: _Matrix, C: _Matrix, time: TimeDomain
) -> tuple[_Matrix, _Matrix]:
    if A.shape[0] == 0:
        return A, A
    T, U = scipy.linalg.schur(A, output="complex")
    reverse = U[:, ::-1]
    dual = T.conj().T[::-1, ::-1]
    controllability = U @ _triangular_factor(T, U.conj().T @ B, time)
    observability = reverse @ _triangular_factor(
        dual, reverse.conj().T @ C.conj().T, time
    )
    if np.iscomplexobj(A):
        return controllability, observability
    return _real_factor(controllability), _real_factor(observability)


def _triangular_factor(T: _Matrix, B: _Matrix, time: TimeDomain) -> _Matrix:
    """Upper-triangular R with R R^H solving the equation of upper-triangular T."""
    n = T.shape[0]
    R = np.zeros((n, n), dtype=np.result_type(T, B, np.complex64))
    scale = float(2.0 ** np.round(np.log2(np.max(np.abs(B), initial=0.0) or 1.0)))
    B = B.astype(R.dtype) / scale
    step = _continuous_step if isinstance(time, Continuous) else _discrete_step
    for k in range(n - 1, -1, -1):
        norm = float(np.linalg.norm(B[k]))
        if norm > 0:
            step(T, B, R, k, norm)
    return R * scale


def _continuous_step(T: _Matrix, B: _Matrix, R: _Matrix, k: int, norm: float) -> None:
    pole = T[k, k]
    direction = B[k].conj() / norm
    alpha = np.sqrt(-2 * pole.real)
    R[k, k] = norm / alpha
    if k == 0:
        return
    right = -T[:k, k] * R[k, k] - alpha * (B[:k] @ direction)
    shifted = T[:k, :k] + np.conj(pole) * np.eye(k, dtype=T.dtype)
    column = scipy.linalg.solve_triangular(shifted, right, check_finite=False)
    R[:k, k] = column
    B[:k] -= alpha * np.outer(column, direction.conj())


def _discrete_step(T: _Matrix, B: _Matrix, R: _Matrix, k: int, norm: float) -> None:
    pole = T[k, k]
    direction = B[k].conj() / norm
    modulus = abs(pole)
    alpha = np.sqrt((1 - modulus) * (1 + modulus))
    R[k, k] = norm / alpha
    if k == 0:
        return
    along = B[:k] @ direction
    conjugate = np.conj(pole)
    shifted = np.eye(k, dtype=T.dtype) - conjugate * T[:k, :k]
    right = conjugate * T[:k, k] * R[k, k] + alpha * along
    column = scipy.linalg.solve_triangular(shifted, right, check_finite=False)
    R[:k, k] = column
    image = T[:k, :k] @ column + T[:k, k] * R[k, k]
    B[:k] += np.outer(alpha * image - (1 + pole) * along, direction.conj())


def _real_factor(L: _Matrix) -> _Matrix:
    """Real square factor of Re(L L^H)."""
    stacked = np.concatenate([L.real, L.imag], axis=1)
    R: _Matrix = scipy.linalg.qr(stacked.T, mode="r", check_finite=False)[0]
    return R[: R.shape[1]].T
