from dataclasses import replace

import numpy as np
import pytest
import scipy.optimize

from hankelcut import (
    IllConditionedError,
    InvalidSystemError,
    NumericalWarning,
    ToleranceNotAttainableError,
    UnstableSystemError,
)
from hankelcut.lti import (
    Discrete,
    SignalNames,
    StateSpace,
    append,
    error_system,
    frequency_response,
    h2_norm,
    hankel_norm,
    hankel_singular_values,
    hinf_norm,
    is_stable,
    parallel,
    stable_unstable_decomposition,
    to_dense,
)
from hankelcut.reduction import balanced_truncation, hankel_norm_approximation
from hankelcut.reduction.methods.hankel_norm_approximation import _decomposed
from hankelcut.validation import random_diagonal_system, random_stable_system
from tests.helpers import DTYPES, TIMES, on, random_system, unchecked_types
from tests.reduction.methods.assertions import assert_like_double, widened

FREQUENCIES = np.linspace(-3.0, 3.0, 13)
DOUBLE = [np.float64, np.complex128]
SIZES = [(6, 1, 1), (6, 2, 3), (7, 3, 2)]


def measured(system, reduced):
    """Hankel norm and certified H-infinity norm of the error."""
    error = error_system(system, reduced)
    return float(hankel_norm(error)), float(hinf_norm(error, rtol=1e-4).lower)


# The promise


@pytest.mark.parametrize(("n", "m", "p"), SIZES)
@pytest.mark.parametrize("dtype", DOUBLE)
@pytest.mark.parametrize("time", TIMES)
def test_hankel_norm_of_the_error_is_the_next_value(time, dtype, n, m, p, rng):
    system = random_system(rng, n, m, p, time, dtype)
    for order in range(n):
        result = hankel_norm_approximation(system, order=order)
        values = result.hankel_singular_values
        assert result.order == result.system.n_states == order
        assert result.system.time == time
        assert result.system.A.dtype == dtype
        assert bool(is_stable(result.system))
        error, _ = measured(system, result.system)
        assert error == pytest.approx(values[order], rel=1e-8)
        assert result.warnings == (f"Hankel norm of G - G_r: {values[order]:.6g}",)


@pytest.mark.parametrize("dtype", DOUBLE)
@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("feedthrough", ["glover", "keep"])
def test_bound_holds(feedthrough, time, dtype, rng):
    for n, m, p in SIZES:
        system = random_system(rng, n, m, p, time, dtype)
        for order in (0, 3, n - 1):
            result = hankel_norm_approximation(
                system, order=order, feedthrough=feedthrough
            )
            values = result.hankel_singular_values
            tail = values[order:].sum() * (1 if feedthrough == "glover" else 2)
            bound = float(result.error_bound)
            assert bound <= tail * (1 + 1e-9)
            _, error = measured(system, result.system)
            assert values[order] * (1 - 1e-6) <= error <= bound * (1 + 1e-6)
            if feedthrough == "keep":
                np.testing.assert_array_equal(result.system.D, system.D)
        assert bool(result.certify().bound_holds)


@pytest.mark.parametrize("time", TIMES)
def test_bound_is_attained_by_the_last_state(time, rng):
    # Without antistable part the error is all-pass: sigma_n at every frequency.
    system = random_system(rng, 5, 3, 3, time)
    result = hankel_norm_approximation(system, order=4)
    error = frequency_response(error_system(system, result.system), FREQUENCIES)
    largest = np.linalg.svd(error, compute_uv=False)[..., 0]
    np.testing.assert_allclose(largest, result.error_bound, rtol=1e-8)


def test_bound_is_half_of_that_of_truncation(rng):
    for time in TIMES:
        system = random_system(rng, 8, 2, 3, time)
        for order in (1, 4):
            ours = hankel_norm_approximation(system, order=order)
            theirs = balanced_truncation(system, order=order)
            half = float(theirs.error_bound) / 2
            assert float(ours.error_bound) <= half * (1 + 1e-9)
            assert measured(system, theirs.system)[0] > measured(system, ours.system)[0]


def test_model_of_order_one_is_the_best_one():
    # Every stable model c / (s - a), by brute force.
    A, b = np.diag([-1.0, -3.0, -9.0]), np.array([[1.0], [1.0], [2.0]])
    system = StateSpace(A, b, b.T)

    def error(parameters):
        other = StateSpace([[-np.exp(parameters[0])]], [[1.0]], [[parameters[1]]])
        return float(hankel_norm(error_system(system, other)))

    start = np.array([1.0, 4.0])
    best = scipy.optimize.minimize(error, start, method="Nelder-Mead", tol=1e-10)
    result = hankel_norm_approximation(system, order=1)
    assert best.fun == pytest.approx(result.hankel_singular_values[1], rel=1e-6)
    gain = (result.system.C @ result.system.B)[0, 0]
    assert -result.system.A[0, 0] == pytest.approx(np.exp(best.x[0]), rel=1e-4)
    assert gain == pytest.approx(best.x[1], rel=1e-4)


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", DOUBLE)
def test_full_order_reproduces_the_system(time, dtype, rng):
    system = random_system(rng, 5, 2, 3, time, dtype)
    result = hankel_norm_approximation(system, order=5)
    np.testing.assert_allclose(
        frequency_response(result.system, FREQUENCIES),
        frequency_response(system, FREQUENCIES),
        atol=1e-11,
    )
    assert float(result.error_bound) == 0.0


def test_model_does_not_depend_on_coordinates(rng):
    system = random_system(rng, 6, 2, 3)
    T = rng.standard_normal((6, 6))
    inverse = np.linalg.inv(T)
    other = replace(system, A=inverse @ system.A @ T, B=inverse @ system.B)
    other = replace(other, C=system.C @ T)
    models = [hankel_norm_approximation(s, order=2).system for s in (system, other)]
    np.testing.assert_allclose(
        frequency_response(models[0], FREQUENCIES),
        frequency_response(models[1], FREQUENCIES),
        atol=1e-7,
    )


def test_small_values_are_approximated_too():
    # A symmetric model with close poles.
    poles = -np.logspace(-0.5, 0.5, 8)
    system = StateSpace(np.diag(poles), np.ones((8, 1)), np.ones((1, 8)))
    values = hankel_singular_values(system)
    assert values[-1] < 1e-8 * values[0]
    for order in range(8):
        result = hankel_norm_approximation(system, order=order)
        assert bool(is_stable(result.system))
        error = float(hankel_norm(error_system(system, result.system)))
        assert error == pytest.approx(values[order], rel=1e-4)


# Ties


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", DOUBLE)
def test_values_of_any_multiplicity_are_cut(time, dtype, rng):
    one = random_stable_system(rng, 3, 2, 1, time, dtype=dtype)
    three = append(append(one, one), one)
    sides = [np.linalg.qr(rng.standard_normal((k, k)))[0] for k in (6, 3)]
    system = replace(three, B=three.B @ sides[0], C=sides[1] @ three.C)
    for order in (0, 3, 6):
        result = hankel_norm_approximation(system, order=order)
        values = result.hankel_singular_values
        assert values[order + 2] == pytest.approx(values[order], rel=1e-10)
        assert result.order == order
        hankel, hinf = measured(system, result.system)
        assert hankel == pytest.approx(values[order], rel=1e-7)
        # The value itself counts once.
        rest = values[order + 3 :].sum()
        assert float(result.error_bound) <= (values[order] + rest) * (1 + 1e-7)
        assert hinf <= float(result.error_bound) * (1 + 1e-6)


@pytest.mark.parametrize("order", [2, 3])
def test_order_inside_a_tie_takes_no_more_states_than_help(order, rng):
    one = random_stable_system(rng, 2, 1, 2)
    system = append(append(one, one), one)
    with pytest.warns(NumericalWarning, match="tie"):
        result = hankel_norm_approximation(system, order=order + 2)
    values = result.hankel_singular_values
    assert values[3] < 0.999 * values[2]
    assert result.order == result.system.n_states == 3
    assert any("no model up to it is closer" in note for note in result.warnings)
    hankel, hinf = measured(system, result.system)
    assert hankel == pytest.approx(values[order + 2], rel=1e-7)
    assert hinf <= float(result.error_bound) * (1 + 1e-6)


@pytest.mark.parametrize("time", TIMES)
def test_all_pass_system_becomes_its_best_constant(time):
    # Both values are 1; the best model of order 0 or 1 is a constant.
    if time == TIMES[0]:
        factors = [
            StateSpace([[a]], [[1 - a * a]], [[1.0]], [[-a]], time) for a in (0.5, -0.3)
        ]
    else:
        factors = [StateSpace([[-a]], [[1.0]], [[-2 * a]], [[1.0]]) for a in (1.0, 3.0)]
    first, second = factors
    A = np.array(
        [[first.A[0, 0], 0.0], [second.B[0, 0] * first.C[0, 0], second.A[0, 0]]]
    )
    B = np.vstack([first.B, second.B @ first.D])
    C = np.hstack([second.D @ first.C, second.C])
    system = StateSpace(A, B, C, second.D @ first.D, time)
    np.testing.assert_allclose(hankel_singular_values(system), 1.0, rtol=1e-12)
    result = hankel_norm_approximation(system, order=0)
    hankel, hinf = measured(system, result.system)
    assert (hankel, hinf) == pytest.approx((1.0, 1.0), rel=1e-7)
    with pytest.warns(NumericalWarning, match="tie"):
        assert hankel_norm_approximation(system, order=1).order == 0


# Targets and kinds of systems


@pytest.mark.parametrize("feedthrough", ["glover", "keep"])
def test_error_tolerance_is_met_by_the_smallest_bound(feedthrough, rng):
    system = random_system(rng, 6, 2, 3)
    values = hankel_singular_values(system)
    factor = 1 if feedthrough == "glover" else 2
    for order in range(1, 6):
        tolerance = factor * values[order:].sum() * (1 + 1e-9)
        result = hankel_norm_approximation(
            system, error_tol=tolerance, feedthrough=feedthrough
        )
        assert result.order == order
        assert measured(system, result.system)[1] <= tolerance


@pytest.mark.parametrize("time", TIMES)
def test_unstable_part_is_kept(time, rng):
    poles = [0.3, 1.1] if time == TIMES[1] else [1.2, -1.5]
    B, C = rng.standard_normal((2, 2)), rng.standard_normal((3, 2))
    stable = random_system(rng, 5, 2, 3, time)
    kept = StateSpace(np.diag(poles), B, C, time=time)
    system = to_dense(parallel(stable, kept))
    result = hankel_norm_approximation(system, order=4)
    assert result.order == result.system.n_states == 4
    values = hankel_singular_values(stable)
    np.testing.assert_allclose(result.hankel_singular_values, values, rtol=1e-9)
    parts = stable_unstable_decomposition(result.system)
    computed = np.sort(np.linalg.eigvals(parts.unstable.A).real)
    np.testing.assert_allclose(computed, np.sort(poles), rtol=1e-12)
    hankel, hinf = measured(stable, to_dense(parts.stable))
    assert hankel == pytest.approx(values[2], rel=1e-8)
    assert hinf <= float(result.error_bound) * (1 + 1e-6)
    assert bool(result.certify().bound_holds)


@pytest.mark.parametrize("dtype", DTYPES)
def test_arrays_come_back_as_they_were_given(xp, dtype, rng):
    full = random_stable_system(rng, 6, 2, 3, Discrete(0.1), dtype=dtype)
    result = hankel_norm_approximation(on(xp, full), order=3)
    expected = hankel_norm_approximation(widened(full), order=3)
    assert_like_double(xp, dtype, result, expected)


@pytest.mark.parametrize("readout", ["real", "complex"])
def test_diagonal_systems_become_dense(readout, rng):
    system = random_diagonal_system(rng, 4, 2, 3, TIMES[1], readout)
    result = hankel_norm_approximation(system, order=3)
    assert isinstance(result.system, StateSpace)
    assert np.iscomplexobj(result.system.A) == (readout == "complex")
    error = to_dense(error_system(system, result.system))
    expected = hankel_singular_values(system)[3]
    assert float(hankel_norm(error)) == pytest.approx(expected, rel=1e-8)


def test_names_are_kept(rng):
    names = SignalNames(inputs=("u", "v"), outputs=("y",))
    system = replace(random_system(rng, 5, 2, 1), names=names)
    assert hankel_norm_approximation(system, order=2).system.names == names


@pytest.mark.parametrize(("n", "m", "p"), [(0, 2, 3), (2, 0, 3), (2, 2, 0)])
def test_nothing_is_reduced_to_its_feedthrough(n, m, p):
    system = StateSpace(-np.eye(n), np.ones((n, m)), np.ones((p, n)), np.ones((p, m)))
    result = hankel_norm_approximation(system, order=0)
    np.testing.assert_array_equal(result.system.D, system.D)
    assert float(result.error_bound) == 0.0


def test_silent_states_are_dropped(rng):
    core = random_system(rng, 4, 2, 3)
    A = np.block([[core.A, np.zeros((4, 2))], [np.ones((2, 4)), -np.eye(2)]])
    silent = np.concatenate([core.C, np.zeros((3, 2))], axis=1)
    padded = StateSpace(A, np.concatenate([core.B, np.ones((2, 2))]), silent, core.D)
    models = [hankel_norm_approximation(s, order=2).system for s in (core, padded)]
    np.testing.assert_allclose(
        frequency_response(models[0], FREQUENCIES),
        frequency_response(models[1], FREQUENCIES),
        atol=1e-9,
    )
    with pytest.warns(NumericalWarning, match="above the numerical rank 4"):
        assert hankel_norm_approximation(padded, order=6).order == 4
    with pytest.raises(ToleranceNotAttainableError, match="numerical rank 4 of 6"):
        hankel_norm_approximation(padded, error_tol=1e-20)


def test_pole_at_minus_one_is_turned_away():
    # 1e-10 from -1, the point that the bilinear map makes infinite; barely seen.
    poles = np.diag([-1 + 1e-10, 0.5, 0.9, -0.3])
    b = np.array([[1e-6], [1.0], [1.0], [1.0]])
    system = StateSpace(poles, b, b.T, time=Discrete())
    result = hankel_norm_approximation(system, order=2)
    error = error_system(system, result.system)
    expected = result.hankel_singular_values[2]
    assert float(hankel_norm(error)) == pytest.approx(expected, rel=1e-4)


def test_poles_at_both_ends_are_refused():
    poles = np.diag([-1 + 1e-10, 1 - 1e-10, 0.5])
    system = StateSpace(poles, np.ones((3, 1)), np.ones((1, 3)), time=Discrete())
    with pytest.raises(
        IllConditionedError, match=r"hankel_norm_approximation: .*at -1"
    ):
        hankel_norm_approximation(system, order=1)


def test_embedding_of_an_unbalanced_system_is_refused(rng):
    decomposition = _decomposed(random_system(rng, 5, 2, 3), "glover", "caller")
    G = decomposition.balanced
    wrong = replace(decomposition, balanced=replace(G, A=G.A + 1e6 * np.eye(5)))
    with pytest.raises(IllConditionedError, match=r"caller: 3 poles .*need 1"):
        wrong.cut(1)


def test_error_is_smaller_than_that_of_nothing(rng):
    # The H2 norm of a strictly proper error: D kept.
    system = random_stable_system(rng, 6, 2, 3)
    result = hankel_norm_approximation(system, order=4, feedthrough="keep")
    error = error_system(system, result.system)
    assert float(h2_norm(error)) < 0.5 * float(h2_norm(system))


# Refusals


def test_other_arguments_are_refused(rng):
    system = random_system(rng, 3, 2, 1)
    caller = "hankel_norm_approximation"
    with (
        unchecked_types(),
        pytest.raises(ValueError, match=f"{caller}: .*glover, keep"),
    ):
        hankel_norm_approximation(system, order=1, feedthrough="optimal")
    with pytest.raises(ValueError, match="exactly one"):
        hankel_norm_approximation(system, order=1, error_tol=0.1)
    stack = random_stable_system(rng, 3, 2, 1, batch=(4,))
    with pytest.raises(InvalidSystemError, match=f"{caller}: got a stack"):
        hankel_norm_approximation(stack, order=1)
    bad = replace(system, A=system.A * np.nan)
    with pytest.raises(InvalidSystemError, match=f"{caller}: A .*NaN"):
        hankel_norm_approximation(bad, order=1)
    unstable = StateSpace(np.eye(2), np.ones((2, 1)), np.ones((1, 2)))
    with pytest.raises(UnstableSystemError, match=f"{caller}: .*no pole is stable"):
        hankel_norm_approximation(unstable, order=1)
