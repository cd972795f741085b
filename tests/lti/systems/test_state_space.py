import dataclasses

import numpy as np
import pytest

from hankelcut import InvalidSystemError
from hankelcut.lti import Continuous, Discrete, StateSpace
from hankelcut.validation import random_stable_system
from tests.helpers import BATCHES, DTYPES, TIMES, fields_of, on, unchecked_types


@pytest.mark.parametrize("dtype", DTYPES)
def test_arrays_are_kept(xp, dtype, rng):
    for batch in BATCHES:
        full = random_stable_system(
            rng, 3, 2, 4, Discrete(0.5), dtype=dtype, batch=batch
        )
        system = on(xp, full)
        sizes = (system.n_states, system.n_inputs, system.n_outputs)
        assert sizes == (3, 2, 4)
        assert system.batch_shape == batch
        assert system.time == Discrete(0.5)
        for ours, theirs in zip(fields_of(system), fields_of(full), strict=True):
            assert isinstance(ours, type(xp.asarray([1.0])))
            assert ours.dtype == getattr(xp, np.dtype(dtype).name)
            np.testing.assert_array_equal(xp.to_numpy(ours), theirs)


def test_sequences_become_double_precision():
    system = StateSpace([[1, 2], [3, 4]], [[1], [0]], [[0, 1]])
    assert system.A.dtype == np.float64
    np.testing.assert_array_equal(system.A, [[1.0, 2.0], [3.0, 4.0]])


def test_feedthrough_is_zero_by_default(rng):
    system = StateSpace(np.eye(3), np.ones((3, 2)), np.ones((4, 3)))
    assert system.D.shape == (4, 2)
    assert not system.D.any()


def test_one_dtype_for_all_matrices():
    system = StateSpace(np.eye(2), np.ones((2, 1)), 1j * np.ones((1, 2)))
    assert {array.dtype for array in fields_of(system)} == {np.dtype(complex)}


def test_batch_axes_broadcast():
    system = StateSpace(np.eye(2), np.ones((3, 1, 2, 1)), np.ones((4, 5, 2)))
    assert system.batch_shape == (3, 4)
    assert system.A.shape == (3, 4, 2, 2)
    assert system.C.shape == (3, 4, 5, 2)


def test_index_picks_batch_item(rng):
    system = random_stable_system(rng, 3, 2, 4, batch=(2, 5))
    np.testing.assert_array_equal(system[1, 3].B, system.B[1, 3])
    assert system[1].batch_shape == (5,)
    assert system[1].time == Continuous()


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (((2, 3), (2, 1), (4, 2)), "got A of shape"),
        (((2,), (2, 1), (4, 2)), "got A of shape"),
        (((2, 2), (3, 1), (4, 2)), "need B"),
        (((2, 2), (2, 1), (4, 3)), "need B"),
        (((2, 2), (2,), (4, 2)), "need matrices"),
        (((2, 2), (2, 1), (4, 2), (1, 4)), "need B"),
        (((3, 2, 2), (2, 2, 1), (4, 2)), "do not broadcast"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(shapes, message):
    with pytest.raises(InvalidSystemError, match=message):
        StateSpace(*(np.ones(shape) for shape in shapes))


@pytest.mark.parametrize("time", [None, 0.1, "discrete", Discrete])
def test_time_must_be_a_domain(time):
    message = r"need Continuous\(\) or Discrete"
    with unchecked_types(), pytest.raises(InvalidSystemError, match=message):
        StateSpace([[0.5]], [[1.0]], [[1.0]], time=time)


@pytest.mark.parametrize("time", TIMES)
def test_replace_keeps_time_domain(time):
    system = StateSpace([[-0.5]], [[1.0]], [[1.0]], time=time)
    assert dataclasses.replace(system, B=2 * system.B).time == time


def test_comparison_is_by_identity():
    system = StateSpace([[0.5]], [[1.0]], [[1.0]])
    assert system == system
    assert system != StateSpace([[0.5]], [[1.0]], [[1.0]])


def test_repr_shows_sizes_not_numbers(rng):
    shown = repr(random_stable_system(rng, 3, 2, 4, Discrete(0.5), batch=(2,)))
    assert shown == (
        "StateSpace(n_states=3, n_inputs=2, n_outputs=4, batch_shape=(2,), "
        "dtype=float64, time=Discrete(dt=0.5))"
    )
