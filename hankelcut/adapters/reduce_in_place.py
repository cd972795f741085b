"""One-shot reduction of a model, and reading and writing of single layers."""

import torch
from torch import nn

from hankelcut._errors import UnsupportedLayerError
from hankelcut.adapters.cuts.optimizer_state import OptimizerStateMode
from hankelcut.adapters.cuts.plan import CutContext
from hankelcut.adapters.cuts.settings import CutSettings, SelectiveCut
from hankelcut.adapters.cuts.surgery import (
    ParameterExchange,
    exchange_parameters,
    require_held,
    require_rebindable,
)
from hankelcut.adapters.cuts.transaction import cut_model
from hankelcut.adapters.policies import ModelPolicy, Policy
from hankelcut.adapters.protocol import LinearAdapter
from hankelcut.adapters.reduction_event import ReductionEvent
from hankelcut.adapters.registry import LayerFilter, find_adapter
from hankelcut.adapters.selective.calibration import Calibration
from hankelcut.adapters.tensors import find_tensor
from hankelcut.lti import DiagonalStateSpace, GramianMethod, StateSpace
from hankelcut.reduction import StateMap, StateSelection

__all__ = ["extract", "reduce_", "write_back"]


def extract(layer: nn.Module) -> DiagonalStateSpace | StateSpace:
    """Read the linear system out of a supported layer, in double precision.

    Parameters
    ----------
    layer : torch.nn.Module
        A supported linear state-space layer.

    Returns
    -------
    DiagonalStateSpace or StateSpace
        Discrete, in double precision, on the layer's device, detached; dense for layers
        that are not diagonal. A batch axis holds the channels of a bank. Layers that
        read their state after the update have the transfer function z (G(z) - D) + D
        of it.

    Raises
    ------
    UnsupportedLayerError
        If no adapter recognises the layer, or it is not linear.
    InvalidSystemError
        If a parameter is NaN or infinite.
    """
    return _linear_adapter(layer, "extract").read(layer).system


def write_back(
    layer: nn.Module,
    system: DiagonalStateSpace,
    *,
    model: nn.Module | None = None,
    optimizer: torch.optim.Optimizer | None = None,
) -> None:
    """Store a system in a supported layer, in place.

    Parameters
    ----------
    layer : torch.nn.Module
        A supported linear state-space layer.
    system : DiagonalStateSpace
        Of the form that `extract` returns, with any number of states; torch tensors. A
        layer whose channels share their poles takes the continuous system that its
        adapter's reading calls balanced.
    model : torch.nn.Module, optional
        The model around the layer, if its parameters are shared with other modules.
    optimizer : torch.optim.Optimizer, optional
        Gets the new parameters in place of the old; their moments start anew, because a
        system alone does not say how its states relate to the old ones.

    Raises
    ------
    UnsupportedLayerError
        If no adapter recognises the layer, or it cannot hold the system.
    UnstableSystemError
        If the system is not stable.
    OptimizerMismatchError
        If the optimizer does not hold the layer's parameters.
    """
    adapter = _linear_adapter(layer, "write_back")
    if not isinstance(system.B, torch.Tensor):
        msg = f"write_back: got a system of {type(system.B).__name__}, need torch "
        raise UnsupportedLayerError(msg + "tensors on the layer's device")
    root = layer if model is None else model
    if not any(module is layer for module in root.modules()):
        msg = f"write_back: the layer is no part of the {type(root).__name__} given as "
        raise UnsupportedLayerError(msg + "model; pass the model that contains it")
    if optimizer is not None:
        require_rebindable(optimizer)
        for p in adapter.state_parameters(layer):
            require_held(optimizer, find_tensor(layer, p.name), p.name)
    with torch.no_grad():
        values = adapter.write(layer, system).values
        attributes = adapter.attributes(layer, system.n_states)
        exchange = ParameterExchange(layer, values, attributes)
        exchange_parameters(root, [exchange], optimizer)


def _linear_adapter(layer: nn.Module, caller: str) -> LinearAdapter:
    adapter = find_adapter(layer)
    if isinstance(adapter, LinearAdapter):
        return adapter
    msg = (
        f"{caller}: {type(layer).__name__} is a layer of the kind {adapter.name!r}, "
        "whose state depends on its inputs: it is no linear system; `reduce_` can "
        "select among its states"
    )
    raise UnsupportedLayerError(msg)


def reduce_(
    model: nn.Module,
    policy: Policy | ModelPolicy,
    *,
    optimizer: torch.optim.Optimizer | None = None,
    filter_fn: LayerFilter | None = None,
    minimum_saving: float = 0.0,
    multiple_of: int = 1,
    map: StateMap = "real",
    gramians: GramianMethod = "structured",
    optimizer_state: OptimizerStateMode = "transport",
    selection: StateSelection = "largest",
    seed: int = 0,
    calibration: Calibration | None = None,
    selective: SelectiveCut = "select",
) -> ReductionEvent:
    """Cut every supported layer of a model once, in place.

    Parameters
    ----------
    model : torch.nn.Module
        The model, or a single layer.
    policy : Policy or ModelPolicy
        `EnergyTolerance`, `ErrorTolerance`, `FixedFraction` or `TargetOrder` for each
        layer, or `GlobalBudget` for all of them together.
    optimizer : torch.optim.Optimizer, optional
        Its parameter groups and moments follow.
    filter_fn : callable, optional
        Called with name and layer; False leaves the layer alone.
    minimum_saving, multiple_of, map, gramians, optimizer_state, selection, seed
        As in `InTrainingReducer`.
    calibration : Calibration, optional
        What `calibrate` made of the model as it is; selective layers need it.
    selective : {"select", "project"}
        As in `InTrainingReducer`.

    Returns
    -------
    ReductionEvent
        Orders, bounds and measured errors, layer by layer.

    Raises
    ------
    UnsupportedLayerError
        If the model has no supported layer.
    OptimizerMismatchError
        If the optimizer does not hold a layer's parameters.
    InvalidSystemError, UnstableSystemError
        If a layer holds NaN, infinity or an unstable pole.
    PolicyError
        If the policy would remove every state of a layer, or layers that share a
        configuration cannot have one number of states by it.
    CalibrationError
        If a selective layer was not calibrated as it is.

    Notes
    -----
    After an error the model and the optimizer are as they were.
    """
    settings = CutSettings(
        minimum_saving,
        multiple_of,
        map,
        gramians,
        optimizer_state,
        selection,
        seed,
        selective,
    )
    context = CutContext(policy, optimizer, settings, calibration)
    return cut_model(model, context, filter_fn, step=0).event
