"""Reduction policies: how many states a layer keeps in a cut."""

import math
from dataclasses import dataclass
from numbers import Integral
from typing import Protocol, runtime_checkable

from hankelcut.reduction import OrderTarget

__all__ = [
    "EnergyTolerance",
    "ErrorTolerance",
    "FixedFraction",
    "Policy",
    "TargetOrder",
]


@runtime_checkable
class Policy(Protocol):
    """Decides the target of a cut from the number of states there are."""

    def target(self, n_states: int) -> OrderTarget | None:
        """Return what decides the order of a layer, or None to leave it alone."""
        ...


@dataclass(frozen=True)
class EnergyTolerance:
    """Discard at most a share of the sum of the Hankel singular values.

    Parameters
    ----------
    tau : float
        The share, 0 < tau < 1: the criterion of Chahine et al. (ICLR 2026).
    """

    tau: float

    def __post_init__(self) -> None:
        if not 0 < self.tau < 1:
            msg = f"EnergyTolerance: got tau={self.tau!r}, need a share in (0, 1)"
            raise ValueError(msg)

    def target(self, n_states: int) -> OrderTarget:
        """Return the energy criterion, whatever the number of states."""
        return OrderTarget(energy_tol=self.tau)


@dataclass(frozen=True)
class ErrorTolerance:
    """Keep the H-infinity error bound of each cut of each layer below a limit.

    Parameters
    ----------
    error : float
        Absolute limit, output norm per input norm; what rounding to the layer's dtype
        adds is included.
    """

    error: float

    def __post_init__(self) -> None:
        if not 0 < self.error < math.inf:
            msg = f"ErrorTolerance: got error={self.error!r}, need a number > 0"
            raise ValueError(msg)

    def target(self, n_states: int) -> OrderTarget:
        """Return the error criterion, whatever the number of states."""
        return OrderTarget(error_tol=self.error)


@dataclass(frozen=True)
class FixedFraction:
    """Remove a fixed fraction of the present states in each cut.

    Parameters
    ----------
    fraction : float
        The fraction, 0 < fraction < 1; at least one state stays.
    """

    fraction: float

    def __post_init__(self) -> None:
        if not 0 < self.fraction < 1:
            msg = f"FixedFraction: got fraction={self.fraction!r}, need one in (0, 1): "
            raise ValueError(msg + "a fraction of 1 would remove every state")

    def target(self, n_states: int) -> OrderTarget:
        """Return the order that is left of n_states."""
        return OrderTarget(order=max(1, n_states - round(self.fraction * n_states)))


@dataclass(frozen=True)
class TargetOrder:
    """Keep a fixed number of stored states; layers that have no more stay as they are.

    Parameters
    ----------
    order : int
        The number, at least 1.
    """

    order: int

    def __post_init__(self) -> None:
        if not isinstance(self.order, Integral) or self.order < 1:
            msg = f"TargetOrder: got order={self.order!r}, need a whole number >= 1: a "
            raise ValueError(msg + "layer without any state cannot be trained")

    def target(self, n_states: int) -> OrderTarget | None:
        """Return the order, or None where the layer is small enough."""
        return OrderTarget(order=self.order) if self.order < n_states else None
