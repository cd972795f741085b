"""What no function may answer with infinities, NaN or another library's error."""

import numpy as np
import pytest

import hankelcut as hc

LARGE = hc.StateSpace([[-1.0]], [[1e160]], [[1e160]])
BROKEN = hc.StateSpace([[np.nan]], [[1.0]], [[1.0]])
PLANT = hc.StateSpace([[-1.0]], [[1.0]], [[1.0]])


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
@pytest.mark.parametrize(
    "function",
    [
        hc.controllability_gramian,
        hc.h2_norm,
        hc.hankel_singular_values,
        lambda system: hc.discretize(hc.StateSpace([[800.0]], [[1]], [[1]]), 1.0),
    ],
)
def test_results_out_of_range_are_said(function):
    with pytest.raises(hc.IllConditionedError, match="leaves the range of float64"):
        function(LARGE)


@pytest.mark.parametrize("function", [hc.is_stable, hc.peak_gain, hc.stability_margin])
def test_entries_that_are_not_finite_are_said(function):
    with pytest.raises(hc.InvalidSystemError, match=r"A of shape .* NaN or infinite"):
        function(BROKEN)


def test_a_response_is_infinite_at_a_pole(xp):
    one = np.ones((1, 1))
    integrator = hc.StateSpace(*(xp.asarray(M) for M in (0 * one, one, one)))
    response = hc.frequency_response(integrator, xp.asarray(np.array([0.0, 2.0])))
    first, second = xp.to_numpy(response).reshape(-1)
    assert np.isinf(first)
    assert second == pytest.approx(-0.5j)


@pytest.mark.parametrize(
    ("frequencies", "message"), [(1.0, r"shape \(\)"), ([np.inf], "NaN or infinite")]
)
def test_frequencies_that_cannot_be_taken_are_said(frequencies, message):
    with pytest.raises(hc.InvalidSystemError, match=message):
        hc.frequency_response(PLANT, frequencies)


def test_times_before_the_impulse_are_said():
    with pytest.raises(hc.InvalidSystemError, match="negative times"):
        hc.impulse_response(PLANT, times=[-1.0])
