import numpy as np
import pytest

from hankelcut.lti import StateSpace, hankel_singular_values
from hankelcut.lti.equations._state_scales import state_scales
from hankelcut.validation import random_stable_system
from tests.helpers import BATCHES, TIMES


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
def test_units_of_states_are_found(xp, batch, dtype, rng):
    even = rng.uniform(0.5, 1, (*batch, 6, 6)).astype(dtype)
    units = (2.0 ** rng.integers(-12, 12, (*batch, 6))).astype(even.real.dtype)
    A = even * units[..., :, None] / units[..., None, :]
    scales, found = state_scales(xp.asarray(A))
    assert xp.to_numpy(found).all()
    assert scales.dtype == getattr(xp, even.real.dtype.name)
    scales = xp.to_numpy(scales)
    assert (np.exp2(np.round(np.log2(scales))) == scales).all()
    scaled = np.abs(A) * scales[..., None, :] / scales[..., :, None]
    scaled *= 1 - np.eye(6)
    ratio = scaled.max(axis=-1) / scaled.max(axis=-2)
    assert ((ratio <= 2.0**5) & (ratio >= 2.0**-5)).all()


def test_even_matrices_keep_their_units(rng):
    scales, even = state_scales(rng.uniform(0.5, 1, (3, 5, 5)))
    assert (scales == 1).all()
    assert even.all()


def test_decoupled_states_keep_their_units():
    scales, even = state_scales(np.diag([1.0, 1e-200, 1e200]))
    assert (scales == 1).all()
    assert even


def test_what_cannot_be_made_even_in_time_is_said(rng):
    steep = np.diag(2.0 ** np.linspace(-200, 200, 15), 1) + np.diag(np.ones(15), -1)
    assert not state_scales(steep)[1]


@pytest.mark.parametrize("time", TIMES)
def test_values_of_a_stack_do_not_depend_on_units(time, rng):
    plain = random_stable_system(rng, 9, 2, 3, time)
    units = 2.0 ** np.linspace(-27, 27, 9)
    A = plain.A / units[:, None] * units
    stack = [np.stack([M] * 20) for M in (A, plain.B / units[:, None], plain.C * units)]
    values = hankel_singular_values(StateSpace(*stack, time=time))
    expected = hankel_singular_values(plain)
    error = np.abs(values - expected).max() / expected[0]
    assert error <= 1e-13
