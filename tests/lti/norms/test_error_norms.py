from dataclasses import replace

import numpy as np
import pytest

from hankelcut.lti import Continuous, h2_norm, hinf_norm
from hankelcut.lti.norms.error_norms import error_norms
from hankelcut.validation import random_diagonal_system, random_stable_system
from tests.helpers import DTYPES, TIMES, on


def proper(system):
    """System with a finite H2 norm."""
    return replace(system, D=0 * system.D) if system.time == Continuous() else system


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("batch", [(), (2, 3)])
def test_norms_are_those_of_the_single_functions(xp, time, dtype, batch, rng):
    system = proper(random_stable_system(rng, 7, 2, 3, time, dtype=dtype, batch=batch))
    system = on(xp, system)
    bracket, h2 = error_norms(system, rtol=1e-3)
    expected, expected_h2 = hinf_norm(system, rtol=1e-3), h2_norm(system)
    for name in ("lower", "upper", "frequency"):
        own, other = getattr(bracket, name), getattr(expected, name)
        assert own.dtype == other.dtype
        np.testing.assert_array_equal(np.asarray(own), np.asarray(other))
    assert h2.dtype == expected_h2.dtype
    single = "32" in str(h2.dtype)
    rtol = 2e-5 if single else 1e-9
    np.testing.assert_allclose(np.asarray(h2), np.asarray(expected_h2), rtol=rtol)


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("exponent", [-301, 40, 301])
def test_units_scale_the_norms(time, exponent, rng):
    system = proper(random_stable_system(rng, 5, 2, 3, time, margin=1e-2))
    scaled = replace(system, C=2.0**exponent * system.C, D=2.0**exponent * system.D)
    _, h2 = error_norms(system, rtol=1e-3)
    assert error_norms(scaled, rtol=1e-3)[1] == pytest.approx(2.0**exponent * h2)


@pytest.mark.parametrize("rate", [-301, 1, 40])
def test_the_unit_of_time_scales_the_norms(rate, rng):
    system = proper(random_stable_system(rng, 5, 2, 3, margin=1e-2))
    faster = replace(system, A=2.0**rate * system.A, B=2.0**rate * system.B)
    bracket, h2 = error_norms(system, rtol=1e-3)
    own, own_h2 = error_norms(faster, rtol=1e-3)
    assert own.lower == pytest.approx(bracket.lower)
    assert own_h2 == pytest.approx(2.0 ** (rate / 2) * h2)


def test_no_h2_norm_without_a_diagonal_form(rng):
    defective = replace(
        proper(random_stable_system(rng, 5, 2, 3)), A=np.eye(5, k=1) - np.eye(5)
    )
    bracket, h2 = error_norms(defective, rtol=1e-3)
    assert h2 is None
    assert bracket.upper <= 1.001 * bracket.lower


@pytest.mark.parametrize("time", TIMES)
def test_diagonal_systems_have_their_own_bracket(time, rng):
    system = random_diagonal_system(rng, 4, 2, 3, time=time)
    bracket, h2 = error_norms(system, rtol=1e-3)
    assert h2 is None
    assert bracket.upper == hinf_norm(system, rtol=1e-3).upper
