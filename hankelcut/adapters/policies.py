"""Reduction policies: how many states a layer keeps in a cut."""

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral
from typing import Literal, Protocol, TypeAlias, get_args, runtime_checkable

from hankelcut._errors import PolicyError
from hankelcut.reduction import OrderTarget

__all__ = [
    "BudgetCriterion",
    "EnergyTolerance",
    "ErrorTolerance",
    "FixedFraction",
    "GlobalBudget",
    "LayerSpectrum",
    "ModelPolicy",
    "Policy",
    "TargetOrder",
]

BudgetCriterion: TypeAlias = Literal["energy", "error", "normalised_score"]
"""What layers are compared by: see `GlobalBudget`."""


@dataclass(frozen=True)
class LayerSpectrum:
    """What each number of stored states costs in one layer.

    Parameters
    ----------
    error_bounds : tuple of float
        A-priori error bounds with 0, ..., n stored states, infinite where there is no
        bound; poles that come out real take more states.
    energy_shares : tuple of float
        Discarded shares of the sum of the values by which states are ranked.
    """

    error_bounds: tuple[float, ...]
    energy_shares: tuple[float, ...]

    @property
    def n_states(self) -> int:
        """Number n of stored states."""
        return len(self.energy_shares) - 1

    def normalised_scores(self) -> list[float]:
        """Score of each stored state: its energy over that of it and all above it.

        Gwak et al., Layer-adaptive state pruning for deep state space models, 2024,
        with squared shares of the ranking values in place of squared modal norms.
        """
        kept = [a - b for a, b in itertools.pairwise(self.energy_shares)]
        scores, total = [], 0.0
        for share in kept:
            total += share**2
            scores.append(share**2 / total if total > 0 else 0.0)
        return scores


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


@runtime_checkable
class ModelPolicy(Protocol):
    """Decides the targets of all layers of a model together."""

    def targets(
        self, spectra: Mapping[str, LayerSpectrum]
    ) -> Mapping[str, OrderTarget | None]:
        """Return what decides the order of each layer, or None to leave it alone."""
        ...


@dataclass(frozen=True)
class GlobalBudget:
    """Keep a number of states in all layers together, by one threshold for all.

    Parameters
    ----------
    states : int
        Stored states of all layers together, the shared number of a bank once; every
        layer keeps at least one.
    criterion : {"energy", "error", "normalised_score"}
        The threshold is on the discarded share of each layer, on its error bound, or on
        the normalised scores of its states (Gwak et al., 2024).

    Notes
    -----
    **Method.** A threshold falls until the budget is used up: the next state goes to
    the layer where its absence costs the most.
    """

    states: int
    criterion: BudgetCriterion = "energy"

    def __post_init__(self) -> None:
        if not isinstance(self.states, Integral) or self.states < 1:
            msg = f"GlobalBudget: got states={self.states!r}, need a whole number >= 1"
            raise ValueError(msg)
        if self.criterion not in get_args(BudgetCriterion):
            msg = f"GlobalBudget: got criterion={self.criterion!r}, need one of "
            raise ValueError(msg + ", ".join(get_args(BudgetCriterion)))

    def targets(
        self, spectra: Mapping[str, LayerSpectrum]
    ) -> dict[str, OrderTarget | None]:
        """Return the order of each layer, None where all of its states stay."""
        self._require_bounds(spectra)
        costs = {name: self._costs(one) for name, one in spectra.items()}
        orders = dict.fromkeys(costs, 1)
        least = len(orders)
        if self.states < least:
            msg = (
                f"GlobalBudget: got states={self.states}, need at least {least}: each "
                "of that many layers keeps one"
            )
            raise PolicyError(msg)
        # The state whose absence costs the most comes first: that is a threshold which
        # falls until the budget is used up.
        for _ in range(self.states - least):
            open_layers = [name for name in orders if orders[name] < len(costs[name])]
            if not open_layers:
                break
            worst = max(open_layers, key=lambda name: costs[name][orders[name]])
            orders[worst] += 1
        return {
            name: OrderTarget(order=order) if order < len(costs[name]) else None
            for name, order in orders.items()
        }

    def _require_bounds(self, spectra: Mapping[str, LayerSpectrum]) -> None:
        """Raise PolicyError if it is on error bounds and a layer has none at all."""
        if self.criterion != "error":
            return
        for name, spectrum in spectra.items():
            if all(map(math.isinf, spectrum.error_bounds[:-1])):
                msg = f"GlobalBudget: got criterion='error', but {name or 'the layer'} "
                msg += "has no error bound; use 'energy' or 'normalised_score'"
                raise PolicyError(msg)

    def _costs(self, spectrum: LayerSpectrum) -> list[float]:
        """Cost of having only k of the n states, for k = 0, ..., n - 1, descending."""
        if self.criterion == "normalised_score":
            return _falling(spectrum.normalised_scores())
        if self.criterion == "energy":
            return list(spectrum.energy_shares[:-1])
        return list(spectrum.error_bounds[:-1])


def _falling(values: list[float]) -> list[float]:
    """Return each value, or the largest of those behind it."""
    falling: list[float] = []
    for value in reversed(values):
        falling.append(max(value, falling[-1] if falling else value))
    return falling[::-1]
