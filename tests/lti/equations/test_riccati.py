import numpy as np
import pytest
import scipy.linalg

from hankelcut import (
    ConvergenceError,
    IllConditionedError,
    InvalidSystemError,
    NumericalWarning,
)
from hankelcut.lti.equations import _schur_riccati, continuous_riccati
from tests.helpers import DTYPES

KINDS = [np.float64, np.complex128]
SIZES = [(1, 1), (5, 2), (3, 5), (20, 3)]


def draw(rng, shape, dtype):
    values = rng.standard_normal(shape)
    if np.dtype(dtype).kind == "c":
        values = values + 1j * rng.standard_normal(shape)
    return values.astype(dtype)


def hermitian(matrix):
    return (matrix + matrix.conj().T) / 2


def residual(A, B, Q, R, S, X):
    """Norm of the left-hand side over the sum of the norms of its terms."""
    K = np.linalg.inv(R) @ (X @ B + S).conj().T
    norm = np.linalg.norm
    left = A.conj().T @ X + X @ A + Q - (X @ B + S) @ K
    return norm(left) / (2 * norm(A) * norm(X) + norm(Q) + norm(X @ B + S) * norm(K))


def closed_loop(A, B, R, S, X):
    return np.linalg.eigvals(A - B @ np.linalg.inv(R) @ (X @ B + S).conj().T)


def definite_problem(rng, n, m, dtype):
    """A regulator problem with any A, definite weights and a cross weight."""
    A, B = draw(rng, (n, n), dtype), draw(rng, (n, m), dtype)
    root = draw(rng, (n + m, n + m), dtype)
    weight = hermitian(root @ root.conj().T)
    return A, B, weight[:n, :n], weight[n:, n:], weight[:n, n:]


def bounded_real_problem(rng, n, m, dtype, level):
    """The bounded-real equation of a stable system, with a negative definite R."""
    A = draw(rng, (n, n), dtype)
    A = A - (np.max(np.linalg.eigvals(A).real) + 0.5) * np.eye(n)
    B, C, D = (draw(rng, shape, dtype) for shape in ((n, m), (3, n), (3, m)))
    points = 1j * np.concatenate([-np.logspace(-2, 2, 400), np.logspace(-2, 2, 400)])
    peak = max(
        np.linalg.norm(C @ np.linalg.inv(s * np.eye(n) - A) @ B + D, 2) for s in points
    )
    gamma = level * peak
    R = -hermitian(gamma**2 * np.eye(m) - D.conj().T @ D)
    return A, B, hermitian(C.conj().T @ C), R, C.conj().T @ D


@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("sizes", SIZES)
def test_definite_equations_are_solved(dtype, sizes, rng):
    A, B, Q, R, S = definite_problem(rng, *sizes, dtype)
    X = continuous_riccati(A, B, Q, R, S)
    assert X.dtype == dtype
    np.testing.assert_array_equal(X, X.conj().T)
    assert residual(A, B, Q, R, S, X) <= 1e-13
    assert np.max(closed_loop(A, B, R, S, X).real) < 0
    expected = scipy.linalg.solve_continuous_are(A, B, Q, R, s=S)
    np.testing.assert_allclose(X, expected, rtol=0, atol=1e-8 * abs(expected).max())


@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("level", [1.01, 3.0])
def test_bounded_real_equations_are_solved(dtype, sizes, level, rng):
    problem = bounded_real_problem(rng, *sizes, dtype, level)
    A, B, _, R, S = problem
    X = continuous_riccati(*problem)
    assert residual(*problem, X) <= 1e-13
    assert np.max(closed_loop(A, B, R, S, X).real) < 0
    assert np.min(np.linalg.eigvalsh(X)) >= -1e-12 * abs(X).max()


@pytest.mark.parametrize("dtype", KINDS)
def test_indefinite_weights_are_solved(dtype, rng):
    # As in H-infinity control: a regulator against a weak disturbance.
    n = 6
    A, B = draw(rng, (n, n), dtype), draw(rng, (n, 2), dtype)
    B = np.hstack([B, 0.05 * draw(rng, (n, 1), dtype)])
    R, Q, S = np.diag([1.0, 1.0, -1.0]), np.eye(n), np.zeros((n, 3))
    X = continuous_riccati(A, B, Q, R)
    assert residual(A, B, Q, R, S, X) <= 1e-13
    assert np.max(closed_loop(A, B, R, S, X).real) < 0
    expected = scipy.linalg.solve_continuous_are(A, B, Q, R)
    np.testing.assert_allclose(X, expected, rtol=0, atol=1e-9 * abs(expected).max())


@pytest.mark.parametrize(("a", "b", "q", "r"), [(1, 2, 3, 1), (-1, 1, 0.5, -1)])
def test_scalar_equations_have_closed_forms(a, b, q, r):
    # 2 a x + q - (b x)^2 / r = 0 with a - b^2 x / r = -sqrt(a^2 + b^2 q / r).
    root = np.sqrt(a * a + b * b * q / r)
    X = continuous_riccati([[float(a)]], [[float(b)]], [[float(q)]], [[float(r)]])
    np.testing.assert_allclose(X, (a + root) * r / b**2, rtol=1e-14)


def test_double_integrator_is_the_published_one():
    # Anderson & Moore, Optimal Control, 1990: X = [[sqrt 3, 1], [1, sqrt 3]].
    A, B = np.array([[0.0, 1.0], [0.0, 0.0]]), np.array([[0.0], [1.0]])
    X = continuous_riccati(A, B, np.eye(2), np.eye(1))
    root = np.sqrt(3)
    np.testing.assert_allclose(X, [[root, 1], [1, root]], rtol=1e-14)


@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("exponent", [-3, -6, -9])
def test_badly_conditioned_weights_are_solved(dtype, exponent, rng):
    A, B, Q, _, S = definite_problem(rng, 6, 2, dtype)
    U = np.linalg.qr(draw(rng, (2, 2), dtype))[0]
    R = hermitian(U @ np.diag([1.0, 10.0**exponent]) @ U.conj().T)
    X = continuous_riccati(A, B, Q, R, 0 * S)
    expected = scipy.linalg.solve_continuous_are(A, B, Q, R)
    assert np.linalg.norm(X - expected) <= 1e-9 * np.linalg.norm(expected)
    # The entries of R determine its inverse up to this.
    assert residual(A, B, Q, R, 0 * S, X) <= 1e-14 * 10.0**-exponent


@pytest.mark.parametrize("dtype", KINDS)
def test_pencil_and_hamiltonian_agree(dtype, rng, monkeypatch):
    problem = bounded_real_problem(rng, 7, 2, dtype, 1.2)
    by_inverse = continuous_riccati(*problem)
    monkeypatch.setattr(_schur_riccati, "_INVERTED", 0.0)
    by_pencil = continuous_riccati(*problem)
    np.testing.assert_allclose(by_pencil, by_inverse, rtol=0, atol=1e-11)


def test_newton_steps_lower_the_residual(rng, monkeypatch):
    # An unstable system with one weak input: X is large next to its weights.
    A, B = draw(rng, (20, 20), float), draw(rng, (20, 1), float)
    problem = A, B, np.eye(20), np.eye(1), np.zeros((20, 1))
    refined = residual(*problem, continuous_riccati(*problem[:4]))
    monkeypatch.setattr(_schur_riccati, "_NEWTON_STEPS", 0)
    monkeypatch.setattr(_schur_riccati, "_LARGEST_RESIDUAL", 1.0)
    plain = residual(*problem, continuous_riccati(*problem[:4]))
    assert refined <= 1e-12
    assert refined <= plain / 100


def test_lyapunov_equation_is_the_one_without_inputs(rng):
    A = draw(rng, (5, 5), float) - 5 * np.eye(5)
    X = continuous_riccati(A, np.zeros((5, 0)), np.eye(5), np.zeros((0, 0)))
    np.testing.assert_allclose(A.T @ X + X @ A, -np.eye(5), atol=1e-14)


def test_no_states_have_an_empty_solution():
    X = continuous_riccati(
        np.zeros((0, 0)), np.zeros((0, 2)), np.zeros((0, 0)), np.eye(2)
    )
    assert X.shape == (0, 0)


@pytest.mark.parametrize("power", [-300, -40, 40, 300])
def test_units_do_not_matter(power, rng):
    A, B, Q, R, S = definite_problem(rng, 5, 2, float)
    expected = continuous_riccati(A, B, Q, R, S)
    # Cost in other units.
    factor = 2.0**power
    np.testing.assert_allclose(
        continuous_riccati(A, B, Q * factor, R * factor, S * factor) / factor,
        expected,
        rtol=1e-11,
    )
    # States and inputs in other units.
    states, inputs = 2.0 ** rng.integers(-30, 31, 5), 2.0 ** rng.integers(-30, 31, 2)
    X = continuous_riccati(
        A * states / states[:, None],
        B * inputs / states[:, None],
        Q * states[:, None] * states,
        R * inputs[:, None] * inputs,
        S * states[:, None] * inputs,
    )
    scaled = X / states[:, None] / states
    np.testing.assert_allclose(scaled, expected, rtol=0, atol=1e-11 * abs(X).max())
    np.testing.assert_allclose(scaled, expected, rtol=1e-8)


def test_tiny_and_huge_data_are_solved():
    X = continuous_riccati([[-1.0]], [[1e-150]], [[1e-300]], [[1.0]])
    np.testing.assert_allclose(X, [[5e-301]], rtol=1e-13)
    X = continuous_riccati([[-1.0]], [[1e100]], [[1e-100]], [[1.0]])
    np.testing.assert_allclose(X, [[1e-150]], rtol=1e-13)


@pytest.mark.parametrize("dtype", DTYPES)
def test_arrays_of_all_libraries_are_solved(xp, dtype, rng):
    problem = [x.astype(dtype) for x in definite_problem(rng, 4, 2, dtype)]
    arrays = [xp.asarray(x, dtype=getattr(xp, x.dtype.name)) for x in problem]
    X = continuous_riccati(*arrays)
    assert isinstance(X, type(arrays[0]))
    assert X.dtype == arrays[0].dtype
    wide = [x.astype(np.complex128) for x in problem]
    X = xp.to_numpy(X)
    assert residual(*wide, X) <= 10 * np.finfo(dtype).eps


@pytest.mark.parametrize(
    ("problem", "shown"),
    [
        (([[0.0]], [[1.0]], [[-1.0]], [[1.0]]), "[-+0-9.e]+j"),
        (([[0.0]], [[1.0]], [[0.0]], [[1.0]]), "0"),
        (([[-1.0]], [[1.0]], [[1.0]], [[-1.0]]), "[-+0-9.e]+j"),
        (([[-1.0]], [[1.0]], [[1.01]], [[-1.0]]), r"[-+0-9.e]+[-+]0\.1j"),
    ],
)
def test_no_stabilizing_solution_is_said(problem, shown):
    match = f"eigenvalue {shown}.* imaginary axis: there is no stabilizing"
    with pytest.raises(InvalidSystemError, match=match):
        continuous_riccati(*problem)


@pytest.mark.parametrize("dtype", KINDS)
def test_level_below_the_norm_has_no_solution(dtype, rng):
    problem = bounded_real_problem(rng, 6, 2, dtype, 0.9)
    if np.max(np.linalg.eigvalsh(problem[3])) >= 0:
        pytest.fail("the level is below the feedthrough: draw another system")
    with pytest.raises(InvalidSystemError, match="there is no stabilizing solution"):
        continuous_riccati(*problem)


def test_pencil_without_stabilizing_solution_is_refused(monkeypatch):
    monkeypatch.setattr(_schur_riccati, "_INVERTED", 0.0)
    with pytest.raises(InvalidSystemError, match="there is no stabilizing solution"):
        continuous_riccati([[-1.0]], [[1.0]], [[1.01]], [[-1.0]])


def test_unstabilizable_states_are_refused():
    A, B = np.diag([1.0, -2.0]), np.array([[0.0], [1.0]])
    with pytest.raises(IllConditionedError, match=r"no basis \[I; X\].*stabilizable"):
        continuous_riccati(A, B, np.eye(2), np.eye(1))


def test_large_residuals_are_refused(monkeypatch, rng):
    monkeypatch.setattr(_schur_riccati, "_LARGEST_RESIDUAL", 0.0)
    with pytest.raises(ConvergenceError, match=r"relative residual .*, need 0"):
        continuous_riccati(*definite_problem(rng, 5, 2, float))


def test_slow_closed_loops_are_warned_of():
    with pytest.warns(NumericalWarning, match="closed-loop pole -1e-13.* 13 digits"):
        X = continuous_riccati(
            np.diag([-1e-13, -1.0]), np.zeros((2, 1)), np.eye(2), np.eye(1)
        )
    np.testing.assert_allclose(X, np.diag([5e12, 0.5]), rtol=1e-3)


def test_solutions_out_of_range_are_refused():
    with pytest.raises(IllConditionedError, match="range of the numbers"):
        continuous_riccati([[-1.0]], [[1e200]], [[1.0]], [[1.0]])
    narrow = [np.array([[x]], dtype=np.float32) for x in (-1e-20, 0.0, 1e30, 1.0)]
    with pytest.raises(IllConditionedError, match="X leaves the range of float32"):
        continuous_riccati(*narrow)


@pytest.mark.parametrize(
    "shapes",
    [
        [(2, 2), (3, 1), (2, 2), (1, 1)],
        [(2, 2), (2, 1), (3, 3), (1, 1)],
        [(2, 2), (2, 1), (2, 2), (2, 2)],
        [(2, 2), (2, 1), (2, 2), (1, 1), (1, 2)],
        [(3, 2, 2), (2, 1), (2, 2), (1, 1)],
        [(2, 2), (2,), (2, 2), (1, 1)],
    ],
)
def test_shapes_that_do_not_fit_are_named(shapes):
    with pytest.raises(InvalidSystemError, match="got A, B, Q, R, S of shapes"):
        continuous_riccati(*(np.ones(shape) for shape in shapes))


def test_weights_must_be_hermitian_and_regular():
    eye = np.eye(2)
    skew = np.array([[1.0, 2.0], [0.0, 1.0]])
    for name, Q, R in (("Q", skew, eye), ("R", eye, skew)):
        match = f"got {name} with entries up to 2 away .*need a Hermitian {name}"
        with pytest.raises(InvalidSystemError, match=match):
            continuous_riccati(-eye, eye, Q, R)
    with pytest.raises(InvalidSystemError, match="need a nonsingular R"):
        continuous_riccati(-eye, eye, eye, np.ones((2, 2)))


def test_entries_must_be_finite():
    eye, bad = np.eye(2), np.full((2, 2), np.nan)
    for k, name in enumerate("ABQRS"):
        arguments = [-eye, eye, eye, eye, eye]
        arguments[k] = bad
        with pytest.raises(
            InvalidSystemError, match=f"continuous_riccati: {name} of shape"
        ):
            continuous_riccati(*arguments)


def test_crossing_frequencies_hold_those_of_the_level():
    # |1 / (i w + 1)| = 1/2 at w = sqrt 3.
    one = np.eye(1)
    terms = _schur_riccati.RiccatiTerms(-one, one, one, -one / 4, 0 * one)
    frequencies = np.sort(_schur_riccati.crossing_frequencies(terms))
    np.testing.assert_allclose(frequencies, [-np.sqrt(3), np.sqrt(3)], rtol=1e-14)
