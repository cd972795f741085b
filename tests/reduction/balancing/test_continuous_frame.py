from dataclasses import replace

import numpy as np
import pytest

from hankelcut import IllConditionedError
from hankelcut.lti import (
    Continuous,
    Discrete,
    StateSpace,
    frequency_response,
    hankel_singular_values,
)
from hankelcut.reduction.balancing.continuous_frame import ContinuousFrame
from hankelcut.validation import random_stable_system
from tests.helpers import dense_response

CALLER = "test"
TIME = Discrete(0.2)


def test_continuous_systems_stand_for_themselves(rng):
    system = random_stable_system(rng, 4, 2, 3)
    frame = ContinuousFrame.of(system, CALLER)
    assert frame.system is system
    assert frame.back(system) is system
    assert frame.infinity == "infinite frequency"


@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_discrete_systems_keep_gains_and_hankel_singular_values(rng, dtype):
    system = random_stable_system(rng, 5, 2, 3, TIME, dtype=dtype)
    frame = ContinuousFrame.of(system, CALLER)
    assert frame.system.time == Continuous()
    assert frame.system.A.dtype == dtype
    assert not frame.turned
    angles = np.array([-2.5, -0.4, 0.0, 1.1, 3.0])
    points = np.tan(angles / 2) / (TIME.dt / 2)
    np.testing.assert_allclose(
        frequency_response(frame.system, points),
        dense_response(system, np.exp(1j * angles)),
        rtol=1e-11,
        atol=1e-11,
    )
    np.testing.assert_allclose(
        hankel_singular_values(frame.system), hankel_singular_values(system), rtol=1e-11
    )


@pytest.mark.parametrize("pole", [0.5, 1 - 1e-9, -1 + 1e-9, -1.0])
def test_the_way_back_undoes_the_map(rng, pole):
    system = random_stable_system(rng, 4, 2, 3, TIME)
    A = system.A.copy()
    A[0], A[:, 0] = 0.0, 0.0
    A[0, 0] = pole
    system = StateSpace(A, system.B, system.C, system.D, TIME)
    frame = ContinuousFrame.of(system, CALLER)
    assert frame.turned == (pole < 0)
    assert frame.infinity == ("z = 1" if frame.turned else "z = -1")
    back = frame.back(frame.system)
    assert back.time == TIME
    for name in "ABCD":
        np.testing.assert_allclose(
            getattr(back, name), getattr(system, name), rtol=1e-11, atol=1e-11
        )


def test_response_that_becomes_infinite_is_the_feedthrough(rng):
    system = random_stable_system(rng, 4, 2, 3, TIME)
    D = ContinuousFrame.of(system, CALLER).system.D
    np.testing.assert_allclose(
        D, dense_response(system, np.array([-1.0]))[0], rtol=1e-11
    )


def test_poles_at_both_points_are_refused():
    system = StateSpace(np.diag([1.0, -1.0]), np.ones((2, 1)), np.ones((1, 2)))
    system = StateSpace(system.A, system.B, system.C, system.D, TIME)
    with pytest.raises(IllConditionedError, match="test: got poles at 1 and at -1"):
        ContinuousFrame.of(system, CALLER)


@pytest.mark.parametrize("turned", [False, True])
def test_frequencies_are_named_in_the_own_time(rng, turned):
    system = random_stable_system(rng, 3, 1, 1, TIME)
    frame = ContinuousFrame.of(system, CALLER)
    if turned:
        frame = replace(frame, turned=True)
    continuous = np.tan(0.4 / 2) / (TIME.dt / 2)
    said = f"{0.4 - np.pi:.6g}" if turned else "0.4"
    assert frame.frequency(float(continuous)) == f"{said} radians per sample"
    plain = ContinuousFrame.of(random_stable_system(rng, 3, 1, 1), CALLER)
    assert plain.frequency(1.5) == "1.5 rad/s"
