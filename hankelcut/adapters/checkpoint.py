"""Loading of shrunk models into freshly built full-size ones."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from hankelcut._errors import CheckpointMismatchError
from hankelcut.adapters.registry import find_adapter, find_layers
from hankelcut.adapters.surgery import ParameterExchange, exchange_parameters

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
        moments (load them with its own `load_state_dict` afterwards).

    Raises
    ------
    CheckpointMismatchError
        If keys are missing or too many, or a shape differs in more than a state axis;
        the model is then unchanged.
    """
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
    resized = _resized_layers(model, state_dict)
    new = {f"{prefix}{key}" for prefix, exchange in resized for key in exchange.values}
    for key, value in present.items():
        if key not in new and value.shape != state_dict[key].shape:
            msg = (
                f"the checkpoint belongs to another model: {key} has shape "
                f"{tuple(state_dict[key].shape)}, need {tuple(value.shape)}"
            )
            raise CheckpointMismatchError(msg)
    exchange_parameters(model, [exchange for _, exchange in resized], optimizer)
    model.load_state_dict(state_dict)


def _resized_layers(
    model: nn.Module, state_dict: Mapping[str, Tensor]
) -> list[tuple[str, ParameterExchange]]:
    """Empty parameters of the checkpoint's sizes for every supported layer."""
    resized = []
    for name, layer in find_layers(model).items():
        prefix = f"{name}." if name else ""
        values, sizes = {}, set()
        for p in find_adapter(layer).state_parameters(layer):
            old, saved = layer.get_parameter(p.name), state_dict[f"{prefix}{p.name}"]
            need = list(old.shape)
            if saved.ndim == old.ndim:
                need[p.axis] = saved.shape[p.axis]
            if list(saved.shape) != need:
                msg = (
                    f"the checkpoint belongs to another model: {prefix}{p.name} has "
                    f"shape {tuple(saved.shape)}, need {tuple(old.shape)} but for the "
                    f"number of states on axis {p.axis}"
                )
                raise CheckpointMismatchError(msg)
            sizes.add(saved.shape[p.axis])
            values[p.name] = old.detach().new_zeros(need)
        if len(sizes) > 1:
            msg = f"the checkpoint is damaged: the parameters of {name} have "
            msg += f"{sorted(sizes)} states, need one number"
            raise CheckpointMismatchError(msg)
        resized.append((prefix, ParameterExchange(layer, values, {})))
    return resized
