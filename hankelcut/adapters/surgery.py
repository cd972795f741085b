"""Exchange of parameters in a live model and its optimizer: all of them, or none."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from hankelcut._errors import OptimizerMismatchError, UnsupportedLayerError
from hankelcut.adapters.registry import find_adapter

__all__ = [
    "ParameterExchange",
    "exchange_parameters",
    "require_held",
    "require_rebindable",
    "require_separate_states",
]


@dataclass(frozen=True, eq=False)
class ParameterExchange:
    """New parameters of one layer, prepared off to the side.

    Parameters
    ----------
    layer : torch.nn.Module
        The layer whose parameters change.
    values : mapping of str to tensor
        New values by attribute name.
    optimizer_state : mapping of str to dict
        New optimizer state by attribute name; empty without an optimizer.
    """

    layer: nn.Module
    values: Mapping[str, Tensor]
    optimizer_state: Mapping[str, dict[str, Any]]


def require_held(
    optimizer: torch.optim.Optimizer, parameter: nn.Parameter, name: str
) -> None:
    """Raise unless the optimizer holds a parameter that is trained.

    Raises
    ------
    OptimizerMismatchError
        If a parameter that requires gradients is in none of its groups.
    """
    groups = optimizer.param_groups
    held = any(parameter is p for group in groups for p in group["params"])
    if parameter.requires_grad and not held:
        msg = (
            f"the optimizer does not hold {name}: after a cut it would train nothing "
            "there; pass the optimizer that was built on this model's parameters, or "
            "freeze the layer"
        )
        raise OptimizerMismatchError(msg)


def require_rebindable(optimizer: torch.optim.Optimizer) -> None:
    """Raise when an optimizer keeps parameters where an exchange does not reach them.

    Raises
    ------
    OptimizerMismatchError
        For LBFGS and others that hold a flat list of their own.
    """
    if hasattr(optimizer, "_params"):
        msg = (
            f"{type(optimizer).__name__} keeps its own list of parameters, which a cut "
            "cannot exchange: it would go on training the old ones; use Adam, AdamW or "
            "SGD"
        )
        raise OptimizerMismatchError(msg)


def require_separate_states(layers: Mapping[str, nn.Module]) -> None:
    """Raise when layers share some of their state parameters and not all.

    Raises
    ------
    UnsupportedLayerError
        Names the layers: no cut of the one is a cut of the other.
    """
    owners: dict[nn.Parameter, str] = {}
    for name, layer in layers.items():
        own = [
            layer.get_parameter(p.name)
            for p in find_adapter(layer).state_parameters(layer)
        ]
        sharing = {owners[p] for p in own if p in owners}
        complete = len(sharing) == 1 and all(p in owners for p in own)
        if sharing and not complete:
            msg = (
                f"{name} shares some state parameters with {', '.join(sorted(sharing))}"
                " and not all: a cut of the one would break the other; tie all of them "
                "or none, or leave these layers out by filter_fn"
            )
            raise UnsupportedLayerError(msg)
        owners.update(dict.fromkeys(own, name))


def exchange_parameters(
    model: nn.Module,
    exchanges: list[ParameterExchange],
    optimizer: torch.optim.Optimizer | None,
) -> None:
    """Put new parameters into a model and its optimizer.

    Every module of the model that holds an old parameter object gets the new one. New
    parameters keep `requires_grad`, hooks and attributes (such as `_no_weight_decay`)
    of the old; optimizer groups keep their order and settings.

    Parameters
    ----------
    model : torch.nn.Module
        The model that contains the layers.
    exchanges : list of ParameterExchange
        What changes, checked before by the functions above.
    optimizer : torch.optim.Optimizer, optional
        Its groups and state follow.
    """
    new_of_old: dict[nn.Parameter, nn.Parameter] = {}
    states: dict[nn.Parameter, dict[str, Any]] = {}
    for exchange in exchanges:
        for name, value in exchange.values.items():
            old = exchange.layer.get_parameter(name)
            new_of_old[old] = _like(old, value)
            states[new_of_old[old]] = exchange.optimizer_state.get(name, {})
    for module in model.modules():
        for name, parameter in list(module._parameters.items()):
            if parameter in new_of_old:
                module._parameters[name] = new_of_old[parameter]
    if optimizer is None:
        return
    for group in optimizer.param_groups:
        group["params"] = [new_of_old.get(p, p) for p in group["params"]]
    for old, new in new_of_old.items():
        optimizer.state.pop(old, None)
        if states[new]:
            optimizer.state[new] = states[new]


def _like(old: nn.Parameter, value: Tensor) -> nn.Parameter:
    """Return a parameter with a new value and everything else of an old one."""
    # Hooks can be registered only while a parameter is trainable.
    new = nn.Parameter(value)
    new.__dict__.update(old.__dict__)
    for hook in (old._backward_hooks or {}).values():
        new.register_hook(hook)  # type: ignore[no-untyped-call]
    accumulated = getattr(old, "_post_accumulate_grad_hooks", None) or {}
    for hook in accumulated.values():
        new.register_post_accumulate_grad_hook(hook)  # type: ignore[no-untyped-call]
    new.requires_grad_(old.requires_grad)
    return new
