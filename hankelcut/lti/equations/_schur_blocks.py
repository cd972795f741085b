r"""Gramian factors of single poles and of complex pairs, in real arithmetic.

The smallest blocks of Hammarling's method (`_schur_hammarling`). Of a block T of a
Schur form and its rows B, what is computed is the factor R of the Gramian and, free of
any division by it, :math:`b = R^{-1}B` and :math:`M = R^{-1}TR`.

**Method.** A standardised 2 x 2 block is stretched to a normal matrix. Its eigenvectors
:math:`[1, \pm i]/\sqrt 2` make two scalar steps of it (Hammarling, IMA J. Numer. Anal.
2, 1982, p. 303), whose complex results are turned back into real ones. Rows of more
than two entries are first reduced to two, by a QR decomposition: all else is a fixed
number of operations on numbers.
"""

import math
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import scipy.linalg

__all__ = ["GramianBlock", "continuous_block", "discrete_block"]

Matrix: TypeAlias = np.ndarray[Any, np.dtype[Any]]
Row: TypeAlias = tuple[complex, complex]
RealRow: TypeAlias = tuple[float, float]

# Rows below the least number with all digits are zero.
_TINY = {
    np.dtype(dtype): float(np.finfo(dtype).tiny)
    for dtype in (np.float32, np.float64, np.complex64, np.complex128)
}
# Squares above this number and below its reciprocal have lost nothing, also in float32.
_SAFE = 1e-25
_geqrf, _orgqr = scipy.linalg.get_lapack_funcs(("geqrf", "orgqr"), dtype=np.float64)
_ROOT_HALF, _ROOT_TWO = math.sqrt(0.5), math.sqrt(2)


class GramianBlock(NamedTuple):
    """What a block of k states contributes.

    Parameters
    ----------
    R, M : (k, k) arrays
        Factor of the Gramian, and the state matrix in its coordinates.
    b : (k, m) array
        Input matrix in its coordinates.
    """

    R: Matrix
    M: Matrix
    b: Matrix


def continuous_block(T: Matrix, B: Matrix) -> GramianBlock | None:
    """Block of T X + X T^H + B B^H = 0, with M + M^H + b b^H = 0; None where B is zero.

    Parameters
    ----------
    T : (k, k) array
        A stable pole, or the standardised block of a complex pair of them.
    B : (k, m) array
        Its rows of the input matrix.
    """
    if T.shape[0] == 1:
        return _single(T, B, math.sqrt(-2 * T[0, 0].real))
    pair = _normal_pair(T, B)
    if pair is None:
        return None
    pole, alpha = pair.pole, math.sqrt(-2 * pair.pole.real)
    turned = 1j * pole.imag / pole * pair.along
    b1, corner = _unit(_sum(pair.across, turned, pair.direction), alpha)
    b2 = _scaled(alpha, pair.direction)
    factor = corner, (pair.excess - turned) / alpha, pair.norm / alpha
    return _in_real_arithmetic(pair, factor, -_product(b2, b1), (b1, b2), B)


def discrete_block(T: Matrix, B: Matrix) -> GramianBlock | None:
    """Block of T X T^H - X + B B^H = 0, with M M^H + b b^H = I; None where B is zero.

    Parameters
    ----------
    T, B : (k, k) and (k, m) arrays
        As of `continuous_block`.
    """
    if T.shape[0] == 1:
        return _single(T, B, _defect(float(abs(T[0, 0]))))
    pair = _normal_pair(T, B)
    if pair is None:
        return None
    pole, alpha = pair.pole, _defect(abs(pair.pole))
    turned = 2j * pole.imag / (1 - pole * pole) * pair.along
    first, corner = _unit(_sum(pair.across, turned, pair.direction), alpha)
    across = _product(pair.direction, first)
    b1 = _sum(first, -(1 + pole) * across, pair.direction)
    b2 = _scaled(alpha, pair.direction)
    factor = corner, (pair.excess + pole * turned) / alpha, pair.norm / alpha
    return _in_real_arithmetic(pair, factor, alpha * across, (b1, b2), B)


def _single(T: Matrix, B: Matrix, alpha: float) -> GramianBlock | None:
    norm = _norm(B[0])
    if norm < _TINY[B.dtype]:
        return None
    return GramianBlock(np.array([[norm / alpha]], T.dtype), T, B / norm * alpha)


class _Pair(NamedTuple):
    r"""A standardised 2 x 2 block of a complex pair, stretched to a normal one.

    diag(d, 1) T diag(1/d, 1) = [[a, w], [-w, a]] has the unitary eigenvectors
    [1, i] / sqrt(2) and [1, -i] / sqrt(2) of the pole a + iw and its conjugate. Where
    the pair is nearly real, what sums up to the size of w is given as such a sum.

    Parameters
    ----------
    pole, stretch : complex, float
        a + iw and d.
    norm, direction : float, row
        Of the row of B for the second eigenvector; for the first it is the conjugate.
    along, across : complex, row
        Component of the first row along the direction, and the rest of that row.
    excess : complex
        along - norm.
    basis : (2, m) array or None
        Orthonormal rows whose coordinates are the two entries of rows, where m > 2.
    """

    pole: complex
    stretch: float
    norm: float
    direction: Row
    along: complex
    across: Row
    excess: complex
    basis: Matrix | None


def _normal_pair(T: Matrix, B: Matrix) -> _Pair | None:
    """Pair of a 2 x 2 block, in double precision; None where its rows of B are zero."""
    (real, above), (below, _) = T.tolist()
    stretch = math.sqrt(abs(below)) / math.sqrt(abs(above))
    pole = complex(real, math.copysign(stretch * abs(above), above))
    (x1, x2), (y1, y2), basis = _two_columns(B)
    x1, x2 = x1 * stretch, x2 * stretch
    # Sizes at most one keep the squares in range.
    size = max(abs(x1), abs(x2), abs(y1), abs(y2))
    if size < _TINY[B.dtype]:
        return None
    x1, x2, y1, y2 = x1 / size, x2 / size, y1 / size, y2 / size
    xx, xy, yy = x1 * x1 + x2 * x2, x1 * y1 + x2 * y2, y1 * y1 + y2 * y2
    norm = math.sqrt(xx + yy)
    half, rest = size * _ROOT_HALF, size * _ROOT_TWO / norm**2
    # x + iy over its norm, and x - iy without its component along x + iy.
    direction = complex(x1, y1) / norm, complex(x2, y2) / norm
    of_x, of_y = rest * complex(yy, xy), rest * complex(xy, xx)
    across = of_x * x1 - of_y * y1, of_x * x2 - of_y * y2
    along = half * complex(xx - yy, -2 * xy) / norm
    excess = half * complex(yy, xy) * (-2 / norm)
    return _Pair(pole, stretch, half * norm, direction, along, across, excess, basis)


def _two_columns(B: Matrix) -> tuple[RealRow, RealRow, Matrix | None]:
    """Coordinates of two rows in orthonormal rows; these are left out for m <= 2."""
    if B.shape[1] <= 2:
        x, y = B.tolist()
        missing = [0.0] * (2 - len(x))
        return (*x, *missing), (*y, *missing), None
    packed, tau, _, _ = _geqrf(B.T.astype(np.float64, order="F"))
    (r11, r12), (_, r22) = packed[:2].tolist()
    basis, _, _ = _orgqr(packed, tau)
    return (r11, 0.0), (r12, r22), basis.T.astype(B.dtype)


def _in_real_arithmetic(
    pair: _Pair,
    factor: tuple[float, complex, float],
    coupling: complex,
    inputs: tuple[Row, Row],
    B: Matrix,
) -> GramianBlock:
    """Real form of the upper-triangular R, M and of b of a complex pair.

    The complex factor L = Q R of the real Gramian is R' W with R' real and W unitary:
    M and b turn by W, free of divisions by the factor. R' is written out, since what
    cancels in L W^H is large where the pair is nearly real. `factor` holds r11,
    r12 - r22 and r22 of R; M has the poles and `coupling`, and b the rows `inputs`.
    """
    r11, difference, r22 = factor
    lower = _ROOT_HALF * math.hypot(r11, abs(difference))
    turn = 1j * _ROOT_HALF / lower
    w21, w22 = turn * r11, turn * difference
    v21, v22 = w21.conjugate(), w22.conjugate()
    w11, w12 = -1j * v22, 1j * v21
    v11, v12 = w11.conjugate(), w12.conjugate()
    divisor = lower * pair.stretch
    # The rows of W M, turned back by W^H.
    pole, conjugate = pair.pole, pair.pole.conjugate()
    m11, m12 = w11 * pole, w11 * coupling + w12 * conjugate
    m21, m22 = w21 * pole, w21 * coupling + w22 * conjugate
    (b11, b12), (b21, b22) = inputs
    # R, M and the coordinates of b in one array, which is made faster than three.
    rows = np.array(
        (
            (
                r11 / divisor * r22,
                -difference.imag / divisor * r22,
                (m11 * v11 + m12 * v12).real,
                (m11 * v21 + m12 * v22).real,
                (w11 * b11 + w12 * b21).real,
                (w11 * b12 + w12 * b22).real,
            ),
            (
                0.0,
                lower,
                (m21 * v11 + m22 * v12).real,
                (m21 * v21 + m22 * v22).real,
                (w21 * b11 + w22 * b21).real,
                (w21 * b12 + w22 * b22).real,
            ),
        ),
        B.dtype,
    )
    b = rows[:, 4 : 4 + B.shape[1]] if pair.basis is None else rows[:, 4:] @ pair.basis
    return GramianBlock(rows[:, :2], rows[:, 2:4], b)


def _norm(row: Matrix) -> float:
    square = float(np.vdot(row, row).real)
    if _SAFE < square < 1 / _SAFE:
        return math.sqrt(square)
    largest = float(np.max(np.abs(row), initial=0.0))
    if largest == 0:
        return 0.0
    row = row / largest
    return largest * math.sqrt(np.vdot(row, row).real)


def _unit(row: Row, alpha: float) -> tuple[Row, float]:
    """Row scaled to the norm alpha, and what divides it by alpha: norm / alpha."""
    norm = math.hypot(abs(row[0]), abs(row[1]))
    return (_scaled(alpha / norm, row), norm / alpha) if norm > 0 else (row, 0.0)


def _sum(row: Row, factor: complex, other: Row) -> Row:
    return row[0] + factor * other[0], row[1] + factor * other[1]


def _scaled(factor: float, row: Row) -> Row:
    return factor * row[0], factor * row[1]


def _product(row: Row, other: Row) -> complex:
    """Sum of the products of entries, those of the first row conjugate."""
    return row[0].conjugate() * other[0] + row[1].conjugate() * other[1]


def _defect(modulus: float) -> float:
    """Square root of 1 - modulus^2 without cancellation."""
    return math.sqrt((1 - modulus) * (1 + modulus))
