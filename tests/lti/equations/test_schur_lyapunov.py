import numpy as np
import pytest

from hankelcut.lti import Continuous, Discrete
from hankelcut.lti.equations._schur_form import SchurForm, schur_form
from hankelcut.lti.equations._schur_lyapunov import solve_in_schur_form
from tests.helpers import TIMES
from tests.lti.equations.oracles import (
    UNITS,
    adjoint,
    hermitian,
    hump,
    residual_units,
)

KINDS = [np.float64, np.complex128]


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("n", [0, 1, 2, 3, 32, 33, 65, 80])
def test_regular_equations_are_solved(time, dtype, n, rng):
    # Any spectrum without mirror images, stable or not.
    A = rng.standard_normal((n, n)) / max(n, 1) ** 0.5
    if dtype == np.complex128:
        A = A + 1j * rng.standard_normal((n, n)) / max(n, 1) ** 0.5
    form, Q = schur_form(A), hermitian(rng, n, dtype, ())
    X = solve_in_schur_form(form, Q, time)
    assert X.dtype == dtype
    np.testing.assert_array_equal(X, adjoint(X))
    assert residual_units(A, X, Q, time) <= UNITS
    X = solve_in_schur_form(form.dual(), Q, time)
    assert residual_units(adjoint(A), X, Q, time) <= UNITS


@pytest.mark.parametrize("n", [1, 3, 40])
def test_singular_state_matrices_are_no_obstacle(n, rng):
    nilpotent = np.triu(rng.standard_normal((n, n)), 1) / n
    drop = np.diag(np.arange(n) % 2.0)
    for A in (np.zeros((n, n)), nilpotent, rng.standard_normal((n, n)) @ drop / n):
        Q = hermitian(rng, n, float, ())
        X = solve_in_schur_form(schur_form(A), Q, Discrete())
        assert residual_units(A, X, Q, Discrete()) <= UNITS


@pytest.mark.parametrize("time", TIMES)
def test_growing_powers_stay_accurate(time, rng):
    A = hump() if time != Continuous() else hump() - 1.9 * np.eye(20)
    Q = hermitian(rng, 20, float, ())
    X = solve_in_schur_form(schur_form(A), Q, time)
    assert residual_units(A, X, Q, time) <= UNITS


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("ratio", [1e-9, 1e-18, 1e-300])
def test_nearly_real_pairs_are_solved(time, ratio, rng):
    pole = -1.0 if time == Continuous() else 0.5
    A = pole * np.eye(6) + np.triu(rng.standard_normal((6, 6)), 2) / 6
    A += np.diag([1.0, 0, 1, 0, 1], 1) - np.diag([ratio, 0, ratio, 0, ratio], -1)
    Q = hermitian(rng, 6, float, ())
    for form in (schur_form(A), SchurForm(A, np.eye(6), np.ones(6))):
        X = solve_in_schur_form(form, Q, time)
        assert residual_units(A, X, Q, time) <= UNITS


@pytest.mark.parametrize("time", TIMES)
def test_solution_is_linear_in_the_right_hand_side(time, rng):
    form = schur_form(rng.standard_normal((40, 40)) / 10)
    first, second = hermitian(rng, 40, float, ()), hermitian(rng, 40, float, ())
    together = solve_in_schur_form(form, 3 * first - second, time)
    apart = 3 * solve_in_schur_form(form, first, time)
    apart = apart - solve_in_schur_form(form, second, time)
    assert np.linalg.norm(together - apart) <= 1e-10 * np.linalg.norm(apart)
