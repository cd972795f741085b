import numpy as np
import pytest

from hankelcut import ConvergenceError
from hankelcut.lti import Discrete
from hankelcut.lti._schur_lyapunov import hammarling_factors
from hankelcut.lti._squared_smith import squared_smith_factors
from hankelcut.validation import random_stable_system
from tests.helpers import BATCHES, DTYPES, TIMES, on


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_gramians_are_those_of_hammarling(xp, time, dtype, rng):
    for batch in BATCHES:
        full = random_stable_system(rng, 5, 2, 3, time, dtype=dtype, batch=batch)
        system = on(xp, full)
        ours = squared_smith_factors(system.A, system.B, system.C, time)
        theirs = hammarling_factors(full.A, full.B, full.C, time)
        for factor, expected in zip(ours, theirs, strict=True):
            assert factor.dtype == system.A.dtype
            L = xp.to_numpy(factor)
            assert L.shape == (*batch, 5, 5)
            adjoint = np.conj(np.swapaxes(L, -1, -2))
            exact = expected @ np.conj(np.swapaxes(expected, -1, -2))
            largest = np.linalg.norm(exact, axis=(-2, -1))
            error = np.linalg.norm(L @ adjoint - exact, axis=(-2, -1))
            assert (error <= 2e3 * np.finfo(dtype).eps * largest).all()


def test_more_inputs_than_states(xp, rng):
    full = random_stable_system(rng, 3, 7, 5, Discrete())
    system = on(xp, full)
    Lc, _ = squared_smith_factors(system.A, system.B, system.C, Discrete())
    expected, _ = hammarling_factors(full.A, full.B, full.C, Discrete())
    L = xp.to_numpy(Lc)
    np.testing.assert_allclose(L @ L.T, expected @ expected.T, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("time", TIMES)
def test_no_states(xp, time):
    system = on(xp, random_stable_system(np.random.default_rng(0), 0, 2, 3, time))
    Lc, Lo = squared_smith_factors(system.A, system.B, system.C, time)
    assert tuple(Lc.shape) == tuple(Lo.shape) == (0, 0)


@pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")
def test_failure_is_raised_not_returned(xp):
    A = 0.9 * np.eye(20) + 50 * np.diag(np.ones(19), 1)
    A = np.stack([0.5 * np.eye(20), A]).astype(np.float32)
    B = np.ones((2, 20, 2), dtype=np.float32)
    C = np.ones((2, 3, 20), dtype=np.float32)
    A, B, C = (xp.asarray(matrix, dtype=xp.float32) for matrix in (A, B, C))
    with pytest.raises(ConvergenceError, match=r"batch items \[1\].*Hammarling"):
        squared_smith_factors(A, B, C, Discrete())
