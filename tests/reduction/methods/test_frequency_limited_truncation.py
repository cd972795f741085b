import math
from dataclasses import replace

import numpy as np
import pytest

from hankelcut import InvalidSystemError, NumericalWarning, UnstableSystemError
from hankelcut.lti import (
    Continuous,
    DiagonalStateSpace,
    Discrete,
    StateSpace,
    error_system,
    frequency_response,
    hinf_norm,
    is_stable,
    load,
    parallel,
    to_dense,
)
from hankelcut.reduction import balanced_truncation, frequency_limited_truncation
from hankelcut.validation import random_diagonal_system, random_stable_system
from tests.helpers import DTYPES, TIMES, fields_of, grid_norm, on
from tests.reduction.methods.assertions import (
    assert_modified_bound_holds,
    assert_same_response,
    widened,
)
from tests.reduction.methods.gramian_integrals import (
    band_gramians,
    characteristic_values,
    exact_band_values,
    whole_boundary,
)

KINDS = [np.float64, np.complex128]
BANDS = [(0.0, 0.4), (0.3, 2.5)]


def whole_band(time, dtype):
    """The band of all frequencies."""
    end = math.inf if time == Continuous() else math.pi
    return (0.0 if dtype == np.float64 else -end, end)


# The definition


@pytest.mark.parametrize("band", BANDS)
@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("time", TIMES)
def test_values_are_those_of_the_band_integrals(time, dtype, band, rng):
    system = random_stable_system(rng, 6, 2, 3, time, dtype=dtype)
    result = frequency_limited_truncation(system, band=band, order=0)
    theirs = characteristic_values(*band_gramians(system, band))
    values = result.characteristic_values
    np.testing.assert_allclose(values, theirs, rtol=1e-9, atol=1e-6 * theirs[0])
    assert result.values_name == "frequency-limited Hankel singular values"
    assert max(result.certify().gramian_residuals) < 1e-13


@pytest.mark.parametrize("modified", [False, True])
@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("time", TIMES)
def test_whole_band_is_balanced_truncation(time, dtype, modified, rng):
    system = random_stable_system(rng, 6, 2, 3, time, dtype=dtype)
    ours = frequency_limited_truncation(
        system, band=whole_band(time, dtype), modified=modified, order=3
    )
    theirs = balanced_truncation(system, order=3)
    values = theirs.characteristic_values
    np.testing.assert_allclose(
        ours.characteristic_values, values, rtol=0, atol=1e-9 * values[0]
    )
    z, _ = whole_boundary(time, 50)
    assert_same_response(ours.system, theirs.system, z, 1e-9)
    if modified:
        assert float(ours.error_bound) == pytest.approx(float(theirs.error_bound))


def test_orders_stop_where_values_are_rounding():
    poles = np.array([-1.0, -2.0 + 1j, -3.0 - 2j, -4.0, -5.0 + 3j, -6.0])
    B, C = np.ones((6, 1)), np.array([[1.0, 2.0, -1.0, 3.0, 1.0, 2.0]])
    system = DiagonalStateSpace(poles, B, C, time=Continuous())
    exact = exact_band_values(poles, B, C, (-0.5, 1.5))
    assert exact[-1] < 1e-9 * exact[0]
    with pytest.warns(NumericalWarning, match="order 6 is above the numerical rank"):
        result = frequency_limited_truncation(system, band=(-0.5, 1.5), order=6)
    values, rank = result.characteristic_values, result.order
    assert 3 <= rank < 6
    np.testing.assert_allclose(values[:rank], exact[:rank], rtol=0.1)
    np.testing.assert_allclose(values, exact, rtol=1e-9, atol=1e-6 * exact[0])


# The promise


@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("time", TIMES)
def test_bound_of_the_modification_holds(time, dtype, rng):
    system = random_stable_system(rng, 6, 2, 3, time, dtype=dtype)
    for band in BANDS:
        for order in (0, 2, 5):
            result = frequency_limited_truncation(
                system, band=band, modified=True, order=order
            )
            assert_modified_bound_holds(system, result)


def in_band_error(system, reduced, frequencies):
    """Largest gain of the error over some frequencies."""
    error = frequency_response(system, frequencies) - frequency_response(
        reduced, frequencies
    )
    return grid_norm(error)


def test_limits_pay_on_the_building(data_folder):
    path = data_folder / "slicot" / "build.mat"
    if not path.is_file():
        pytest.skip(f"no {path}")
    system, band, order = load(path), (4.0, 6.0), 6
    frequencies = np.linspace(*band, 500)
    ours = frequency_limited_truncation(system, band=band, order=order)
    theirs = balanced_truncation(system, order=order)
    error, other = (
        in_band_error(system, result.system, frequencies) for result in (ours, theirs)
    )
    assert error < 0.01 * other
    assert ours.error_bound is None
    assert "Gawronski" in ours.bound.condition


@pytest.mark.parametrize("modified", [False, True])
def test_limits_pay_on_two_resonances(modified):
    poles = np.array([-0.05 + 1j, -1 + 40j])
    B, C = np.ones((2, 1)), np.array([[1.0, 80.0]])
    modes = to_dense(DiagonalStateSpace(poles, B, C, None, Continuous(), "twice_real"))
    ours = frequency_limited_truncation(
        modes, band=(0.5, 2.0), modified=modified, order=2
    )
    theirs = balanced_truncation(modes, order=2)
    frequencies = np.linspace(0.5, 2.0, 500)
    error, other = (
        in_band_error(modes, result.system, frequencies) for result in (ours, theirs)
    )
    assert error < (0.3 if modified else 0.05) * other


def test_models_that_are_not_stable_are_refused():
    rng = np.random.default_rng(0)
    system = random_stable_system(rng, 4, 1, 1, margin=0.01)
    message = "model of order 3 is not stable; choose another order, or modified=True"
    with pytest.raises(UnstableSystemError, match=message):
        frequency_limited_truncation(system, band=(0.2, 1.0), order=3)
    result = frequency_limited_truncation(
        system, band=(0.2, 1.0), modified=True, order=3
    )
    assert bool(is_stable(result.system))


@pytest.mark.parametrize("modified", [False, True])
@pytest.mark.parametrize("time", TIMES)
def test_unstable_part_is_kept(time, modified, rng):
    stable = random_stable_system(rng, 5, 2, 3, time)
    pole = 0.5 if time == Continuous() else 1.5
    B, C = rng.standard_normal((1, 2)), rng.standard_normal((3, 1))
    system = parallel(stable, StateSpace([[pole]], B, C, time=time))
    ours, theirs = (
        frequency_limited_truncation(
            plant, band=(0.0, 1.0), modified=modified, order=order
        )
        for plant, order in ((system, 4), (stable, 3))
    )
    np.testing.assert_allclose(
        np.linalg.eigvals(ours.system.A).real.max(), pole, rtol=1e-9
    )
    if not modified:
        np.testing.assert_allclose(
            ours.characteristic_values,
            theirs.characteristic_values,
            rtol=1e-7,
            atol=1e-7 * theirs.characteristic_values[0],
        )


def test_error_tolerance_is_met(rng):
    system = random_stable_system(rng, 6, 2, 3)
    norm = float(hinf_norm(system).lower)
    ours = frequency_limited_truncation(
        system, band=(0.0, 3.0), error_tol=0.2, relative=True
    )
    assert float(ours.certify().hinf_error.upper) <= 0.21 * norm
    ours = frequency_limited_truncation(
        system, band=(0.0, 3.0), modified=True, error_tol=norm
    )
    assert float(ours.error_bound) <= norm


# How it is called


@pytest.mark.parametrize("modified", [False, True])
def test_units_of_the_states_do_not_matter(modified, rng):
    system = random_stable_system(rng, 6, 2, 3)
    t = 10.0 ** np.array([4, -5, 0, 3, -2, 1])
    other = StateSpace(
        system.A / t[:, None] * t, system.B / t[:, None], system.C * t, system.D
    )
    ours, theirs = (
        frequency_limited_truncation(s, band=(0.0, 1.0), modified=modified, order=3)
        for s in (other, system)
    )
    values = theirs.characteristic_values
    np.testing.assert_allclose(
        ours.characteristic_values, values, rtol=1e-7, atol=1e-6 * values[0]
    )
    error = hinf_norm(error_system(ours.system, theirs.system), rtol=0.01).upper
    assert error < 1e-6 * float(hinf_norm(system).lower)
    T, W = ours.right_projection, ours.left_projection
    np.testing.assert_allclose(W.T @ T, np.eye(3), atol=1e-9)
    np.testing.assert_allclose(ours.system.B, W.T @ other.B, rtol=1e-9)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("time", TIMES)
def test_arrays_stay_what_they_are(xp, time, dtype, rng):
    system = random_stable_system(rng, 6, 2, 3, time, dtype=dtype)
    result = frequency_limited_truncation(
        on(xp, system), band=(0.0, 1.0), modified=True, order=3
    )
    for matrix in (*fields_of(result.system), result.left_projection):
        assert matrix.dtype == getattr(xp, dtype.__name__)
    theirs = frequency_limited_truncation(
        widened(system), band=(0.0, 1.0), modified=True, order=3
    )
    reduced = StateSpace(*(xp.to_numpy(x) for x in fields_of(result.system)), time)
    z, _ = whole_boundary(time, 20)
    assert_same_response(reduced, theirs.system, z, 1e3 * np.finfo(dtype).eps)


def test_diagonal_systems_are_taken(rng):
    for readout in ("complex", "real"):
        layer = random_diagonal_system(rng, 3, 2, 3, Discrete(0.1), readout)
        ours, theirs = (
            frequency_limited_truncation(s, band=(0.0, 2.0), order=2)
            for s in (layer, to_dense(layer))
        )
        assert np.iscomplexobj(ours.system.A) == (readout == "complex")
        points = np.array([0.1, 1.0, 3.0])
        np.testing.assert_allclose(
            frequency_response(ours.system, points),
            frequency_response(theirs.system, points),
            rtol=1e-7,
        )


def test_bands_out_of_range_are_refused(rng):
    system = random_stable_system(rng, 4, 2, 3)
    layer = replace(system, A=0.1 * system.A, time=Discrete())
    for modified in (False, True):
        message = r"^frequency_limited_truncation: got band=\(2.0, 1.0\), need 0 <= w1"
        with pytest.raises(InvalidSystemError, match=message):
            frequency_limited_truncation(
                system, band=(2.0, 1.0), modified=modified, order=2
            )
        with pytest.raises(InvalidSystemError, match="<= pi in radians per sample"):
            frequency_limited_truncation(
                layer, band=(1.0, 4.0), modified=modified, order=2
            )
    with pytest.raises(ValueError, match="need exactly one of order, error_tol"):
        frequency_limited_truncation(system, band=(0.0, 1.0))
