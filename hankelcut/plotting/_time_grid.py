"""Instants at which a response in time is drawn."""

import math

import numpy as np

from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.lti.systems.time_domain import Continuous
from hankelcut.plotting._drawable import Matrix

__all__ = ["time_grid"]

# A mode is gone when it has fallen to this share of the largest.
_GONE = 0.01
# The oscillations of modes with a larger share are followed.
_LARGE = 0.2
_FEWEST, _MOST = 2_000, 4_000
_FEWEST_SAMPLES = 20
_POINTS_PER_PERIOD = 12
# A mode whose real part is a smaller share of its magnitude neither grows nor decays.
_UNDAMPED = 1e-9
_PERIODS_OF_UNDAMPED = 10.0
_ANY_DURATION = 10.0


def time_grid(
    system: StateSpace, duration: float | None, *, step_input: bool
) -> tuple[float, int]:
    """Step and number of instants that show the response of a (reduced) model.

    Parameters
    ----------
    system : StateSpace
        The model, whose modes decide: until each has fallen to 1 % of the largest of
        its channel, or the fastest unstable one has grown a hundredfold.
    duration : float or None
        Seconds, or samples, to show instead.
    step_input : bool
        Whether the input is a step rather than an impulse.

    Returns
    -------
    step : float
        In seconds, or 1 sample.
    count : int
        Number of instants from 0 on. Without a `duration` at most 4,001: the end of
        what would need more is left out.
    """
    exponents, shares = _modes(system, step_input)
    shown = _duration(exponents, shares) if duration is None else duration
    if not isinstance(system.time, Continuous):
        if duration is not None:
            return 1.0, int(duration) + 1
        return 1.0, min(max(math.ceil(shown), _FEWEST_SAMPLES), _MOST) + 1
    step = shown / _FEWEST
    fastest = float(np.max(np.abs(exponents.imag[shares > _LARGE]), initial=0.0))
    if fastest > 0:
        step = min(step, 2 * math.pi / fastest / _POINTS_PER_PERIOD)
    count = min(math.ceil(shown / step), _MOST)
    if duration is not None:
        step = duration / count
    return step, count + 1


def _modes(system: StateSpace, step_input: bool) -> tuple[Matrix, Matrix]:
    """Exponents of the visible modes, and their shares of the largest in a channel."""
    poles, vectors = np.linalg.eig(system.A)
    exponents, distances = poles.astype(complex), np.abs(poles)
    inputs = np.abs(np.linalg.pinv(vectors) @ system.B)
    if not isinstance(system.time, Continuous):
        # A pole at 0 acts for a sample only.
        inputs = np.where(poles[:, None] == 0, 0.0, inputs)
        exponents = np.log(np.where(poles == 0, 1.0, exponents))
        distances = np.abs(1 - poles)
    if step_input:
        # A step excites what is slow; integrators, which have no end, as an impulse.
        inputs = inputs / np.where(distances > 0, distances, 1.0)[:, None]
    outputs, shares = np.abs(system.C @ vectors), np.zeros(len(poles))
    for column in inputs.T:
        sizes = outputs * column
        largest = np.max(sizes, axis=1, keepdims=True, initial=0.0)
        sizes = sizes / np.where(largest > 0, largest, 1.0)
        shares = np.maximum(shares, np.max(sizes, axis=0))
    return exponents[shares > _GONE], shares[shares > _GONE]


def _duration(exponents: Matrix, shares: Matrix) -> float:
    """Time until all that is visible has happened."""
    decays, magnitudes = -exponents.real, np.abs(exponents)
    damped = np.abs(decays) > _UNDAMPED * magnitudes
    stable, unstable = damped & (decays > 0), damped & (decays < 0)
    lengths = np.log(shares[stable] / _GONE) / decays[stable]
    longest = float(np.max(lengths, initial=0.0))
    oscillating = magnitudes[~damped & (magnitudes > 0)]
    periods = _PERIODS_OF_UNDAMPED * 2 * math.pi / oscillating
    longest = max(longest, float(np.max(periods, initial=0.0))) or _ANY_DURATION
    if np.any(unstable):
        longest = -math.log(_GONE) / float(np.max(-decays[unstable]))
    return longest
