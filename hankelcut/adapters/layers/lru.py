r"""Adapter for linear recurrent units with the standard parameter names.

The layer computes :math:`x_k = \lambda x_{k-1} + e^\gamma B u_k`,
:math:`y_k = \mathrm{Re}(C x_k) + D u_k` with :math:`\lambda = \exp(-e^\nu + ie^\theta)`
(Orvieto et al., ICML 2023). Its output reads the state *after* the update: the layer's
transfer function is z (G(z) - D) + D with the G of the extracted system, which has the
same Hankel singular values and the same error norms.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from hankelcut.adapters.layers._gauges import (
    aligned_gauge,
    mean_row_norm,
    readout_ratio,
)
from hankelcut.adapters.layers._parameters import (
    checked_parameters,
    require_no_more,
    require_writable,
)
from hankelcut.adapters.layers._poles import decay_and_phase
from hankelcut.adapters.protocol import (
    Exactness,
    LayerReading,
    Replacement,
    StateParameter,
)
from hankelcut.adapters.stored_matrix import StoredMatrix
from hankelcut.lti import DiagonalStateSpace, Discrete

__all__ = ["LRUAdapter"]

_KIND = "LRU layer"
_SHAPES = {
    "nu_log": "n",
    "theta_log": "n",
    "gamma_log": "n",
    "B_re": "nm",
    "B_im": "nm",
    "C_re": "mn",
    "C_im": "mn",
    "D": "m",
}


class LRUAdapter:
    """Adapter for layers with nu_log, theta_log, gamma_log, B_re, ..., D."""

    name = "LRU"
    exactness: Exactness = "exact"

    def matches(self, module: nn.Module) -> bool:
        """Whether the module itself holds the eight parameters of an LRU."""
        own = module._parameters
        return all(own.get(name) is not None for name in _SHAPES)

    def state_parameters(self, layer: nn.Module) -> tuple[StateParameter, ...]:
        """Describe the seven parameters with a state axis."""
        return (
            StateParameter("nu_log", 0, "pole"),
            StateParameter("theta_log", 0, "pole"),
            StateParameter("gamma_log", 0, "pole"),
            StateParameter("B_re", 0, "input"),
            StateParameter("B_im", 0, "input"),
            StateParameter("C_re", 1, "output"),
            StateParameter("C_im", 1, "output"),
        )

    def attributes(self, layer: nn.Module, n_states: int) -> Mapping[str, Any]:
        """Return nothing: the sizes are those of the parameters."""
        return {}

    def read(self, layer: nn.Module) -> LayerReading:
        """Read the layer as a discrete system with a real readout.

        Raises
        ------
        UnsupportedLayerError
            If the shapes of the parameters do not fit together.
        InvalidSystemError
            If a parameter is NaN or infinite; names it.
        """
        p = checked_parameters(_KIND, layer, _SHAPES)
        require_no_more(_KIND, layer, _SHAPES, p["nu_log"].shape[0])
        exponents = torch.complex(-p["nu_log"].exp(), p["theta_log"].exp())
        gamma = p["gamma_log"].exp()
        inputs = StoredMatrix(("B_re", "B_im"), "parts", gamma)
        outputs = StoredMatrix(("C_re", "C_im"), "parts", torch.ones_like(gamma))
        system = DiagonalStateSpace(
            exponents,
            gamma[:, None] * inputs.assemble(p),
            outputs.assemble(p),
            torch.diag(p["D"]),
            Discrete(),
            "real",
        )
        return LayerReading(system, inputs, outputs)

    def write(self, layer: nn.Module, system: DiagonalStateSpace) -> Replacement:
        """Compute the parameters of an LRU that is the given system.

        Every mode is scaled so that its row of B has the norm that rows had on average
        before, with the largest entry real and positive, and gamma is sqrt(1 - |l|^2).
        Poles on the positive real axis get the phase 2 pi, poles at 0 the radius 1e-6.

        Raises
        ------
        UnsupportedLayerError
            If the system is not discrete with a real readout, or has other inputs,
            outputs or feedthrough than the layer.
        UnstableSystemError
            If a pole is not stable.
        """
        reading = self.read(layer)
        form = reading.form
        require_writable(_KIND, system, form)
        decay, phase = decay_and_phase(system)
        gamma = (-torch.expm1(-2 * decay)).sqrt()
        gauge = aligned_gauge(system.B, gamma * mean_row_norm(form))
        B = system.B / (gauge * gamma)[:, None]
        C = readout_ratio(system, form) * system.C * gauge
        assert reading.inputs is not None  # noqa: S101 - narrows the types
        assert reading.outputs is not None  # noqa: S101
        values: dict[str, Tensor] = {
            "nu_log": decay.log(),
            "theta_log": phase.log(),
            "gamma_log": gamma.log(),
            **reading.inputs.split(B),
            **reading.outputs.split(C),
        }
        stored = {
            name: value.to(layer.get_parameter(name)).contiguous()
            for name, value in values.items()
        }
        return Replacement(stored, gauge)
