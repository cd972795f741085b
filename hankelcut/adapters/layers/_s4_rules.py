r"""How the kernels of S4 layers turn continuous modes into discrete ones.

All of them read the state after the update, :math:`K_l = C \bar A^l \bar B`. Poles a
and steps d broadcast.

**Bounds of channels that share their poles.** Channels with one A and B and steps
:math:`\Delta_h` of their own have one continuous system, whose error bounds theirs only
in part. The one-sided bilinear rule of S4, :math:`\bar B = (I - \Delta A/2)^{-1}\Delta
B`, is not Tustin's: with :math:`s = \tfrac{2}{\Delta}\tfrac{z - 1}{z + 1}` the layer is
:math:`z (1 - s\Delta/2) G(s)`, which no bound on G limits for large s. But for
:math:`F(s) = C (I - \Delta A/2)(sI - A)^{-1}B` it is :math:`z (F(s) - F(2/\Delta))`, so
that an error of at most b in F is one of at most 2 b in the layer. A zero-order hold
has no such number: what lies above half the sampling frequency is folded onto it.
"""

from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import torch
from torch import Tensor

from hankelcut.adapters.layers._discretizations import (
    BILINEAR,
    ZERO_ORDER_HOLD,
    Discretization,
)
from hankelcut.lti.systems._complex_functions import expm1
from hankelcut.lti.systems.diagonal_state_space import Readout

__all__ = ["BilinearRule", "HoldRule", "S4Rule"]

# What DSS adds to the square of a denominator.
_DSS_OFFSET = 1e-7


@dataclass(frozen=True)
class HoldRule:
    """Inputs that are constant over a step.

    Parameters
    ----------
    normalised_over : int
        Number L of samples over which DSS normalises its modes, by 1 / (e^(L d a) - 1);
        0 where nothing is normalised.
    """

    normalised_over: int = 0
    discretization: ClassVar[Discretization] = ZERO_ORDER_HOLD
    shared_bound_gain: ClassVar[float | None] = None

    @property
    def readout(self) -> Readout:
        """What the kernel is of the complex sum over the modes."""
        return "real" if self.normalised_over else "twice_real"

    def output_gain(self, poles: Tensor, steps: Tensor) -> Tensor:
        """Return the output matrix of the system over what the parameter C holds."""
        if not self.normalised_over:
            return torch.ones_like(poles)
        over: Tensor = expm1(self.normalised_over * steps * poles)
        denominator = over * poles
        return poles * denominator.conj() / (denominator.abs() ** 2 + _DSS_OFFSET)

    def shared_weight(self, poles: Tensor, steps: Tensor) -> Tensor:
        """Return the factor on C in the system of channels that share their poles."""
        return torch.ones_like(steps * poles)


@dataclass(frozen=True)
class BilinearRule:
    """The one-sided bilinear rule of S4.

    Parameters
    ----------
    attuned_to : int
        Length L for which the parameter C holds C (I - A^L); 0 where it holds C.
    """

    attuned_to: int = 0
    discretization: ClassVar[Discretization] = BILINEAR
    shared_bound_gain: ClassVar[float | None] = 2.0
    readout: ClassVar[Readout] = "twice_real"

    def output_gain(self, poles: Tensor, steps: Tensor) -> Tensor:
        """Return 1 / (1 - pole^L): the output matrix over what the parameter holds."""
        if not self.attuned_to:
            return torch.ones_like(poles)
        exponents = self.discretization.exponents(poles, steps)
        remaining: Tensor = expm1(self.attuned_to * exponents)
        return -1 / remaining

    def shared_weight(self, poles: Tensor, steps: Tensor) -> Tensor:
        """Return the factor on C in the system of channels that share their poles."""
        return 1 - steps * poles / 2


S4Rule: TypeAlias = HoldRule | BilinearRule
"""What becomes of continuous modes.

`discretization` makes discrete modes, `readout` says what a kernel is of their complex
sum, and `shared_bound_gain` is the error of channels that share their poles over that
of their continuous system, if there is such a number.
"""
