r"""Adapter for linear recurrent units with the standard parameter names.

The layer computes :math:`x_k = \lambda x_{k-1} + e^\gamma B u_k`,
:math:`y_k = \mathrm{Re}(C x_k) + D u_k` with :math:`\lambda = \exp(-e^\nu + ie^\theta)`
(Orvieto et al., ICML 2023). Its output reads the state *after* the update: the layer's
transfer function is z (G(z) - D) + D with the G of the extracted system, which has the
same Hankel singular values and the same error norms.
"""

from collections.abc import Mapping
from typing import Any

from torch import nn

from hankelcut.adapters.layers._lru_family import LRUFamily
from hankelcut.adapters.stored_matrix import StoredForm
from hankelcut.adapters.tensors import held_sizes

__all__ = ["LRUAdapter"]


class LRUAdapter(LRUFamily):
    """Adapter for layers with nu_log, theta_log, gamma_log, B_re, ..., D.

    These are `hankelcut.nn.LRU` and the LRU of lrnnx.
    """

    name = "LRU"
    inputs = ("B_re", "B_im")
    outputs = ("C_re", "C_im")
    form: StoredForm = "parts"
    feedthrough = "m"

    def attributes(self, layer: nn.Module, n_states: int) -> Mapping[str, Any]:
        """Return the number of states, where the layer holds it beside its shapes."""
        return held_sizes(layer, {"d_state": n_states})
