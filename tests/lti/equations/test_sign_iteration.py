import numpy as np
import pytest

from hankelcut.lti import Continuous
from hankelcut.lti.equations._sign_iteration import sign_factors
from hankelcut.validation import random_stable_system
from tests.helpers import BATCHES, DTYPES, on
from tests.lti.equations.oracles import (
    UNITS,
    adjoint,
    factor_residual_units,
)


@pytest.mark.parametrize("dtype", DTYPES)
def test_factors_solve_both_equations(xp, dtype, rng):
    for batch in BATCHES:
        full = random_stable_system(
            rng, 5, 2, 3, Continuous(), dtype=dtype, batch=batch
        )
        system = on(xp, full)
        Lc, Lo, converged = sign_factors(system.A, system.B, system.C)
        assert Lc.dtype == Lo.dtype == system.A.dtype
        assert tuple(Lc.shape) == tuple(Lo.shape) == (*batch, 5, 5)
        assert tuple(converged.shape) == batch
        assert bool(xp.all(converged))
        pairs = (
            (full.A, Lc, full.B),
            (adjoint(full.A), Lo, adjoint(full.C)),
        )
        for A, L, B in pairs:
            units = factor_residual_units(A, xp.to_numpy(L), B, Continuous())
            assert units <= 2 * UNITS


def test_many_inputs_and_none(rng):
    system = random_stable_system(rng, 4, 9, 0, Continuous())
    Lc, Lo, converged = sign_factors(system.A, system.B, system.C)
    assert bool(converged)
    assert factor_residual_units(system.A, Lc, system.B, Continuous()) <= UNITS
    assert not Lo.any()


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_time_scale_does_not_matter(scale, rng):
    system = random_stable_system(rng, 6, 2, 3, Continuous())
    A = scale * system.A
    Lc, _, converged = sign_factors(A, system.B, system.C)
    assert bool(converged)
    assert factor_residual_units(A, Lc, system.B, Continuous()) <= 2 * UNITS


def test_unstable_matrices_do_not_converge(xp):
    rotation = [[0.0, 1], [-1, 0]]
    items = [-np.eye(2), np.diag([-1.0, 2]), np.zeros((2, 2)), rotation, np.eye(2)]
    A, B = xp.asarray(np.stack(items)), xp.asarray(np.ones((2, 1)))
    with np.errstate(all="ignore"):
        _, _, converged = sign_factors(A, B, xp.asarray(np.ones((1, 2))))
    assert xp.to_numpy(converged).tolist() == [True, False, False, False, False]
