import numpy as np
import pytest

from hankelcut.lti import Continuous, Discrete
from hankelcut.lti.equations._iterated import (
    iterated_factors,
    iterated_solution,
    residual_limit,
)
from hankelcut.validation import random_stable_system
from tests.helpers import DTYPES, TIMES, on
from tests.lti.equations.oracles import (
    adjoint,
    factor_residual_units,
    hermitian,
    hump,
    residual_units,
    squared,
    turned_hump,
)


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_good_results_keep_the_stated_limit(xp, time, dtype, rng):
    full = random_stable_system(rng, 5, 2, 3, time, dtype=dtype, batch=(2, 9))
    system, Q = on(xp, full), hermitian(rng, 5, dtype, (2, 9))
    X, good = iterated_solution(system.A, xp.asarray(Q, dtype=system.A.dtype), time)
    assert bool(xp.all(good))
    assert residual_units(full.A, xp.to_numpy(X), Q, time) <= 20
    Lc, Lo, good = iterated_factors(system.A, system.B, system.C, time)
    assert bool(xp.all(good))
    Lc, Lo = xp.to_numpy(Lc), xp.to_numpy(Lo)
    assert factor_residual_units(full.A, Lc, full.B, time) <= 21
    dual = adjoint(full.A), Lo, adjoint(full.C)
    assert factor_residual_units(*dual, time) <= 21


def test_limit_is_twenty_roundings_per_state():
    assert residual_limit(np.zeros((4, 3, 3))) == 60 * 2.0**-53
    assert residual_limit(np.zeros((0, 0), np.float32)) == 20 * 2.0**-24


def unreliable(time):
    """Items that the iterations cannot solve, after one that they can."""
    n = 20
    slow = np.diag(np.linspace(0.1, 0.5, n))
    slow[0, 0] = 1 - 1e-7
    regular = np.diag(np.linspace(0.1, 0.5, n))
    items = [regular, slow, hump(n), turned_hump(n), slow + np.eye(n)]
    A = np.stack(items)
    return A - np.eye(n) if time == Continuous() else A


@pytest.mark.parametrize("time", [Continuous(), Discrete()])
def test_bad_results_are_not_called_good(time, rng):
    A = unreliable(time)
    B, C = rng.standard_normal((5, 20, 2)), rng.standard_normal((5, 3, 20))
    for scale in (2.0**-600, 1.0, 2.0**600):
        Q = scale * squared(B)
        with np.errstate(all="ignore"):
            X, good = iterated_solution(A, Q, time, 14)
        assert good[0]
        assert not good[3:].any()
        for i in np.flatnonzero(good):
            assert residual_units(A[i], X[i], Q[i], time) <= 20
        # B of half the scale: its square has the range of Q.
        with np.errstate(all="ignore"):
            Lc, _, good = iterated_factors(A, scale**0.5 * B, C, time, 14)
        assert good[0]
        assert not good[3:].any()
        for i in np.flatnonzero(good):
            left = factor_residual_units(A[i], Lc[i], scale**0.5 * B[i], time)
            assert left <= 21
