from dataclasses import replace

import numpy as np
import pytest

from hankelcut.lti import Continuous, Discrete, StateSpace, error_system
from hankelcut.lti.norms._bounded_real_frame import System
from hankelcut.lti.norms._modal_form import modal_form
from hankelcut.lti.norms._modal_h2 import h2_of_modes
from hankelcut.validation import random_stable_system
from tests.exact import mpmath
from tests.helpers import TIMES

DOUBLES = [np.float64, np.complex128]


def matrices_of(system):
    return System(system.A, system.B, system.C, system.D, system.time)


def exact_h2(system):
    """H2 norm of the double precision data, by 40-digit Gramians."""
    with mpmath.workdps(40):
        A, B, C, D = (
            mpmath.matrix(x.tolist()) for x in (system.A, system.B, system.C, system.D)
        )
        n = A.rows
        eye, conj = mpmath.eye(n), A.apply(mpmath.conj)
        if isinstance(system.time, Continuous):
            operator = kron(A, eye) + kron(eye, conj)
        else:
            operator = kron(A, conj) - kron(eye, eye)
        right = B * B.H
        rows = mpmath.matrix([-right[i, j] for i in range(n) for j in range(n)])
        flat = mpmath.lu_solve(operator, rows)
        P = mpmath.matrix(n, n)
        for i in range(n):
            for j in range(n):
                P[i, j] = flat[n * i + j]
        square = sum((C * P * C.H)[i, i].real for i in range(C.rows))
        if isinstance(system.time, Discrete):
            square += sum(abs(x) ** 2 for x in D)
        return float(mpmath.sqrt(square))


def kron(left, right):
    n = left.rows
    product = mpmath.matrix(n * n, n * n)
    for i in range(n):
        for j in range(n):
            for k in range(n):
                for m in range(n):
                    product[n * i + k, n * j + m] = left[i, j] * right[k, m]
    return product


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", DOUBLES)
def test_norm_is_that_of_the_exact_gramian(time, dtype, rng):
    system = random_stable_system(rng, 5, 2, 3, time, dtype=dtype, margin=0.02)
    if isinstance(time, Continuous):
        system = replace(system, D=0 * system.D)
    form = modal_form(matrices_of(system))
    assert h2_of_modes(form, 1e-9) == pytest.approx(exact_h2(system), rel=1e-12)


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("share", [1e-1, 1e-3, 1e-5, 1e-7])
def test_what_is_proven_of_a_small_difference_is_true(time, share, rng):
    system = random_stable_system(rng, 4, 2, 3, time, margin=0.02)
    close = replace(system, C=(1 + share) * system.C)
    error = error_system(system, close)
    if isinstance(time, Continuous):
        error = replace(error, D=0 * error.D)
    form, exact = modal_form(matrices_of(error)), exact_h2(error)
    proven = [rtol for rtol in 10.0 ** np.arange(-14, 0) if h2_of_modes(form, rtol)]
    for rtol in proven:
        assert abs(h2_of_modes(form, rtol) - exact) <= rtol * exact
    # A difference of this share of the system costs twice its digits in a square.
    assert not proven or proven[0] >= 1e-16 / share**2
    assert share < 1e-5 or proven[0] <= 1e-11 / share**2


def test_feedthrough_of_a_continuous_system_has_infinite_energy(rng):
    system = random_stable_system(rng, 4, 2, 3)
    form = modal_form(matrices_of(replace(system, D=np.ones((3, 2)))))
    assert h2_of_modes(form, 1e-6) == np.inf


def test_nothing_is_said_of_a_norm_that_is_lost_in_rounding(rng):
    system = random_stable_system(rng, 6, 2, 3)
    Q = np.linalg.qr(rng.standard_normal((6, 6)))[0]
    same = replace(system, A=Q @ system.A @ Q.T, B=Q @ system.B, C=system.C @ Q.T)
    error = error_system(system, same)
    assert isinstance(error, StateSpace)
    assert h2_of_modes(modal_form(matrices_of(error)), 0.1) is None
