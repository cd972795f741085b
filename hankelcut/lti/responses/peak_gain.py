"""Largest gain over frequency found by search: a lower bound of the H-infinity norm."""

import math

from hankelcut import _array
from hankelcut._typing import Array
from hankelcut.lti.responses.frequency_response import frequency_response
from hankelcut.lti.structure.stability import poles_of
from hankelcut.lti.systems._kinds import require_dense_or_diagonal
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.lti.systems.time_domain import Continuous

__all__ = ["peak_gain"]

_GRID_POINTS = 257
_GRID_MARGIN = 100.0
# Each refinement narrows the interval around the peak 8-fold, 1e-9 of the grid at last.
_REFINEMENTS = 10
_REFINEMENT_POINTS = 17


def peak_gain(system: StateSpace | DiagonalStateSpace) -> tuple[Array, Array]:
    r"""Largest singular value of the frequency response found by search.

    Parameters
    ----------
    system : StateSpace or DiagonalStateSpace
        The system; it should have no pole on the stability boundary.

    Returns
    -------
    gain : (...) real array
        Largest singular value found: a lower bound of the H-infinity norm.
    frequency : (...) real array
        Where it was found, rad/s (continuous) or radians per sample (discrete).

    Notes
    -----
    **Method.** The frequencies of all poles and a grid (logarithmic between a hundredth
    of the slowest and a hundred times the fastest pole, 0 included; or uniform on the
    circle), then refinement around the best point. A peak between the points can be
    missed: only `hinf_norm` certifies.
    """
    require_dense_or_diagonal("peak_gain", system)
    if isinstance(system, StateSpace):
        _array.require_finite("peak_gain", A=system.A)
    found = [_search(system[index]) for index in _array.batch_indices(system)]
    gain, frequency = (
        _array.from_list([item[k] for item in found], system.batch_shape, system.B)
        for k in range(2)
    )
    return gain, frequency


def _search(system: StateSpace | DiagonalStateSpace) -> tuple[float, float]:
    xp = _array.namespace(system.B)
    if min(system.n_inputs, system.n_outputs) == 0:
        return 0.0, 0.0
    grid = _grid(system)
    points = grid[xp.argsort(grid)]
    gain, frequency, spacing = 0.0, 0.0, 0.0
    for _ in range(_REFINEMENTS):
        gains = xp.linalg.svdvals(frequency_response(system, points))[:, 0]
        k = int(xp.argmax(gains))
        if float(gains[k]) > gain or spacing == 0.0:
            gain, frequency = float(gains[k]), float(points[k])
        before = float(points[max(k - 1, 0)])
        after = float(points[min(k + 1, int(points.shape[0]) - 1)])
        spacing = max(frequency - before, after - frequency)
        points = _line(system, frequency - spacing, frequency + spacing)
    return gain, frequency


def _grid(system: StateSpace | DiagonalStateSpace) -> Array:
    xp = _array.namespace(system.B)
    poles = poles_of(system)
    if isinstance(system, DiagonalStateSpace) and system.readout != "complex":
        poles = xp.concat([poles, xp.conj(poles)])
    if not isinstance(system.time, Continuous):
        uniform = _line(system, -xp.pi, xp.pi, _GRID_POINTS)
        return xp.concat([uniform, xp.atan2(xp.imag(poles), xp.real(poles))])
    magnitudes = xp.abs(poles)
    positive = magnitudes[magnitudes > 0]
    slow, fast = (
        (float(xp.min(positive)), float(xp.max(positive)))
        if positive.shape[0]
        else (1.0, 1.0)
    )
    log_slow, log_fast = math.log(slow / _GRID_MARGIN), math.log(fast * _GRID_MARGIN)
    spaced = xp.exp(_line(system, log_slow, log_fast, _GRID_POINTS))
    return xp.concat([-spaced, spaced, 0 * spaced[:1], xp.imag(poles)])


def _line(
    system: StateSpace | DiagonalStateSpace,
    start: float,
    stop: float,
    count: int = _REFINEMENT_POINTS,
) -> Array:
    """Evenly spaced real points with the precision and device of the system."""
    steps = _array.to_real(_array.zeros((count,), system.B)) + 1
    xp = _array.namespace(steps)
    return start + (xp.cumulative_sum(steps) - 1) * ((stop - start) / (count - 1))
