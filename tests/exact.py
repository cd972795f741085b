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


def _gramians(system: StateSpace | DiagonalStateSpace) -> tuple[Any, Any]:
    if isinstance(system, StateSpace):
        continuous = isinstance(system.time, Continuous)
        A, B, C = (mpmath.matrix(x.tolist()) for x in (system.A, system.B, system.C))
        return _dense_gramian(A, B, continuous), _dense_gramian(A.H, C.H, continuous)
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


def _dense_gramian(A: Any, B: Any, continuous: bool) -> Any:
    """Solve A P + P A^H + B B^H = 0 or P = A P A^H + B B^H as n^2 equations."""
    n = A.rows
    system, right = mpmath.matrix(n * n), -B * B.H
    for i in range(n):
        for j in range(n):
            for k in range(n):
                if continuous:
                    system[i * n + j, k * n + j] += A[i, k]
                    system[i * n + j, i * n + k] += mpmath.conj(A[j, k])
                    continue
                for col in range(n):
                    weight = A[i, k] * mpmath.conj(A[j, col])
                    system[i * n + j, k * n + col] += weight
            if not continuous:
                system[i * n + j, i * n + j] -= 1
    flat = mpmath.matrix([right[i, j] for i in range(n) for j in range(n)])
    solution = mpmath.lu_solve(system, flat)
    P = mpmath.matrix(n)
    for i in range(n):
        for j in range(n):
            P[i, j] = solution[i * n + j]
    return (P + P.H) / 2


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
