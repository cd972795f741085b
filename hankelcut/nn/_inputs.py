"""What layers over sequences require of their inputs and states."""

import torch
from torch import Tensor

__all__ = ["require_inputs", "require_state"]


def require_inputs(inputs: Tensor, like: Tensor, need: str) -> None:
    """Raise ValueError unless inputs fit a layer and the named axes.

    Parameters
    ----------
    inputs : tensor
        The inputs.
    like : (d_model,) tensor
        A parameter with an entry for each input channel.
    need : str
        The axes, such as "(batch, length, d_model)".
    """
    (d_model,) = like.shape
    if inputs.ndim != need.count(",") + 1 or inputs.shape[-1] != d_model:
        msg = f"got inputs of shape {tuple(inputs.shape)}, need {need} with "
        raise ValueError(msg + f"d_model={d_model}")
    if inputs.dtype != like.dtype:
        msg = f"got inputs of {inputs.dtype}, need {like.dtype}; convert the inputs, "
        raise ValueError(msg + "or the layer with `.to(dtype)`")


def require_state(state: Tensor, shape: tuple[int, ...], dtype: torch.dtype) -> None:
    """Raise ValueError unless a state has the shape and the dtype of a layer's.

    Parameters
    ----------
    state : tensor
        The state.
    shape : tuple of int
        What it must have.
    dtype : torch.dtype
        The same.
    """
    if state.shape != shape or state.dtype != dtype:
        msg = (
            f"got a state of shape {tuple(state.shape)} and {state.dtype}, need "
            f"{shape} and {dtype}; begin with `initial_state`"
        )
        raise ValueError(msg)
