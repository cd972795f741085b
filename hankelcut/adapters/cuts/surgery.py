"""Exchange of parameters in a live model and its optimizer: all of them, or none."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from hankelcut._errors import OptimizerMismatchError, UnsupportedLayerError
from hankelcut.adapters.protocol import REMOVED, LinearAdapter
from hankelcut.adapters.registry import find_adapter
from hankelcut.adapters.tensors import find_tensor, owner_of
from hankelcut.lti import StateSpace

__all__ = [
    "Exchanged",
    "ParameterExchange",
    "exchange_parameters",
    "require_held",
    "require_rebindable",
    "require_separate_states",
    "trial_layer",
]


@dataclass(frozen=True, eq=False)
class ParameterExchange:
    """New parameters of one layer, prepared off to the side.

    Parameters
    ----------
    layer : torch.nn.Module
        The layer whose parameters change.
    values : mapping of str to tensor
        New values by path.
    attributes : mapping of str to object
        Plain attributes and submodules by path; `REMOVED` for those that must go.
    optimizer_state : mapping of str to dict
        New optimizer state by path; empty without an optimizer.
    successor : torch.nn.Module, optional
        Takes the layer's place; it may share what the layer holds.
    joined : mapping of str to str
        Paths of parameters that only the successor has, each with that of a parameter
        of the layer whose group of the optimizer it joins.
    """

    layer: nn.Module
    values: Mapping[str, Tensor]
    attributes: Mapping[str, Any]
    optimizer_state: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    successor: nn.Module | None = None
    joined: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Exchanged:
    """What an exchange replaced, to be put back.

    Parameters
    ----------
    steps : tuple of callables
        Each puts one thing back; in the order of the exchange.
    """

    steps: tuple[Callable[[], object], ...]

    def undo(self) -> None:
        """Put back the very objects that were there before, the last one first.

        Right as long as nothing has trained or exchanged the model since.
        """
        for step in reversed(self.steps):
            step()


def require_held(optimizer: torch.optim.Optimizer, tensor: Tensor, name: str) -> None:
    """Raise unless the optimizer holds a parameter that is trained.

    Raises
    ------
    OptimizerMismatchError
        If a parameter that requires gradients is in none of its groups.
    """
    groups = optimizer.param_groups
    held = any(tensor is p for group in groups for p in group["params"])
    if tensor.requires_grad and not held:
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
    """Raise when layers share state parameters, but not all or not one system.

    Raises
    ------
    UnsupportedLayerError
        Names the layers: no cut of the one is a cut of the other.
    """
    owners: dict[Tensor, str] = {}
    for name, layer in layers.items():
        own = [
            find_tensor(layer, p.name)
            for p in find_adapter(layer).state_parameters(layer)
        ]
        sharing = {owners[p] for p in own if p in owners}
        complete = len(sharing) == 1 and all(p in owners for p in own)
        if sharing and not complete:
            msg = (
                f"{name} shares some state parameters with {', '.join(sorted(sharing))}"
                " and not all: a cut of the one would break the other; tie all of them "
                "or none, or leave all of these layers out by filter_fn"
            )
            raise UnsupportedLayerError(msg)
        if sharing and not _read_alike(layers[min(sharing)], layer):
            msg = (
                f"{name} shares its state parameters with {min(sharing)}, but is "
                "another system, of another step perhaps: a cut of the one would be "
                "none of the other; tie all that they are made of, or none of it"
            )
            raise UnsupportedLayerError(msg)
        owners.update(dict.fromkeys(own, name))


def _read_alike(one: nn.Module, other: nn.Module) -> bool:
    """Whether two layers with the same state parameters are one system but for D."""
    first, second = find_adapter(one), find_adapter(other)
    if not isinstance(first, LinearAdapter) or not isinstance(second, LinearAdapter):
        return True
    read, other_read = first.read(one), second.read(other)
    a, b = read.to_balance, other_read.to_balance
    state = "A" if isinstance(a, StateSpace) else "exponents"
    gains = (read.layer_gain, read.bound_gain)
    return (
        type(a) is type(b)
        and gains == (other_read.layer_gain, other_read.bound_gain)
        and all(torch.equal(getattr(a, k), getattr(b, k)) for k in (state, "B", "C"))
    )


def exchange_parameters(
    model: nn.Module,
    exchanges: list[ParameterExchange],
    optimizer: torch.optim.Optimizer | None,
    configurations: Sequence[tuple[object, object]] = (),
) -> Exchanged:
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
    configurations : sequence of (object, object)
        Old and new: each module that holds an old one as an attribute gets the new one.

    Returns
    -------
    Exchanged
        Undoes it.

    Raises
    ------
    OptimizerMismatchError
        If parameters of a successor that are trained find no group of the optimizer to
        join; nothing is changed then.
    """
    if optimizer is not None:
        _require_joinable(optimizer, exchanges)
    new_of_old: dict[Tensor, Tensor] = {}
    states: dict[Tensor, dict[str, Any]] = {}
    for exchange in exchanges:
        for name, value in exchange.values.items():
            old = find_tensor(exchange.layer, name)
            new_of_old[old] = _like(old, value)
            states[new_of_old[old]] = exchange.optimizer_state.get(name, {})
    successors = {x.layer: x.successor for x in exchanges if x.successor is not None}
    steps: list[Callable[[], object]] = []
    for module in list(model.modules()):
        for slots in (module._parameters, module._buffers):
            for name, tensor in list(slots.items()):
                if tensor in new_of_old:
                    steps.append(_put_back(slots, name))
                    slots[name] = new_of_old[tensor]  # type: ignore[assignment]
        for name, child in list(module._modules.items()):
            if child in successors:
                steps.append(_put_back(module._modules, name))
                module._modules[name] = successors[child]
        for before, after in configurations:
            for name in [key for key, held in vars(module).items() if held is before]:
                steps += _set_attribute(module, name, after)
    for exchange in exchanges:
        for path, value in exchange.attributes.items():
            steps += _set_attribute(*owner_of(exchange.layer, path), value)
    if optimizer is not None:
        steps += _exchange_in_optimizer(optimizer, new_of_old, states)
        steps += _join(optimizer, exchanges)
    return Exchanged(tuple(steps))


def _require_joinable(
    optimizer: torch.optim.Optimizer, exchanges: Sequence[ParameterExchange]
) -> None:
    """Raise unless each trained parameter of a successor finds a group to join."""
    for exchange in exchanges:
        for name, beside in exchange.joined.items():
            assert exchange.successor is not None  # noqa: S101 - narrows the type
            if find_tensor(exchange.successor, name).requires_grad:
                kind = type(exchange.layer).__name__
                tensor = find_tensor(exchange.layer, beside)
                require_held(optimizer, tensor, f"{beside} of a {kind}")


def _exchange_in_optimizer(
    optimizer: torch.optim.Optimizer,
    new_of_old: Mapping[Tensor, Tensor],
    states: Mapping[Tensor, dict[str, Any]],
) -> list[Callable[[], object]]:
    """Exchange parameters in groups and state; return what puts them back."""
    steps: list[Callable[[], object]] = []
    for group in optimizer.param_groups:
        steps.append(_put_back(group, "params"))
        group["params"] = [new_of_old.get(p, p) for p in group["params"]]
    steps.append(_put_back_all(optimizer.state))
    for old, new in new_of_old.items():
        optimizer.state.pop(old, None)
        if states[new]:
            optimizer.state[new] = states[new]
    return steps


def _join(
    optimizer: torch.optim.Optimizer, exchanges: list[ParameterExchange]
) -> list[Callable[[], object]]:
    """Add the parameters of successors to groups; return what takes them out."""
    steps: list[Callable[[], object]] = []
    for exchange in exchanges:
        for name, beside in exchange.joined.items():
            assert exchange.successor is not None  # noqa: S101 - narrows the type
            new = find_tensor(exchange.successor, name)
            old = find_tensor(exchange.layer, beside)
            for group in optimizer.param_groups:
                if any(old is p for p in group["params"]):
                    steps.append(_put_back(group, "params"))
                    group["params"] = [*group["params"], new]
    return steps


def _put_back(slots: dict[str, Any], name: str) -> Callable[[], object]:
    """Return what restores one entry of a dictionary as it is now."""
    value = slots[name]
    return lambda: slots.update({name: value})


def _put_back_all(slots: dict[Any, Any]) -> Callable[[], object]:
    """Return what restores all entries of a dictionary as they are now."""
    values = dict(slots)

    def restore() -> None:
        slots.clear()
        slots.update(values)

    return restore


def _set_attribute(
    owner: nn.Module, name: str, value: Any
) -> list[Callable[[], object]]:
    """Set or remove an attribute of a module; return what puts it back."""
    had = hasattr(owner, name)
    if not had and value is REMOVED:
        return []
    before = getattr(owner, name, None)
    if value is REMOVED:
        delattr(owner, name)
    else:
        setattr(owner, name, value)
    if had:
        return [lambda: setattr(owner, name, before)]
    return [lambda: delattr(owner, name)]


def _like(old: Tensor, value: Tensor) -> Tensor:
    """Return a parameter with a new value and everything else of an old one."""
    if not isinstance(old, nn.Parameter):
        return value
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


def trial_layer(
    layer: nn.Module, values: Mapping[str, Tensor], attributes: Mapping[str, Any]
) -> nn.Module:
    """Return a shallow copy of a layer with other tensors; the layer stays as it is.

    Parameters
    ----------
    layer : torch.nn.Module
        The layer.
    values : mapping of str to tensor
        New values of parameters and buffers by path.
    attributes : mapping of str to object
        As of `ParameterExchange`.
    """
    trial = _shallow_copy(layer)
    heads = {path.rpartition(".")[0] for path in (*values, *attributes)}
    copied = {head[:k] for head in heads for k in _ends_of_names(head)}
    for path in sorted(copied):
        owner, name = owner_of(trial, path)
        owner._modules[name] = _shallow_copy(owner.get_submodule(name))
    for path, value in values.items():
        owner, name = owner_of(trial, path)
        if owner._parameters.get(name) is not None:
            owner._parameters[name] = nn.Parameter(value, requires_grad=False)
        else:
            owner._buffers[name] = value
    for path, value in attributes.items():
        _set_attribute(*owner_of(trial, path), value)
    return trial


def _ends_of_names(path: str) -> list[int]:
    """Lengths of the parts of a path that name a module: "a.b" names "a" and "a.b"."""
    return [k for k in range(1, len(path) + 1) if path[k : k + 1] in ("", ".")]


def _shallow_copy(module: nn.Module) -> nn.Module:
    """Return a module with dictionaries of its own, of the same tensors."""
    copy = object.__new__(type(module))
    copy.__dict__.update(module.__dict__)
    for name in ("_parameters", "_buffers", "_modules"):
        copy.__dict__[name] = dict(module.__dict__[name])
    return copy
