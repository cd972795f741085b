"""A short, plain adapter for linear recurrent units, for the mutation study."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from hankelcut.adapters import (
    LayerReading,
    Policy,
    ReductionEvent,
    Replacement,
    StateParameter,
    StoredMatrix,
    reduce_,
)
from hankelcut.adapters.layers.lru import LRUAdapter
from hankelcut.adapters.protocol import Exactness, Role
from hankelcut.lti import DiagonalStateSpace, Discrete

# What it refuses is not what the study is about.
REFUSALS = LRUAdapter()

STATE_AXES: dict[str, tuple[int, Role]] = {
    "nu_log": (0, "pole"),
    "theta_log": (0, "pole"),
    "gamma_log": (0, "pole"),
    "B_re": (0, "input"),
    "B_im": (0, "input"),
    "C_re": (1, "output"),
    "C_im": (1, "output"),
}


class PlainLRUAdapter:
    """Reads and writes nu_log, theta_log, gamma_log, B_re, B_im, C_re, C_im and D."""

    name = "plain LRU"
    exactness: Exactness = "exact"

    def matches(self, module: nn.Module) -> bool:
        """Whether the module itself holds the eight parameters."""
        own = module._parameters
        return all(own.get(name) is not None for name in (*STATE_AXES, "D"))

    def attributes(self, layer: nn.Module, n_states: int) -> Mapping[str, Any]:
        """Return nothing: all sizes are those of the parameters."""
        return {}

    def read(self, layer: nn.Module) -> LayerReading:
        """Read the layer as a discrete system with a real readout."""
        REFUSALS.read(layer)
        p = {name: value.detach().double() for name, value in layer.named_parameters()}
        exponents = torch.complex(-p["nu_log"].exp(), p["theta_log"].exp())
        scale = p["gamma_log"].exp()
        B = scale[:, None] * torch.complex(p["B_re"], p["B_im"])
        C = torch.complex(p["C_re"], p["C_im"])
        system = DiagonalStateSpace(
            exponents, B, C, torch.diag(p["D"]), Discrete(), "real"
        )
        inputs = StoredMatrix(("B_re", "B_im"), "parts", scale)
        outputs = StoredMatrix(("C_re", "C_im"), "parts", torch.ones_like(scale))
        return LayerReading(system, inputs, outputs)

    def write(self, layer: nn.Module, system: DiagonalStateSpace) -> Replacement:
        """Compute the parameters that store a system: gamma is sqrt(1 - |pole|^2)."""
        REFUSALS.write(layer, system)
        decay = -system.exponents.real
        phase = torch.remainder(system.exponents.imag, 2 * math.pi)
        phase = torch.where(phase == 0, 2 * math.pi, phase)
        gamma = (-torch.expm1(-2 * decay)).sqrt()
        B = system.B / gamma[:, None]
        C = 2 * system.C if system.readout == "twice_real" else system.C
        values = {
            "nu_log": decay.log(),
            "theta_log": phase.log(),
            "gamma_log": gamma.log(),
            "B_re": B.real,
            "B_im": B.imag,
            "C_re": C.real,
            "C_im": C.imag,
        }
        stored = {
            name: value.to(layer.get_parameter(name)).contiguous()
            for name, value in values.items()
        }
        return Replacement(stored, torch.ones_like(system.exponents))

    def state_parameters(self, layer: nn.Module) -> tuple[StateParameter, ...]:
        """Describe the seven parameters with a state axis."""
        return tuple(StateParameter(name, *rest) for name, rest in STATE_AXES.items())


def cut(
    model: nn.Module,
    policy: Policy,
    *,
    optimizer: torch.optim.Optimizer | None = None,
) -> ReductionEvent:
    """Cut every layer of a model, and move the state of its optimizer."""
    return reduce_(model, policy, optimizer=optimizer, optimizer_state="transport")
