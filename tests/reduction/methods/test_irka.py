from dataclasses import replace

import numpy as np
import pytest

from hankelcut.lti import (
    Continuous,
    Discrete,
    StateSpace,
    is_stable,
    parallel,
)
from hankelcut.reduction import balanced_truncation, irka
from hankelcut.reduction.methods._h2_error import ReducedModel
from hankelcut.reduction.methods.irka import _reflected, _relative_change
from hankelcut.validation import random_diagonal_system, random_stable_system
from tests.helpers import (
    DTYPES,
    TIMES,
    fields_of,
    h2_error,
    h2_part,
    on,
    unchecked_types,
)

WIDE = [np.float64, np.complex128]


def response(system, point, *, derivative=False):
    """C (z I - A)^-k B for k = 1, or its derivative by z."""
    inverse = np.linalg.inv(point * np.eye(system.n_states) - system.A)
    return (
        -system.C @ inverse @ inverse @ system.B
        if derivative
        else (system.C @ inverse @ system.B)
    )


# First-order necessary conditions


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", WIDE)
@pytest.mark.parametrize("channels", [(1, 1), (2, 3)])
@pytest.mark.parametrize("order", [1, 3])
def test_model_interpolates_at_its_mirror_images(time, dtype, channels, order, rng):
    system = random_stable_system(rng, 9, *channels, time, dtype=dtype)
    result = irka(system, order=order)
    assert result.warnings == ()
    reduced = result.system
    poles, vectors = np.linalg.eig(reduced.A)
    rows, columns = np.linalg.solve(vectors, reduced.B), reduced.C @ vectors
    for i, pole in enumerate(poles):
        point = -pole.conj() if time == Continuous() else 1 / pole.conj()
        b, c = rows[i].conj(), columns[:, i].conj()
        gap = response(system, point) - response(reduced, point)
        size = np.linalg.norm(response(system, point))
        assert np.linalg.norm(gap @ b) <= 1e-5 * size * np.linalg.norm(b)
        assert np.linalg.norm(c @ gap) <= 1e-5 * size * np.linalg.norm(c)
        slopes = [response(s, point, derivative=True) for s in (system, reduced)]
        gap = abs(c @ (slopes[0] - slopes[1]) @ b)
        size = np.linalg.norm(slopes[0]) * np.linalg.norm(b) * np.linalg.norm(c)
        assert gap <= 1e-5 * size


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", WIDE)
def test_error_is_that_of_pythagoras(time, dtype, rng):
    system = random_stable_system(rng, 10, 2, 3, time, dtype=dtype)
    reduced = irka(system, order=4).system
    squares = h2_part(system) ** 2 - h2_part(reduced) ** 2
    assert h2_error(system, reduced) ** 2 == pytest.approx(squares, rel=1e-6)


@pytest.mark.parametrize("time", TIMES)
def test_no_nearby_model_is_better(time, rng):
    system = random_stable_system(rng, 8, 2, 3, time)
    reduced = irka(system, order=3).system
    least = h2_error(system, reduced)
    for _ in range(30):
        steps = {k: rng.standard_normal(getattr(reduced, k).shape) for k in "ABC"}
        near = {k: getattr(reduced, k) + 1e-4 * step for k, step in steps.items()}
        assert h2_error(system, replace(reduced, **near)) >= least * (1 - 1e-9)


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", WIDE)
def test_error_is_never_larger_than_that_of_balanced_truncation(time, dtype, rng):
    better = 0
    for _ in range(5):
        n = int(rng.integers(4, 10))
        order = int(rng.integers(1, n))
        system = random_stable_system(rng, n, 1, 2, time, dtype=dtype, margin=0.02)
        result, truncated = (
            irka(system, order=order),
            balanced_truncation(system, order=order),
        )
        assert result.order == order
        assert bool(is_stable(result.system))
        error = h2_error(system, truncated.system)
        assert h2_error(system, result.system) <= error
        better += h2_error(system, result.system) < error * (1 - 1e-6)
    assert better >= 3


# Oracles


@pytest.mark.parametrize("time", TIMES)
def test_single_pole_is_the_best_of_a_scan(time):
    # Sums of decays: for the pole p, the best model leaves |G|^2 - G(s)^2 times the
    # squared norm of 1 / (s - p) inverted, at the mirror image of p.
    rates = np.array([0.2, 1.0, 3.0])
    poles = -rates if time == Continuous() else np.exp(-rates)
    system = StateSpace(np.diag(poles), np.ones((3, 1)), [[1.0, 0.5, 2.0]], time=time)
    scan = np.linspace(-4.0, -1e-3, 4000)
    candidates = scan if time == Continuous() else np.exp(scan)
    gains = []
    for pole in candidates:
        point = -pole if time == Continuous() else 1 / pole
        share = -2 * pole if time == Continuous() else (1 - pole**2) / pole**2
        gains.append(share * response(system, point)[0, 0] ** 2)
    best = np.sqrt(h2_part(system) ** 2 - max(gains))
    result = irka(system, order=1)
    assert h2_error(system, result.system) == pytest.approx(best, rel=1e-5)
    nearest = candidates[int(np.argmax(gains))]
    assert result.system.A[0, 0] == pytest.approx(nearest, abs=2e-3)


@pytest.mark.parametrize(("reductor", "channels"), [("IRKA", (1, 1)), ("TSIA", (2, 3))])
def test_model_is_that_of_pymor_where_it_converges(reductor, channels, rng):
    # pyMOR's IRKA ends elsewhere for several channels; its TSIA is the same iteration.
    h2 = pytest.importorskip("pymor.reductors.h2", reason="no pyMOR")
    from pymor.models.iosys import LTIModel

    converged = 0
    for _ in range(4):
        system = random_stable_system(rng, 10, *channels)
        model, start = (
            LTIModel.from_matrices(s.A, s.B, s.C, D=s.D)
            for s in (system, balanced_truncation(system, order=4).system)
        )
        iteration = getattr(h2, f"{reductor}Reductor")(model)
        A, B, C, _, E = iteration.reduce(start, tol=1e-9).to_matrices()
        if iteration.conv_crit[-1] > 1e-9:
            continue
        other = StateSpace.from_descriptor(np.eye(4) if E is None else E, A, B, C)
        ours = irka(system, order=4).system
        assert h2_error(ours, replace(other, D=system.D)) <= 1e-6 * h2_part(system)
        converged += 1
    assert converged >= 2


# Systems


@pytest.mark.parametrize("dtype", DTYPES)
def test_arrays_stay_what_they_are(xp, dtype, rng):
    time = Discrete(0.1)
    full = random_stable_system(rng, 5, 2, 3, time, dtype=dtype)
    system = on(xp, full)
    result = irka(system, order=2)
    assert result.order == result.system.n_states == 2
    assert result.system.time == time
    for ours, theirs in zip(fields_of(result.system), fields_of(system), strict=True):
        assert ours.dtype == theirs.dtype
    np.testing.assert_array_equal(xp.to_numpy(result.system.D), full.D)
    np.testing.assert_array_equal(xp.to_numpy(system.A), full.A)


@pytest.mark.parametrize("dtype", WIDE)
def test_projections_make_the_reduced_matrices(dtype, rng):
    system = random_stable_system(rng, 7, 2, 3, dtype=dtype)
    result = irka(system, order=3)
    T, Wh = result.right_projection, result.left_projection.conj().T
    np.testing.assert_allclose(Wh @ T, np.eye(3), atol=1e-10)
    np.testing.assert_allclose(Wh @ system.A @ T, result.system.A, atol=1e-9)
    np.testing.assert_allclose(Wh @ system.B, result.system.B, atol=1e-9)
    np.testing.assert_allclose(system.C @ T, result.system.C, atol=1e-9)


def test_diagonal_system_with_a_real_readout_becomes_a_real_model(rng):
    system = random_diagonal_system(rng, 5, 2, 3, readout="real")
    result = irka(system, order=4)
    assert result.system.A.dtype == np.float64
    truncated = balanced_truncation(system, order=2).system
    assert h2_error(system, result.system) <= h2_error(system, truncated)


def test_unstable_states_are_kept(rng):
    stable = random_stable_system(rng, 6, 2, 3)
    other = StateSpace([[0.4]], rng.standard_normal((1, 2)), [[1.0], [0.0], [2.0]])
    result = irka(parallel(stable, other), order=4)
    poles = np.linalg.eigvals(result.system.A)
    assert np.sum(poles.real > 0) == 1
    assert np.max(poles.real) == pytest.approx(0.4)
    alone = irka(stable, order=3)
    np.testing.assert_allclose(
        np.sort_complex(poles[poles.real < 0]),
        np.sort_complex(np.linalg.eigvals(alone.system.A)),
        rtol=1e-6,
    )


def test_all_states_and_none(rng):
    system = random_stable_system(rng, 5, 2, 3)
    whole = irka(system, order=5)
    assert h2_error(system, whole.system) <= 1e-12 * h2_part(system)
    nothing = irka(system, order=0)
    assert nothing.order == 0
    np.testing.assert_array_equal(nothing.system.D, system.D)


def test_nearly_uncontrollable_system_stops_at_its_rank(rng):
    system = random_stable_system(rng, 6, 2, 3)
    padded = StateSpace(
        np.block([[system.A, np.zeros((6, 2))], [np.zeros((2, 6)), -np.eye(2)]]),
        np.vstack([system.B, np.zeros((2, 2))]),
        np.hstack([system.C, np.ones((3, 2))]),
    )
    result = irka(padded, energy_tol=0.05)
    assert result.order <= 6
    reference = irka(system, order=result.order)
    assert h2_error(padded, result.system) == pytest.approx(
        h2_error(system, reference.system), rel=1e-5
    )


# Targets and settings


def test_tolerance_is_met_by_the_measured_error(rng):
    system = random_stable_system(rng, 8, 2, 3)
    result = irka(system, error_tol=0.1, relative=True)
    assert result.bound.value is None
    assert "balanced truncation" in result.bound.condition
    certificate = result.certify()
    norm = np.linalg.norm(certificate.hinf_error.upper)
    whole = balanced_truncation(system, order=0).certify().hinf_error.upper
    assert norm <= 0.1 * whole * 1.02
    assert certificate.bound_holds is None


def test_progress_is_told_and_may_end_the_reduction(rng):
    system = random_stable_system(rng, 8, 2, 3)
    told = []
    irka(system, order=3, progress=lambda k, change: told.append((k, change)))
    assert [k for k, _ in told] == list(range(1, len(told) + 1))
    assert told[-1][1] <= 1e-8 < told[0][1]

    def stop(iteration, change):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        irka(system, order=3, progress=stop)


def test_best_model_is_returned_where_iterations_run_out(rng):
    system = random_stable_system(rng, 12, 1, 1, margin=0.02)
    start = h2_error(system, balanced_truncation(system, order=3).system)
    result = irka(system, order=3, max_iterations=3)
    assert "ended after 3 of 3 steps without meeting tol=1e-08" in result.warnings[-1]
    assert h2_error(system, result.system) <= start
    untouched = irka(system, order=3, max_iterations=0)
    assert h2_error(system, untouched.system) == pytest.approx(start, rel=1e-12)
    assert untouched.warnings


def test_wandering_iteration_is_ended_by_a_descent():
    # Of these systems some let the interpolation wander; all end at an optimum.
    rng = np.random.default_rng(3)
    told, descents = [], 0
    for _ in range(12):
        system = random_stable_system(rng, 12, 1, 1, margin=0.02)
        told.clear()
        result = irka(system, order=1, progress=lambda k, change: told.append(k))
        # The descent tells of its start, too.
        descents += len(told) != len(set(told))
        assert result.warnings == ()
        squares = h2_part(system) ** 2 - h2_part(result.system) ** 2
        error = h2_error(system, result.system)
        assert error**2 == pytest.approx(squares, rel=1e-5)
    assert descents > 0


@pytest.mark.parametrize("dtype", WIDE)
def test_unstable_poles_are_reflected(dtype, rng):
    stable = random_stable_system(rng, 5, 1, 1, dtype=dtype)
    shifted = replace(stable, A=stable.A + 0.6 * np.eye(5))
    poles = np.linalg.eigvals(shifted.A)
    assert 0 < np.sum(poles.real > 0) < 5
    expected = np.where(poles.real > 0, -poles.conj(), poles)
    reflected = _reflected(ReducedModel(shifted)).system
    assert reflected.A.dtype == dtype
    found = np.linalg.eigvals(reflected.A)
    gaps = np.abs(found[:, None] - expected)
    assert gaps.min(axis=0).max() < 1e-12
    assert gaps.min(axis=1).max() < 1e-12


def test_unstable_discrete_poles_are_reflected():
    model = StateSpace(
        [[0.0, 0.0], [0.0, -2.0]], [[1.0], [1.0]], [[1.0, 1.0]], time=Discrete()
    )
    reflected = _reflected(ReducedModel(model)).system
    np.testing.assert_allclose(reflected.A, np.diag([0.0, -0.5]), atol=1e-15)


def test_wrong_settings_are_refused(rng):
    system = random_stable_system(rng, 4, 2, 3)
    with pytest.raises(ValueError, match=r"irka: got tol=0.0, need a number between"):
        irka(system, order=2, tol=0.0)
    with pytest.raises(ValueError, match=r"got max_iterations=-1, need a number >= 0"):
        irka(system, order=2, max_iterations=-1)
    with pytest.raises(ValueError, match=r"need exactly one of order, error_tol"):
        irka(system)
    stack = random_stable_system(rng, 4, 2, 3, batch=(2,))
    with unchecked_types(), pytest.raises(ValueError, match=r"irka: got a stack"):
        irka(stack, order=2)


def test_unstable_poles_without_eigenvectors_are_left_alone():
    model = StateSpace([[1.0, 1e308], [0.0, 1.0]], [[1.0], [1.0]], [[1.0, 1.0]])
    np.testing.assert_array_equal(_reflected(ReducedModel(model)).system.A, model.A)


def test_changes_of_poles_are_relative_to_their_sizes():
    before, after = (
        StateSpace(np.diag(poles), np.ones((3, 1)), np.ones((1, 3)))
        for poles in ([-100.0, -1.0, -1e-30], [-1.02, -100.0, 0.0])
    )
    assert _relative_change(before, after) == pytest.approx(0.02)
    assert _relative_change(after, before) == pytest.approx(0.02)


@pytest.mark.parametrize("dtype", WIDE)
def test_poles_at_zero_are_iterated_without_a_warning(dtype, rng):
    system = random_stable_system(rng, 4, 2, 2, Discrete(0.1), dtype=dtype)
    result = irka(replace(system, A=np.zeros_like(system.A)), order=1)
    np.testing.assert_allclose(result.system.A, 0.0, atol=1e-12)
