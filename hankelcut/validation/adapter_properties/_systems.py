"""Systems of layers: banks as one system, and responses by their definition."""

from collections.abc import Callable
from typing import Any

import numpy as np

from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.lti.systems.time_domain import Continuous
from hankelcut.validation.invariants._host import Matrix, host_array

__all__ = ["System", "one_system", "rounding", "samples"]

System = DiagonalStateSpace | StateSpace


def one_system(system: System) -> System:
    """Return a bank as one system, whose inputs and outputs are those of its channels.

    Parameters
    ----------
    system : DiagonalStateSpace or StateSpace
        One system, or a stack of them with one batch axis, of torch tensors.

    Returns
    -------
    DiagonalStateSpace or StateSpace
        The direct sum, channel after channel.
    """
    import torch

    if not system.batch_shape:
        return system
    block_diagonal: Callable[..., Any] = torch.block_diag
    B, C, D = (block_diagonal(*M) for M in (system.B, system.C, system.D))
    if isinstance(system, StateSpace):
        return StateSpace(block_diagonal(*system.A), B, C, D, system.time)
    exponents = system.exponents.flatten()
    return DiagonalStateSpace(exponents, B, C, D, system.time, system.readout)


def samples(system: System, length: int, *, delayed: bool = False) -> Matrix:
    """Impulse response (length, p, m) of a bank by its definition.

    Parameters
    ----------
    system : DiagonalStateSpace or StateSpace
        The bank. Of a continuous one, samples at a time step in which its fastest mode
        turns or decays by one radian or neper.
    length : int
        Number of samples.
    delayed : bool
        Whether an output reads the state before the update.
    """
    system = one_system(system)
    B, C, D = (host_array(matrix) for matrix in (system.B, system.C, system.D))
    if isinstance(system, StateSpace):
        found = [C @ state for state in _powers(host_array(system.A), B, length)]
        response: Matrix = np.stack(found) + 0j
    else:
        powers = np.exp(np.arange(length)[:, None] * _sampled_exponents(system))
        response = np.einsum("pi,ki,im->kpm", C, powers, B)
        if system.readout != "complex":
            response = 2 * system.readout_gain * response.real + 0j
    if delayed:
        response = np.concatenate([0 * response[:1], response[:-1]])
    response[0] += D
    return response


def rounding(system: System, eps: float, length: int, units: float) -> Matrix:
    r"""Return the rounding that samples of an impulse response may have.

    Parameters
    ----------
    system : DiagonalStateSpace or StateSpace
        The bank.
    eps : float
        Of the dtype in which it is stored and run.
    length : int
        Number of samples.
    units : float
        Units of rounding.

    Returns
    -------
    (length, p, m) array
        :math:`\sum_i |c_i| |b_i| |\lambda_i|^k (1 + k |\ell_i|)`, and :math:`|D|` in
        the first sample; and as much as in the first sample in all of them, for layers
        that convolve by a Fourier transform; times the units. Of a dense system, in
        which no mode can be told apart, the largest product of the sizes of what is
        multiplied, times 1 + k.
    """
    system = one_system(system)
    steps = np.arange(length)[:, None]
    B, C = np.abs(host_array(system.B)), np.abs(host_array(system.C))
    if isinstance(system, StateSpace):
        gains = [
            C @ np.abs(power) @ B
            for power in _powers(host_array(system.A), np.eye(system.n_states), length)
        ]
        sizes: Matrix = np.maximum.accumulate(np.stack(gains)[::-1])[::-1]
        sizes = sizes * (1 + steps[..., None])
    else:
        exponents = _sampled_exponents(system)
        # Of the larger readout; a delayed layer is off by one step at most.
        decay = np.exp((steps - 1).clip(min=0) * exponents.real)
        weights = 2 * decay * (1 + steps * np.abs(exponents))
        sizes = np.einsum("pi,ki,im->kpm", C, weights, B)
    sizes[0] += np.abs(host_array(system.D))
    return np.asarray(units * eps * (sizes + np.max(sizes[0], initial=0.0)))


def _powers(A: Matrix, state: Matrix, length: int) -> list[Matrix]:
    """List state, A state, A^2 state, ..."""
    found = [state]
    for _ in range(length - 1):
        found.append(A @ found[-1])
    return found


def _sampled_exponents(system: DiagonalStateSpace) -> Any:
    """Exponents per sample."""
    exponents = host_array(system.exponents)
    if isinstance(system.time, Continuous):
        return exponents / max(float(np.max(np.abs(exponents), initial=0.0)), 1e-300)
    return exponents
