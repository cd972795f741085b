"""What an adapter reads is what the layer computes, and what it writes too."""

from dataclasses import replace
from typing import Any

import numpy as np

from hankelcut._errors import HankelcutError
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace, exponents_of
from hankelcut.lti.systems.time_domain import Continuous, Discrete
from hankelcut.validation.adapter_properties._responses import (
    LENGTH,
    ROUNDING_UNITS,
    require_healthy,
    require_reproduced,
)
from hankelcut.validation.adapter_properties._systems import rounding, samples
from hankelcut.validation.adapter_properties._tensors import rounding_unit
from hankelcut.validation.adapter_properties.layer_subject import Layer, LayerSubject
from hankelcut.validation.invariants._host import host_array
from hankelcut.validation.invariants.violation import Property

__all__ = ["check_extraction", "check_extreme_poles", "check_write"]

# What clamping a pole that the parameters cannot hold may cost (a pole at 0 stored as
# 1e-6, say), as a share of the largest sample.
_CLAMPING = 1e-5
# Poles where a parameterisation by logarithms, phases or square roots has its edges.
_EXTREME_POLES = (0.5, -0.5, 0.0, 0.999999, -0.999999, 1e-9j, 0.5 + 1e-9j)


def check_extraction(subject: LayerSubject) -> None:
    r"""Check that the extracted system is what the layer computes.

    Parameters
    ----------
    subject : LayerSubject
        The layer.

    Raises
    ------
    InvariantViolationError
        If a sample of an impulse response of the layer's own forward, or of its
        response to random inputs, is off by more than
        :math:`20\,\epsilon \sum_i |c_i| |b_i| |\lambda_i|^k (1 + k |\ell_i|)`: the
        rounding of the parameters and exponents :math:`\ell_i` to the layer's dtype;
        and as much as is allowed in the first sample, for convolutions by Fourier
        transforms.
    """
    prop = Property("check_extraction", "h_k = C A^k B, Orvieto et al. 2023")
    layer = subject.build()
    require_reproduced(subject, prop, layer, subject.read(layer).system)


def check_write(subject: LayerSubject) -> None:
    r"""Check that a layer that is given a system computes that system.

    The extracted system is written as it is; with its states in another order and (but
    for adapters that only select) another scaling; and with the other real readout,
    which may also be refused by a typed error.

    Parameters
    ----------
    subject : LayerSubject
        The layer.

    Raises
    ------
    InvariantViolationError
        If a response of the layer's own forward, or of what is then extracted, is not
        that of the system: to twice the rounding of `check_extraction`; or the rows of
        B that are extracted are not those of the system divided by the gauge.
    """
    prop = Property("check_write", "write is the inverse of read")
    adapter = subject.adapter_of(subject.build())
    form = subject.read(subject.build()).form
    exact = adapter.exactness == "exact"
    for variant in _same_map(subject, form, rescaled=exact):
        layer = subject.build()
        try:
            subject.write(layer, variant)
        except HankelcutError as error:
            other = variant.readout != form.readout
            subject.require(prop, other, f"write refused the layer's own map: {error}")
            continue
        _require_stored(subject, prop, layer, variant)
        gauge = host_array(adapter.write(subject.build(), variant).gauge)
        rows = host_array(variant.B)
        sizes = np.linalg.norm(rows, axis=-1, keepdims=True)
        allowed = 2 * ROUNDING_UNITS * rounding_unit(layer) * sizes
        what = "B as stored, times the gauge"
        restored = host_array(subject.read(layer).form.B) * gauge[..., None]
        subject.require_close(prop, what, restored, rows, allowed)


def _require_stored(
    subject: LayerSubject,
    prop: Property,
    layer: Layer,
    wanted: DiagonalStateSpace,
    *,
    clamping: float = 0.0,
) -> None:
    """Require a layer to hold a system that was written, and to compute it."""
    reading, units = subject.read(layer), 2 * ROUNDING_UNITS
    require_reproduced(subject, prop, layer, reading.system, units=units)
    found, expected = samples(reading.form, LENGTH), samples(wanted, LENGTH)
    allowed = rounding(wanted, rounding_unit(layer), LENGTH, units)
    allowed = allowed + clamping * float(np.max(np.abs(expected)))
    what = "the impulse response of what is stored"
    subject.require_close(prop, what, found, expected, allowed)


def check_extreme_poles(subject: LayerSubject) -> None:
    r"""Check that poles at the edges of a parameterisation are stored or refused.

    The poles 0, 1/2, -1/2, :math:`\pm 0.999999`, :math:`10^{-9}i` and
    :math:`1/2 + 10^{-9}i` are written one at a time, beside the layer's own first one.

    Parameters
    ----------
    subject : LayerSubject
        The layer; adapters that only select are not asked.

    Raises
    ------
    InvariantViolationError
        If a system is neither refused by a typed error nor stored with finite
        parameters, stable, and with its impulse response: to twice the rounding of
        `check_extraction` and :math:`10^{-5}` of the largest sample, which clamping a
        pole may cost.
    """
    import torch

    prop = Property("check_extreme_poles", "what is stored is stable and finite")
    form = subject.read(subject.build()).form
    if subject.adapter_of(subject.build()).exactness != "exact":
        return
    for pole in _EXTREME_POLES:
        layer = subject.build()
        own = form.exponents[..., :1]
        exponent = exponents_of(torch.full_like(own, pole), Discrete())
        if isinstance(form.time, Continuous):
            exponent = exponent * form.exponents.abs().max()
            if not bool((exponents_of(exponent, form.time).real < 0).all()):
                continue
        wanted = replace(
            form,
            exponents=torch.cat([exponent, own], dim=-1),
            B=_resized(form.B, -2),
            C=_resized(form.C, -1),
        )
        try:
            subject.write(layer, wanted)
        except HankelcutError:
            continue
        require_healthy(subject, prop, layer, f"with the pole {pole}")
        _require_stored(subject, prop, layer, wanted, clamping=_CLAMPING)


def _same_map(
    subject: LayerSubject, system: DiagonalStateSpace, *, rescaled: bool
) -> list[DiagonalStateSpace]:
    """Return the system, the same in other coordinates, and with another readout."""
    import torch

    n = system.n_states
    order = torch.as_tensor(np.argsort(subject.noise(n)), device=system.B.device)
    scales = np.exp(subject.noise(n) + 1j * subject.noise(n)) if rescaled else 1
    scale = torch.as_tensor(scales * np.ones(n)).to(system.B)
    other = replace(
        system,
        exponents=system.exponents[..., order],
        B=(scale[:, None] * system.B)[..., order, :],
        C=(system.C / scale)[..., order],
    )
    if system.readout == "complex":
        return [system, other]
    twice = system.readout == "twice_real"
    factor = 2.0 if twice else 0.5
    reread = replace(
        system, C=factor * system.C, readout="real" if twice else "twice_real"
    )
    return [system, other, reread]


def _resized(matrix: Any, axis: int) -> Any:
    """Two of its rows, or columns: its first and its last."""
    import torch

    picked = torch.as_tensor([0, -1], device=matrix.device) % matrix.shape[axis]
    return matrix.index_select(axis, picked)
