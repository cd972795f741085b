import numpy as np
import pytest

from hankelcut.lti import Continuous, Discrete, frequency_response, simulate
from hankelcut.validation import frequencies, input_signals, random_stable_system
from tests.helpers import BATCHES, TIMES, strategies_may_draw
from tests.validation.strategies.drawing import drawn, exists, minimal

pytestmark = strategies_may_draw


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("one_sided", [True, False])
def test_frequencies_are_in_their_range(time, one_sided, rng):
    system = random_stable_system(rng, 4, 2, 3, time)
    for points in drawn(frequencies(time, max_size=5, one_sided=one_sided), 50):
        assert points.dtype == np.float64
        assert 1 <= len(points) <= 5
        assert abs(points).max() <= (9e6 if time == Continuous() else np.pi)
        assert points.min() >= 0 or not one_sided
        assert frequency_response(system, points).shape == (len(points), 3, 2)


@pytest.mark.parametrize(
    ("time", "condition"),
    [
        (Discrete(), lambda w: (w == np.pi).any()),
        (Discrete(), lambda w: (w < 0).any()),
        (Continuous(), lambda w: (w == 0).any() and (abs(w) > 1e5).any()),
        (Continuous(), lambda w: ((abs(w) > 0) & (abs(w) < 1e-5)).any()),
    ],
)
def test_corners_of_frequencies_are_drawn(time, condition):
    assert exists(frequencies(time), condition)


@pytest.mark.parametrize("time", TIMES)
def test_frequencies_shrink_to_zero(time):
    assert minimal(frequencies(time), lambda w: True).tolist() == [0.0]
    assert np.signbit(minimal(frequencies(time), lambda w: True)).tolist() == [False]


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("real", [True, False])
def test_signals_drive_systems(batch, real, rng):
    system = random_stable_system(rng, 4, 2, 3, Discrete())
    strategy = input_signals(2, max_length=6, real=real, batch=batch)
    for inputs in drawn(strategy, 20):
        assert inputs.shape[:-2] == batch
        assert 1 <= inputs.shape[-2] <= 6
        assert np.isrealobj(inputs) == real
        assert abs(inputs).max(initial=0.0) <= np.sqrt(8)
        outputs = simulate(system, inputs)
        assert outputs.shape == (*inputs.shape[:-1], 3)


@pytest.mark.parametrize(
    "condition",
    [
        lambda u: len(u) > 3 and np.count_nonzero(u.any(axis=1)) == 1,
        lambda u: len(u) > 3 and u.any() and (u == u[0]).all(),
        lambda u: len(u) > 3 and len(np.unique(u)) > 3,
        lambda u: len(u) == 0,
    ],
    ids=["impulse", "step", "noise", "empty"],
)
def test_every_shape_of_signals_is_drawn(condition):
    assert exists(input_signals(2, min_length=0), condition)


def test_signals_shrink_to_one_number():
    smallest = minimal(input_signals(2, max_length=5), lambda u: u.any())
    assert np.count_nonzero(smallest) == 1
    assert abs(smallest).max() == 0.01
    assert smallest.shape == (1, 2)
    assert drawn(input_signals(3, dtype=np.float32), 1)[0].dtype == np.float32


def test_impossible_signals_are_refused():
    with pytest.raises(ValueError, match="frequencies: got max_size=0, need at least"):
        frequencies(Discrete(), max_size=0)
    with pytest.raises(ValueError, match=r"input_signals: got n_inputs=-1, .*need siz"):
        input_signals(-1)
    with pytest.raises(ValueError, match="got dtype=float64 with real=False, need a c"):
        input_signals(1, real=False, dtype=np.float64)
