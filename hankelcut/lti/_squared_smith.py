r"""Squared Smith iteration for factored Stein and Lyapunov equations, on any device.

**Method.** :math:`S \leftarrow [S, MS],\ M \leftarrow M^2` from S = B, M = A doubles
the number of terms of :math:`P = \sum_k A^k BB^H (A^H)^k` in each step (Smith, SIAM J.
Appl. Math. 16, 1968, p. 198); S is compressed to n columns by QR. Continuous equations
are mapped by the Cayley transform :math:`(A + aI)(aI - A)^{-1}`, which has the same
Gramians.

**Numerical aspects.** Matrix products and QR only. Small singular values carry errors
of u times the largest; powers of non-normal matrices may lose more, so that the
residual is checked and a failure raised, never returned.
"""

import math

from hankelcut import _array
from hankelcut._errors import ConvergenceError
from hankelcut._typing import Array, Namespace
from hankelcut.lti.time_domain import Continuous, TimeDomain

__all__ = ["squared_smith_factors"]

# rho(A) <= 1 - u needs 2^k > log(1/u) / u, at most 2^58 terms in float64.
_MAX_DOUBLINGS = 60
# Backward error allowed before the result is refused, in units of n u.
_RESIDUAL_LIMIT = 1e3


def squared_smith_factors(
    A: Array, B: Array, C: Array, time: TimeDomain
) -> tuple[Array, Array]:
    """Factors of both Gramians of a stable dense system.

    Parameters
    ----------
    A : (..., n, n) array
        Stable state matrix.
    B : (..., n, m) array
        Input matrix.
    C : (..., p, n) array
        Output matrix.
    time : Continuous or Discrete
        The time domain.

    Returns
    -------
    Lc, Lo : (..., n, n) arrays
        Factors with P = Lc Lc^H and Q = Lo Lo^H.

    Raises
    ------
    ConvergenceError
        If the residual of an equation is above 1000 n u; names the batch items.
    """
    if isinstance(time, Continuous):
        A, B, C = _cayley(A, B, C)
    Lc = _iterate(A, B)
    dual = _array.adjoint(A)
    Lo = _iterate(dual, _array.adjoint(C))
    _require_residual(A, B, Lc)
    _require_residual(dual, _array.adjoint(C), Lo)
    return Lc, Lo


def _cayley(A: Array, B: Array, C: Array) -> tuple[Array, Array, Array]:
    """Discrete system with the Gramians of a continuous one."""
    xp = _array.namespace(A, B, C)
    n = A.shape[-1]
    _, logabsdet = xp.linalg.slogdet(A)
    shift = xp.exp(logabsdet / max(n, 1))[..., None, None]
    shift = xp.astype(shift, A.dtype)
    identity = _array.eye(n, A)
    resolvent = xp.linalg.inv(shift * identity - A)
    root = xp.sqrt(2 * shift)
    return (
        resolvent @ (A + shift * identity),
        root * resolvent @ B,
        root * C @ resolvent,
    )


def _iterate(A: Array, B: Array) -> Array:
    xp = _array.namespace(A, B)
    factor, power = _compress(xp, B), A
    for _ in range(_MAX_DOUBLINGS):
        image = power @ factor
        if bool(xp.all(_norm(xp, image) <= _array.eps(A) * _norm(xp, factor))):
            break
        factor = _compress(xp, xp.concat([factor, image], axis=-1))
        power = power @ power
    return factor


def _compress(xp: Namespace, factor: Array) -> Array:
    """Square factor with the same product (zero columns where there are too few)."""
    n, width = factor.shape[-2:]
    if width < n:
        padding = _array.zeros((*factor.shape[:-1], n - width), factor)
        return xp.concat([factor, padding], axis=-1)
    if width == n:
        return factor
    return _array.adjoint(xp.linalg.qr(_array.adjoint(factor)).R)


def _norm(xp: Namespace, matrix: Array) -> Array:
    return xp.linalg.matrix_norm(matrix, ord="fro")


def _require_residual(A: Array, B: Array, factor: Array) -> None:
    xp = _array.namespace(A, B, factor)
    image = A @ factor
    P = factor @ _array.adjoint(factor)
    residual = image @ _array.adjoint(image) - P + B @ _array.adjoint(B)
    scale = (_norm(xp, A) ** 2 + 1) * _norm(xp, P) + _norm(xp, B) ** 2
    limit = _RESIDUAL_LIMIT * max(A.shape[-1], 1) * _array.eps(A)
    relative = _norm(xp, residual) / xp.where(scale > 0, scale, xp.ones_like(scale))
    good = xp.isfinite(relative) & (relative <= limit)
    if bool(xp.all(good)):
        return
    items = [k for k, ok in enumerate(_array.to_numpy(good).ravel()) if not ok]
    worst = float(xp.max(relative))
    msg = (
        f"squared Smith: relative residual {worst:.2g} of batch items {items} is above "
        f"{limit:.2g} (non-normal or nearly unstable); move the system to the host, "
        "where Hammarling's method solves it"
    )
    raise ConvergenceError(msg if math.isfinite(worst) else msg + " (overflow)")
