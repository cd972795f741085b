r"""Adapter for the S5 layer of `hankelcut.nn`.

The layer computes :math:`x_k = e^{\Delta a} x_{k-1} + \frac{e^{\Delta a} - 1}{a} B
u_k`, :math:`y_k = \mathrm{Re}(C x_k) + D u_k` with :math:`a = -e^\alpha + i\omega` and
:math:`\Delta = e^\delta`.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from hankelcut.adapters.layers._discretizations import ZERO_ORDER_HOLD
from hankelcut.adapters.layers._parameters import checked_parameters, require_no_more
from hankelcut.adapters.layers._s5_family import S5Family, S5Parts
from hankelcut.adapters.protocol import StateParameter
from hankelcut.adapters.stored_matrix import StoredMatrix
from hankelcut.adapters.tensors import has_tensors

__all__ = ["S5Adapter"]

_POLES = ("log_decay", "frequency", "log_step")
_INPUTS, _OUTPUTS = ("B_re", "B_im"), ("C_re", "C_im")
_SHAPES = {
    **dict.fromkeys(_POLES, "n"),
    **dict.fromkeys(_INPUTS, "nm"),
    **dict.fromkeys(_OUTPUTS, "mn"),
    "D": "m",
}


class S5Adapter(S5Family):
    """Adapter for layers with log_decay, frequency, log_step, B_re, ..., D."""

    name = "S5"

    def matches(self, module: nn.Module) -> bool:
        """Whether the module itself holds the eight parameters."""
        return has_tensors(module, *_SHAPES)

    def state_parameters(self, layer: nn.Module) -> tuple[StateParameter, ...]:
        """Describe the seven parameters with a state axis."""
        return (
            *(StateParameter(name, 0, "pole") for name in _POLES),
            *(StateParameter(name, 0, "input") for name in _INPUTS),
            *(StateParameter(name, 1, "output") for name in _OUTPUTS),
        )

    def attributes(self, layer: nn.Module, n_states: int) -> Mapping[str, Any]:
        """Return nothing: the sizes are those of the parameters."""
        return {}

    def _parts(self, layer: nn.Module) -> S5Parts:
        p = checked_parameters(self._kind, layer, _SHAPES)
        require_no_more(self._kind, layer, _SHAPES, p["log_decay"].shape[0])
        ones = torch.ones_like(p["log_decay"])
        return S5Parts(
            torch.complex(-p["log_decay"].exp(), p["frequency"]),
            p["log_step"],
            ZERO_ORDER_HOLD,
            p,
            StoredMatrix(_INPUTS, "parts", ones),
            StoredMatrix(_OUTPUTS, "parts", ones),
            torch.diag(p["D"]),
        )

    def _log_step(self, layer: nn.Module) -> str:
        return "log_step"

    def _stored_poles(self, layer: nn.Module, poles: Tensor) -> dict[str, Tensor]:
        return {"log_decay": (-poles.real).log(), "frequency": poles.imag}
