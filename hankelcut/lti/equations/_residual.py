"""Residuals of Lyapunov and Stein equations."""

from hankelcut import _array
from hankelcut._typing import Array
from hankelcut.lti.systems._scaling import frobenius_norm
from hankelcut.lti.systems.time_domain import Continuous, TimeDomain

__all__ = ["relative_residual", "residual_matrix"]


def relative_residual(
    A: Array, X: Array, Q: Array, time: TimeDomain, E: Array | None = None
) -> Array:
    r"""Residual of :math:`AXE^H + EXA^H + Q` or :math:`AXA^H - EXE^H + Q`, relative.

    Parameters
    ----------
    A, X, Q : (..., n, n) arrays
        State matrix, solution and right-hand side.
    time : Continuous or Discrete
        Which of the two equations.
    E : (..., n, n) array, optional
        The identity by default.

    Returns
    -------
    residual : (...) real array
        Frobenius norm over that of the terms: :math:`2\|A\|\|E\|\|X\| + \|Q\|`,
        discrete :math:`(\|A\|^2 + \|E\|^2)\|X\| + \|Q\|`, with :math:`\|E\| = 1` for
        the identity. Zero for zero equations; not finite after an overflow.
    """
    xp = _array.namespace(A, X, Q)
    size_A, size_X, size_Q = (frobenius_norm(matrix) for matrix in (A, X, Q))
    size_E = xp.ones_like(size_A) if E is None else frobenius_norm(E)
    if isinstance(time, Continuous):
        scale = 2 * size_A * size_E * size_X + size_Q
    else:
        scale = (size_A * size_A + size_E * size_E) * size_X + size_Q
    residual = frobenius_norm(residual_matrix(A, X, Q, time, E))
    return residual / xp.where(scale > 0, scale, xp.ones_like(scale))


def residual_matrix(
    A: Array, X: Array, Q: Array, time: TimeDomain, E: Array | None = None
) -> Array:
    """Left-hand side of an equation; see `relative_residual`."""
    if isinstance(time, Continuous):
        image = A @ X if E is None else A @ X @ _array.adjoint(E)
        return image + _array.adjoint(image) + Q
    held = X if E is None else E @ X @ _array.adjoint(E)
    return A @ X @ _array.adjoint(A) - held + Q
