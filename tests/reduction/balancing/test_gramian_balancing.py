import numpy as np
import pytest

from hankelcut.lti import (
    Continuous,
    DiagonalStateSpace,
    StateSpace,
    controllability_gramian,
    frequency_limited_controllability_gramian,
    frequency_limited_observability_gramian,
    gramian_factors,
    hankel_singular_values,
    observability_gramian,
    to_dense,
)
from hankelcut.reduction.balancing.gramian_balancing import balance_gramians
from hankelcut.validation import random_stable_system
from tests.helpers import TIMES
from tests.reduction.methods.gramian_integrals import exact_band_values


@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
@pytest.mark.parametrize("time", TIMES)
def test_plain_gramians_give_hankel_singular_values(time, dtype, rng):
    system = random_stable_system(rng, 6, 2, 3, time, dtype=dtype)
    P, Q = controllability_gramian(system), observability_gramian(system)
    sizes = float(np.linalg.norm(P)), float(np.linalg.norm(Q))
    balancing = balance_gramians(system, P, Q, sizes)
    exact = hankel_singular_values(system)
    assert (np.abs(balancing.values - exact) <= balancing.uncertainty).all()
    T, W = balancing.projections(3)
    np.testing.assert_allclose(W.conj().T @ T, np.eye(3), atol=1e-9)


@pytest.mark.parametrize("band", [(-0.5, 1.5), (3.0, 4.0), (20.0, 20.5)])
def test_values_are_as_far_off_as_they_say(band):
    poles = np.array([-1.0, -2.0 + 1j, -3.0 - 2j, -4.0, -5.0 + 3j, -6.0])
    B, C = np.ones((6, 1)), np.array([[1.0, 2.0, -1.0, 3.0, 1.0, 2.0]])
    system = to_dense(DiagonalStateSpace(poles, B, C, time=Continuous()))
    factors = gramian_factors(system)
    sizes = (
        float(np.linalg.norm(factors.controllability)) ** 2,
        float(np.linalg.norm(factors.observability)) ** 2,
    )
    P = frequency_limited_controllability_gramian(system, band)
    Q = frequency_limited_observability_gramian(system, band)
    balancing = balance_gramians(system, P, Q, sizes)
    exact = exact_band_values(poles, B, C, band)
    off = np.abs(balancing.values - exact)
    assert (off <= balancing.uncertainty).all()
    # The last is pure rounding, and known to be.
    assert balancing.uncertainty[-1] > exact[-1]
    assert 0 < balancing.spectrum().numerical_rank < 6


def test_negative_eigenvalues_are_rounding():
    system = StateSpace(np.diag([-1.0, -2.0]), np.ones((2, 1)), np.ones((1, 2)))
    P = np.diag([1.0, -1e-6])
    balancing = balance_gramians(system, P, np.eye(2), (1.0, 1.0))
    assert balancing.values[1] == 0
    assert balancing.uncertainty[1] == pytest.approx(1e-3, rel=1e-6)
    assert balancing.spectrum().numerical_rank == 1
