import importlib
from dataclasses import replace

import numpy as np
import pytest

import hankelcut as hc
from hankelcut.lti import hankel_singular_values
from hankelcut.reduction import ErrorBound, balanced_truncation
from hankelcut.validation import (
    InvariantViolationError,
    check_hankel_bounds,
    constructor,
    random_diagonal_system,
    random_lru_system,
    random_stable_system,
)
from tests.helpers import READOUTS, fields_of, on


def test_right_results_pass(xp, rng):
    time = hc.Discrete(0.1)
    for full in (
        random_stable_system(rng, 4, 2, 3, time),
        random_stable_system(rng, 4, 2, 3, time, batch=(2,)),
        random_stable_system(rng, 4, 2, 3, time, batch=(0,)),
        random_diagonal_system(rng, 4, 2, 3, time, "real"),
        random_diagonal_system(rng, 4, 2, 3, time, "complex", batch=(2, 1)),
    ):
        system = on(xp, full)
        check_hankel_bounds(system, balanced_truncation(system, order=2))


@pytest.mark.parametrize("map", ["real", "complex"])
@pytest.mark.parametrize("method", ["structured", "closed_form"])
def test_both_maps_and_routes_pass(map, method, rng):
    layer = random_lru_system(rng, 16, 3, 2)
    result = balanced_truncation(layer, order=6, map=map, gramians=method)
    check_hankel_bounds(layer, result)


@pytest.fixture(params=["dense", "diagonal"])
def reduced(request, rng):
    """A system of 6 states and its reduction to 3."""
    system = (
        random_stable_system(rng, 6, 2, 4, hc.Discrete())
        if request.param == "dense"
        else random_diagonal_system(rng, 6, 2, 4, hc.Discrete(), "real")
    )
    return system, balanced_truncation(system, order=3)


def breakages(result):
    """Results that are wrong, each with what must be said."""
    values, bound = result.hankel_singular_values, result.error_bound
    model = result.system
    first = "A" if isinstance(model, hc.StateSpace) else "exponents"
    grown = -getattr(model, first) if first == "exponents" else 3 * model.A
    kept, small = values[: result.order], ErrorBound(bound / 100)
    return {
        "too small": (replace(result, bound=small), "above its bound"),
        "kept only": (
            replace(result, characteristic_values=kept),
            "got 3 Hankel singular values",
        ),
        "nan": (
            replace(result, characteristic_values=values * np.nan),
            "not all finite",
        ),
        "ascending": (
            replace(result, characteristic_values=values[::-1]),
            "do not descend",
        ),
        "scaled": (
            replace(result, characteristic_values=2 * values),
            "not the system's own",
        ),
        "unstable": (
            replace(result, system=replace(model, **{first: grown})),
            "stability margin -",
        ),
        "feedthrough": (
            replace(result, system=replace(model, D=model.D + 1)),
            "feedthrough",
        ),
        "time": (
            replace(result, system=replace(model, time=hc.Discrete(2.0))),
            r"\(time, m, p\) went from",
        ),
        "silent": (
            replace(result, system=replace(model, C=0 * model.C)),
            "above its bound",
        ),
    }


@pytest.mark.parametrize(
    "kind",
    [
        "too small",
        "kept only",
        "nan",
        "ascending",
        "scaled",
        "unstable",
        "feedthrough",
        "time",
        "silent",
    ],
)
def test_wrong_results_are_caught(kind, reduced):
    system, result = reduced
    broken, message = breakages(result)[kind]
    with pytest.raises(InvariantViolationError, match=message):
        check_hankel_bounds(system, broken)


def test_impossibly_small_errors_are_caught(reduced, monkeypatch):
    # No model of that order comes closer: only a wrong measurement could say so.
    system, result = reduced
    module = importlib.import_module("hankelcut.validation.invariants.hankel_bounds")

    def measured(of):
        values = hankel_singular_values(of)
        return values if of is system else 1e-3 * values

    monkeypatch.setattr(module, "hankel_singular_values", measured)
    with pytest.raises(InvariantViolationError, match="no model of that order can rea"):
        check_hankel_bounds(system, result)


def test_message_rebuilds_the_system(reduced):
    system, result = reduced
    nothing = ErrorBound(0 * result.error_bound)
    with pytest.raises(InvariantViolationError) as caught:
        check_hankel_bounds(system, replace(result, bound=nothing))
    message = str(caught.value)
    source = message[message.index("hc.") :]
    rebuilt = eval(source, {"hc": hc, "np": np})
    assert rebuilt.time == system.time
    for ours, theirs in zip(fields_of(rebuilt), fields_of(system), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert isinstance(caught.value, AssertionError)
    assert isinstance(caught.value, hc.HankelcutError)


@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("single", [True, False])
@pytest.mark.parametrize("n", [0, 1, 3])
def test_constructor_is_exact(xp, readout, single, n, rng):
    system = random_diagonal_system(
        rng,
        n,
        2,
        4,
        hc.Discrete(0.25),
        readout,
        dtype=np.complex64 if single else np.complex128,
    )
    rebuilt = eval(constructor(on(xp, system)), {"hc": hc, "np": np})
    assert (rebuilt.readout, rebuilt.time) == (readout, system.time)
    for ours, theirs in zip(fields_of(rebuilt), fields_of(system), strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)


def test_constructor_of_non_finite_entries():
    system = hc.StateSpace([[np.nan]], [[np.inf]], [[-np.inf]])
    rebuilt = eval(constructor(system), {"hc": hc, "np": np})
    for ours, theirs in zip(fields_of(rebuilt), fields_of(system), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_item_of_a_batch_is_rebuilt_alone(rng):
    system = random_stable_system(rng, 4, 2, 3, batch=(3,))
    result = balanced_truncation(system, order=2)
    bound = result.error_bound.copy()
    bound[2] = 0.0
    with pytest.raises(InvariantViolationError) as caught:
        check_hankel_bounds(system, replace(result, bound=ErrorBound(bound)))
    message = str(caught.value)
    rebuilt = eval(message[message.index("hc.") :], {"hc": hc, "np": np})
    np.testing.assert_array_equal(rebuilt.A, system.A[2])
