import sys
from dataclasses import replace

import numpy as np
import pytest

from hankelcut import InvalidSystemError, MissingDependencyError
from hankelcut.lti import (
    Continuous,
    Discrete,
    SignalNames,
    StateSpace,
    frequency_response,
    from_control,
    real_form,
    to_control,
)
from hankelcut.validation import random_diagonal_system, random_stable_system
from tests.helpers import TIMES, on, slycot_or_skip
from tests.lti.exchange.stored_systems import assert_same

control = pytest.importorskip("control", reason="python-control is not installed")

NAMES = SignalNames(("Kraft", "u"), ("x", "v", "a", "T"), ("1", "2", "3"), "Anlage")
FREQUENCIES = np.linspace(0.1, 3.0, 7)


def response(system):
    """The response by python-control, (7, p, m); its frequencies are in rad/s."""
    dt = system.dt or 1.0
    found = system.frequency_response(FREQUENCIES / dt, squeeze=False)
    return np.moveaxis(found.complex, -1, 0)


@pytest.mark.parametrize("names", [NAMES, SignalNames(), replace(NAMES, outputs=None)])
@pytest.mark.parametrize("time", TIMES)
def test_systems_survive(xp, time, names, rng):
    system = replace(random_stable_system(rng, 3, 2, 4, time), names=names)
    converted = to_control(replace(on(xp, system), names=names))
    assert_same(from_control(converted), system)


@pytest.mark.parametrize("time", TIMES)
def test_responses_agree(time, rng):
    system = random_stable_system(rng, 3, 2, 4, time)
    np.testing.assert_allclose(
        response(to_control(system)),
        frequency_response(system, FREQUENCIES),
        rtol=1e-10,
    )


def test_labels_are_those_of_the_signals(rng):
    system = replace(random_stable_system(rng, 3, 2, 4), names=NAMES)
    converted = to_control(system)
    assert tuple(converted.input_labels) == NAMES.inputs
    assert tuple(converted.output_labels) == NAMES.outputs
    assert tuple(converted.state_labels) == NAMES.states
    assert converted.name == NAMES.system


def test_states_that_do_nothing_are_kept():
    control.config.set_defaults("statesp", remove_useless_states=True)
    try:
        zero = np.zeros((2, 2))
        system = StateSpace(zero, zero, zero)
        assert from_control(to_control(system)).n_states == 2
    finally:
        control.reset_defaults()


@pytest.mark.parametrize("sizes", [(0, 2, 3), (2, 3, 0), (2, 0, 0), (0, 0, 0)])
def test_empty_systems_survive(sizes):
    n, m, p = sizes
    matrices = np.eye(n), np.ones((n, m)), np.ones((p, n))
    system = StateSpace(*matrices, time=Discrete(0.1))
    back = from_control(to_control(system))
    assert (back.n_states, back.n_inputs, back.n_outputs) == sizes
    assert back.time == Discrete(0.1)


def test_single_precision_is_widened_exactly(rng):
    system = random_stable_system(rng, 3, 2, 4, dtype=np.float32)
    back = from_control(to_control(system))
    assert back.A.dtype == np.float64
    np.testing.assert_array_equal(back.A, system.A)


@pytest.mark.parametrize("readout", ["real", "twice_real"])
def test_real_readouts_become_real_systems(readout, rng):
    system = random_diagonal_system(rng, 3, 2, 4, Discrete(0.5), readout)
    assert_same(from_control(to_control(system)), real_form(system))


def test_converted_systems_share_no_memory(rng):
    system = random_stable_system(rng, 3, 2, 4)
    converted = to_control(system)
    back = from_control(converted)
    before = system.A.copy()
    converted.A[:] = 0
    np.testing.assert_array_equal(system.A, before)
    np.testing.assert_array_equal(back.A, before)


@pytest.mark.parametrize("dt", [0, 0.2])
def test_transfer_functions_are_realised(dt):
    function = control.tf([1.0, 2.0], [3.0, 4.0, 5.0], dt, name="g", inputs=["Kraft"])
    system = from_control(function)
    assert system.n_states == 2
    assert system.time == (Discrete(0.2) if dt else Continuous())
    assert system.names == SignalNames(inputs=("Kraft",), system="g")
    ours = frequency_response(system, FREQUENCIES)
    np.testing.assert_allclose(ours, response(function), rtol=1e-10)


def test_transfer_functions_of_several_inputs_are_realised():
    slycot_or_skip()
    function = control.tf([[[1.0], [2.0, 1.0]]], [[[1.0, 2.0], [1.0, 3.0, 4.0]]])
    ours = frequency_response(from_control(function), FREQUENCIES)
    np.testing.assert_allclose(ours, response(function), rtol=1e-9)


def test_gain_has_no_states():
    system = from_control(control.tf([5.0], [2.0], 0.1))
    assert (system.n_states, system.time) == (0, Discrete(0.1))
    np.testing.assert_array_equal(system.D, [[2.5]])


def test_unknown_period_needs_the_time_domain():
    system = control.ss([[0.5]], [[1.0]], [[1.0]], 0, True)
    for time in (None, Continuous()):
        with pytest.raises(InvalidSystemError, match=r"pass time=Discrete\(dt\)"):
            from_control(system, time=time)
    assert from_control(system, time=Discrete(0.2)).time == Discrete(0.2)


def test_unknown_domain_needs_the_time_domain():
    system = control.ss([[-0.5]], [[1.0]], [[1.0]], 0, None)
    with pytest.raises(InvalidSystemError, match=r"pass time=Continuous\(\) or"):
        from_control(system)
    for time in TIMES:
        assert from_control(system, time=time).time == time


def test_time_domain_must_not_contradict():
    system = control.ss([[-0.5]], [[1.0]], [[1.0]], 0, 0.1)
    assert from_control(system, time=Discrete(0.1)).time == Discrete(0.1)
    for time in (Continuous(), Discrete(0.2)):
        with pytest.raises(InvalidSystemError, match="leave `time` out"):
            from_control(system, time=time)


@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
def test_imaginary_parts_are_never_dropped(dtype, rng):
    system = random_stable_system(rng, 3, 2, 4, dtype=dtype)
    with pytest.raises(InvalidSystemError, match="would drop the imaginary part"):
        to_control(system)
    diagonal = random_diagonal_system(rng, 3, 2, 4)
    with pytest.raises(InvalidSystemError, match="would drop the imaginary part"):
        to_control(diagonal)


def test_stack_is_refused(rng):
    with pytest.raises(InvalidSystemError, match=r"stack of .*pass system\[index\]"):
        to_control(random_stable_system(rng, 3, 2, 4, batch=(2,)))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (SignalNames(inputs=("u", "u")), "names that differ"),
        (SignalNames(states=("a", "b", "a")), "names that differ"),
        (SignalNames(outputs=("a.b", "c", "d", "e")), "python-control cannot hold"),
        (SignalNames(system="a.b"), "python-control cannot hold"),
    ],
)
def test_names_that_do_not_fit_are_refused(names, message, rng):
    system = replace(random_stable_system(rng, 3, 2, 4), names=names)
    with pytest.raises(InvalidSystemError, match=message):
        to_control(system)


def test_sizes_that_do_not_fit_are_refused():
    system = StateSpace(np.eye(1), np.ones((1, 0)), np.ones((2, 1)))
    with pytest.raises(InvalidSystemError, match="python-control cannot hold"):
        to_control(system)


@pytest.mark.parametrize(
    ("system", "message"),
    [
        (control.frd([1.0, 2.0], [1.0, 2.0]), "got a FrequencyResponseData, need"),
        (
            control.nlsys(lambda t, x, u, params: -x, inputs=1, outputs=1, states=1),
            "got a",
        ),
        (control.tf([1.0, 2.0, 3.0], [1.0, 2.0]), "not proper"),
        (3.0, "got a float, need a control.StateSpace"),
    ],
)
def test_other_systems_are_refused(system, message):
    with pytest.raises(InvalidSystemError, match=message):
        from_control(system)


def test_absence_is_named(monkeypatch, rng):
    system = random_stable_system(rng, 3, 2, 4)
    converted = to_control(system)
    monkeypatch.setitem(sys.modules, "control", None)
    message = r"needs python-control, .*pip install 'hankelcut\[validation\]'"
    with pytest.raises(MissingDependencyError, match=message):
        to_control(system)
    with pytest.raises(MissingDependencyError, match=message):
        from_control(converted)


def test_absence_of_slycot_is_named(monkeypatch):
    monkeypatch.setattr("control.statesp.slycot_check", lambda: False)
    function = control.tf([[[1.0], [2.0]]], [[[1.0, 2.0], [1.0, 3.0]]])
    with pytest.raises(MissingDependencyError, match="needs Slycot"):
        from_control(function)
