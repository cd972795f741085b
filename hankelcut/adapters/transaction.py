"""One cut of all layers of a model: measure, decide, build, check; then exchange."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import get_args

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
from hankelcut._parallel import one_blas_thread
from hankelcut._typing import Array
from hankelcut.adapters.optimizer_state import (
    Coordinates,
    OptimizerStateMode,
    moved_state,
    require_known_state,
)
from hankelcut.adapters.policies import Policy
from hankelcut.adapters.protocol import Replacement
from hankelcut.adapters.reduction_event import LayerCut, ReductionEvent
from hankelcut.adapters.registry import LayerFilter, find_adapter, find_layers
from hankelcut.adapters.surgery import (
    ParameterExchange,
    exchange_parameters,
    require_held,
    require_rebindable,
    require_separate_states,
)
from hankelcut.adapters.verification import measured_error, trouble_with
from hankelcut.lti import (
    DiagonalStateSpace,
    GramianMethod,
    modal_difference_bound,
)
from hankelcut.lti.structure.stability import require_stable
from hankelcut.reduction import Balancing, ReductionResult, StateMap, balance, truncate
from hankelcut.reduction.result import storage_tolerance

__all__ = ["CutSettings", "cut_model", "require_ready"]

# The share of the states that a cut must save may come out this far above a whole
# number.
_SHARE_ROUNDING = 1e-9


@dataclass(frozen=True)
class CutSettings:
    """How layers are cut, whatever the policy.

    Parameters
    ----------
    minimum_saving : float
        Layers that would lose a smaller share of their states stay as they are.
    map : {"real", "complex"}
        What is balanced; see `hankelcut.reduction.balance`.
    gramians : {"structured", "closed_form"}
        How; see `hankelcut.lti.gramian_factors`.
    optimizer_state : {"transport", "reset", "slice"}
        What becomes of the optimizer's moments.
    """

    minimum_saving: float = 0.05
    map: StateMap = "real"
    gramians: GramianMethod = "structured"
    optimizer_state: OptimizerStateMode = "transport"

    def __post_init__(self) -> None:
        if not 0 <= self.minimum_saving < 1:
            msg = f"got minimum_saving={self.minimum_saving!r}, need a share in [0, 1)"
            raise ValueError(msg)
        for name, choices in (
            ("map", StateMap),
            ("gramians", GramianMethod),
            ("optimizer_state", OptimizerStateMode),
        ):
            if getattr(self, name) not in get_args(choices):
                msg = f"got {name}={getattr(self, name)!r}, need one of "
                raise ValueError(msg + ", ".join(get_args(choices)))


def require_ready(
    model: nn.Module,
    optimizer: torch.optim.Optimizer | None,
    settings: CutSettings,
    filter_fn: LayerFilter | None,
) -> dict[str, nn.Module]:
    """Return the layers of a model after checking that they can be cut.

    Raises
    ------
    UnsupportedLayerError
        If the model has no supported layer, or two layers share some of their state
        parameters and not all.
    OptimizerMismatchError
        If the optimizer lacks a parameter, keeps state that cannot be moved, or keeps
        parameters where they cannot be exchanged.
    """
    layers = find_layers(model, filter_fn)
    if not layers:
        msg = f"{type(model).__name__} holds no layer that an adapter recognises"
        raise UnsupportedLayerError(msg + " and the filter admits; nothing can be cut")
    require_separate_states(layers)
    if optimizer is not None:
        require_rebindable(optimizer)
        for name, layer in layers.items():
            for p in find_adapter(layer).state_parameters(layer):
                parameter = layer.get_parameter(p.name)
                require_held(optimizer, parameter, f"{name}.{p.name}")
                if settings.optimizer_state != "reset":
                    require_known_state(optimizer, parameter, f"{name}.{p.name}")
    return layers


def cut_model(
    model: nn.Module,
    policy: Policy,
    optimizer: torch.optim.Optimizer | None,
    settings: CutSettings,
    filter_fn: LayerFilter | None,
    step: int,
) -> ReductionEvent:
    """Cut every layer of a model by a policy, or leave everything as it was.

    Parameters
    ----------
    model : torch.nn.Module
        The model; its layers are exchanged in place, at the very end.
    policy : Policy
        Decides the orders.
    optimizer : torch.optim.Optimizer or None
        Its state follows.
    settings : CutSettings
        How layers are cut.
    filter_fn : callable or None
        Which layers.
    step : int
        For the event.

    Returns
    -------
    ReductionEvent
        What happened to each layer.

    Raises
    ------
    HankelcutError
        Of the kind that says why; the model and the optimizer are then unchanged.
    """
    begun = time.perf_counter()
    layers = require_ready(model, optimizer, settings, filter_fn)
    with torch.no_grad(), one_blas_thread():
        systems = {name: _extracted(name, layer) for name, layer in layers.items()}
        balancings = _balance_together(systems, settings)
        plans = [
            _plan(name, layer, balancings[name], policy, optimizer, settings)
            for name, layer in layers.items()
        ]
        exchanges = [plan.exchange for plan in plans if plan.exchange is not None]
        exchange_parameters(model, exchanges, optimizer)
    seconds = time.perf_counter() - begun
    return ReductionEvent(step, tuple(plan.cut for plan in plans), seconds)


def _extracted(name: str, layer: nn.Module) -> DiagonalStateSpace:
    """Return the system of a layer; errors name the layer."""
    try:
        system = find_adapter(layer).extract(layer)
        require_stable("cut", system)
    except (InvalidSystemError, UnsupportedLayerError, UnstableSystemError) as error:
        raise type(error)(f"{name or 'the layer'}: {error}") from error
    return system


@dataclass(frozen=True, eq=False)
class _Balanced:
    """One layer's system as extracted, and on the arrays that compute fastest."""

    original: DiagonalStateSpace
    system: DiagonalStateSpace
    balancing: Balancing


@dataclass(frozen=True, eq=False)
class _Plan:
    """What a cut will do to a layer; no exchange where it stays as it is."""

    cut: LayerCut
    exchange: ParameterExchange | None = None


def _balance_together(
    systems: Mapping[str, DiagonalStateSpace], settings: CutSettings
) -> dict[str, _Balanced]:
    """Balance all layers of equal shape in one batch."""
    groups: dict[tuple[object, ...], list[str]] = {}
    for name, system in systems.items():
        key = (system.B.shape, system.C.shape, system.B.device, system.readout)
        groups.setdefault(key, []).append(name)
    balanced = {}
    for names in groups.values():
        stacked = _stacked([systems[name] for name in names])
        balancing = balance(
            stacked, map=settings.map, gramians=settings.gramians, caller="cut"
        )
        for k, name in enumerate(names):
            balanced[name] = _Balanced(systems[name], stacked[k], balancing[k])
    return balanced


def _stacked(systems: list[DiagonalStateSpace]) -> DiagonalStateSpace:
    """Stack systems; host tensors become NumPy arrays of the same memory."""
    first = systems[0]
    fields: dict[str, Array] = {
        name: torch.stack([getattr(system, name) for system in systems])
        for name in ("exponents", "B", "C", "D")
    }
    if first.B.device.type == "cpu":
        fields = {name: value.numpy() for name, value in fields.items()}
    return DiagonalStateSpace(**fields, time=first.time, readout=first.readout)


def _plan(
    name: str,
    layer: nn.Module,
    balanced: _Balanced,
    policy: Policy,
    optimizer: torch.optim.Optimizer | None,
    settings: CutSettings,
) -> _Plan:
    """Decide, build and check the replacement of one layer."""
    before = balanced.system.n_states
    spectrum = balanced.balancing.spectrum()
    unchanged = LayerCut(name, before, before, 0.0, 0.0, spectrum.values)
    target = policy.target(before)
    if target is None or not any(spectrum.values):
        note = () if target is None else ("no response at all",)
        return _Plan(_noted(unchanged, *note))
    eps = torch.finfo(_dtype(layer)).eps
    try:
        result = truncate(
            balanced.balancing,
            balanced.system,
            target,
            storage_eps=eps,
            caller=f"cut of {name or 'the layer'}",
        )
    except (IllConditionedError, ToleranceNotAttainableError) as error:
        return _Plan(_noted(unchanged, str(error)))
    if result.order == 0:
        msg = (
            f"{policy} would remove every state of {name or 'the layer'} (all {before} "
            f"together have an error bound of {spectrum.error_bounds()[0]:.3g}); choose"
            " a smaller tolerance"
        )
        raise PolicyError(msg)
    # The share times the states may come out a rounding above a whole number.
    least = max(1, math.ceil(settings.minimum_saving * before - _SHARE_ROUNDING))
    if before - result.order < least:
        little = f"would keep {result.order} of {before} states: too little to save"
        return _Plan(_noted(unchanged, *result.warnings, little))
    original = balanced.original
    return _built(layer, original, result, unchanged, policy, optimizer, settings)


def _built(
    layer: nn.Module,
    original: DiagonalStateSpace,
    result: ReductionResult,
    unchanged: LayerCut,
    policy: Policy,
    optimizer: torch.optim.Optimizer | None,
    settings: CutSettings,
) -> _Plan:
    """Return the replacement of one layer, if it passes the checks as stored."""
    adapter = find_adapter(layer)
    assert isinstance(result.system, DiagonalStateSpace)  # noqa: S101 - narrows it
    intended = _as_torch(result.system, original)
    replacement = adapter.write(layer, intended)
    stored = adapter.extract(_trial(layer, replacement))
    intended = _gauged(intended, replacement)
    rounding = storage_tolerance(torch.finfo(torch.float64).eps)
    storage = float(modal_difference_bound(intended, stored))
    storage += rounding * unchanged.hankel_singular_values[0]
    bound = float(result.error_bound) + storage
    measured = measured_error(original, stored)
    trouble = trouble_with(unchanged, policy, bound, storage, measured)
    if trouble:
        return _Plan(_noted(unchanged, *result.warnings, trouble))
    optimizer_state = {}
    if optimizer is not None:
        left, right = (
            torch.as_tensor(projection).to(original.B)
            for projection in (result.left_projection, result.right_projection)
        )
        optimizer_state = moved_state(
            optimizer,
            layer,
            adapter.state_parameters(layer),
            Coordinates.of_cut(adapter, layer, replacement, left, right),
            settings.optimizer_state,
        )
    cut = LayerCut(
        unchanged.name,
        unchanged.states_before,
        result.order,
        bound,
        measured,
        unchanged.hankel_singular_values,
        result.warnings,
    )
    return _Plan(cut, ParameterExchange(layer, replacement.values, optimizer_state))


def _noted(cut: LayerCut, *notes: str) -> LayerCut:
    return replace(cut, notes=(*cut.notes, *notes))


def _dtype(layer: nn.Module) -> torch.dtype:
    first = find_adapter(layer).state_parameters(layer)[0]
    return layer.get_parameter(first.name).dtype


def _as_torch(
    system: DiagonalStateSpace, like: DiagonalStateSpace
) -> DiagonalStateSpace:
    fields = {
        name: torch.as_tensor(getattr(system, name)).to(like.B.device)
        for name in ("exponents", "B", "C", "D")
    }
    return DiagonalStateSpace(**fields, time=system.time, readout=system.readout)


def _gauged(system: DiagonalStateSpace, replacement: Replacement) -> DiagonalStateSpace:
    """Return the system in the scaling of the stored modes."""
    gauge = replacement.gauge
    return DiagonalStateSpace(
        system.exponents,
        system.B / gauge[:, None],
        system.C * gauge,
        system.D,
        system.time,
        system.readout,
    )


def _trial(layer: nn.Module, replacement: Replacement) -> nn.Module:
    """Return a shallow copy of a layer with new parameters; the layer stays."""
    trial = object.__new__(type(layer))
    parameters = {name: nn.Parameter(v) for name, v in replacement.values.items()}
    trial.__dict__.update(layer.__dict__)
    trial.__dict__["_parameters"] = {**layer._parameters, **parameters}
    return trial
