r"""Rules by which layers make discrete systems of continuous poles a and steps d.

A rule takes them to exponents of discrete poles and to the factor of the input matrix;
its inverse takes exponents back, so that any stable discrete pole can be stored.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor

from hankelcut._errors import UnsupportedLayerError
from hankelcut.lti.systems._bilinear import exponents_of_points, points_of_exponents
from hankelcut.lti.systems._complex_functions import expm1

__all__ = ["BILINEAR", "IMPULSES", "ZERO_ORDER_HOLD", "Discretization", "identified"]

_Rule: TypeAlias = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Discretization:
    """A rule and its inverse.

    Parameters
    ----------
    name : str
        What it is called.
    exponents : callable
        Takes poles and steps to logarithms of the discrete poles.
    gain : callable
        Takes poles and steps to the factor of each row of B.
    poles : callable
        Takes exponents and steps to the poles.
    """

    name: str
    exponents: _Rule
    gain: _Rule
    poles: _Rule


ZERO_ORDER_HOLD = Discretization(
    "zero-order hold",
    lambda a, d: d * a,
    lambda a, d: expm1(d * a) / a,
    lambda exponents, d: exponents / d,
)
BILINEAR = Discretization(
    "bilinear",
    lambda a, d: exponents_of_points(d * a / 2),
    lambda a, d: d / (1 - d * a / 2),
    lambda exponents, d: 2 * points_of_exponents(exponents) / d,
)
IMPULSES = Discretization(
    "impulses",
    lambda a, d: d * a,
    lambda a, d: torch.ones_like(a),
    lambda exponents, d: exponents / d,
)
_REVERSED_BILINEAR = Discretization(
    "bilinear with the opposite sign, which makes stable poles unstable",
    lambda a, d: BILINEAR.exponents(-a, d),
    lambda a, d: BILINEAR.gain(-a, d),
    lambda exponents, d: -BILINEAR.poles(exponents, d),
)
_NOTHING = Discretization(
    "none: the poles are those of the discrete system",
    lambda a, d: torch.log(a),
    lambda a, d: torch.ones_like(a),
    lambda exponents, d: torch.exp(exponents),
)

# Where rules are compared: their values differ by much more than rounding.
_POLES = torch.tensor([-0.3 + 0.7j, -1.1 + 2.0j, -0.2 - 3.0j], dtype=torch.complex128)
_STEPS = torch.tensor([0.1, 0.4, 0.7], dtype=torch.float64)


def identified(kind: str, rule: Callable[[Tensor, Tensor], Any]) -> Discretization:
    """Return which discretization a layer's own function is, by its values.

    Parameters
    ----------
    kind : str
        Kind of layer, for messages.
    rule : callable
        Takes (n,) complex poles and (n,) steps to discrete poles and input factors.

    Raises
    ------
    UnsupportedLayerError
        If it is none that is known.
    """
    poles, gain = (torch.as_tensor(value) for value in rule(_POLES, _STEPS))
    known = (ZERO_ORDER_HOLD, BILINEAR, IMPULSES, _REVERSED_BILINEAR, _NOTHING)
    for one in known:
        same = torch.allclose(one.exponents(_POLES, _STEPS).exp(), poles.to(_POLES))
        if same and torch.allclose(
            one.gain(_POLES, _STEPS), gain.to(_POLES).expand_as(_POLES)
        ):
            return one
    msg = (
        f"{kind}: got a discretization that is none of the known ones, "
        f"{', '.join(one.name for one in known)}; write an adapter for this layer"
    )
    raise UnsupportedLayerError(msg)
