from dataclasses import replace

import numpy as np
import pytest

from hankelcut.lti import Continuous, Discrete, hinf_norm
from hankelcut.lti.norms._bounded_real_certificate import (
    EnclosedSystem,
    enclose,
    is_bounded_real,
    middle,
)
from hankelcut.lti.norms._enclosure import Enclosure
from hankelcut.lti.norms._schur_bounded_real import far_point, solve_bounded_real
from hankelcut.validation import random_stable_system
from tests.helpers import TIMES


def enclosed(system):
    matrices = (
        enclose(matrix, as_complex=np.iscomplexobj(system.A))
        for matrix in (system.A, system.B, system.C, system.D)
    )
    return EnclosedSystem(None, *matrices, system.time)


def solution(system, level, weight):
    """X at a level, of the system with a small output of every state more."""
    n, m = system.B.shape
    real = not np.iscomplexobj(system.A)
    X, _ = solve_bounded_real(
        (
            system.A,
            system.B,
            np.vstack([system.C, weight * np.eye(n)]),
            np.vstack([system.D, np.zeros((n, m))]),
        ),
        level,
        system.time,
        far_point(np.linalg.eigvals(system.A), real=real),
    )
    return X


def proves(system, X, level):
    X = enclose(X, as_complex=np.iscomplexobj(system.A))
    return is_bounded_real(enclosed(system), X, level)


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
@pytest.mark.parametrize("share", [1e-7, 1e-4, 1e-2, 1.0])
def test_level_above_the_norm_is_proven(time, dtype, share, rng):
    system = random_stable_system(rng, 7, 2, 3, time, dtype=dtype)
    norm = float(hinf_norm(system, rtol=1e-8).lower)
    level = (1 + share) * norm
    X = solution(system, level, 0.03 * np.sqrt(share))
    np.testing.assert_allclose(X, X.conj().T, rtol=1e-12)
    assert np.isrealobj(X) == (dtype == np.float64)
    assert proves(system, X, level)


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
@pytest.mark.parametrize("seed", range(5))
def test_level_below_the_norm_is_never_proven(time, dtype, seed):
    rng = np.random.default_rng(seed)
    system = random_stable_system(rng, 5, 2, 3, time, dtype=dtype)
    norm = float(hinf_norm(system, rtol=1e-8).lower)
    solutions = [np.zeros((5, 5)), np.eye(5)]
    shares = (1e-12, 1e-6, 0.1)
    for share in shares:
        for weight in (0.0, 1e-4):
            solutions.append(solution(system, (1 - share) * norm, weight))
        # Those of higher levels are as near as any.
        solutions.append(solution(system, (1 + share) * norm, 1e-9))
    candidates = [X for X in solutions if X is not None]
    for share in shares:
        for X in candidates:
            assert not proves(system, X, (1 - share) * norm)


@pytest.mark.parametrize("time", TIMES)
def test_level_of_a_first_order_system_to_the_last_digits(time):
    # Gain 6 at frequency 0; the inequality is 2 x 2 and has X = [[6]] at level 6.
    discrete = isinstance(time, Discrete)
    pole = 0.5 if discrete else -0.5
    system = random_stable_system(np.random.default_rng(0), 1, 1, 1, time)
    system = replace(
        system, A=[[pole]], B=[[1.0]], C=[[3.0]], D=np.zeros((1, 1)), time=time
    )
    assert not any(
        proves(system, np.array([[x]]), 6 * (1 - 1e-15)) for x in np.linspace(1, 40, 99)
    )
    X = solution(system, 6 * (1 + 1e-10), 1e-7)
    assert proves(system, X, 6 * (1 + 1e-9))


def test_uncertainty_of_the_data_is_respected(rng):
    system = random_stable_system(rng, 4, 2, 3)
    norm = float(hinf_norm(system).lower)
    level = 1.01 * norm
    X = enclose(solution(system, level, 1e-2), as_complex=False)
    whole = enclosed(system)
    assert is_bounded_real(whole, X, level)
    # B may be 2 % larger: the gain may be above the level.
    wide = Enclosure(whole.B.high, whole.B.low, 0.02 * abs(whole.B.high))
    assert not is_bounded_real(replace(whole, B=wide), X, level)


@pytest.mark.parametrize("time", TIMES)
def test_descriptor_form_is_the_same_system(time, rng):
    system = random_stable_system(rng, 6, 2, 3, time)
    norm = float(hinf_norm(system).lower)
    E = np.linalg.qr(rng.standard_normal((6, 6)))[0] * np.geomspace(1, 30, 6)
    scaled = replace(system, A=E @ system.A, B=E @ system.B)
    whole = replace(enclosed(scaled), E=enclose(E, as_complex=False))
    inverse = np.linalg.inv(E)
    for share, expected in ((1e-6, True), (-1e-6, False)):
        level = (1 + share) * norm
        X = inverse.T @ solution(system, (1 + 1e-6) * norm, 1e-4) @ inverse
        X = enclose((X + X.T) / 2, as_complex=False)
        assert is_bounded_real(whole, X, level) is expected


def test_no_number_proves_nothing():
    system = random_stable_system(np.random.default_rng(1), 3, 2, 2)
    X = np.full((3, 3), np.inf)
    with np.errstate(invalid="ignore"):
        assert not proves(system, X, 1e6)


def test_complex_matrices_come_back(rng):
    matrix = rng.standard_normal((3, 2)) + 1j * rng.standard_normal((3, 2))
    whole = enclose(matrix, as_complex=True)
    assert whole.high.shape == (6, 4)
    assert np.array_equal(middle(whole, is_complex=True), matrix)
    assert np.array_equal(
        middle(whole @ whole.transposed, is_complex=False).shape, (6, 6)
    )


def test_far_point_keeps_its_distance(rng):
    near_minus_one = np.array([-0.99, 0.3, 0.2 + 0.5j, 0.2 - 0.5j])
    assert far_point(near_minus_one, real=True) == -1.0
    assert far_point(-near_minus_one, real=True) == 1.0
    both = np.array([-0.99, 0.99])
    point = far_point(both, real=True)
    assert abs(point) == pytest.approx(1.0, rel=1e-15)
    assert np.min(abs(both + point)) > 1.0


def test_mapped_point_between_poles_on_both_ends(rng):
    # Real poles next to 1 and to -1: the map is complex, X is real.
    system = random_stable_system(rng, 2, 2, 3, Discrete())
    system = replace(system, A=np.diag([0.999, -0.999]))
    norm = float(hinf_norm(system).lower)
    X = solution(system, 1.001 * norm, 1e-3)
    assert np.isrealobj(X)
    assert proves(system, X, 1.001 * norm)


def test_feedthrough_above_the_level_has_no_solution(rng):
    system = random_stable_system(rng, 4, 2, 3, Continuous())
    level = 0.9 * np.linalg.norm(system.D, 2)
    assert solution(system, level, 0.0) is None
