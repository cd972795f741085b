import numpy as np
import pytest
import scipy.sparse

from hankelcut.lti import (
    Continuous,
    Discrete,
    SparseStateSpace,
    frequency_response,
    peak_gain,
    sampled_peak,
    stability_margin,
)
from hankelcut.lti.structure.stability import poles_of
from tests.helpers import TIMES, grid_norm
from tests.sparse_systems import grid_system, structure


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", [float, complex])
def test_peak_is_the_gain_where_it_was_found(time, dtype, rng):
    system = grid_system(rng, side=5, dtype=dtype, time=time)
    gain, frequency = sampled_peak(system, poles_of(system.to_dense()))
    response = frequency_response(system, np.array([frequency]))
    assert gain == pytest.approx(grid_norm(response), rel=1e-12)
    expected, _ = peak_gain(system.to_dense())
    assert 0.98 * expected <= gain <= expected * (1 + 1e-9)


def test_known_poles_find_sharp_resonances():
    # 16 modes with a damping ratio of about 1e-4; the widest is 0.002 rad/s wide.
    system = structure(4, 2e-3)
    dense = system.to_dense()
    assert float(stability_margin(dense)) < 2e-3
    expected, _ = peak_gain(dense)
    gain, _ = sampled_peak(system, poles_of(dense))
    assert gain == pytest.approx(float(expected), rel=1e-3)
    blind, _ = sampled_peak(system, np.array([-1.0 + 0j]))
    assert blind <= gain


def test_grid_is_refined_around_its_best_point():
    # Second-order resonance between the points of the grid.
    damping, natural = 0.1, 7.3
    A = [[0.0, 1.0], [-(natural**2), -2 * damping * natural]]
    system = SparseStateSpace(
        scipy.sparse.csc_array(A), np.array([[0.0], [1.0]]), np.array([[1.0, 0.0]])
    )
    gain, frequency = sampled_peak(system, np.array([-1.0 + 0j]))
    sharpest = natural * np.sqrt(1 - 2 * damping**2)
    exact = 1 / (2 * damping * natural**2 * np.sqrt(1 - damping**2))
    assert gain == pytest.approx(exact, rel=5e-3)
    assert frequency == pytest.approx(sharpest, rel=2e-2)


def test_complex_systems_are_sampled_at_negative_frequencies():
    A = scipy.sparse.diags_array([-0.1 - 5j])
    system = SparseStateSpace(A, np.ones((1, 1)), np.ones((1, 1)))
    gain, frequency = sampled_peak(system, np.array([-0.1 - 5j]))
    assert frequency == pytest.approx(-5.0)
    assert gain == pytest.approx(10.0)


@pytest.mark.parametrize("time", TIMES)
def test_no_known_poles_are_enough_for_a_smooth_response(time, rng):
    system = grid_system(rng, side=5, time=time)
    expected, _ = peak_gain(system.to_dense())
    gain, _ = sampled_peak(system, np.zeros(0, complex))
    assert gain == pytest.approx(float(expected), rel=1e-3)


@pytest.mark.parametrize(("m", "p"), [(0, 2), (2, 0)])
def test_no_inputs_or_no_outputs_have_no_gain(m, p):
    A = -scipy.sparse.eye_array(4)
    system = SparseStateSpace(A, np.ones((4, m)), np.ones((p, 4)))
    assert sampled_peak(system, np.zeros(0, complex)) == (0.0, 0.0)


def test_pole_on_the_boundary_has_an_infinite_gain():
    for pole, time in ((0.0, Continuous()), (1.0, Discrete())):
        A = scipy.sparse.csc_array([[pole]])
        system = SparseStateSpace(A, np.ones((1, 1)), np.ones((1, 1)), time=time)
        assert sampled_peak(system, np.array([pole + 0j])) == (np.inf, 0.0)
