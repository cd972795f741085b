import numpy as np
import pytest

from hankelcut.lti.equations._schur_form import schur_form
from hankelcut.lti.equations._schur_sylvester import (
    halfway,
    solve_stein,
    solve_sylvester,
)
from tests.lti.equations.oracles import adjoint

KINDS = [np.float32, np.float64, np.complex128]
SIZES = [(1, 1), (2, 2), (3, 5), (40, 2), (1, 40), (33, 70), (70, 33)]


def triangular(rng, n, dtype, shift=0.0):
    A = rng.standard_normal((n, n)) / n**0.5
    if np.dtype(dtype).kind == "c":
        A = A + 1j * rng.standard_normal((n, n)) / n**0.5
    return schur_form((A + shift * np.eye(n)).astype(dtype)).T


def draw(rng, shape, dtype):
    F = rng.standard_normal(shape)
    if np.dtype(dtype).kind == "c":
        F = F + 1j * rng.standard_normal(shape)
    return F.astype(dtype)


def units(left, X, S, T, F):
    """Norm of a residual relative to its terms, in units of (p + q) u."""
    unit = sum(F.shape) * np.finfo(X.dtype).eps / 2
    norm = np.linalg.norm
    terms = (norm(S) + norm(T) + norm(S) * norm(T) + 1) * norm(X) + norm(F)
    return norm(left) / terms / unit


@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("sizes", SIZES)
def test_sylvester_equations_are_solved_in_place(dtype, sizes, rng):
    p, q = sizes
    S, T = triangular(rng, p, dtype, 2.0), triangular(rng, q, dtype, 1.0)
    F = draw(rng, (p, q), dtype)
    X = F.copy()
    assert solve_sylvester(S, T, X) is None
    assert units(S @ X + X @ adjoint(T) + F, X, S, T, F) <= 10


@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("shift", [0.0, 3.0])
def test_stein_equations_are_solved_in_place(dtype, sizes, shift, rng):
    # Shifted, T is well-conditioned and its leaves become Sylvester equations.
    p, q = sizes
    S, T = triangular(rng, p, dtype, 0.3), triangular(rng, q, dtype, shift)
    F = draw(rng, (p, q), dtype)
    X = F.copy()
    assert solve_stein(S, T, X) is None
    assert units(S @ X @ adjoint(T) - X + F, X, S, T, F) <= 10


@pytest.mark.parametrize("q", [1, 2, 5, 40])
def test_stein_equations_with_singular_matrices(q, rng):
    S, T = triangular(rng, 7, float), np.triu(rng.standard_normal((q, q)), 1) / q
    F = draw(rng, (7, q), float)
    X = F.copy()
    solve_stein(S, T, X)
    assert units(S @ X @ T.T - X + F, X, S, T, F) <= 10


def test_views_are_solved_in_place(rng):
    S, T = triangular(rng, 40, float, 2.0), triangular(rng, 35, float, 1.0)
    whole = draw(rng, (80, 80), float)
    F, around = whole[:40, 40:75].copy(), whole.copy()
    view = whole[:40, 40:75]
    solve_sylvester(S, T, view)
    around[:40, 40:75] = view
    np.testing.assert_array_equal(whole, around)
    assert units(S @ view + view @ T.T + F, view, S, T, F) <= 10


@pytest.mark.parametrize("solve", [solve_sylvester, solve_stein])
@pytest.mark.parametrize("sizes", [(0, 0), (0, 3), (3, 0), (0, 50), (50, 0)])
def test_empty_equations(solve, sizes):
    p, q = sizes
    F = np.zeros(sizes)
    solve(np.eye(p), 2 * np.eye(q), F)
    assert F.shape == sizes


def test_halves_cut_no_block():
    T = np.triu(np.ones((7, 7)))
    assert halfway(T) == 3
    T[3, 2] = -1
    assert halfway(T) == 4
    assert halfway(np.triu(np.ones((2, 2)))) == 1


def test_singular_equations_raise():
    one = np.ones((1, 1))
    with pytest.raises(np.linalg.LinAlgError, match="common value to rounding"):
        solve_sylvester(one, -one, one.copy())
    with pytest.raises(np.linalg.LinAlgError, match="common value to rounding"):
        solve_stein(one, one, one.copy())
    # Not singular, but nothing is left of the distance next to the other entries.
    coupled = np.array([[-1e-17, 1.0], [0, -1e-17]])
    with pytest.raises(np.linalg.LinAlgError, match="common value to rounding"):
        solve_sylvester(coupled, coupled, np.eye(2))


def test_nearly_singular_equations_do_not_raise():
    X = np.ones((1, 1))
    solve_sylvester(np.ones((1, 1)), np.array([[-1 + 1e-15]]), X)
    np.testing.assert_allclose(X, -1e15, rtol=0.2)
