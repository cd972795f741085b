from dataclasses import replace

import numpy as np
import pytest

from hankelcut import InvalidSystemError
from hankelcut.lti import Discrete, SignalNames, StateSpace, error_system, to_dense
from hankelcut.lti.systems.conversions import detached
from hankelcut.reduction import balanced_truncation
from hankelcut.validation import random_diagonal_system, random_stable_system
from tests.helpers import unchecked_types

NAMES = SignalNames(
    inputs=("Kraft", "Störung"),
    outputs=("x", "v", "a", "T"),
    states=("1", "2", "3"),
    system="plant",
)


def named(rng, **options):
    return replace(random_stable_system(rng, 3, 2, 4, **options), names=NAMES)


def test_systems_have_no_names_by_default(rng):
    system = random_stable_system(rng, 3, 2, 4)
    assert system.names == SignalNames(None, None, None, None)


def test_names_compare_by_value():
    assert SignalNames(inputs=("u",)) == SignalNames(inputs=("u",))
    assert SignalNames(inputs=("u",)) != SignalNames(outputs=("u",))


@pytest.mark.parametrize("nothing", [(), ("",), ("", "")])
def test_empty_names_are_none(nothing):
    assert SignalNames(nothing, nothing, nothing, "") == SignalNames()


def test_some_signals_may_lack_a_name():
    assert SignalNames(inputs=("u", "")).inputs == ("u", "")


def test_items_of_a_batch_share_names(rng):
    system = named(rng, batch=(2, 3))
    assert system[1].names == NAMES
    assert system[1, 2].names == NAMES


def test_names_survive_conversions_that_keep_the_states(rng):
    system = named(rng)
    assert to_dense(system).names == NAMES
    assert detached(system).names == NAMES


def test_error_system_has_the_known_signals(rng):
    signals = SignalNames(inputs=NAMES.inputs, outputs=NAMES.outputs)
    full, reduced = named(rng), random_stable_system(rng, 2, 2, 4)
    assert error_system(full, reduced).names == signals
    diagonal = random_diagonal_system(rng, 5, 2, 4, full.time, "real")
    assert error_system(full, diagonal).names == signals
    assert error_system(diagonal, full).names == signals


def test_reduced_system_has_names_but_for_its_states(rng):
    result = balanced_truncation(named(rng), order=2)
    assert result.system.names == replace(NAMES, states=None)
    assert result.certify().bound_holds


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (SignalNames(inputs=("u",)), r"got 1 names \('u',\) for 2 inputs, need 2"),
        (SignalNames(outputs=("a", "b")), "for 4 outputs, need 4"),
        (SignalNames(states=("a", "b", "c", "d")), "for 3 states, need 3"),
        (("u", "y"), "need a SignalNames"),
    ],
)
def test_names_that_do_not_fit_are_refused(names, message, rng):
    system = random_stable_system(rng, 3, 2, 4, Discrete())
    with unchecked_types(), pytest.raises(InvalidSystemError, match=message):
        replace(system, names=names)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"inputs": "uv"}, "need a tuple of strings"),
        ({"outputs": ["y"]}, "need a tuple of strings"),
        ({"states": (1, 2)}, "got states=.*need a tuple of strings"),
        ({"system": 3}, "got system=3, need a string"),
    ],
)
def test_names_must_be_strings(fields, message):
    with unchecked_types(), pytest.raises(InvalidSystemError, match=message):
        SignalNames(**fields)


def test_names_may_be_given_by_position():
    system = StateSpace(
        np.eye(1), np.eye(1), np.eye(1), None, Discrete(), SignalNames(("u",))
    )
    assert system.names.inputs == ("u",)
