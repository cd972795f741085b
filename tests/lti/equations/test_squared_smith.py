import numpy as np
import pytest

from hankelcut.lti import Continuous, Discrete
from hankelcut.lti.equations._squared_smith import (
    cayley_transform,
    compress,
    inverse,
    smith_factor,
    smith_solution,
)
from hankelcut.validation import random_stable_system
from tests.helpers import BATCHES, DTYPES, on
from tests.lti.equations.oracles import (
    UNITS,
    adjoint,
    factor_residual_units,
    hermitian,
    hump,
    residual_units,
    squared,
)


@pytest.mark.parametrize("dtype", DTYPES)
def test_doubling_solves_the_equation(xp, dtype, rng):
    for batch in BATCHES:
        full = random_stable_system(rng, 5, 2, 3, Discrete(), dtype=dtype, batch=batch)
        system, Q = on(xp, full), hermitian(rng, 5, dtype, batch)
        right = xp.asarray(Q, dtype=system.A.dtype)
        X, converged = smith_solution(system.A, right)
        assert X.dtype == system.A.dtype
        assert tuple(converged.shape) == batch
        assert bool(xp.all(converged))
        assert residual_units(full.A, xp.to_numpy(X), Q, Discrete()) <= UNITS
        L, converged = smith_factor(system.A, system.B)
        assert L.dtype == system.A.dtype
        assert tuple(L.shape) == (*batch, 5, 5)
        assert bool(xp.all(converged))
        L = xp.to_numpy(L)
        assert factor_residual_units(full.A, L, full.B, Discrete()) <= UNITS


@pytest.mark.parametrize("dtype", DTYPES)
def test_cayley_transform_keeps_the_solution(xp, dtype, rng):
    for batch in BATCHES:
        full = random_stable_system(
            rng, 5, 2, 3, Continuous(), dtype=dtype, batch=batch
        )
        A, root = cayley_transform(on(xp, full).A)
        A, root = xp.to_numpy(A), xp.to_numpy(root)
        assert A.dtype == root.dtype == dtype
        if not A.size:
            continue
        assert abs(np.linalg.eigvals(A)).max() < 1
        X = hermitian(rng, 5, dtype, batch)
        Q = -(full.A @ X + X @ adjoint(full.A))
        Q = root @ Q @ adjoint(root)
        assert residual_units(A, X, Q, Discrete()) <= 100


def test_unstable_matrices_do_not_converge(xp):
    A = np.stack([np.diag(d) for d in ([0.5, 0.1], [0.5, 1.0], [2.0, 0.5], [1e200, 0])])
    eye = xp.asarray(np.stack([np.eye(2)] * 4))
    with np.errstate(all="ignore"):
        for solve in (smith_solution, smith_factor):
            _, converged = solve(xp.asarray(A), eye)
            assert xp.to_numpy(converged).tolist() == [True, False, False, False]


def test_few_doublings_lose_only_slow_poles():
    A = np.array([0.5, 0.998, 1 - 1e-6])[:, None, None]
    one = np.ones((3, 1, 1))
    _, converged = smith_solution(A, one, 14)
    assert converged.tolist() == [True, True, False]
    X, converged = smith_solution(A, one)
    assert converged.all()
    np.testing.assert_allclose(X, 1 / (1 - A**2), rtol=1e-8)


def test_growing_powers_are_bounded_by_the_caller():
    # The residual check is the caller's: here the powers grow to 1e30 and vanish.
    X, converged = smith_solution(hump(), np.eye(20))
    assert bool(converged)
    assert np.isfinite(X).all()


def test_compression_keeps_the_product(xp, rng):
    for width in (0, 2, 4, 9):
        for dtype in DTYPES:
            factor = rng.standard_normal((3, 4, width)).astype(dtype)
            given = xp.asarray(factor, dtype=getattr(xp, np.dtype(dtype).name))
            small = xp.to_numpy(compress(xp.namespace, given))
            assert small.shape == (3, 4, 4)
            assert small.dtype == dtype
            limit = 20 * np.finfo(dtype).eps * max(width, 1)
            np.testing.assert_allclose(
                squared(small), squared(factor), rtol=0, atol=limit * 10
            )


@pytest.mark.parametrize("dtype", DTYPES)
def test_singular_items_have_no_inverse(xp, dtype, rng):
    regular = (rng.standard_normal((3, 3)) + 3 * np.eye(3)).astype(dtype)
    stack = np.stack([regular, np.zeros((3, 3), dtype), 2 * regular])
    given = xp.asarray(stack, dtype=getattr(xp, np.dtype(dtype).name))
    # NumPy warns of the logarithm of a vanishing complex determinant.
    with np.errstate(all="ignore"):
        inverted = xp.to_numpy(inverse(given))
    assert inverted.dtype == dtype
    assert np.isnan(inverted[1]).all()
    eye = np.eye(3)
    limit = 100 * np.finfo(dtype).eps
    np.testing.assert_allclose(inverted[0] @ regular, eye, rtol=0, atol=limit)
    np.testing.assert_allclose(inverted[2] @ regular, eye / 2, rtol=0, atol=limit)


def test_pole_at_the_shift_is_not_stable():
    A = np.array([[[1.0]], [[-1.0]]])
    transformed, root = cayley_transform(A)
    assert np.isnan(transformed[0]).all()
    assert np.isnan(root[0]).all()
    np.testing.assert_array_equal(transformed[1], 0)
