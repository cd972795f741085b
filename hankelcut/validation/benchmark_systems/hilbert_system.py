"""The system whose Gramians are the Hilbert matrix."""

import numpy as np

from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.time_domain import Continuous
from hankelcut.validation.benchmark_systems._facts import (
    exact,
    modal_h2_norm,
    real_poles,
    relaxation_facts,
    require_size,
)
from hankelcut.validation.benchmark_systems.benchmark_system import BenchmarkSystem

__all__ = ["hilbert_system"]

# Eigenvalues of the 10 x 10 Hilbert matrix, in 60-digit arithmetic, rounded.
_EIGENVALUES = (
    1.7519196702651776,
    0.3429295484835091,
    0.035741816271639235,
    0.0025308907686700383,
    0.00012874961427637708,
    4.729689293182347e-06,
    1.228967738751175e-07,
    2.1474388173504788e-09,
    2.2667467477629255e-11,
    1.0931538193796657e-13,
)


def hilbert_system(n_states: int = 10) -> BenchmarkSystem:
    r"""Sum of 1 / (s + k - 1/2): both Gramians are the Hilbert matrix.

    Its Hankel singular values, the eigenvalues of that matrix, span 13 decades at n =
    10: a test of relative accuracy.

    Parameters
    ----------
    n_states : int
        Number of states, at least 3.

    Returns
    -------
    BenchmarkSystem
        A diagonal system; norms and the sum of the Hankel singular values by formula,
        tight bounds, and with 10 states every Hankel singular value.

    Raises
    ------
    ValueError
        If there are fewer states.

    Examples
    --------
    >>> import hankelcut as hc
    >>> benchmark = hilbert_system()
    >>> smallest = hc.hankel_singular_values(benchmark.system)[-1]
    >>> exact = benchmark.facts["hankel_singular_values"].values[-1]
    >>> bool(abs(smallest / exact - 1) < 1e-12)
    True
    """
    require_size("hilbert_system", "n_states", n_states, 3)
    poles = 0.5 - np.arange(1.0, n_states + 1)
    ones = np.ones((n_states, 1))
    gain = float(np.sum(-1 / poles))
    facts = {
        **relaxation_facts(gain, "sum of 2 / (2 k - 1)"),
        "poles": real_poles(poles, "by construction"),
        "h2_norm": exact(modal_h2_norm(poles, ones[:, 0]), "sum over residues"),
    }
    if n_states == len(_EIGENVALUES):
        reason = "eigenvalues of the Hilbert matrix in multiple precision"
        facts["hankel_singular_values"] = exact(_EIGENVALUES, reason)
    return BenchmarkSystem(
        f"Hilbert system, n = {n_states}",
        DiagonalStateSpace(poles, ones, ones.T.copy(), time=Continuous()),
        facts,
        "Gramians 1 / (i + j - 1); Choi, American Mathematical Monthly 90 (1983)",
    )
