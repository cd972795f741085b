import numpy as np
import pytest

from hankelcut.lti import Discrete, StateSpace, frequency_response
from hankelcut.reduction.balancing.transformations import (
    adjoint_system,
    evenly_scaled,
    projected,
)
from hankelcut.validation import random_stable_system
from tests.helpers import TIMES

POINTS = np.array([0.1, 0.7, 2.0])


@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
@pytest.mark.parametrize("time", TIMES)
def test_scaling_is_exact_and_even(time, dtype, rng):
    made = random_stable_system(rng, 5, 2, 3, time, dtype=dtype)
    t = 2.0 ** np.array([30, -20, 0, 7, -11])
    system = StateSpace(
        made.A / t[:, None] * t, made.B / t[:, None], made.C * t, made.D, time
    )
    even, units = evenly_scaled(system)
    np.testing.assert_array_equal(np.log2(units), np.round(np.log2(units)))
    np.testing.assert_array_equal(units[:, None] * even.B, system.B)
    np.testing.assert_array_equal(even.C / units, system.C)
    np.testing.assert_array_equal(even.A * units[:, None] / units, system.A)
    rows, columns = np.abs(even.B).max(axis=1), np.abs(even.C).max(axis=0)
    assert (rows < 1e3 * columns).all()
    assert (columns < 1e3 * rows).all()
    assert even.time == time


def test_adjoint_swaps_inputs_and_outputs(rng):
    system = random_stable_system(rng, 4, 2, 3, Discrete(0.1), dtype=np.complex128)
    adjoint = adjoint_system(system)
    assert (adjoint.n_inputs, adjoint.n_outputs) == (3, 2)
    # The response at conj(z) is the adjoint of that at z.
    np.testing.assert_allclose(
        frequency_response(adjoint, -POINTS),
        np.conj(np.swapaxes(frequency_response(system, POINTS), -1, -2)),
        rtol=1e-12,
    )


def test_projection_is_that_of_the_states(rng):
    system = random_stable_system(rng, 4, 2, 3)
    T = np.linalg.qr(rng.standard_normal((4, 4)))[0][:, :2]
    reduced = projected(system, T, T)
    np.testing.assert_allclose(reduced.A, T.T @ system.A @ T, rtol=1e-14, atol=1e-14)
    np.testing.assert_array_equal(reduced.D, system.D)
    assert (reduced.n_states, reduced.n_inputs, reduced.n_outputs) == (2, 2, 3)
