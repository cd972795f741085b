"""One cut of all layers of a model: measure, decide, build, check; then exchange."""

import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from hankelcut._errors import NumericalWarning, UnsupportedLayerError
from hankelcut._parallel import one_blas_thread
from hankelcut.adapters.cuts.configurations import (
    SharedConfiguration,
    common_orders,
    find_configurations,
    new_configurations,
    require_whole,
)
from hankelcut.adapters.cuts.linear_plan import measure_linear_layers
from hankelcut.adapters.cuts.optimizer_state import require_known_state
from hankelcut.adapters.cuts.plan import CutContext, MeasuredLayer
from hankelcut.adapters.cuts.selective_measurement import measure_selective_layers
from hankelcut.adapters.cuts.selective_plan import SelectiveLayer
from hankelcut.adapters.cuts.settings import CutSettings
from hankelcut.adapters.cuts.surgery import (
    Exchanged,
    exchange_parameters,
    require_held,
    require_rebindable,
    require_separate_states,
)
from hankelcut.adapters.policies import ModelPolicy
from hankelcut.adapters.protocol import LinearAdapter, SelectiveAdapter
from hankelcut.adapters.reduction_event import ReductionEvent
from hankelcut.adapters.registry import (
    LayerFilter,
    find_adapter,
    find_layers,
    find_refused,
)
from hankelcut.adapters.selective.calibration import Calibration
from hankelcut.adapters.tensors import find_tensor
from hankelcut.reduction import OrderTarget

__all__ = [
    "DoneCut",
    "cut_model",
    "decided_targets",
    "measure_layers",
    "require_ready",
]


@dataclass(frozen=True, eq=False)
class DoneCut:
    """A cut that was made.

    Parameters
    ----------
    event : ReductionEvent
        What happened to each layer.
    exchanged : Exchanged
        Undoes it.
    """

    event: ReductionEvent
    exchanged: Exchanged


def require_ready(
    model: nn.Module, context: CutContext, filter_fn: LayerFilter | None
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
        msg += " and the filter admits; nothing can be cut"
        for name, kind in find_refused(model, filter_fn).items():
            msg += f". {name or 'The layer'} is refused, {kind.name}: {kind.reason}"
        raise UnsupportedLayerError(msg)
    require_separate_states(layers)
    optimizer = context.optimizer
    if optimizer is not None:
        require_rebindable(optimizer)
        for name, layer in layers.items():
            for p in find_adapter(layer).state_parameters(layer):
                tensor = find_tensor(layer, p.name)
                require_held(optimizer, tensor, f"{name}.{p.name}")
                if context.settings.optimizer_state != "reset":
                    require_known_state(optimizer, tensor, f"{name}.{p.name}")
    return layers


def cut_model(
    model: nn.Module,
    context: CutContext,
    filter_fn: LayerFilter | None,
    step: int,
) -> DoneCut:
    """Cut every layer of a model by a policy, or leave everything as it was.

    Parameters
    ----------
    model : torch.nn.Module
        The model; its layers are exchanged in place, at the very end.
    context : CutContext
        Policy, optimizer and settings.
    filter_fn : callable or None
        Which layers.
    step : int
        For the event.

    Returns
    -------
    DoneCut
        What happened to each layer, and what undoes it.

    Raises
    ------
    HankelcutError
        Of the kind that says why; the model and the optimizer are then unchanged.

    Warns
    -----
    NumericalWarning
        If a layer normalises over its states.
    """
    begun = time.perf_counter()
    layers = require_ready(model, context, filter_fn)
    configurations = find_configurations(model, context.settings)
    require_whole(configurations, layers)
    with torch.no_grad(), one_blas_thread():
        measured = measure_layers(layers, context.settings, context.calibration)
        targets = decided_targets(measured, context, configurations)
        plans = [one.plan(targets[name], context) for name, one in measured.items()]
        for caveat in [caveat for plan in plans for caveat in plan.caveats]:
            warnings.warn(caveat, NumericalWarning, stacklevel=3)
        exchanges = [plan.exchange for plan in plans if plan.exchange is not None]
        states = {plan.cut.name: plan.cut.states_after for plan in plans}
        changed = new_configurations(model, configurations, states)
        exchanged = exchange_parameters(model, exchanges, context.optimizer, changed)
    seconds = time.perf_counter() - begun
    event = ReductionEvent(step, tuple(plan.cut for plan in plans), seconds)
    return DoneCut(event, exchanged)


def measure_layers(
    layers: Mapping[str, nn.Module],
    settings: CutSettings,
    calibration: Calibration | None = None,
) -> dict[str, MeasuredLayer]:
    """Measure the states of layers, those of equal shape in one batch.

    Parameters
    ----------
    layers : mapping of str to torch.nn.Module
        Supported layers by name.
    settings : CutSettings
        What is measured, and how.
    calibration : Calibration, optional
        What selective layers are measured by.

    Raises
    ------
    InvalidSystemError, UnsupportedLayerError, UnstableSystemError
        If a layer cannot be read or is not stable; names it.
    CalibrationError
        If a selective layer was not calibrated as it is.
    """
    linear: dict[str, tuple[nn.Module, LinearAdapter]] = {}
    selective: dict[str, tuple[nn.Module, SelectiveAdapter]] = {}
    for name, layer in layers.items():
        adapter = find_adapter(layer)
        if isinstance(adapter, LinearAdapter):
            linear[name] = (layer, adapter)
        elif isinstance(adapter, SelectiveAdapter):
            selective[name] = (layer, adapter)
    measured: dict[str, MeasuredLayer] = {
        **measure_linear_layers(linear, settings),
        **measure_selective_layers(selective, calibration, settings),
    }
    return {name: measured[name] for name in layers}


def decided_targets(
    measured: Mapping[str, MeasuredLayer],
    context: CutContext,
    configurations: Sequence[SharedConfiguration],
) -> dict[str, OrderTarget | None]:
    """Let a policy decide, layer by layer or over all of them.

    Parameters
    ----------
    measured : mapping of str to MeasuredLayer
        Layers by name.
    context : CutContext
        What decides.
    configurations : sequence of SharedConfiguration
        Those of the model, each of which asks for one number of states.

    Raises
    ------
    PolicyError
        If the policy decides on all layers together, differently for some that share a
        configuration, or would remove every state of one.
    """
    policy = context.policy
    targets: dict[str, OrderTarget | None]
    if isinstance(policy, ModelPolicy):
        spectra = {name: one.spectrum for name, one in measured.items()}
        targets = dict(policy.targets(spectra))
    else:
        targets = {name: policy.target(one.n_states) for name, one in measured.items()}
    orders = {
        name: one.order(targets[name], context)
        for name, one in measured.items()
        if isinstance(one, SelectiveLayer)
    }
    common = common_orders(
        configurations,
        orders,
        for_all=isinstance(policy, ModelPolicy),
        policy=policy,
    )
    changed = {n: OrderTarget(order=k) for n, k in common.items() if k != orders[n]}
    return targets | changed
