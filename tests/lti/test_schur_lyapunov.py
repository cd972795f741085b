import numpy as np
import pytest
import scipy.linalg

from hankelcut import IllConditionedError
from hankelcut.lti import Continuous, Discrete, StateSpace, hankel_singular_values
from hankelcut.lti._schur_lyapunov import hammarling_factors
from hankelcut.validation import random_stable_system
from tests.helpers import BATCHES, DTYPES, TIMES, dico, fortran, on, slycot_or_skip


def residual(A, B, X, time):
    """Normalised residual of the controllability equation."""
    if time == Continuous():
        left = A @ X + X @ A.conj().T + B @ B.conj().T
        scale = 2 * np.linalg.norm(A) * np.linalg.norm(X) + np.linalg.norm(B) ** 2
    else:
        left = A @ X @ A.conj().T - X + B @ B.conj().T
        scale = (np.linalg.norm(A) ** 2 + 1) * np.linalg.norm(X)
        scale += np.linalg.norm(B) ** 2
    return np.linalg.norm(left) / scale


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_residuals_are_rounding(xp, time, dtype, rng):
    for batch in BATCHES:
        full = random_stable_system(rng, 6, 2, 3, time, dtype=dtype, batch=batch)
        system = on(xp, full)
        factors = hammarling_factors(system.A, system.B, system.C, time)
        assert all(factor.dtype == system.A.dtype for factor in factors)
        Lc, Lo = (xp.to_numpy(factor).astype(complex) for factor in factors)
        assert Lc.shape == Lo.shape == (*batch, 6, 6)
        A, B, C = (matrix.astype(complex) for matrix in (full.A, full.B, full.C))
        for i in np.ndindex(*batch):
            P, Q = Lc[i] @ Lc[i].conj().T, Lo[i] @ Lo[i].conj().T
            limit = 60 * np.finfo(dtype).eps
            assert residual(A[i], B[i], P, time) <= limit
            assert residual(A[i].conj().T, C[i].conj().T, Q, time) <= limit


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_gramians_are_those_of_scipy(time, dtype, rng):
    system = random_stable_system(rng, 7, 2, 3, time, dtype=dtype)
    A, B, C = system.A, system.B, system.C
    Lc, Lo = hammarling_factors(A, B, C, time)
    Ah, Bh, Ch = (matrix.conj().T for matrix in (A, B, C))
    if time == Continuous():
        P = scipy.linalg.solve_continuous_lyapunov(A, -B @ Bh)
        Q = scipy.linalg.solve_continuous_lyapunov(Ah, -Ch @ C)
    else:
        P = scipy.linalg.solve_discrete_lyapunov(A, B @ Bh, method="direct")
        Q = scipy.linalg.solve_discrete_lyapunov(Ah, Ch @ C, method="direct")
    np.testing.assert_allclose(Lc @ Lc.conj().T, P, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(Lo @ Lo.conj().T, Q, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("time", TIMES)
def test_gramian_is_that_of_slycot(time, rng):
    slycot = slycot_or_skip()
    system = random_stable_system(rng, 7, 2, 3, time)
    Lc, _ = hammarling_factors(system.A, system.B, system.C, time)
    padded = np.zeros((7, 7))
    padded[:, :2] = system.B
    A, Q, B = fortran(system.A, np.zeros((7, 7)), padded)
    U, scale, _ = slycot.sb03od(7, 2, A, Q, B, dico(system), trans="T")
    expected = U @ U.T / scale**2
    np.testing.assert_allclose(Lc @ Lc.T, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("scale", [2.0**-900, 2.0**900])
def test_extreme_inputs_scale_the_factor(time, scale, rng):
    system = random_stable_system(rng, 5, 2, 3, time)
    Lc, Lo = hammarling_factors(system.A, system.B, system.C, time)
    scaled, other = hammarling_factors(system.A, scale * system.B, system.C, time)
    np.testing.assert_array_equal(scaled, scale * Lc)
    np.testing.assert_array_equal(other, Lo)


@pytest.mark.parametrize("time", TIMES)
def test_silent_inputs_give_a_zero_factor(time, rng):
    system = random_stable_system(rng, 5, 2, 3, time)
    Lc, _ = hammarling_factors(system.A, 0 * system.B, system.C, time)
    assert not Lc.any()


def test_jordan_block_needs_no_eigenvectors():
    A = 0.9 * np.eye(5) + np.diag(np.ones(4), 1)
    B, C = np.arange(10.0).reshape(5, 2) - 4, np.arange(15.0).reshape(3, 5) - 7
    Lc, Lo = hammarling_factors(A, B, C, Discrete())
    # 2^12 terms by doubling: the tail is 0.9^(2^13), times a power.
    for matrix, inputs, factor in ((A, B, Lc), (A.T, C.T, Lo)):
        P, power = inputs @ inputs.T, matrix
        for _ in range(12):
            P, power = P + power @ P @ power.T, power @ power
        np.testing.assert_allclose(factor @ factor.T, P, rtol=1e-8)


def hump(dtype, n=20):
    """Powers of this state matrix grow to 1e30 before they decay."""
    A = 0.9 * np.eye(n) + 50 * np.diag(np.ones(n - 1), 1)
    rng = np.random.default_rng(5)
    B, C = rng.standard_normal((n, 2)), rng.standard_normal((3, n))
    return StateSpace(*(x.astype(dtype) for x in (A, B, C)), time=Discrete())


def test_growing_powers_stay_accurate():
    system = hump(float)
    Lc, _ = hammarling_factors(system.A, system.B, system.C, system.time)
    P = Lc @ Lc.T
    assert np.isfinite(P).all()
    assert np.linalg.norm(P) > 1e80
    assert residual(system.A, system.B, P, system.time) <= 1e-13


def test_overflow_is_refused_not_returned():
    system = hump(np.float32)
    with pytest.raises(IllConditionedError, match=r"range of float32.*double prec"):
        hankel_singular_values(system)


def test_overflow_names_the_batch_item():
    item = hump(np.float32)
    A = np.stack([0 * item.A, item.A, 0 * item.A])
    system = StateSpace(A, item.B, item.C, time=Discrete())
    with pytest.raises(IllConditionedError, match=r"batch items \[1\]"):
        hankel_singular_values(system)
