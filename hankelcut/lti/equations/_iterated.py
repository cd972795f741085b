"""Lyapunov and Stein equations by matrix products alone, with their results checked.

States are scaled evenly first: a small residual would say little of badly scaled ones.
"""

from hankelcut import _array
from hankelcut._typing import Array
from hankelcut.lti.equations._residual import relative_residual
from hankelcut.lti.equations._sign_iteration import sign_factors
from hankelcut.lti.equations._squared_smith import (
    MOST_DOUBLINGS,
    cayley_transform,
    smith_factor,
    smith_solution,
)
from hankelcut.lti.equations._state_scales import state_scales
from hankelcut.lti.systems.time_domain import Continuous, TimeDomain

__all__ = ["iterated_factors", "iterated_solution", "residual_limit"]

# Relative residuals accepted, in units of n u: direct solvers stay below 10 of them.
_RESIDUAL_UNITS = 20.0


def residual_limit(A: Array) -> float:
    """Largest relative residual that an iterated result may have.

    Parameters
    ----------
    A : (..., n, n) array
        State matrix.
    """
    return _RESIDUAL_UNITS * max(int(A.shape[-1]), 1) * _array.eps(A) / 2


def iterated_solution(
    A: Array, Q: Array, time: TimeDomain, doublings: int = MOST_DOUBLINGS
) -> tuple[Array, Array]:
    """Solve equations with stable A; X and where it is good.

    Parameters
    ----------
    A, Q : (..., n, n) arrays
        State matrices and Hermitian right-hand sides.
    time : Continuous or Discrete
        Which of the two equations.
    doublings : int
        Steps after which to give up: few lose only what is nearly unstable.

    Returns
    -------
    X : (..., n, n) array
        Hermitian; meaningless where not good.
    good : (...) bool array
        Where the iteration converged and the residual is within `residual_limit`.
    """
    scales, even = state_scales(A)
    A, Q = _in_units(A, scales, 1 / scales), _in_units(Q, scales, scales)
    if isinstance(time, Continuous):
        transformed, root = cayley_transform(A)
        right = root @ Q @ _array.adjoint(root)
        X, converged = smith_solution(transformed, right, doublings)
    else:
        X, converged = smith_solution(A, Q, doublings)
    good = relative_residual(A, X, Q, time) <= residual_limit(A)
    return _in_units(X, 1 / scales, 1 / scales), even & converged & good


def iterated_factors(
    A: Array, B: Array, C: Array, time: TimeDomain, doublings: int = MOST_DOUBLINGS
) -> tuple[Array, Array, Array]:
    """Factors of both Gramians of systems with stable A, and where they are good.

    Parameters
    ----------
    A, B, C : (..., n, n), (..., n, m), (..., p, n) arrays
        State, input and output matrices.
    time : Continuous or Discrete
        The time domain.
    doublings : int
        Steps of discrete systems after which to give up.

    Returns
    -------
    Lc, Lo : (..., n, n) arrays
        Factors; meaningless where not good.
    good : (...) bool array
        Where the iterations converged and both residuals are within `residual_limit`.
    """
    scales, good = state_scales(A)
    units = _array.namespace(A, B, C).astype(scales, A.dtype)
    A = _in_units(A, scales, 1 / scales)
    B, C = B / units[..., :, None], C * units[..., None, :]
    dual, output = _array.adjoint(A), _array.adjoint(C)
    if isinstance(time, Continuous):
        Lc, Lo, converged = sign_factors(A, B, C)
    else:
        Lc, controllable = smith_factor(A, B, doublings)
        Lo, observable = smith_factor(dual, output, doublings)
        converged = controllable & observable
    good, limit = good & converged, residual_limit(A)
    for state, generator, factor in ((A, B, Lc), (dual, output, Lo)):
        right, X = _squared(generator), _squared(factor)
        good = good & (relative_residual(state, X, right, time) <= limit)
    return units[..., :, None] * Lc, Lo / units[..., :, None], good


def _in_units(matrix: Array, rows: Array, columns: Array) -> Array:
    """Divide rows and columns by scales; the matrix itself where none is needed."""
    xp = _array.namespace(matrix, rows)
    if bool(xp.all((rows == 1) & (columns == 1))):
        return matrix
    rows, columns = (xp.astype(scale, matrix.dtype) for scale in (rows, columns))
    return matrix / rows[..., :, None] / columns[..., None, :]


def _squared(factor: Array) -> Array:
    return factor @ _array.adjoint(factor)
