import numpy as np
import pytest

from hankelcut.lti import Continuous, Discrete
from hankelcut.lti.responses._schur_response import (
    SchurResponse,
    balancing_gauge,
    boundary,
)
from hankelcut.validation import random_stable_system
from tests.helpers import TIMES, dense_response

FREQUENCIES = np.array([-2.5, -0.3, 0.0, 0.7, 1.1, 3.0])


def response_of(system):
    return SchurResponse.of(system.A, system.B, system.C, system.D, system.time)


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
@pytest.mark.parametrize("n", [1, 5, 70])
def test_gains_are_those_of_explicit_inverses(time, dtype, n, rng):
    system = random_stable_system(rng, n, 2, 3, time, dtype=dtype)
    points = boundary(FREQUENCIES, time)
    expected = np.linalg.svd(dense_response(system, points), compute_uv=False)[:, 0]
    gains = response_of(system).gains(FREQUENCIES)
    np.testing.assert_allclose(gains, expected, rtol=1e-10)


def test_gains_in_slices_are_those_at_once(monkeypatch, rng):
    system = random_stable_system(rng, 5, 2, 3)
    expected = response_of(system).gains(FREQUENCIES)
    monkeypatch.setattr(
        "hankelcut.lti.responses._schur_response._ENTRIES_PER_SLICE", 25
    )
    gains = response_of(system).gains(FREQUENCIES)
    np.testing.assert_allclose(gains, expected, rtol=1e-13)
    assert response_of(system).gains(np.zeros(0)).shape == (0,)


@pytest.mark.parametrize("time", TIMES)
def test_largest_states_are_those_of_explicit_inverses(time, rng):
    system = random_stable_system(rng, 5, 2, 3, time)
    S = rng.standard_normal((4, 5))
    states = [
        np.linalg.inv(z * np.eye(5) - system.A) for z in boundary(FREQUENCIES, time)
    ]
    response = response_of(system)
    reach = [np.linalg.norm(S @ X @ system.B, axis=1) for X in states]
    np.testing.assert_allclose(
        response.largest_states(FREQUENCIES, S), np.max(reach, axis=0), rtol=1e-11
    )
    outlook = [np.linalg.norm(system.C @ X @ S.T, axis=0) for X in states]
    dual = response.dual()
    np.testing.assert_allclose(
        dual.largest_states(-FREQUENCIES, S), np.max(outlook, axis=0), rtol=1e-11
    )
    np.testing.assert_allclose(
        dual.gains(-FREQUENCIES), response.gains(FREQUENCIES), rtol=1e-11
    )


def test_pole_on_the_boundary_to_rounding_is_a_large_gain():
    one = np.ones((1, 1))
    response = SchurResponse.of(0.5j * one, one, one, 0 * one, Continuous())
    assert 1e15 < response.gains(np.array([0.5]))[0] < np.inf


@pytest.mark.parametrize("spread", [1, 300])
def test_gauge_undoes_scales_of_states(spread, rng):
    system = random_stable_system(rng, 6, 2, 3, Discrete())
    t = 2.0 ** np.round(np.linspace(-spread, spread, 6))
    A, B, C = system.A * t[:, None] / t, system.B * t[:, None], system.C / t
    gauge = balancing_gauge(A, B, C)
    assert np.array_equal(gauge, 2.0 ** np.round(np.log2(gauge)))
    balanced = A / gauge[:, None] * gauge
    assert 0.1 * np.linalg.norm(system.A) < np.linalg.norm(balanced)
    assert np.linalg.norm(balanced) < 10 * np.linalg.norm(system.A)
    rows, columns = B / gauge[:, None], C * gauge
    ratio = np.linalg.norm(rows) / np.linalg.norm(columns)
    assert 0.05 < ratio < 20
