import mpmath
import numpy as np
import pytest

from hankelcut.lti import Continuous, Discrete, time_limited_controllability_gramian
from hankelcut.lti.gramians._horizon_factor import horizon_factor, horizon_propagator
from hankelcut.validation import random_stable_system
from tests.helpers import TIMES

KINDS = [np.float64, np.complex128]


def horizons(time):
    return (0.0, 0.03, 1.7, 40.0) if time == Continuous() else (0, 1, 2, 7, 64)


@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("time", TIMES)
def test_factor_is_that_of_the_gramian(time, dtype, rng):
    system = random_stable_system(rng, 6, 2, 3, time, dtype=dtype)
    for horizon in horizons(time):
        L = horizon_factor(system.A, system.B, time, float(horizon))
        P = time_limited_controllability_gramian(system, horizon)
        assert L.dtype == dtype
        assert L.shape[1] <= 6
        np.testing.assert_allclose(L @ L.conj().T, P, rtol=0, atol=1e-13 * abs(P).max())


@pytest.mark.parametrize("time", TIMES)
def test_small_singular_values_keep_their_digits(time):
    # A short horizon hardly moves the states: graded singular values.
    A = np.diag([-0.1, -0.2, -0.3, -0.4])
    horizon = 0.05
    if time != Continuous():
        A, horizon = np.diag([0.2, 0.20005, 0.2001, 0.20015]), 30.0
    B = np.ones((4, 1))
    with mpmath.workdps(60):
        P = mpmath.matrix(4)
        poles = [mpmath.mpf(float(pole)) for pole in np.diag(A)]
        for i, first in enumerate(poles):
            for j, second in enumerate(poles):
                if time == Continuous():
                    total = first + second
                    P[i, j] = mpmath.expm1(total * mpmath.mpf(horizon)) / total
                else:
                    product = first * second
                    P[i, j] = (1 - product ** int(horizon)) / (1 - product)
        squares = mpmath.eigsy(P, eigvals_only=True)
        exact = sorted((float(mpmath.sqrt(s)) for s in squares), reverse=True)
    values = np.linalg.svd(horizon_factor(A, B, time, horizon), compute_uv=False)
    # As squares they would be lost below 1e-8 of the largest.
    assert exact[-1] < 1e-9 * exact[0]
    np.testing.assert_allclose(values, exact, rtol=0, atol=1e-15 * exact[0])


def test_growing_states_are_taken():
    L = horizon_factor(np.array([[0.5]]), np.array([[2.0]]), Continuous(), 20.0)
    np.testing.assert_allclose(L @ L.T, [[4 * np.expm1(20.0)]], rtol=1e-13)
    L = horizon_factor(np.array([[2.0]]), np.array([[3.0]]), Discrete(), 5.0)
    np.testing.assert_allclose(L @ L.T, [[9.0 * (4**5 - 1) / 3]], rtol=1e-14)


@pytest.mark.parametrize("time", TIMES)
def test_propagators_add_their_horizons(time, rng):
    A = random_stable_system(rng, 5, 2, 3, time).A
    first, second, both = (
        horizon_propagator(A, time, horizon) for horizon in (3.0, 4.0, 7.0)
    )
    np.testing.assert_allclose(first @ second, both, rtol=0, atol=1e-13)


def test_systems_without_states_or_inputs():
    for time in TIMES:
        assert horizon_factor(np.zeros((0, 0)), np.zeros((0, 2)), time, 3.0).size == 0
        L = horizon_factor(0.1 * np.eye(2), np.zeros((2, 0)), time, 3.0)
        assert L.shape == (2, 0)
