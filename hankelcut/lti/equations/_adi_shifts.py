r"""Shifts of the low-rank ADI iteration, and proofs that a pencil is unstable.

**Method.** Projection shifts (Benner, Kuerschner & Saak, ETNA 43, 2014, p. 142): Ritz
values of the pencil on the last columns of the solution factors, mirrored into the left
half-plane where needed. They are taken in the greedy order of Penzl (SIAM J. Sci.
Comput. 21, 2000, p. 1401): each next shift is the Ritz value that the shifts so far
damp least.
"""

from collections.abc import Sequence

import numpy as np

from hankelcut.lti.equations._adi_equation import AdiEquation
from hankelcut.lti.systems._sparse_lu import Dense, SparseMatrix

__all__ = ["projection_shifts", "unstable_value"]

# Columns projected on and shifts taken from one projection. The first pair was the best
# of those measured on heat conduction, convection and Penzl's system, which converge
# within some 40 shifts; lightly damped structures need many more shifts, and with the
# second pair two to four times fewer than with the first.
_FIRST_PROJECTIONS = (12, 8)
_LATE_PROJECTIONS = (100, 30)
_LATE = 48
# Ritz values nearer to the imaginary axis are spurious or too slow to be used as such.
_LEAST_DAMPING = float(np.finfo(np.float64).eps) ** 0.5
# A Ritz value whose residual is this small a part of its real part has the sign of an
# eigenvalue, unless that eigenvalue's condition number is above the inverse.
_PROOF = 1e-3


def projection_shifts(
    A: SparseMatrix, E: SparseMatrix, equations: Sequence[AdiEquation], *, taken: int
) -> list[complex]:
    """Shifts for the next steps, with Re < 0; of conjugate pairs of real pencils one.

    Parameters
    ----------
    A, E : (n, n) sparse matrices
        The pencil.
    equations : sequence of AdiEquation
        The equations that are not solved yet; all project together.
    taken : int
        Number of shifts taken so far.
    """
    columns, count = _LATE_PROJECTIONS if taken >= _LATE else _FIRST_PROJECTIONS
    U = _basis(equations, columns)
    AU, EU = A @ U, E @ U
    size = _size(AU, EU)
    ritz = _ritz_pairs(U.conj().T @ AU, U.conj().T @ EU)[0]
    ritz = ritz[np.isfinite(ritz) & (np.abs(ritz) > np.finfo(float).eps * size)]
    if ritz.size == 0:
        return [complex(-size)]
    real = np.maximum(np.abs(ritz.real), _LEAST_DAMPING * np.abs(ritz))
    imaginary = np.where(np.abs(ritz.imag) > _LEAST_DAMPING * real, ritz.imag, 0.0)
    paired = not np.iscomplexobj(U)
    if paired:
        imaginary = np.abs(imaginary)
    return _greedy_order(np.unique(-real + 1j * imaginary), paired, count)


def unstable_value(equations: Sequence[AdiEquation]) -> complex | None:
    """Eigenvalue of the pencil on or right of the imaginary axis, if one is found.

    Parameters
    ----------
    equations : sequence of AdiEquation
        The last columns of their factors lean towards undamped eigenvectors.
    """
    for equation in equations:
        U = _basis([equation], _LATE_PROJECTIONS[0])
        # Left eigenvectors of the pencil are right ones of the adjoint.
        _, vectors = _ritz_pairs(
            U.conj().T @ (equation.A @ U), U.conj().T @ (equation.E @ U)
        )
        for vector in (U @ vectors).T:
            value = _proven_value(equation, vector)
            if value is not None:
                return value.conjugate() if equation.adjoint else value
    return None


def _proven_value(equation: AdiEquation, vector: Dense) -> complex | None:
    """Eigenvalue with Re >= 0, up to rounding, that a unit Ritz vector proves."""
    # Every entry of the vector has errors of u, which are felt through rows of A and E.
    u, ones = float(np.finfo(np.float64).eps), np.ones(len(vector))
    sizes, A_sizes, E_sizes = np.abs(vector), abs(equation.A), abs(equation.E)
    image, weighted = equation.A @ vector, equation.E @ vector
    weight = float(np.linalg.norm(weighted))
    if weight <= 10 * u * float(np.linalg.norm(E_sizes @ ones)):
        return complex(np.inf)
    value = complex((weighted.conj() @ image) / weight**2)
    defect = float(np.linalg.norm(image - value * weighted)) / weight
    spread = u * float(np.linalg.norm(A_sizes @ ones)) / weight
    size = float(sizes @ (A_sizes @ sizes)) / float(sizes @ (E_sizes @ sizes))
    margin = 10 * u * (size + spread)
    proven = defect <= _PROOF * max(value.real, 0.0) + 10 * (margin + spread)
    return value if proven and value.real > -margin else None


def _basis(equations: Sequence[AdiEquation], count: int) -> Dense:
    """Orthonormal basis of the last columns of the factors."""
    columns = np.concatenate([e.trailing_columns(count) for e in equations], axis=1)
    lengths = np.linalg.norm(columns, axis=0)
    usable = np.isfinite(lengths) & (lengths > 0)
    columns = columns[:, usable] / lengths[usable]
    U, values, _ = np.linalg.svd(columns, full_matrices=False)
    largest = float(values.max(initial=0.0))
    independent = values > len(values) * np.finfo(np.float64).eps * largest
    basis: Dense = U[:, independent]
    return basis


def _ritz_pairs(A: Dense, E: Dense) -> tuple[Dense, Dense]:
    """Eigenvalues (infinite ones too) and eigenvectors of a small pencil.

    They are taken from (A - c E)^-1 E with some c > 0, which is regular when the pencil
    is stable.
    """
    c = 1.5 * _size(A, E)
    try:
        inverses, vectors = np.linalg.eig(np.linalg.solve(A - c * E, E))
    except np.linalg.LinAlgError:
        return np.zeros(0, complex), np.zeros((A.shape[0], 0), complex)
    infinite = inverses == 0
    values = c + 1 / np.where(infinite, 1, inverses.astype(complex))
    return np.where(infinite, np.inf, values), vectors


def _size(A: Dense, E: Dense) -> float:
    """How large the eigenvalues of a pencil are, roughly; 1 if A or E is zero."""
    sizes = float(np.linalg.norm(A)), float(np.linalg.norm(E))
    return sizes[0] / sizes[1] if 0 not in sizes else 1.0


def _greedy_order(shifts: Dense, paired: bool, count: int) -> list[complex]:
    damping = np.ones(shifts.shape)
    chosen: list[complex] = []
    best = min(shifts, key=lambda shift: float(_damping(shift, shifts, paired).max()))
    while best is not None:
        chosen.append(complex(best))
        damping = damping * _damping(best, shifts, paired)
        worst = int(np.argmax(damping))
        done = len(chosen) == count or damping[worst] == 0
        best = None if done else shifts[worst]
    return chosen


def _damping(shift: complex, poles: Dense, paired: bool) -> Dense:
    """How much a step of a shift leaves of each pole's part of the residual."""
    left: Dense = np.abs((poles - shift) / (poles + np.conj(shift)))
    if paired and shift.imag != 0:
        left = left * np.abs((poles - np.conj(shift)) / (poles + shift))
    return left
