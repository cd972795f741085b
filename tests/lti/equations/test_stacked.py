import logging

import numpy as np
import pytest

from hankelcut import IllConditionedError, UnstableSystemError
from hankelcut.lti import Continuous, Discrete
from hankelcut.lti.equations import LyapunovEquation
from hankelcut.validation import random_stable_system
from tests.helpers import TIMES
from tests.lti.equations.oracles import (
    UNITS,
    adjoint,
    factor_residual_units,
    hermitian,
    hump,
    residual_units,
    squared,
    turned_hump,
)

LOGGER = "hankelcut.lti.equations._stacked"


def mixed(time, *, unstable):
    """Twenty state matrices; 3 slow, 5 non-normal, 8 (and 9) unstable but regular."""
    n = 20
    rng = np.random.default_rng(8)
    A = random_stable_system(rng, n, 1, 1, time, batch=(20,), condition=2.0).A
    shift = np.eye(n) if time == Continuous() else np.zeros((n, n))
    A[3] = np.diag(np.linspace(0.1, 0.5, n)) - shift
    A[3, 0, 0] = 1 - 1e-7 - shift[0, 0]
    A[5] = turned_hump(n) - shift
    if unstable:
        A[8] = np.diag(np.linspace(1.5, 3, n))
        # The shift of the Cayley transform is this very pole.
        A[9] = 2.0 * np.eye(n)
    return A


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dual", [False, True])
@pytest.mark.filterwarnings("ignore:.*nearly singular")
def test_items_that_fail_are_solved_again(time, dual, rng, caplog):
    A, Q = mixed(time, unstable=True), hermitian(rng, 20, float, (20,))
    with caplog.at_level(logging.INFO, logger=LOGGER):
        X = LyapunovEquation(A, time).solve(Q, dual=dual)
    assert caplog.messages == [
        "batch items [3, 5, 8, 9] are solved by their Schur forms"
    ]
    A = adjoint(A) if dual else A
    for i in range(20):
        assert residual_units(A[i], X[i], Q[i], time) <= UNITS


@pytest.mark.parametrize("time", TIMES)
def test_factors_that_fail_are_computed_again(time, rng, caplog):
    A = mixed(time, unstable=False)
    B, C = rng.standard_normal((20, 20, 2)), rng.standard_normal((20, 3, 20))
    with caplog.at_level(logging.INFO, logger=LOGGER):
        Lc, Lo = LyapunovEquation(A, time).factors(B, C)
    # The sign iteration of continuous systems takes slow poles in its stride.
    failed = "[5]" if time == Continuous() else "[3, 5]"
    assert caplog.messages == [f"batch items {failed} are solved by their Schur forms"]
    for i in range(20):
        assert factor_residual_units(A[i], Lc[i], B[i], time) <= UNITS
        dual = adjoint(A[i]), Lo[i], adjoint(C[i])
        assert factor_residual_units(*dual, time) <= UNITS


@pytest.mark.parametrize("time", TIMES)
def test_refinement_of_pencils_needs_no_schur_form(time, rng, caplog):
    A = random_stable_system(rng, 6, 1, 1, time, batch=(20,), condition=2.0).A
    E = np.eye(6) + rng.standard_normal((6, 6)) / 10
    with caplog.at_level(logging.INFO, logger=LOGGER):
        LyapunovEquation(E @ A, time, E=E).solve(hermitian(rng, 6, float, (20,)))
    assert caplog.messages == []


@pytest.mark.parametrize("time", TIMES)
def test_unstable_items_are_named(time, rng):
    equation = LyapunovEquation(mixed(time, unstable=True), time)
    with pytest.raises(UnstableSystemError, match=r"of batch item 8\) is not stable"):
        equation.factor(rng.standard_normal((20, 2)))


def test_items_out_of_range_are_named():
    A = np.zeros((17, 20, 20), np.float32)
    A[4] = hump()
    with pytest.raises(IllConditionedError, match=r"batch item 4 leaves .* of float32"):
        LyapunovEquation(A, Discrete()).factor(np.ones((20, 1), np.float32))


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", [np.float32, np.complex128])
def test_stacks_equal_loops(time, dtype, rng):
    # More than one chunk of the iteration.
    system = random_stable_system(rng, 3, 2, 1, time, dtype=dtype, batch=(2, 300))
    Q = hermitian(rng, 3, dtype, (2, 300))
    equation = LyapunovEquation(system.A, time)
    X, L = equation.solve(Q), equation.factor(system.B)
    limit = 2e3 * np.finfo(dtype).eps
    for i in [(0, 0), (0, 299), (1, 0), (1, 211), (1, 212), (1, 213), (1, 299)]:
        alone = LyapunovEquation(system.A[i], time)
        expected = alone.solve(Q[i])
        atol = limit * abs(expected).max()
        np.testing.assert_allclose(X[i], expected, rtol=0, atol=atol)
        expected = squared(alone.factor(system.B[i]))
        atol = limit * abs(expected).max()
        np.testing.assert_allclose(squared(L[i]), expected, rtol=0, atol=atol)


@pytest.mark.parametrize("time", TIMES)
def test_large_or_few_items_are_not_iterated(time, rng, monkeypatch):
    from hankelcut.lti.equations import _stacked

    def fail(*arguments):
        raise AssertionError

    monkeypatch.setattr(_stacked, "iterated_solution", fail)
    monkeypatch.setattr(_stacked, "iterated_factors", fail)
    for batch, n in (((15,), 3), ((16,), 65)):
        system = random_stable_system(rng, n, 2, 1, time, batch=batch)
        equation = LyapunovEquation(system.A, time)
        assert equation.solve(np.eye(n)).shape == (*batch, n, n)
        L = equation.factor(system.B)
        assert L.shape == (*batch, n, n)
        i = batch[0] - 1
        assert factor_residual_units(system.A[i], L[i], system.B[i], time) <= UNITS
