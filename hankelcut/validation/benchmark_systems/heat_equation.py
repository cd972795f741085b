"""The heat equation on a rod, by finite differences."""

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

__all__ = ["heat_equation"]


def heat_equation(n_states: int = 100) -> BenchmarkSystem:
    r"""Heat equation on a rod of length 1 with its ends held at 0.

    Heat enters, and the temperature is read, a third of the way: a symmetric, passive
    system whose Hankel singular values fall exponentially.

    Parameters
    ----------
    n_states : int
        Number of inner points, at least 5.

    Returns
    -------
    BenchmarkSystem
        Poles, norms and the sum of the Hankel singular values by formula; tight bounds.

    Raises
    ------
    ValueError
        If there are fewer points.

    Notes
    -----
    With h = 1 / (n + 1): :math:`\lambda_k = -4 h^{-2} \sin^2(k \pi h / 2)`, residues
    :math:`2 \sin^2(k \pi x)` at the place x, and G(0) = x (1 - x).

    Examples
    --------
    >>> heat_equation(11).facts["static_gain"].value
    0.2222222222222222
    """
    require_size("heat_equation", "n_states", n_states, 5)
    n, place = n_states, (n_states + 1) // 3
    intervals = n + 1
    A = intervals**2 * (np.eye(n, k=1) + np.eye(n, k=-1) - 2 * np.eye(n))
    B = np.zeros((n, 1))
    B[place - 1] = np.sqrt(intervals)
    k = np.arange(1, n + 1)
    poles = -4.0 * intervals**2 * np.sin(k * np.pi / (2 * intervals)) ** 2
    # Exact arguments: a mode with a node at the place has residue 0.
    residues = 2 * np.sin(np.pi * (k * place % (2 * intervals)) / intervals) ** 2
    gain = place * (intervals - place) / intervals**2
    return BenchmarkSystem(
        f"heat equation, n = {n}",
        StateSpace(A, B, B.T.copy()),
        {
            **relaxation_facts(gain, "Green's function of the rod, x (1 - x)"),
            "poles": real_poles(poles, "eigenvectors are sines"),
            "h2_norm": exact(modal_h2_norm(poles, residues), "sum over residues"),
        },
        "finite differences; Strang, Introduction to Applied Mathematics, 1986",
    )
