from dataclasses import replace

import numpy as np
import pytest

from hankelcut.lti import Continuous, Discrete, error_system
from hankelcut.lti.norms._bounded_real_frame import System
from hankelcut.lti.norms._modal_bracket import bracket_modal
from hankelcut.lti.norms._modal_form import modal_form
from hankelcut.validation import random_stable_system
from tests.exact import mpmath
from tests.helpers import TIMES

DOUBLES = [np.float64, np.complex128]


def matrices_of(system):
    return System(system.A, system.B, system.C, system.D, system.time)


def random_system(rng, time, dtype=np.float64, condition=1.0, n=5):
    """Random system in coordinates of a given condition, not balanced."""
    system = random_stable_system(rng, n, 2, 3, time, dtype=dtype, margin=0.02)
    U, V = (np.linalg.qr(rng.standard_normal((n, n)))[0] for _ in range(2))
    scales = np.geomspace(1, condition, n)
    T, inverse = (U * scales) @ V, (V.T / scales) @ U.T
    A, B, C = inverse @ system.A @ T, inverse @ system.B, system.C @ T
    return System(A, B, C, system.D, time)


def exact_distance(system, form, frequency):
    """Distance of the responses at a frequency, in 40-digit arithmetic."""
    with mpmath.workdps(40):
        z = mpmath.mpc(0, frequency)
        z = z if isinstance(system.time, Continuous) else mpmath.exp(z)
        A, B, C, b, c = (
            mpmath.matrix(x.tolist())
            for x in (system.A, system.B, system.C, form.B, form.C)
        )
        dense = C * (z * mpmath.eye(A.rows) - A) ** -1 * B
        inverse = [1 / (z - mpmath.mpmathify(complex(pole))) for pole in form.poles]
        difference = dense - c * mpmath.diag(inverse) * b
        entries = np.array(difference.tolist()).astype(complex)
    return float(np.linalg.norm(entries, 2))


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", DOUBLES)
@pytest.mark.parametrize("condition", [1.0, 1e2, 1e4])
def test_distance_bounds_that_of_the_exact_responses(time, dtype, condition, rng):
    system = random_system(rng, time, dtype, condition)
    form = modal_form(system)
    points = form.poles.imag if isinstance(time, Continuous) else np.angle(form.poles)
    points = np.concatenate([points, [0.0, 0.3, 2.0]])
    errors = [exact_distance(system, form, w) for w in points]
    assert 0 < max(errors) <= form.distance
    # And is of use: some digits are lost to the condition, never all of them.
    assert form.distance <= 1e-9 * condition**2 * max(form.gains(points))


@pytest.mark.parametrize("time", TIMES)
def test_gains_are_those_of_the_response(time, rng):
    system = random_system(rng, time)
    form, frequencies = modal_form(system), np.array([0.0, 0.7, -2.0])
    points = 1j * frequencies
    if isinstance(time, Discrete):
        points = np.exp(points)
    responses = [
        system.C @ np.linalg.solve(z * np.eye(5) - system.A, system.B) + system.D
        for z in points
    ]
    expected = np.linalg.norm(responses, 2, axis=(1, 2))
    np.testing.assert_allclose(form.gains(frequencies), expected, rtol=1e-10)


@pytest.mark.parametrize("time", TIMES)
def test_uncoupled_states_are_taken_apart(time, rng):
    # Three systems of 2, 5 and 2 states side by side, their states shuffled.
    parts = [random_system(rng, time, n=n) for n in (2, 5, 2)]
    A = np.zeros((9, 9))
    for start, part in zip((0, 2, 7), parts, strict=True):
        A[start : start + len(part.A), start : start + len(part.A)] = part.A
    B, C = np.vstack([x.B for x in parts]), np.hstack([x.C for x in parts])
    order = rng.permutation(9)
    shuffled = replace(parts[0], A=A[np.ix_(order, order)], B=B[order], C=C[:, order])
    form, forms = modal_form(shuffled), [modal_form(part) for part in parts]
    assert form.distance == pytest.approx(sum(x.distance for x in forms), rel=0.5)
    expected = np.sort_complex(np.concatenate([x.poles for x in forms]))
    np.testing.assert_allclose(np.sort_complex(form.poles), expected, rtol=1e-12)


def test_symmetric_states_have_orthogonal_modes(rng):
    system = random_system(rng, Continuous())
    symmetric = replace(system, A=-system.A @ system.A.T - 0.1 * np.eye(5))
    form = modal_form(symmetric)
    assert not np.any(form.poles.imag)
    points = np.array([0.0, 0.5, 3.0])
    errors = [exact_distance(symmetric, form, w) for w in points]
    assert max(errors) <= form.distance <= 1e-9 * max(form.gains(points))


@pytest.mark.parametrize("time", TIMES)
def test_unstable_systems_have_none(time, rng):
    system = random_system(rng, time)
    poles = np.linalg.eigvals(system.A)
    worst = np.max(poles.real if isinstance(time, Continuous) else abs(poles))
    for beyond in (1e-14, 1.0):
        if isinstance(time, Continuous):
            A = system.A + (beyond - worst) * np.eye(5)
        else:
            A = system.A * ((1 + beyond) / worst)
        assert modal_form(replace(system, A=A)) is None


@pytest.mark.parametrize("time", TIMES)
def test_defective_systems_have_no_bracket(time, rng):
    system = random_system(rng, time)
    block = 0.5 * np.eye(5) + np.eye(5, k=1)
    Q = np.linalg.qr(rng.standard_normal((5, 5)))[0]
    block = block if isinstance(time, Discrete) else -block
    for A in (block, Q @ block @ Q.T):
        assert bracket_modal(replace(system, A=A), 0.01) is None


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", DOUBLES)
@pytest.mark.parametrize("rtol", [0.01, 1e-6])
def test_bracket_is_that_of_the_diagonal_system(time, dtype, rtol, rng):
    system = random_stable_system(rng, 9, 2, 3, time, dtype=dtype, margin=1e-3)
    ours = bracket_modal(matrices_of(system), rtol).bracket
    assert ours.certified
    assert ours.closed
    assert ours.lower <= ours.upper <= (1 + rtol) * ours.lower
    gains = modal_form(matrices_of(system)).gains(np.array([ours.frequency]))
    assert ours.lower == pytest.approx(gains[0], rel=0.02 * rtol)


@pytest.mark.parametrize("time", TIMES)
def test_no_bracket_where_the_width_is_lost_in_rounding(time, rng):
    # Two realizations of one system: their difference is nothing but rounding.
    system = random_stable_system(rng, 6, 2, 3, time)
    Q = np.linalg.qr(rng.standard_normal((6, 6)))[0]
    same = replace(system, A=Q @ system.A @ Q.T, B=Q @ system.B, C=system.C @ Q.T)
    assert bracket_modal(matrices_of(error_system(system, same)), 0.01) is None
    assert bracket_modal(matrices_of(system), 1e-15) is None


def test_no_bracket_of_systems_with_many_channels(rng):
    # A response of 5 x 5 entries of 9 states costs more than level sets.
    system = random_stable_system(rng, 9, 5, 5)
    assert bracket_modal(matrices_of(system), 0.01) is None
    assert bracket_modal(matrices_of(random_stable_system(rng, 9, 4, 4)), 0.01)
