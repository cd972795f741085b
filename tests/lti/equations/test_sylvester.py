import importlib

import numpy as np
import pytest
import scipy.linalg

from hankelcut import IllConditionedError, InvalidSystemError, NumericalWarning
from hankelcut.lti.equations import sylvester
from hankelcut.lti.equations._schur_form import SchurForm
from tests.helpers import BATCHES, DTYPES, fortran, slycot_or_skip


def draw(rng, shape, dtype):
    values = rng.standard_normal(shape)
    if np.dtype(dtype).kind == "c":
        values = values + 1j * rng.standard_normal(shape)
    return values.astype(dtype)


def residual_units(A, B, X, Q):
    """Largest residual of a stack relative to its terms, in units of (n + k) u."""
    if 0 in X.shape:
        return 0.0
    unit = (A.shape[-1] + B.shape[-1]) * np.finfo(X.dtype).eps / 2
    A, B, X, Q = (matrix.astype(np.complex128) for matrix in (A, B, X, Q))

    def norm(matrix):
        return np.linalg.norm(matrix, axis=(-2, -1))

    scale = (norm(A) + norm(B)) * norm(X) + norm(Q)
    return float(np.max(norm(A @ X + X @ B + Q) / scale) / unit)


@pytest.mark.parametrize("dtype", DTYPES)
def test_solutions_solve_their_equations(xp, dtype, rng):
    for batch in BATCHES:
        A, B = draw(rng, (*batch, 5, 5), dtype), draw(rng, (*batch, 3, 3), dtype)
        Q = draw(rng, (*batch, 5, 3), dtype)
        inputs = [xp.asarray(x, dtype=getattr(xp, x.dtype.name)) for x in (A, B, Q)]
        X = sylvester(*inputs)
        assert X.dtype == inputs[0].dtype
        assert isinstance(X, type(inputs[0]))
        X = xp.to_numpy(X)
        assert X.shape == (*batch, 5, 3)
        assert residual_units(A, B, X, Q) <= 10


@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
@pytest.mark.parametrize("sizes", [(1, 1), (1, 70), (70, 2), (33, 32), (65, 80)])
def test_recursions_of_all_sizes_solve(dtype, sizes, rng):
    n, k = sizes
    A, B, Q = (draw(rng, shape, dtype) for shape in ((n, n), (k, k), (n, k)))
    X = sylvester(A, B, Q)
    assert residual_units(A, B, X, Q) <= 10
    expected = scipy.linalg.solve_sylvester(A, B, -Q)
    assert np.linalg.norm(X - expected) <= 1e-9 * np.linalg.norm(expected)


def test_solution_is_that_of_slycot(rng):
    slycot = slycot_or_skip()
    A, B, Q = (draw(rng, shape, float) for shape in ((6, 6), (4, 4), (6, 4)))
    work = fortran(A, B, -Q)
    expected = slycot.sb04md(6, 4, *work)
    expected = expected[0] if isinstance(expected, tuple) else expected
    np.testing.assert_allclose(sylvester(A, B, Q), expected, rtol=1e-11, atol=1e-12)


def test_published_equation():
    # SLICOT documentation, example of SB04MD: A X + X B = C.
    A = np.array([[2.0, 1, 3], [0, 2, 1], [6, 1, 2]])
    B, C = np.array([[2.0, 1], [1, 6]]), np.array([[2.0, 1], [1, 4], [0, 5]])
    X = np.array([[-2.7685, 0.5498], [-1.0531, 0.6865], [4.5257, -0.4389]])
    np.testing.assert_allclose(sylvester(A, B, -C), X, rtol=0, atol=5.1e-5)


def test_integers_are_recovered():
    X = np.array([[1.0, -2, 3], [4, 5, -6]])
    A, B = np.array([[1.0, 2], [3, 4]]), np.diag([7.0, 8, 9]) + np.eye(3, k=1)
    np.testing.assert_allclose(sylvester(A, B, -(A @ X + X @ B)), X, rtol=1e-13)


def test_units_of_rows_and_columns_do_not_matter(rng):
    A, B, Q = (draw(rng, shape, float) for shape in ((6, 6), (4, 4), (6, 4)))
    rows, columns = 2.0 ** rng.integers(-20, 21, 6), 2.0 ** rng.integers(-20, 21, 4)
    scaled = sylvester(
        A * rows[:, None] / rows,
        B * columns[:, None] / columns,
        Q * rows[:, None] / columns,
    )
    expected = sylvester(A, B, Q)
    scaled = scaled / rows[:, None] * columns
    np.testing.assert_allclose(
        scaled, expected, rtol=0, atol=1e-10 * abs(expected).max()
    )


@pytest.mark.parametrize("sizes", [(0, 0), (0, 3), (3, 0), (0, 50), (50, 0)])
def test_empty_equations(sizes):
    n, k = sizes
    X = sylvester(np.eye(n), np.eye(k), np.zeros((n, k)))
    assert X.shape == (n, k)


def test_batch_axes_broadcast(rng):
    A, B = draw(rng, (3, 1, 4, 4), float), draw(rng, (2, 3, 3), float)
    Q = draw(rng, (4, 3), float)
    X = sylvester(A, B, Q)
    assert X.shape == (3, 2, 4, 3)
    np.testing.assert_array_equal(X[1, 0], sylvester(A[1, 0], B[0], Q))


@pytest.mark.parametrize(
    "shapes",
    [
        ((), (1, 1), (1, 1)),
        ((2, 2), (3,), (2, 3)),
        ((2, 3), (3, 3), (2, 3)),
        ((2, 2), (3, 2), (2, 3)),
        ((2, 2), (3, 3), (3, 2)),
    ],
)
def test_shapes_that_do_not_fit_are_named(shapes):
    with pytest.raises(InvalidSystemError, match="sylvester: got A, B, Q of shapes"):
        sylvester(*(np.ones(shape) for shape in shapes))


def test_entries_must_be_finite():
    eye, bad = np.eye(2), np.full((2, 2), np.nan)
    for name, arguments in (
        ("A", (bad, eye, eye)),
        ("B", (eye, bad, eye)),
        ("Q", (eye, eye, bad)),
    ):
        with pytest.raises(InvalidSystemError, match=f"sylvester: {name} of shape"):
            sylvester(*arguments)


def test_common_eigenvalues_are_refused():
    A = np.array([[0.0, 2], [-2, 0]])
    with pytest.raises(
        InvalidSystemError, match=r"singular: the eigenvalue \S*2j of A"
    ):
        sylvester(A, np.array([[0.0, 1], [-4, 0]]), np.ones((2, 2)))


def test_nearly_common_eigenvalues_are_warned_of():
    with pytest.warns(
        NumericalWarning, match=r"1\+0j of A and -1[+-]0j of B.*12 digits"
    ):
        X = sylvester(np.diag([1.0, 3]), [[-1 + 2e-12]], np.ones((2, 1)))
    np.testing.assert_allclose(X[0, 0], -5e11, rtol=1e-3)


def test_solutions_out_of_range_are_refused():
    with pytest.raises(IllConditionedError, match="sylvester: the solution leaves"):
        sylvester([[1e-200]], [[1e-200]], [[1e200]])


def test_equations_that_rounding_makes_singular_are_refused(monkeypatch):
    # What is left of non-normal matrices after balancing: a distance of 2e-17 of the
    # spectra, next to entries of 1.
    coupled = SchurForm(np.array([[-1e-17, 1], [0, -1e-17]]), np.eye(2), np.ones(2))
    module = importlib.import_module("hankelcut.lti.equations.sylvester")
    monkeypatch.setattr(module, "schur_form", lambda A: coupled)
    with pytest.raises(
        IllConditionedError, match=r"sylvester: the spectra .* to round"
    ):
        sylvester(np.eye(2), np.eye(2), np.eye(2))
