"""What a Mamba-2 layer computes in front of its recurrence, and behind it."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from hankelcut.adapters.layers._selective import (
    computed,
    convolved,
    masked,
    whole_number,
)
from hankelcut.adapters.tensors import find_tensor

__all__ = [
    "Mamba2Parts",
    "inner_channels",
    "mamba2_outputs",
    "mamba2_parts",
    "n_groups",
]

_KIND = "Mamba-2 layer"


@dataclass(frozen=True, eq=False)
class Mamba2Parts:
    """Signals of the heads of a Mamba-2 layer.

    Parameters
    ----------
    gate, x : (batch, length, channels) tensors
        Gate, and inputs of the recurrence, the channels of one head after the other.
    steps : (batch, length, heads) tensor
        Step sizes.
    B, C : (batch, length, groups, n) tensors
        Input and output vectors.
    """

    gate: Tensor
    x: Tensor
    steps: Tensor
    B: Tensor
    C: Tensor


def n_groups(layer: nn.Module) -> int:
    """Return the number of groups of heads that share B and C.

    Raises
    ------
    UnsupportedLayerError
        If the layer does not hold it.
    """
    return whole_number(_KIND, layer, "n_groups", "ngroups")


def inner_channels(layer: nn.Module) -> int:
    """Return the number of channels of all heads."""
    return int(find_tensor(layer, "out_proj.weight").shape[1])


def mamba2_parts(
    layer: nn.Module,
    inputs: Tensor,
    mask: Tensor | None,
    with_past: Callable[[Tensor], Tensor] | None = None,
) -> Mamba2Parts:
    """Compute what drives the recurrence of a layer.

    Parameters
    ----------
    layer : torch.nn.Module
        The layer.
    inputs : (batch, length, m) tensor
        What it is called with.
    mask : (batch, length) tensor, optional
        0 at the places of padding.
    with_past : callable, optional
        Takes the inputs of the convolution, (batch, channels, length), and returns them
        with earlier ones in front.
    """
    inner, groups = inner_channels(layer), n_groups(layer)
    heads, rows = (
        find_tensor(layer, name).shape[0] for name in ("A_log", "conv1d.weight")
    )
    scaled = masked(inputs, mask) * getattr(layer, "ssm_in_multiplier", 1)
    projected = layer.get_submodule("in_proj")(scaled)
    projected = projected * getattr(layer, "mup_vector", 1)
    gate, x, step = projected.split([inner, rows, heads], dim=-1)
    length = x.shape[1]
    x = x if with_past is None else with_past(x.mT).mT
    x = masked(convolved(layer, x, None)[:, -length:], mask)
    grouped = (rows - inner) // 2
    x, B, C = torch.split(x, [inner, grouped, grouped], dim=-1)
    B, C = (computed(M).reshape(*M.shape[:-1], groups, -1) for M in (B, C))
    steps = functional.softplus(computed(step + find_tensor(layer, "dt_bias")))
    return Mamba2Parts(gate, computed(x), steps.clamp(*_step_limits(layer)), B, C)


def mamba2_outputs(layer: nn.Module, y: Tensor, parts: Mamba2Parts) -> Tensor:
    """Return the outputs of a layer for those of its recurrence.

    Parameters
    ----------
    layer : torch.nn.Module
        The layer.
    y : (batch, length, channels) tensor
        Outputs of the recurrence.
    parts : Mamba2Parts
        What drove it.
    """
    D = computed(find_tensor(layer, "D"))
    y = y + D.repeat_interleave(y.shape[-1] // len(D)) * parts.x
    norm = layer._modules.get("norm")
    if norm is None or isinstance(norm, nn.Identity):
        y = y * functional.silu(computed(parts.gate))
    else:
        y = norm(y, parts.gate)
    outputs: Tensor = layer.get_submodule("out_proj")(y.to(parts.gate.dtype))
    return outputs


def _step_limits(layer: nn.Module) -> tuple[float, float]:
    """Return what steps are clipped to."""
    for owner in (layer, getattr(layer, "config", None)):
        for name in ("time_step_limit", "dt_limit"):
            if hasattr(owner, name):
                least, largest = getattr(owner, name)
                return float(least), float(largest)
    return 0.0, torch.inf
