import numpy as np
import pytest

from hankelcut import UnstableSystemError
from hankelcut.lti import (
    StateSpace,
    error_system,
    hankel_norm,
    hankel_singular_values,
    hinf_norm,
)
from hankelcut.reduction import balanced_truncation
from hankelcut.validation import random_diagonal_system, random_stable_system
from tests.helpers import BATCHES, READOUTS, TIMES, on


@pytest.mark.parametrize("time", TIMES)
def test_is_the_largest_value_of_each_item(xp, time, rng):
    for batch in BATCHES:
        full = random_stable_system(rng, 5, 2, 3, time, batch=batch)
        norm = hankel_norm(on(xp, full))
        assert tuple(norm.shape) == batch
        assert norm.dtype == xp.float64
        expected = hankel_singular_values(full)[..., 0]
        np.testing.assert_allclose(xp.to_numpy(norm), expected, rtol=1e-12)


@pytest.mark.parametrize("time", TIMES)
def test_norm_chain(time, rng):
    systems = [random_stable_system(rng, 5, 2, 3, time)]
    systems += [random_diagonal_system(rng, 5, 2, 3, time, kind) for kind in READOUTS]
    for system in systems:
        bracket = hinf_norm(system)
        ceiling = np.linalg.norm(system.D, 2) + 2 * hankel_singular_values(system).sum()
        assert hankel_norm(system) <= float(bracket.upper)
        assert float(bracket.lower) <= ceiling


@pytest.mark.parametrize("time", TIMES)
def test_no_smaller_model_is_nearer_than_the_next_value(time, rng):
    system = random_stable_system(rng, 6, 2, 3, time)
    values = hankel_singular_values(system)
    for order in range(6):
        reduced = balanced_truncation(system, order=order).system
        distance = float(hankel_norm(error_system(system, reduced)))
        assert distance >= values[order] * (1 - 1e-8)


@pytest.mark.parametrize(("n", "m", "p"), [(0, 2, 3), (4, 0, 3), (4, 2, 0)])
def test_empty_systems_have_none(n, m, p):
    system = StateSpace(-np.eye(n), np.ones((n, m)), np.ones((p, n)), np.ones((p, m)))
    assert float(hankel_norm(system)) == 0.0


def test_unstable_systems_are_refused():
    with pytest.raises(UnstableSystemError, match="need Re"):
        hankel_norm(StateSpace([[1.0]], [[1.0]], [[1.0]]))
