"""Layers that must have the responses of their systems."""

import numpy as np

from hankelcut.lti.structure.stability import stability_margin
from hankelcut.validation.adapter_properties._systems import (
    System,
    one_system,
    rounding,
    samples,
)
from hankelcut.validation.adapter_properties._tensors import rounding_unit
from hankelcut.validation.adapter_properties.layer_subject import Layer, LayerSubject
from hankelcut.validation.invariants._host import Matrix
from hankelcut.validation.invariants.violation import Property

__all__ = [
    "LENGTH",
    "ROUNDING_UNITS",
    "require_healthy",
    "require_reproduced",
]

# Samples of the responses that are compared.
LENGTH = 48
# Units of rounding that are allowed: layers of up to 24 states stayed below 1.
ROUNDING_UNITS = 20.0


def require_reproduced(
    subject: LayerSubject,
    prop: Property,
    layer: Layer,
    system: System,
    *,
    units: float = ROUNDING_UNITS,
    clamping: float = 0.0,
) -> None:
    """Require a layer's own forward to be that of a system.

    Parameters
    ----------
    subject : LayerSubject
        How the layer is run.
    prop : Property
        What is checked.
    layer : torch.nn.Module
        The layer.
    system : DiagonalStateSpace or StateSpace
        What it must compute; a bank with one batch axis.
    units : float
        Allowed units of rounding.
    clamping : float
        Allowed besides, as a share of the largest sample.
    """
    delayed = subject.reads == "before update"
    expected = samples(system, LENGTH, delayed=delayed)
    allowed = rounding(system, rounding_unit(layer), LENGTH, units)
    allowed = allowed + clamping * float(np.max(np.abs(expected)))
    n_inputs = one_system(system).n_inputs
    found = subject.impulse_response(layer, n_inputs, LENGTH)
    what = f"sample (k, output, input) of the forward of {type(layer).__name__}"
    subject.require_close(prop, what, found, expected, allowed)
    inputs = subject.noise(2, LENGTH, n_inputs)
    response = subject.response(layer, inputs)
    what = f"output (item, k, channel) of {type(layer).__name__} for random inputs"
    slack = _convolved(allowed, np.abs(inputs))
    subject.require_close(prop, what, response, _convolved(expected, inputs), slack)


def require_healthy(
    subject: LayerSubject, prop: Property, layer: Layer, what: str
) -> None:
    """Require finite parameters and stable poles of a layer that was written.

    Parameters
    ----------
    subject : LayerSubject
        The layer's kind.
    prop : Property
        What is checked.
    layer : torch.nn.Module
        The layer.
    what : str
        What was written, for the message.
    """
    import torch

    for name, parameter in layer.named_parameters():
        finite = bool(torch.isfinite(parameter).all())
        values = parameter.detach().cpu().tolist()
        subject.require(prop, finite, f"{what}, {name} is {values}, need finite values")
    margin = float(stability_margin(subject.read(layer).system).min())
    fact = f"{what}, the stability margin is {margin:.3g}, need one above 0"
    subject.require(prop, margin > 0, fact)


def _convolved(impulse: Matrix, inputs: Matrix) -> Matrix:
    """Response (batch, length, p) to inputs, by the sum of the definition."""
    shape = (*inputs.shape[:2], impulse.shape[1])
    response: Matrix = np.zeros(shape, dtype=impulse.dtype)
    for k, sample in enumerate(impulse):
        response[:, k:] += inputs[:, : inputs.shape[1] - k] @ sample.T
    return response
