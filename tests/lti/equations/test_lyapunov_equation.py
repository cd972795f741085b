import importlib

import numpy as np
import pytest

from hankelcut import InvalidSystemError, UnstableSystemError, _array
from hankelcut.lti import Continuous, Discrete
from hankelcut.lti.equations import LyapunovEquation
from hankelcut.validation import random_stable_system
from tests.helpers import TIMES, unchecked_types
from tests.lti.equations.oracles import (
    UNITS,
    adjoint,
    factor_residual_units,
    hermitian,
    residual_units,
    squared,
)

KINDS = [np.float64, np.complex128]


def pencil(rng, n, time, dtype=float, batch=()):
    """A stable pencil with different rows in A and E, and its systems' B and C."""
    system = random_stable_system(rng, n, 2, 3, time, dtype=dtype, batch=batch)
    E = np.eye(n) + rng.standard_normal((n, n)) / (4 * n**0.5)
    E = E.astype(dtype) * (1 + 1j if np.dtype(dtype).kind == "c" else 1)
    return E @ system.A, E, system.B, system.C


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("batch", [(), (3,), (20,)])
@pytest.mark.parametrize("with_E", [False, True])
def test_duals_solve_the_adjoint_equations(time, dtype, batch, with_E, rng):
    A, E, B, C = pencil(rng, 6, time, dtype, batch)
    equation = LyapunovEquation(A if with_E else np.linalg.solve(E, A), time)
    if with_E:
        equation = LyapunovEquation(A, time, E=E)
    state = adjoint(equation.A)
    held = adjoint(E) if with_E else None
    Q = hermitian(rng, 6, dtype, batch)
    X = equation.solve(Q, dual=True)
    np.testing.assert_array_equal(X, adjoint(X))
    assert residual_units(state, X, Q, time, held) <= UNITS
    assert (equation.residual(X, Q, dual=True) <= UNITS * 6 * 1.2e-16).all()
    dual = equation.dual_factor(C)
    assert factor_residual_units(state, dual, adjoint(C), time, held) <= UNITS
    L, same = equation.factors(B, C)
    np.testing.assert_array_equal(same, dual)
    np.testing.assert_array_equal(L, equation.factor(B))


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("n", [33, 70])
def test_large_duals_solve_the_adjoint_equations(time, n, rng):
    system = random_stable_system(rng, n, 2, 3, time)
    equation = LyapunovEquation(system.A, time)
    Q = hermitian(rng, n, float, ())
    X, L = equation.solve(Q, dual=True), equation.dual_factor(system.C)
    assert residual_units(system.A.T, X, Q, time) <= UNITS
    assert factor_residual_units(system.A.T, L, system.C.T, time) <= UNITS


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("with_E", [False, True])
def test_data_of_several_dtypes_is_promoted(xp, time, with_E, rng):
    A, E, B, C = pencil(rng, 4, time)
    A = A if with_E else np.linalg.solve(E, A)
    held = xp.asarray(E) if with_E else None
    equation = LyapunovEquation(xp.asarray(A), time, E=held)
    Q = hermitian(rng, 4, np.complex128, ())
    for dual, state in ((False, A), (True, A.T)):
        left = None if held is None else (E.T if dual else E)
        X = equation.solve(xp.asarray(Q), dual=dual)
        assert X.dtype == xp.complex128
        assert residual_units(state, xp.to_numpy(X), Q, time, left) <= UNITS
        small = equation.residual(X, xp.asarray(Q), dual=dual)
        assert float(small) <= 1e-14
    narrow = [xp.asarray(x.astype(np.complex64), dtype=xp.complex64) for x in (B, C)]
    L, dual_L = equation.factors(*narrow)
    assert L.dtype == dual_L.dtype == xp.complex128
    B = xp.to_numpy(narrow[0]).astype(np.complex128)
    left = E if with_E else None
    assert factor_residual_units(A, xp.to_numpy(L), B, time, left) <= UNITS


@pytest.mark.parametrize("time", TIMES)
def test_one_schur_form_serves_all_equations(time, rng, monkeypatch):
    from hankelcut.lti.equations import _direct

    calls = []
    form = _direct.schur_form
    monkeypatch.setattr(_direct, "schur_form", lambda A: calls.append(1) or form(A))
    system = random_stable_system(rng, 6, 2, 3, time)
    equation = LyapunovEquation(system.A, time)
    equation.solve(np.eye(6))
    equation.solve(np.eye(6), dual=True)
    equation.factors(system.B, system.C)
    equation.condition()
    equation.solve(np.stack([np.eye(6)] * 3))
    assert len(calls) == 1
    # Another precision, or a stack of state matrices, needs its own.
    equation.solve(1j * (np.eye(6, k=1) - np.eye(6, k=-1)))
    assert len(calls) == 2
    stack = np.stack([system.A, system.A / 2, system.A / 3])
    LyapunovEquation(stack[:, None], time).solve(np.zeros((4, 6, 6)))
    assert len(calls) >= 2 + 3


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", KINDS)
def test_condition_is_that_of_the_inverse_operator(time, dtype, rng):
    A = random_stable_system(rng, 5, 2, 3, time, dtype=dtype).A
    equation = LyapunovEquation(A, time)
    size = np.linalg.norm(A)
    factor = 2 * size if time == Continuous() else size**2 + 1
    for dual in (False, True):
        H = equation.solve(np.eye(5, dtype=dtype), dual=dual)
        expected = factor * np.linalg.norm(H, 2)
        np.testing.assert_allclose(equation.condition(dual=dual), expected, rtol=1e-12)
        # No right-hand side of spectral norm 1 has a larger solution.
        for _ in range(5):
            Q = hermitian(rng, 5, dtype, ())
            X = equation.solve(Q / np.linalg.norm(Q, 2), dual=dual)
            assert np.linalg.norm(X, 2) <= np.linalg.norm(H, 2) * (1 + 1e-12)


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("margin", [0.05, 1e-6])
def test_condition_bounds_the_effect_of_perturbations(time, margin, rng):
    system = random_stable_system(rng, 6, 2, 3, time, margin=margin, condition=100.0)
    equation, Q = LyapunovEquation(system.A, time), squared(system.B)
    X = equation.solve(Q)
    bound = 3 * float(equation.condition())
    size = 1e-4 / bound
    for _ in range(8):
        change = hermitian(rng, 6, float, ())
        dQ = change * (size * np.linalg.norm(Q, 2) / np.linalg.norm(change, 2))
        change = rng.standard_normal((6, 6))
        dA = change * (size * np.linalg.norm(system.A) / np.linalg.norm(change, 2))
        moved = LyapunovEquation(system.A + dA, time).solve(Q + dQ)
        error = np.linalg.norm(moved - X, 2) / np.linalg.norm(X, 2)
        assert error <= bound * size * 1.001


@pytest.mark.parametrize("batch", [(), (3,), (2, 3), (0,), (20,)])
def test_condition_is_taken_item_by_item(xp, batch, rng):
    A = random_stable_system(rng, 4, 2, 3, Continuous(), batch=batch).A
    condition = LyapunovEquation(xp.asarray(A)).condition()
    assert tuple(condition.shape) == batch
    for i in np.ndindex(*batch):
        alone = LyapunovEquation(A[i]).condition()
        np.testing.assert_allclose(xp.to_numpy(condition)[i], alone, rtol=1e-10)
    none = LyapunovEquation(xp.asarray(np.zeros((*batch, 0, 0)))).condition()
    assert tuple(none.shape) == batch
    assert not xp.to_numpy(none).any()


def test_condition_of_a_pencil_is_that_of_its_standard_form(rng):
    A, E, _, _ = pencil(rng, 5, Continuous())
    standard = LyapunovEquation(np.linalg.solve(E, A))
    equation = LyapunovEquation(A, E=E)
    for dual in (False, True):
        np.testing.assert_allclose(
            equation.condition(dual=dual), standard.condition(dual=dual), rtol=1e-11
        )


def test_condition_of_extreme_scales(rng):
    A = random_stable_system(rng, 4, 2, 3, Continuous()).A
    expected = LyapunovEquation(A).condition()
    for scale in (2.0**-900, 2.0**900):
        np.testing.assert_allclose(
            LyapunovEquation(scale * A).condition(), expected, rtol=1e-12
        )


def test_condition_needs_stability():
    with pytest.raises(UnstableSystemError, match=r"LyapunovEquation: pole 1\+0j"):
        LyapunovEquation(np.eye(2)).condition()


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("scale", [2.0**-700, 1.0, 2.0**700])
def test_residual_tells_wrong_solutions(time, scale, rng):
    A = random_stable_system(rng, 4, 2, 3, time).A
    equation, Q = LyapunovEquation(A, time), scale * np.eye(4)
    X = equation.solve(Q)
    assert float(equation.residual(X, Q)) <= 1e-15
    assert float(equation.residual(1.01 * X, Q)) >= 1e-5
    assert float(equation.residual(0 * X, Q)) == 1.0


def test_arguments_may_be_lists():
    X = LyapunovEquation([[-1, 0], [0, -2]]).solve([[2, 0], [0, 4]])
    np.testing.assert_array_equal(X, np.eye(2))
    assert X.dtype == np.float64


def test_time_domain_is_required():
    with (
        unchecked_types(),
        pytest.raises(InvalidSystemError, match=r"got time='D', need Continuous"),
    ):
        LyapunovEquation(-np.eye(2), "D")


def test_matrices_of_other_sizes_are_refused():
    equation = LyapunovEquation(-np.eye(3), Discrete(), caller="here")
    with pytest.raises(
        InvalidSystemError, match=r"here: got C of shape \(1, 2\), need "
    ):
        equation.dual_factor(np.ones((1, 2)))
    with pytest.raises(
        InvalidSystemError, match=r"here: got B of shape \(2, 1\), need "
    ):
        equation.factor(np.ones((2, 1)))
    for X, Q, name in ((np.eye(2), np.eye(3), "X"), (np.eye(3), np.eye(2), "Q")):
        with pytest.raises(InvalidSystemError, match=rf"got {name} of shape \(2, 2\)"):
            equation.residual(X, Q)


@pytest.mark.parametrize("batch", [(), (2, 3), (20,)])
def test_batch_shape(batch, rng):
    A, E, _, _ = pencil(rng, 3, Continuous(), batch=batch)
    assert LyapunovEquation(A, E=E).batch_shape == batch
    assert LyapunovEquation(E, E=A).batch_shape == batch


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("with_E", [False, True])
@pytest.mark.parametrize("batch", [(), (2, 3), (0,)])
def test_accelerators_solve_the_same_equations(
    xp, time, with_E, batch, rng, monkeypatch
):
    # Host arrays stand for those of an accelerator: matrix products serve both.
    module = importlib.import_module("hankelcut.lti.equations.lyapunov_equation")
    monkeypatch.setattr(_array, "on_host", lambda array: False)
    monkeypatch.delattr(module, "DirectSolver")
    A, E, B, C = pencil(rng, 5, time, batch=batch)
    A = A if with_E else np.linalg.solve(E, A)
    left = E if with_E else None
    equation = LyapunovEquation(
        xp.asarray(A), time, E=xp.asarray(E) if with_E else None
    )
    Q = hermitian(rng, 5, float, batch)
    X = xp.to_numpy(equation.solve(xp.asarray(Q)))
    assert residual_units(A, X, Q, time, left) <= 20
    X = xp.to_numpy(equation.solve(xp.asarray(Q), dual=True))
    dual_left = None if left is None else adjoint(left)
    assert residual_units(adjoint(A), X, Q, time, dual_left) <= 20
    Lc, Lo = equation.factors(xp.asarray(B), xp.asarray(C))
    assert tuple(Lc.shape) == tuple(Lo.shape) == (*batch, 5, 5)
    assert factor_residual_units(A, xp.to_numpy(Lc), B, time, left) <= 60
    dual = adjoint(A), xp.to_numpy(Lo), adjoint(C)
    assert factor_residual_units(*dual, time, dual_left) <= 60
    assert tuple(equation.condition().shape) == batch
