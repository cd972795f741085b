import numpy as np
import pytest

from hankelcut import ConvergenceError
from hankelcut.lti import Continuous, Discrete
from hankelcut.lti.equations._accelerated import (
    accelerated_factors,
    accelerated_solution,
)
from hankelcut.validation import random_stable_system
from tests.helpers import BATCHES, DTYPES, TIMES, on
from tests.lti.equations.oracles import (
    adjoint,
    factor_residual_units,
    hermitian,
    hump,
    residual_units,
)


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_iterations_solve_on_any_library(xp, time, dtype, rng):
    for batch in BATCHES:
        full = random_stable_system(rng, 5, 2, 3, time, dtype=dtype, batch=batch)
        system, Q = on(xp, full), hermitian(rng, 5, dtype, batch)
        right = xp.asarray(Q, dtype=system.A.dtype)
        X = accelerated_solution("here", system.A, right, time)
        assert X.dtype == system.A.dtype
        assert residual_units(full.A, xp.to_numpy(X), Q, time) <= 20
        Lc, Lo = accelerated_factors("here", system.A, system.B, system.C, time)
        Lc, Lo = xp.to_numpy(Lc), xp.to_numpy(Lo)
        assert factor_residual_units(full.A, Lc, full.B, time) <= 21
        dual = adjoint(full.A), Lo, adjoint(full.C)
        assert factor_residual_units(*dual, time) <= 21


def test_slow_poles_take_more_steps(xp):
    A = np.diag([1 - 1e-5, 0.5])
    for time, state in ((Discrete(), A), (Continuous(), A - np.eye(2))):
        X = accelerated_solution("here", xp.asarray(state), xp.asarray(np.eye(2)), time)
        assert residual_units(state, xp.to_numpy(X), np.eye(2), time) <= 20


@pytest.mark.parametrize("time", [Continuous(), Discrete()])
def test_failures_are_raised_not_returned(xp, time):
    shift = np.eye(20) if time == Continuous() else np.zeros((20, 20))
    good, bad = 0.5 * np.eye(20) - shift, hump() - shift
    unstable = 2 * np.eye(20)
    A = np.stack([good, bad, good, unstable]).astype(np.float32)
    A = xp.asarray(A, dtype=xp.float32)
    B, C = (xp.asarray(np.ones(s), dtype=xp.float32) for s in ((4, 20, 2), (4, 3, 20)))
    message = r"here: the iteration for batch items \[1, 3\] did not reach .* 2\.4e-05"
    with np.errstate(all="ignore"):
        with pytest.raises(ConvergenceError, match=message):
            accelerated_factors("here", A, B, C, time)
        with pytest.raises(ConvergenceError, match=message):
            accelerated_solution("here", A, B @ xp.matrix_transpose(B), time)
