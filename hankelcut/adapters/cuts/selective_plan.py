"""Plans to select among the states of layers whose system depends on their inputs."""

import itertools
import math
from abc import abstractmethod
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from hankelcut._errors import PolicyError, UnsupportedLayerError
from hankelcut.adapters.cuts.optimizer_state import scaled_state, selected_state
from hankelcut.adapters.cuts.plan import CutContext, MeasuredLayer, Plan, noted
from hankelcut.adapters.cuts.surgery import ParameterExchange
from hankelcut.adapters.policies import LayerSpectrum
from hankelcut.adapters.protocol import SelectiveAdapter
from hankelcut.adapters.reduction_event import LayerCut
from hankelcut.adapters.selective.gramians import EmpiricalGramians
from hankelcut.adapters.selective.signals import StateVector
from hankelcut.adapters.tensors import find_tensor, has_tensors
from hankelcut.reduction import OrderTarget

__all__ = ["ScoredLayer", "SelectiveLayer"]

_NO_BOUND = (
    "no error bound: the system depends on the inputs; scores hold for the calibration"
    " data"
)


@dataclass(frozen=True, eq=False)
class SelectiveLayer(MeasuredLayer):
    """A selective layer whose states, or directions of them, have values.

    Parameters
    ----------
    name : str
        Qualified name of the layer.
    layer : torch.nn.Module
        The layer.
    adapter : SelectiveAdapter
        Knows its parameters.
    gramians : EmpiricalGramians
        From data.
    """

    name: str
    layer: nn.Module
    adapter: SelectiveAdapter
    gramians: EmpiricalGramians

    @property
    def n_states(self) -> int:
        """Number of stored states of each channel."""
        return self.gramians.n_states

    @property
    def spectrum(self) -> LayerSpectrum:
        """What a policy decides from: shares of the scores, and no bounds."""
        n = self.n_states
        total = float(self._sorted.sum())
        kept = [0.0, *itertools.accumulate(self._sorted.sum(dim=0).tolist())]
        shares = [max(0.0, 1 - part / total) if total > 0 else 0.0 for part in kept]
        shares[n] = 0.0
        return LayerSpectrum((*[math.inf] * n, 0.0), tuple(shares))

    def order(self, target: OrderTarget | None, context: CutContext) -> int:
        """Return how many states a target leaves.

        Parameters
        ----------
        target : OrderTarget, optional
            What decides; None leaves the layer alone.
        context : CutContext
            Settings: the number is rounded up to a multiple, and is that of all states
            where too few would be saved.

        Raises
        ------
        PolicyError
            If the target would remove every state.
        """
        settings, n = context.settings, self.n_states
        if target is None or target.error_tol is not None or not self._values[0]:
            return n
        order = target.order
        if order is None:
            assert target.energy_tol is not None  # noqa: S101 - what policies ask for
            shares = self.spectrum.energy_shares
            order = next(k for k in range(n + 1) if shares[k] <= target.energy_tol)
        if order == 0:
            msg = f"{context.policy} would remove every state of "
            raise PolicyError(f"{msg}{self.name or 'the layer'}; choose another")
        order = min(n, settings.multiple_of * math.ceil(order / settings.multiple_of))
        return order if order <= settings.most_states(n) else n

    def plan(self, target: OrderTarget | None, context: CutContext) -> Plan:
        """Build the replacement of fewer states.

        Parameters
        ----------
        target : OrderTarget, optional
            What decides the order; None leaves the layer alone.
        context : CutContext
            Policy, optimizer and settings.

        Raises
        ------
        PolicyError
            If the target would remove every state.
        """
        n, values = self.n_states, self._values
        unchanged = LayerCut(self.name, n, n, 0.0, 0.0, values)
        if target is None:
            return Plan(unchanged)
        if target.error_tol is not None:
            return Plan(
                noted(unchanged, f"{context.policy} needs a bound; {_NO_BOUND}")
            )
        if not values[0]:
            return Plan(noted(unchanged, "no response at all"))
        order = self.order(target, context)
        if order == n:
            return Plan(noted(unchanged, f"would keep {n} of {n} states"))
        exchange, caveats = self._replacement(order, context)
        cut = replace(
            noted(unchanged, _NO_BOUND, *caveats),
            states_after=order,
            error_bound=None,
            measured_error=None,
        )
        return Plan(cut, exchange, caveats)

    @cached_property
    @abstractmethod
    def _sorted(self) -> Tensor:
        """Values of each group, descending, (G, n)."""

    @abstractmethod
    def _replacement(
        self, order: int, context: CutContext
    ) -> tuple[ParameterExchange, tuple[str, ...]]:
        """Return what a layer of fewer states takes, and what it does besides."""

    @property
    def _values(self) -> tuple[float, ...]:
        """For each index the largest value of a group."""
        return tuple(self._sorted.max(dim=0).values.tolist())


class ScoredLayer(SelectiveLayer):
    """A selective layer that keeps the states of the largest scores."""

    @cached_property
    def _sorted(self) -> Tensor:
        """Scores of each group, descending."""
        return self.gramians.scores.sort(dim=-1, descending=True).values

    def _replacement(
        self, order: int, context: CutContext
    ) -> tuple[ParameterExchange, tuple[str, ...]]:
        """Return the parameters of the states that stay, and what norms do to them."""
        kept = self._kept(order, context)
        return self._exchange(kept, context), self._caveats(kept)

    def _kept(self, order: int, context: CutContext) -> Tensor:
        """Return the indices of the states that stay in each group, ascending."""
        scores, settings = self.gramians.scores, context.settings
        if settings.selection == "smallest":
            scores = -scores
        elif settings.selection == "random":
            random = torch.Generator().manual_seed(settings.seed)
            scores = torch.rand(scores.shape, generator=random).to(scores)
        elif settings.selection != "largest":
            msg = f"cut of {self.name or 'the layer'}: got selection="
            msg += f"{settings.selection!r} for a layer that is no linear system; use "
            raise UnsupportedLayerError(f"{msg}'largest', 'smallest' or 'random'")
        order_of = scores.argsort(dim=-1, descending=True, stable=True)
        return order_of[:, :order].sort(dim=-1).values

    def _growth(self, vector: StateVector, kept: Tensor) -> float:
        """Return by how much a norm over fewer states scales those that stay.

        The norm divides by the root of the mean square of what it gets, which is what
        it returns over its weight.
        """
        energies = self.gramians.energies[vector]
        weight = f"{self.adapter.norms(self.layer)[vector]}.weight"
        if has_tensors(self.layer, weight):
            scale = find_tensor(self.layer, weight).detach().double().square()
            energies = torch.where(scale > 0, energies / scale, 0.0)
        share = float(energies.gather(-1, kept).sum() / energies.sum())
        return math.sqrt(kept.shape[1] / self.n_states / share) if share > 0 else 1.0

    def _caveats(self, kept: Tensor) -> tuple[str, ...]:
        """Return what removal does besides removing states."""
        norms = self.adapter.norms(self.layer)
        if not norms:
            return ()
        growth = ", ".join(
            f"{v} by a factor that its bias hides"
            if has_tensors(self.layer, f"{path}.bias")
            else f"{v} x {self._growth(v, kept):.3g}"
            for v, path in norms.items()
        )
        held = all(self._is_learned(path) for path in norms.values())
        what = (
            "which their weights make up for"
            if held
            else "and no weight makes up for it"
        )
        msg = f"{self.name or 'the layer'} normalises over its states: fewer of them "
        return (f"{msg}rescale the others ({growth} on average, {what})",)

    def _is_learned(self, norm: str) -> bool:
        """Whether a norm has weights, and no bias, that the model computes with."""
        held = self.layer.get_submodule(norm)._parameters
        return held.get("weight") is not None and held.get("bias") is None

    def _exchange(self, kept: Tensor, context: CutContext) -> ParameterExchange:
        """Return the parameters with the states that stay."""
        parameters = self.adapter.state_parameters(self.layer)
        values = {
            p.name: p.select(find_tensor(self.layer, p.name).detach(), kept)
            for p in parameters
        }
        attributes = self.adapter.attributes(self.layer, kept.shape[1])
        state: dict[str, dict[str, Any]] = {}
        if context.optimizer is not None:
            state = selected_state(
                context.optimizer,
                self.layer,
                parameters,
                kept,
                context.settings.optimizer_state,
            )
        for vector, path in self.adapter.norms(self.layer).items():
            weight = f"{path}.weight"
            if self._is_learned(path):
                growth = self._growth(vector, kept)
                values[weight] /= growth
                state[weight] = scaled_state(state.get(weight, {}), growth)
        return ParameterExchange(self.layer, values, attributes, state)
