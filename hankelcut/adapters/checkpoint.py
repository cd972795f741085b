"""Loading of shrunk models into freshly built full-size ones."""

from collections.abc import Collection, Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from hankelcut._errors import CheckpointMismatchError
from hankelcut.adapters.cuts.configurations import (
    SharedConfiguration,
    find_configurations,
    new_configurations,
)
from hankelcut.adapters.cuts.projected_plan import projecting_exchange
from hankelcut.adapters.cuts.surgery import (
    Exchanged,
    ParameterExchange,
    exchange_parameters,
    require_held,
    require_rebindable,
    require_separate_states,
)
from hankelcut.adapters.layers._mamba2_parts import n_groups
from hankelcut.adapters.layers.mamba2 import Mamba2Adapter
from hankelcut.adapters.layers.projected_mamba2 import PROJECTIONS
from hankelcut.adapters.protocol import StateParameter
from hankelcut.adapters.registry import find_adapter, find_layers, n_states
from hankelcut.adapters.tensors import find_tensor

__all__ = ["load_reduced"]


def load_reduced(
    model: nn.Module,
    state_dict: Mapping[str, Tensor],
    *,
    optimizer: torch.optim.Optimizer | None = None,
) -> None:
    """Load the weights of a reduced model into a model of another state size.

    Parameters
    ----------
    model : torch.nn.Module
        Built as the full model was; its supported layers are resized first.
    state_dict : mapping of str to tensor
        Weights of the reduced model, from `model.state_dict()` or a safetensors file.
    optimizer : torch.optim.Optimizer, optional
        One already built on the model: it gets the resized parameters, without
        moments (load them with its own `load_state_dict` afterwards). Without it, build
        the optimizer after loading.

    Raises
    ------
    CheckpointMismatchError
        If keys are missing or too many, a value is no tensor of the right kind, a shape
        differs in more than a state axis, or layers of one configuration have different
        numbers of states; the model is then unchanged.
    OptimizerMismatchError
        If the optimizer does not hold a layer that has to be resized or projected.
    UnsupportedLayerError
        If a layer to be projected has a `forward` that is not that of its class.
    """
    if optimizer is not None:
        require_rebindable(optimizer)
    done: list[Exchanged] = []
    try:
        done.append(_add_projections(model, state_dict, optimizer))
        done.append(_resize(model, state_dict, optimizer))
        model.load_state_dict(state_dict)
    except BaseException:
        for exchanged in reversed(done):
            exchanged.undo()
        raise


def _add_projections(
    model: nn.Module,
    state_dict: Mapping[str, Tensor],
    optimizer: torch.optim.Optimizer | None,
) -> Exchanged:
    """Give layers the projections of a checkpoint; their values come later."""
    exchanges = []
    for name, layer in find_layers(model).items():
        prefix = f"{name}." if name else ""
        saved = [state_dict.get(f"{prefix}{own}") for own in PROJECTIONS]
        is_new = type(find_adapter(layer)) is Mamba2Adapter
        if is_new and name and all(isinstance(one, Tensor) for one in saved):
            empty = [torch.zeros_like(one) for one in saved if one is not None]
            _require_projections(prefix, layer, empty)
            exchanges.append(projecting_exchange(layer, *empty))
    return exchange_parameters(model, exchanges, optimizer)


def _require_projections(
    prefix: str, layer: nn.Module, saved: Sequence[Tensor]
) -> None:
    """Raise unless projections take the states of each group of a layer."""
    need = (n_groups(layer), n_states(layer))
    for name, one in zip(PROJECTIONS, saved, strict=True):
        if one.ndim != 3 or tuple(one.shape[:2]) != need:
            msg = (
                f"the checkpoint belongs to another model: {prefix}{name} has shape "
                f"{tuple(one.shape)}, need ({need[0]}, {need[1]}, number of states)"
            )
            raise CheckpointMismatchError(msg)


def _resize(
    model: nn.Module,
    state_dict: Mapping[str, Tensor],
    optimizer: torch.optim.Optimizer | None,
) -> Exchanged:
    """Give layers the numbers of states of a checkpoint; most values come later."""
    present = model.state_dict()
    missing, unexpected = set(present) - set(state_dict), set(state_dict) - set(present)
    if missing or unexpected:
        msg = "the checkpoint belongs to another model: "
        parts = [
            f"{len(keys)} keys {what}, such as {min(keys)!r}"
            for what, keys in (("missing", missing), ("unexpected", unexpected))
            if keys
        ]
        raise CheckpointMismatchError(msg + "; ".join(parts))
    _require_tensors(present, state_dict, _may_widen(model))
    resized = _resized_layers(model, state_dict)
    _require_shapes(model, state_dict, resized)
    exchanges = [exchange for _, exchange in resized]
    states = {name: n_states(layer) for name, layer in find_layers(model).items()}
    for prefix, exchange in resized:
        states[prefix.removesuffix(".")] = _states_of(exchange)
    configurations = find_configurations(model)
    _require_common(configurations, states)
    if optimizer is not None:
        for prefix, exchange in resized:
            for name in exchange.values:
                tensor = find_tensor(exchange.layer, name)
                require_held(optimizer, tensor, f"{prefix}{name}")
    changed = new_configurations(model, configurations, states)
    return exchange_parameters(model, exchanges, optimizer, changed)


def _require_common(
    configurations: Iterable[SharedConfiguration], states: Mapping[str, int]
) -> None:
    """Raise unless the layers of each configuration will have one number of states."""
    for one in configurations:
        wanted = {name: states[name] for name in one.layers}
        if len(set(wanted.values())) > 1:
            msg = (
                f"the checkpoint has {wanted} states, and these layers share one "
                f"configuration ({type(one.value).__name__}), which holds one number "
                "for all; build the model with a configuration for each layer"
            )
            raise CheckpointMismatchError(msg)


def _states_of(exchange: ParameterExchange) -> int:
    """Return the number of states that a layer will have."""
    first = find_adapter(exchange.layer).state_parameters(exchange.layer)[0]
    return first.n_states(exchange.values[first.name])


def _may_widen(model: nn.Module) -> set[str]:
    """Names of real parameters of which a checkpoint may hold complex values."""
    return {
        f"{name}.{p.name}" if name else p.name
        for name, layer in find_layers(model).items()
        for p in find_adapter(layer).state_parameters(layer)
        if p.may_widen
    }


def _require_shapes(
    model: nn.Module,
    state_dict: Mapping[str, Tensor],
    resized: list[tuple[str, ParameterExchange]],
) -> None:
    """Raise unless every tensor will have the shape that the checkpoint has."""
    resized_to = {
        find_tensor(exchange.layer, key): value
        for _, exchange in resized
        for key, value in exchange.values.items()
    }
    # A tensor that has several names is resized under all of them.
    named = {
        **dict(model.named_parameters(remove_duplicate=False)),
        **dict(model.named_buffers(remove_duplicate=False)),
    }
    for key, value in model.state_dict().items():
        if not isinstance(value, Tensor):
            continue
        need = resized_to.get(named.get(key, value), value).shape
        if state_dict[key].shape != need:
            msg = (
                f"the checkpoint belongs to another model: {key} has shape "
                f"{tuple(state_dict[key].shape)}, need {tuple(need)}"
            )
            raise CheckpointMismatchError(msg)


def _require_tensors(
    present: Mapping[str, Tensor],
    state_dict: Mapping[str, Tensor],
    may_widen: Collection[str],
) -> None:
    """Raise unless the checkpoint holds a tensor of the same kind for each there is."""
    for key, value in present.items():
        saved = state_dict[key]
        if isinstance(value, Tensor) and (
            not isinstance(saved, Tensor)
            or (saved.is_complex() != value.is_complex() and key not in may_widen)
        ):
            is_tensor = isinstance(saved, Tensor)
            kind = str(saved.dtype) if is_tensor else type(saved).__name__
            msg = (
                f"got {key} as {kind}, need a torch tensor like {value.dtype}; load "
                "the file with torch.load or safetensors.torch.load_file"
            )
            raise CheckpointMismatchError(msg)


def _resized_layers(
    model: nn.Module, state_dict: Mapping[str, Tensor]
) -> list[tuple[str, ParameterExchange]]:
    """Parameters of the checkpoint's sizes for every layer whose size differs."""
    layers = find_layers(model)
    require_separate_states(layers)
    resized = []
    for name, layer in layers.items():
        prefix = f"{name}." if name else ""
        values, sizes, widened = {}, set(), False
        adapter = find_adapter(layer)
        parameters = adapter.state_parameters(layer)
        unsaved = [p for p in parameters if f"{prefix}{p.name}" not in state_dict]
        for p in parameters:
            if p in unsaved:
                continue
            old, saved = find_tensor(layer, p.name), state_dict[f"{prefix}{p.name}"]
            need = tuple(old.shape)
            if saved.ndim == old.ndim:
                need = p.shape(need, p.n_states(saved))
            if tuple(saved.shape) != need:
                msg = (
                    f"the checkpoint belongs to another model: {prefix}{p.name} has "
                    f"shape {tuple(saved.shape)}, need {tuple(old.shape)} but for the "
                    f"number of states on axis {p.axis}"
                )
                raise CheckpointMismatchError(msg)
            sizes.add(p.n_states(saved))
            dtype = old.dtype.to_complex() if saved.is_complex() else old.dtype
            widened = widened or dtype != old.dtype
            values[p.name] = saved.detach().to(old.device, dtype, copy=True)
        if len(sizes) > 1 or sizes == {0}:
            msg = (
                f"the checkpoint is damaged: the parameters of {name} have "
                f"{sorted(sizes)} states, need one number, at least 1"
            )
            raise CheckpointMismatchError(msg)
        if widened or sizes != {n_states(layer)}:
            n = sizes.pop()
            values |= {p.name: _stretched(layer, p, n) for p in unsaved}
            attributes = adapter.attributes(layer, n)
            resized.append((prefix, ParameterExchange(layer, values, attributes)))
    return resized


def _stretched(layer: nn.Module, parameter: StateParameter, n: int) -> Tensor:
    """Return a buffer that is not saved, of n states: all states have the same entry.

    Such buffers are made from the configuration, which knows nothing of single states.
    """
    old = find_tensor(layer, parameter.name).detach()
    first = torch.zeros(1, n, dtype=torch.long)
    return parameter.select(old, first)
