r"""What layers of one diagonal system with learned steps have in common (S5).

The layer computes :math:`x_k = \lambda x_{k-1} + g B u_k`, :math:`y_k = \mathrm{Re}(C
x_k) + D u_k`, with the discrete poles :math:`\lambda` and the input factors g of
continuous poles and steps (Smith et al., ICLR 2023). Only their product has a meaning:
reduced poles get the geometric mean of the steps.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from hankelcut._errors import UnsupportedLayerError
from hankelcut.adapters.layers._discretizations import Discretization
from hankelcut.adapters.layers._gauges import aligned_gauge, readout_ratio
from hankelcut.adapters.layers._parameters import require_writable, stored_like
from hankelcut.adapters.layers._poles import principal_exponents
from hankelcut.adapters.protocol import (
    Exactness,
    LayerReading,
    Replacement,
    StateParameter,
)
from hankelcut.adapters.stored_matrix import StoredMatrix
from hankelcut.adapters.tensors import find_tensor
from hankelcut.lti import DiagonalStateSpace, Discrete, Readout

__all__ = ["S5Family", "S5Parts"]


@dataclass(frozen=True, eq=False)
class S5Parts:
    """What one layer stores, in double precision.

    Parameters
    ----------
    poles : (n,) complex128 tensor
        Continuous poles.
    log_steps : (n,) float64 tensor
        Logarithms of the steps, as they are stored.
    discretization : Discretization
        What makes them discrete.
    parameters : mapping of str to tensor
        What the layer holds, by path.
    inputs, outputs : StoredMatrix
        How B and C are held, the former without the factor of the discretization.
    D : (p, m) float64 tensor
        Feedthrough of the system.
    readout : {"real", "twice_real"}
        What the layer outputs of C x.
    step_scale : float
        Factor of all steps.
    directions : int
        As in `LayerReading`.
    """

    poles: Tensor
    log_steps: Tensor
    discretization: Discretization
    parameters: Mapping[str, Tensor]
    inputs: StoredMatrix
    outputs: StoredMatrix
    D: Tensor
    readout: Readout = "real"
    step_scale: float = 1.0
    directions: int = 1

    @property
    def steps(self) -> Tensor:
        """Steps, (n,)."""
        return self.step_scale * self.log_steps.exp()


class S5Family(ABC):
    """Adapter for one kind of layer with learned steps.

    Attributes
    ----------
    name : str
        Kind of layer.
    """

    name: str
    exactness: Exactness = "exact"

    @abstractmethod
    def matches(self, module: nn.Module) -> bool:
        """Whether a module holds the parameters of this kind."""

    @abstractmethod
    def state_parameters(self, layer: nn.Module) -> tuple[StateParameter, ...]:
        """Describe the parameters with a state axis."""

    @abstractmethod
    def attributes(self, layer: nn.Module, n_states: int) -> Mapping[str, Any]:
        """Return plain attributes that a layer of another number of states needs."""

    @abstractmethod
    def _parts(self, layer: nn.Module) -> S5Parts:
        """Return what the layer stores; raise where shapes or numbers are wrong."""

    @abstractmethod
    def _log_step(self, layer: nn.Module) -> str:
        """Path of the parameter that holds the logarithms of the steps."""

    @abstractmethod
    def _stored_poles(self, layer: nn.Module, poles: Tensor) -> dict[str, Tensor]:
        """Return the other parameters that hold continuous poles."""

    def read(self, layer: nn.Module) -> LayerReading:
        """Read a layer as a discrete system with a real readout.

        Raises
        ------
        UnsupportedLayerError
            If the shapes of the parameters do not fit together, or the discretization
            is not known.
        InvalidSystemError
            If a parameter is NaN or infinite; names it.
        """
        parts = self._parts(layer)
        rule = parts.discretization
        steps = parts.steps
        gain = rule.gain(parts.poles, steps)
        system = DiagonalStateSpace(
            rule.exponents(parts.poles, steps),
            gain[:, None] * parts.inputs.assemble(parts.parameters),
            parts.outputs.assemble(parts.parameters),
            parts.D,
            Discrete(),
            parts.readout,
        )
        inputs = replace(parts.inputs, scale=gain)
        return LayerReading(system, inputs, parts.outputs, directions=parts.directions)

    def write(self, layer: nn.Module, system: DiagonalStateSpace) -> Replacement:
        """Compute the parameters of a layer that is the given system.

        Every mode is scaled so that its row of B has the norm that rows had on average
        before, with the largest entry real and positive. All poles get the geometric
        mean of the steps; phases are taken in [-pi, pi], poles at 0 get the radius
        1e-6.

        Raises
        ------
        UnsupportedLayerError
            If the system is not discrete with a real readout, has other inputs, outputs
            or feedthrough than the layer, or a pole that its parameters cannot hold.
        UnstableSystemError
            If a pole is not stable.
        """
        parts, form, kind = self._parts(layer), self.read(layer).form, self._kind
        require_writable(kind, system, form)
        name = self._log_step(layer)
        # The step as it will be stored: what rounding does to it goes into the poles.
        log_step = parts.log_steps.mean().to(find_tensor(layer, name)).double()
        log_steps = log_step.expand_as(system.exponents.real)
        steps = parts.step_scale * log_steps.exp()
        poles = parts.discretization.poles(principal_exponents(system), steps)
        B = system.B / parts.discretization.gain(poles, steps)[:, None]
        rows = torch.linalg.vector_norm(parts.inputs.assemble(parts.parameters), dim=-1)
        norm = rows.mean() if bool(rows.any()) else torch.ones_like(rows[0])
        gauge = aligned_gauge(B, norm.expand_as(steps))
        B = B / gauge[:, None]
        inputs = parts.inputs
        if inputs.form == "real" and not _is_real(B, find_tensor(layer, name)):
            inputs = replace(inputs, form="complex")
        values = {
            name: log_steps,
            **self._stored_poles(layer, poles),
            **inputs.split(B),
            **parts.outputs.split(readout_ratio(system, form) * system.C * gauge),
        }
        stored = stored_like(layer, values)
        for name, value in stored.items():
            if not bool(torch.isfinite(value).all()):
                msg = f"{kind}: got a pole that cannot be stored: {name} would not be "
                raise UnsupportedLayerError(msg + "finite; choose another order")
        return Replacement(stored, gauge)

    @property
    def _kind(self) -> str:
        return f"{self.name} layer"


def _is_real(matrix: Tensor, stored: Tensor) -> bool:
    """Whether imaginary parts are rounding in the precision of what is stored."""
    eps = torch.finfo(stored.dtype).eps
    return bool(matrix.imag.abs().max() <= eps * matrix.abs().max())
