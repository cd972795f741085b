"""Responses of systems by their definition, and layers that must have them."""

import numpy as np

from hankelcut.lti.structure.stability import stability_margin
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.validation.adapter_properties._tensors import rounding_unit
from hankelcut.validation.adapter_properties.layer_subject import Layer, LayerSubject
from hankelcut.validation.invariants._host import Matrix, host_array
from hankelcut.validation.invariants.violation import Property

__all__ = [
    "LENGTH",
    "ROUNDING_UNITS",
    "require_healthy",
    "require_reproduced",
    "rounding_of_samples",
    "samples_of",
]

# Samples of the responses that are compared.
LENGTH = 48
# Units of rounding that are allowed: layers of up to 24 states stayed below 1.
ROUNDING_UNITS = 20.0


def require_reproduced(
    subject: LayerSubject,
    prop: Property,
    layer: Layer,
    system: DiagonalStateSpace,
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
    system : DiagonalStateSpace
        What it must compute.
    units : float
        Allowed units of rounding.
    clamping : float
        Allowed besides, as a share of the largest sample.
    """
    samples = samples_of(subject, system)
    allowed = rounding_of_samples(system, rounding_unit(layer), LENGTH, units=units)
    allowed = allowed + clamping * float(np.max(np.abs(samples)))
    found = subject.impulse_response(layer, system.n_inputs, LENGTH)
    what = f"sample (k, output, input) of the forward of {type(layer).__name__}"
    subject.require_close(prop, what, found, samples, allowed)
    inputs = subject.noise(2, LENGTH, system.n_inputs)
    response = subject.response(layer, inputs)
    what = f"output (item, k, channel) of {type(layer).__name__} for random inputs"
    expected = _convolved(samples, inputs)
    slack = _convolved(allowed, np.abs(inputs))
    subject.require_close(prop, what, response, expected, slack)


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
    margin = float(stability_margin(subject.adapter_of(layer).extract(layer)))
    fact = f"{what}, the stability margin is {margin:.3g}, need one above 0"
    subject.require(prop, margin > 0, fact)


def rounding_of_samples(
    system: DiagonalStateSpace,
    eps: float,
    length: int,
    *,
    units: float = ROUNDING_UNITS,
) -> Matrix:
    r"""Return the rounding that samples of an impulse response may have.

    Parameters
    ----------
    system : DiagonalStateSpace
        The system.
    eps : float
        Of the dtype in which it is stored and run.
    length : int
        Number of samples.
    units : float
        Units of rounding.

    Returns
    -------
    (length, p, m) array
        :math:`\sum_i |c_i| |b_i| |\lambda_i|^k (1 + k |\ell_i|)`, and :math:`|D|` in
        the first sample; and as much as in the first sample in all of them, for layers
        that convolve by a Fourier transform; times the units.
    """
    exponents = host_array(system.exponents)
    steps = np.arange(length)[:, None]
    # Of the larger readout; a delayed layer is off by one step at most.
    decay = np.exp((steps - 1).clip(min=0) * exponents.real)
    weights = 2 * decay * (1 + steps * np.abs(exponents))
    B, C = np.abs(host_array(system.B)), np.abs(host_array(system.C))
    sizes: Matrix = np.einsum("pi,ki,im->kpm", C, weights, B)
    sizes[0] += np.abs(host_array(system.D))
    return np.asarray(units * eps * (sizes + np.max(sizes[0], initial=0.0)))


def samples_of(subject: LayerSubject, system: DiagonalStateSpace) -> Matrix:
    """Impulse response by its definition, read after or before the update."""
    exponents = host_array(system.exponents)
    B, C, D = (host_array(matrix) for matrix in (system.B, system.C, system.D))
    powers = np.exp(np.arange(LENGTH)[:, None] * exponents)
    samples: Matrix = np.einsum("pi,ki,im->kpm", C, powers, B)
    if system.readout != "complex":
        samples = 2 * system.readout_gain * samples.real + 0j
    if subject.reads == "before update":
        samples = np.concatenate([0 * samples[:1], samples[:-1]])
    samples[0] += D
    return samples


def _convolved(samples: Matrix, inputs: Matrix) -> Matrix:
    """Response (batch, length, p) to inputs, by the sum of the definition."""
    shape = (*inputs.shape[:2], samples.shape[1])
    response: Matrix = np.zeros(shape, dtype=samples.dtype)
    for k, sample in enumerate(samples):
        response[:, k:] += inputs[:, : inputs.shape[1] - k] @ sample.T
    return response
