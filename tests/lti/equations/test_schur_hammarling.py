import numpy as np
import pytest
import scipy.linalg

from hankelcut import hankel_singular_values as hankel
from hankelcut.lti import Continuous, Discrete, StateSpace
from hankelcut.lti.equations._schur_form import SchurForm, schur_form
from hankelcut.lti.equations._schur_hammarling import factor_in_schur_form
from hankelcut.lti.equations._schur_lyapunov import solve_in_schur_form
from hankelcut.validation import random_stable_system
from tests.exact import DIGITS, mpmath
from tests.helpers import TIMES
from tests.lti.equations.oracles import (
    UNITS,
    exact_factor_singular_values,
    factor_residual_units,
    hump,
    squared,
)


def rotation(real, imaginary):
    return np.array([[real, imaginary], [-imaginary, real]])


def stable(time, slowest, *blocks):
    """Stack blocks on a diagonal, coupled above, and move them into stability."""
    A = scipy.linalg.block_diag(*blocks)
    n = A.shape[0]
    couplings = np.random.default_rng(n).standard_normal((n, n)) / n
    same = scipy.linalg.block_diag(*(np.ones_like(np.atleast_2d(b)) for b in blocks))
    A = A + np.triu(couplings * (1 - same))
    poles = np.linalg.eigvals(A)
    if time == Continuous():
        return A - (poles.real.max() + slowest) * np.eye(n)
    return A * (1 - slowest) / abs(poles).max()


SPECTRA = {
    "real": [np.diag(np.linspace(-3.0, -1, 11))],
    "pairs": [rotation(-k, k + 1.0) for k in range(1, 6)],
    "mixed": [-1.0, rotation(-2, 1.0), -3.0, -0.5, rotation(-0.3, 4.0)],
    "clustered": [np.diag(-1 - 1e-9 * np.arange(9.0))],
    "equal": [-np.eye(9)],
    "jordan": [-np.eye(9) + np.eye(9, k=1)],
    "pairs of a jordan block": [
        np.kron(np.eye(4), rotation(-1, 1.0)) + np.kron(np.eye(4, k=1), np.eye(2))
    ],
    "imaginary pairs": [rotation(0, 1.0), rotation(0, 2.0), rotation(0, 1.0)],
    "graded": [np.diag(-np.logspace(-4, 4, 9))],
}


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("name", SPECTRA)
@pytest.mark.parametrize("slowest", [0.1, 1e-8])
def test_factors_of_all_spectra_solve(time, name, slowest, rng):
    A = stable(time, slowest, *SPECTRA[name])
    form = schur_form(A)
    for m in (1, 3, A.shape[0]):
        B = rng.standard_normal((A.shape[0], m))
        L = factor_in_schur_form(form, B, time)
        assert factor_residual_units(A, L, B, time) <= UNITS
        dual = factor_in_schur_form(form.dual(), B, time)
        assert factor_residual_units(A.T, dual, B, time) <= UNITS


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("ratio", [1e-7, 1e-12, 1e-15, 1e-18, 1e-30, 1e-300])
@pytest.mark.parametrize("size", [1.0, 1e-9, 1e3])
@pytest.mark.parametrize("transposed", [False, True])
def test_nearly_real_pairs_lose_nothing(time, ratio, size, transposed, rng):
    block = size * np.array([[0, 1.0], [-ratio, 0]])
    block = block[::-1, ::-1] if transposed else block
    pole = -2.0 if time == Continuous() else 0.5
    T = np.block(
        [
            [pole * np.eye(2) + block, rng.standard_normal((2, 2))],
            [np.zeros((2, 2)), pole / 3 * np.eye(2) + block],
        ]
    )
    form = SchurForm(T, np.eye(4), np.ones(4))
    for _ in range(10):
        B = rng.standard_normal((4, 2))
        L = factor_in_schur_form(form, B, time)
        assert factor_residual_units(T, L, B, time) <= 2
        dual = factor_in_schur_form(form.dual(), B, time)
        assert factor_residual_units(T.T, dual, B, time) <= 2


@pytest.mark.parametrize("time", TIMES)
def test_pairs_of_slow_poles_keep_their_digits(time):
    # One pair 1e-12 from the boundary: P is 1 / (2e-12) of the energy of the rows.
    angle = 1.0
    pair = (
        rotation(-1e-12, angle)
        if time == Continuous()
        else (1 - 1e-12) * rotation(np.cos(angle), np.sin(angle))
    )
    form = SchurForm(pair, np.eye(2), np.ones(2))
    B = np.array([[1.0], [0.5]])
    P = squared(factor_in_schur_form(form, B, time))
    modulus = abs(complex(pair[0, 0], pair[0, 1]))
    decay = 2e-12 if time == Continuous() else (1 - modulus) * (1 + modulus)
    np.testing.assert_allclose(np.trace(P), 1.25 / decay, rtol=1e-14)


def test_every_singular_value_of_graded_states_is_right():
    # Rates from slow to fast over six decades, as of a diffusion process.
    for n in (8, 12):
        A, B = -np.diag(np.logspace(-2, 4, n)), np.ones((n, 1))
        L = factor_in_schur_form(schur_form(A), B, Continuous())
        exact = exact_factor_singular_values(A, B, Continuous())
        values = np.linalg.svd(L, compute_uv=False)
        np.testing.assert_allclose(values, exact, rtol=1e-13)


def test_columns_are_left_out_only_where_they_are_rounding():
    n = 20
    poles = -np.linspace(1, 2, n)
    L = factor_in_schur_form(schur_form(np.diag(poles)), np.ones((n, 1)), Continuous())
    with mpmath.workdps(DIGITS):
        P = mpmath.matrix(n)
        for i, j in np.ndindex(n, n):
            P[i, j] = -1 / (mpmath.mpf(poles[i]) + mpmath.mpf(poles[j]))
        squares = sorted(mpmath.eighe(P, eigvals_only=True), reverse=True)
        exact = np.array([float(mpmath.sqrt(square)) for square in squares])
    assert exact[-1] < 1e-16 * exact[0]
    values = np.linalg.svd(L, compute_uv=False)
    kept = exact > 1e-12 * exact[0]
    np.testing.assert_allclose(values[: kept.sum()], exact[kept], rtol=1e-5)


def test_rows_that_nearly_cancel_are_kept(rng):
    # From a factor R and rows b, M + M^T + b b^T = 0: T = R M R^-1 and B = R b. Half of
    # the rows of B are left with 1e-9 of their size, and half of the values with that.
    n = 16
    b = rng.standard_normal((n, 2))
    M = -np.triu(b @ b.T, 1) - np.diag(np.sum(b**2, axis=1)) / 2
    R = np.eye(n) + np.triu(rng.standard_normal((n, n)), 1) / n
    R[:8, :8] *= 1e-9
    R[:8, 8:] = rng.standard_normal((8, 8))
    T = np.triu(scipy.linalg.solve_triangular(R.T, (R @ M).T, lower=True).T)
    L = factor_in_schur_form(SchurForm(T, np.eye(n), np.ones(n)), R @ b, Continuous())
    values, exact = (np.linalg.svd(x, compute_uv=False) for x in (L, R))
    assert exact[8] < 1e-8 * exact[0]
    np.testing.assert_allclose(values, exact, rtol=1e-5)


def test_graded_states_of_python_control_are_solved():
    A, B = -np.diag(np.logspace(-2, 4, 40)), np.ones((40, 1))
    L = factor_in_schur_form(schur_form(A), B, Continuous())
    poles = np.diag(A)
    np.testing.assert_allclose(
        squared(L), -1 / (poles[:, None] + poles[None, :]), rtol=1e-12
    )


@pytest.mark.parametrize("time", TIMES)
def test_small_singular_values_are_right(time, rng):
    # The square root of a Gramian loses what is below 1e-8 of the largest.
    A = stable(time, 0.2, *SPECTRA["mixed"])
    B = rng.standard_normal((A.shape[0], 1)) * np.logspace(0, -14, A.shape[0])[:, None]
    L = factor_in_schur_form(schur_form(A), B, time)
    exact = exact_factor_singular_values(A, B, time)
    values = np.linalg.svd(L, compute_uv=False)
    assert exact[-1] < 1e-9 * exact[0]
    np.testing.assert_allclose(values, exact[: len(values)], rtol=1e-5)


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", [np.float32, np.complex64, np.float64])
def test_tiny_rows_are_not_lost(time, dtype):
    tiny = 1e-30 if np.finfo(dtype).bits == 32 else 1e-200
    B = np.array([[1, 0], [0, tiny], [0, 2 * tiny]], dtype=dtype)
    A = np.diag([-0.5, -0.25, -0.5]).astype(dtype)
    L = factor_in_schur_form(schur_form(A), B, time)
    assert L.dtype == dtype
    poles = np.array([-0.5, -0.25, -0.5])
    decay = -2 * poles if time == Continuous() else 1 - poles**2
    expected = np.array([1, tiny, 2 * tiny]) / np.sqrt(decay)
    rows = abs(L).max(axis=1, keepdims=True)
    norms = np.linalg.norm(L / rows, axis=1) * rows[:, 0]
    np.testing.assert_allclose(norms, expected, rtol=4 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", [np.float32, np.complex64, np.float64])
@pytest.mark.parametrize("largest", [True, False])
def test_extreme_entries_are_scaled(dtype, largest):
    limits = np.finfo(dtype)
    entry = limits.max if largest else limits.tiny
    A, B = -np.eye(2, dtype=dtype), np.full((2, 1), entry, dtype)
    L = factor_in_schur_form(schur_form(A), B, Continuous())
    norms = np.linalg.norm(L / entry, axis=1)
    np.testing.assert_allclose(norms, np.sqrt(0.5), rtol=4 * limits.eps)
    # In the basis of the Schur form these inputs are larger than they are here.
    A = np.array([[-2, 1], [1, -2]], dtype=dtype)
    L = factor_in_schur_form(schur_form(A), B, Continuous())
    norms = np.linalg.norm(L / entry, axis=1)
    np.testing.assert_allclose(norms, np.sqrt(0.5), rtol=20 * limits.eps)


@pytest.mark.parametrize("time", TIMES)
def test_uncontrollable_states_have_no_columns(time, rng):
    A = stable(time, 0.1, *SPECTRA["pairs"], *SPECTRA["real"])
    n = A.shape[0]
    A[12:, :12] = 0
    B = rng.standard_normal((n, 2))
    B[12:] = 0
    A[:12, 12:] = 0
    L = factor_in_schur_form(schur_form(A), B, time)
    assert L.shape[1] <= 12
    assert factor_residual_units(A, L, B, time) <= UNITS
    assert not L[12:].any()


@pytest.mark.parametrize("time", TIMES)
def test_jordan_blocks_need_no_eigenvectors(time, rng):
    A = 0.9 * np.eye(12) + np.eye(12, k=1)
    A = A - 1.9 * np.eye(12) if time == Continuous() else A
    B = rng.standard_normal((12, 2))
    form = schur_form(A)
    L = factor_in_schur_form(form, B, time)
    X = solve_in_schur_form(form, squared(B), time)
    assert np.linalg.norm(squared(L) - X) <= 1e-12 * np.linalg.norm(X)


def test_growing_powers_stay_accurate(rng):
    A, B = hump(), rng.standard_normal((20, 2))
    form = schur_form(A)
    P = squared(factor_in_schur_form(form, B, Discrete()))
    assert np.linalg.norm(P) > 1e80
    X = solve_in_schur_form(form, squared(B), Discrete())
    assert np.linalg.norm(P - X) <= 1e-12 * np.linalg.norm(X)


@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
@pytest.mark.parametrize("m", [1, 2, 39, 40, 45])
def test_unitary_completions_stay_unitary(dtype, m, rng):
    # Rounding of n updates of the inputs: the energy of B must neither grow nor fade.
    A = random_stable_system(rng, 40, m, 1, Discrete(), dtype=dtype, margin=1e-3).A
    B = rng.standard_normal((40, m)).astype(dtype)
    L = factor_in_schur_form(schur_form(A), B, Discrete())
    assert factor_residual_units(A, L, B, Discrete()) <= 1


def test_poles_at_zero(rng):
    n, time = 36, Discrete()
    nilpotent = np.triu(rng.standard_normal((n, n)), 1) / n
    singular = random_stable_system(rng, n, 1, 1, time).A @ np.diag(
        np.arange(n) % 3 > 0
    )
    singular = 0.9 * singular / max(1.0, abs(np.linalg.eigvals(singular)).max())
    for A in (np.zeros((n, n)), nilpotent, singular):
        B = rng.standard_normal((n, 3))
        L = factor_in_schur_form(schur_form(A), B, time)
        assert factor_residual_units(A, L, B, time) <= UNITS


@pytest.mark.parametrize("time", TIMES)
def test_hankel_singular_values_do_not_depend_on_units(time, rng):
    system = random_stable_system(rng, 10, 2, 3, time)
    units = 2.0 ** rng.integers(-26, 27, 10)
    scaled = StateSpace(
        system.A * units[:, None] / units,
        system.B * units[:, None],
        system.C / units,
        time=time,
    )
    np.testing.assert_allclose(
        np.asarray(hankel(scaled)), np.asarray(hankel(system)), rtol=1e-8
    )
