"""Exact scaling by powers of two, against overflow and underflow of squares."""

from hankelcut import _array
from hankelcut._typing import Array

__all__ = ["frobenius_norm", "magnitude", "row_norms", "state_gauge"]


def state_gauge(B: Array, C: Array) -> Array:
    """Powers of two t that give rows of t B and columns of C / t equal magnitudes.

    Parameters
    ----------
    B : (..., n, m) array
        Input matrix.
    C : (..., p, n) array
        Output matrix.

    Returns
    -------
    gauge : (..., n) real array
        1 for states without input or output.
    """
    xp = _array.namespace(B, C)
    if B.shape[-1] == 0 or C.shape[-2] == 0:
        return _array.to_real(_array.zeros(B.shape[:-1], B)) + 1
    b = xp.max(xp.abs(B), axis=-1)
    c = xp.max(xp.abs(C), axis=-2)
    both = (b > 0) & (c > 0)
    one = xp.ones_like(b)
    # Logarithms, because the ratio itself may leave the range of the dtype.
    ratio = xp.log2(xp.where(both, c, one)) - xp.log2(xp.where(both, b, one))
    return 2.0 ** xp.round(ratio / 2)


def magnitude(matrix: Array) -> Array:
    """Power of two nearest to the largest entry of (..., p, m); 1 without entries."""
    xp = _array.namespace(matrix)
    if 0 in matrix.shape[-2:]:
        return _array.to_real(_array.zeros(matrix.shape[:-2], matrix)) + 1
    return _array.nearest_power_of_two(xp.max(xp.abs(matrix), axis=(-2, -1)))


def frobenius_norm(matrix: Array) -> Array:
    """Frobenius norm of (..., p, m) whose squares cannot leave the range."""
    xp = _array.namespace(matrix)
    scale = magnitude(matrix)
    return scale * xp.linalg.matrix_norm(matrix / scale[..., None, None], ord="fro")


def row_norms(matrix: Array) -> Array:
    """Norms of the rows of (..., n, k) whose squares cannot leave the range."""
    xp = _array.namespace(matrix)
    if 0 in matrix.shape:
        return _array.to_real(_array.zeros(matrix.shape[:-1], matrix))
    scale = _array.nearest_power_of_two(xp.max(xp.abs(matrix), axis=-1))
    return scale * xp.linalg.vector_norm(matrix / scale[..., None], axis=-1)
