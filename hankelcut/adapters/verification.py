"""What a replacement must stand before it is used: measured error, bound, storage."""

import torch
from torch import Tensor

from hankelcut.adapters.policies import ErrorTolerance, Policy
from hankelcut.adapters.reduction_event import LayerCut
from hankelcut.lti import DiagonalStateSpace, error_system, sampled_gain
from hankelcut.lti.norms.modal_norms import modal_norms

__all__ = ["measured_error", "trouble_with"]

# Uniform frequencies at which the error as stored is measured, besides the largest
# modes' own.
_MEASURED_FREQUENCIES = 64
# What storing the parameters may add, as a share of the largest singular value.
_STORAGE_SHARE = 1e-3
# Measured errors may exceed their bound by this much: the rounding of the measurement.
_MEASUREMENT_SLACK = 1.05


def trouble_with(
    layer: LayerCut, policy: Policy, bound: float, storage: float, measured: float
) -> str:
    """Say why a replacement must not be used; empty if it may.

    Parameters
    ----------
    layer : LayerCut
        The layer before the cut.
    policy : Policy
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


def measured_error(full: DiagonalStateSpace, reduced: DiagonalStateSpace) -> float:
    """Return the largest gain found of the difference of two layers.

    Parameters
    ----------
    full, reduced : DiagonalStateSpace
        The layer before and after, as stored; torch tensors. The frequencies are a
        uniform grid and the phases of the dominant modes.
    """
    error = error_system(full, reduced)
    assert isinstance(error, DiagonalStateSpace)  # noqa: S101 - narrows the type
    peaks = modal_norms(error)
    count = min(_MEASURED_FREQUENCIES, int(peaks.shape[0]))
    dominant = error.exponents.imag[torch.topk(peaks, count).indices]
    uniform: Tensor = torch.linspace(
        0.0, torch.pi, _MEASURED_FREQUENCIES, dtype=dominant.dtype
    ).to(dominant.device)
    return float(sampled_gain(error, torch.cat([uniform, dominant])).max())
