r"""Sylvester and Stein-Sylvester equations of quasi-triangular matrices, by recursion.

**Method.** The larger of the two matrices is halved until both are small; what lies
between the halves is a matrix product (Jonsson & Kagstrom, ACM Trans. Math. Softw. 28,
2002, p. 392). The leaves of Sylvester equations are LAPACK's. A leaf
:math:`SXT^H - X + F = 0` is the Sylvester equation of S and :math:`T^{-H}` where T is
well-conditioned, is halved where it is not, and in the end solved entry by entry of T
as a linear system.

**Numerical aspects.** p q (p + q) flops, nearly all in matrix products. Equations that
are singular to rounding raise `numpy.linalg.LinAlgError`; an overflow shows as values
that are not finite.
"""

import functools
from typing import Any, TypeAlias

import numpy as np
import scipy.linalg

__all__ = [
    "LEAF",
    "Matrix",
    "halfway",
    "solve_stein",
    "solve_sylvester",
    "sylvester_leaf",
]

Matrix: TypeAlias = np.ndarray[Any, np.dtype[Any]]

# Measured best between 24 and 64: smaller leaves cost calls, larger ones LAPACK's
# unblocked loops.
LEAF = 32
# Conditions up to here cost a Stein leaf one digit at most.
_WELL_CONDITIONED = 10.0


def halfway(T: Matrix) -> int:
    """Row at which to halve a quasi-triangular matrix without cutting a 2 x 2 block.

    Parameters
    ----------
    T : (n, n) array
        Upper quasi-triangular, n >= 2, and no single 2 x 2 block.
    """
    k = int(T.shape[0]) // 2
    return k if T[k, k - 1] == 0 else k + 1


def solve_sylvester(S: Matrix, T: Matrix, F: Matrix) -> None:
    r"""Solve :math:`SX + XT^H + F = 0` in place: F becomes X.

    Parameters
    ----------
    S : (p, p) array
        Upper quasi-triangular (real) or triangular (complex).
    T : (q, q) array
        The same; its eigenvalues are no negative conjugates of those of S.
    F : (p, q) array
        Overwritten by the solution.
    """
    p, q = F.shape
    if p == 0 or q == 0:
        return
    if p <= LEAF and q <= LEAF:
        F[...] = sylvester_leaf(S, T, F)
    elif p >= q:
        k = halfway(S)
        solve_sylvester(S[k:, k:], T, F[k:])
        F[:k] += S[:k, k:] @ F[k:]
        solve_sylvester(S[:k, :k], T, F[:k])
    else:
        k = halfway(T)
        solve_sylvester(S, T[k:, k:], F[:, k:])
        F[:, :k] += F[:, k:] @ T[:k, k:].conj().T
        solve_sylvester(S, T[:k, :k], F[:, :k])


def sylvester_leaf(S: Matrix, T: Matrix, F: Matrix) -> Matrix:
    r"""Solve a small equation :math:`SX + XT^H + F = 0`, by LAPACK.

    Parameters
    ----------
    S, T, F : (p, p), (q, q) and (p, q) arrays
        As of `solve_sylvester`; not modified.
    """
    X, scale, perturbed = _trsyl(F.dtype)(S, T, F, tranb="C")
    if perturbed:
        msg = "the spectra of S and -T^H have a common value to rounding"
        raise np.linalg.LinAlgError(msg)
    X *= -1 / scale
    solution: Matrix = X
    return solution


@functools.cache
def _trsyl(dtype: np.dtype[Any]) -> Any:
    return scipy.linalg.get_lapack_funcs("trsyl", dtype=dtype)


def solve_stein(S: Matrix, T: Matrix, F: Matrix) -> None:
    r"""Solve :math:`SXT^H - X + F = 0` in place: F becomes X.

    Parameters
    ----------
    S : (p, p) array
        Upper quasi-triangular (real) or triangular (complex).
    T : (q, q) array
        The same; no product of an eigenvalue of S and a conjugate one of T is 1.
    F : (p, q) array
        Overwritten by the solution.
    """
    p, q = F.shape
    if p == 0 or q == 0:
        return
    if p <= LEAF and q <= LEAF and _solve_stein_leaf(S, T, F):
        return
    if p > LEAF and p >= q:
        k = halfway(S)
        solve_stein(S[k:, k:], T, F[k:])
        F[:k] += S[:k, k:] @ (F[k:] @ T.conj().T)
        solve_stein(S[:k, :k], T, F[:k])
    else:
        k = halfway(T)
        solve_stein(S, T[k:, k:], F[:, k:])
        F[:, :k] += S @ (F[:, k:] @ T[:k, k:].conj().T)
        solve_stein(S, T[:k, :k], F[:, :k])


def _solve_stein_leaf(S: Matrix, T: Matrix, F: Matrix) -> bool:
    """Whether a leaf could be solved without halving T."""
    p, q = F.shape
    if q == 1:
        shifted = T[0, 0].conj() * S
        np.einsum("ii->i", shifted)[...] -= 1
        F[...] = sylvester_leaf(shifted, np.zeros_like(T), F)
        return True
    inverse = _well_conditioned_inverse(T)
    if inverse is not None:
        # S X - X T^-H + F T^-H = 0, and T^-1 is quasi-triangular as T is.
        F[...] = sylvester_leaf(S, -inverse, F @ inverse.conj().T)
        return True
    if q == 2 and T[1, 0] != 0:
        # vec of rows: (S kron conj(T) - I) vec(X) = -vec(F).
        operator = np.kron(S, T.conj()) - np.eye(p * q, dtype=S.dtype)
        F[...] = np.linalg.solve(operator, -F.reshape(p * q)).reshape(p, q)
        return True
    return False


def _well_conditioned_inverse(T: Matrix) -> Matrix | None:
    n = T.shape[0]
    if n == 2:
        return _well_conditioned_inverse_of_two(T)
    if not np.diagonal(T).all():
        return None
    inverse = np.linalg.inv(T)
    # The inverse of a quasi-triangular matrix is one; rounding must not blur that.
    pairs = np.flatnonzero(np.diagonal(T, -1))
    beside = inverse[pairs + 1, pairs]
    inverse = np.triu(inverse)
    inverse[pairs + 1, pairs] = beside
    condition = np.linalg.norm(T) * np.linalg.norm(inverse)
    return inverse if condition <= _WELL_CONDITIONED * n else None


def _well_conditioned_inverse_of_two(T: Matrix) -> Matrix | None:
    """Do the same for a 2 x 2 matrix, in a tenth of the time."""
    entries = [entry for row in T.tolist() for entry in row]
    size = max(abs(entry) for entry in entries)
    # Neither the entries nor their reciprocals may leave the range.
    if size * size <= np.finfo(T.dtype).tiny:
        return None
    a, b, c, d = (entry / size for entry in entries)
    determinant = a * d - b * c
    squares = abs(a) ** 2 + abs(b) ** 2 + abs(c) ** 2 + abs(d) ** 2
    if not squares <= _WELL_CONDITIONED * 2 * abs(determinant):
        return None
    share = 1 / (determinant * size)
    inverse: Matrix = np.array([[d * share, -b * share], [-c * share, a * share]])
    return inverse.astype(T.dtype)
