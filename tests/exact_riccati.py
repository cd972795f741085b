"""Riccati equations, and the values that two Gramians balance to, in 60 digits."""

from typing import Any

import numpy as np
import pytest

from hankelcut.lti import Continuous, StateSpace
from tests.exact import DIGITS, dense_gramian

mpmath = pytest.importorskip("mpmath", reason="mpmath is not installed")


def exact_stochastic_values(system: StateSpace, regularization: float) -> np.ndarray:
    """Hankel singular values of the phase of a small continuous system."""
    assert isinstance(system.time, Continuous)
    with mpmath.workdps(DIGITS):
        A, B, C, D = _matrices(system)
        P = dense_gramian(A, B, continuous=True)
        cross = P * C.H + B * D.H
        E = D * D.H + mpmath.mpf(regularization) ** 2 * mpmath.eye(C.rows)
        Q = _riccati(A, cross, mpmath.zeros(A.rows), -E, -C.H)
        return _balanced_values(P, Q)


def exact_lqg_values(system: StateSpace) -> np.ndarray:
    """Roots of the eigenvalues of X Y of a small continuous system."""
    assert isinstance(system.time, Continuous)
    with mpmath.workdps(DIGITS):
        A, B, C, D = _matrices(system)
        inputs, outputs = mpmath.eye(B.cols), mpmath.eye(C.rows)
        X = _riccati(A, B, C.H * C, inputs + D.H * D, C.H * D)
        Y = _riccati(A.H, C.H, B * B.H, outputs + D * D.H, B * D.H)
        return _balanced_values(X, Y)


def _matrices(system: StateSpace) -> list[Any]:
    return [mpmath.matrix(getattr(system, name).tolist()) for name in "ABCD"]


def _riccati(A: Any, B: Any, Q: Any, R: Any, S: Any) -> Any:
    """Stabilizing solution by the eigenvectors of the Hamiltonian matrix."""
    n, inverse = A.rows, R**-1
    F = A - B * inverse * S.H
    H = mpmath.matrix(2 * n)
    H[:n, :n], H[:n, n:] = F, -(B * inverse * B.H)
    H[n:, :n], H[n:, n:] = S * inverse * S.H - Q, -F.H
    eigenvalues, vectors = mpmath.eig(H)
    stable = [i for i in range(2 * n) if mpmath.re(eigenvalues[i]) < 0]
    assert len(stable) == n
    first, second = mpmath.matrix(n), mpmath.matrix(n)
    for column, i in enumerate(stable):
        first[:, column], second[:, column] = vectors[:n, i], vectors[n:, i]
    return second * first**-1


def _balanced_values(P: Any, Q: Any) -> np.ndarray:
    squares = mpmath.eig(P * Q, left=False, right=False)
    values = [float(mpmath.sqrt(abs(square))) for square in squares]
    return np.array(sorted(values, reverse=True))
