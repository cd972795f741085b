r"""Adapter for the layers of s5-pytorch: complex Lambda and C, B in pairs.

The layer computes :math:`x_k = e^{\Delta\Lambda} x_{k-1} + \frac{e^{\Delta\Lambda} -
1}{\Lambda} B u_k`, :math:`y_k = \mathrm{Re}(C x_k) + D u_k` with :math:`\Delta =
e^\delta`, as called with `step_scale` 1. A layer of both directions has the same Lambda
and B in both and C = [C_forward, C_backward]: its system has the outputs of both
directions, one above the other, and the layer adds them.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from hankelcut._errors import UnsupportedLayerError
from hankelcut.adapters.layers._discretizations import identified
from hankelcut.adapters.layers._parameters import checked_parameters, require_no_more
from hankelcut.adapters.layers._s5_family import S5Family, S5Parts
from hankelcut.adapters.protocol import StateParameter
from hankelcut.adapters.stored_matrix import StoredMatrix
from hankelcut.adapters.tensors import find_tensor, has_tensors, owner_of, setting

__all__ = ["S5PytorchAdapter"]

_SHAPES = {"Lambda": "*n", "B": "nm2", "C": "*mk", "D": "m", "log_step": "n"}


class S5PytorchAdapter(S5Family):
    """Adapter for layers with Lambda, B, C, D and log_step.

    These may be the layer's own (`S5SSM`) or those of its submodule ``seq`` (`S5`).
    """

    name = "s5-pytorch"

    def matches(self, module: nn.Module) -> bool:
        """Whether the module, or its ``seq``, holds the five parameters."""
        return _prefix(module) is not None

    def state_parameters(self, layer: nn.Module) -> tuple[StateParameter, ...]:
        """Describe the four parameters with a state axis."""
        seq = _prefix(layer) or ""
        return (
            StateParameter(f"{seq}Lambda", 0, "pole"),
            StateParameter(f"{seq}log_step", 0, "pole"),
            StateParameter(f"{seq}B", 0, "input"),
            StateParameter(f"{seq}C", 1, "output", blocks=_directions(layer)),
        )

    def attributes(self, layer: nn.Module, n_states: int) -> Mapping[str, Any]:
        """Return nothing: the sizes are those of the parameters."""
        return {}

    def _parts(self, layer: nn.Module) -> S5Parts:
        seq, directions = _prefix(layer) or "", _directions(layer)
        shapes = {f"{seq}{name}": axes for name, axes in _SHAPES.items()}
        p = checked_parameters(self._kind, layer, shapes)
        Lambda, C, D = p[f"{seq}Lambda"], p[f"{seq}C"], p[f"{seq}D"]
        n = Lambda.shape[0]
        if C.shape[1] != directions * n:
            msg = f"{self._kind}: got C of shape {tuple(C.shape)}, need {n} states of "
            raise UnsupportedLayerError(msg + "one direction or of both")
        owner, _ = owner_of(layer, f"{seq}C")
        require_no_more(self._kind, owner, _SHAPES, n)
        rule = partial(_rates, setting(owner, "discretize"))
        ones = torch.ones_like(p[f"{seq}log_step"])
        above = [torch.diag(D), *[torch.diag(0 * D)] * (directions - 1)]
        return S5Parts(
            Lambda,
            p[f"{seq}log_step"],
            identified(self._kind, rule),
            p,
            StoredMatrix((f"{seq}B",), "pairs", ones),
            StoredMatrix(
                (f"{seq}C",),
                "complex",
                ones,
                lambda C: torch.cat(C.chunk(directions, dim=1), dim=0),
                lambda C: torch.cat(C.chunk(directions, dim=0), dim=1),
            ),
            torch.cat(above),
            directions=directions,
        )

    def _log_step(self, layer: nn.Module) -> str:
        return f"{_prefix(layer) or ''}log_step"

    def _stored_poles(self, layer: nn.Module, poles: Tensor) -> dict[str, Tensor]:
        return {f"{_prefix(layer) or ''}Lambda": poles}


def _prefix(module: nn.Module) -> str | None:
    """Path of the module with the parameters; None where there is none."""
    for prefix in ("", "seq."):
        if has_tensors(module, *(f"{prefix}{name}" for name in _SHAPES)):
            return prefix
    return None


def _directions(layer: nn.Module) -> int:
    """Directions of time, as the shapes say: C has the states of each."""
    seq = _prefix(layer) or ""
    n = find_tensor(layer, f"{seq}Lambda").shape[0]
    columns = find_tensor(layer, f"{seq}C").shape[-1]
    return 2 if columns >= 2 * n else 1


def _rates(discretize: Any, poles: Tensor, steps: Tensor) -> tuple[Tensor, Tensor]:
    """Discrete poles and input factors, of a function that takes B as well."""
    discrete, B = discretize(poles, torch.ones_like(poles)[:, None], steps)
    return discrete, B[:, 0]
