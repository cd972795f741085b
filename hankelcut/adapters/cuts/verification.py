"""What a replacement must stand before it is used: measured error, bound, storage."""

from collections.abc import Callable
from functools import partial
from operator import itemgetter
from typing import Any

import torch
from torch import Tensor

from hankelcut import _array
from hankelcut._parallel import map_in_threads
from hankelcut._typing import Array
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
from hankelcut.lti.systems.conversions import map_arrays

__all__ = ["certified_error", "measured_error", "trouble_with"]

# Uniform frequencies at which the error as stored is measured, besides the largest
# modes' own: fewer where each takes the solution of a dense system.
_MEASURED_FREQUENCIES = 64
_DENSE_FREQUENCIES = 16
# Channels whose responses fit into the cache of a core.
_CHANNELS_PER_PART = 16
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
    lookahead: int = 0,
) -> float:
    """Return the largest gain found of the difference of two layers.

    Parameters
    ----------
    full : DiagonalStateSpace or StateSpace
        The layer before; torch tensors. The channels of a bank are a batch axis.
    reduced : DiagonalStateSpace
        The layer after, as stored. The frequencies are a uniform grid and the phases of
        the dominant modes.
    directions, lookahead : int
        As in `LayerReading`.
    """
    systems: tuple[StateSpace | DiagonalStateSpace, ...]
    gains: Callable[..., Array]
    if isinstance(full, StateSpace):
        systems, gains = (full, reduced), _gains_of_difference
        frequencies = _frequencies(reduced, _DENSE_FREQUENCIES)
    else:
        error = error_system(full, reduced)
        assert isinstance(error, DiagonalStateSpace)  # noqa: S101 - narrows the type
        systems, gains = (error,), sampled_gain
        frequencies = _frequencies(error, _MEASURED_FREQUENCIES)
    if directions > 1:
        gains = partial(_gains_of_both_directions, lookahead)
    return _largest(gains, frequencies, *systems)


def _gains_of_difference(
    full: StateSpace, reduced: DiagonalStateSpace, frequencies: Array
) -> Array:
    """Largest singular values of the difference of two banks."""
    return _norms(_difference(full, reduced, frequencies=frequencies))


def _gains_of_both_directions(lookahead: int, *systems_frequencies: Any) -> Array:
    """Largest singular values of the sum of both directions."""
    *systems, frequencies = systems_frequencies
    response = _difference(*systems, frequencies=frequencies)
    xp = _array.namespace(response)
    # Both directions read the state after the update, which is a factor z, of which
    # the backward one loses one for each sample that it looks further ahead; in
    # reversed time a real system has the conjugate response.
    turns = xp.exp(1j * frequencies)[:, None, None]
    half = response.shape[-2] // 2
    forward = turns * response[..., :half, :]
    backward = turns ** (1 - lookahead) * response[..., half:, :]
    return _norms(forward + xp.conj(backward))


def _difference(*systems: StateSpace | DiagonalStateSpace, frequencies: Array) -> Array:
    """Response of the first system less those of the others."""
    first, *others = (frequency_response(system, frequencies) for system in systems)
    return sum((-other for other in others), start=first)


def _norms(matrices: Array) -> Array:
    return _array.namespace(matrices).linalg.matrix_norm(matrices, ord=2)


def _largest(
    gains: Callable[..., Array],
    frequencies: Tensor,
    *systems: StateSpace | DiagonalStateSpace,
) -> float:
    """Largest gain of systems, or banks, with channels side by side on the cores."""
    if not systems[0].batch_shape or frequencies.device.type != "cpu":
        return float(gains(*systems, frequencies).max())
    banks = [map_arrays(system, _array.to_numpy) for system in systems]
    pieces = [
        [
            map_arrays(bank, itemgetter(slice(k, k + _CHANNELS_PER_PART)))
            for bank in banks
        ]
        for k in range(0, banks[0].batch_shape[0], _CHANNELS_PER_PART)
    ]
    points = frequencies.numpy()
    found = map_in_threads(lambda piece: gains(*piece, points).max(), pieces)
    return float(max(found))


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
