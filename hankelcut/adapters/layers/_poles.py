"""Poles that parameters with logarithms can hold."""

import math

import torch
from torch import Tensor

from hankelcut.lti import DiagonalStateSpace

__all__ = ["decay_and_phase", "principal_exponents"]

# A pole at 0 has no finite logarithm; at 1e-6 it is off by at most 1e-6 |c| |b|.
_SMALLEST_POLE = 1e-6


def decay_and_phase(system: DiagonalStateSpace) -> tuple[Tensor, Tensor]:
    """Decay -log|pole| and phase in (0, 2 pi] of poles, both with finite logarithms.

    Parameters
    ----------
    system : DiagonalStateSpace
        Discrete; a pole at 0 gets the radius 1e-6.
    """
    decay = -system.exponents.real.clamp(min=math.log(_SMALLEST_POLE))
    phase = torch.remainder(system.exponents.imag, 2 * math.pi)
    return decay, torch.where(phase == 0, 2 * math.pi, phase)


def principal_exponents(system: DiagonalStateSpace) -> Tensor:
    """Exponents of poles with phases in [-pi, pi]: those of the slowest modes.

    Parameters
    ----------
    system : DiagonalStateSpace
        Discrete; a pole at 0 gets the radius 1e-6.
    """
    phase = system.exponents.imag
    turns = torch.round(phase / (2 * math.pi))
    decay = system.exponents.real.clamp(min=math.log(_SMALLEST_POLE))
    return torch.complex(decay, phase - 2 * math.pi * turns)
