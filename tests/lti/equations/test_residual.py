import numpy as np
import pytest

from hankelcut.lti.equations._residual import relative_residual, residual_matrix
from tests.helpers import BATCHES, TIMES
from tests.lti.equations.oracles import hermitian, residual_units


def draw(rng, batch, n=4):
    A, E = rng.standard_normal((2, *batch, n, n))
    return A, hermitian(rng, n, float, batch), hermitian(rng, n, float, batch), E


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("with_E", [False, True])
def test_residual_is_that_of_the_equation(xp, time, with_E, rng):
    for batch in BATCHES:
        A, X, Q, E = draw(rng, batch)
        arrays = [xp.asarray(x) for x in (A, X, Q)]
        held = xp.asarray(E) if with_E else None
        residual = relative_residual(*arrays, time, held)
        assert tuple(residual.shape) == batch
        for i in np.ndindex(*batch):
            left = E[i] if with_E else None
            size = 1.0 if with_E else 2.0  # the norm of the identity is taken as 1
            expected = residual_units(A[i], X[i], Q[i], time, left) * 4 * 2.0**-53
            got = float(xp.to_numpy(residual)[i])
            assert expected * (1 - 1e-12) <= got <= expected * size**2 * (1 + 1e-12)
            if with_E:
                assert got == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("time", TIMES)
def test_residual_matrix_vanishes_at_a_solution(time, rng):
    A, X, _, E = draw(rng, ())
    for held in (None, E):
        Q = -residual_matrix(A, X, np.zeros((4, 4)), time, held)
        assert not residual_matrix(A, X, Q, time, held).any()
        assert float(relative_residual(A, X, Q, time, held)) == 0


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("power", [-600, 600])
def test_residual_does_not_depend_on_the_size_of_the_data(time, power, rng):
    A, X, Q, _ = draw(rng, ())
    expected = relative_residual(A, X, Q, time)
    scaled = relative_residual(A, 2.0**power * X, 2.0**power * Q, time)
    assert float(scaled) == pytest.approx(float(expected), rel=1e-14)


@pytest.mark.parametrize("time", TIMES)
def test_zero_equations_have_no_residual(time):
    zero = np.zeros((2, 3, 3))
    np.testing.assert_array_equal(relative_residual(zero, zero, zero, time), 0)
    none = np.zeros((2, 0, 0))
    np.testing.assert_array_equal(relative_residual(none, none, none, time), 0)
