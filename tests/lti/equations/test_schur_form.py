import numpy as np
import pytest

from hankelcut.lti.equations._schur_form import SchurForm, schur_form
from tests.helpers import DTYPES
from tests.lti.equations.oracles import adjoint


def draw(rng, n, dtype):
    A = rng.standard_normal((n, n))
    if np.dtype(dtype).kind == "c":
        A = A + 1j * rng.standard_normal((n, n))
    return A.astype(dtype)


def distance(poles, others):
    """Largest distance of a value of one set from its nearest in the other."""
    gaps = abs(poles[:, None] - others[None, :])
    return max(gaps.min(axis=0).max(), gaps.min(axis=1).max())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 2, 9])
@pytest.mark.parametrize("dual", [False, True])
def test_form_is_a_similarity(dtype, n, dual, rng):
    A = draw(rng, n, dtype)
    form = schur_form(A)
    if dual:
        A, form = adjoint(A), form.dual()
    assert form.T.dtype == form.U.dtype == dtype
    eps = np.finfo(dtype).eps
    V, inverse = form.leave(np.eye(n, dtype=dtype)), form.enter(np.eye(n, dtype=dtype))
    assert V.dtype == inverse.dtype == dtype
    size = np.linalg.norm(A)
    np.testing.assert_allclose(
        V @ form.T @ inverse, A, rtol=0, atol=20 * n * eps * size
    )
    np.testing.assert_allclose(V @ inverse, np.eye(n), rtol=0, atol=20 * n * eps)
    below = np.tril(form.T, -1 if np.dtype(dtype).kind == "c" else -2)
    assert not below.any()


@pytest.mark.parametrize("dtype", DTYPES)
def test_poles_are_the_eigenvalues(dtype, rng):
    A = draw(rng, 9, dtype)
    expected = np.linalg.eigvals(A)
    form = schur_form(A)
    for poles in (form.poles, form.dual().poles.conj()):
        assert poles.dtype == np.result_type(dtype, np.complex64)
        limit = 200 * np.finfo(dtype).eps
        assert distance(poles, expected) <= limit


def test_poles_follow_the_diagonal(rng):
    form = schur_form(draw(rng, 9, float))
    np.testing.assert_array_equal(form.poles.real, np.diag(form.T))


def test_nearly_real_pairs_keep_their_distance():
    T = np.array([[-1.0, 1e-9], [-4e-9, -1]])
    form = SchurForm(T, np.eye(2), np.ones(2))
    np.testing.assert_allclose(form.poles, [-1 + 2e-9j, -1 - 2e-9j], rtol=1e-15)


@pytest.mark.parametrize("dtype", DTYPES)
def test_uncoupled_states_stay_uncoupled(dtype, rng):
    # Parts of 1, 3, 1 and 4 states, shuffled.
    A = np.zeros((9, 9), dtype)
    for start, end in ((0, 1), (1, 4), (4, 5), (5, 9)):
        A[start:end, start:end] = draw(rng, end - start, dtype)
    order = rng.permutation(9)
    A = A[np.ix_(order, order)]
    form = schur_form(A)
    V, inverse = form.leave(np.eye(9, dtype=dtype)), form.enter(np.eye(9, dtype=dtype))
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(V @ form.T @ inverse, A, rtol=0, atol=200 * eps)
    assert distance(form.poles, np.linalg.eigvals(A)) <= 200 * eps
    assert np.count_nonzero(form.T) <= 1 + 1 + 8 + 13
    assert not np.tril(form.T, -2).any()


@pytest.mark.parametrize("dtype", DTYPES)
def test_units_of_states_are_balanced(dtype, rng):
    A = draw(rng, 8, dtype)
    units = (2.0 ** rng.integers(-15, 16, 8)).astype(A.real.dtype)
    poles = schur_form(A * units[:, None] / units).poles
    expected = np.linalg.eigvals(A.astype(np.complex128))
    assert distance(poles, expected) <= 300 * np.finfo(dtype).eps


def test_scales_are_powers_of_two(rng):
    A = draw(rng, 6, float) * np.logspace(-9, 9, 6)[:, None] / np.logspace(-9, 9, 6)
    scales = schur_form(A).scales
    np.testing.assert_array_equal(np.frexp(scales)[0], 0.5)
    assert np.ptp(np.log2(scales)) > 40


def test_scales_may_leave_the_range_of_integers():
    A = np.eye(9, k=1) - 1e-8 * np.eye(9)
    form = schur_form(A)
    assert form.scales.max() > 2.0**64
    V = form.leave(np.eye(9))
    np.testing.assert_allclose(V @ form.T @ form.enter(np.eye(9)), A, atol=1e-14)


def test_no_states():
    form = schur_form(np.zeros((0, 0), np.complex64))
    assert form.poles.shape == (0,)
    assert form.dual().T.shape == (0, 0)
    assert form.enter(np.zeros((0, 3), np.complex64)).shape == (0, 3)
    assert form.leave(np.zeros((0, 3), np.complex64)).dtype == np.complex64


def test_input_is_not_overwritten(rng):
    A = np.asfortranarray(draw(rng, 6, float))
    before = A.copy()
    schur_form(A)
    np.testing.assert_array_equal(A, before)
