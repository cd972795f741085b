import cmath

import numpy as np
import pytest

from hankelcut import (
    InvalidSystemError,
    NumericalWarning,
    ToleranceNotAttainableError,
    UnstableSystemError,
)
from hankelcut.lti import (
    Continuous,
    Discrete,
    SignalNames,
    StateSpace,
    controllability_gramian,
    discretize,
    error_system,
    frequency_response,
    hankel_norm,
    hinf_norm,
    is_stable,
    observability_gramian,
    parallel,
    stable_unstable_decomposition,
    to_dense,
    undiscretize,
)
from hankelcut.reduction import (
    HankelSpectrum,
    balanced_truncation,
    singular_perturbation_approximation,
)
from hankelcut.reduction.methods.singular_perturbation_approximation import (
    _SingularPerturbation,
)
from hankelcut.validation import random_diagonal_system, random_stable_system
from tests.helpers import (
    DTYPES,
    TIMES,
    dense_response,
    dico,
    fields_of,
    fortran,
    on,
    random_system,
    slycot_or_skip,
)
from tests.reduction.methods.assertions import assert_like_double, widened

FREQUENCIES = np.linspace(-3.0, 3.0, 13)
DOUBLE = [np.float64, np.complex128]


# The promise


@pytest.mark.parametrize("order", range(7))
@pytest.mark.parametrize("dtype", DOUBLE)
@pytest.mark.parametrize("time", TIMES)
def test_bound_holds(time, dtype, order, rng):
    system = random_system(rng, 6, 2, 3, time, dtype)
    result = singular_perturbation_approximation(system, order=order)
    assert result.order == result.system.n_states == order
    assert result.system.time == time
    assert result.system.A.dtype == dtype
    assert bool(is_stable(result.system))
    values = result.hankel_singular_values
    assert float(result.error_bound) == pytest.approx(
        2 * values[order:].sum(), rel=1e-9, abs=1e-12
    )
    error = error_system(system, result.system)
    slack = 1e-11 * values[0]
    least = values[order] if order < 6 else 0.0
    assert least <= float(hankel_norm(error)) + slack
    assert float(hinf_norm(error).lower) <= float(result.error_bound) + slack
    assert bool(result.certify().bound_holds)
    assert result.left_projection is None
    assert result.right_projection is None


@pytest.mark.parametrize(
    ("time", "dtype", "match"),
    [
        (Continuous(), np.float64, None),
        (Continuous(), np.float64, 0.0),
        (Continuous(), np.complex128, None),
        (Continuous(), np.complex128, 1.7j),
        (Discrete(0.1), np.float64, None),
        (Discrete(0.1), np.float64, -1.0),
        (Discrete(0.1), np.complex128, 1.0),
        (Discrete(0.1), np.complex128, cmath.exp(0.8j)),
    ],
)
def test_response_is_kept_at_the_point(time, dtype, match, rng):
    system = random_system(rng, 7, 2, 3, time, dtype)
    default = 0.0 if time == Continuous() else 1.0
    point = np.array([default if match is None else match])
    expected = dense_response(system, point)
    for order in range(7):
        result = singular_perturbation_approximation(system, order=order, match=match)
        kept = dense_response(result.system, point)
        scale = abs(expected).max()
        np.testing.assert_allclose(kept, expected, rtol=0, atol=1e-12 * scale)
        elsewhere = dense_response(
            error_system(system, result.system), 1j * point + 0.3j
        )
        assert abs(elsewhere).max() > 1e-6 * scale


@pytest.mark.parametrize("dtype", DOUBLE)
@pytest.mark.parametrize("time", TIMES)
def test_model_is_balanced_with_the_values_kept(time, dtype, rng):
    system = random_system(rng, 6, 2, 3, time, dtype)
    result = singular_perturbation_approximation(system, order=3)
    expected = np.diag(result.hankel_singular_values[:3])
    for gramian in (controllability_gramian, observability_gramian):
        np.testing.assert_allclose(
            gramian(result.system), expected, rtol=0, atol=1e-9 * expected[0, 0]
        )


@pytest.mark.parametrize("dtype", DOUBLE)
def test_model_is_the_reciprocal_of_a_truncated_reciprocal(dtype, rng):
    # H(s) = G(1 / s) has the Gramians of G; truncation keeps H at infinity.
    system = random_system(rng, 7, 2, 3, dtype=dtype)
    inverse = np.linalg.inv(system.A)
    mirrored = StateSpace(
        inverse,
        inverse @ system.B,
        -system.C @ inverse,
        system.D - system.C @ inverse @ system.B,
    )
    theirs = balanced_truncation(mirrored, order=4).system
    ours = singular_perturbation_approximation(system, order=4).system
    points = 1j * np.array([-3.0, -0.4, 0.1, 1.0, 20.0])
    np.testing.assert_allclose(
        dense_response(ours, points), dense_response(theirs, 1 / points), atol=1e-10
    )


@pytest.mark.parametrize("order", [0, 2, 5])
def test_discrete_model_is_the_image_of_the_continuous_one(order, rng):
    system = random_system(rng, 6, 2, 3, Discrete(0.5))
    ours = singular_perturbation_approximation(system, order=order).system
    continuous = undiscretize(system, method="bilinear")
    other = singular_perturbation_approximation(continuous, order=order).system
    theirs = discretize(other, 0.5, method="bilinear")
    np.testing.assert_allclose(
        frequency_response(ours, FREQUENCIES),
        frequency_response(theirs, FREQUENCIES),
        atol=1e-10,
    )


@pytest.mark.parametrize("time", TIMES)
def test_full_order_reproduces_the_system(time, rng):
    system = random_system(rng, 5, 2, 3, time)
    result = singular_perturbation_approximation(system, order=5)
    np.testing.assert_allclose(
        frequency_response(result.system, FREQUENCIES),
        frequency_response(system, FREQUENCIES),
        atol=1e-11,
    )
    assert float(result.error_bound) == 0.0
    np.testing.assert_array_equal(result.system.D, system.D)


def test_bound_is_attained_by_symmetric_systems(rng):
    # A = A^T < 0, C = B^T: the error is the bound, at infinite frequency.
    poles, b = -rng.uniform(0.1, 5, 6), rng.standard_normal((6, 1))
    U, _ = np.linalg.qr(rng.standard_normal((6, 6)))
    system = StateSpace(U @ np.diag(poles) @ U.T, U @ b, (U @ b).T)
    result = singular_perturbation_approximation(system, order=2)
    at_infinity = abs(result.system.D - system.D)[0, 0]
    assert at_infinity == pytest.approx(float(result.error_bound), rel=1e-9)


def test_low_frequencies_are_better_than_those_of_truncation(rng):
    system = random_system(rng, 8, 2, 3)
    low = [1e-3]
    errors = [
        abs(
            frequency_response(
                error_system(system, method(system, order=4).system), low
            )
        )
        for method in (singular_perturbation_approximation, balanced_truncation)
    ]
    assert errors[0].max() < 0.1 * errors[1].max()


# Oracles. Slycot 0.7.1: ab09bd, the stable case of ab09nd, corrupts the heap; and with
# job="B" the discrete models of both have neither the response at z = 1 nor that at -1.


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("order", [2, 5])
def test_model_is_that_of_slycot(time, order, rng):
    slycot = slycot_or_skip()
    system = random_system(rng, 9, 2, 3, time)
    arrays = fortran(*fields_of(system))
    _, A, B, C, D, _, values = slycot.ab09nd(
        dico(system), "N", "N", 9, 2, 3, *arrays, nr=order
    )
    ours = singular_perturbation_approximation(system, order=order)
    np.testing.assert_allclose(
        frequency_response(ours.system, FREQUENCIES),
        frequency_response(StateSpace(A, B, C, D, time), FREQUENCIES),
        rtol=0,
        atol=1e-9,
    )
    np.testing.assert_allclose(ours.hankel_singular_values, values, rtol=1e-10)


@pytest.mark.parametrize("time", TIMES)
def test_model_of_an_unstable_system_is_that_of_slycot(time, rng):
    slycot = slycot_or_skip()
    poles = [0.3, 1.1] if time == Continuous() else [1.2, -1.5]
    B, C = rng.standard_normal((2, 2)), rng.standard_normal((3, 2))
    unstable = StateSpace(np.diag(poles), B, C, time=time)
    system = to_dense(parallel(random_system(rng, 6, 2, 3, time), unstable))
    arrays = fortran(*fields_of(system))
    nr, A, B, C, D, ns, values = slycot.ab09nd(
        dico(system), "N", "N", 8, 2, 3, *arrays, nr=5
    )
    assert (nr, ns) == (5, 6)
    result = singular_perturbation_approximation(system, order=5)
    np.testing.assert_allclose(
        frequency_response(result.system, FREQUENCIES),
        frequency_response(StateSpace(A, B, C, D, time), FREQUENCIES),
        rtol=0,
        atol=1e-9,
    )
    np.testing.assert_allclose(result.hankel_singular_values, values[:6], rtol=1e-9)
    kept = stable_unstable_decomposition(result.system).unstable
    computed = np.sort(np.linalg.eigvals(kept.A).real)
    np.testing.assert_allclose(computed, np.sort(poles), rtol=1e-12)
    assert bool(result.certify().bound_holds)


# Targets and kinds of systems


@pytest.mark.parametrize("time", TIMES)
def test_error_tolerance_is_met_by_the_smallest_order(time, rng):
    system = random_system(rng, 6, 2, 3, time)
    values = singular_perturbation_approximation(system, order=1).hankel_singular_values
    for order in range(1, 6):
        tolerance = 2 * values[order:].sum() * (1 + 1e-9)
        result = singular_perturbation_approximation(system, error_tol=tolerance)
        assert result.order == order
        measured = hinf_norm(error_system(system, result.system))
        assert float(measured.lower) <= tolerance


def test_relative_tolerance_is_a_multiple_of_the_norm(rng):
    system = random_system(rng, 6, 2, 3)
    result = singular_perturbation_approximation(system, error_tol=0.05, relative=True)
    measured = hinf_norm(error_system(system, result.system))
    assert float(measured.upper) <= 0.05 * float(hinf_norm(system).upper)
    assert 0 < result.order < 6


@pytest.mark.parametrize("dtype", DTYPES)
def test_arrays_come_back_as_they_were_given(xp, dtype, rng):
    full = random_stable_system(rng, 6, 2, 3, Discrete(0.1), dtype=dtype)
    result = singular_perturbation_approximation(on(xp, full), order=3)
    expected = singular_perturbation_approximation(widened(full), order=3)
    assert_like_double(xp, dtype, result, expected)


@pytest.mark.parametrize("readout", ["real", "complex"])
def test_diagonal_systems_become_dense(readout, rng):
    system = random_diagonal_system(rng, 4, 2, 3, Continuous(), readout)
    result = singular_perturbation_approximation(system, order=3)
    assert isinstance(result.system, StateSpace)
    assert np.iscomplexobj(result.system.A) == (readout == "complex")
    at_zero = frequency_response(error_system(system, result.system), [0.0])
    assert abs(at_zero).max() <= 1e-12 * float(hinf_norm(system).upper)


def test_names_are_kept(rng):
    system = random_system(rng, 5, 2, 1)
    names = SignalNames(inputs=("u", "v"), outputs=("y",))
    named = StateSpace(*fields_of(system), names=names)
    result = singular_perturbation_approximation(named, order=2)
    assert result.system.names == names


@pytest.mark.parametrize(("n", "m", "p"), [(0, 2, 3), (2, 0, 3), (2, 2, 0)])
def test_nothing_is_reduced_to_its_feedthrough(n, m, p):
    system = StateSpace(
        -np.eye(n), np.ones((n, m)), np.ones((p, n)), np.ones((p, m)), Continuous()
    )
    result = singular_perturbation_approximation(system, order=0)
    np.testing.assert_array_equal(result.system.D, system.D)
    assert float(result.error_bound) == 0.0


def test_silent_states_are_dropped(rng):
    core = random_system(rng, 4, 2, 3)
    A = np.block([[core.A, np.zeros((4, 2))], [np.ones((2, 4)), -np.eye(2)]])
    silent = np.concatenate([core.C, np.zeros((3, 2))], axis=1)
    padded = StateSpace(A, np.concatenate([core.B, np.ones((2, 2))]), silent, core.D)
    result = singular_perturbation_approximation(padded, order=2)
    expected = singular_perturbation_approximation(core, order=2)
    np.testing.assert_allclose(
        frequency_response(result.system, FREQUENCIES),
        frequency_response(expected.system, FREQUENCIES),
        atol=1e-10,
    )
    with pytest.warns(NumericalWarning, match="above the numerical rank 4"):
        assert singular_perturbation_approximation(padded, order=6).order == 4
    with pytest.raises(ToleranceNotAttainableError, match="numerical rank 4 of 6"):
        singular_perturbation_approximation(padded, error_tol=1e-20)


def test_order_inside_a_tie_without_equilibrium_is_refused():
    # Balanced, sigma = 1 twice; the second state alone does not decay.
    A = np.array([[-0.5, 1.0], [-1.0, 0.0]])
    tie = StateSpace(A, np.eye(2, 1), np.eye(1, 2))
    spectrum = HankelSpectrum((1.0, 1.0), (0.0, 0.0), 1e-16)
    decomposition = _SingularPerturbation(
        tie, spectrum, 0.0, lambda: (0.0, 0.0), "caller"
    )
    with pytest.raises(UnstableSystemError, match=r"order 1 .*inside a tie"):
        decomposition.cut(1)


# Refusals


@pytest.mark.parametrize(
    ("time", "dtype", "match", "message"),
    [
        (Discrete(0.1), np.float64, 0.9, r"abs\(match\) = 1"),
        (Discrete(0.1), np.complex128, 1.0 + 0.1j, r"abs\(match\) = 1"),
        (Discrete(0.1), np.float64, float("nan"), r"abs\(match\) = 1"),
        (Discrete(0.1), np.float64, 1j, "need 1 or -1.*make the system complex"),
        (Continuous(), np.float64, 1.0, "0 or jw"),
        (Continuous(), np.complex128, 1.0 + 1j, "0 or jw"),
        (Continuous(), np.float64, 2j, "need 0.*make the system complex"),
        (Continuous(), np.complex128, complex(0, float("inf")), "0 or jw"),
    ],
)
def test_other_points_are_refused(time, dtype, match, message, rng):
    system = random_system(rng, 3, 2, 1, time, dtype)
    with pytest.raises(InvalidSystemError, match=message):
        singular_perturbation_approximation(system, order=1, match=match)


def test_other_systems_are_refused(rng):
    system = random_system(rng, 3, 2, 1)
    stack = random_stable_system(rng, 3, 2, 1, batch=(4,))
    bad = StateSpace(system.A * np.nan, system.B, system.C)
    unstable = StateSpace(np.eye(2), np.ones((2, 1)), np.ones((1, 2)))
    caller = "singular_perturbation_approximation"
    with pytest.raises(InvalidSystemError, match=f"{caller}: got a stack"):
        singular_perturbation_approximation(stack, order=1)
    with pytest.raises(InvalidSystemError, match=f"{caller}: A .*NaN"):
        singular_perturbation_approximation(bad, order=1)
    with pytest.raises(UnstableSystemError, match=f"{caller}: .*no pole is stable"):
        singular_perturbation_approximation(unstable, order=1)
    with pytest.raises(ValueError, match="exactly one"):
        singular_perturbation_approximation(system)
