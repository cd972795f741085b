from dataclasses import replace

import numpy as np
import pytest

from hankelcut import (
    IllConditionedError,
    InvalidSystemError,
    UnstableSystemError,
)
from hankelcut.lti import (
    Continuous,
    Discrete,
    StateSpace,
    error_system,
    frequency_response,
    hinf_norm,
    impulse_response,
    is_stable,
    load,
    parallel,
    time_limited_controllability_gramian,
    time_limited_observability_gramian,
    to_dense,
)
from hankelcut.reduction import balanced_truncation, time_limited_truncation
from hankelcut.validation import random_diagonal_system, random_stable_system
from tests.helpers import DTYPES, TIMES, fields_of, on
from tests.reduction.methods.assertions import (
    assert_modified_bound_holds,
    assert_same_response,
    widened,
)
from tests.reduction.methods.gramian_integrals import (
    characteristic_values,
    whole_boundary,
)

KINDS = [np.float64, np.complex128]


def horizon_of(time):
    return 1.7 if time == Continuous() else 7


def unstable_system(rng, time, dtype=np.float64):
    """A system of 6 states, 2 inputs and 3 outputs, two of its poles unstable."""
    stable = random_stable_system(rng, 4, 2, 3, time, dtype=dtype)
    poles = [0.3, 0.6] if time == Continuous() else [1.2, -1.1]
    B, C = rng.standard_normal((2, 2)), rng.standard_normal((3, 2))
    return to_dense(parallel(stable, StateSpace(np.diag(poles), B, C, time=time)))


def horizon_error(system, reduced, horizon):
    """Norm of the impulse response of the error up to the horizon, by its Gramian."""
    error = to_dense(error_system(system, reduced))
    P = time_limited_controllability_gramian(error, horizon)
    square = np.trace(error.C @ P @ error.C.conj().T).real
    return float(np.sqrt(max(square, 0.0)))


# The definition


@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("time", TIMES)
def test_values_are_those_of_the_limited_gramians(time, dtype, rng):
    for system in (
        random_stable_system(rng, 6, 2, 3, time, dtype=dtype),
        unstable_system(rng, time, dtype),
    ):
        horizon = horizon_of(time)
        result = time_limited_truncation(system, horizon=horizon, order=3)
        P = time_limited_controllability_gramian(system, horizon)
        Q = time_limited_observability_gramian(system, horizon)
        theirs = characteristic_values(P, Q)
        values = result.characteristic_values
        np.testing.assert_allclose(values, theirs, rtol=1e-9, atol=1e-7 * theirs[0])
        assert result.values_name == "time-limited Hankel singular values"
        assert max(result.certify().gramian_residuals) < 1e-13


def test_sums_of_a_short_horizon_are_the_definition(rng):
    system = unstable_system(rng, Discrete(0.1))
    powers = [np.linalg.matrix_power(system.A, k) for k in range(4)]
    P = sum(M @ system.B @ system.B.T @ M.T for M in powers)
    Q = sum(M.T @ system.C.T @ system.C @ M for M in powers)
    values = time_limited_truncation(system, horizon=4, order=2).characteristic_values
    np.testing.assert_allclose(values, characteristic_values(P, Q), rtol=1e-8)


@pytest.mark.parametrize("modified", [False, True])
@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("time", TIMES)
def test_long_horizons_are_balanced_truncation(time, dtype, modified, rng):
    system = random_stable_system(rng, 6, 2, 3, time, dtype=dtype)
    ours = time_limited_truncation(system, horizon=3000, modified=modified, order=3)
    theirs = balanced_truncation(system, order=3)
    values = theirs.characteristic_values
    np.testing.assert_allclose(
        ours.characteristic_values, values, rtol=0, atol=1e-11 * values[0]
    )
    z, _ = whole_boundary(time, 50)
    assert_same_response(ours.system, theirs.system, z, 1e-9)
    if modified:
        assert float(ours.error_bound) == pytest.approx(float(theirs.error_bound))


# The promise


@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("time", TIMES)
def test_bound_of_the_modification_holds(time, dtype, rng):
    system = random_stable_system(rng, 6, 2, 3, time, dtype=dtype)
    for order in (0, 2, 5):
        result = time_limited_truncation(
            system, horizon=horizon_of(time), modified=True, order=order
        )
        assert_modified_bound_holds(system, result)


def test_limits_pay_on_the_building(data_folder):
    path = data_folder / "slicot" / "build.mat"
    if not path.is_file():
        pytest.skip(f"no {path}")
    system, horizon, order = load(path), 0.3, 10
    ours = time_limited_truncation(system, horizon=horizon, order=order)
    theirs = balanced_truncation(system, order=order)
    error, other = (
        horizon_error(system, result.system, horizon) for result in (ours, theirs)
    )
    assert error < 0.1 * other
    assert ours.error_bound is None
    assert "beyond the horizon" in ours.bound.condition


@pytest.mark.parametrize("time", TIMES)
def test_unstable_systems_are_followed_up_to_the_horizon(time, rng):
    system, horizon = unstable_system(rng, time), horizon_of(time)
    nothing = replace(system, A=0.1 * system.A, B=0 * system.B, D=0 * system.D)
    size = horizon_error(replace(system, D=0 * system.D), nothing, horizon)
    errors = [
        horizon_error(
            system,
            time_limited_truncation(system, horizon=horizon, order=order).system,
            horizon,
        )
        for order in (2, 4, 6)
    ]
    assert errors[2] < 1e-9 * size
    assert errors[1] < 0.2 * size
    result = time_limited_truncation(system, horizon=horizon, order=4)
    if not bool(is_stable(result.system)):
        assert "order 4 is not stable; its response is that" in result.warnings[0]
    assert result.error_bound is None


def test_responses_of_models_agree_up_to_the_horizon(rng):
    system = unstable_system(rng, Discrete(0.1))
    result = time_limited_truncation(system, horizon=8, order=6)
    np.testing.assert_allclose(
        impulse_response(result.system, n_samples=8),
        impulse_response(system, n_samples=8),
        rtol=0,
        atol=1e-9,
    )


def test_models_that_are_not_stable_are_noted():
    rng = np.random.default_rng(0)
    system = random_stable_system(rng, 8, 2, 3)
    result = time_limited_truncation(system, horizon=1.7, order=3)
    assert not bool(is_stable(result.system))
    assert result.warnings == (
        "the model of order 3 is not stable; its response is that of the system up to "
        "the horizon only",
    )
    result = time_limited_truncation(system, horizon=1.7, modified=True, order=3)
    assert bool(is_stable(result.system))
    assert result.warnings == ()


@pytest.mark.parametrize("time", TIMES)
def test_the_modification_keeps_the_unstable_part(time, rng):
    system = unstable_system(rng, time)
    result = time_limited_truncation(
        system, horizon=horizon_of(time), modified=True, order=4
    )
    poles = np.linalg.eigvals(result.system.A)
    sizes = poles.real if time == Continuous() else np.abs(poles)
    expected = [0.3, 0.6] if time == Continuous() else [1.1, 1.2]
    np.testing.assert_allclose(np.sort(sizes)[-2:], expected, rtol=1e-9)
    assert bool(result.certify().bound_holds)
    growing = replace(system, A=3 * np.eye(6))
    with pytest.raises(UnstableSystemError, match="no pole is stable"):
        time_limited_truncation(growing, horizon=2, modified=True, order=3)


def test_nothing_is_seen_of_no_time(rng):
    system = random_stable_system(rng, 4, 2, 3)
    for modified in (False, True):
        result = time_limited_truncation(
            system, horizon=0.0, modified=modified, energy_tol=0.0
        )
        assert result.order == 0
        assert not result.characteristic_values.any()
        assert result.error_bound is None
        assert "no bound" in result.bound.condition


def test_error_tolerance_is_met(rng):
    system = random_stable_system(rng, 6, 2, 3)
    norm = float(hinf_norm(system).lower)
    ours = time_limited_truncation(system, horizon=5.0, error_tol=0.2, relative=True)
    assert float(ours.certify().hinf_error.upper) <= 0.21 * norm
    ours = time_limited_truncation(system, horizon=5.0, modified=True, error_tol=norm)
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
        time_limited_truncation(s, horizon=3.0, modified=modified, order=3)
        for s in (other, system)
    )
    values = theirs.characteristic_values
    np.testing.assert_allclose(
        ours.characteristic_values, values, rtol=1e-8, atol=1e-12 * values[0]
    )
    T, W = ours.right_projection, ours.left_projection
    np.testing.assert_allclose(W.T @ T, np.eye(3), atol=1e-9)
    np.testing.assert_allclose(ours.system.B, W.T @ other.B, rtol=1e-9)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("time", TIMES)
def test_arrays_stay_what_they_are(xp, time, dtype, rng):
    system = random_stable_system(rng, 6, 2, 3, time, dtype=dtype)
    horizon = horizon_of(time)
    result = time_limited_truncation(on(xp, system), horizon=horizon, order=3)
    for matrix in (*fields_of(result.system), result.left_projection):
        assert matrix.dtype == getattr(xp, dtype.__name__)
    theirs = time_limited_truncation(widened(system), horizon=horizon, order=3)
    reduced = StateSpace(*(xp.to_numpy(x) for x in fields_of(result.system)), time)
    # Off the poles, which may be anywhere.
    z = 5 + whole_boundary(time, 20)[0]
    assert_same_response(reduced, theirs.system, z, 1e3 * np.finfo(dtype).eps)


def test_diagonal_systems_are_taken(rng):
    for readout in ("complex", "real"):
        layer = random_diagonal_system(rng, 3, 2, 3, Discrete(0.1), readout)
        ours, theirs = (
            time_limited_truncation(s, horizon=20, order=2)
            for s in (layer, to_dense(layer))
        )
        assert np.iscomplexobj(ours.system.A) == (readout == "complex")
        points = np.array([0.1, 1.0, 3.0])
        np.testing.assert_allclose(
            frequency_response(ours.system, points),
            frequency_response(theirs.system, points),
            rtol=1e-9,
        )


def test_horizons_out_of_range_are_refused(rng):
    system = random_stable_system(rng, 4, 2, 3)
    layer = replace(system, A=0.1 * system.A, time=Discrete())
    message = "^time_limited_truncation: got horizon=-1.0, need a finite number >= 0"
    for modified in (False, True):
        with pytest.raises(InvalidSystemError, match=message):
            time_limited_truncation(system, horizon=-1.0, modified=modified, order=2)
        with pytest.raises(InvalidSystemError, match=r"horizon=2.5, need a finite num"):
            time_limited_truncation(layer, horizon=2.5, modified=modified, order=2)
    with pytest.raises(IllConditionedError, match="Gramian leaves the range of float"):
        time_limited_truncation(replace(system, A=-system.A), horizon=1e5, order=2)
    with pytest.raises(ValueError, match="need exactly one of order, error_tol"):
        time_limited_truncation(system, horizon=1.0)
