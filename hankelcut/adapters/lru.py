r"""Adapter for linear recurrent units with the standard parameter names.

The layer computes :math:`x_k = \lambda x_{k-1} + e^\gamma B u_k`,
:math:`y_k = \mathrm{Re}(C x_k) + D u_k` with :math:`\lambda = \exp(-e^\nu + ie^\theta)`
(Orvieto et al., ICML 2023). Its output reads the state *after* the update: the layer's
transfer function is z (G(z) - D) + D with the G of the extracted system, which has the
same Hankel singular values and the same error norms.
"""

import math
from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from hankelcut._errors import InvalidSystemError, UnsupportedLayerError
from hankelcut.adapters.protocol import Replacement, StateParameter
from hankelcut.lti import DiagonalStateSpace, Discrete
from hankelcut.lti.structure.stability import require_stable

__all__ = ["LRUAdapter"]

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
# A pole at 0 has no finite logarithm; at 1e-6 it is off by at most 1e-6 |c| |b|.
_SMALLEST_POLE = 1e-6


class LRUAdapter:
    """Adapter for layers with nu_log, theta_log, gamma_log, B_re, ..., D."""

    name = "LRU"
    exactness: Literal["exact", "selection only"] = "exact"

    def matches(self, module: nn.Module) -> bool:
        """Whether the module itself holds the eight parameters of an LRU."""
        own = module._parameters
        return all(own.get(name) is not None for name in _SHAPES)

    def extract(self, layer: nn.Module) -> DiagonalStateSpace:
        """Read the layer as a discrete system with a real readout.

        Raises
        ------
        UnsupportedLayerError
            If the shapes of the parameters do not fit together.
        InvalidSystemError
            If a parameter is NaN or infinite; names it.
        """
        p = _parameters(layer)
        exponents = torch.complex(-p["nu_log"].exp(), p["theta_log"].exp())
        scale = self.input_scale(p)[:, None]
        B = torch.complex(scale * p["B_re"], scale * p["B_im"])
        C = torch.complex(p["C_re"], p["C_im"])
        return DiagonalStateSpace(
            exponents, B, C, torch.diag(p["D"]), Discrete(), "real"
        )

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
        p = _parameters(layer)
        _require_writable(layer, system, p)
        decay = -system.exponents.real.clamp(min=math.log(_SMALLEST_POLE))
        phase = torch.remainder(system.exponents.imag, 2 * math.pi)
        phase = torch.where(phase == 0, 2 * math.pi, phase)
        gamma = (-torch.expm1(-2 * decay)).sqrt()
        gauge = _gauge(system, gamma, _mean_row_norm(self.extract(layer)))
        B = system.B / (gauge * gamma)[:, None]
        C = system.C * gauge
        if system.readout == "twice_real":
            C = 2 * C
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
        return Replacement(stored, gauge)

    def state_parameters(self, layer: nn.Module) -> tuple[StateParameter, ...]:
        """Describe the seven parameters with a state axis."""
        return (
            StateParameter("nu_log", 0, "pole"),
            StateParameter("theta_log", 0, "pole"),
            StateParameter("gamma_log", 0, "pole"),
            StateParameter("B_re", 0, "input", "real"),
            StateParameter("B_im", 0, "input", "imag"),
            StateParameter("C_re", 1, "output", "real"),
            StateParameter("C_im", 1, "output", "imag"),
        )

    def input_scale(self, values: Mapping[str, Tensor]) -> Tensor:
        """Scale exp(gamma_log) between stored rows and rows of B."""
        return values["gamma_log"].detach().double().exp()


def _parameters(layer: nn.Module) -> dict[str, Tensor]:
    """Parameters in float64, detached, with their shapes and values checked."""
    values = {name: getattr(layer, name).detach() for name in _SHAPES}
    shapes = {name: tuple(value.shape) for name, value in values.items()}
    sizes = {"n": shapes["nu_log"][:1], "m": shapes["D"][:1]}
    _require_no_more(layer, sizes["n"])
    for name, axes in _SHAPES.items():
        need = sum((sizes[axis] for axis in axes), ())
        if shapes[name] != need or values[name].is_complex():
            msg = (
                f"LRU layer: got {name} of shape {shapes[name]} and "
                f"{values[name].dtype}, need a real parameter of shape {need}"
            )
            raise UnsupportedLayerError(msg)
        if not bool(torch.isfinite(values[name]).all()):
            count = int((~torch.isfinite(values[name])).sum())
            msg = f"LRU layer: parameter {name} holds {count} NaN or infinite entries; "
            msg += "training has diverged: go back to a checkpoint before reducing"
            raise InvalidSystemError(msg)
    return {name: value.double() for name, value in values.items()}


def _require_no_more(layer: nn.Module, n_states: tuple[int, ...]) -> None:
    """Raise when the layer holds another tensor that seems to have a state axis."""
    tensors = {**layer._parameters, **layer._buffers}
    for name, tensor in tensors.items():
        if name in _SHAPES or tensor is None:
            continue
        if set(n_states) & set(tensor.shape):
            msg = (
                f"LRU layer: {name} of shape {tuple(tensor.shape)} is no parameter "
                f"of an LRU and seems to have an axis of {n_states[0]} states, which "
                "a cut would not shorten; write an adapter for this kind of layer"
            )
            raise UnsupportedLayerError(msg)


def _require_writable(
    layer: nn.Module, system: DiagonalStateSpace, p: Mapping[str, Tensor]
) -> None:
    m = p["D"].shape[0]
    if not isinstance(system.time, Discrete) or system.readout == "complex":
        msg = (
            f"LRU layer: got a {type(system.time).__name__} system with readout "
            f"{system.readout!r}, need a discrete one with a real readout"
        )
        raise UnsupportedLayerError(msg)
    if (system.n_inputs, system.n_outputs, system.batch_shape) != (m, m, ()):
        msg = (
            f"LRU layer: got a system with {system.n_inputs} inputs, "
            f"{system.n_outputs} outputs and batch axes {system.batch_shape}, need "
            f"{m} inputs and outputs, one system"
        )
        raise UnsupportedLayerError(msg)
    if not torch.allclose(system.D, torch.diag(p["D"]).to(system.D), rtol=1e-6):
        msg = "LRU layer: the system has another feedthrough D than the layer; only "
        raise UnsupportedLayerError(msg + "methods that keep D can be written back")
    require_stable("LRU layer", system)


def _mean_row_norm(system: DiagonalStateSpace) -> float:
    """Mean norm of the rows of B over sqrt(1 - |lambda|^2); 1 where B is zero."""
    gamma = (-torch.expm1(2 * system.exponents.real)).sqrt()
    norms = torch.linalg.vector_norm(system.B, dim=1) / gamma
    mean = float(norms.mean()) if norms.numel() else 0.0
    return mean if mean > 0 else 1.0


def _gauge(system: DiagonalStateSpace, gamma: Tensor, row_norm: float) -> Tensor:
    """Scaling of every mode: row norms as before, largest entry real positive."""
    B = system.B
    if B.shape[0] == 0:
        return torch.ones_like(gamma, dtype=B.dtype)
    pivot = B.gather(1, B.abs().argmax(dim=1, keepdim=True))[:, 0]
    norm = torch.linalg.vector_norm(B, dim=1)
    gauge = pivot / pivot.abs() * norm / (gamma * row_norm)
    safe: Tensor = torch.where(norm == 0, torch.ones_like(gauge), gauge)
    return safe
