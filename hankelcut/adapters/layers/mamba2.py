r"""Adapter for Mamba-2 layers: heads with one pole each, B and C for groups of heads.

Head h computes :math:`H_t = e^{\Delta_{t,h} a_h} H_{t-1} + \Delta_{t,h} x_{t,h} B_t^T`,
:math:`y_{t,h} = H_t C_t + D_h x_{t,h}` with x_h in several channels; x, B and C pass a
short convolution and an activation together (Dao and Gu, 2024).
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from hankelcut._errors import UnsupportedLayerError
from hankelcut.adapters.layers._mamba2_parts import (
    inner_channels,
    mamba2_outputs,
    mamba2_parts,
    n_groups,
)
from hankelcut.adapters.layers._parameters import checked_parameters, require_no_more
from hankelcut.adapters.layers._selective import computed
from hankelcut.adapters.protocol import Exactness, StateParameter
from hankelcut.adapters.selective.signals import SelectiveSignals, StateVector
from hankelcut.adapters.tensors import find_tensor, has_tensors, held_sizes

__all__ = ["Mamba2Adapter"]

_KIND = "Mamba-2 layer"
_SHAPES = {
    "A_log": "h",
    "D": "h",
    "dt_bias": "h",
    "conv1d.weight": "c1w",
    "in_proj.weight": "xm",
    "out_proj.weight": "oi",
}


class Mamba2Adapter:
    """Adapter for layers with A_log, D, dt_bias, in_proj, conv1d and out_proj.

    The rows of in_proj are [z, x, B, C, dt], those of the convolution [x, B, C]; B and
    C hold one group of heads after the other.
    """

    name = "Mamba-2"
    exactness: Exactness = "selection only"
    configuration_fields: tuple[str, ...] = (
        "state_size",
        "d_state",
        "mamba_d_state",
        "ssm_state_size",
    )

    def matches(self, module: nn.Module) -> bool:
        """Whether the module holds the parameters, A_log with one axis."""
        return has_tensors(module, *_SHAPES) and find_tensor(module, "A_log").ndim == 1

    def state_parameters(self, layer: nn.Module) -> tuple[StateParameter, ...]:
        """Describe the rows for B and C of the convolution and of in_proj."""
        inner, heads = inner_channels(layer), find_tensor(layer, "A_log").shape[0]
        blocks = 2 * n_groups(layer)
        rows = [
            ("conv1d.weight", 0, inner, 0),
            ("conv1d.bias", 0, inner, 0),
            ("in_proj.weight", 0, 2 * inner, heads),
            ("in_proj.bias", 0, 2 * inner, heads),
            ("mup_vector", 2, 2 * inner, heads),
        ]
        return tuple(
            StateParameter(
                name, axis, "input", blocks, beyond=before + after, before=before
            )
            for name, axis, before, after in rows
            if has_tensors(layer, name)
        )

    def attributes(self, layer: nn.Module, n_states: int) -> Mapping[str, Any]:
        """Return the sizes that the layer and its submodules keep."""
        inner, heads = inner_channels(layer), find_tensor(layer, "A_log").shape[0]
        grouped = n_groups(layer) * n_states
        rows = inner + 2 * grouped
        sizes = {
            "ssm_state_size": n_states,
            "d_state": n_states,
            "groups_time_state_size": grouped,
            "conv_dim": rows,
            "conv1d.in_channels": rows,
            "conv1d.out_channels": rows,
            "conv1d.groups": rows,
            "in_proj.out_features": inner + rows + heads,
        }
        return held_sizes(layer, sizes)

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
        inner, groups = inner_channels(layer), n_groups(layer)
        rows, heads = parameters["conv1d.weight"].shape[0], parameters["A_log"].shape[0]
        need = inner + rows + heads
        got = parameters["in_proj.weight"].shape[0]
        states = rows - inner
        whole = states % (2 * groups) == 0 == inner % heads == heads % groups
        if got == need and states > 0 and whole:
            known = {**_SHAPES, "B_projection": "gnr", "C_projection": "gnr"}
            require_no_more(_KIND, layer, known, states // (2 * groups))
            return
        msg = (
            f"{_KIND}: got in_proj.weight of {got} rows, conv1d.weight of {rows}, "
            f"{inner} inner channels, {heads} heads and {groups} groups; need "
            f"in_proj.weight of {need} rows, [z, x, B, C, dt], conv1d.weight of "
            "[x, B, C], equally many heads in each group, and channels in each head"
        )
        raise UnsupportedLayerError(msg)

    def norms(self, layer: nn.Module) -> Mapping[StateVector, str]:
        """Return nothing: the norm is over channels."""
        return {}

    def signals(
        self, layer: nn.Module, inputs: Tensor, mask: Tensor | None
    ) -> SelectiveSignals:
        """Compute the signals, the channels of all heads of a group in a row."""
        parts = mamba2_parts(layer, inputs, mask)
        groups, heads = parts.B.shape[2], parts.steps.shape[2]

        def in_groups(values: Tensor) -> Tensor:
            return values.reshape(*values.shape[:-1], groups, -1)

        def of_heads(values: Tensor) -> Tensor:
            per_head = parts.x.shape[2] // heads
            return in_groups(values.repeat_interleave(per_head, dim=-1))

        return SelectiveSignals(
            of_heads(parts.steps),
            of_heads(-torch.exp(computed(find_tensor(layer, "A_log"))))[..., None],
            in_groups(parts.x),
            parts.B,
            parts.C,
            lambda y: mamba2_outputs(layer, y.flatten(2), parts),
        )
