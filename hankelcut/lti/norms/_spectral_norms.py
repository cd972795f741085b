"""Spectral norms of many small matrices at once."""

from hankelcut import _array
from hankelcut._typing import Array

__all__ = ["spectral_norms"]


def spectral_norms(matrices: Array) -> Array:
    """Largest singular values of (..., p, m) matrices; in closed form up to m = 2.

    Parameters
    ----------
    matrices : (..., p, m) array
        Of a size whose squares stay in the range; m > 0.
    """
    xp, (p, m) = _array.namespace(matrices), matrices.shape[-2:]
    if p < m:
        matrices, m = xp.matrix_transpose(matrices), p
    if m == 1:
        return xp.linalg.vector_norm(matrices, axis=(-2, -1))
    if m > 2:
        return xp.linalg.svdvals(matrices)[..., 0]
    first, second = matrices[..., 0], matrices[..., 1]
    a, c = (xp.sum(xp.abs(x) ** 2, axis=-1) for x in (first, second))
    b = xp.abs(xp.sum(xp.conj(first) * second, axis=-1))
    return xp.sqrt((a + c) / 2 + xp.hypot((a - c) / 2, b))
