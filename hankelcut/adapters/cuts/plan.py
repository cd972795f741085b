"""What a cut will do to a layer, and what it is decided from."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

import torch

from hankelcut.adapters.cuts.settings import CutSettings
from hankelcut.adapters.cuts.surgery import ParameterExchange
from hankelcut.adapters.policies import LayerSpectrum, ModelPolicy, Policy
from hankelcut.adapters.reduction_event import LayerCut
from hankelcut.adapters.selective.calibration import Calibration
from hankelcut.reduction import OrderTarget

__all__ = ["CutContext", "MeasuredLayer", "Plan", "noted"]


@dataclass(frozen=True, eq=False)
class CutContext:
    """What all layers of one cut have in common.

    Parameters
    ----------
    policy : Policy or ModelPolicy
        Decides the orders.
    optimizer : torch.optim.Optimizer, optional
        Its state follows.
    settings : CutSettings
        How layers are cut.
    calibration : Calibration, optional
        What selective layers are measured by.
    """

    policy: Policy | ModelPolicy
    optimizer: torch.optim.Optimizer | None
    settings: CutSettings
    calibration: Calibration | None = None


@dataclass(frozen=True, eq=False)
class Plan:
    """What a cut will do to a layer; no exchange where it stays as it is.

    Parameters
    ----------
    cut : LayerCut
        For the event.
    exchange : ParameterExchange, optional
        The replacement, checked.
    caveats : tuple of str
        What the cut does besides, to be warned of when it is made.
    """

    cut: LayerCut
    exchange: ParameterExchange | None = None
    caveats: tuple[str, ...] = ()


class MeasuredLayer(ABC):
    """A layer whose states have been measured, so that orders can be decided."""

    @property
    @abstractmethod
    def n_states(self) -> int:
        """Number of stored states."""

    @property
    @abstractmethod
    def spectrum(self) -> LayerSpectrum:
        """What a policy decides from."""

    @abstractmethod
    def plan(self, target: OrderTarget | None, context: CutContext) -> Plan:
        """Build and check what a target makes of the layer; it stays as it is."""


def noted(cut: LayerCut, *notes: str) -> LayerCut:
    """Return a record with more notes."""
    return replace(cut, notes=(*cut.notes, *notes))
