r"""Adapter for the Mamba layers of Zamba: heads that each have their own B and C.

Each head is a bank of channels as in Mamba, whose step, B and C come from its own
channels, so that each head loses states of its own, equally many.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from hankelcut.adapters.layers._parameters import checked_parameters, require_no_more
from hankelcut.adapters.layers._selective import (
    computed,
    convolved,
    masked,
    require_rows,
)
from hankelcut.adapters.protocol import Exactness, StateParameter
from hankelcut.adapters.selective.signals import SelectiveSignals, StateVector
from hankelcut.adapters.tensors import find_tensor, has_tensors, held_sizes

__all__ = ["ZambaAdapter"]

_KIND = "Mamba layer of Zamba"
_SHAPES = {
    "A_log": "hpn",
    "D": "hp",
    "x_proj_weight": "hsp",
    "dt_proj_weight": "hpr",
    "dt_proj_bias": "hp",
    "conv1d.weight": "c1w",
    "in_proj.weight": "xm",
    "out_proj.weight": "mc",
}


class ZambaAdapter:
    """Adapter for layers with A_log, D, x_proj_weight and dt_proj_weight for each head.

    The rows of x_proj_weight are [dt, B, C].
    """

    name = "Mamba with heads"
    exactness: Exactness = "selection only"
    configuration_fields = ("mamba_d_state",)

    def matches(self, module: nn.Module) -> bool:
        """Whether the module holds the parameters."""
        return has_tensors(module, *_SHAPES)

    def state_parameters(self, layer: nn.Module) -> tuple[StateParameter, ...]:
        """Describe A_log and the rows of x_proj_weight for B and C."""
        rank = find_tensor(layer, "dt_proj_weight").shape[2]
        return (
            StateParameter("A_log", 2, "pole", group_axis=0),
            StateParameter(
                "x_proj_weight", 1, "input", 2, beyond=rank, before=rank, group_axis=0
            ),
        )

    def attributes(self, layer: nn.Module, n_states: int) -> Mapping[str, Any]:
        """Return the size that the layer keeps."""
        return held_sizes(layer, {"ssm_state_size": n_states})

    def require_valid(self, layer: nn.Module) -> None:
        """Raise unless the parameters fit together and are finite.

        Raises
        ------
        UnsupportedLayerError
            If shapes do not fit together, or another tensor seems to have states.
        InvalidSystemError
            If a parameter is NaN or infinite; names it.
        """
        parameters = checked_parameters(_KIND, layer, _SHAPES)
        n_states = parameters["A_log"].shape[2]
        rows = parameters["x_proj_weight"].shape[1]
        rank = parameters["dt_proj_weight"].shape[2]
        require_rows(_KIND, "x_proj_weight", rows, rank, n_states)
        require_no_more(_KIND, layer, _SHAPES, n_states)

    def norms(self, layer: nn.Module) -> Mapping[StateVector, str]:
        """Return nothing: there is no norm over the states."""
        return {}

    def signals(
        self, layer: nn.Module, inputs: Tensor, mask: Tensor | None
    ) -> SelectiveSignals:
        """Compute the signals of all heads."""
        heads, per_head, n_states = find_tensor(layer, "A_log").shape
        rank = find_tensor(layer, "dt_proj_weight").shape[2]
        projected = layer.get_submodule("in_proj")(masked(inputs, mask))
        # The channels of x and of its gate alternate.
        x, gate = projected.reshape(*projected.shape[:-1], -1, 2).unbind(dim=-1)
        x = convolved(layer, x, mask).reshape(*x.shape[:-1], heads, per_head)
        rows = torch.einsum("blhp,hsp->blhs", x, find_tensor(layer, "x_proj_weight"))
        step, B, C = torch.split(rows, [rank, n_states, n_states], dim=-1)
        steps = torch.einsum(
            "blhr,hpr->blhp", step, find_tensor(layer, "dt_proj_weight")
        )
        steps = steps + find_tensor(layer, "dt_proj_bias")
        D = find_tensor(layer, "D")

        def readout(y: Tensor) -> Tensor:
            y = (y + computed(D * x)).flatten(2) * functional.silu(computed(gate))
            outputs: Tensor = layer.get_submodule("out_proj")(y.to(inputs.dtype))
            return outputs

        return SelectiveSignals(
            functional.softplus(computed(steps)),
            -torch.exp(computed(find_tensor(layer, "A_log"))),
            computed(x),
            computed(B),
            computed(C),
            readout,
        )
