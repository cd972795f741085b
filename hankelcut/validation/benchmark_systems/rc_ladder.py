"""A ladder of resistors and capacitors."""

import numpy as np

from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.validation.benchmark_systems._facts import (
    exact,
    modal_h2_norm,
    real_poles,
    relaxation_facts,
    require_size,
)
from hankelcut.validation.benchmark_systems.benchmark_system import BenchmarkSystem

__all__ = ["rc_ladder"]


def rc_ladder(
    n_states: int = 20, *, resistance: float = 1.0, capacitance: float = 1.0
) -> BenchmarkSystem:
    r"""Driving-point impedance of a ladder of equal resistors and capacitors.

    A current enters the first node; each node has a capacitor to ground and a resistor
    to the next one, the last node to ground: no integrator.

    Parameters
    ----------
    n_states : int
        Number of nodes, at least 3.
    resistance, capacitance : float
        R in ohms and C in farads.

    Returns
    -------
    BenchmarkSystem
        Poles, norms and the sum of the Hankel singular values by formula; tight bounds.

    Raises
    ------
    ValueError
        If there are fewer nodes.

    Notes
    -----
    With :math:`\theta_k = (2k - 1) \pi / (4n + 2)`: :math:`\lambda_k = -4 \sin^2
    \theta_k / (R C)`, residues :math:`4 \cos^2 \theta_k / ((2n + 1) C)`, G(0) = n R.

    Examples
    --------
    >>> rc_ladder(5, resistance=10.0).facts["hinf_norm"].value
    50.0
    """
    require_size("rc_ladder", "n_states", n_states, 3)
    n = n_states
    A = np.eye(n, k=1) + np.eye(n, k=-1) - 2 * np.eye(n)
    A[0, 0] = -1.0
    B = np.zeros((n, 1))
    B[0] = 1 / np.sqrt(capacitance)
    angles = (2 * np.arange(1, n + 1) - 1) * np.pi / (4 * n + 2)
    poles = -4 * np.sin(angles) ** 2 / (resistance * capacitance)
    residues = 4 * np.cos(angles) ** 2 / ((2 * n + 1) * capacitance)
    return BenchmarkSystem(
        f"RC ladder, n = {n}",
        StateSpace(A / (resistance * capacitance), B, B.T.copy()),
        {
            **relaxation_facts(n * resistance, "the resistors in series, n R"),
            "poles": real_poles(poles, "eigenvectors are cosines"),
            "h2_norm": exact(modal_h2_norm(poles, residues), "sum over residues"),
        },
        "Anderson & Vongpanitlerd, Network Analysis and Synthesis, 1973",
    )
