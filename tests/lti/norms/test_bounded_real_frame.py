from dataclasses import replace

import numpy as np
import pytest

from hankelcut.lti import Continuous, StateSpace, error_system, hinf_norm
from hankelcut.lti.norms._bounded_real_frame import (
    System,
    gramian_factors_of,
    own_frame,
    times_power_of_two,
)
from hankelcut.lti.responses._schur_response import SchurResponse
from hankelcut.validation import random_stable_system
from tests.helpers import TIMES, dense_response

FREQUENCIES = np.linspace(-3, 3, 41)


def both_frames(system):
    """Frames of the own and of balanced states, and the norm."""
    inner = System(system.A, system.B, system.C, system.D, system.time)
    response = SchurResponse.of(system.A, system.B, system.C, system.D, system.time)
    norm = float(hinf_norm(system).lower)
    own = own_frame(inner, response, FREQUENCIES, norm)
    return own, own.balanced(response, FREQUENCIES), norm


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_levels_are_proven_above_the_norm_only(time, dtype, rng):
    system = random_stable_system(rng, 8, 2, 3, time, dtype=dtype)
    own, balanced, norm = both_frames(system)
    for frame in (own, balanced):
        assert frame.prove(1.001 * norm, norm)[0]
        assert not frame.prove(0.999 * norm, 0.99 * norm)[0]


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_level_below_the_norm_is_crossed_beside_the_peak(time, dtype, rng):
    system = random_stable_system(rng, 8, 2, 3, time, dtype=dtype)
    peak = float(hinf_norm(system).frequency)
    for frame in both_frames(system)[:2]:
        norm = float(hinf_norm(system).lower)
        _, frequencies = frame.prove(0.999 * norm, 0.999 * norm * (1 - 1e-9))
        points = frequencies[np.argsort(abs(frequencies - peak))[:2]]
        z = 1j * points if isinstance(time, Continuous) else np.exp(1j * points)
        gains = np.linalg.svd(dense_response(system, z), compute_uv=False)[:, 0]
        assert np.min(abs(gains / (0.999 * norm) - 1)) <= 1e-6


@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_frames_hold_the_same_system(dtype, rng):
    system = random_stable_system(rng, 6, 2, 3, dtype=dtype)
    z = 1j * FREQUENCIES
    expected = dense_response(system, z)
    for frame in both_frames(system)[:2]:
        inner = frame.system
        inner = StateSpace(inner.A, inner.B, inner.C, inner.D)
        scale = 2.0 ** (2 * frame.half)
        response = scale * dense_response(inner, z)
        np.testing.assert_allclose(response, expected, rtol=1e-9, atol=1e-9)
        assert frame.enclosed.A.high.shape[0] == 6 * (1 + (dtype == np.complex128))


def test_states_that_cancel_become_small(rng):
    system = random_stable_system(rng, 6, 2, 3)
    change = replace(system, C=1e-8 * rng.standard_normal((3, 6)), D=0 * system.D)
    difference = error_system(replace(system, C=system.C + change.C), system)
    own, balanced, norm = both_frames(difference)
    scale = norm / 2.0 ** (2 * own.half)
    assert np.max(own.reach * own.outlook) > 1e6 * scale
    assert np.max(balanced.reach * balanced.outlook) < 1e2 * scale
    assert balanced.prove(1.000001 * norm, norm)[0]


@pytest.mark.parametrize("time", TIMES)
def test_factors_are_those_of_the_gramians(time, rng):
    system = random_stable_system(rng, 5, 2, 3, time)
    inner = System(system.A, system.B, system.C, system.D, system.time)
    for L, A, B in zip(
        gramian_factors_of(inner),
        (system.A, system.A.T),
        (system.B, system.C.T),
        strict=True,
    ):
        P = L @ L.T
        continuous = isinstance(time, Continuous)
        residual = A @ P + P @ A.T if continuous else A @ P @ A.T - P
        size = np.linalg.norm(P)
        np.testing.assert_allclose(residual, -B @ B.T, atol=1e-12 * size)


def test_gramians_without_rank_have_no_balanced_frame(rng):
    system = random_stable_system(rng, 4, 2, 3)
    own = both_frames(system)[0]
    response = SchurResponse.of(system.A, system.B, system.C, system.D, system.time)
    huge = replace(own, outlook=1e300 * own.outlook, reach=1e300 * own.reach)
    silent = replace(own.system, B=0 * own.system.B, C=0 * own.system.C)
    with pytest.raises(np.linalg.LinAlgError, match="singular to rounding"):
        replace(huge, system=silent).balanced(response, FREQUENCIES)


def test_powers_of_two_are_exact():
    matrix = np.array([[3.0 + 5.0j, -1e-300], [7.0, 2.0]])
    scaled = times_power_of_two(matrix, np.array([[10, 900], [-900, 0]]))
    expected = np.array([[3072.0 + 5120.0j, -1e-300 * 2.0**900], [7 * 2.0**-900, 2.0]])
    assert np.array_equal(scaled, expected)
