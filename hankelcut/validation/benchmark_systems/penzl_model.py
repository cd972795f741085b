"""Penzl's model, "fom": three resonances over a thousand real poles."""

import numpy as np

from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.validation.benchmark_systems._facts import (
    exact,
    modal_h2_norm,
    require_size,
)
from hankelcut.validation.benchmark_systems.benchmark_system import (
    BenchmarkSystem,
    Fact,
    Quantity,
)

__all__ = ["penzl_model"]

_RESONANCES = (100.0, 200.0, 400.0)
_N_PUBLISHED = 1006
# SLICOT's AB09AD, nine digits.
_VALUES = (
    50.0509559,
    49.9951364,
    49.9924285,
    49.9702636,
    49.9679726,
    49.9477337,
    2.18880020,
    0.956800474,
    0.340305930,
    0.111374245,
)


def penzl_model(n_states: int = _N_PUBLISHED) -> BenchmarkSystem:
    r"""Model of Penzl ("fom"): resonances at 100, 200, 400 rad/s, poles -1, -2, ...

    Parameters
    ----------
    n_states : int
        Number of states, at least 7: six of the resonances, the rest with real poles;
        1006 as published.

    Returns
    -------
    BenchmarkSystem
        Poles, gain at 0 and H2 norm by formula; in the published size also the leading
        Hankel singular values, the H-infinity norm, and order 10, where the bound of
        balanced truncation is attained.

    Raises
    ------
    ValueError
        If there are fewer states.

    Notes
    -----
    :math:`G = \sum_w \frac{200 (s + 1)}{(s + 1)^2 + w^2} + \sum_k \frac{1}{s + k}`.

    Examples
    --------
    >>> penzl_model(56).system.n_states
    56
    """
    require_size("penzl_model", "n_states", n_states, 7)
    decays = np.arange(1.0, n_states - 5)
    A = np.diag(np.concatenate([-np.ones(6), -decays]))
    for i, w in enumerate(_RESONANCES):
        A[2 * i, 2 * i + 1], A[2 * i + 1, 2 * i] = w, -w
    B = np.ones((n_states, 1))
    B[:6] = 10.0
    pairs = [-1 + sign * 1j * w for w in _RESONANCES for sign in (1, -1)]
    poles = np.concatenate([pairs, -decays])
    residues = np.concatenate([np.full(6, 100.0), np.ones(len(decays))])
    gain = float(np.sum(1 / decays) + sum(200 / (1 + w**2) for w in _RESONANCES))
    facts: dict[Quantity, Fact] = {
        "poles": exact(poles.tolist(), "by construction"),
        "static_gain": exact(gain, "sum of 200 / (1 + w^2) and of 1 / k"),
        "h2_norm": exact(modal_h2_norm(poles, residues), "sum over residues"),
    }
    if n_states == _N_PUBLISHED:
        facts |= {
            "hankel_singular_values": Fact(_VALUES, 1e-8, "SLICOT AB09AD"),
            "hinf_norm": Fact((102.336,), 5e-6, "largest of a fine grid"),
            "peak_frequency": Fact((100.011,), 1e-5, "largest of a fine grid"),
            "tight_orders": Fact((10.0,), 2e-5, "measured: the error at 0"),
        }
    return BenchmarkSystem(
        f"Penzl's model, n = {n_states}",
        StateSpace(A, B, B.T.copy()),
        facts,
        "Penzl, Linear Algebra and its Applications 415 (2006); SLICOT's fom",
    )
