import numpy as np
import pytest
import scipy.linalg
import scipy.sparse

from hankelcut import ConvergenceError, UnstableSystemError
from hankelcut.lti import Discrete, low_rank_smith
from tests.sparse_systems import grid_system

CASES = {
    "heat": {},
    "convection": {"wind": (20.0, 60.0)},
    "mass": {"wind": (5.0, 10.0), "mass": True},
    "complex": {"dtype": complex},
    "complex mass": {"dtype": complex, "wind": (20.0, 60.0), "mass": True},
}


@pytest.fixture(params=CASES)
def system(request, rng):
    return grid_system(rng, time=Discrete(), **CASES[request.param])


def residual_of(A, B, E, Z):
    """A Z Z^H A^H - E Z Z^H E^H + B B^H as a dense matrix."""
    AZ, EZ = A @ Z, E @ Z
    return AZ @ AZ.conj().T - EZ @ EZ.conj().T + B @ B.conj().T


@pytest.mark.parametrize("tol", [1e-6, 1e-12])
def test_factor_solves_the_equation(system, tol):
    A, B, E = system.A, system.B, system.E
    solution = low_rank_smith(A, B, E=E, tol=tol)
    residual = np.linalg.norm(residual_of(A, B, E, solution.factor), 2)
    relative = residual / np.linalg.norm(B, 2) ** 2
    assert relative <= 1.5 * tol
    assert solution.relative_residual == pytest.approx(relative, rel=0.2, abs=1e-14)
    assert solution.factor.dtype == B.dtype


def test_factor_approximates_the_dense_solution_from_below(system):
    Z = low_rank_smith(system.A, system.B, E=system.E, tol=1e-13).factor
    E = system.E.toarray()
    F, right = np.linalg.solve(E, system.A.toarray()), np.linalg.solve(E, system.B)
    exact = scipy.linalg.solve_discrete_lyapunov(F, right @ right.conj().T)
    missing = exact - Z @ Z.conj().T
    size = np.linalg.norm(exact, 2)
    assert np.linalg.norm(missing, 2) <= 1e-9 * size
    assert np.linalg.eigvalsh(missing)[0] >= -1e-11 * size


def test_residual_factor_is_the_residual(system):
    A, B, E = system.A, system.B, system.E
    solution = low_rank_smith(A, B, E=E, tol=1e-4)
    W = solution.residual_factor
    residual = residual_of(A, B, E, solution.factor)
    scale = np.linalg.norm(B, 2) ** 2
    np.testing.assert_allclose(residual, W @ W.conj().T, atol=2e-5 * scale)


def test_adjoint_matrices_solve_the_observability_equation(system):
    A, C, E = system.A, system.C, system.E
    solution = low_rank_smith(A.conj().T, C.conj().T, E=E.conj().T)
    ZA, ZE = solution.factor.conj().T @ A, solution.factor.conj().T @ E
    residual = ZA.conj().T @ ZA - ZE.conj().T @ ZE + C.conj().T @ C
    assert np.linalg.norm(residual, 2) <= 1.5e-12 * np.linalg.norm(C, 2) ** 2


@pytest.mark.parametrize(
    "poles",
    [
        np.zeros(30),
        np.linspace(-0.9, 0.9, 30),
        np.concatenate([[1 - 1e-6, -1 + 1e-6], np.linspace(-0.5, 0.5, 28)]),
    ],
)
def test_poles_at_zero_and_next_to_the_circle_are_no_trouble(poles, rng):
    A = scipy.sparse.diags_array(poles)
    B = rng.standard_normal((30, 2))
    Z = low_rank_smith(A, B).factor
    exact = B @ B.T / (1 - np.outer(poles, poles))
    atol = 1e-9 * np.abs(exact).max()
    np.testing.assert_allclose(Z @ Z.T, exact, rtol=1e-9, atol=atol)


def test_delay_line_is_solved_exactly():
    # A nilpotent shift: the solution is the identity, and A is singular.
    n = 12
    A = scipy.sparse.diags_array([1.0], offsets=[-1], shape=(n, n))
    B = np.eye(n, 1)
    Z = low_rank_smith(A, B).factor
    np.testing.assert_allclose(Z @ Z.T, np.eye(n), atol=1e-12)


def test_shift_of_minus_one_is_the_iteration_of_smith():
    poles = np.array([0.5, -0.3, 0.1])
    B = np.array([[1.0], [2.0], [3.0]])
    A = scipy.sparse.diags_array(poles)
    solution = low_rank_smith(A, B, shifts=[-1.0], tol=1e-6)
    powers = np.concatenate(
        [poles[:, None] ** k * B for k in range(solution.iterations)], axis=1
    )
    expected = powers @ powers.T
    Z = solution.factor
    np.testing.assert_allclose(Z @ Z.T, expected, atol=1e-6 * expected.max())
    W = poles[:, None] ** solution.iterations * B
    np.testing.assert_allclose(np.abs(solution.residual_factor), np.abs(W))


@pytest.mark.parametrize("pole", [1.2, -1.05, 1.0, -1.0, 0.8 + 0.7j])
def test_unstable_pole_is_named(pole, rng):
    poles = np.concatenate([np.linspace(-0.8, 0.8, 40), [pole]])
    B = rng.standard_normal((41, 2))
    real = f"{np.real(pole):.6g}"
    message = rf"low_rank_smith: pole {real}.* is not stable: abs\(pole\) - 1 = "
    with pytest.raises(UnstableSystemError, match=message):
        low_rank_smith(scipy.sparse.diags_array(poles), B)


def test_too_few_iterations_are_reported(system):
    with pytest.raises(ConvergenceError, match="low_rank_smith: relative residual"):
        low_rank_smith(system.A, system.B, E=system.E, max_iterations=3)
