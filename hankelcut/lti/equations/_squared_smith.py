r"""Squared Smith iteration for stacks of Stein and Lyapunov equations, on any device.

**Method.** :math:`X \leftarrow X + MXM^H,\ M \leftarrow M^2` from X = Q, M = A doubles
the number of terms of :math:`X = \sum_k A^k Q (A^H)^k` in each step (Smith, SIAM J.
Appl. Math. 16, 1968, p. 198); for Q = S S^H the factor grows as
:math:`S \leftarrow [S, MS]` and is compressed to n columns by QR. Continuous equations
are mapped by the Cayley transform :math:`(A + aI)(aI - A)^{-1}`, which has the same
solutions.

**Numerical aspects.** Matrix products only: for stacks of small systems and for
accelerators. That the powers vanish proves stability. Powers of non-normal matrices may
lose accuracy on the way and slow poles take many steps, so that callers check the
residual and take another route where it is not good.
"""

import math

import numpy as np

from hankelcut import _array
from hankelcut._typing import Array, Namespace

__all__ = [
    "MOST_DOUBLINGS",
    "cayley_transform",
    "compress",
    "entry_norm",
    "inverse",
    "smith_factor",
    "smith_solution",
]

# rho(A) <= 1 - u needs 2^k > log(1/u) / u, at most 2^58 terms in float64.
MOST_DOUBLINGS = 60


def cayley_transform(A: Array) -> tuple[Array, Array]:
    r"""Map a continuous state matrix to a discrete one with the same solutions.

    Parameters
    ----------
    A : (..., n, n) array
        Stable state matrix.

    Returns
    -------
    transformed : (..., n, n) array
        :math:`(A + aI)(aI - A)^{-1}`, a the geometric mean of the poles' moduli. NaN
        where A has the (unstable) pole a.
    root : (..., n, n) array
        :math:`K = \sqrt{2a}(aI - A)^{-1}`: the right-hand side becomes
        :math:`KQK^H`, its factor K B.
    """
    xp = _array.namespace(A)
    n = A.shape[-1]
    _, logabsdet = xp.linalg.slogdet(A)
    shift = xp.exp(logabsdet / max(n, 1))[..., None, None]
    # A singular matrix is not stable; any shift lets the iteration show that.
    shift = xp.astype(xp.where(shift > 0, shift, xp.ones_like(shift)), A.dtype)
    identity = _array.eye(n, A)
    resolvent = inverse(shift * identity - A)
    return resolvent @ (A + shift * identity), xp.sqrt(2 * shift) * resolvent


def smith_solution(
    A: Array, Q: Array, doublings: int = MOST_DOUBLINGS
) -> tuple[Array, Array]:
    r"""Solve :math:`AXA^H - X + Q = 0` by doubling the number of terms.

    Parameters
    ----------
    A, Q : (..., n, n) arrays
        State matrix and Hermitian right-hand side.
    doublings : int
        Steps after which to give up.

    Returns
    -------
    X : (..., n, n) array
        Hermitian; meaningless where not converged.
    converged : (...) bool array
        Where the powers of A have vanished to rounding.
    """
    # The next term is the power times the sum so far, from both sides.
    enough = _array.eps(A) ** 0.5 / 2
    power, X = A, Q
    for _ in range(doublings):
        X = X + power @ X @ _array.adjoint(power)
        power = power @ power
        if _settled(power, enough):
            break
    return (X + _array.adjoint(X)) / 2, entry_norm(power) <= enough


def smith_factor(
    A: Array, B: Array, doublings: int = MOST_DOUBLINGS
) -> tuple[Array, Array]:
    r"""Factor L of the solution :math:`X = LL^H` of :math:`AXA^H - X + BB^H = 0`.

    Parameters
    ----------
    A : (..., n, n) array
        State matrix.
    B : (..., n, m) array
        Factor of the right-hand side.
    doublings : int
        Steps after which to give up.

    Returns
    -------
    L : (..., n, n) array
        Meaningless where not converged.
    converged : (...) bool array
        Where the powers of A have vanished to rounding.
    """
    xp = _array.namespace(A, B)
    enough = _array.eps(A)
    power, factor = A, compress(xp, B)
    for _ in range(doublings):
        factor = compress(xp, xp.concat([factor, power @ factor], axis=-1))
        power = power @ power
        if _settled(power, enough):
            break
    return factor, entry_norm(power) <= enough


def compress(xp: Namespace, factor: Array) -> Array:
    """Square factor with the same product (zero columns where there are too few)."""
    n, width = factor.shape[-2:]
    if width < n:
        padding = _array.zeros((*factor.shape[:-1], n - width), factor)
        return xp.concat([factor, padding], axis=-1)
    if width == n:
        return factor
    return _array.adjoint(xp.linalg.qr(_array.adjoint(factor)).R)


def inverse(matrix: Array) -> Array:
    """Inverse of each matrix of a stack; NaN for those that are exactly singular.

    Parameters
    ----------
    matrix : (..., n, n) array
        Finite, or NaN from an earlier inverse.
    """
    xp = _array.namespace(matrix)
    # Libraries raise for the whole stack, each an error of its own type.
    try:
        return xp.linalg.inv(matrix)
    except (np.linalg.LinAlgError, RuntimeError):
        _, logabsdet = xp.linalg.slogdet(matrix)
        singular = (logabsdet == -math.inf)[..., None, None]
        if not bool(xp.any(singular)):
            raise
        regular = xp.where(singular, _array.eye(matrix.shape[-1], matrix), matrix)
        return xp.where(singular, math.nan, xp.linalg.inv(regular))


def _settled(power: Array, enough: float) -> bool:
    """Whether every item's powers vanished or overflowed."""
    xp = _array.namespace(power)
    size = entry_norm(power)
    return bool(xp.all((size <= enough) | ~xp.isfinite(size)))


def entry_norm(matrix: Array) -> Array:
    """Frobenius norm in one pass; squares may leave the range."""
    xp = _array.namespace(matrix)
    count = int(matrix.shape[-2]) * int(matrix.shape[-1])
    entries = xp.reshape(matrix, (*matrix.shape[:-2], count))
    return xp.sqrt(_array.to_real(xp.vecdot(entries, entries)))
