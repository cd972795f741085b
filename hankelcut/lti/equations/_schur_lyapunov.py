r"""Lyapunov and Stein equations in Schur form, without factors (any Hermitian Q).

**Method.** Bartels & Stewart (Comm. ACM 15, 1972, p. 820; discrete: Kitagawa, Int. J.
Control 25, 1977, p. 745) with the recursion of Jonsson & Kagstrom (ACM Trans. Math.
Softw. 28, 2002, p. 392): T is halved, the lower block is an equation of half the size,
the block beside it a Sylvester equation, and both move the right-hand side of the upper
block by matrix products. Only the upper triangle is computed; the rest is its mirror.
"""

import numpy as np

from hankelcut.lti.equations._schur_form import SchurForm
from hankelcut.lti.equations._schur_sylvester import (
    LEAF,
    Matrix,
    halfway,
    solve_stein,
    solve_sylvester,
)
from hankelcut.lti.systems.time_domain import Continuous, TimeDomain

__all__ = ["solve_in_schur_form"]

# Hermitian products are formed in this many strips, which saves 5/12 of the work, but
# in none smaller than a block.
_STRIPS = 6
_BLOCK = 64


def solve_in_schur_form(form: SchurForm, Q: Matrix, time: TimeDomain) -> Matrix:
    r"""Solve :math:`AX + XA^H + Q = 0` or :math:`AXA^H - X + Q = 0`.

    Parameters
    ----------
    form : SchurForm
        Of A.
    Q : (n, n) array
        Hermitian.
    time : Continuous or Discrete
        Which of the two equations.

    Returns
    -------
    X : (n, n) array
        Hermitian; real for real data.
    """
    X = _hermitian_product(form.enter(Q), form.dual_basis)
    recursion = _continuous if isinstance(time, Continuous) else _discrete
    recursion(form.T, X)
    return _hermitian_product(form.leave(X), form.basis.conj().T)


def _hermitian_product(left: Matrix, right: Matrix) -> Matrix:
    """Form a product that is Hermitian but for rounding from its upper blocks."""
    n = left.shape[0]
    product = np.empty((n, n), dtype=left.dtype)
    step = max(_BLOCK, -(-n // _STRIPS))
    for start in range(0, n, step):
        rows, beyond = slice(start, start + step), slice(start + step, n)
        product[rows, start:] = left[rows] @ right[:, start:]
        product[beyond, rows] = product[rows, beyond].conj().T
        corner = product[rows, rows]
        product[rows, rows] = (corner + corner.conj().T) / 2
    return product


def _continuous(T: Matrix, X: Matrix) -> None:
    """T Y + Y T^H + X = 0 in place: X becomes Y."""
    if T.shape[0] <= LEAF:
        solve_sylvester(T, T, X)
        return
    k = halfway(T)
    _continuous(T[k:, k:], X[k:, k:])
    beside = X[:k, k:]
    beside += T[:k, k:] @ X[k:, k:]
    solve_sylvester(T[:k, :k], T[k:, k:], beside)
    change = T[:k, k:] @ beside.conj().T
    X[:k, :k] += change + change.conj().T
    _continuous(T[:k, :k], X[:k, :k])
    X[k:, :k] = beside.conj().T


def _discrete(T: Matrix, X: Matrix) -> None:
    """T Y T^H - Y + X = 0 in place: X becomes Y."""
    if T.shape[0] <= LEAF:
        solve_stein(T, T, X)
        return
    k = halfway(T)
    _discrete(T[k:, k:], X[k:, k:])
    beside, corner = X[:k, k:], T[:k, k:]
    lower = X[k:, k:]
    beside += corner @ (lower @ T[k:, k:].conj().T)
    solve_stein(T[:k, :k], T[k:, k:], beside)
    change = (T[:k, :k] @ beside + corner @ lower / 2) @ corner.conj().T
    X[:k, :k] += change + change.conj().T
    _discrete(T[:k, :k], X[:k, :k])
    X[k:, :k] = beside.conj().T
