"""What a replacement must stand before it is used: measured error, bound, storage."""

import torch
from torch import Tensor

from hankelcut.adapters.policies import ErrorTolerance, ModelPolicy, Policy
from hankelcut.adapters.reduction_event import LayerCut
from hankelcut.lti import (
    DiagonalStateSpace,
    StateSpace,
    error_system,
    frequency_response,
    hinf_norm,
    sampled_gain,
)
from hankelcut.lti.norms.modal_norms import modal_norms

__all__ = ["certified_error", "measured_error", "trouble_with"]

# Uniform frequencies at which the error as stored is measured, besides the largest
# modes' own: fewer where each takes the solution of a dense system.
_MEASURED_FREQUENCIES = 64
_DENSE_FREQUENCIES = 16
# Width of certified brackets of errors that have no a-priori bound.
_BRACKET_RTOL = 0.05
# What storing the parameters may add, as a share of the largest singular value.
_STORAGE_SHARE = 1e-3
# Measured errors may exceed their bound by this much: the rounding of the measurement.
_MEASUREMENT_SLACK = 1.05


def trouble_with(
    layer: LayerCut,
    policy: Policy | ModelPolicy,
    bound: float,
    storage: float,
    measured: float,
) -> str:
    """Say why a replacement must not be used; empty if it may.

    Parameters
    ----------
    layer : LayerCut
        The layer before the cut.
    policy : Policy or ModelPolicy
        What was asked for.
    bound, storage : float
        H-infinity error bound, and the part of it that is storage rounding.
    measured : float
        Largest gain of the change that was found.
    """
    a_priori = bound - storage
    largest = layer.hankel_singular_values[0]
    if not measured <= _MEASUREMENT_SLACK * bound:
        return (
            f"refused: measured error {measured:.3g} is above its bound {bound:.3g} "
            "(the parameters cannot hold the reduced system accurately)"
        )
    if storage > max(a_priori, _STORAGE_SHARE * largest):
        return (
            f"refused: rounding the parameters may add {storage:.3g} to the error "
            f"bound {a_priori:.3g} (poles very close to the unit circle)"
        )
    if isinstance(policy, ErrorTolerance) and bound > policy.error:
        return (
            f"refused: with rounding the error bound is {bound:.3g}, above the "
            f"tolerance {policy.error:.3g}"
        )
    return ""


def measured_error(
    full: DiagonalStateSpace | StateSpace,
    reduced: DiagonalStateSpace,
    *,
    directions: int = 1,
) -> float:
    """Return the largest gain found of the difference of two layers.

    Parameters
    ----------
    full : DiagonalStateSpace or StateSpace
        The layer before; torch tensors. The channels of a bank are a batch axis.
    reduced : DiagonalStateSpace
        The layer after, as stored. The frequencies are a uniform grid and the phases of
        the dominant modes.
    directions : int
        As in `LayerReading`.
    """
    if isinstance(full, StateSpace):
        frequencies = _frequencies(reduced, _DENSE_FREQUENCIES)
        difference = frequency_response(full, frequencies)
        difference = difference - frequency_response(reduced, frequencies)
        return float(torch.linalg.matrix_norm(difference, ord=2).max())
    error = error_system(full, reduced)
    assert isinstance(error, DiagonalStateSpace)  # noqa: S101 - narrows the type
    frequencies = _frequencies(error, _MEASURED_FREQUENCIES)
    if directions == 1:
        return float(sampled_gain(error, frequencies).max())
    # Both directions read the state after the update, which is a factor z; in reversed
    # time a real system has the conjugate response.
    response = frequency_response(error, frequencies)
    response = response * torch.exp(1j * frequencies)[:, None, None]
    forward, backward = response.chunk(2, dim=-2)
    return float(torch.linalg.matrix_norm(forward + backward.conj(), ord=2).max())


def certified_error(full: DiagonalStateSpace, reduced: DiagonalStateSpace) -> float:
    """Return a proven upper end of the H-infinity norm of the difference of two banks.

    Parameters
    ----------
    full, reduced : DiagonalStateSpace
        The layer before and after, as stored; torch tensors.
    """
    bracket = hinf_norm(error_system(full, reduced), rtol=_BRACKET_RTOL)
    return float(bracket.upper.max())


def _frequencies(system: DiagonalStateSpace, count: int) -> Tensor:
    """Uniform frequencies and the phases of as many dominant modes."""
    peaks = modal_norms(system).flatten()
    dominant = system.exponents.imag.flatten()
    dominant = dominant[torch.topk(peaks, min(count, peaks.shape[0])).indices]
    uniform = torch.linspace(0.0, torch.pi, count, dtype=dominant.dtype)
    return torch.cat([uniform.to(dominant.device), dominant])
