r"""Adapter for Mamba layers: a bank of channels with real poles, B and C from inputs.

Channel k computes :math:`h_t = e^{\Delta_{t,k} a_k} \odot h_{t-1} + \Delta_{t,k}
x_{t,k} B_t`, :math:`y_{t,k} = C_t^T h_t + D_k x_{t,k}`; the step, B and C come from x
by one linear map, through norms over the states in some models (Gu and Dao, 2023). All
channels share B and C, so that all of them lose the same states.
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
from hankelcut.adapters.protocol import (
    Exactness,
    Role,
    StateParameter,
)
from hankelcut.adapters.selective.signals import SelectiveSignals, StateVector
from hankelcut.adapters.tensors import find_tensor, has_tensors, held_sizes

__all__ = ["MambaAdapter"]

_KIND = "Mamba layer"
_SHAPES = {
    "A_log": "cn",
    "D": "c",
    "dt_proj.weight": "cr",
    "conv1d.weight": "c1w",
    "x_proj.weight": "sc",
    "in_proj.weight": "xm",
    "out_proj.weight": "mc",
}
_NORMS: dict[StateVector, tuple[str, ...]] = {
    "B": ("b_layernorm", "B_layernorm"),
    "C": ("c_layernorm", "C_layernorm"),
}


class MambaAdapter:
    """Adapter for layers with A_log, D, in_proj, conv1d, x_proj, dt_proj, out_proj.

    The rows of x_proj are [dt, B, C].
    """

    name = "Mamba"
    exactness: Exactness = "selection only"
    configuration_fields = ("state_size", "d_state", "mamba_d_state")

    def matches(self, module: nn.Module) -> bool:
        """Whether the module holds the parameters, A_log with two axes."""
        return has_tensors(module, *_SHAPES) and find_tensor(module, "A_log").ndim == 2

    def state_parameters(self, layer: nn.Module) -> tuple[StateParameter, ...]:
        """Describe A_log, the rows of x_proj for B and C, and norms' weights."""
        rank = _rank(layer)
        described = [StateParameter("A_log", 1, "pole")]
        for name in ("x_proj.weight", "x_proj.bias"):
            if has_tensors(layer, name):
                rows = StateParameter(name, 0, "input", 2, beyond=rank, before=rank)
                described.append(rows)
        for vector, path in self.norms(layer).items():
            role: Role = "input" if vector == "B" else "output"
            for name in (f"{path}.weight", f"{path}.bias"):
                if has_tensors(layer, name):
                    described.append(StateParameter(name, 0, role))
        return tuple(described)

    def attributes(self, layer: nn.Module, n_states: int) -> Mapping[str, Any]:
        """Return the sizes that the layer, its projection and its norms keep."""
        sizes = {
            "ssm_state_size": n_states,
            "d_state": n_states,
            "x_proj.out_features": _rank(layer) + 2 * n_states,
        }
        norms = self.norms(layer).values()
        shapes = {f"{path}.normalized_shape": (n_states,) for path in norms}
        return held_sizes(layer, {**sizes, **shapes})

    def require_valid(self, layer: nn.Module) -> None:
        """Raise unless the parameters fit together and are finite.

        Raises
        ------
        UnsupportedLayerError
            If shapes do not fit together, or another tensor seems to have states.
        InvalidSystemError
            If a parameter is NaN or infinite; names it.
        """
        norms = self.norms(layer).values()
        held = [f"{path}.{name}" for path in norms for name in ("weight", "bias")]
        shapes = _SHAPES | {name: "n" for name in held if has_tensors(layer, name)}
        if has_tensors(layer, "x_proj.bias"):
            shapes["x_proj.bias"] = "s"
        parameters = checked_parameters(_KIND, layer, shapes)
        n_states = parameters["A_log"].shape[1]
        rows = parameters["x_proj.weight"].shape[0]
        require_rows(_KIND, "x_proj.weight", rows, _rank(layer), n_states)
        require_no_more(_KIND, layer, _SHAPES, n_states)

    def norms(self, layer: nn.Module) -> Mapping[StateVector, str]:
        """Return the norms of B and C over the states, by their paths."""
        return {
            vector: name
            for vector, names in _NORMS.items()
            for name in names
            if layer._modules.get(name) is not None
        }

    def signals(
        self, layer: nn.Module, inputs: Tensor, mask: Tensor | None
    ) -> SelectiveSignals:
        """Compute the signals of the one group of all channels."""
        projected = layer.get_submodule("in_proj")(masked(inputs, mask))
        x, gate = projected.chunk(2, dim=-1)
        x = convolved(layer, x, mask)
        n_states = find_tensor(layer, "A_log").shape[1]
        sizes = [_rank(layer), n_states, n_states]
        step, B, C = layer.get_submodule("x_proj")(x).split(sizes, dim=-1)
        norms = {str(vector): path for vector, path in self.norms(layer).items()}
        norms["dt"] = "dt_layernorm"
        step, B, C = (
            _normed(layer, norms.get(name), value)
            for name, value in (("dt", step), ("B", B), ("C", C))
        )
        steps = layer.get_submodule("dt_proj")(step)
        D, A_log = find_tensor(layer, "D"), find_tensor(layer, "A_log")

        def readout(y: Tensor) -> Tensor:
            y = (y[:, :, 0] + computed(D * x)) * functional.silu(computed(gate))
            outputs: Tensor = layer.get_submodule("out_proj")(y.to(inputs.dtype))
            return outputs

        return SelectiveSignals(
            functional.softplus(computed(steps))[:, :, None],
            -torch.exp(computed(A_log))[None],
            computed(x)[:, :, None],
            computed(B)[:, :, None],
            computed(C)[:, :, None],
            readout,
        )


def _rank(layer: nn.Module) -> int:
    """Return the number of rows of x_proj that the steps come from."""
    return int(find_tensor(layer, "dt_proj.weight").shape[1])


def _normed(layer: nn.Module, path: str | None, values: Tensor) -> Tensor:
    """Return signals behind a norm, if the layer has it."""
    norm = None if path is None else layer._modules.get(path)
    normed: Tensor = values if norm is None else norm(values)
    return normed
