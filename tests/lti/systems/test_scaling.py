import numpy as np
import pytest

from hankelcut.lti.systems._scaling import (
    frobenius_norm,
    magnitude,
    row_norms,
    state_gauge,
)
from hankelcut.validation import random_diagonal_system
from tests.helpers import BATCHES, on


@pytest.mark.parametrize("exponent", [-1000, -500, 0, 500, 1000])
def test_gauge_balances_rows_and_columns(xp, exponent, rng):
    for batch in BATCHES:
        full = random_diagonal_system(rng, 4, 2, 3, batch=batch)
        system = on(xp, full)
        B, C = 2.0**exponent * system.B, 2.0**-exponent * system.C
        gauge = xp.to_numpy(state_gauge(B, C))
        assert gauge.shape == (*batch, 4)
        np.testing.assert_array_equal(gauge, 2.0 ** np.round(np.log2(gauge)))
        rows = abs(xp.to_numpy(B)).max(axis=-1) * gauge
        columns = abs(xp.to_numpy(C)).max(axis=-2) / gauge
        assert (abs(np.log2(rows / columns)) <= 1.0).all()


@pytest.mark.parametrize(("m", "p"), [(0, 3), (2, 0)])
def test_gauge_of_no_channels_is_one(xp, m, p):
    system = on(xp, random_diagonal_system(np.random.default_rng(0), 4, m, p))
    np.testing.assert_array_equal(xp.to_numpy(state_gauge(system.B, system.C)), 1.0)


def test_gauge_of_silent_states_is_one():
    B, C = np.array([[0.0], [4.0], [8.0]]), np.array([[4.0, 0.0, 2.0]])
    np.testing.assert_array_equal(state_gauge(B, C), [1.0, 1.0, 0.5])


@pytest.mark.parametrize("exponent", [-1000, -30, 0, 1000])
def test_norm_does_not_leave_the_range(xp, exponent, rng):
    matrix = rng.standard_normal((2, 3, 4))
    scaled = xp.asarray(2.0**exponent * matrix)
    expected = 2.0**exponent * np.linalg.norm(matrix, axis=(-2, -1))
    norm = xp.to_numpy(frobenius_norm(scaled))
    np.testing.assert_allclose(norm, expected, rtol=1e-14)
    size = xp.to_numpy(magnitude(scaled))
    assert (abs(np.log2(size / abs(xp.to_numpy(scaled)).max(axis=(1, 2)))) <= 0.5).all()
    rows = 2.0**exponent * np.linalg.norm(matrix, axis=-1)
    np.testing.assert_allclose(xp.to_numpy(row_norms(scaled)), rows, rtol=1e-14)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (2, 0, 3)])
def test_empty_matrices_have_no_norm(xp, shape):
    empty = xp.asarray(np.zeros(shape))
    assert not xp.to_numpy(frobenius_norm(empty)).any()
    np.testing.assert_array_equal(xp.to_numpy(row_norms(empty)), np.zeros(shape[:-1]))
    np.testing.assert_array_equal(xp.to_numpy(magnitude(empty)), np.ones(shape[:-2]))
