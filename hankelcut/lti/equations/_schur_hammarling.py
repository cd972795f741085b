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

import functools
import math
from typing import NamedTuple

import numpy as np
import scipy.linalg

from hankelcut.lti.equations._schur_blocks import continuous_block, discrete_block
from hankelcut.lti.equations._schur_completion import Completion
from hankelcut.lti.equations._schur_form import SchurForm
from hankelcut.lti.equations._schur_sylvester import (
    Matrix,
    halfway,
    solve_stein,
    solve_sylvester,
    sylvester_leaf,
)
from hankelcut.lti.systems.time_domain import Continuous, TimeDomain

__all__ = ["factor_in_schur_form"]

# Updates of a row of B leave a few roundings of its own size.
_ROUNDINGS = 8.0
# Ranges of states below this size are not asked whether their rows of B are exhausted.
_SMALLEST_ASKED = 12
# Ranges up to this size are taken block by block, which saves calls.
_SWEPT = 24


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
    if n >= _SMALLEST_ASKED and _is_done(work):
        work.M[...] = work.T
    elif n <= _SWEPT:
        _sweep_continuous(work)
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


def _sweep_continuous(work: _Work) -> None:
    """Take the blocks of a small range one by one, the last one first."""
    T, B, R, b, M, _ = work
    # What is left of B follows the columns of T that are: one product serves both.
    rest, m = np.concatenate([T, B], axis=1), B.shape[1]
    diagonal = []
    for j, k in _blocks_from_below(T):
        block = continuous_block(T[j:k, j:k], rest[j:k, k : k + m])
        if block is None:
            diagonal.append((j, k, T[j:k, j:k]))
            rest[:j, j : j + m] = rest[:j, k : k + m]
            continue
        diagonal.append((j, k, block.M))
        R[j:k, j:k], b[j:k] = block.R, block.b
        if j > 0:
            known = np.concatenate([block.R, block.b.conj().T])
            beside = rest[:j, j : k + m] @ known
            beside = sylvester_leaf(T[:j, :j], block.M, beside)
            R[:j, j:k] = beside
            rest[:j, j : j + m] = rest[:j, k : k + m] - beside @ block.b
    np.multiply(b @ b.conj().T, _minus_above_diagonal(len(T)), out=M)
    for j, k, own in diagonal:
        M[j:k, j:k] = own


@functools.cache
def _minus_above_diagonal(n: int) -> Matrix:
    """-1 above the diagonal, 0 elsewhere; of a few small sizes."""
    return -np.triu(np.ones((n, n)), 1)


def _discrete(work: _Work) -> Completion:
    n = work.T.shape[0]
    if n >= _SMALLEST_ASKED and _is_done(work):
        work.M[...] = work.T
        return Completion.of_silent_states(n, work.B)
    if n <= _SWEPT:
        return _sweep_discrete(work)
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


def _sweep_discrete(work: _Work) -> Completion:
    """Take the blocks of a small range one by one, the last one first."""
    T, B, R, b, M, _ = work
    below = Completion.of_silent_states(0, B)
    for j, k in _blocks_from_below(T):
        block = discrete_block(T[j:k, j:k], B[j:k])
        if block is None:
            M[j:k, j:k] = T[j:k, j:k]
            below = Completion.of_silent_states(k - j, B).after(below)
            continue
        completion = Completion.of_block(block)
        R[j:k, j:k], M[j:k, j:k] = block.R, block.M
        if j > 0:
            fixed = T[:j, j:k] @ block.R
            beside = fixed @ block.M.conj().T + B[:j] @ block.b.conj().T
            solve_stein(T[:j, :j], block.M, beside)
            R[:j, j:k] = beside
            B[:j] = completion.apply(T[:j, :j] @ beside + fixed, B[:j])
        M[j:k, k:] = block.b @ below.S.conj().T
        b[j:k] = block.b - (block.b @ below.Z) @ below.W.conj().T
        below = completion.after(below)
    return below


def _blocks_from_below(T: Matrix) -> list[tuple[int, int]]:
    """Ranges of the diagonal blocks of a quasi-triangular matrix, from the last on."""
    below = np.diagonal(T, -1).tolist()
    ranges, k = [], T.shape[0]
    while k > 0:
        j = k - 2 if k > 1 and below[k - 2] != 0 else k - 1
        ranges.append((j, k))
        k = j
    return ranges


def _is_done(work: _Work) -> bool:
    """Whether all rows of B are exhausted; asked where the answer saves work."""
    if work.B.shape[1] > 0 and abs(work.B[-1, 0]) > work.noise[-1]:
        # The most common answer, for the price of one entry.
        return False
    return bool((_largest_entries(work.B) <= work.noise).all())


def _power_of_two(B: Matrix) -> float:
    """Power of two of the size of the largest entry; some number for zeros."""
    largest = float(np.max(np.abs(B), initial=0.0))
    return math.ldexp(1.0, math.frexp(largest)[1] - 1)


def _largest_entries(B: Matrix) -> Matrix:
    """Largest magnitude in each row."""
    largest: Matrix = np.abs(B).max(axis=1, initial=0.0)
    return largest
