import numpy as np
import pytest

from hankelcut import InvalidSystemError, UnstableSystemError
from hankelcut.lti import (
    Continuous,
    DiagonalStateSpace,
    Discrete,
    StateSpace,
    hankel_singular_values,
    hinf_norm,
    is_stable,
    stability_margin,
)
from hankelcut.validation import random_diagonal_system, random_stable_system
from tests.helpers import BATCHES, TIMES, on


@pytest.mark.parametrize("time", TIMES)
def test_margin_is_that_of_the_eigenvalues(xp, time, rng):
    for batch in BATCHES:
        full = random_stable_system(rng, 4, 2, 3, time, batch=batch)
        margin = xp.to_numpy(stability_margin(on(xp, full)))
        poles = np.linalg.eigvals(full.A)
        distances = -poles.real if time == Continuous() else 1 - abs(poles)
        assert margin.shape == batch
        np.testing.assert_allclose(margin, distances.min(axis=-1), rtol=1e-11)


@pytest.mark.parametrize("time", TIMES)
def test_diagonal_margin_is_that_of_its_dense_twin(xp, time, rng):
    full = random_diagonal_system(rng, 4, 2, 3, time, batch=(2,))
    poles = full.poles
    distances = -poles.real if time == Continuous() else 1 - abs(poles)
    margin = xp.to_numpy(stability_margin(on(xp, full)))
    np.testing.assert_allclose(margin, distances.min(axis=-1), rtol=1e-12)


def test_margin_keeps_its_digits_near_the_unit_circle():
    system = DiagonalStateSpace([-1e-13 + 2j, -0.1], np.ones((2, 1)), np.ones((1, 2)))
    assert float(stability_margin(system)) == pytest.approx(1e-13, rel=1e-12)


@pytest.mark.parametrize("time", TIMES)
def test_no_states_are_stable(xp, time):
    for kind in (random_stable_system, random_diagonal_system):
        system = on(xp, kind(np.random.default_rng(0), 0, 2, 3, time))
        assert float(stability_margin(system)) == np.inf
        assert bool(is_stable(system))


def test_unstable_pole_is_named():
    system = StateSpace(np.diag([-1.0, 0.25]), np.ones((2, 1)), np.ones((1, 2)))
    assert not bool(is_stable(system))
    with pytest.raises(UnstableSystemError, match=r"hankel.*pole 0\.25.*Re\(pole\)"):
        hankel_singular_values(system)


def test_unstable_batch_item_is_named():
    exponents = np.full((2, 3), -0.5 + 0.1j)
    exponents[1, 2] = 0.01
    system = DiagonalStateSpace(exponents, np.ones((3, 1)), np.ones((2, 3)))
    np.testing.assert_array_equal(is_stable(system), [True, False])
    with pytest.raises(UnstableSystemError, match="state 2 of batch item 1"):
        hinf_norm(system)


@pytest.mark.parametrize("pole", [1.0, -1.0, 1j, 1.5])
def test_pole_on_or_outside_the_circle_is_refused(pole):
    dense = StateSpace([[pole]], [[1.0]], [[1.0]], time=Discrete())
    diagonal = DiagonalStateSpace.from_poles([pole], [[1.0]], [[1.0]])
    for system in (dense, diagonal):
        with pytest.raises(UnstableSystemError, match=r"need abs\(pole\) < 1"):
            hankel_singular_values(system)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("field", [0, 1, 2, 3])
def test_non_finite_entries_are_refused(value, field, rng):
    for system in (
        random_stable_system(rng, 3, 2, 4),
        random_diagonal_system(rng, 3, 2, 4),
    ):
        dense = isinstance(system, StateSpace)
        first = system.A if dense else system.exponents
        arrays = [array.copy() for array in (first, system.B, system.C, system.D)]
        arrays[field].flat[1] = value
        name = ("A" if dense else "exponents", "B", "C", "D")[field]
        broken = type(system)(*arrays, system.time)
        with pytest.raises(InvalidSystemError, match=f"{name} of shape.*1 NaN or inf"):
            hankel_singular_values(broken)
