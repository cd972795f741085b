from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

from hankelcut import NumericalWarning
from hankelcut.lti import (
    DiagonalStateSpace,
    Discrete,
    StateSpace,
    error_system,
    frequency_response,
    h2_norm,
    peak_gain,
    stability_margin,
)
from hankelcut.reduction import balanced_truncation
from hankelcut.validation import random_diagonal_system, random_stable_system
from tests.helpers import READOUTS, TIMES, grid_norm, on, quietly


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("readout", READOUTS)
def test_certificate_of_a_diagonal_system(time, readout, rng):
    system = random_diagonal_system(rng, 6, 2, 3, time, readout)
    result = balanced_truncation(system, order=3)
    certificate = result.certify(rtol=1e-3)
    error = error_system(system, result.system)
    lower, upper = certificate.hinf_error.lower, certificate.hinf_error.upper
    grid = np.linspace(-np.pi, np.pi, 40_001)
    if not isinstance(time, Discrete):
        grid = 2 * np.tan(grid[1:-1] / 2)
    measured = grid_norm(frequency_response(error, grid))
    assert certificate.upper_end == "certified"
    assert measured <= float(upper) <= 1.0011 * float(lower)
    assert float(lower) <= 1.0001 * measured
    assert float(lower) <= float(result.error_bound)
    assert float(certificate.h2_error) == pytest.approx(float(h2_norm(error)))
    assert float(certificate.stability_margin) == pytest.approx(
        float(stability_margin(result.system))
    )
    assert float(certificate.error_bound) == float(result.error_bound)
    assert bool(certificate.bound_holds)


@pytest.mark.parametrize("time", TIMES)
def test_certificate_of_a_dense_system(time, rng):
    system = random_stable_system(rng, 6, 2, 3, time)
    result = balanced_truncation(system, order=3)
    certificate = result.certify(rtol=1e-4)
    gain, frequency = peak_gain(error_system(system, result.system))
    lower, upper = certificate.hinf_error.lower, certificate.hinf_error.upper
    assert certificate.upper_end == "certified"
    assert float(lower) == pytest.approx(float(gain), rel=1e-4)
    where = abs(float(certificate.hinf_error.frequency))
    assert where == pytest.approx(abs(float(frequency)), abs=0.01)
    assert float(gain) <= float(upper) * (1 + 1e-12)
    assert float(upper) <= 1.0001 * float(lower)
    assert float(upper) <= float(result.error_bound)
    assert bool(certificate.bound_holds)


def test_dense_system_beyond_proof_has_the_bound_as_its_end():
    n = 20
    A = 0.9 * np.eye(n) + 50 * np.eye(n, k=1)
    system = StateSpace(A, np.ones((n, 1)), np.ones((1, n)), time=Discrete())
    nothing = StateSpace(A[:0, :0], np.ones((0, 1)), np.ones((1, 0)), time=Discrete())
    result = replace(quietly(system, order=n), system=nothing)
    with pytest.warns(NumericalWarning, match="the a-priori bound, not certified"):
        certificate = result.certify()
    assert certificate.upper_end == "a priori"
    assert not bool(certificate.bound_holds)


@pytest.mark.parametrize("kind", [random_stable_system, random_diagonal_system])
def test_certificate_sees_a_broken_model(kind, rng):
    system = kind(rng, 6, 2, 3, Discrete())
    result = balanced_truncation(system, order=3)
    wrong = replace(result.system, B=1.5 * result.system.B)
    certificate = replace(result, system=wrong).certify()
    assert not bool(certificate.bound_holds)
    assert float(certificate.hinf_error.lower) > float(result.error_bound)


@pytest.mark.parametrize("kind", [random_stable_system, random_diagonal_system])
def test_certificates_of_a_batch(xp, kind, rng):
    full = kind(rng, 5, 2, 3, Discrete(), batch=(2,))
    certificate = balanced_truncation(on(xp, full), order=2).certify(rtol=1e-6)
    fields = (
        certificate.hinf_error.lower,
        certificate.hinf_error.upper,
        certificate.h2_error,
        certificate.error_bound,
        certificate.stability_margin,
        certificate.bound_holds,
    )
    for values in fields:
        assert tuple(values.shape) == (2,)
    for i in (0, 1):
        one = balanced_truncation(full[i], order=2).certify(rtol=1e-6)
        lower = xp.to_numpy(certificate.hinf_error.lower)[i]
        assert lower == pytest.approx(float(one.hinf_error.lower), rel=1e-6)
        h2 = xp.to_numpy(certificate.h2_error)[i]
        assert h2 == pytest.approx(float(one.h2_error), rel=1e-9)


@pytest.mark.parametrize("kind", [random_stable_system, random_diagonal_system])
def test_certificate_of_the_full_order_is_zero(kind, rng):
    system = kind(rng, 5, 2, 3, Discrete())
    certificate = balanced_truncation(system, order=5).certify()
    assert float(certificate.hinf_error.lower) <= 1e-12
    assert float(certificate.h2_error) <= 1e-12
    assert bool(certificate.bound_holds)


def test_certificate_of_no_states(rng):
    system = random_diagonal_system(rng, 5, 2, 3, Discrete(), "real")
    certificate = balanced_truncation(system, order=0).certify()
    expected = peak_gain(replace(system, D=None))[0]
    assert float(certificate.hinf_error.lower) == pytest.approx(
        float(expected), rel=1e-2
    )
    assert float(certificate.stability_margin) == np.inf


def test_result_is_complete_and_frozen(rng):
    system = random_stable_system(rng, 5, 2, 3)
    result = balanced_truncation(system, order=2)
    assert result.full is system
    assert result.method == "square-root balanced truncation"
    with pytest.raises(FrozenInstanceError):
        result.order = 3
    layer = random_diagonal_system(rng, 5, 2, 3, Discrete(), "real")
    for kind in ("real", "complex"):
        method = balanced_truncation(layer, order=2, map=kind).method
        assert method == f"square-root balanced truncation ({kind} map)"


def test_kinds_are_kept(rng):
    dense = balanced_truncation(random_stable_system(rng, 5, 2, 3), order=2)
    diagonal = balanced_truncation(random_diagonal_system(rng, 5, 2, 3), order=2)
    assert isinstance(dense.system, StateSpace)
    assert isinstance(diagonal.system, DiagonalStateSpace)
