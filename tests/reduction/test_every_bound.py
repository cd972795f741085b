"""What every method promises, on systems that a machine looks for."""

import math
import warnings
from dataclasses import replace

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from hankelcut import HankelcutError, NumericalWarning
from hankelcut.lti import (
    Continuous,
    StateSpace,
    hankel_singular_values,
    hinf_norm,
    is_stable,
)
from hankelcut.reduction import METHODS
from hankelcut.validation import stable_systems
from tests.helpers import strategies_may_draw

pytestmark = strategies_may_draw

RTOL = 1e-3
# Distance of the slowest pole from the stability boundary: a resonance of 1e3.
LIGHT = 1e-3
DENSE = [name for name in METHODS if not name.startswith("low_rank")]


def as_drawn(system):
    return system


def lightly_damped(system):
    """Move the poles until the slowest is next to the stability boundary."""
    poles = np.linalg.eigvals(system.A)
    if isinstance(system.time, Continuous):
        shift = np.max(poles.real) + LIGHT
        return replace(system, A=system.A - shift * np.eye(system.n_states))
    radius = np.max(abs(poles))
    return replace(system, A=system.A * ((1 - LIGHT) / radius)) if radius else system


def doubled(system):
    """Two copies side by side: every Hankel singular value is tied."""
    twice = np.eye(2)
    A, B, C, D = (np.kron(twice, x) for x in (system.A, system.B, system.C, system.D))
    return StateSpace(A, B, C, D, system.time)


def contraction(system):
    """Scale the gain to 1/2, which bounded-real truncation needs below 1."""
    norm = float(hinf_norm(system, rtol=0.1).upper)
    if norm == 0:
        return system
    return replace(system, C=system.C / (2 * norm), D=system.D / (2 * norm))


def passive(system):
    """Square, with a feedthrough that makes it positive real and minimum phase."""
    k = min(system.n_inputs, system.n_outputs)
    B, C, D = system.B[:, :k], system.C[:k], system.D[:k, :k]
    square = StateSpace(system.A, B, C, D, system.time)
    norm = float(hinf_norm(square, rtol=0.1).upper)
    return replace(square, D=D + (2 * norm + 0.1) * np.eye(k))


def low_pass(system):
    """Return a weight for every input, of the system's time domain."""
    identity = np.eye(system.n_inputs)
    A = (-0.5 if isinstance(system.time, Continuous) else 0.5) * identity
    return StateSpace(A, identity, identity, 0.1 * identity, system.time)


OPTIONS = {
    "frequency_limited_truncation": lambda system: {"band": (0.1, 1.0)},
    "frequency_weighted_truncation": lambda system: {"input_weight": low_pass(system)},
    "time_limited_truncation": lambda system: {"horizon": 3},
}
PREPARED = {
    "balanced_stochastic_truncation": passive,
    "bounded_real_truncation": contraction,
    "positive_real_truncation": passive,
}


@st.composite
def tasks(draw):
    """Draw a system, lightly damped, tied or as it comes, and an order below its own.

    Repeated poles and silent states are common in the systems that are drawn.
    """
    system = draw(stable_systems(min_states=1, max_states=6))
    change = draw(st.sampled_from([as_drawn, lightly_damped, doubled]))
    changed = change(system)
    return changed, draw(st.integers(0, changed.n_states - 1))


def reduced_or_none(name, system, order):
    """Return the result of a method; None where it refuses by a typed error."""
    options = OPTIONS[name](system) if name in OPTIONS else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NumericalWarning)
        try:
            return METHODS[name].function(system, order=order, **options)
        except (HankelcutError, ValueError):
            return None


def check_bounds(name, system, order):
    """Assert sigma_{r+1} <= error, and that what is bounded stays within its bound."""
    system = PREPARED.get(name, as_drawn)(system)
    result = reduced_or_none(name, system, order)
    if result is None:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NumericalWarning)
        certificate = result.certify(rtol=RTOL)
    values = hankel_singular_values(system)
    largest = float(values[0])
    # What storing the model costs: a pole next to the boundary magnifies it.
    slack = 1e-9 * (largest + float(np.linalg.norm(system.D)))
    error = certificate.hinf_error
    assert float(error.lower) <= float(error.upper)
    if result.order < len(values) and bool(is_stable(result.system)):
        assert float(values[result.order]) <= float(error.upper) + slack
    bound = certificate.error_bound
    if bound is None:
        assert result.bound.condition
        return
    assert math.isfinite(float(bound))
    allowed = float(bound) * (1 + 1e-9) + slack
    assert float(certificate.bounded_error.lower) <= allowed


@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(DENSE), tasks())
def test_error_lies_between_value_and_bound(name, task):
    check_bounds(name, *task)


@pytest.mark.slow
@pytest.mark.parametrize("name", DENSE)
@settings(max_examples=2000, suppress_health_check=[HealthCheck.too_slow])
@given(tasks())
def test_error_lies_between_value_and_bound_of_very_many_systems(name, task):
    check_bounds(name, *task)


@pytest.mark.parametrize("name", DENSE)
def test_methods_take_what_they_are_given_here(name, rng):
    # The tests above pass over refusals; a plain system must not be one.
    A = np.diag([-0.3, -0.5, -0.8, -1.7])
    B, C = rng.standard_normal((4, 2)), rng.standard_normal((2, 4))
    system = PREPARED.get(name, as_drawn)(StateSpace(A, B, C, np.eye(2)))
    assert reduced_or_none(name, system, 2) is not None
