"""Largest sampled gain of a sparse system: a lower bound of its H-infinity norm."""

from typing import Any

import numpy as np

from hankelcut.lti.responses._sparse_response import sparse_response
from hankelcut.lti.systems import _sparse_lu
from hankelcut.lti.systems._sparse_lu import Dense
from hankelcut.lti.systems.sparse_state_space import SparseStateSpace
from hankelcut.lti.systems.time_domain import Continuous

__all__ = ["sampled_peak"]

_GRID_POINTS = 25
_GRID_MARGIN = 100.0
_REFINEMENTS = 3
_REFINEMENT_POINTS = 3
# Range of the grid below the size of A E^-1 where no pole is known.
_UNKNOWN_RANGE = 1e-8


def sampled_peak(
    system: SparseStateSpace, poles: np.ndarray[Any, np.dtype[Any]]
) -> tuple[float, float]:
    """Largest singular value of the frequency response on a grid, refined around it.

    Parameters
    ----------
    system : SparseStateSpace
        The system, mostly the error of a reduction.
    poles : (r,) array
        Poles that matter for the response, mostly those of the reduced model.

    Returns
    -------
    gain : float
        Largest singular value found: a lower bound of the H-infinity norm.
    frequency : float
        Where it was found, rad/s (continuous) or radians per sample (discrete).

    Notes
    -----
    **Method.** 25 frequencies (0 and a logarithmic grid from a hundredth of the slowest
    to a hundred times the fastest of the given poles; or uniform on the circle), the
    frequencies of these poles, and three refinements around the best point. Real
    systems are sampled at nonnegative frequencies only. One sparse factorization per
    frequency; a peak between the points can be missed.
    """
    if min(system.n_inputs, system.n_outputs) == 0:
        return 0.0, 0.0
    points = _grid(system, poles)
    gains = _gains(system, points)
    for _ in range(_REFINEMENTS):
        k = int(np.argmax(gains))
        ends = points[max(k - 1, 0)], points[min(k + 1, len(points) - 1)]
        inner = np.linspace(*ends, _REFINEMENT_POINTS + 2)[1:-1]
        merged = np.concatenate([points, inner])
        gains = np.concatenate([gains, _gains(system, inner)])
        points, first = np.unique(merged, return_index=True)
        gains = gains[first]
    k = int(np.argmax(gains))
    return float(gains[k]), float(points[k])


def _gains(system: SparseStateSpace, frequencies: Dense) -> Dense:
    continuous = isinstance(system.time, Continuous)
    points = 1j * frequencies if continuous else np.exp(1j * frequencies)
    response = sparse_response(system, points)
    finite = np.isfinite(response).all(axis=(-2, -1))
    gains = np.full(len(frequencies), np.inf)
    gains[finite] = np.linalg.svd(response[finite], compute_uv=False)[:, 0]
    return gains


def _grid(system: SparseStateSpace, poles: Dense) -> Dense:
    """Frequencies to start from, sorted and without duplicates."""
    if isinstance(system.time, Continuous):
        sizes = np.abs(poles[poles != 0])
        if sizes.size == 0:
            size = _sparse_lu.norm_estimate(system.A)
            size = (size or 1.0) / _sparse_lu.norm_estimate(system.E)
            sizes = np.asarray([_UNKNOWN_RANGE * size, size]) / _GRID_MARGIN
        ends = sizes.min() / _GRID_MARGIN, sizes.max() * _GRID_MARGIN
        grid = np.concatenate([[0.0], np.geomspace(*ends, _GRID_POINTS - 1)])
        landmarks = poles.imag
    else:
        grid = np.linspace(0.0, np.pi, _GRID_POINTS)
        landmarks = np.angle(poles)
    if np.iscomplexobj(system.B):
        return np.unique(np.concatenate([-grid, grid, landmarks]))
    return np.unique(np.concatenate([grid, np.abs(landmarks)]))
