"""Plans to cut linear layers: measure, decide, build and check, all off to the side."""

import bisect
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import nn

from hankelcut._errors import (
    IllConditionedError,
    InvalidSystemError,
    PolicyError,
    ToleranceNotAttainableError,
    UnstableSystemError,
    UnsupportedLayerError,
)
from hankelcut._typing import Array
from hankelcut.adapters.cuts.modal_spectrum import modal_spectrum
from hankelcut.adapters.cuts.optimizer_state import moved_state
from hankelcut.adapters.cuts.plan import CutContext, MeasuredLayer, Plan, noted
from hankelcut.adapters.cuts.prepared_cut import PreparedCut
from hankelcut.adapters.cuts.settings import CutSettings
from hankelcut.adapters.cuts.surgery import ParameterExchange
from hankelcut.adapters.cuts.verification import trouble_with
from hankelcut.adapters.policies import LayerSpectrum
from hankelcut.adapters.protocol import LayerReading, LinearAdapter
from hankelcut.adapters.reduction_event import LayerCut
from hankelcut.adapters.registry import storage_eps
from hankelcut.lti import DiagonalStateSpace, StateSpace
from hankelcut.lti.structure.stability import require_stable
from hankelcut.lti.systems.conversions import map_arrays
from hankelcut.reduction import (
    Balancing,
    BankSpectrum,
    ErrorBound,
    OrderTarget,
    ReductionResult,
    StateSelection,
    balance,
    selected_modes,
    truncate,
    truncate_bank,
)

__all__ = ["BalancedLayer", "measure_linear_layers"]

# What says that the parameters of a layer cannot hold a reduced system.
_NOT_STORABLE = (IllConditionedError, UnstableSystemError, UnsupportedLayerError)


def measure_linear_layers(
    layers: Mapping[str, tuple[nn.Module, LinearAdapter]], settings: CutSettings
) -> dict[str, "BalancedLayer"]:
    """Read and balance linear layers, those of equal shape in one batch.

    Parameters
    ----------
    layers : mapping of str to (torch.nn.Module, LinearAdapter)
        Layers by name, with what reads them.
    settings : CutSettings
        What is balanced, and how.

    Returns
    -------
    dict of str to BalancedLayer
        By name.

    Raises
    ------
    IllConditionedError, InvalidSystemError, UnsupportedLayerError, UnstableSystemError
        If a layer cannot be read or is not stable; names it.
    """
    readings = {name: _read(name, *pair) for name, pair in layers.items()}
    groups: dict[tuple[object, ...], list[str]] = {}
    for name, reading in readings.items():
        groups.setdefault(_shape_of(reading.to_balance), []).append(name)
    measured = {}
    for names in groups.values():
        stacked = _stacked([readings[name].to_balance for name in names])
        balancing = balance(
            stacked, map=settings.map, gramians=settings.gramians, caller="cut"
        )
        for k, name in enumerate(names):
            layer, adapter = layers[name]
            measured[name] = BalancedLayer(
                name,
                layer,
                adapter,
                readings[name],
                stacked[k],
                balancing[k],
                settings.selection,
            )
    return {name: measured[name] for name in layers}


def _read(name: str, layer: nn.Module, adapter: LinearAdapter) -> LayerReading:
    """Return the reading of a layer; errors name the layer."""
    try:
        reading = adapter.read(layer)
        require_stable("cut", reading.to_balance)
    except (InvalidSystemError, *_NOT_STORABLE) as error:
        raise type(error)(f"{name or 'the layer'}: {error}") from error
    return reading


def _shape_of(system: DiagonalStateSpace | StateSpace) -> tuple[object, ...]:
    """Return what systems must have in common to be balanced in one batch."""
    readout = system.readout if isinstance(system, DiagonalStateSpace) else None
    shapes = (system.B.shape, system.C.shape)
    return (*shapes, system.B.device, system.B.dtype, system.time, readout)


def _stacked(
    systems: Sequence[DiagonalStateSpace | StateSpace],
) -> DiagonalStateSpace | StateSpace:
    """Stack systems of one shape; host tensors become NumPy arrays."""
    first = systems[0]
    state = "A" if isinstance(first, StateSpace) else "exponents"
    fields: dict[str, Any] = {
        name: torch.stack([getattr(system, name) for system in systems])
        for name in (state, "B", "C", "D")
    }
    return map_arrays(replace(first, **fields), _fastest)


def _fastest(array: torch.Tensor) -> Array:
    """Return a tensor on the host as a NumPy array of the same memory."""
    return array.numpy() if array.device.type == "cpu" else array


@dataclass(frozen=True, eq=False)
class BalancedLayer(MeasuredLayer):
    """A linear layer's system as read, and on the arrays that compute fastest.

    Parameters
    ----------
    name : str
        Qualified name of the layer.
    layer : torch.nn.Module
        The layer.
    adapter : LinearAdapter
        Reads and writes it.
    reading : LayerReading
        What it is, in torch tensors.
    system : DiagonalStateSpace or StateSpace
        What is balanced.
    balancing : Balancing
        Of it.
    selection : StateSelection
        Which states a cut keeps.
    """

    name: str
    layer: nn.Module
    adapter: LinearAdapter
    reading: LayerReading
    system: DiagonalStateSpace | StateSpace
    balancing: Balancing
    selection: StateSelection

    @property
    def n_states(self) -> int:
        """Number of stored states."""
        return self.reading.form.n_states

    @property
    def spectrum(self) -> LayerSpectrum:
        """What a policy decides from; real poles, which take more states, apart."""
        if self.selection in ("hinf", "energy"):
            system = self._diagonal_system()
            return modal_spectrum(system, self.selection, self.reading.error_gain)
        bank, gain = self._bank, self.reading.error_gain
        counts = range(self.n_states + 1)
        error, energy = OrderTarget(error_tol=0.0), OrderTarget(energy_tol=0.0)
        bounds = [bank.measure(error, bank.orders(count)) for count in counts]
        known = self.reading.is_bounded_beforehand
        return LayerSpectrum(
            tuple(gain * bound if known else math.inf for bound in bounds),
            tuple(bank.measure(energy, bank.orders(count)) for count in counts),
        )

    def plan(self, target: OrderTarget | None, context: CutContext) -> Plan:
        """Decide, build and check the replacement.

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
        before, values = self.n_states, self._values()
        unchanged = LayerCut(self.name, before, before, 0.0, 0.0, values)
        if target is None or not any(values):
            note = () if target is None else ("no response at all",)
            return Plan(noted(unchanged, *note))
        most = context.settings.most_states(before)
        warnings: tuple[str, ...] = ()
        try:
            result = self._reduced(target, context.settings)
            warnings = () if result is None else result.warnings
            order = before if result is None else result.order
            if order == 0:
                raise PolicyError(self._removes_everything(context))
            known = self.reading.is_bounded_beforehand
            if target.error_tol is not None and not known:
                cut = self._fewest_proven(target.error_tol, most, context.settings)
            elif result is None or order > most:
                little = f"would keep {order} of {before} states: too little to save"
                return Plan(noted(unchanged, *warnings, little))
            else:
                cut = self._prepared(result)
        except ToleranceNotAttainableError as error:
            return Plan(noted(unchanged, str(error)))
        except _NOT_STORABLE as error:
            return Plan(noted(unchanged, *warnings, f"refused: {error}"))
        return self._checked(cut, unchanged, context)

    def _prepared(self, result: ReductionResult) -> PreparedCut:
        return PreparedCut.of(self.layer, self.adapter, self.reading, result)

    def _fewest_proven(
        self, tolerance: float, most: int, settings: CutSettings
    ) -> PreparedCut:
        """Return the cut to the fewest states whose error is proven to be tolerable.

        Where no number limits the errors beforehand: measured ones, which cost little
        and fall with the number of states, tell where to begin proving.

        Raises
        ------
        ToleranceNotAttainableError
            If there is none of at most so many states.
        """
        cuts: dict[int, PreparedCut] = {}

        def within(order: int) -> bool:
            try:
                result = self._reduced(OrderTarget(order=order), settings)
                if result is None:
                    return False
                cuts[order] = self._prepared(result)
            except _NOT_STORABLE:
                return False
            return cuts[order].measured <= tolerance

        orders = range(settings.multiple_of, most + 1, settings.multiple_of)
        first = bisect.bisect_left(orders, True, key=within)
        for order in orders[first:]:
            if (order in cuts or within(order)) and cuts[order].bound <= tolerance:
                return cuts[order]
        msg = (
            f"no cut to at most {most} of {self.n_states} states has an error that is "
            f"proven to be below {tolerance:.3g}: too little to save"
        )
        raise ToleranceNotAttainableError(msg)

    def _reduced(
        self, target: OrderTarget, settings: CutSettings
    ) -> ReductionResult | None:
        """Return the reduced system with the states that are chosen; None if all."""
        result = self._truncated(target, settings)
        if result is None or not 0 < result.order < self.n_states:
            return result
        return self._selected(result, settings.seed)

    def _truncated(
        self, target: OrderTarget, settings: CutSettings
    ) -> ReductionResult | None:
        """Return the reduced system, its order rounded up to a multiple."""
        result = self._truncated_exactly(target)
        multiple = settings.multiple_of
        if result is None or result.order % multiple == 0:
            return result
        rounded = multiple * math.ceil(result.order / multiple)
        if rounded >= self.n_states:
            return None
        return self._truncated_exactly(OrderTarget(order=rounded))

    def _truncated_exactly(self, target: OrderTarget) -> ReductionResult | None:
        """Return the reduced system; None if every state is needed."""
        if target.error_tol is not None:
            target = replace(
                target, error_tol=target.error_tol / self.reading.error_gain
            )
        eps, caller = storage_eps(self.layer), self._caller
        if self.system.batch_shape:
            return truncate_bank(
                self.balancing,
                self.system,
                target,
                stored_as=map_arrays(self.reading.form, _fastest),
                storage_eps=eps,
                caller=caller,
            )
        return truncate(
            self.balancing, self.system, target, storage_eps=eps, caller=caller
        )

    def _selected(self, balanced: ReductionResult, seed: int) -> ReductionResult:
        """Return as many states by another choice, if one is wanted; no bound."""
        if self.selection == "largest":
            return balanced
        modes = selected_modes(
            self.balancing,
            self._diagonal_system(),
            balanced.order,
            self.selection,
            seed=seed,
            storage_eps=storage_eps(self.layer),
            caller=self._caller,
        )
        return replace(
            balanced,
            system=modes.system,
            order=modes.system.n_states,
            bound=ErrorBound(None, condition="none: measured afterwards"),
            method=f"states of the choice {self.selection!r}",
            left_projection=modes.left,
            right_projection=modes.right,
        )

    def _diagonal_system(self) -> DiagonalStateSpace:
        """Return the system, if it has states to choose from.

        Raises
        ------
        UnsupportedLayerError
            If it is dense.
        """
        if isinstance(self.system, DiagonalStateSpace):
            return self.system
        msg = f"{self._caller}: got selection={self.selection!r} for a layer that is no"
        raise UnsupportedLayerError(f"{msg} diagonal system; use 'largest'")

    @property
    def _caller(self) -> str:
        return f"cut of {self.name or 'the layer'}"

    def _checked(
        self, cut: PreparedCut, unchanged: LayerCut, context: CutContext
    ) -> Plan:
        """Return the replacement, if it passes the checks as stored."""
        warnings = cut.result.warnings
        trouble = trouble_with(
            unchanged, context.policy, cut.bound, cut.storage, cut.measured
        )
        if trouble:
            return Plan(noted(unchanged, *warnings, trouble))
        done = replace(
            noted(unchanged, *warnings),
            states_after=cut.result.order,
            error_bound=cut.bound,
            measured_error=cut.measured,
        )
        state = {}
        if context.optimizer is not None:
            state = moved_state(
                context.optimizer,
                self.layer,
                self.adapter.state_parameters(self.layer),
                cut.coordinates,
                context.settings.optimizer_state,
            )
        values, attributes = cut.replacement.values, cut.attributes
        return Plan(done, ParameterExchange(self.layer, values, attributes, state))

    @cached_property
    def _bank(self) -> BankSpectrum:
        """Return the spectra of the channels, of which one system has one."""
        values, doubt = self.balancing.values, self.balancing.uncertainty
        if not self.system.batch_shape:
            values, doubt = values[None], doubt[None]
        return BankSpectrum.of(values, doubt, self.n_states)

    def _values(self) -> tuple[float, ...]:
        """For each index the largest Hankel singular value of a channel."""
        return tuple(self._bank.values.max(axis=0).tolist())

    def _removes_everything(self, context: CutContext) -> str:
        bound = self._bank.bounds[:, 0].max()
        return (
            f"{context.policy} would remove every state of {self.name or 'the layer'} "
            f"(all {self.n_states} together have an error bound of {bound:.3g}); choose"
            " a smaller tolerance"
        )
