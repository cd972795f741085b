"""What the tests of matrix equations share: systems, residuals, exact solutions."""

from typing import Any

import numpy as np

from hankelcut.lti import Continuous
from hankelcut.lti.equations import (
    continuous_lyapunov,
    continuous_lyapunov_factor,
    discrete_lyapunov,
    discrete_lyapunov_factor,
)
from tests.exact import DIGITS, dense_gramian, mpmath

# Residuals are at most this many n u of the size of the equation.
UNITS = 10.0


def adjoint(matrix: np.ndarray) -> np.ndarray:
    """Conjugate transpose of the last two axes."""
    return np.conj(np.swapaxes(matrix, -1, -2))


def squared(factor: np.ndarray) -> np.ndarray:
    """L L^H."""
    return factor @ adjoint(factor)


def solver(time: Any) -> Any:
    """The unfactored solver of a time domain."""
    return continuous_lyapunov if time == Continuous() else discrete_lyapunov


def factor_solver(time: Any) -> Any:
    """The factored solver of a time domain."""
    if time == Continuous():
        return continuous_lyapunov_factor
    return discrete_lyapunov_factor


def residual_units(
    A: np.ndarray, X: np.ndarray, Q: np.ndarray, time: Any, E: np.ndarray | None = None
) -> float:
    """Largest relative residual of a stack in units of n u, in double precision.

    Data may be of any size: the equation is scaled by its largest entries first.
    """
    if 0 in X.shape:
        return 0.0
    unit = max(A.shape[-1], 1) * np.finfo(X.dtype).eps / 2
    A, X, Q = (M.astype(np.complex128) for M in np.broadcast_arrays(A, X, Q))
    E = np.eye(A.shape[-1]) if E is None else E.astype(np.complex128)
    if time == Continuous():
        size_A = abs(A).max() or 1.0
        A, X = A / size_A, X * size_A
    size = max(abs(X).max(), abs(Q).max()) or 1.0
    X, Q = X / size, Q / size
    if time == Continuous():
        left = A @ X @ adjoint(E) + E @ X @ adjoint(A) + Q
        scale = 2 * _norm(A) * _norm(E) * _norm(X) + _norm(Q)
    else:
        left = A @ X @ adjoint(A) - E @ X @ adjoint(E) + Q
        scale = (_norm(A) ** 2 + _norm(E) ** 2) * _norm(X) + _norm(Q)
    return float(np.max(_norm(left) / np.where(scale > 0, scale, 1.0)) / unit)


def factor_residual_units(
    A: np.ndarray,
    L: np.ndarray,
    B: np.ndarray,
    time: Any,
    E: np.ndarray | None = None,
) -> float:
    """As `residual_units`, of L L^H and B B^H without the rounding of the products."""
    unit = np.finfo(L.dtype).eps / np.finfo(np.float64).eps
    X, Q = (squared(factor.astype(np.complex128)) for factor in (L, B))
    return residual_units(A, X, Q, time, E) / unit


def _norm(matrix: np.ndarray) -> np.ndarray:
    return np.linalg.norm(matrix, axis=(-2, -1))


def hermitian(rng: np.random.Generator, n: int, dtype: Any, batch: Any) -> np.ndarray:
    """Indefinite Hermitian matrices."""
    Q = rng.standard_normal((*batch, n, n))
    if np.dtype(dtype).kind == "c":
        Q = Q + 1j * rng.standard_normal(Q.shape)
    return (Q + adjoint(Q)).astype(dtype)


def hump(n: int = 20) -> np.ndarray:
    """Stable discrete state matrix whose powers grow to 1e30 before they decay."""
    return 0.9 * np.eye(n) + 50 * np.eye(n, k=1)


def turned_hump(n: int = 20) -> np.ndarray:
    """Stable state matrix that no iteration solves: products lose all digits."""
    basis = np.linalg.qr(np.random.default_rng(n).standard_normal((n, n)))[0]
    return basis @ (0.5 * np.eye(n) + 2 * np.eye(n, k=1)) @ basis.T


def exact_factor_singular_values(A: np.ndarray, B: np.ndarray, time: Any) -> np.ndarray:
    """Singular values of L in multiple precision, each right to its last digit."""
    with mpmath.workdps(DIGITS):
        state, inputs = (mpmath.matrix(matrix.tolist()) for matrix in (A, B))
        P = dense_gramian(state, inputs, time == Continuous())
        squares = mpmath.eighe(P, eigvals_only=True)
        values = [float(mpmath.sqrt(max(square, 0))) for square in squares]
    return np.array(sorted(values, reverse=True))
