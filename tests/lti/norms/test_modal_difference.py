from dataclasses import replace

import numpy as np
import pytest

from hankelcut import InvalidSystemError, UnstableSystemError
from hankelcut.lti import error_system, hinf_norm
from hankelcut.lti.norms.modal_difference import modal_difference_bound
from hankelcut.validation import random_diagonal_system
from tests.helpers import BATCHES, READOUTS, TIMES, on


def moved(system, rng, size):
    """Every parameter moved a little; the feedthrough kept."""

    def noise(array):
        parts = rng.standard_normal((2, *array.shape))
        return size * (parts[0] + 1j * parts[1])

    return replace(
        system,
        exponents=system.exponents * (1 + noise(system.exponents)),
        B=system.B + noise(system.B),
        C=system.C + noise(system.C),
    )


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("size", [1e-9, 1e-4, 1e-2])
def test_bound_is_above_the_error(time, readout, size, rng):
    for _ in range(5):
        system = random_diagonal_system(rng, 4, 2, 3, time, readout)
        other = moved(system, rng, size)
        bound = float(modal_difference_bound(system, other))
        error = hinf_norm(error_system(system, other), rtol=0.01)
        assert float(error.lower) <= bound
        assert bound <= 100 * float(error.upper)


@pytest.mark.parametrize("time", TIMES)
def test_bound_is_attained_by_a_change_of_one_gain(time, rng):
    # The H-infinity norm of one state is ||c|| ||b|| over its margin.
    system = random_diagonal_system(rng, 3, 2, 4, time)
    C = system.C.copy()
    C[:, 1] *= 1.5
    other = replace(system, C=C)
    bound = float(modal_difference_bound(system, other))
    error = float(hinf_norm(error_system(system, other), rtol=1e-6).lower)
    assert bound == pytest.approx(error, rel=1e-5)


def test_nothing_changed_is_no_difference(rng):
    system = random_diagonal_system(rng, 3, 2, 4)
    assert float(modal_difference_bound(system, system)) == 0.0


def test_batch_equals_loop(xp, rng):
    for time in TIMES:
        for batch in BATCHES:
            full = random_diagonal_system(rng, 3, 2, 4, time, "real", batch=batch)
            other = moved(full, rng, 1e-3)
            bound = modal_difference_bound(on(xp, full), on(xp, other))
            bound = xp.to_numpy(bound)
            assert bound.shape == batch
            for i in np.ndindex(*batch):
                one = float(modal_difference_bound(full[i], other[i]))
                assert bound[i] == pytest.approx(one, rel=1e-12)


def test_systems_that_do_not_fit_are_refused(rng):
    system = random_diagonal_system(rng, 3, 2, 4)
    other = random_diagonal_system(rng, 2, 2, 4)
    with pytest.raises(InvalidSystemError, match="need equal time domains"):
        modal_difference_bound(system, other)
    with pytest.raises(UnstableSystemError, match="modal_difference_bound: pole"):
        modal_difference_bound(system, replace(system, exponents=-system.exponents))
