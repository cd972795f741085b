"""What the selective layers have in common: convolution, padding, sizes."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from hankelcut._errors import UnsupportedLayerError
from hankelcut.adapters.tensors import find_tensor, has_tensors

__all__ = [
    "computed",
    "convolved",
    "masked",
    "require_rows",
    "whole_number",
]


def convolved(layer: nn.Module, inputs: Tensor, mask: Tensor | None) -> Tensor:
    """Convolve each channel over the past with a short filter, and activate it.

    Parameters
    ----------
    layer : torch.nn.Module
        Holds conv1d.weight of shape (channels, 1, width), perhaps conv1d.bias, and
        perhaps ``act``, SiLU without.
    inputs : (batch, length, channels) tensor
        Signals.
    mask : (batch, length) tensor, optional
        0 at the places of padding, where the result is 0.
    """
    weight = find_tensor(layer, "conv1d.weight")
    has_bias = has_tensors(layer, "conv1d.bias")
    bias = find_tensor(layer, "conv1d.bias") if has_bias else None
    past = functional.pad(inputs.mT, (weight.shape[-1] - 1, 0))
    filtered = functional.conv1d(past, weight, bias, groups=weight.shape[0]).mT
    activation: Callable[[Tensor], Tensor] = getattr(layer, "act", functional.silu)
    return masked(activation(filtered), mask)


def masked(values: Tensor, mask: Tensor | None) -> Tensor:
    """Return signals with zeros at the places of padding.

    Parameters
    ----------
    values : (batch, length, channels) tensor
        Signals.
    mask : (batch, length) tensor, optional
        0 at the places of padding.
    """
    return values if mask is None else values * mask[..., None].to(values)


def computed(values: Tensor) -> Tensor:
    """Return signals in the precision of the recurrence, at least single."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def require_rows(kind: str, name: str, rows: int, rank: int, n_states: int) -> None:
    """Raise unless the rows of a projection are those of [dt, B, C].

    Parameters
    ----------
    kind : str
        Kind of layer, for messages.
    name : str
        Path of the projection.
    rows : int
        How many it has.
    rank : int
        Rows for dt.
    n_states : int
        Rows for B, and for C.

    Raises
    ------
    UnsupportedLayerError
        If they are more or fewer.
    """
    need = rank + 2 * n_states
    if rows != need:
        msg = (
            f"{kind}: got {name} of {rows} rows, need {need}, [dt, B, C] for {rank} "
            f"channels of dt and {n_states} states; write an adapter for this kind of "
            "layer"
        )
        raise UnsupportedLayerError(msg)


def whole_number(kind: str, layer: nn.Module, *names: str) -> int:
    """Return a whole number that a layer or its configuration holds.

    Parameters
    ----------
    kind : str
        Kind of layer, for messages.
    layer : torch.nn.Module
        The layer.
    *names : str
        What it may be called.

    Raises
    ------
    UnsupportedLayerError
        If there is none.
    """
    for owner in (layer, getattr(layer, "config", None)):
        for name in names:
            value = getattr(owner, name, None)
            if isinstance(value, int) and value > 0:
                return value
    msg = (
        f"{kind}: {type(layer).__name__} has no whole number {' or '.join(names)}, "
        "which weights alone do not tell; load them into the model itself"
    )
    raise UnsupportedLayerError(msg)
