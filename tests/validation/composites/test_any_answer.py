"""Whatever a function returns, a check passes or says what is wrong with it."""

from contextlib import suppress

import numpy as np
import pytest

import hankelcut as hc
from hankelcut.lti import hankel_singular_values, hinf_norm
from hankelcut.validation import (
    REDUCTION_CHECKS,
    InvariantViolationError,
    parametrize_with_checks,
)
from tests.validation.composites.right_functions import Textbook, solver

# What is made of a right array.
ANSWERS = {
    "NaN": lambda right: right * np.nan,
    "infinite": lambda right: right + np.inf,
    "huge": lambda right: np.asarray(right) * 1e200 + 1e200,
    "nothing": lambda right: None,
    "text": lambda right: "1.0",
    "objects": lambda right: np.full(np.shape(right), None),
    "another shape": lambda right: np.zeros((2, 3, 4)),
    "no axes": lambda right: np.asarray(1.0),
    "empty": lambda right: np.asarray(right)[..., :0] if np.ndim(right) else [],
    "a list of lists": lambda right: np.asarray(right).tolist(),
}


QUICK = ("NaN", "huge")
EVERY_ANSWER = pytest.mark.parametrize(
    "answer",
    [
        name if name in QUICK else pytest.param(name, marks=pytest.mark.slow)
        for name in ANSWERS
    ],
)


def run_all(mark):
    for parameter in mark.args[1]:
        (check,) = parameter.values
        with suppress(InvariantViolationError):
            check()


@pytest.fixture(autouse=True)
def _quick(quick_shrinking):
    """Shrink a few times only."""


@EVERY_ANSWER
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_reductions(answer):
    change = ANSWERS[answer]

    def reduction(system, order):
        A, B, C, D = Textbook()(system, order)
        return change(A), B, C, D

    run_all(
        parametrize_with_checks(
            reduction=reduction, checks=list(REDUCTION_CHECKS), max_examples=2
        )
    )


@EVERY_ANSWER
def test_models(answer):
    """The same for B and D, and for no tuple at all."""
    change = ANSWERS[answer]

    def reduction(system, order):
        A, B, C, D = Textbook()(system, order)
        return (A, change(B), C, change(D)) if order % 2 else change(A)

    checks = ("reduced_form", "truncation_bound", "repeatable", "scaling")
    run_all(parametrize_with_checks(reduction=reduction, checks=checks, max_examples=2))


@EVERY_ANSWER
@pytest.mark.parametrize("factored", [True, False])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_solvers(answer, factored):
    change, right = ANSWERS[answer], solver(hc.Continuous(), factored=factored)
    run_all(
        parametrize_with_checks(
            lyapunov_solver=lambda A, Q: change(right(A, Q)),
            time=hc.Continuous(),
            factored=factored,
            max_examples=2,
        )
    )


@EVERY_ANSWER
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_values(answer):
    change = ANSWERS[answer]
    run_all(
        parametrize_with_checks(
            hankel_singular_values=lambda s: change(hankel_singular_values(s)),
            max_examples=2,
        )
    )


@EVERY_ANSWER
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_norms(answer):
    change = ANSWERS[answer]
    run_all(
        parametrize_with_checks(
            norm_function=lambda s: change(np.asarray(hinf_norm(s).lower)),
            norm="hinf",
            max_examples=2,
        )
    )
