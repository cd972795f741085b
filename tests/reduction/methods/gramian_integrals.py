"""Gramians by the definition: integrals over frequencies, by quadrature."""

import itertools
from typing import Any

import mpmath
import numpy as np

from hankelcut.lti import Continuous, StateSpace
from tests.helpers import dense_response

__all__ = [
    "band_gramians",
    "characteristic_values",
    "exact_band_values",
    "weighted_gramians",
    "whole_boundary",
]

Matrix = np.ndarray[Any, np.dtype[Any]]


def whole_boundary(time: Any, count: int = 3000) -> tuple[Matrix, Matrix]:
    """Points of the imaginary axis or the unit circle, and weights over 2 pi.

    The axis is the image of a circle, on which the trapezoidal rule converges
    exponentially.
    """
    angles = (2 * np.arange(count) + 1) * np.pi / count - np.pi
    if time == Continuous():
        return 1j * np.tan(angles / 2), 0.5 / np.cos(angles / 2) ** 2 / count
    return np.exp(1j * angles), np.full(count, 1 / count)


def band_points(
    time: Any, band: tuple[float, float], mirrored: bool
) -> tuple[Matrix, Matrix]:
    """Gauss-Legendre points of a band, and of its mirror image, and weights."""
    nodes, weights = np.polynomial.legendre.leggauss(300)
    middle, half = (band[0] + band[1]) / 2, (band[1] - band[0]) / 2
    w, weights = middle + half * nodes, half * weights / (2 * np.pi)
    if mirrored:
        w, weights = np.concatenate([w, -w]), np.concatenate([weights, weights])
    return 1j * w if time == Continuous() else np.exp(1j * w), weights


def gramian(A: Matrix, columns: Matrix, z: Matrix, weights: Matrix) -> Matrix:
    """Sum of the weighted outer products of (z I - A)^-1 columns."""
    right = np.linalg.solve(z[:, None, None] * np.eye(len(A)) - A, columns)
    return np.einsum("k,kij,klj->il", weights, right, right.conj())


def weighted_gramians(
    system: StateSpace, before: StateSpace | None, after: StateSpace | None
) -> tuple[Matrix, Matrix]:
    """P11 and Q11 of a system between two weights."""
    z, weights = whole_boundary(system.time)
    B, Ch = system.B[None], system.C.conj().T[None]
    if before is not None:
        B = B @ dense_response(before, z)
    if after is not None:
        Ch = Ch @ np.conj(np.swapaxes(dense_response(after, z), 1, 2))
    P = gramian(system.A, B, z, weights)
    return P, gramian(system.A.conj().T, Ch, z.conj(), weights)


def band_gramians(
    system: StateSpace, band: tuple[float, float]
) -> tuple[Matrix, Matrix]:
    """P and Q of a frequency band."""
    z, weights = band_points(system.time, band, not np.iscomplexobj(system.A))
    P = gramian(system.A, system.B[None], z, weights)
    Ch = system.C.conj().T[None]
    return P, gramian(system.A.conj().T, Ch, z.conj(), weights)


def characteristic_values(P: Matrix, Q: Matrix) -> Matrix:
    """Roots of the eigenvalues of P Q, descending; the small ones are rounding."""
    squares = np.linalg.eigvals(P @ Q).real
    return np.sqrt(np.maximum(np.sort(squares)[::-1], 0))


def exact_band_values(
    poles: Matrix, B: Matrix, C: Matrix, band: tuple[float, float]
) -> Matrix:
    """Values of a complex continuous diagonal system in 60 digits, in closed form."""
    n = len(poles)
    with mpmath.workdps(60):
        poles = [mpmath.mpmathify(complex(pole)) for pole in poles]
        low, high = (mpmath.mpf(end) for end in band)
        F = [
            mpmath.log((1j * high - pole) / (1j * low - pole)) / (2j * mpmath.pi)
            for pole in poles
        ]
        BB = mpmath.matrix((B @ B.conj().T).tolist())
        CC = mpmath.matrix((C.conj().T @ C).tolist())
        P, Q = mpmath.matrix(n), mpmath.matrix(n)
        for i, j in itertools.product(range(n), range(n)):
            weight = -(F[i] + mpmath.conj(F[j])) / (poles[i] + mpmath.conj(poles[j]))
            P[i, j], Q[i, j] = BB[i, j] * weight, CC[i, j] * mpmath.conj(weight)
        squares, _ = mpmath.eig(P * Q)
        values = sorted((float(mpmath.sqrt(abs(s))) for s in squares), reverse=True)
    return np.array(values)
