r"""What linear recurrent units have in common, however they name and hold B and C.

All of them have the poles :math:`\lambda = \exp(-e^\nu + ie^\theta)`, the input matrix
:math:`e^\gamma B` and the output Re(C x) (Orvieto et al., ICML 2023).
"""

from abc import ABC, abstractmethod
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
    stored_like,
)
from hankelcut.adapters.layers._poles import decay_and_phase
from hankelcut.adapters.protocol import (
    Exactness,
    LayerReading,
    Replacement,
    StateParameter,
)
from hankelcut.adapters.stored_matrix import StoredForm, StoredMatrix
from hankelcut.adapters.tensors import has_tensors
from hankelcut.lti import DiagonalStateSpace, Discrete

__all__ = ["LRUFamily"]

_POLES = ("nu_log", "theta_log", "gamma_log")


class LRUFamily(ABC):
    """Adapter for one kind of linear recurrent unit.

    Attributes
    ----------
    name : str
        Kind of layer.
    inputs, outputs : tuple of str
        Parameters that hold B, (n, m), and C, (p, n): two for ``"parts"``, else one.
    form : {"complex", "parts"}
        How.
    feedthrough : str
        Axes of D: "m" of a diagonal one, "pm" of a matrix.
    initial : str
        Name of a parameter, (1, n), that holds the initial state in layers that learn
        it; empty where none does.
    """

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    form: StoredForm
    feedthrough: str
    initial: str = ""
    exactness: Exactness = "exact"

    @abstractmethod
    def attributes(self, layer: nn.Module, n_states: int) -> Mapping[str, Any]:
        """Return plain attributes that a layer of another number of states needs."""

    def matches(self, module: nn.Module) -> bool:
        """Whether the module itself holds the parameters of this kind."""
        names = (*_POLES, *self.inputs, *self.outputs, "D")
        return has_tensors(module, *names)

    def state_parameters(self, layer: nn.Module) -> tuple[StateParameter, ...]:
        """Describe the parameters with a state axis."""
        return (
            *(StateParameter(name, 0, "pole") for name in _POLES),
            *(StateParameter(name, 0, "input") for name in self.inputs),
            *(StateParameter(name, 1, "input") for name in self._initial(layer)),
            *(StateParameter(name, 1, "output") for name in self.outputs),
        )

    def read(self, layer: nn.Module) -> LayerReading:
        """Read a layer as a discrete system with a real readout.

        An initial state that is learned is one more column of B in what is balanced:
        the state after an impulse on one more input, a step before the first sample.

        Raises
        ------
        UnsupportedLayerError
            If the shapes of the parameters do not fit together.
        InvalidSystemError
            If a parameter is NaN or infinite; names it.
        """
        shapes = self._shapes(layer)
        p = checked_parameters(self._kind, layer, shapes)
        require_no_more(self._kind, layer, shapes, p["nu_log"].shape[0])
        gamma = p["gamma_log"].exp()
        ones = torch.ones_like(gamma)
        inputs = StoredMatrix(self.inputs, self.form, gamma)
        outputs = StoredMatrix(self.outputs, self.form, ones)
        B, D = gamma[:, None] * inputs.assemble(p), p["D"]
        D = torch.diag(D) if D.ndim == 1 else D
        exponents = torch.complex(-p["nu_log"].exp(), p["theta_log"].exp())
        C = outputs.assemble(p)
        system = DiagonalStateSpace(exponents, B, C, D, Discrete(), "real")
        if not self._initial(layer):
            return LayerReading(system, inputs, outputs)
        initial = StoredMatrix(
            self._initial(layer), "complex", ones, _transposed, _transposed
        )
        balanced = DiagonalStateSpace(
            exponents,
            torch.cat([B, initial.assemble(p)], dim=1),
            C,
            torch.cat([D, torch.zeros_like(D[:, :1])], dim=1),
            Discrete(),
            "real",
        )
        return LayerReading(system, inputs, outputs, balanced=balanced, initial=initial)

    def write(self, layer: nn.Module, system: DiagonalStateSpace) -> Replacement:
        """Compute the parameters of a layer that is the given system.

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
        system_before = reading.system
        assert isinstance(system_before, DiagonalStateSpace)  # noqa: S101 - as read
        form, m = reading.form, system_before.n_inputs
        require_writable(self._kind, system, form)
        decay, phase = decay_and_phase(system)
        gamma = (-torch.expm1(-2 * decay)).sqrt()
        norms = gamma * mean_row_norm(system_before)
        gauge = aligned_gauge(system.B[:, :m], norms)
        B = system.B / gauge[:, None]
        C = readout_ratio(system, form) * system.C * gauge
        assert reading.inputs is not None  # noqa: S101 - narrows the types
        assert reading.outputs is not None  # noqa: S101
        values: dict[str, Tensor] = {
            "nu_log": decay.log(),
            "theta_log": phase.log(),
            "gamma_log": gamma.log(),
            **reading.inputs.split(B[:, :m] / gamma[:, None]),
            **reading.outputs.split(C),
        }
        if reading.initial is not None:
            values |= reading.initial.split(B[:, m:])
        return Replacement(stored_like(layer, values), gauge)

    @property
    def _kind(self) -> str:
        return f"{self.name} layer"

    def _initial(self, layer: nn.Module) -> tuple[str, ...]:
        """Name of the parameter of the initial state, if the layer learns it."""
        learned = bool(self.initial) and has_tensors(layer, self.initial)
        return (self.initial,) if learned else ()

    def _shapes(self, layer: nn.Module) -> Mapping[str, str]:
        star = "*" if self.form == "complex" else ""
        outputs = "mn" if self.feedthrough == "m" else "pn"
        return {
            **dict.fromkeys(_POLES, "n"),
            **dict.fromkeys(self.inputs, f"{star}nm"),
            **dict.fromkeys(self.outputs, f"{star}{outputs}"),
            **dict.fromkeys(self._initial(layer), "*1n"),
            "D": self.feedthrough,
        }


def _transposed(matrix: Tensor) -> Tensor:
    return matrix.mT
