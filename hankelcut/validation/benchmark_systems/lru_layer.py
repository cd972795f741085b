"""A layer of a neural network as it is before training."""

import math

import numpy as np

from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.validation.benchmark_systems._facts import require_size
from hankelcut.validation.benchmark_systems.benchmark_system import (
    BenchmarkSystem,
    Fact,
)
from hankelcut.validation.systems import random_lru_system

__all__ = ["lru_layer"]

_R_MIN, _R_MAX = 0.9, 0.99


def lru_layer(
    n_states: int = 32, *, n_channels: int = 4, seed: int = 0
) -> BenchmarkSystem:
    r"""Linear map of a linear recurrent unit (LRU) at its initialisation.

    Parameters
    ----------
    n_states : int
        Number of complex states, at least 1.
    n_channels : int
        Number of inputs and of outputs, at least 1.
    seed : int
        Seed of the numbers; equal seeds give equal layers.

    Returns
    -------
    BenchmarkSystem
        A diagonal system with readout "real" and radii from 0.9 to 0.99; poles and H2
        norm by formula.

    Raises
    ------
    ValueError
        If a size is below 1.

    Notes
    -----
    With :math:`\|\mathrm{Re} M\|_F^2 = (\|M\|_F^2 + \mathrm{Re} \sum M_{ij}^2) / 2` and
    :math:`M = C \Lambda^k B`, the squared H2 norm is half the sum over pairs of

    .. math::

        \mathrm{Re} \frac{(c_i^H c_j)(b_j b_i^H)}{1 - \bar\lambda_i \lambda_j}
        + \mathrm{Re} \frac{(c_i^T c_j)(b_i b_j^T)}{1 - \lambda_i \lambda_j}.

    Examples
    --------
    >>> lru_layer(8).system.readout
    'real'
    """
    require_size("lru_layer", "n_states", n_states, 1)
    require_size("lru_layer", "n_channels", n_channels, 1)
    rng = np.random.default_rng(seed)
    system = random_lru_system(
        rng, n_states, n_channels, n_channels, r_min=_R_MIN, r_max=_R_MAX
    )
    poles = tuple(system.poles.tolist())
    return BenchmarkSystem(
        f"LRU layer, n = {n_states}",
        system,
        {
            "poles": Fact(poles, 1e-12, "the parameters"),
            "h2_norm": Fact((_h2_norm(system),), 1e-9, "sum over pairs of modes"),
        },
        "Orvieto et al., Resurrecting recurrent neural networks, 2023",
    )


def _h2_norm(system: DiagonalStateSpace) -> float:
    exponents, B, C = system.exponents, system.B, system.C
    hermitian = (C.conj().T @ C) * (B.conj() @ B.T)
    plain = (C.T @ C) * (B @ B.T)
    total = np.sum(hermitian / -np.expm1(exponents.conj()[:, None] + exponents))
    total += np.sum(plain / -np.expm1(exponents[:, None] + exponents))
    return math.sqrt(float(total.real) / 2)
