r"""The Riccati equation of the bounded-real lemma, and its Hamiltonian matrix.

**Method.** With :math:`R = \gamma^2 I - D^HD`, :math:`F = A + BR^{-1}D^HC` and

.. math::
    H = \begin{bmatrix} F & BR^{-1}B^H \\ -C^H(I + DR^{-1}D^H)C & -F^H \end{bmatrix},

:math:`i\omega` is an eigenvalue of H if and only if :math:`\gamma` is a singular value
of :math:`G(i\omega)` (Boyd & Balakrishnan, Systems & Control Letters 15, 1990, p. 1;
Bruinsma & Steinbuch, ibid. 14, 1990, p. 287). If none is, the stable invariant subspace
[I; X], from an ordered Schur form, holds the stabilizing solution X. Discrete systems
are mapped by :math:`s = (z - z_0)/(z + z_0)` about the point :math:`-z_0` of the unit
circle, which has the same X.
"""

import math

import numpy as np
import scipy.linalg

from hankelcut.lti.equations._schur_riccati import stable_subspace
from hankelcut.lti.norms._enclosure import Matrix
from hankelcut.lti.systems.time_domain import Continuous, TimeDomain

__all__ = ["far_point", "solve_bounded_real"]

# A real map at -1 or 1 is taken where the poles keep this distance from that point.
_NEAR_POLE = 0.05


def solve_bounded_real(
    system: tuple[Matrix, Matrix, Matrix, Matrix],
    level: float,
    time: TimeDomain,
    point: complex,
) -> tuple[Matrix | None, Matrix]:
    """Solve the bounded-real Riccati equation at a level.

    Parameters
    ----------
    system : tuple of (n, n), (n, m), (p, n) and (p, m) arrays
        A, B, C and D.
    level : float
        The level, positive.
    time : Continuous or Discrete
        The time domain.
    point : complex
        For discrete systems, the z_0 of the map, of `far_point`.

    Returns
    -------
    X : (n, n) array or None
        Hermitian, real for real systems; None where there is no solution. To be
        verified: the subspace may be inaccurate, or the wrong one.
    frequencies : (N,) array
        Frequencies next to which the gain may cross the level: rad/s, or radians.
    """
    continuous = isinstance(time, Continuous)
    real = not any(np.iscomplexobj(matrix) for matrix in system)
    A, B, C, D = system if continuous else _mapped(*system, point)
    hamiltonian = _hamiltonian(A, B, C, D, level)
    if hamiltonian is None:
        # The gain is above the level at the point that is mapped to infinity.
        return None, np.array([] if continuous else [np.angle(-point)])
    subspace = stable_subspace(hamiltonian)
    X, frequencies = subspace.graph(), subspace.eigenvalues.imag
    if not continuous:
        turned = np.angle(point) + 2 * np.arctan(frequencies)
        frequencies = np.append(np.angle(np.exp(1j * turned)), np.angle(-point))
    if real:
        frequencies = np.abs(frequencies)
        X = None if X is None else np.real(X)
    return X, np.unique(frequencies)


def far_point(poles: Matrix, *, real: bool) -> complex:
    """Point z_0 of the unit circle with poles far from -z_0; real for real systems.

    Parameters
    ----------
    poles : (n,) complex array
        Poles inside the unit circle.
    real : bool
        Whether the system is real, so that a real point is preferred.
    """
    points = np.array([1.0, -1.0])
    distances = np.min(np.abs(poles[:, None] + points), axis=0, initial=math.inf)
    k = int(np.argmax(distances))
    if not real or distances[k] < _NEAR_POLE:
        points = np.exp(
            2j * np.pi * np.arange(4 * len(poles) + 4) / (4 * len(poles) + 4)
        )
        distances = np.min(np.abs(poles[:, None] + points), axis=0, initial=math.inf)
        k = int(np.argmax(distances))
    return complex(points[k])


def _mapped(
    A: Matrix, B: Matrix, C: Matrix, D: Matrix, point: complex
) -> tuple[Matrix, Matrix, Matrix, Matrix]:
    """Continuous system with the gains of a discrete one."""
    z0 = point.real if point.imag == 0 else point
    identity = np.eye(A.shape[0])
    both = np.linalg.solve(A + z0 * identity, np.hstack([A - z0 * identity, B]))
    mapped, inputs = np.split(both, [A.shape[0]], axis=1)
    outputs = np.linalg.solve((A + z0 * identity).T, C.T).T
    root = math.sqrt(2)
    return mapped, root * inputs, (root * z0) * outputs, D - C @ inputs


def _hamiltonian(
    A: Matrix, B: Matrix, C: Matrix, D: Matrix, level: float
) -> Matrix | None:
    """Return H, or None where the level does not clear the feedthrough."""
    n, m = B.shape
    R = level * level * np.eye(m) - D.conj().T @ D
    try:
        factor = scipy.linalg.cho_factor(R, check_finite=False)
    except np.linalg.LinAlgError:
        return None
    both = np.hstack([D.conj().T @ C, B.conj().T])
    solved = scipy.linalg.cho_solve(factor, both, check_finite=False)
    gain = solved[:, :n]
    F, inner = A + B @ gain, B @ solved[:, n:]
    outer = C.conj().T @ (C + D @ gain)
    inner, outer = inner + inner.conj().T, outer + outer.conj().T
    hamiltonian = np.block([[F, inner / 2], [-outer / 2, -F.conj().T]])
    return hamiltonian if np.all(np.isfinite(hamiltonian)) else None
