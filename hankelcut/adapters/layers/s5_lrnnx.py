r"""Adapter for the time-invariant S5 of lrnnx, whose input matrix is real.

The layer has the poles :math:`a = -\mathrm{softplus}(A_0) + i A_1`, steps
:math:`e^\delta`, and adds u D with a full matrix D. Where rows of a reduced B are no
multiples of real ones, the parameter B becomes a complex one, with which its code works
as before; `with_real_inputs` makes systems, of more states, that can do without.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from hankelcut.adapters.layers._discretizations import identified
from hankelcut.adapters.layers._parameters import checked_parameters, require_no_more
from hankelcut.adapters.layers._s5_family import S5Family, S5Parts
from hankelcut.adapters.protocol import StateParameter
from hankelcut.adapters.stored_matrix import StoredMatrix
from hankelcut.adapters.tensors import find_tensor, has_tensors, held_sizes, setting

__all__ = ["S5LrnnxAdapter"]

_SHAPES = {"A": "n2", "log_dt": "n", "B": "nm", "C": "mn2", "D": "mm"}


class S5LrnnxAdapter(S5Family):
    """Adapter for layers with A, B, C, log_dt and D, B without parts on an axis."""

    name = "lrnnx S5"

    def matches(self, module: nn.Module) -> bool:
        """Whether the module itself holds the five parameters."""
        known = has_tensors(module, *_SHAPES)
        axes = {"A": 2, "B": 2, "C": 3, "D": 2}
        return known and all(find_tensor(module, k).ndim == v for k, v in axes.items())

    def state_parameters(self, layer: nn.Module) -> tuple[StateParameter, ...]:
        """Describe the four parameters with a state axis."""
        return (
            StateParameter("A", 0, "pole"),
            StateParameter("log_dt", 0, "pole"),
            StateParameter("B", 0, "input", may_widen=True),
            StateParameter("C", 1, "output"),
        )

    def attributes(self, layer: nn.Module, n_states: int) -> Mapping[str, Any]:
        """Return the number of states, which the layer holds twice."""
        return held_sizes(layer, {"d_state": n_states, "state_dim": n_states})

    def _parts(self, layer: nn.Module) -> S5Parts:
        is_complex = find_tensor(layer, "B").is_complex()
        shapes = _SHAPES | ({"B": "*nm"} if is_complex else {})
        p = checked_parameters(self._kind, layer, shapes)
        require_no_more(self._kind, layer, _SHAPES, p["A"].shape[0])
        function = setting(layer, "discretize_fn")
        ones = torch.ones_like(p["log_dt"])
        return S5Parts(
            torch.complex(-nn.functional.softplus(p["A"][:, 0]), p["A"][:, 1]),
            p["log_dt"],
            identified(self._kind, lambda a, d: function(a, d, None)),
            p,
            StoredMatrix(("B",), "complex" if is_complex else "real", ones),
            StoredMatrix(("C",), "pairs", ones),
            p["D"].mT,
        )

    def _log_step(self, layer: nn.Module) -> str:
        return "log_dt"

    def _stored_poles(self, layer: nn.Module, poles: Tensor) -> dict[str, Tensor]:
        decay = -poles.real
        # The inverse of softplus, log(e^x - 1), without overflow; NaN where there is
        # none, at poles that do not decay.
        inverse = decay + torch.log(-torch.expm1(-decay))
        return {"A": torch.stack([inverse, poles.imag], dim=-1)}
