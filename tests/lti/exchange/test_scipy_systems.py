from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from scipy import signal

from hankelcut import InvalidSystemError
from hankelcut.lti import (
    Continuous,
    Discrete,
    SignalNames,
    StateSpace,
    frequency_response,
    from_scipy,
    to_dense,
    to_scipy,
)
from hankelcut.validation import random_diagonal_system, random_stable_system
from tests.helpers import DTYPES, READOUTS, TIMES, on, strategies_may_draw
from tests.lti.exchange.stored_systems import assert_same, dense_systems

FREQUENCIES = np.linspace(0.1, 3.0, 7)


def unnamed(system):
    return replace(system, names=SignalNames())


@strategies_may_draw
@given(dense_systems(least=1, stacks=False).map(unnamed))
def test_systems_survive(system):
    assert_same(from_scipy(to_scipy(system)), system)


@pytest.mark.parametrize("sizes", [(0, 2, 3), (2, 0, 3), (2, 3, 0), (0, 0, 0)])
def test_empty_systems_keep_their_sizes(sizes):
    n, m, p = sizes
    system = StateSpace(np.eye(n), np.ones((n, m)), np.ones((p, n)))
    back = from_scipy(to_scipy(system))
    assert (back.n_states, back.n_inputs, back.n_outputs) == sizes


@pytest.mark.parametrize("dtype", DTYPES)
def test_arrays_of_every_library_are_converted(xp, dtype, rng):
    system = random_stable_system(rng, 3, 2, 4, Discrete(0.3), dtype=dtype)
    assert_same(from_scipy(to_scipy(on(xp, system))), system)


@pytest.mark.parametrize("time", TIMES)
def test_responses_agree(time, rng):
    system = random_stable_system(rng, 4, 1, 1, time)
    converted = to_scipy(system)
    response = (
        signal.freqresp(converted, FREQUENCIES)[1]
        if time == Continuous()
        else signal.dfreqresp(converted, FREQUENCIES)[1]
    )
    ours = frequency_response(system, FREQUENCIES)[:, 0, 0]
    np.testing.assert_allclose(response, ours, rtol=1e-9)


@pytest.mark.parametrize("kind", [signal.TransferFunction, signal.ZerosPolesGain])
@pytest.mark.parametrize("time", TIMES)
def test_transfer_functions_are_realised(kind, time):
    period = {} if time == Continuous() else {"dt": time.dt}
    function = (
        kind([0.3], [-0.5, 0.2], 2.0, **period)
        if (kind is signal.ZerosPolesGain)
        else kind([1.0, 2.0], [3.0, 4.0, 5.0], **period)
    )
    system = from_scipy(function)
    assert (system.n_states, system.time) == (2, time)
    evaluate = signal.freqresp if time == Continuous() else signal.dfreqresp
    expected = evaluate(function, FREQUENCIES)[1]
    ours = frequency_response(system, FREQUENCIES)[:, 0, 0]
    np.testing.assert_allclose(ours, expected, rtol=1e-12)


def test_gain_has_no_states():
    for gain in (
        signal.TransferFunction([5.0], [2.0]),
        signal.ZerosPolesGain([], [], 2.5),
    ):
        system = from_scipy(gain)
        assert system.n_states == 0
        np.testing.assert_array_equal(system.D, [[2.5]])


def test_states_that_do_nothing_are_kept():
    zero = np.zeros((2, 2))
    system = StateSpace(zero, zero, zero)
    assert from_scipy(to_scipy(system)).n_states == 2


@pytest.mark.parametrize("readout", READOUTS)
def test_diagonal_systems_become_dense(readout, rng):
    system = random_diagonal_system(rng, 3, 2, 4, Discrete(0.5), readout)
    assert_same(from_scipy(to_scipy(system)), to_dense(system))


def test_converted_systems_share_no_memory(rng):
    system = random_stable_system(rng, 3, 2, 4)
    converted = to_scipy(system)
    back = from_scipy(converted)
    before = system.A.copy()
    converted.A[:] = 0
    np.testing.assert_array_equal(system.A, before)
    np.testing.assert_array_equal(back.A, before)


def test_unknown_period_needs_the_time_domain():
    system = signal.dlti([1.0], [1.0, 0.5])
    with pytest.raises(InvalidSystemError, match=r"unknown .*pass time=Discrete\(dt\)"):
        from_scipy(system)
    assert from_scipy(system, time=Discrete(0.2)).time == Discrete(0.2)


def test_time_domain_must_not_contradict():
    system = signal.lti([1.0], [1.0, 0.5])
    assert from_scipy(system, time=Continuous()).time == Continuous()
    with pytest.raises(InvalidSystemError, match=r"got time=.* leave `time` out"):
        from_scipy(system, time=Discrete(0.2))


def test_names_are_never_dropped(rng):
    system = replace(random_stable_system(rng, 3, 2, 4), names=SignalNames(system="x"))
    message = r"names, which scipy.signal cannot hold; .*names=SignalNames\(\)"
    with pytest.raises(InvalidSystemError, match=message):
        to_scipy(system)


def test_stack_is_refused(rng):
    with pytest.raises(InvalidSystemError, match=r"stack of .*pass system\[index\]"):
        to_scipy(random_stable_system(rng, 3, 2, 4, batch=(2,)))


@pytest.mark.parametrize(
    ("system", "message"),
    [
        (signal.TransferFunction([1.0, 2.0, 3.0], [1.0, 2.0]), "without a state-space"),
        (signal.dlti([1.0], [1.0, 0.5], dt=-1), "need a positive number of seconds"),
        ((1.0, [1.0, 2.0]), "got a tuple, need a scipy.signal.lti"),
    ],
)
def test_other_systems_are_refused(system, message):
    with pytest.raises(InvalidSystemError, match=message):
        from_scipy(system)
