"""Adapter for linear recurrent units whose B and C are complex parameters.

The recurrence is that of `hankelcut.adapters.layers.lru`, with any numbers of inputs
and outputs and a full feedthrough matrix: the layers of LRU-pytorch and lru-reduction.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from hankelcut.adapters.layers._lru_family import LRUFamily
from hankelcut.adapters.stored_matrix import StoredForm
from hankelcut.adapters.tensors import held_sizes

__all__ = ["ComplexLRUAdapter"]


class ComplexLRUAdapter(LRUFamily):
    """Adapter for layers with nu_log, theta_log, gamma_log, complex B and C, and D."""

    name = "complex LRU"
    inputs = ("B",)
    outputs = ("C",)
    form: StoredForm = "complex"
    feedthrough = "pm"

    def attributes(self, layer: nn.Module, n_states: int) -> Mapping[str, Any]:
        """Return the number of states and the recurrent state, which starts anew."""
        changed: dict[str, Any] = held_sizes(layer, {"state_features": n_states})
        state = vars(layer).get("state")
        if isinstance(state, Tensor):
            shape = (*state.shape[:-1], n_states)
            changed["state"] = torch.zeros(
                shape, dtype=state.dtype, device=state.device
            )
        return changed
