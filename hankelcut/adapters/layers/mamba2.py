r"""Adapter for Mamba-2 layers: heads with one pole each, B and C for groups of heads.

Head h computes :math:`H_t = e^{\Delta_{t,h} a_h} H_{t-1} + \Delta_{t,h} x_{t,h} B_t^T`,
:math:`y_{t,h} = H_t C_t + D_h x_{t,h}` with x_h in several channels; x, B and C pass a
short convolution and an activation together (Dao and Gu, 2024).
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from hankelcut._errors import UnsupportedLayerError
from hankelcut.adapters.layers._parameters import checked_parameters, require_no_more
from hankelcut.adapters.layers._selective import (
    computed,
    convolved,
    held_paths,
    masked,
    whole_number,
)
from hankelcut.adapters.protocol import Exactness, StateParameter
from hankelcut.adapters.selective.signals import SelectiveSignals, StateVector
from hankelcut.adapters.tensors import find_tensor, has_tensors

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
    configuration_fields = ("state_size", "d_state", "mamba_d_state", "ssm_state_size")

    def matches(self, module: nn.Module) -> bool:
        """Whether the module holds the parameters, A_log with one axis."""
        return has_tensors(module, *_SHAPES) and find_tensor(module, "A_log").ndim == 1

    def n_groups(self, layer: nn.Module) -> int:
        """Return the number of groups of heads that share B and C.

        Raises
        ------
        UnsupportedLayerError
            If the layer does not hold it.
        """
        return whole_number(_KIND, layer, "n_groups", "ngroups")

    def state_parameters(self, layer: nn.Module) -> tuple[StateParameter, ...]:
        """Describe the rows for B and C of the convolution and of in_proj."""
        inner, heads = _inner(layer), find_tensor(layer, "A_log").shape[0]
        blocks = 2 * self.n_groups(layer)
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
        inner, heads = _inner(layer), find_tensor(layer, "A_log").shape[0]
        grouped = self.n_groups(layer) * n_states
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
        return held_paths(layer, sizes)

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
        inner, groups = _inner(layer), self.n_groups(layer)
        rows, heads = parameters["conv1d.weight"].shape[0], parameters["A_log"].shape[0]
        need = inner + rows + heads
        got = parameters["in_proj.weight"].shape[0]
        states = rows - inner
        whole = states % (2 * groups) == 0 == inner % heads == heads % groups
        if got == need and states > 0 and whole:
            require_no_more(_KIND, layer, _SHAPES, states // (2 * groups))
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
        A_log, dt_bias = find_tensor(layer, "A_log"), find_tensor(layer, "dt_bias")
        inner, heads, groups = _inner(layer), len(A_log), self.n_groups(layer)
        rows = find_tensor(layer, "conv1d.weight").shape[0]
        scaled = masked(inputs, mask) * getattr(layer, "ssm_in_multiplier", 1)
        projected = layer.get_submodule("in_proj")(scaled)
        projected = projected * getattr(layer, "mup_vector", 1)
        gate, x, step = projected.split([inner, rows, heads], dim=-1)
        x = convolved(layer, x, mask)
        grouped = (rows - inner) // 2
        x, B, C = torch.split(x, [inner, grouped, grouped], dim=-1)
        x = computed(x)
        D = computed(find_tensor(layer, "D")).repeat_interleave(inner // heads)

        def in_groups(values: Tensor) -> Tensor:
            return values.reshape(*values.shape[:-1], groups, -1)

        def of_heads(values: Tensor) -> Tensor:
            return in_groups(values.repeat_interleave(inner // heads, dim=-1))

        def readout(y: Tensor) -> Tensor:
            outputs: Tensor = layer.get_submodule("out_proj")(
                _gated(layer, y.flatten(2) + D * x, gate).to(inputs.dtype)
            )
            return outputs

        steps = functional.softplus(computed(step + dt_bias)).clamp(
            *_step_limits(layer)
        )
        return SelectiveSignals(
            of_heads(steps),
            of_heads(-torch.exp(computed(A_log)))[..., None],
            in_groups(x),
            in_groups(computed(B)),
            in_groups(computed(C)),
            readout,
        )


def _inner(layer: nn.Module) -> int:
    """Return the number of channels of all heads."""
    return int(find_tensor(layer, "out_proj.weight").shape[1])


def _step_limits(layer: nn.Module) -> tuple[float, float]:
    """Return what steps are clipped to."""
    for owner in (layer, getattr(layer, "config", None)):
        for name in ("time_step_limit", "dt_limit"):
            if hasattr(owner, name):
                least, largest = getattr(owner, name)
                return float(least), float(largest)
    return 0.0, torch.inf


def _gated(layer: nn.Module, y: Tensor, gate: Tensor) -> Tensor:
    """Return the outputs behind gate and norm, if there is a norm."""
    norm = layer._modules.get("norm")
    if norm is None or isinstance(norm, nn.Identity):
        return y * functional.silu(computed(gate))
    normed: Tensor = norm(y, gate)
    return normed
