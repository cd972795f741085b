r"""Adapter for linear recurrent units that read their state before the update.

The layer of neural-ssm computes :math:`x_{k+1} = \lambda x_k + e^\gamma B u_k`,
:math:`y_k = \mathrm{Re}(C x_k) + D u_k`: a standard discrete system. Where it learns
its initial state x_0, the state after an impulse v on one more input with the column
x_0, that column belongs to what is balanced: the reduced layer's is W^H x_0, and its
response to inputs and initial state is off by at most
:math:`\epsilon\,\sqrt{\|u\|^2 + 1}`, with the error bound :math:`\epsilon` of the cut.
"""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from hankelcut.adapters.layers._lru_family import LRUFamily
from hankelcut.adapters.stored_matrix import StoredForm
from hankelcut.adapters.tensors import find_tensor, held_sizes

__all__ = ["DelayedLRUAdapter"]


class DelayedLRUAdapter(LRUFamily):
    """Adapter for layers with nu_log, theta_log, gamma_log, complex Bp and C, and D.

    `x0_param` is a parameter too where the layer learns its initial state.
    """

    name = "delayed LRU"
    inputs = ("Bp",)
    outputs = ("C",)
    form: StoredForm = "complex"
    feedthrough = "pm"
    initial = "x0_param"

    def attributes(self, layer: nn.Module, n_states: int) -> Mapping[str, Any]:
        """Return the number of states, no running state, and unusable caches.

        The next forward fills the caches; until then they hold NaN, so that nothing
        takes the old values for the new layer's.
        """
        changed: dict[str, Any] = held_sizes(layer, {"state_features": n_states})
        Bp = find_tensor(layer, "Bp").detach()
        shapes = {"lambdas": (n_states,), "B": (n_states, Bp.shape[1])}
        for name, shape in shapes.items():
            if name in vars(layer):
                changed[name] = torch.full(
                    shape, math.nan, dtype=Bp.dtype, device=Bp.device
                )
        return changed | ({"state": None} if "state" in vars(layer) else {})
