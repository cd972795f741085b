r"""Factored Lyapunov and Stein equations in Schur form, without the Gramian.

**Method.** Hammarling (IMA J. Numer. Anal. 2, 1982, p. 303; discrete: Systems & Control
Letters 17, 1991, p. 137) as a recursion over halves, so that nearly all work is matrix
products (blocked variants: Kressner, ACM Trans. Math. Softw. 34, 2008). With T and the
factor R of its Gramian in halves 1 and 2, the lower half yields :math:`R_2` and, free
of any division by it, :math:`b = R_2^{-1}B_2` and :math:`M = R_2^{-1}T_2R_2`. Then

- continuous, where :math:`M + M^H + bb^H = 0`:
  :math:`T_1R_{12} + R_{12}M^H + T_{12}R_2 + B_1b^H = 0`, and the upper half goes on
  with :math:`B_1 - R_{12}b`;
- discrete, where [M, b] has orthonormal rows, which N^H completes to a unitary basis:
  :math:`T_1R_{12}M^H - R_{12} + T_{12}R_2M^H + B_1b^H = 0`, and the upper half goes on
  with :math:`[T_1R_{12} + T_{12}R_2,\ B_1]N`. N is kept as a product of Householder
  reflectors.

**Numerical aspects.** 2 n^3 / 3 flops for few inputs, and a product with the basis of
the Schur form. Rows of B that fall below the rounding of their own data are done: their
columns of the factor are zero. Nothing but scaled numbers is squared.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import scipy.linalg

from hankelcut.lti.equations._schur_form import SchurForm
from hankelcut.lti.equations._schur_sylvester import (
    Matrix,
    halfway,
    solve_stein,
    solve_sylvester,
)
from hankelcut.lti.systems.time_domain import Continuous, TimeDomain

__all__ = ["factor_in_schur_form"]

# Updates of a row of B leave a few roundings of its own size.
_ROUNDINGS = 8.0
# Squares above this number and below its reciprocal have lost nothing, also in float32.
_SAFE = 1e-25
# Ranges of states below this size are not asked whether their rows of B are exhausted.
_SMALLEST_ASKED = 12


class _Work(NamedTuple):
    """Views of the arrays that the recursion fills, for a range of states.

    `noise` is what rounding may have left of the entries of each row of B; N of
    discrete equations is returned instead of stored.
    """

    T: Matrix
    B: Matrix
    R: Matrix
    b: Matrix
    M: Matrix
    noise: Matrix

    def part(self, states: slice) -> "_Work":
        """Return the views of a range of states."""
        return _Work(
            self.T[states, states],
            self.B[states],
            self.R[states, states],
            self.b[states],
            self.M[states, states],
            self.noise[states],
        )


@dataclass(frozen=True, eq=False)
class _Completion:
    r"""The matrix :math:`N = [S;\ I - WZ^H]` of a range of k states.

    S is (k, m), W and Z are (m, r) with r <= k.
    """

    S: Matrix
    W: Matrix
    Z: Matrix

    def apply(self, image: Matrix, B: Matrix) -> Matrix:
        """Return [image, B] N."""
        applied: Matrix = image @ self.S + B - (B @ self.W) @ self.Z.conj().T
        return applied

    def after(self, lower: "_Completion") -> "_Completion":
        """Return the N of both ranges, where this one began with that of the lower."""
        S = lower.S - (lower.S @ self.W) @ self.Z.conj().T
        W = self.W - lower.W @ (lower.Z.conj().T @ self.W)
        return _Completion(
            np.concatenate([self.S, S]),
            np.concatenate([lower.W, W], axis=1),
            np.concatenate([lower.Z, self.Z], axis=1),
        )


def factor_in_schur_form(form: SchurForm, B: Matrix, time: TimeDomain) -> Matrix:
    """Factor L with X = L L^H of the Gramian of a stable A, for Q = B B^H.

    Parameters
    ----------
    form : SchurForm
        Of A, with all eigenvalues strictly stable.
    B : (n, m) array
        Factor of the right-hand side.
    time : Continuous or Discrete
        Which of the two equations.

    Returns
    -------
    L : (n, k) array
        k <= n: columns that are zero to rounding are left out; real for real data.
    """
    outer_scale = _power_of_two(B)
    B = form.enter(B / outer_scale)
    scale = _power_of_two(B)
    B = B / scale
    n, m = B.shape
    if m > n > 0:
        B = scipy.linalg.qr(B.conj().T, mode="r", check_finite=False)[0][:n].conj().T
    R, M = np.zeros_like(form.T, dtype=B.dtype), np.zeros_like(form.T, dtype=B.dtype)
    noise = _ROUNDINGS * np.finfo(B.dtype).eps * _largest_entries(B)
    work = _Work(form.T, B, R, np.zeros_like(B), M, noise)
    if n > 0 and isinstance(time, Continuous):
        _continuous(work)
    elif n > 0:
        _discrete(work)
    used = np.any(R != 0, axis=0)
    factor = form.leave(R[:, used] * scale)
    factor *= outer_scale
    return factor


def _continuous(work: _Work) -> None:
    n = work.T.shape[0]
    if n == 1:
        _continuous_single(work)
    elif n == 2 and work.T[1, 0] != 0:
        _continuous_pair(work)
    elif _is_done(work):
        work.M[...] = work.T
    else:
        k = halfway(work.T)
        upper, lower = work.part(slice(0, k)), work.part(slice(k, n))
        _continuous(lower)
        adjoint = lower.b.conj().T
        beside = work.R[:k, k:]
        beside += work.T[:k, k:] @ lower.R
        beside += upper.B @ adjoint
        solve_sylvester(upper.T, lower.M, beside)
        upper.B[...] -= beside @ lower.b
        _continuous(upper)
        work.M[:k, k:] = -upper.b @ adjoint


def _discrete(work: _Work) -> _Completion:
    n = work.T.shape[0]
    if n == 1:
        return _discrete_single(work)
    if n == 2 and work.T[1, 0] != 0:
        return _discrete_pair(work)
    if _is_done(work):
        return _discrete_nothing(work)
    k = halfway(work.T)
    upper, lower = work.part(slice(0, k)), work.part(slice(k, n))
    completion = _discrete(lower)
    beside = work.R[:k, k:]
    fixed = work.T[:k, k:] @ lower.R
    beside += fixed @ lower.M.conj().T + upper.B @ lower.b.conj().T
    solve_stein(upper.T, lower.M, beside)
    upper.B[...] = completion.apply(upper.T @ beside + fixed, upper.B)
    upper_completion = _discrete(upper)
    work.M[:k, k:] = upper.b @ completion.S.conj().T
    upper.b[...] -= (upper.b @ completion.Z) @ completion.W.conj().T
    return upper_completion.after(completion)


def _is_done(work: _Work) -> bool:
    """Whether all rows of B are exhausted; asked where the answer saves work."""
    if work.T.shape[0] < _SMALLEST_ASKED and work.B.shape[1] > 0:
        return False
    return bool((_largest_entries(work.B) <= work.noise).all())


def _discrete_nothing(work: _Work) -> _Completion:
    work.M[...] = work.T
    nothing = np.zeros((work.B.shape[1], 0), dtype=work.B.dtype)
    return _Completion(np.zeros_like(work.B), nothing, nothing)


def _continuous_single(work: _Work) -> None:
    pole, norm = work.T[0, 0], _norm(work.B[0])
    work.M[0, 0] = pole
    if norm > 0:
        alpha = math.sqrt(-2 * pole.real)
        work.R[0, 0] = norm / alpha
        work.b[0] = work.B[0] * (alpha / norm)


def _discrete_single(work: _Work) -> _Completion:
    pole, norm = work.T[0, 0], _norm(work.B[0])
    if norm == 0:
        return _discrete_nothing(work)
    alpha = _defect(float(abs(pole)))
    direction = work.B[0] / norm
    work.M[0, 0] = pole
    work.R[0, 0] = norm / alpha
    work.b[0] = alpha * direction
    column = direction.conj()[:, None]
    return _Completion(work.b.copy(), (1 + pole) * column, column)


def _continuous_pair(work: _Work) -> None:
    pair = _normal_pair(work)
    if pair is None:
        work.M[...] = work.T
        return
    pole, alpha = pair.pole, math.sqrt(-2 * pair.pole.real)
    turn = 1j * pole.imag / pole
    b1, corner = _unit(pair.across + turn * pair.along * pair.direction, alpha)
    b2 = alpha * pair.direction
    _store_pair(
        work,
        pair.stretch,
        (corner, (pair.excess - turn * pair.along) / alpha, pair.norm / alpha),
        (pole, -complex(np.vdot(b2, b1)), pole.conjugate()),
        (b1, b2),
    )


def _discrete_pair(work: _Work) -> _Completion:
    pair = _normal_pair(work)
    if pair is None:
        return _discrete_nothing(work)
    pole, alpha = pair.pole, _defect(abs(pair.pole))
    turn = 2j * pole.imag / (1 - pole * pole)
    b1, corner = _unit(pair.across + turn * pair.along * pair.direction, alpha)
    across = complex(np.vdot(pair.direction, b1))
    _store_pair(
        work,
        pair.stretch,
        (corner, (pair.excess + turn * pole * pair.along) / alpha, pair.norm / alpha),
        (pole, alpha * across, pole.conjugate()),
        (b1 - (1 + pole) * across * pair.direction, alpha * pair.direction),
    )
    return _completed_pair(work.M, work.b)


def _completed_pair(M: Matrix, b: Matrix) -> _Completion:
    """Complete two real orthonormal rows by two reflectors, I - VTV^T."""
    rows = np.concatenate([M, b], axis=1)
    (packed, tau), _ = scipy.linalg.qr(rows.T, mode="raw", check_finite=False)
    V = np.tril(packed, -1) + np.eye(*packed.shape, dtype=packed.dtype)
    T = np.diag(tau)
    T[0, 1] = -tau[0] * tau[1] * (V[:, 0] @ V[:, 1])
    VT, Z = V @ T, V[2:]
    return _Completion(-VT[:2] @ Z.T, VT[2:], Z)


def _power_of_two(B: Matrix) -> float:
    """Power of two of the size of the largest entry; some number for zeros."""
    largest = float(np.max(np.abs(B), initial=0.0))
    return math.ldexp(1.0, math.frexp(largest)[1] - 1)


def _largest_entries(B: Matrix) -> Matrix:
    """Largest magnitude in each row."""
    largest: Matrix = np.abs(B).max(axis=1, initial=0.0)
    return largest


def _norm(row: Matrix) -> float:
    square = float(np.vdot(row, row).real)
    if _SAFE < square < 1 / _SAFE:
        return math.sqrt(square)
    largest = float(np.max(np.abs(row), initial=0.0))
    if largest == 0:
        return 0.0
    row = row / largest
    return largest * math.sqrt(np.vdot(row, row).real)


def _unit(row: Matrix, alpha: float) -> tuple[Matrix, float]:
    """Row scaled to the norm alpha, and what divides it by alpha: norm / alpha."""
    norm = _norm(row)
    return (row * (alpha / norm), norm / alpha) if norm > 0 else (row, 0.0)


def _defect(modulus: float) -> float:
    """Square root of 1 - modulus^2 without cancellation."""
    return math.sqrt((1 - modulus) * (1 + modulus))


class _Pair(NamedTuple):
    r"""A standardised 2 x 2 block of a complex pair, stretched to a normal one.

    diag(d, 1) T diag(1/d, 1) = [[a, w], [-w, a]] has the unitary eigenvectors
    [1, i] / sqrt(2) and [1, -i] / sqrt(2) of the pole a + iw and its conjugate. Where
    the pair is nearly real, what sums up to the size of w is given as such a sum.

    Parameters
    ----------
    pole, stretch : complex, float
        a + iw and d.
    norm, direction : float, (m,) array
        Of the row of B for the second eigenvector; for the first it is the conjugate.
    along, across : complex, (m,) array
        Component of the first row along the direction, and the rest of that row.
    excess : complex
        along - norm.
    """

    pole: complex
    stretch: float
    norm: float
    direction: Matrix
    along: complex
    across: Matrix
    excess: complex


def _normal_pair(work: _Work) -> _Pair | None:
    """Pair of a 2 x 2 block, in double precision; None where its rows of B are zero."""
    (real, above), (below, _) = work.T.tolist()
    stretch = math.sqrt(abs(below)) / math.sqrt(abs(above))
    pole = complex(real, math.copysign(stretch * abs(above), above))
    # Rows x and y of B, stretched; sizes at most one keep the squares in range.
    rows = work.B.astype(np.float64)
    rows[0] *= stretch
    size = float(np.abs(rows).max(initial=0.0))
    if size == 0:
        return None
    rows /= size
    (xx, xy), (_, yy) = (rows @ rows.T).tolist()
    norm = math.sqrt(xx + yy)
    along, excess = complex(xx - yy, -2 * xy) / norm, -2 * complex(yy, xy) / norm
    # x + iy over its norm, and x - iy without its component along x + iy.
    half, rest = size * math.sqrt(0.5), size * math.sqrt(2) / norm**2
    combinations = np.array(
        [
            [1 / norm, 1j / norm],
            [rest * complex(yy, xy), -rest * complex(xy, xx)],
        ]
    )
    direction, across = combinations @ rows
    return _Pair(
        pole, stretch, half * norm, direction, half * along, across, half * excess
    )


def _store_pair(
    work: _Work,
    stretch: float,
    factor: tuple[float, complex, float],
    state: tuple[complex, complex, complex],
    inputs: tuple[Matrix, Matrix],
) -> None:
    """Store the real form of the upper-triangular R, M and of b of a complex pair.

    The complex factor L = Q R of the real Gramian is R' W with R' real and W unitary:
    M and b turn by W, free of divisions by the factor. R' is written out, since what
    cancels in L W^H is large where the pair is nearly real. `factor` holds r11,
    r12 - r22 and r22 of R.
    """
    r11, difference, r22 = factor
    lower = math.sqrt(0.5) * math.hypot(r11, abs(difference))
    turn = 1j * math.sqrt(0.5) / lower
    w21, w22 = turn * r11, turn * difference
    w11, w12 = -1j * w22.conjugate(), 1j * w21.conjugate()
    work.R[0] = (
        r11 * r22 / (lower * stretch),
        -r22 * difference.imag / (lower * stretch),
    )
    work.R[1, 1] = lower
    # The rows of W M, turned back by W^H.
    m11, m12 = w11 * state[0], w11 * state[1] + w12 * state[2]
    m21, m22 = w21 * state[0], w21 * state[1] + w22 * state[2]
    v11, v12, v21, v22 = (w.conjugate() for w in (w11, w12, w21, w22))
    work.M[0] = (m11 * v11 + m12 * v12).real, (m11 * v21 + m12 * v22).real
    work.M[1] = (m21 * v11 + m22 * v12).real, (m21 * v21 + m22 * v22).real
    work.b[...] = (np.array([[w11, w12], [w21, w22]]) @ np.array(inputs)).real
