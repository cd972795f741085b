"""One-shot reduction of a model, and reading and writing of single layers."""

import torch
from torch import nn

from hankelcut._errors import UnsupportedLayerError
from hankelcut.adapters.optimizer_state import OptimizerStateMode
from hankelcut.adapters.policies import Policy
from hankelcut.adapters.reduction_event import ReductionEvent
from hankelcut.adapters.registry import LayerFilter, find_adapter
from hankelcut.adapters.surgery import (
    ParameterExchange,
    exchange_parameters,
    require_held,
    require_rebindable,
)
from hankelcut.adapters.transaction import CutSettings, cut_model
from hankelcut.lti import DiagonalStateSpace, GramianMethod
from hankelcut.reduction import StateMap

__all__ = ["extract", "reduce_", "write_back"]


def extract(layer: nn.Module) -> DiagonalStateSpace:
    """Read the linear system out of a supported layer, in double precision.

    Parameters
    ----------
    layer : torch.nn.Module
        A supported state-space layer.

    Returns
    -------
    DiagonalStateSpace
        Discrete, complex128, on the layer's device, detached. Layers that read their
        state after the update have the transfer function z (G(z) - D) + D of it.

    Raises
    ------
    UnsupportedLayerError
        If no adapter recognises the layer.
    InvalidSystemError
        If a parameter is NaN or infinite.
    """
    return find_adapter(layer).extract(layer)


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
        A supported state-space layer.
    system : DiagonalStateSpace
        Discrete, with the inputs, outputs and feedthrough of the layer; torch tensors.
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
    adapter = find_adapter(layer)
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
            require_held(optimizer, layer.get_parameter(p.name), p.name)
    with torch.no_grad():
        values = adapter.write(layer, system).values
        exchange_parameters(root, [ParameterExchange(layer, values, {})], optimizer)


def reduce_(
    model: nn.Module,
    policy: Policy,
    *,
    optimizer: torch.optim.Optimizer | None = None,
    filter_fn: LayerFilter | None = None,
    minimum_saving: float = 0.0,
    map: StateMap = "real",
    gramians: GramianMethod = "structured",
    optimizer_state: OptimizerStateMode = "transport",
) -> ReductionEvent:
    """Cut every supported layer of a model once, in place.

    Parameters
    ----------
    model : torch.nn.Module
        The model, or a single layer.
    policy : Policy
        `EnergyTolerance`, `ErrorTolerance`, `FixedFraction` or `TargetOrder`.
    optimizer : torch.optim.Optimizer, optional
        Its parameter groups and moments follow.
    filter_fn : callable, optional
        Called with name and layer; False leaves the layer alone.
    minimum_saving, map, gramians, optimizer_state
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
        If the policy would remove every state of a layer.

    Notes
    -----
    After an error the model and the optimizer are as they were.
    """
    settings = CutSettings(minimum_saving, map, gramians, optimizer_state)
    return cut_model(model, policy, optimizer, settings, filter_fn, step=0)
