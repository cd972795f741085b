r"""Adapter for the rational operators of dynonet with one input and one output.

The layer is :math:`G(z) = z^{-n_k} \frac{b_0 + b_1 z^{-1} + \dots}{1 + a_1 z^{-1} +
\dots + a_n z^{-n}}`. Its n real states are read as n poles with their residues, in
conjugate pairs; all but one of the delays stay outside the system. Coefficients of
polynomials are a delicate form: what their rounding costs is measured, and a cut whose
model they cannot hold is not made.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from hankelcut._errors import IllConditionedError, UnsupportedLayerError
from hankelcut.adapters.layers._parameters import (
    checked_parameters,
    require_no_more,
    stored_like,
)
from hankelcut.adapters.protocol import (
    Exactness,
    LayerReading,
    Replacement,
    StateParameter,
)
from hankelcut.adapters.tensors import find_tensor, has_tensors, held_sizes, setting
from hankelcut.lti import DiagonalStateSpace, Discrete
from hankelcut.lti.structure.stability import require_stable
from hankelcut.lti.systems.diagonal_state_space import exponents_of

__all__ = ["DynonetAdapter"]

_KIND = "dynonet operator"
_SHAPES = {"a_coeff": "11n", "b_coeff": "11k"}
# What a form by poles and residues may be off by, as a share of the largest sample.
_ACCURACY = 1e-9
# Imaginary parts of coefficients above this share of the largest are no rounding.
_REAL = 1e-8


class DynonetAdapter:
    """Adapter for layers with a_coeff, b_coeff and the delay `n_k`."""

    name = "dynonet"
    exactness: Exactness = "exact"

    def matches(self, module: nn.Module) -> bool:
        """Whether the module itself holds coefficients of one transfer function."""
        known = has_tensors(module, *_SHAPES) and hasattr(module, "n_k")
        return known and find_tensor(module, "a_coeff").shape[:2] == (1, 1)

    def state_parameters(self, layer: nn.Module) -> tuple[StateParameter, ...]:
        """Describe the two parameters: neither is linear in the states."""
        return (
            StateParameter("a_coeff", 2, "pole"),
            StateParameter("b_coeff", 2, "pole", beyond=_direct(layer)),
        )

    def attributes(self, layer: nn.Module, n_states: int) -> Mapping[str, Any]:
        """Return the numbers of coefficients."""
        n_b = n_states + _direct(layer)
        return held_sizes(layer, {"n_a": n_states, "n_b": n_b})

    def read(self, layer: nn.Module) -> LayerReading:
        """Read the layer as a discrete system of its poles in conjugate pairs.

        Raises
        ------
        UnsupportedLayerError
            If the shapes of the parameters do not fit together.
        InvalidSystemError
            If a parameter is NaN or infinite; names it.
        IllConditionedError
            If poles (nearly) coincide, so that they have no residues.
        """
        p = checked_parameters(_KIND, layer, _SHAPES)
        a, b = p["a_coeff"][0, 0], p["b_coeff"][0, 0]
        n, direct = a.shape[0], _direct(layer)
        require_no_more(_KIND, layer, _SHAPES, n)
        if b.shape[0] != n + direct:
            msg = f"{_KIND}: got {n} and {b.shape[0]} coefficients a and b, need "
            raise UnsupportedLayerError(msg + f"{n + direct} of b")
        poles = torch.linalg.eigvals(_companion(a))
        D = b[0] if direct else torch.zeros_like(a.sum())
        residues = _evaluated(b, poles) / _derivative(poles)
        _require_accurate(a, b, poles, residues, direct)
        system = DiagonalStateSpace(
            exponents_of(poles, Discrete()),
            torch.ones_like(poles)[:, None],
            residues[None],
            D[None, None],
            Discrete(),
            "complex",
        )
        return LayerReading(system, bound_gain=None)

    def write(self, layer: nn.Module, system: DiagonalStateSpace) -> Replacement:
        """Compute the coefficients of a system of poles in conjugate pairs.

        Raises
        ------
        UnsupportedLayerError
            If the system is not discrete with one input and one output and the readout
            of what was read, has another feedthrough than the layer, or is not real.
        UnstableSystemError
            If a pole is not stable.
        IllConditionedError
            If it would be unstable with coefficients rounded to the layer's dtype.
        """
        form = self.read(layer).form
        _require_form(system, form)
        poles, residues = system.poles, system.C[0] * system.B[:, 0]
        denominator = _polynomial(poles)
        numerator = system.D[0, 0] * denominator
        for k in range(poles.shape[0]):
            others = torch.cat([poles[:k], poles[k + 1 :]])
            numerator[1:] = numerator[1:] + residues[k] * _polynomial(others)
        start = 1 - _direct(layer)
        values = {
            "a_coeff": _real(denominator[1:]),
            "b_coeff": _real(numerator[start:]),
        }
        values = {name: value[None, None] for name, value in values.items()}
        stored = stored_like(layer, values)
        _require_held(stored["a_coeff"])
        B = system.B[:, 0]
        gauge = torch.where(B == 0, torch.ones_like(B), B)
        return Replacement(stored, gauge)


def _direct(layer: nn.Module) -> int:
    """1 where the input reaches the output without delay, which takes one more b."""
    return 1 if setting(layer, "n_k") == 0 else 0


def _companion(a: Tensor) -> Tensor:
    """Return a matrix of the characteristic polynomial z^n + a_1 z^(n-1) + ..."""
    matrix = torch.diag(torch.ones_like(a[:-1]), -1)
    matrix[0] = -a
    return matrix


def _evaluated(coefficients: Tensor, points: Tensor) -> Tensor:
    """Values of c_0 z^k + c_1 z^(k-1) + ... + c_k at points."""
    values = torch.zeros_like(points)
    for coefficient in coefficients:
        values = values * points + coefficient
    return values


def _derivative(poles: Tensor) -> Tensor:
    """Return the derivative of the product of all (z - pole) at each pole."""
    differences = poles[:, None] - poles
    return (differences + torch.eye(len(poles)).to(differences)).prod(dim=1)


def _polynomial(roots: Tensor) -> Tensor:
    """Coefficients of the product of all (z - root), the leading 1 first."""
    coefficients = torch.ones_like(roots.sum())[None]
    for root in roots:
        longer = torch.cat([coefficients, torch.zeros_like(coefficients[:1])])
        longer[1:] = longer[1:] - root * coefficients
        coefficients = longer
    return coefficients


def _real(coefficients: Tensor) -> Tensor:
    """Real parts, where imaginary parts are rounding."""
    off = (
        coefficients.imag.abs().max() if len(coefficients) else coefficients.sum().abs()
    )
    if bool(off <= _REAL * (1 + coefficients.abs().max())):
        return coefficients.real
    msg = (
        f"{_KIND}: got poles and residues that are no conjugate pairs, coefficients "
        f"with imaginary parts up to {float(off):.3g}; need a real system"
    )
    raise UnsupportedLayerError(msg)


def _require_accurate(
    a: Tensor, b: Tensor, poles: Tensor, residues: Tensor, direct: int
) -> None:
    """Raise unless poles and residues have the impulse response of the coefficients."""
    n = a.shape[0]
    found = [(residues * poles**k).sum() for k in range(2 * n)]
    samples: list[Tensor] = [torch.zeros_like(b[:1]).sum()] * n
    for k in range(2 * n + direct):
        recent = torch.stack(samples[-n:][::-1])
        driven = b[k] if k < b.shape[0] else torch.zeros_like(recent[0])
        samples.append(driven - (a * recent).sum())
    expected = torch.stack(samples[n + direct :])
    off = float((torch.stack(found) - expected).abs().max())
    largest = float(expected.abs().max())
    if not off <= _ACCURACY * largest:
        msg = (
            f"{_KIND}: poles (nearly) coincide: in the form of poles and residues the "
            f"impulse response is off by {off:.3g} of {largest:.3g}; a few more steps "
            "of training move them apart"
        )
        raise IllConditionedError(msg)


def _require_held(a_coeff: Tensor) -> None:
    """Raise where rounding makes the poles of a stable system unstable."""
    radius = float(torch.linalg.eigvals(_companion(a_coeff[0, 0].double())).abs().max())
    if radius < 1:
        return
    msg = (
        f"{_KIND}: {a_coeff.shape[2]} coefficients in {a_coeff.dtype} would make it "
        f"unstable, with a pole of modulus {radius:.9g}; its poles crowd next to the "
        "unit circle: take fewer of them, or convert the layer to double precision"
    )
    raise IllConditionedError(msg)


def _require_form(system: DiagonalStateSpace, form: DiagonalStateSpace) -> None:
    """Raise unless a system has the form of what was read, and is stable."""
    got, need = (
        (type(one.time).__name__, one.readout, one.n_inputs, one.n_outputs)
        for one in (system, form)
    )
    if got != need or system.batch_shape:
        msg = f"{_KIND}: got a system (time, readout, inputs, outputs) = {got} with "
        msg += f"batch axes {system.batch_shape}, need {need} without"
        raise UnsupportedLayerError(msg)
    if not torch.allclose(system.D, form.D.to(system.D), rtol=1e-6):
        msg = f"{_KIND}: the system has another feedthrough D than the layer; only "
        raise UnsupportedLayerError(msg + "methods that keep D can be written back")
    require_stable(_KIND, system)
