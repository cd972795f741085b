r"""Matrices in twice the working precision, with a bound of what that misses.

**Method.** A product is split into slices of so few bits each that the products of
slices are free of rounding in ordinary matrix multiplications (Ozaki, Ogita, Oishi &
Rump, Numer. Algorithms 59, 2012, p. 95); the partial products are added with the
rounding of every addition kept (Knuth's two-sum). What is dropped or rounded all the
same is bounded by the largest entries of rows and columns.
"""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

__all__ = ["Enclosure", "Matrix", "stacked"]

Matrix: TypeAlias = np.ndarray[Any, np.dtype[Any]]

_BITS = 53
_UNIT = 2.0**-_BITS
# Slices of one matrix; products of slices beyond the third diagonal are dropped.
_SLICES = 4


@dataclass(frozen=True, eq=False)
class Enclosure:
    """A real matrix within `radius`, entry by entry, of the sum of `high` and `low`.

    Parameters
    ----------
    high, low : (p, m) arrays
        The leading digits in double precision, and those after them.
    radius : (p, m) array
        Bound of the distance.
    """

    high: Matrix
    low: Matrix
    radius: Matrix

    @classmethod
    def exactly(cls, matrix: Matrix) -> "Enclosure":
        """Enclose a matrix of doubles, which is known exactly."""
        zero = np.zeros_like(matrix)
        return cls(matrix, zero, zero)

    @property
    def transposed(self) -> "Enclosure":
        """The transpose."""
        return Enclosure(self.high.T, self.low.T, self.radius.T)

    def __neg__(self) -> "Enclosure":
        """Return the negative."""
        return Enclosure(-self.high, -self.low, self.radius)

    def __add__(self, other: "Enclosure") -> "Enclosure":
        """Return the sum."""
        terms = [self.high, other.high, self.low, other.low]
        high, low, rounding = _sum(terms)
        return Enclosure(high, low, rounding + self.radius + other.radius)

    def __matmul__(self, other: "Enclosure") -> "Enclosure":
        """Return the product."""
        n = self.high.shape[1]
        left, right = _slices(self, axis=1), _slices(other, axis=0)
        terms = [left[i] @ right[j] for i in range(_SLICES) for j in range(_SLICES - i)]
        high, low, rounding = _sum(terms)
        rows = np.max(np.abs(self.high), axis=1, initial=0.0)
        columns = np.max(np.abs(other.high), axis=0, initial=0.0)
        # Slices past the third diagonal, the rounding of the last slices and underflow.
        lost = 2.0 ** (2 - 4 * (_slice_bits(n) - 1)) + 8 * _UNIT * _UNIT
        lost += 4 * _UNIT * 2.0 ** (-2 * (_slice_bits(n) - 1))
        radius = rounding + n * (lost * np.outer(rows, columns) + np.finfo(float).tiny)
        if np.any(self.radius):
            radius += 2 * self.radius @ (np.abs(other.high) + other.radius)
        if np.any(other.radius):
            radius += 2 * np.abs(self.high) @ other.radius
        return Enclosure(high, low, radius)


def stacked(blocks: list[list[Enclosure]]) -> Enclosure:
    """Return the matrix of blocks."""
    parts = [
        np.block([[getattr(block, name) for block in row] for row in blocks])
        for name in ("high", "low", "radius")
    ]
    return Enclosure(*parts)


def _slice_bits(n: int) -> int:
    """Bits that n products of two slices may have to add up without rounding."""
    return _BITS - _shift(n)


def _shift(n: int) -> int:
    return int(np.ceil((_BITS + np.log2(max(n, 1))) / 2))


def _slices(matrix: Enclosure, axis: int) -> list[Matrix]:
    """Slices along the axis that a product sums over, the last with what is left."""
    shift = 2.0 ** _shift(matrix.high.shape[axis])
    rest, slices = matrix.high, []
    for k in range(_SLICES - 1):
        if k == _SLICES - 2:
            rest = rest + matrix.low
        largest = np.max(np.abs(rest), axis=axis, keepdims=True, initial=0.0)
        positive = np.where(largest > 0, largest, 1.0)
        offset = shift * 2.0 ** np.ceil(np.log2(positive))
        part = (rest + offset) - offset
        slices.append(part)
        rest = rest - part
    return [*slices, rest]


def _sum(terms: list[Matrix]) -> tuple[Matrix, Matrix, Matrix]:
    """Sum of matrices in twice the precision, and a bound of its rounding."""
    high, low = terms[0], np.zeros_like(terms[0])
    size = np.abs(terms[0])
    for term in terms[1:]:
        high, error = _two_sum(high, term)
        low = low + error
        size = size + np.abs(term)
    high, low = _two_sum(high, low)
    return high, low, (2 * len(terms) ** 2 * _UNIT * _UNIT) * size


def _two_sum(a: Matrix, b: Matrix) -> tuple[Matrix, Matrix]:
    """Return the rounded sum and its rounding."""
    total = a + b
    virtual = total - a
    return total, (a - (total - virtual)) + (b - virtual)
