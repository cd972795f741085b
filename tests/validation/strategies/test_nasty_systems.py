from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings

from hankelcut.lti import (
    Continuous,
    DiagonalStateSpace,
    StateSpace,
    frequency_response,
    hankel_singular_values,
    stability_margin,
)
from hankelcut.validation import NASTY_KINDS, nasty_systems
from hankelcut.validation.strategies.nasty_systems import named_nasty_systems
from tests.helpers import TIMES, fields_of, strategies_may_draw, unchecked_types
from tests.validation.strategies.drawing import drawn, minimal

pytestmark = strategies_may_draw


def is_chain(system, least, most):
    """Whether A is one Jordan block with couplings in a range."""
    if isinstance(system, DiagonalStateSpace) or system.n_states < 2:
        return False
    n, coupling = system.n_states, system.A[0, 1]
    chain = system.A[0, 0] * np.eye(n) + coupling * np.eye(n, k=1)
    return np.array_equal(system.A, chain) and least <= coupling.real <= most


def is_empty(system):
    return 0 in (system.n_states, system.n_inputs, system.n_outputs)


def has_silent_states(system):
    n, powers = system.n_states, []
    for k in range(n):
        powers.append(np.linalg.matrix_power(system.A, k))
    if not powers or is_empty(system):
        return False
    reached = np.hstack([power @ system.B for power in powers])
    seen = np.vstack([system.C @ power for power in powers])
    return min(np.linalg.matrix_rank(M, tol=1e-8) for M in (reached, seen)) < n


def is_twice_the_same(system):
    n, m, p = system.n_states, system.n_inputs, system.n_outputs
    if n % 2 or m % 2 or p % 2:
        return False
    halves = [
        (system.A, n, n),
        (system.B, n, m),
        (system.C, p, n),
        (system.D, p, m),
    ]
    return all(
        np.array_equal(M, np.kron(np.eye(2), M[: rows // 2, : columns // 2]))
        for M, rows, columns in halves
    )


def has_constant_gain(system):
    gains = np.linalg.svd(
        frequency_response(system, np.linspace(-3, 3, 7)), compute_uv=False
    )
    values = hankel_singular_values(system)
    level = gains[0, 0]
    return np.allclose(gains, level, rtol=1e-10) and np.allclose(
        values, level, rtol=1e-9
    )


def is_graded(system):
    rows = np.linalg.norm(system.B, axis=1)
    columns = np.linalg.norm(system.C, axis=0)
    # Two decades a mode, of gains between 0.01 and 2 in up to three channels.
    fall = 400 * 100.0 ** (1 - len(rows))
    return bool(rows[-1] <= fall * rows[0] and columns[-1] <= fall * columns[0])


PROPERTIES = {
    "empty": is_empty,
    "silent_states": has_silent_states,
    "two_copies": is_twice_the_same,
    "all_pass": has_constant_gain,
    "repeated_poles": lambda s: s.n_states > 1 and len(set(s.exponents.tolist())) == 1,
    "defective": lambda s: is_chain(s, 1, 1),
    "growing_powers": lambda s: s.n_states >= 3 and is_chain(s, 10, 50),
    "real_axis": lambda s: (
        s.readout != "complex" and (abs(s.poles.imag) < 1.1e-9).all()
    ),
    "near_boundary": lambda s: float(stability_margin(s)) <= 1.0001e-6,
    "graded_gains": is_graded,
    "extreme_scaling": lambda s: not 1e-45 < abs(s.B).max() < 1e45 and s.B.any(),
}
DIAGONAL = {"repeated_poles", "real_axis", "near_boundary", "graded_gains"}


def test_every_kind_has_a_description():
    assert set(PROPERTIES) == set(NASTY_KINDS)
    assert all(len(text) > 10 for text in NASTY_KINDS.values())


@pytest.mark.parametrize("kind", NASTY_KINDS)
@pytest.mark.parametrize("time", TIMES)
def test_systems_are_of_their_kind(kind, time):
    # Sizes that do not suit every kind are made to.
    strategy = nasty_systems([kind], time=time, max_inputs=1, max_states=5)
    for system in drawn(strategy, 20):
        assert isinstance(
            system, DiagonalStateSpace if kind in DIAGONAL else StateSpace
        )
        assert system.time == time
        assert system.n_states <= 5
        assert PROPERTIES[kind](system)
        assert all(np.isfinite(array).all() for array in fields_of(system))


@given(nasty_systems())
@settings(max_examples=100)
def test_systems_are_stable(system):
    if is_chain(system, 0.5, 50):
        # The computed poles of a defective matrix are off by roots of the precision.
        pole = system.A[0, 0]
        margin = -pole.real if system.time == Continuous() else 1 - abs(pole)
    else:
        margin = float(stability_margin(system))
    assert margin > 0


@pytest.mark.slow
def test_every_kind_is_drawn():
    named = drawn(named_nasty_systems(), 500)
    counts = Counter(kind for kind, _ in named)
    # One eleventh each would be 45; hypothesis repeats what it has drawn.
    assert set(counts) == set(NASTY_KINDS)
    assert min(counts.values()) >= 5, counts
    assert max(counts.values()) <= 150, counts
    for kind, system in named[::10]:
        assert PROPERTIES[kind](system)


def test_failures_shrink_to_the_simplest_system():
    chain = minimal(nasty_systems(["growing_powers"]), lambda s: s.B.any())
    assert (chain.n_states, chain.n_inputs, chain.n_outputs) == (3, 1, 1)
    assert chain.A.tolist() == [[0, 10, 0], [0, 0, 10], [0, 0, 0]]
    assert np.count_nonzero(chain.B) == 1
    near = minimal(nasty_systems(["near_boundary"]), lambda s: True)
    assert near.n_states == 1
    assert near.exponents.imag.item() == 0
    passing = minimal(nasty_systems(["all_pass"]), lambda s: s.n_states > 1)
    assert passing.n_states == 2
    assert has_constant_gain(passing)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ([["emtpy"]], {}, r"got the kinds \['emtpy'\], need some of empty, silent"),
        ([[]], {}, "got 0 kinds"),
        ([], {"max_states": 2}, "max_states=2, .*need at least one kind, 3 states"),
    ],
)
def test_impossible_choices_are_refused(arguments, options, message):
    with unchecked_types(), pytest.raises(ValueError, match=message):
        nasty_systems(*arguments, **options)
