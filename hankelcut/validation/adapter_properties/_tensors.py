"""Tensors of layers: which there are, whether two are the same, their rounding."""

from typing import TYPE_CHECKING, Any

import numpy as np

from hankelcut.validation.invariants._host import Matrix

if TYPE_CHECKING:
    from torch import Tensor, nn

    Layer = nn.Module
else:
    Layer = Tensor = Any

__all__ = ["flat", "identical", "named_tensors", "rounding_unit"]


def identical(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors have one shape, one dtype and the same values."""
    import torch

    same = one.shape == other.shape and one.dtype == other.dtype
    return same and torch.allclose(one, other, rtol=0, atol=0, equal_nan=True)


def named_tensors(model: Layer) -> dict[str, Tensor]:
    """Parameters and buffers of a model, by every name that they have."""
    parameters = model.named_parameters(remove_duplicate=False)
    return {**dict(parameters), **dict(model.named_buffers(remove_duplicate=False))}


def rounding_unit(layer: Layer) -> float:
    """Machine epsilon of the dtype of a layer's first parameter."""
    import torch

    return float(torch.finfo(next(layer.parameters()).dtype).eps)


def flat(tensor: Tensor | None) -> Matrix:
    """Entries in double precision, real and imaginary parts apart; none of None."""
    import torch

    if tensor is None:
        return np.zeros(0)
    wide = torch.view_as_real(tensor) if tensor.is_complex() else tensor
    return np.asarray(wide.detach().double().cpu()).ravel()
