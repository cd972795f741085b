import importlib

import numpy as np
import pytest

import hankelcut as hc
from hankelcut.lti import hankel_norm
from hankelcut.validation import (
    InvariantViolationError,
    check_full_order,
    check_hankel_lower_bound,
    check_same_map,
    check_truncation_bound,
    check_unstable_part,
    random_diagonal_system,
    random_stable_system,
)
from tests.helpers import on


@pytest.mark.parametrize("time", [hc.Continuous(), hc.Discrete(0.5)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
def test_every_form_of_a_reduction_is_read(time, dtype, xp, rng):
    system = on(xp, random_stable_system(rng, 5, 2, 3, time, dtype=dtype))
    result = hc.balanced_truncation(system, order=5)
    model = result.system
    for form in (result, model, (model.A, model.B, model.C, model.D)):
        check_full_order(system, form)
        check_hankel_lower_bound(system, form)


def test_layers_are_read_as_their_real_map(rng):
    layer = random_diagonal_system(rng, 4, 2, 3, hc.Discrete(), "real")
    result = hc.balanced_truncation(layer, order=2)
    check_truncation_bound(layer, result)
    check_hankel_lower_bound(layer, result)
    with pytest.raises(InvariantViolationError, match="the responses differ"):
        check_same_map(layer, result.system)


def test_impossibly_small_errors_are_caught(rng, monkeypatch):
    # No model of that order comes closer: only a wrong measurement could say so.
    system = random_stable_system(rng, 4, 2, 3)
    module = importlib.import_module("hankelcut.validation.invariants.reductions")
    monkeypatch.setattr(module, "hankel_norm", lambda error: hankel_norm(error) / 1e3)
    with pytest.raises(InvariantViolationError, match="below value 3"):
        check_hankel_lower_bound(system, hc.balanced_truncation(system, order=2))


def test_lost_unstable_poles_are_caught(rng):
    stable = random_stable_system(rng, 3, 2, 4, hc.Discrete())
    A = np.block([[stable.A, np.zeros((3, 1))], [np.zeros((1, 3)), 1.5 * np.eye(1)]])
    B = np.concatenate([stable.B, np.ones((1, 2))])
    C = np.concatenate([stable.C, np.ones((4, 1))], axis=1)
    system = hc.StateSpace(A, B, C, stable.D, stable.time)
    check_unstable_part(system, hc.balanced_truncation(system, order=2))
    with pytest.raises(InvariantViolationError, match="1 unstable poles became 0"):
        check_unstable_part(system, stable)


def test_case_is_in_the_message(rng):
    system = random_stable_system(rng, 4, 2, 3)
    model = hc.balanced_truncation(system, order=2).system
    with pytest.raises(InvariantViolationError) as caught:
        check_full_order(system, model)
    message = str(caught.value)
    assert "property: nothing is cut at order n, Moore 1981" in message
    source = message[message.index("system = ") + 9 : message.index("\nfound = ")]
    rebuilt = eval(source, {"hc": hc, "np": np})
    np.testing.assert_array_equal(rebuilt.A, system.A)
