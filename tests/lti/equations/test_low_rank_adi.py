import numpy as np
import pytest
import scipy.linalg
import scipy.sparse

from hankelcut import ConvergenceError, InvalidSystemError, UnstableSystemError
from hankelcut.lti import low_rank_adi
from hankelcut.lti.systems import _sparse_lu
from tests.helpers import unchecked_types
from tests.sparse_systems import (
    grid_laplacian,
    grid_system,
    penzl_system,
    structure,
)

CASES = {
    "heat": {},
    "convection": {"wind": (20.0, 60.0)},
    "mass": {"wind": (5.0, 10.0), "mass": True},
    "complex": {"dtype": complex},
    "complex mass": {"dtype": complex, "wind": (20.0, 60.0), "mass": True},
}


@pytest.fixture(params=CASES)
def system(request, rng):
    return grid_system(rng, **CASES[request.param])


def residual_of(A, B, E, Z):
    """A Z Z^H E^H + E Z Z^H A^H + B B^H as a dense matrix."""
    A, E = A.toarray(), E.toarray()
    cross = A @ Z @ (E @ Z).conj().T
    return cross + cross.conj().T + B @ B.conj().T


def solution_of(A, B, E):
    """Dense solution, by SciPy."""
    F, right = (
        np.linalg.solve(E.toarray(), A.toarray()),
        np.linalg.solve(E.toarray(), B),
    )
    return scipy.linalg.solve_continuous_lyapunov(F, -right @ right.conj().T)


# The equation


@pytest.mark.parametrize("tol", [1e-6, 1e-12])
def test_factor_solves_the_equation(system, tol):
    A, B, E = system.A, system.B, system.E
    solution = low_rank_adi(A, B, E=E, tol=tol)
    residual = np.linalg.norm(residual_of(A, B, E, solution.factor), 2)
    relative = residual / np.linalg.norm(B, 2) ** 2
    assert relative <= 1.5 * tol
    assert solution.relative_residual == pytest.approx(relative, rel=0.2, abs=1e-14)
    assert solution.factor.dtype == B.dtype
    assert solution.iterations == len(solution.shifts)
    assert len(solution.residual_history) == solution.iterations + 1
    assert solution.residual_history[0] == 1.0
    assert solution.residual_history[-1] <= tol < min(solution.residual_history[:-1])
    assert all(shift.real < 0 for shift in solution.shifts)


def test_factor_approximates_the_dense_solution_from_below(system):
    Z = low_rank_adi(system.A, system.B, E=system.E, tol=1e-13).factor
    exact = solution_of(system.A, system.B, system.E)
    missing = exact - Z @ Z.conj().T
    size = np.linalg.norm(exact, 2)
    assert np.linalg.norm(missing, 2) <= 1e-9 * size
    assert np.linalg.eigvalsh(missing)[0] >= -1e-12 * size


def test_residual_factor_is_the_residual(system):
    A, B, E = system.A, system.B, system.E
    solution = low_rank_adi(A, B, E=E, tol=1e-4)
    W = solution.residual_factor
    assert W.shape == B.shape
    residual = residual_of(A, B, E, solution.factor)
    scale = np.linalg.norm(B, 2) ** 2
    np.testing.assert_allclose(residual, W @ W.conj().T, atol=2e-5 * scale)
    assert np.linalg.norm(W, 2) ** 2 == pytest.approx(
        solution.residual_history[-1] * scale
    )


def test_adjoint_matrices_solve_the_observability_equation(system):
    A, C, E = system.A, system.C, system.E
    arguments = A.conj().T, C.conj().T, E.conj().T
    Z = low_rank_adi(arguments[0], arguments[1], E=arguments[2]).factor
    dense_A, dense_E = A.toarray(), E.toarray()
    Y = Z @ Z.conj().T
    residual = dense_A.conj().T @ Y @ dense_E + dense_E.conj().T @ Y @ dense_A
    residual = residual + C.conj().T @ C
    assert np.linalg.norm(residual, 2) <= 1.5e-12 * np.linalg.norm(C, 2) ** 2


def test_factor_is_compressed(system):
    solution = low_rank_adi(system.A, system.B, E=system.E, tol=1e-8)
    width = solution.factor.shape[1]
    appended = sum(
        system.n_inputs * (2 if shift.imag and system.B.dtype == float else 1)
        for shift in solution.shifts
    )
    assert width < 0.9 * appended
    gram = solution.factor.conj().T @ solution.factor
    lengths = np.sqrt(np.diag(gram).real)
    np.testing.assert_allclose(gram, np.diag(lengths**2), atol=1e-12 * gram.max())


def test_long_factors_are_compressed_on_the_way(rng, monkeypatch):
    A = grid_laplacian(20)
    B = rng.standard_normal((400, 40))
    widths = []
    qr = np.linalg.qr

    def watched(matrix):
        widths.append(matrix.shape[1])
        return qr(matrix)

    monkeypatch.setattr(np.linalg, "qr", watched)
    solution = low_rank_adi(A, B)
    assert len(widths) > 1
    assert max(widths) < 40 * solution.iterations
    assert 40 * solution.iterations > 600
    assert solution.factor.shape[1] <= 400
    residual = residual_of(A, B, scipy.sparse.eye_array(400), solution.factor)
    assert np.linalg.norm(residual, 2) <= 1.5e-12 * np.linalg.norm(B, 2) ** 2


# Speed of convergence


def test_resonances_and_stiff_poles_take_few_shifts():
    # pyMOR's projection shifts take 74 (pyMOR pull request 1331).
    system = penzl_system()
    assert low_rank_adi(system.A, system.B).iterations <= 50


def test_lightly_damped_structure_converges():
    system = structure(5, 0.05)
    solution = low_rank_adi(system.A, system.B, tol=1e-10)
    residual = residual_of(system.A, system.B, system.E, solution.factor)
    assert np.linalg.norm(residual, 2) <= 2e-10


def test_given_shifts_are_used_in_turn(rng):
    system = grid_system(rng, side=4)
    shifts = [-30.0, -100.0 + 20.0j, -300.0]
    solution = low_rank_adi(system.A, system.B, shifts=shifts, tol=1e-8)
    expected = (shifts * 100)[: solution.iterations]
    np.testing.assert_array_equal(solution.shifts, expected)
    residual = residual_of(system.A, system.B, system.E, solution.factor)
    assert np.linalg.norm(residual, 2) <= 1.5e-8 * np.linalg.norm(system.B, 2) ** 2
    assert solution.factor.dtype == float


def test_progress_is_reported(rng):
    system = grid_system(rng, side=4)
    calls = []
    solution = low_rank_adi(
        system.A, system.B, progress=lambda *report: calls.append(report)
    )
    assert [count for count, _ in calls] == list(range(1, solution.iterations + 1))
    assert [residual for _, residual in calls] == list(solution.residual_history[1:])


# Scales and degenerate shapes


@pytest.mark.parametrize("scale", [2.0**-500, 2.0**500])
def test_scale_of_the_source_does_not_matter(scale, rng):
    system = grid_system(rng, side=5)
    solution = low_rank_adi(system.A, system.B)
    scaled = low_rank_adi(system.A, scale * system.B)
    np.testing.assert_array_equal(scaled.factor, scale * solution.factor)
    assert scaled.residual_history == solution.residual_history


@pytest.mark.parametrize("B", [np.zeros((4, 2)), np.zeros((4, 0))])
def test_nothing_in_nothing_out(B):
    solution = low_rank_adi(-scipy.sparse.eye_array(4), B)
    assert solution.factor.shape == (4, 0)
    assert solution.iterations == 0
    assert solution.relative_residual == 0.0


def test_system_without_states():
    solution = low_rank_adi(scipy.sparse.csc_array((0, 0)), np.zeros((0, 2)))
    assert solution.factor.shape == (0, 0)


def test_one_state_takes_one_shift():
    solution = low_rank_adi(scipy.sparse.csc_array([[-2.0]]), np.array([[4.0]]))
    np.testing.assert_allclose(np.abs(solution.factor), [[2.0]])
    assert solution.iterations == 1


def test_sparse_sources_and_lower_precision_are_taken(rng):
    system = grid_system(rng, side=4)
    expected = low_rank_adi(system.A, system.B).factor
    A = scipy.sparse.coo_array(system.A)
    for B in (scipy.sparse.csr_array(system.B), system.B.astype(np.float32)):
        np.testing.assert_array_equal(low_rank_adi(A, B).factor, expected)


def test_inputs_are_not_changed(system):
    before = [matrix.copy() for matrix in (system.A, system.B, system.E)]
    low_rank_adi(system.A, system.B, E=system.E)
    assert abs(system.A - before[0]).sum() == 0
    np.testing.assert_array_equal(system.B, before[1])
    assert abs(system.E - before[2]).sum() == 0


# What is refused


@pytest.mark.parametrize(
    ("pole", "shown"), [(3.0, r"3\+0j"), (1e-3, r"0.001\+0j"), (0.0, "Re.pole. = ")]
)
@pytest.mark.parametrize("dtype", [float, complex])
def test_unstable_pole_is_named(pole, shown, dtype, rng):
    stable = scipy.sparse.diags_array(-np.arange(1.0, 100.0).astype(dtype))
    A = scipy.sparse.block_diag([stable, scipy.sparse.csc_array([[pole]])])
    B = rng.standard_normal((100, 2)).astype(dtype)
    calls = []
    with pytest.raises(UnstableSystemError, match=f"low_rank_adi: pole .*{shown}"):
        low_rank_adi(A, B, progress=lambda *report: calls.append(report))
    assert len(calls) < 100


def test_unstable_pair_is_named(rng):
    pair = scipy.sparse.csc_array([[0.5, 7.0], [-7.0, 0.5]])
    A = scipy.sparse.block_diag([grid_laplacian(8), pair])
    B = rng.standard_normal((66, 1))
    with pytest.raises(UnstableSystemError, match=r"pole \(?0.5[+-]7j.* need Re"):
        low_rank_adi(A, B)


def test_insulated_heat_conduction_is_not_stable(rng):
    # Without losses the mean temperature stays: a pole at 0.
    n = 60
    A = scipy.sparse.diags_array([1.0, -2.0, 1.0], offsets=[-1, 0, 1], shape=(n, n))
    A = A.tolil()
    A[0, 0] = A[n - 1, n - 1] = -1.0
    with pytest.raises(UnstableSystemError, match="is not stable: Re"):
        low_rank_adi(n**2 * A, rng.random((n, 1)))


def test_singular_mass_matrix_is_not_silent():
    E = scipy.sparse.diags_array([1.0, 0.0])
    with pytest.raises(UnstableSystemError, match=r"pole .*inf.* is not stable"):
        low_rank_adi(-scipy.sparse.eye_array(2), np.ones((2, 1)), E=E)


def test_unstable_pole_that_is_not_excited_is_not_met():
    A = scipy.sparse.diags_array([-1.0, 2.0])
    solution = low_rank_adi(A, np.array([[1.0], [0.0]]))
    np.testing.assert_allclose(np.abs(solution.factor), [[0.5**0.5], [0.0]])


def test_too_few_iterations_are_reported(system):
    message = r"relative residual .* after 5 iterations, need 1e-12; raise max_iter"
    with pytest.raises(ConvergenceError, match=message):
        low_rank_adi(system.A, system.B, E=system.E, max_iterations=5)


def test_inaccurate_solves_are_noticed(rng, monkeypatch):
    # The iteration itself sees nothing wrong: its residual goes down all the same.
    factorize = _sparse_lu.factorize

    class Inaccurate:
        def __init__(self, matrix):
            self.lu = factorize(matrix)

        def solve(self, right, trans):
            return self.lu.solve(right, trans) * (1 + 1e-4)

    monkeypatch.setattr(_sparse_lu, "factorize", Inaccurate)
    system = grid_system(rng, side=6)
    with pytest.raises(ConvergenceError, match=r"solved too inaccurately; scale"):
        low_rank_adi(system.A, system.B)


def test_unattainable_residual_is_accepted_as_measured(rng):
    # The iteration goes on below rounding; the factor's own residual is reported.
    system = grid_system(rng, mass=True)
    B = np.tile(system.B, 2)
    solution = low_rank_adi(system.A, B, E=system.E, tol=1e-32)
    residual = residual_of(system.A, B, system.E, solution.factor)
    relative = np.linalg.norm(residual, 2) / np.linalg.norm(B, 2) ** 2
    assert 1e-17 < relative < 1e-12
    lengths = np.linalg.norm(solution.factor, axis=0)
    assert lengths.min() > np.finfo(float).eps * lengths.max()
    assert solution.relative_residual == pytest.approx(relative, rel=1.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tol": 0.0}, "got tol=0.0, need a positive number"),
        ({"tol": np.nan}, "got tol=nan, need a positive number"),
        ({"max_iterations": 0}, "got max_iterations=0, need >= 1"),
        ({"shifts": []}, r"got the shifts \[\], need at least one"),
        ({"shifts": [-1.0, 2.0]}, "got the shifts .* only finite ones with negative"),
        ({"shifts": [1.0j]}, "got the shifts .* only finite ones with negative"),
    ],
)
def test_settings_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=f"low_rank_adi: {message}"):
        low_rank_adi(-scipy.sparse.eye_array(2), np.ones((2, 1)), **arguments)


@pytest.mark.parametrize(
    ("A", "B", "E", "message"),
    [
        (-np.eye(2), np.ones((2, 1)), None, "got A of type ndarray"),
        (
            scipy.sparse.csc_array((2, 3)),
            np.ones((2, 1)),
            None,
            "scipy.sparse matrix A",
        ),
        (scipy.sparse.eye_array(2), np.ones((3, 1)), None, r"B of shape \(3, 1\)"),
        (scipy.sparse.eye_array(2), np.ones(2), None, r"B of shape \(2,\)"),
        (scipy.sparse.eye_array(2), np.ones((2, 1)), np.eye(2), "E of type ndarray"),
        (
            scipy.sparse.eye_array(2),
            np.array([[np.inf], [0.0]]),
            None,
            "B of shape .2, 1. holds 1 NaN or infinite",
        ),
    ],
)
def test_matrices_that_do_not_fit_are_refused(A, B, E, message):
    with unchecked_types(), pytest.raises(InvalidSystemError, match=message):
        low_rank_adi(A, B, E=E)
