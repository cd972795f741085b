"""Frequencies at which a response is drawn: evenly spaced, and denser at resonances."""

import math

import numpy as np

from hankelcut.lti.systems.sparse_state_space import SparseStateSpace
from hankelcut.lti.systems.time_domain import Continuous
from hankelcut.plotting._drawable import Drawable, Matrix, exponents_of

__all__ = ["frequency_grid"]

_POINTS, _POINTS_OF_SPARSE = 500, 80
# Points around a resonance, in units of its half width; a few for sparse systems, each
# of whose points takes a factorization.
_AROUND = np.array([-8.0, -4.0, -2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 4.0, 8.0])
_AROUND_OF_SPARSE = np.array([-1.0, 0.0, 1.0])
# Poles of a smaller share of the largest are at the origin, to rounding.
_ORIGIN = 1e-14
# Decades drawn of a system without poles.
_ANY_RANGE = (1e-2, 1e2)
# A discrete system is drawn from at most this share of its Nyquist frequency.
_LOWEST_SHARE = 1e-2


def frequency_grid(systems: list[Drawable]) -> Matrix:
    """Positive frequencies from a decade below the slowest pole to one above the last.

    Parameters
    ----------
    systems : list of StateSpace or SparseStateSpace
        Systems with one time domain; the poles of sparse ones are not looked at.

    Returns
    -------
    frequencies : (F,) array
        Ascending; in rad/s, or in radians per sample up to pi.
    """
    sparse = any(isinstance(system, SparseStateSpace) for system in systems)
    exponents = np.concatenate(
        [exponents_of(s) for s in systems if not isinstance(s, SparseStateSpace)]
        or [np.zeros(0)]
    )
    magnitudes = np.abs(exponents)
    magnitudes = magnitudes[magnitudes > _ORIGIN * np.max(magnitudes, initial=0.0)]
    low, high = _ANY_RANGE
    if magnitudes.size:
        low, high = float(np.min(magnitudes)) / 10, float(np.max(magnitudes)) * 10
    if not isinstance(systems[0].time, Continuous):
        low, high = min(low, _LOWEST_SHARE * math.pi), math.pi
    even = np.geomspace(low, high, _POINTS_OF_SPARSE if sparse else _POINTS)
    around = _AROUND_OF_SPARSE if sparse else _AROUND
    centres, widths = np.abs(exponents.imag), np.abs(exponents.real)
    dense = (centres[:, None] + widths[:, None] * around).ravel()
    dense = dense[(dense > low) & (dense < high)]
    return np.unique(np.concatenate([even, dense]))
