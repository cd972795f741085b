import numpy as np
import pytest

import hankelcut as hc
from hankelcut.validation import (
    LYAPUNOV_CHECKS,
    InvariantViolationError,
    check_lyapunov_solver,
)
from tests.validation.composites.right_functions import on_backend, solver

TIMES = [hc.Continuous(), hc.Discrete()]


def alone(function):
    """Solve one equation as it is."""
    return function


def stacked(function):
    """Solve one equation as a stack of one, which takes other algorithms."""
    return lambda A, right: function(A[None, ...], right[None, ...])[0, ...]


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("factored", [True, False])
@pytest.mark.parametrize("form", [alone, stacked])
@pytest.mark.parametrize("examples", [4, pytest.param(2000, marks=pytest.mark.slow)])
def test_solvers_pass(examples, form, factored, time, xp):
    right = on_backend(xp, form(solver(time, factored=factored)))
    check_lyapunov_solver(right, time=time, factored=factored, max_examples=examples)


def kronecker(A, Q, sign=1.0):
    operator = np.kron(A, np.eye(len(A))) + np.kron(np.eye(len(A)), A.conj())
    return np.linalg.solve(operator, -sign * Q.ravel()).reshape(A.shape)


def plain_transpose(A, Q):
    operator = np.kron(A, np.eye(len(A))) + np.kron(np.eye(len(A)), A)
    return np.linalg.solve(operator, -Q.ravel()).reshape(A.shape)


def test_textbook_passes():
    check_lyapunov_solver(kronecker, time=hc.Continuous(), max_examples=10)


def lyapunov(A, Q):
    return solver(hc.Continuous())(A, Q)


def writes(A, Q):
    X = lyapunov(A, Q)
    A *= 2
    return X


def positive_part(A, Q):
    values, U = np.linalg.eigh(Q)
    return lyapunov(A, (U * np.maximum(values, 0)) @ U.conj().T)


def single(A, Q):
    return lyapunov(A, Q.astype("c8" if np.iscomplexobj(Q) else "f4").astype(Q.dtype))


def regardless(A, B):
    X = kronecker(A, B @ B.conj().T)
    values, U = np.linalg.eigh(X)
    return U * np.sqrt(np.maximum(values, 0))


DEFECTS = [
    ("residual", lambda A, Q: kronecker(A, Q, -1.0), "residual of X is"),
    ("residual", lambda A, Q: lyapunov(A.T, Q), "residual of X is"),
    ("right_side", positive_part, "residual of X is"),
    ("accuracy", single, "X: found"),
    ("accuracy", lambda A, Q: lyapunov(A, Q) + 0j, "X is complex"),
    ("definiteness", lambda A, Q: -lyapunov(A, Q), "eigenvalue -"),
    ("duality", plain_transpose, "trace"),
    ("homogeneity", lambda A, Q: lyapunov(A, Q + 1e-9 * np.eye(len(A))), "2"),
    ("inputs_untouched", writes, "A was changed"),
]


@pytest.mark.parametrize(("name", "function", "message"), DEFECTS)
def test_defects_are_caught(name, function, message, quick_shrinking):
    with pytest.raises(InvariantViolationError, match=message) as caught:
        check_lyapunov_solver(
            function, time=hc.Continuous(), checks=[name], max_examples=60
        )
    text = str(caught.value)
    assert LYAPUNOV_CHECKS[name].usual_cause in text
    assert "A = np.array(" in text


def test_unstable_matrices_must_be_refused(quick_shrinking):
    with pytest.raises(InvariantViolationError, match="residual of X is"):
        check_lyapunov_solver(
            regardless, time=hc.Continuous(), factored=True, checks=["refusal"]
        )


def test_factors_of_wrong_form_are_caught(quick_shrinking):
    for wrong, message in (
        (lambda A, B: solver(hc.Discrete(), factored=True)(A, B)[:0], "got an answer"),
        (lambda A, B: solver(hc.Discrete(), factored=True)(A, B) + 0j, "L is complex"),
    ):
        with pytest.raises(InvariantViolationError, match=message):
            check_lyapunov_solver(
                wrong, time=hc.Discrete(), factored=True, checks=["residual"]
            )


def test_every_check_has_a_defect():
    assert {name for name, _, _ in DEFECTS} | {"refusal"} == set(LYAPUNOV_CHECKS)
