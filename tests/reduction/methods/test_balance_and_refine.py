from dataclasses import replace

import numpy as np
import pytest

from hankelcut.lti import (
    Continuous,
    Discrete,
    StateSpace,
    h2_norm,
    is_stable,
    load,
    parallel,
)
from hankelcut.reduction import balance_and_refine, balanced_truncation, irka
from hankelcut.reduction.methods._h2_descent import descend
from hankelcut.reduction.methods._h2_error import H2Error, ReducedModel
from hankelcut.reduction.methods._h2_refinement import H2Refinement
from hankelcut.validation import random_stable_system
from tests.helpers import DTYPES, TIMES, fields_of, h2_error, h2_part, on

WIDE = [np.float64, np.complex128]


# Optimality


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", WIDE)
@pytest.mark.parametrize(("channels", "order"), [((1, 1), 1), ((2, 3), 3)])
def test_error_is_stationary_and_below_balanced_truncation(
    time, dtype, channels, order, rng
):
    system = random_stable_system(rng, 9, *channels, time, dtype=dtype)
    result = balance_and_refine(system, order=order)
    assert result.warnings == ()
    assert bool(is_stable(result.system))
    reduced, least = result.system, h2_error(system, result.system)
    assert least <= h2_error(system, balanced_truncation(system, order=order).system)
    squares = h2_part(system) ** 2 - h2_part(reduced) ** 2
    assert least**2 == pytest.approx(squares, rel=1e-5)
    for _ in range(5):
        slopes = []
        for name in "ABC":
            matrix = getattr(reduced, name)
            step = 1e-5 * rng.standard_normal(matrix.shape) * np.abs(matrix).max()
            ends = [
                h2_error(system, replace(reduced, **{name: matrix + sign * step})) ** 2
                for sign in (1, -1)
            ]
            slopes.append(abs(ends[0] - ends[1]))
            assert min(ends) >= least**2 * (1 - 1e-8)
        assert max(slopes) <= 1e-6 * least**2


@pytest.mark.parametrize("time", TIMES)
def test_minimum_is_that_of_irka_where_both_find_one(time):
    rng = np.random.default_rng(11)
    ratios = []
    for _ in range(6):
        system = random_stable_system(rng, 8, 2, 3, time)
        ours = h2_error(system, balance_and_refine(system, order=3).system)
        ratios.append(ours / h2_error(system, irka(system, order=3).system))
    # Different local minima are the exception.
    assert sum(abs(ratio - 1) < 1e-7 for ratio in ratios) >= 5


@pytest.mark.parametrize("time", TIMES)
def test_error_falls_from_step_to_step(time, rng):
    system = random_stable_system(rng, 10, 2, 3, time)
    errors = [
        h2_error(
            system, balance_and_refine(system, order=3, max_iterations=count).system
        )
        for count in range(6)
    ]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] == pytest.approx(
        h2_error(system, balanced_truncation(system, order=3).system), rel=1e-12
    )
    assert errors[-1] < errors[0]


def test_descent_starts_anywhere_and_returns_to_the_system(rng):
    # A model as large as the system itself can be right.
    system = replace(random_stable_system(rng, 3, 2, 3), D=np.zeros((3, 2)))
    problem = H2Error(system, float(h2_norm(system)))
    start = replace(system, A=1.1 * system.A, B=0.9 * system.B)
    descent = descend(
        problem,
        ReducedModel(start),
        tol=1e-6,
        max_iterations=200,
        progress=lambda iteration, slope: None,
    )
    assert h2_error(system, descent.point.model.system) < 1e-6 * h2_error(system, start)


def test_descent_needs_a_stable_minimal_start(rng):
    system = random_stable_system(rng, 4, 2, 3)
    problem = H2Error(system, 1.0)
    unstable = StateSpace([[1.0]], np.ones((1, 2)), np.ones((3, 1)))
    silent = StateSpace([[-1.0]], np.ones((1, 2)), np.zeros((3, 1)))
    for start in (unstable, silent):
        found = descend(
            problem,
            ReducedModel(start),
            tol=1e-6,
            max_iterations=5,
            progress=lambda iteration, slope: None,
        )
        assert found is None


# Published systems


@pytest.mark.parametrize(
    ("name", "order", "truncated", "refined"),
    [
        # Relative H2 errors; those of balanced truncation by SLICOT AB09AD.
        ("build", 10, 1.999e-1, 1.9705e-1),
        ("CDplayer", 20, 1.598e-5, 1.5943e-5),
        ("heat-cont", 5, 7.515e-4, 7.3592e-4),
        ("heat-cont", 10, 2.062e-7, 2.0246e-7),
    ],
)
def test_benchmarks_get_better_also_where_errors_are_tiny(
    data_folder, name, order, truncated, refined
):
    path = data_folder / "slicot" / f"{name}.mat"
    if not path.is_file():
        pytest.skip(f"no {path}")
    system = load(path)
    norm = float(h2_norm(system))
    start = h2_error(system, balanced_truncation(system, order=order).system)
    assert start / norm == pytest.approx(truncated, rel=5e-4)
    for method in (balance_and_refine, irka):
        result = method(system, order=order)
        assert result.warnings == ()
        error = h2_error(system, result.system)
        assert error / norm == pytest.approx(refined, rel=5e-5)


# Systems


@pytest.mark.parametrize("dtype", DTYPES)
def test_arrays_stay_what_they_are(xp, dtype, rng):
    time = TIMES[0]
    full = random_stable_system(rng, 5, 2, 3, time, dtype=dtype)
    system = on(xp, full)
    result = balance_and_refine(system, order=2)
    assert result.order == result.system.n_states == 2
    assert result.system.time == time
    for ours, theirs in zip(fields_of(result.system), fields_of(system), strict=True):
        assert ours.dtype == theirs.dtype
    np.testing.assert_array_equal(xp.to_numpy(result.system.D), full.D)
    np.testing.assert_array_equal(xp.to_numpy(system.A), full.A)


def test_unstable_states_are_kept(rng):
    stable = random_stable_system(rng, 6, 2, 3, Discrete())
    gains = rng.standard_normal((1, 2)), np.array([[1.0], [0.0], [2.0]])
    other = StateSpace([[-1.2]], *gains, time=Discrete())
    result = balance_and_refine(parallel(stable, other), order=4)
    poles = np.linalg.eigvals(result.system.A)
    assert poles[np.abs(poles) > 1] == pytest.approx(-1.2)
    alone = np.linalg.eigvals(balance_and_refine(stable, order=3).system.A)
    kept = np.sort_complex(poles[np.abs(poles) < 1])
    np.testing.assert_allclose(kept, np.sort_complex(alone), rtol=1e-5)


def test_all_states_and_none(rng):
    system = random_stable_system(rng, 5, 2, 3)
    whole = balance_and_refine(system, order=5)
    assert h2_error(system, whole.system) <= 1e-12 * h2_part(system)
    assert whole.warnings == ()
    nothing = balance_and_refine(system, order=0)
    assert nothing.order == 0
    np.testing.assert_array_equal(nothing.system.D, system.D)


def test_tolerance_is_met_by_the_measured_error(rng):
    system = random_stable_system(rng, 7, 2, 3)
    whole = balanced_truncation(system, order=0).certify().hinf_error.upper
    tolerance = 0.1 * float(whole)
    result = balance_and_refine(system, error_tol=tolerance)
    assert result.bound.value is None
    assert "does not carry over" in result.bound.condition
    assert float(result.certify().hinf_error.lower) <= tolerance


def test_improvement_that_is_none_is_not_taken(rng):
    system = random_stable_system(rng, 6, 2, 3)

    def worsened(problem, model):
        worse = replace(model.system, C=1.5 * model.system.C)
        return ReducedModel(worse), "something"

    cut = H2Refinement.of("test", system, worsened).cut(3)
    truncated = balanced_truncation(system, order=3).system
    assert h2_error(system, cut.system) == pytest.approx(
        h2_error(system, truncated), rel=1e-12
    )
    assert "no model with a smaller H2 error" in cut.notes[0]


def test_progress_and_the_limit_of_iterations(rng):
    system = random_stable_system(rng, 10, 1, 1, Continuous())
    told = []
    result = balance_and_refine(
        system,
        order=3,
        max_iterations=4,
        progress=lambda k, slope: told.append((k, slope)),
    )
    assert [k for k, _ in told] == [0, 1, 2, 3, 4]
    assert f"{told[-1][1]:.2g} > tol=1e-06" in result.warnings[-1]
    assert "ended after 4 of 4 steps" in result.warnings[-1]


def test_wrong_settings_are_refused(rng):
    system = random_stable_system(rng, 4, 2, 3)
    with pytest.raises(ValueError, match=r"balance_and_refine: got tol=2.0, need a"):
        balance_and_refine(system, order=2, tol=2.0)
    with pytest.raises(ValueError, match=r"got max_iterations=-3, need a number >= 0"):
        balance_and_refine(system, order=2, max_iterations=-3)
