"""Units of states that scale stacks of state matrices evenly, on any device."""

from hankelcut import _array
from hankelcut._typing import Array

__all__ = ["state_scales"]

# Dense matrices need two sweeps; what is not even after these is left to others.
_SWEEPS = 8
# Rows and columns may differ by this power of two: costs a digit, saves sweeps.
_EVEN = 5.0


def state_scales(A: Array) -> tuple[Array, Array]:
    """Powers of two t for which rows and columns of t^-1 A t are of equal size.

    All states are scaled together from the sizes of their rows and columns without the
    diagonal (Osborne, J. ACM 7, 1960, p. 338, scales them in turn).

    Parameters
    ----------
    A : (..., n, n) array
        State matrices, finite.

    Returns
    -------
    scales : (..., n) real array
        1 for states without coupling.
    even : (...) bool array
        Where the sizes differ by little with these scales.
    """
    xp = _array.namespace(A)
    sizes = xp.abs(A) * (1 - _array.to_real(_array.eye(A.shape[-1], A)))
    scales = xp.max(sizes, axis=-1) * 0 + 1
    exponents = _unevenness(sizes, scales)
    for _ in range(_SWEEPS):
        if not bool(xp.any(xp.abs(exponents) > _EVEN)):
            break
        scales = scales * 2.0 ** xp.round(exponents / 2)
        exponents = _unevenness(sizes, scales)
    return scales, xp.all(xp.abs(exponents) <= 2 * _EVEN, axis=-1)


def _unevenness(sizes: Array, scales: Array) -> Array:
    """Logarithms to base 2 of the quotients of row and column sizes, scaled."""
    xp = _array.namespace(sizes, scales)
    rows = xp.max(sizes * scales[..., None, :], axis=-1) / scales
    columns = xp.max(sizes / scales[..., :, None], axis=-2) * scales
    coupled = (rows > 0) & (columns > 0)
    one = xp.ones_like(rows)
    rows, columns = xp.where(coupled, rows, one), xp.where(coupled, columns, one)
    return xp.log2(rows) - xp.log2(columns)
