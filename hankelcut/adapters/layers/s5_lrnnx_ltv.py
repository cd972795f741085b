"""Adapter for the other S5 of lrnnx, called without time steps of its own.

With `integration_timesteps` its poles would change from sample to sample; without, it
is a linear system with real and imaginary parts on the last axis of A, B and C, and
reads Re(C x), or 2 Re(C x) of states that stand for conjugate pairs.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from hankelcut._errors import UnsupportedLayerError
from hankelcut.adapters.layers._discretizations import (
    BILINEAR,
    IMPULSES,
    ZERO_ORDER_HOLD,
    Discretization,
)
from hankelcut.adapters.layers._parameters import checked_parameters, require_no_more
from hankelcut.adapters.layers._s5_family import S5Family, S5Parts
from hankelcut.adapters.protocol import StateParameter
from hankelcut.adapters.stored_matrix import StoredMatrix
from hankelcut.adapters.tensors import find_tensor, has_tensors, held_sizes, setting

__all__ = ["S5LrnnxSteppedAdapter"]

_SHAPES = {"A": "n2", "log_dt": "n", "B": "nm2", "C": "mn2", "D": "m"}
# What its compiled kernels do under these names.
_RULES = {"zoh": ZERO_ORDER_HOLD, "bilinear": BILINEAR, "dirac": IMPULSES}


class S5LrnnxSteppedAdapter(S5Family):
    """Adapter for layers with A, B, C, log_dt and D, B with parts on its last axis."""

    name = "lrnnx S5 (LTV)"

    def matches(self, module: nn.Module) -> bool:
        """Whether the module itself holds the five parameters."""
        known = has_tensors(module, *_SHAPES)
        axes = {"A": 2, "B": 3, "C": 3, "D": 1}
        return known and all(find_tensor(module, k).ndim == v for k, v in axes.items())

    def state_parameters(self, layer: nn.Module) -> tuple[StateParameter, ...]:
        """Describe the four parameters with a state axis."""
        return (
            StateParameter("A", 0, "pole"),
            StateParameter("log_dt", 0, "pole"),
            StateParameter("B", 0, "input"),
            StateParameter("C", 1, "output"),
        )

    def attributes(self, layer: nn.Module, n_states: int) -> Mapping[str, Any]:
        """Return the number of states."""
        return held_sizes(layer, {"d_state": n_states})

    def _parts(self, layer: nn.Module) -> S5Parts:
        p = checked_parameters(self._kind, layer, _SHAPES)
        require_no_more(self._kind, layer, _SHAPES, p["A"].shape[0])
        ones = torch.ones_like(p["log_dt"])
        return S5Parts(
            torch.view_as_complex(p["A"].contiguous()),
            p["log_dt"],
            self._rule(layer),
            p,
            StoredMatrix(("B",), "pairs", ones),
            StoredMatrix(("C",), "pairs", ones),
            torch.diag(p["D"]),
            "twice_real" if setting(layer, "conj_sym") else "real",
            float(setting(layer, "step_rescale")),
        )

    def _rule(self, layer: nn.Module) -> Discretization:
        name = setting(layer, "discretization")
        if name in _RULES:
            return _RULES[name]
        msg = f"{self._kind}: got discretization={name!r}, need one of "
        raise UnsupportedLayerError(msg + ", ".join(_RULES))

    def _log_step(self, layer: nn.Module) -> str:
        return "log_dt"

    def _stored_poles(self, layer: nn.Module, poles: Tensor) -> dict[str, Tensor]:
        return {"A": torch.view_as_real(poles)}
