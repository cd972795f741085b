import numpy as np
import pytest
import scipy.linalg

from hankelcut import InvalidSystemError, NumericalWarning, UnstableSystemError
from hankelcut.lti import Continuous
from hankelcut.lti.equations import (
    continuous_lyapunov,
    continuous_lyapunov_factor,
    discrete_lyapunov,
    discrete_lyapunov_factor,
)
from hankelcut.validation import random_stable_system
from tests.helpers import BATCHES, DTYPES, TIMES, dico, fortran, slycot_or_skip
from tests.lti.equations.oracles import (
    UNITS,
    adjoint,
    factor_residual_units,
    factor_solver,
    hermitian,
    residual_units,
    solver,
    squared,
)

# Stacks of 16 and more small systems are iterated together.
STACKS = [*BATCHES, (20,)]


def regular(rng, n, dtype, batch=()):
    """Well-conditioned matrices that are not symmetric."""
    E = rng.standard_normal((*batch, n, n)) / (4 * n**0.5)
    if np.dtype(dtype).kind == "c":
        E = E + 1j * rng.standard_normal(E.shape) / (4 * n**0.5)
    return (E + np.eye(n)).astype(dtype)


def moved(xp, *arrays):
    return [xp.asarray(x, dtype=getattr(xp, x.dtype.name)) for x in arrays]


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_solutions_solve_their_equations(xp, time, dtype, rng):
    for batch in STACKS:
        A = random_stable_system(rng, 6, 2, 3, time, dtype=dtype, batch=batch).A
        Q = hermitian(rng, 6, dtype, batch)
        state, right = moved(xp, A, Q)
        X = solver(time)(state, right)
        assert X.dtype == state.dtype
        assert isinstance(X, type(state))
        X = xp.to_numpy(X)
        assert X.shape == (*batch, 6, 6)
        assert residual_units(A, X, Q, time) <= UNITS
        np.testing.assert_array_equal(X, adjoint(X))


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_factors_multiply_to_solutions(xp, time, dtype, rng):
    for batch in STACKS:
        full = random_stable_system(rng, 6, 2, 3, time, dtype=dtype, batch=batch)
        state, inputs = moved(xp, full.A, full.B)
        L = factor_solver(time)(state, inputs)
        assert L.dtype == state.dtype
        assert isinstance(L, type(state))
        L = xp.to_numpy(L)
        assert L.shape == (*batch, 6, 6)
        assert factor_residual_units(full.A, L, full.B, time) <= UNITS


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", [np.float64, np.complex64])
def test_generalized_equations_are_solved(xp, time, dtype, rng):
    for batch in [(), (2, 3), (20,)]:
        E = regular(rng, 6, dtype)
        full = random_stable_system(rng, 6, 2, 3, time, dtype=dtype, batch=batch)
        A, Q = E @ full.A, hermitian(rng, 6, dtype, batch)
        state, right, inputs, left = moved(xp, A, Q, full.B, E)
        X, L = (
            solver(time)(state, right, E=left),
            factor_solver(time)(state, inputs, E=left),
        )
        assert X.dtype == L.dtype == state.dtype
        assert residual_units(A, xp.to_numpy(X), Q, time, E) <= UNITS
        assert factor_residual_units(A, xp.to_numpy(L), full.B, time, E) <= UNITS


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
@pytest.mark.parametrize("n", [1, 2, 3, 31, 33, 65, 80])
@pytest.mark.parametrize("extra_inputs", [None, 0, 3])
def test_recursions_of_all_sizes_solve(time, dtype, n, extra_inputs, rng):
    m = 2 if extra_inputs is None else n + extra_inputs
    system = random_stable_system(rng, n, m, 3, time, dtype=dtype)
    L = factor_solver(time)(system.A, system.B)
    assert L.shape[1] <= n
    Q = squared(system.B)
    assert residual_units(system.A, squared(L), Q, time) <= UNITS
    X = solver(time)(system.A, Q)
    assert residual_units(system.A, X, Q, time) <= UNITS


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", [np.float32, np.complex128])
def test_degenerate_shapes(xp, time, dtype):
    for batch in STACKS:
        empty, wide = moved(
            xp, np.zeros((*batch, 0, 0), dtype), np.zeros((*batch, 0, 2), dtype)
        )
        assert tuple(solver(time)(empty, empty).shape) == (*batch, 0, 0)
        assert tuple(factor_solver(time)(empty, wide).shape) == (*batch, 0, 0)
        A, nothing = moved(
            xp,
            -0.5 * np.broadcast_to(np.eye(3, dtype=dtype), (*batch, 3, 3)),
            np.zeros((*batch, 3, 0), dtype),
        )
        L = factor_solver(time)(A, nothing)
        assert tuple(L.shape) == (*batch, 3, 3 if batch else 0)
        assert not xp.to_numpy(L).any()
        assert L.dtype == A.dtype


@pytest.mark.parametrize("time", TIMES)
def test_silent_inputs_give_a_zero_factor(time, rng):
    A = random_stable_system(rng, 40, 2, 3, time).A
    assert factor_solver(time)(A, np.zeros((40, 2))).shape == (40, 0)
    assert not solver(time)(A, np.zeros((40, 40))).any()


@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
@pytest.mark.parametrize("n", [5, 20])
def test_solutions_are_those_of_scipy(dtype, n, rng):
    for time in TIMES:
        A = random_stable_system(rng, n, 1, 1, time, dtype=dtype).A
        Q = hermitian(rng, n, dtype, ())
        if time == Continuous():
            expected = scipy.linalg.solve_continuous_lyapunov(A, -Q)
        else:
            expected = scipy.linalg.solve_discrete_lyapunov(A, Q, method="direct")
        error = np.linalg.norm(solver(time)(A, Q) - expected)
        assert error <= 1e-11 * np.linalg.norm(expected)


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("n", [7, 40])
def test_solutions_are_those_of_slycot(time, n, rng):
    slycot = slycot_or_skip()
    system = random_stable_system(rng, n, 2, 3, time)
    Q = hermitian(rng, n, float, ())
    A, minus_Q = fortran(system.A.T, -Q)
    expected = slycot.sb03md57(A, C=minus_Q, dico=dico(system))[2]
    error = np.linalg.norm(solver(time)(system.A, Q) - expected)
    assert error <= 1e-12 * np.linalg.norm(expected)


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("n", [7, 40])
def test_factors_are_those_of_slycot(time, n, rng):
    slycot = slycot_or_skip()
    system = random_stable_system(rng, n, 2, 3, time)
    padded = np.zeros((n, n))
    padded[:, :2] = system.B
    A, Q, B = fortran(system.A, np.zeros((n, n)), padded)
    U, scale, _ = slycot.sb03od(n, 2, A, Q, B, dico(system), trans="T")
    expected = squared(U / scale)
    L = factor_solver(time)(system.A, system.B)
    error = np.linalg.norm(squared(L) - expected)
    assert error <= 1e-12 * np.linalg.norm(expected)


@pytest.mark.parametrize("time", TIMES)
def test_generalized_solutions_are_those_of_slycot(time, rng):
    slycot = slycot_or_skip()
    n = 9
    E = regular(rng, n, float)
    system = random_stable_system(rng, n, 2, 3, time)
    A, Q = E @ system.A, hermitian(rng, n, float, ())
    work = fortran(A, E, np.zeros((n, n)), np.zeros((n, n)), -Q)
    out = slycot.sg03ad(
        dico(system), "X", "N", "T", "U", n, *work, ldwork=2 * n * n + 8 * n + 16
    )
    expected = out[4] / out[5]
    error = np.linalg.norm(solver(time)(A, Q, E=E) - expected)
    assert error <= 1e-11 * np.linalg.norm(expected)


@pytest.mark.parametrize("time", TIMES)
def test_generalized_factors_are_those_of_slycot(time, rng):
    slycot = slycot_or_skip()
    n = 9
    E = regular(rng, n, float)
    system = random_stable_system(rng, n, 2, 3, time)
    A = E @ system.A
    padded = np.zeros((n, n))
    padded[:, :2] = system.B
    work = fortran(A, E, np.zeros((n, n)), np.zeros((n, n)), padded)
    U, scale = slycot.sg03bd(n, 2, *work, dico(system), trans="T", ldwork=99)[:2]
    expected = squared(U / scale)
    L = factor_solver(time)(A, system.B, E=E)
    error = np.linalg.norm(squared(L) - expected)
    assert error <= 1e-11 * np.linalg.norm(expected)


@pytest.mark.parametrize("n", [6, 20])
def test_solutions_of_integers_are_recovered(n, rng):
    # Integer data with an integer solution: the right-hand side has no rounding.
    X = rng.integers(-3, 4, (n, n)).astype(float)
    X = X + X.T
    A = np.triu(rng.integers(-2, 3, (n, n)).astype(float), 1)
    A -= np.diag(np.arange(2.0, n + 2))
    Q = -(A @ X + X @ A.T)
    np.testing.assert_allclose(continuous_lyapunov(A, Q), X, rtol=0, atol=1e-10)
    Q = X - A @ X @ A.T
    np.testing.assert_allclose(discrete_lyapunov(A, Q), X, rtol=0, atol=1e-10)


@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_diagonal_equations_are_solved_entry_by_entry(dtype, rng):
    poles = -np.logspace(-3, 3, 40).astype(dtype)
    if dtype == np.complex128:
        poles = poles * np.exp(1j * rng.uniform(-1.5, 1.5, 40))
    Q = hermitian(rng, 40, dtype, ())
    exact = -Q / (poles[:, None] + poles.conj()[None, :])
    X = continuous_lyapunov(np.diag(poles), Q)
    np.testing.assert_allclose(X, exact, rtol=1e-13)
    poles = np.exp(poles)
    exact = Q / (1 - poles[:, None] * poles.conj()[None, :])
    X = discrete_lyapunov(np.diag(poles), Q)
    np.testing.assert_allclose(X, exact, rtol=1e-11)


@pytest.mark.parametrize("time", TIMES)
def test_unstable_equations_have_solutions(time, rng):
    for batch in [(), (3,), (20,)]:
        A = rng.standard_normal((*batch, 7, 7))
        Q = hermitian(rng, 7, float, batch)
        X = solver(time)(A, Q)
        assert residual_units(A, X, Q, time) <= UNITS


@pytest.mark.parametrize("time", TIMES)
def test_batch_axes_broadcast(time, rng):
    A = random_stable_system(rng, 4, 2, 3, time, batch=(3, 1)).A
    Q, E = hermitian(rng, 4, float, (2,)), regular(rng, 4, float, (3, 2))
    B = rng.standard_normal((2, 4, 5))
    for held in (None, E):
        state = A if held is None else held @ A
        X, L = solver(time)(state, Q, E=held), factor_solver(time)(state, B, E=held)
        assert X.shape == L.shape == (3, 2, 4, 4)
        for i in np.ndindex(3, 2):
            left = None if held is None else held[i]
            alone = np.broadcast_to(state, (3, 2, 4, 4))[i]
            expected = solver(time)(alone, Q[i[1]], E=left)
            np.testing.assert_allclose(X[i], expected, rtol=1e-10, atol=1e-12)
            expected = squared(factor_solver(time)(alone, B[i[1]], E=left))
            np.testing.assert_allclose(squared(L[i]), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("power", [-900, 900])
def test_extreme_data_scale_the_results(time, power, rng):
    scale = 2.0**power
    for batch in [(), (20,)]:
        system = random_stable_system(rng, 5, 2, 3, time, batch=batch)
        Q = hermitian(rng, 5, float, batch)
        L = factor_solver(time)(system.A, system.B)
        scaled = factor_solver(time)(system.A, scale * system.B)
        X, large = solver(time)(system.A, Q), solver(time)(system.A, scale * Q)
        if not batch:
            np.testing.assert_array_equal(scaled, scale * L)
            np.testing.assert_array_equal(large, scale * X)
        for got, expected in (
            (squared(scaled / scale), squared(L)),
            (large / scale, X),
        ):
            np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("power", [-900, 900])
def test_extreme_time_scales(power, rng):
    scale = 2.0**power
    system = random_stable_system(rng, 5, 2, 3, Continuous())
    Q = hermitian(rng, 5, float, ())
    X = continuous_lyapunov(system.A, Q)
    fast = continuous_lyapunov(scale * system.A, Q)
    np.testing.assert_allclose(fast * scale, X, rtol=1e-11)
    L = continuous_lyapunov_factor(system.A, system.B)
    fast = continuous_lyapunov_factor(scale * system.A, system.B)
    np.testing.assert_allclose(squared(fast * scale**0.5), squared(L), rtol=1e-11)


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("batch", [(), (20,)])
def test_units_of_the_states_do_not_matter(time, batch, rng):
    system = random_stable_system(rng, 8, 2, 3, time, batch=batch)
    units = 2.0 ** rng.integers(-20, 21, 8)
    A, B = system.A * units[:, None] / units, system.B * units[:, None]
    expected = squared(factor_solver(time)(system.A, system.B))
    L = factor_solver(time)(A, B) / units[:, None]
    X = solver(time)(A, squared(B)) / np.outer(units, units)
    scale = abs(expected).max()
    np.testing.assert_allclose(squared(L), expected, rtol=0, atol=1e-8 * scale)
    np.testing.assert_allclose(X, expected, rtol=0, atol=1e-8 * scale)


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("condition", [1e3, 1e6])
def test_ill_conditioned_pencils_have_small_residuals(time, condition, rng):
    n = 6
    U, V = (np.linalg.qr(rng.standard_normal((n, n)))[0] for _ in range(2))
    E = U @ np.diag(np.geomspace(1, 1 / condition, n)) @ V
    A, Q = rng.standard_normal((n, n)), hermitian(rng, n, float, ())
    X = solver(time)(A, Q, E=E)
    # Refined: the solution by way of E^-1 A alone has 5 times, and 5e3 times and more.
    assert residual_units(A, X, Q, time, E) <= UNITS


def test_condition_of_the_pencil_is_warned_of():
    A, Q = np.diag([-1.0, -2.0]), np.eye(2)
    E = np.array([[1.0, 1.0], [1.0, 1.0 + 1e-9]])
    with pytest.warns(NumericalWarning, match="E has condition number 4e"):
        continuous_lyapunov(E @ A, Q, E=E)


def test_published_stein_equation():
    # SLICOT documentation, example of SB03MD: A^T X A - X = C with poles 2, 3 and 4.
    A = np.array([[3.0, 1, 1], [1, 3, 0], [0, 0, 3]])
    C = np.array([[25.0, 24, 15], [24, 32, 8], [15, 8, 40]])
    X = np.array([[2.0, 1, 1], [1, 3, 0], [1, 0, 4]])
    np.testing.assert_allclose(discrete_lyapunov(A.T, -C), X, rtol=0, atol=1e-14)


def test_published_generalized_equation():
    # SLICOT documentation, example of SG03AD: A^T X E + E^T X A = Y.
    A = np.array([[3.0, 1, 1], [1, 3, 0], [1, 0, 2]])
    E = np.array([[1.0, 3, 0], [3, 2, 1], [1, 0, 1]])
    Y = np.array([[-64.0, -73, -28], [-73, -70, -25], [-28, -25, -18]])
    X = np.array([[-2.0, -1, 0], [-1, -3, -1], [0, -1, -3]])
    np.testing.assert_allclose(
        continuous_lyapunov(A.T, -Y, E=E.T), X, rtol=0, atol=1e-13
    )


def test_published_generalized_factor():
    # SLICOT documentation, example of SG03BD: A^T X E + E^T X A = -B^T B, X = U^T U.
    A = np.array([[-1.0, 3, -4], [0, 5, -2], [-4, 4, 1]])
    E = np.array([[2.0, 1, 3], [2, 0, 1], [4, 5, 1]])
    B = np.array([[2.0, -1, 7]])
    U = np.array([[1.6003, -0.4418, -0.1523], [0, 0.6795, -0.2499], [0, 0, 0.2041]])
    L = continuous_lyapunov_factor(A.T, B.T, E=E.T)
    np.testing.assert_allclose(squared(L), U.T @ U, rtol=0, atol=4e-4)


@pytest.mark.parametrize("time", TIMES)
def test_results_do_not_touch_their_inputs(time, rng):
    for batch in [(), (20,)]:
        system = random_stable_system(rng, 5, 7, 3, time, batch=batch)
        E, Q = regular(rng, 5, float), hermitian(rng, 5, float, batch)
        arrays = [E @ system.A, Q, E, system.B]
        before = [array.copy() for array in arrays]
        solver(time)(arrays[0], arrays[1], E=arrays[2])
        factor_solver(time)(arrays[0], arrays[3], E=arrays[2])
        for array, copy in zip(arrays, before, strict=True):
            np.testing.assert_array_equal(array, copy)


def test_memory_layout_does_not_matter(rng):
    A = random_stable_system(rng, 40, 2, 3, Continuous()).A
    Q = hermitian(rng, 40, float, ())
    padded = np.zeros((80, 80))
    padded[::2, ::2] = A
    expected = continuous_lyapunov(A, Q)
    for state in (np.asfortranarray(A), padded[::2, ::2]):
        np.testing.assert_allclose(
            continuous_lyapunov(state, Q), expected, rtol=0, atol=1e-12
        )


@pytest.mark.parametrize("time", TIMES)
def test_poles_next_to_the_boundary_are_warned_of(time):
    fast = -1e-12 if time == Continuous() else 1 - 1e-12
    A = np.diag([fast, -0.5])
    with pytest.warns(NumericalWarning, match=r"pole (-1e-12|1)\+0j makes.*12 digits"):
        X = solver(time)(A, np.eye(2))
    assert residual_units(A, X, np.eye(2), time) <= UNITS
    with pytest.warns(NumericalWarning, match=r"pole (-1e-12|1)\+0j makes.*12 digits"):
        L = factor_solver(time)(A, np.eye(2))
    np.testing.assert_allclose(squared(L), X, rtol=1e-4)


def test_slow_poles_keep_all_digits_of_their_distance():
    # 1 - abs(pole)^2 is exact here, and so is the squared factor.
    A = np.array([[1 - 2.0**-30]])
    L = discrete_lyapunov_factor(A, np.ones((1, 1)))
    exact = 1 / (2.0**-29 - 2.0**-60)
    np.testing.assert_allclose(float(L[0, 0]) ** 2, exact, rtol=1e-15)


CALLS = [
    (continuous_lyapunov, np.eye(2)),
    (discrete_lyapunov, np.eye(2)),
    (continuous_lyapunov_factor, np.ones((2, 1))),
    (discrete_lyapunov_factor, np.ones((2, 1))),
]


@pytest.mark.parametrize(("function", "right"), CALLS)
def test_faults_are_named(function, right):
    A, name = -0.5 * np.eye(2), function.__name__
    with pytest.raises(InvalidSystemError, match=rf"{name}: got A of shape \(2, 3\)"):
        function(np.ones((2, 3)), right)
    for shape in ((), (2,)):
        with pytest.raises(InvalidSystemError, match=rf"{name}: got A of shape \("):
            function(np.ones(shape), right)
    with pytest.raises(
        InvalidSystemError, match=rf"{name}: got [QB] of shape \(3, 3\)"
    ):
        function(A, np.eye(3))
    with pytest.raises(InvalidSystemError, match=rf"{name}: got [QB] of shape \(2,\)"):
        function(A, np.ones(2))
    with pytest.raises(InvalidSystemError, match=rf"{name}: got E of shape \(3, 3\)"):
        function(A, right, E=np.eye(3))
    with pytest.raises(InvalidSystemError, match=f"{name}: got E with a reciprocal"):
        function(A, right, E=np.ones((2, 2)))
    with pytest.raises(InvalidSystemError, match=f"{name}: the batch axes"):
        function(np.stack([A, A]), np.stack([right] * 3))
    for bad in (np.nan, np.inf):
        with pytest.raises(
            InvalidSystemError, match=f"{name}: A of shape .* holds 1 NaN"
        ):
            function(np.array([[bad, 0], [0, -1]]), right)
        with pytest.raises(InvalidSystemError, match=f"{name}: [QB] of shape .* holds"):
            function(A, np.full(right.shape, bad))
        with pytest.raises(InvalidSystemError, match=f"{name}: E of shape .* holds"):
            function(A, right, E=bad * np.ones((2, 2)))


@pytest.mark.parametrize("function", [continuous_lyapunov, discrete_lyapunov])
def test_right_hand_sides_must_be_hermitian(function):
    A = -0.5 * np.eye(2)
    with pytest.raises(
        InvalidSystemError, match=r"Q with entries up to 1 away.*\(Q \+"
    ):
        function(A, np.array([[1.0, 2], [3, 4]]))
    with pytest.raises(InvalidSystemError, match="entries up to 2 away"):
        function(A, 1j * np.eye(2))
    # A large item does not hide a small one.
    Q = np.stack([1e20 * np.eye(2), np.array([[1.0, 2], [3, 4]])])
    with pytest.raises(InvalidSystemError, match="Q of batch item 1 with entries"):
        function(A, Q)


@pytest.mark.parametrize("batch", [(), (3,), (20,)])
def test_singular_equations_are_refused(batch):
    where = " of batch item 0" if batch else ""
    A = np.broadcast_to(np.diag([-1.0, 3.0, 1.0]), (*batch, 3, 3))
    with pytest.raises(
        UnstableSystemError, match=rf"pole -1\+0j \(state 0{where}\) is the.*of 1\+0j"
    ):
        continuous_lyapunov(A, np.eye(3))
    A = np.broadcast_to(np.diag([0.25, 3.0, 4.0]), (*batch, 3, 3))
    with pytest.raises(
        UnstableSystemError, match=rf"pole 0.25\+0j \(state 0{where}\) is the.*4\+0j"
    ):
        discrete_lyapunov(A, np.eye(3))
    for function, value in ((continuous_lyapunov, 0.0), (discrete_lyapunov, -1.0)):
        A = np.broadcast_to(np.diag([-0.5, value, -0.1]), (*batch, 3, 3))
        with pytest.raises(UnstableSystemError, match="the mirror image of itself"):
            function(A, np.eye(3))


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("batch", [(), (20,)])
def test_factors_of_unstable_equations_are_refused(time, batch):
    where = " of batch item 7" if batch else ""
    A = np.tile(-0.5 * np.eye(3), (*batch, 1, 1))
    A[(7, 1, 1) if batch else (1, 1)] = 2.0
    B = np.ones((3, 1))
    with pytest.raises(
        UnstableSystemError, match=rf"pole 2\+0j \(state 1{where}\) is not"
    ):
        factor_solver(time)(A, B)


def test_negative_definite_time_is_not_guessed():
    # Both equations of the same matrix have solutions: only the name tells which.
    A, Q = np.array([[-0.5]]), np.array([[1.0]])
    assert float(continuous_lyapunov(A, Q)[0, 0]) == 1.0
    assert float(discrete_lyapunov(A, Q)[0, 0]) == pytest.approx(4 / 3, rel=1e-15)
