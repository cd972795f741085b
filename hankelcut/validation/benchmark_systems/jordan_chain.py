"""One Jordan block: a defective state matrix, and responses that grow first."""

import math

import numpy as np

from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.lti.systems.time_domain import Discrete
from hankelcut.validation.benchmark_systems._facts import exact, require_size
from hankelcut.validation.benchmark_systems.benchmark_system import BenchmarkSystem

__all__ = ["jordan_chain"]


def jordan_chain(
    n_states: int = 5, *, pole: float = 0.9, coupling: float = 1.0
) -> BenchmarkSystem:
    r"""Discrete chain from the last to the first state of one Jordan block.

    With `coupling` 1 the matrix is defective; with a large one its powers grow by many
    decades before they decay, and no eigenvalue of it is well-conditioned.

    Parameters
    ----------
    n_states : int
        Length n of the chain, at least 1.
    pole : float
        The only pole, 0 <= pole < 1.
    coupling : float
        Gain g from one state to the next.

    Returns
    -------
    BenchmarkSystem
        Norms by formula.

    Raises
    ------
    ValueError
        If there is no state, or the pole is outside its range.

    Notes
    -----
    :math:`G = g^{n-1} / (z - \lambda)^n`, largest at z = 1, and

    .. math::

        \|G\|_{H_2}^2 = \frac{g^{2n-2}}{(1 - \lambda^2)^{2n-1}}
        \sum_k \binom{n-1}{k}^2 \lambda^{2k}.

    Examples
    --------
    >>> jordan_chain(2, pole=0.5, coupling=3.0).facts["hinf_norm"].value
    12.0
    """
    require_size("jordan_chain", "n_states", n_states, 1)
    if not 0 <= pole < 1:
        msg = f"jordan_chain: got pole={pole:g}, need 0 <= pole < 1"
        raise ValueError(msg)
    n, growth = n_states, float(coupling) ** (n_states - 1)
    B, C = np.zeros((n, 1)), np.zeros((1, n))
    B[-1] = C[0, 0] = 1.0
    squares = sum(math.comb(n - 1, k) ** 2 * pole ** (2 * k) for k in range(n))
    gain = abs(growth) / (1 - pole) ** n
    transfer = "G = g^(n-1) / (z - pole)^n"
    return BenchmarkSystem(
        f"Jordan chain, n = {n}, coupling {coupling:g}",
        StateSpace(pole * np.eye(n) + coupling * np.eye(n, k=1), B, C, time=Discrete()),
        {
            "poles": exact([pole] * n, "triangular"),
            "hinf_norm": exact(gain, transfer),
            "peak_frequency": exact(0.0, transfer),
            "static_gain": exact(gain, transfer),
            "h2_norm": exact(
                abs(growth) * math.sqrt(squares / (1 - pole**2) ** (2 * n - 1)),
                "sum of squared binomial coefficients",
            ),
        },
        "Trefethen & Embree, Spectra and Pseudospectra, 2005",
    )
