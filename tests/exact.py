"""Hankel singular values and norms in 60-digit arithmetic: what is compared with."""

from typing import Any

import numpy as np
import pytest

from hankelcut.lti import Continuous, DiagonalStateSpace, StateSpace, conjugate_closure

mpmath = pytest.importorskip("mpmath", reason="mpmath is not installed")

DIGITS = 60


def exact_hankel_singular_values(system: StateSpace | DiagonalStateSpace) -> np.ndarray:
    """All values of one small system, each right to its own last digit.

    The Gramians in multiple precision, P = L L^H, and the roots of the eigenvalues of
    the Hermitian matrix L^H Q L: another algorithm than the library's.
    """
    with mpmath.workdps(DIGITS):
        P, Q = _gramians(system)
        L = mpmath.cholesky(P)
        squares = mpmath.eighe(L.H * Q * L, eigvals_only=True)
        values = [float(mpmath.sqrt(max(square, 0))) for square in squares]
    return np.array(sorted(values, reverse=True))


def exact_singular_values(M: np.ndarray) -> np.ndarray:
    """Singular values of one matrix, each right to its own last digit; zeros pad."""
    with mpmath.workdps(DIGITS):
        matrix = mpmath.matrix(M.tolist())
        squares = mpmath.eighe(matrix.H * matrix, eigvals_only=True)
        values = [float(mpmath.sqrt(max(square, 0))) for square in squares]
    return np.array(sorted(values, reverse=True))


def _gramians(system: StateSpace | DiagonalStateSpace) -> tuple[Any, Any]:
    if isinstance(system, StateSpace):
        continuous = isinstance(system.time, Continuous)
        A, B, C = (mpmath.matrix(x.tolist()) for x in (system.A, system.B, system.C))
        # The adjoint with its states reversed is upper triangular where A is.
        order = list(reversed(range(A.rows)))
        dual, outputs = _rows(_rows(A.conjugate(), order).T, order), _rows(C.H, order)
        Q = dense_gramian(dual, outputs, continuous)
        return dense_gramian(A, B, continuous), _rows(_rows(Q, order).T, order).T
    if system.readout != "complex":
        system = conjugate_closure(system)
    exponents = [mpmath.mpmathify(complex(value)) for value in system.exponents]
    B, C = mpmath.matrix(system.B.tolist()), mpmath.matrix(system.C.tolist())
    n = len(exponents)
    P, Q, gains, outputs = mpmath.matrix(n), mpmath.matrix(n), B * B.H, C.H * C
    for i in range(n):
        for j in range(n):
            total = exponents[i] + mpmath.conj(exponents[j])
            continuous = isinstance(system.time, Continuous)
            denominator = -total if continuous else -mpmath.expm1(total)
            P[i, j] = gains[i, j] / denominator
            Q[i, j] = outputs[i, j] / mpmath.conj(denominator)
    return P, Q


def _rows(M: Any, order: list[int]) -> Any:
    """Rows of a matrix in another order."""
    return mpmath.matrix([[M[i, j] for j in range(M.cols)] for i in order])


def dense_gramian(A: Any, B: Any, continuous: bool) -> Any:
    """Solve A P + P A^H + B B^H = 0 or P = A P A^H + B B^H in Schur form."""
    n = A.rows
    if all(A[i, j] == 0 for i in range(n) for j in range(i)):
        P = _triangular_gramian(A, B * B.H, continuous)
    else:
        U, T = mpmath.schur(A)
        P = U * _triangular_gramian(T, U.H * B * (U.H * B).H, continuous) * U.H
    return (P + P.H) / 2


def _triangular_gramian(T: Any, Q: Any, continuous: bool) -> Any:
    """Entries from the last row and column on: each is an equation of its own."""
    n = T.rows
    P = mpmath.matrix(n)
    for j in reversed(range(n)):
        row = [mpmath.conj(T[j, k]) for k in range(n)]
        # P T^H in column j, so far without P[:, j].
        known = [
            mpmath.fsum(P[i, k] * row[k] for k in range(j + 1, n)) for i in range(n)
        ]
        for i in reversed(range(n)):
            below = mpmath.fsum(T[i, k] * P[k, j] for k in range(i + 1, n))
            if continuous:
                P[i, j] = -(Q[i, j] + below + known[i]) / (T[i, i] + row[j])
                continue
            image = mpmath.fsum(T[i, k] * known[k] for k in range(i, n))
            P[i, j] = (Q[i, j] + image + below * row[j]) / (1 - T[i, i] * row[j])
    return P


def exact_response(system: DiagonalStateSpace, frequency: float) -> np.ndarray:
    """Transfer function of a diagonal system at one frequency."""
    if system.readout != "complex":
        system = conjugate_closure(system)
    with mpmath.workdps(DIGITS):
        point = mpmath.mpc(0, frequency)
        B, C = mpmath.matrix(system.B.tolist()), mpmath.matrix(system.C.tolist())
        gains = mpmath.matrix(system.n_states)
        for i, value in enumerate(system.exponents):
            exponent = mpmath.mpmathify(complex(value))
            gains[i, i] = (
                1 / (point - exponent)
                if isinstance(system.time, Continuous)
                else 1 / (mpmath.exp(point) - mpmath.exp(exponent))
            )
        response = C * gains * B
        values = [[complex(x) for x in row] for row in response.tolist()]
    return np.array(values) + system.D
