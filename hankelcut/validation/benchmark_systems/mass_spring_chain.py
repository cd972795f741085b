"""A chain of masses, springs and dampers."""

import numpy as np

from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.validation.benchmark_systems._facts import exact, require_size
from hankelcut.validation.benchmark_systems.benchmark_system import BenchmarkSystem

__all__ = ["mass_spring_chain"]


def mass_spring_chain(
    n_masses: int = 5, *, stiffness: float = 1.0, damping: float = 0.1
) -> BenchmarkSystem:
    r"""Velocities under forces of a chain of unit masses between two walls.

    Each mass has a force, a damper to ground and its velocity as an output, so that in
    the coordinates of energy both Gramians are I / (2 d): all 2 N Hankel singular
    values are one tie, and nothing can be cut.

    Parameters
    ----------
    n_masses : int
        Number N of masses, at least 1.
    stiffness, damping : float
        k of each of the N + 1 springs and d of each damper; d < 2 times the lowest
        frequency leaves all modes oscillating.

    Returns
    -------
    BenchmarkSystem
        2 N states; everything by formula.

    Raises
    ------
    ValueError
        If there is no mass.

    Notes
    -----
    The states are :math:`(R q, \dot q)` with :math:`R^T R` the stiffness matrix,

    .. math::

        \dot x = \begin{bmatrix} 0 & R \\ -R^T & -d I \end{bmatrix} x
        + \begin{bmatrix} 0 \\ I \end{bmatrix} u, \qquad
        y = \begin{bmatrix} 0 & I \end{bmatrix} x,

    :math:`\omega_j = 2 \sqrt{k} \sin(j \pi / (2 N + 2))` and :math:`\lambda^2 + d
    \lambda + \omega_j^2 = 0`. The gain is 1 / d at every :math:`\omega_j`, its largest.

    Examples
    --------
    >>> mass_spring_chain(3, damping=0.5).facts["hankel_singular_values"].values[0]
    1.0
    """
    require_size("mass_spring_chain", "n_masses", n_masses, 1)
    N, d = n_masses, damping
    eye, zero = np.eye(N), np.zeros((N, N))
    K = stiffness * (2 * eye - np.eye(N, k=1) - np.eye(N, k=-1))
    R = np.linalg.cholesky(K).T
    frequencies = (
        2 * np.sqrt(stiffness) * np.sin(np.arange(1, N + 1) * np.pi / (2 * N + 2))
    )
    roots = np.sqrt(d**2 / 4 - frequencies.astype(complex) ** 2)
    poles = np.concatenate([-d / 2 + roots, -d / 2 - roots])
    B = np.vstack([zero, eye])
    energy = "in the coordinates of energy, A + A^T = -2 d B B^T"
    return BenchmarkSystem(
        f"mass-spring chain, {N} masses",
        StateSpace(np.block([[zero, R], [-R.T, -d * eye]]), B, B.T.copy()),
        {
            "poles": exact(poles.tolist(), "modes of a uniform chain"),
            "hankel_singular_values": exact([1 / (2 * d)] * (2 * N), energy),
            "hankel_sum": exact(N / d, energy),
            "hinf_norm": exact(1 / d, "1 / d where mass and spring cancel"),
            "peak_frequency": exact(
                frequencies.tolist(), "the undamped frequencies, each"
            ),
            "h2_norm": exact(float(np.sqrt(N / (2 * d))), energy),
            "static_gain": exact(0.0, "a constant force moves nothing"),
            "passive": exact(1.0, "C = B^T and A + A^T <= 0"),
        },
        "Gawronski, Dynamics and Control of Structures, 1998",
    )
