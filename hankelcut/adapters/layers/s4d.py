r"""Adapter for S4D layers in their minimal form, a bank of channels with B = 1.

Channel h computes :math:`y = K * u + D u` with the kernel :math:`K_k = 2\,\mathrm{Re}
\sum_n C_n \frac{e^{\Delta a_n} - 1}{a_n} e^{\Delta a_n k}`, :math:`a = -e^{\alpha} +
i\beta`, :math:`\Delta = e^\delta` (Gu et al., NeurIPS 2022). The reduced poles keep the
step :math:`\Delta` of their channel; all channels have one number of states. Such are
the minimal S4D of state-spaces/s4, that of ml4gw, and `hankelcut.nn.S4D`.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from hankelcut.adapters.layers._gauges import readout_ratio
from hankelcut.adapters.layers._parameters import (
    checked_parameters,
    require_no_more,
    require_writable,
    stored_like,
)
from hankelcut.adapters.layers._poles import principal_exponents
from hankelcut.adapters.protocol import (
    Exactness,
    LayerReading,
    Replacement,
    StateParameter,
)
from hankelcut.adapters.stored_matrix import StoredMatrix
from hankelcut.adapters.tensors import find_tensor, has_tensors, owner_of
from hankelcut.lti import DiagonalStateSpace, Discrete
from hankelcut.lti.systems._complex_functions import expm1

__all__ = ["S4DAdapter"]

_KIND = "S4D layer"
_KERNEL_SHAPES = {"C": "hn2", "log_dt": "h", "log_A_real": "hn", "A_imag": "hn"}


class S4DAdapter:
    """Adapter for layers with D beside C, log_dt, log_A_real and A_imag.

    These may be the layer's own or those of its submodule ``kernel``; a kernel without
    a layer around it is taken with D = 0.
    """

    name = "S4D"
    exactness: Exactness = "exact"

    def matches(self, module: nn.Module) -> bool:
        """Whether the module, or its ``kernel``, holds the four parameters."""
        return _prefix(module) is not None

    def state_parameters(self, layer: nn.Module) -> tuple[StateParameter, ...]:
        """Describe the three parameters with a state axis."""
        kernel = _prefix(layer) or ""
        return (
            StateParameter(f"{kernel}log_A_real", 1, "pole"),
            StateParameter(f"{kernel}A_imag", 1, "pole"),
            StateParameter(f"{kernel}C", 1, "output"),
        )

    def attributes(self, layer: nn.Module, n_states: int) -> Mapping[str, Any]:
        """Return nothing: the sizes are those of the parameters."""
        return {}

    def read(self, layer: nn.Module) -> LayerReading:
        """Read the layer as a discrete bank of H channels.

        Raises
        ------
        UnsupportedLayerError
            If the shapes of the parameters do not fit together.
        InvalidSystemError
            If a parameter is NaN or infinite; names it.
        """
        kernel = _prefix(layer) or ""
        shapes = {f"{kernel}{name}": axes for name, axes in _KERNEL_SHAPES.items()}
        if has_tensors(layer, "D"):
            shapes["D"] = "h"
        p = checked_parameters(_KIND, layer, shapes)
        poles = torch.complex(-p[f"{kernel}log_A_real"].exp(), p[f"{kernel}A_imag"])
        owner, _ = owner_of(layer, f"{kernel}C")
        require_no_more(_KIND, owner, {**_KERNEL_SHAPES, "D": ""}, poles.shape[1])
        step = p[f"{kernel}log_dt"].exp()[:, None]
        outputs = _outputs(f"{kernel}C", poles, step)
        D = p.get("D", torch.zeros_like(step[:, 0]))
        system = DiagonalStateSpace(
            step * poles,
            torch.ones_like(poles)[..., None],
            outputs.scale[:, None, :] * outputs.assemble(p),
            D[:, None, None],
            Discrete(),
            "twice_real",
        )
        return LayerReading(system, outputs=outputs)

    def write(self, layer: nn.Module, system: DiagonalStateSpace) -> Replacement:
        """Compute the parameters of a bank: the residues go into C.

        Phases are taken in [-pi, pi], poles at 0 get the radius 1e-6.

        Raises
        ------
        UnsupportedLayerError
            If the system is not discrete with a real readout, or has other channels or
            another feedthrough than the layer.
        UnstableSystemError
            If a pole is not stable.
        """
        kernel = _prefix(layer) or ""
        form = self.read(layer).form
        require_writable(_KIND, system, form)
        step = find_tensor(layer, f"{kernel}log_dt").detach().double().exp()[:, None]
        poles = principal_exponents(system) / step
        outputs = _outputs(f"{kernel}C", poles, step)
        B = system.B[..., 0]
        gauge = torch.where(B == 0, torch.ones_like(B), B)
        C = readout_ratio(system, form) * system.C * B[:, None, :]
        values: dict[str, Tensor] = {
            f"{kernel}log_A_real": (-poles.real).log(),
            f"{kernel}A_imag": poles.imag,
            **outputs.split(C / outputs.scale[:, None, :]),
        }
        return Replacement(stored_like(layer, values), gauge)


def _prefix(module: nn.Module) -> str | None:
    """Path of the kernel's parameters; None where there is no kernel."""
    if has_tensors(module, *_KERNEL_SHAPES):
        return ""
    inside = (f"kernel.{name}" for name in _KERNEL_SHAPES)
    return "kernel." if has_tensors(module, "D", *inside) else None


def _outputs(name: str, poles: Tensor, step: Tensor) -> StoredMatrix:
    """How C is held: times the gain (e^(dt a) - 1) / a of the zero-order hold."""
    return StoredMatrix(
        (name,),
        "pairs",
        expm1(step * poles) / poles,
        to_system=lambda C: C[:, None, :],
        to_stored=lambda C: C[:, 0, :],
    )
