"""Positive numbers behind the transforms of S4 kernels, and the way back.

A parameter p stands for e^p, softplus(p), sigmoid(p), max(p, 0) + 0.0001, or itself.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from hankelcut._errors import UnsupportedLayerError

__all__ = ["NO_TRANSFORM", "transformed", "untransformed"]

NO_TRANSFORM = "none"
"""Name of the transform that also holds numbers that are not positive."""

# What the rectifier adds: no smaller number has a parameter.
_RECTIFIER_OFFSET = 1e-4


@dataclass(frozen=True)
class _Transform:
    forward: Callable[[Tensor], Tensor]
    inverse: Callable[[Tensor], Tensor]
    above: float = 0.0
    below: float = float("inf")


_TRANSFORMS = {
    NO_TRANSFORM: _Transform(lambda p: p, lambda v: v, above=-float("inf")),
    "exp": _Transform(torch.exp, torch.log),
    "relu": _Transform(
        lambda p: functional.relu(p) + _RECTIFIER_OFFSET,
        lambda v: v - _RECTIFIER_OFFSET,
        above=_RECTIFIER_OFFSET,
    ),
    "sigmoid": _Transform(torch.sigmoid, torch.logit, below=1.0),
    # log(e^v - 1), without overflow.
    "softplus": _Transform(
        functional.softplus, lambda v: v + torch.log(-torch.expm1(-v))
    ),
}


def transformed(kind: str, parameter: Tensor, transform: Any) -> Tensor:
    """Return the numbers that a parameter stands for.

    Parameters
    ----------
    kind : str
        Kind of layer, for messages.
    parameter : tensor
        The parameter.
    transform : str
        Name of its transform.

    Raises
    ------
    UnsupportedLayerError
        If the transform is unknown.
    """
    if transform not in _TRANSFORMS:
        msg = f"{kind}: got the transform {transform!r}, need one of "
        raise UnsupportedLayerError(msg + ", ".join(_TRANSFORMS))
    return _TRANSFORMS[transform].forward(parameter)


def untransformed(kind: str, what: str, values: Tensor, transform: str) -> Tensor:
    """Return the parameter that stands for some numbers.

    Parameters
    ----------
    kind, what : str
        Kind of layer, and what the numbers are, for messages.
    values : tensor
        The numbers.
    transform : str
        Name of a known transform.

    Raises
    ------
    UnsupportedLayerError
        If a number has no parameter.
    """
    known = _TRANSFORMS[transform]
    outside = ~((values > known.above) & (values < known.below))
    if bool(outside.any()):
        msg = (
            f"{kind}: {what} {float(values[outside][0]):.3g} has no parameter under "
            f"the transform {transform!r}, which holds numbers between {known.above:g} "
            f"and {known.below:g}; build the layer with another transform"
        )
        raise UnsupportedLayerError(msg)
    return known.inverse(values)
