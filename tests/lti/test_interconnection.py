from dataclasses import replace

import numpy as np
import pytest

from hankelcut import InvalidSystemError
from hankelcut.lti import (
    Continuous,
    DiagonalStateSpace,
    Discrete,
    StateSpace,
    error_system,
    frequency_response,
    hankel_singular_values,
)
from hankelcut.validation import random_diagonal_system, random_stable_system
from tests.helpers import BATCHES, READOUTS, TIMES, on

FREQUENCIES = np.linspace(-3.0, 3.0, 7)


def test_difference_of_responses(xp, rng):
    for time in TIMES:
        for batch in BATCHES:
            pairs = [
                (
                    random_stable_system(rng, 5, 2, 3, time, batch=batch),
                    random_stable_system(rng, 2, 2, 3, time, batch=batch),
                ),
                (
                    random_diagonal_system(rng, 5, 2, 3, time, batch=batch),
                    random_diagonal_system(rng, 2, 2, 3, time, batch=batch),
                ),
                (
                    random_stable_system(rng, 5, 2, 3, time, batch=batch),
                    random_diagonal_system(rng, 2, 2, 3, time, "real", batch=batch),
                ),
                (
                    random_diagonal_system(
                        rng, 5, 2, 3, time, "twice_real", batch=batch
                    ),
                    random_diagonal_system(rng, 2, 2, 3, time, "real", batch=batch),
                ),
                (
                    random_stable_system(rng, 5, 2, 3, time, batch=batch),
                    random_diagonal_system(rng, 2, 2, 3, time, batch=batch),
                ),
            ]
            for first, second in pairs:
                error = error_system(on(xp, first), on(xp, second))
                assert (error.time, error.batch_shape) == (time, batch)
                w = xp.asarray(FREQUENCIES)
                ours = xp.to_numpy(frequency_response(error, w))
                theirs = frequency_response(first, FREQUENCIES) - frequency_response(
                    second, FREQUENCIES
                )
                np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("readout", READOUTS)
def test_diagonal_systems_stay_diagonal(readout, rng):
    first = random_diagonal_system(rng, 5, 2, 3, Discrete(), readout)
    second = random_diagonal_system(rng, 3, 2, 3, Discrete(), readout)
    error = error_system(first, second)
    assert isinstance(error, DiagonalStateSpace)
    assert (error.n_states, error.readout) == (8, readout)


def test_mixed_kinds_become_dense(rng):
    first = random_diagonal_system(rng, 5, 2, 3, Discrete(), "real")
    second = random_stable_system(rng, 3, 2, 3, Discrete())
    error = error_system(first, second)
    assert isinstance(error, StateSpace)
    assert error.n_states == 13


@pytest.mark.parametrize("time", TIMES)
def test_weyl_bound_of_the_values(time, rng):
    system = random_diagonal_system(rng, 6, 2, 3, time)
    for size in (1e-6, 1e-2, 1.0):
        other = replace(
            system,
            B=system.B + size * rng.standard_normal((6, 2)),
            C=system.C + size * rng.standard_normal((3, 6)),
        )
        first, second = (hankel_singular_values(s) for s in (system, other))
        error = hankel_singular_values(error_system(system, other))
        assert abs(first - second).max() <= error[0] * (1 + 1e-9)
        assert np.linalg.norm(first - second) <= np.linalg.norm(error) * (1 + 1e-9)


@pytest.mark.parametrize(
    "other",
    [
        random_stable_system(np.random.default_rng(0), 3, 2, 4, Discrete(0.2)),
        random_stable_system(np.random.default_rng(0), 3, 2, 4, Continuous()),
        random_stable_system(np.random.default_rng(0), 3, 3, 4, Discrete(0.1)),
        random_stable_system(np.random.default_rng(0), 3, 2, 3, Discrete(0.1)),
        random_stable_system(
            np.random.default_rng(0), 3, 2, 4, Discrete(0.1), batch=(2,)
        ),
    ],
    ids=["period", "domain", "inputs", "outputs", "batch"],
)
def test_systems_that_do_not_fit_are_refused(other, rng):
    system = random_stable_system(rng, 5, 2, 4, Discrete(0.1))
    with pytest.raises(InvalidSystemError, match="need equal ones"):
        error_system(system, other)
