from dataclasses import replace

import numpy as np
import pytest
import scipy.linalg
import scipy.sparse

from hankelcut import (
    InvalidSystemError,
    NumericalWarning,
    UnstableSystemError,
)
from hankelcut.lti import (
    Continuous,
    DiagonalStateSpace,
    Discrete,
    SparseStateSpace,
    StateSpace,
    error_system,
    frequency_response,
    hinf_norm,
    is_stable,
    parallel,
    series,
    stable_unstable_decomposition,
    to_dense,
)
from hankelcut.reduction import balanced_truncation, frequency_weighted_truncation
from hankelcut.validation import random_diagonal_system, random_stable_system
from tests.helpers import (
    DTYPES,
    TIMES,
    dense_response,
    fields_of,
    grid_norm,
    on,
    unchecked_types,
)
from tests.reduction.methods.assertions import assert_same_response, widened
from tests.reduction.methods.gramian_integrals import (
    characteristic_values,
    weighted_gramians,
    whole_boundary,
)

VARIANTS = ["wang_sreeram_liu", "enns"]
KINDS = [np.float64, np.complex128]


def weighted_problem(rng, time, dtype, sides="both", n=6):
    """A system of n states, 2 inputs and 3 outputs, and its weights."""
    system = random_stable_system(rng, n, 2, 3, time, dtype=dtype)
    before = random_stable_system(rng, 3, 4, 2, time, dtype=dtype)
    after = random_stable_system(rng, 2, 3, 5, time, dtype=dtype)
    weights = {"input_weight": before, "output_weight": after}
    kept = {"both": weights.keys(), "input": ["input_weight"]}
    kept |= {"output": ["output_weight"], "none": []}
    return system, {name: weights[name] for name in kept[sides]}


def constant(D):
    """A system without states."""
    p, m = D.shape
    return StateSpace(np.zeros((0, 0)), np.zeros((0, m)), np.zeros((p, 0)), D)


def weighted_error(system, reduced, weights, z):
    """Responses of W_o (G - G_r) W_i."""
    error = dense_response(system, z) - dense_response(reduced, z)
    if "input_weight" in weights:
        error = error @ dense_response(weights["input_weight"], z)
    if "output_weight" in weights:
        error = dense_response(weights["output_weight"], z) @ error
    return error


# The definition


@pytest.mark.parametrize("sides", ["both", "input", "output"])
@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("time", TIMES)
def test_values_are_those_of_the_weighted_integrals(time, dtype, sides, rng):
    system, weights = weighted_problem(rng, time, dtype, sides)
    result = frequency_weighted_truncation(
        system, **weights, variant="enns", energy_tol=0.5
    )
    gramians = weighted_gramians(
        system, weights.get("input_weight"), weights.get("output_weight")
    )
    theirs = characteristic_values(*gramians)
    np.testing.assert_allclose(result.characteristic_values, theirs, rtol=1e-7)
    assert result.values_name == "weighted Hankel singular values"


@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("time", TIMES)
def test_default_makes_the_right_hand_sides_definite(time, dtype, rng):
    system, weights = weighted_problem(rng, time, dtype)
    definite = []
    P, Q = weighted_gramians(system, *weights.values())
    t = (np.diag(P).real / np.diag(Q).real) ** 0.25
    full, size = system.A.astype(complex), np.outer(t, t)
    for A, X, sizes in ((full, P, size), (full.conj().T, Q, 1 / size)):
        Ah = A.conj().T
        right = -(A @ X + X @ Ah) if time == Continuous() else X - A @ X @ Ah
        w, V = np.linalg.eigh((right + right.conj().T) / (2 * sizes))
        positive = ((V * np.abs(w)) @ V.conj().T) * sizes
        if time == Continuous():
            definite.append(scipy.linalg.solve_continuous_lyapunov(A, -positive))
        else:
            definite.append(scipy.linalg.solve_discrete_lyapunov(A, positive))
    result = frequency_weighted_truncation(system, **weights, energy_tol=0.5)
    theirs = characteristic_values(*definite)
    np.testing.assert_allclose(result.characteristic_values, theirs, rtol=1e-7)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("time", TIMES)
def test_without_weights_it_is_balanced_truncation(time, dtype, variant, rng):
    system, _ = weighted_problem(rng, time, dtype)
    ours = frequency_weighted_truncation(system, variant=variant, order=3)
    theirs = balanced_truncation(system, order=3)
    values = theirs.characteristic_values
    np.testing.assert_allclose(ours.characteristic_values, values, rtol=1e-9)
    z, _ = whole_boundary(time, 50)
    np.testing.assert_allclose(
        dense_response(ours.system, z),
        dense_response(theirs.system, z),
        rtol=0,
        atol=1e-9 * values[0],
    )
    if variant == "wang_sreeram_liu":
        assert float(ours.error_bound) == pytest.approx(float(theirs.error_bound))
    else:
        assert ours.error_bound is None


def test_constant_weights_change_units_only(rng):
    system, _ = weighted_problem(rng, Continuous(), np.float64)
    gains = {
        "input_weight": constant(3 * np.eye(2)),
        "output_weight": constant(5 * np.eye(3)),
    }
    theirs = balanced_truncation(system, order=3)
    for variant in VARIANTS:
        ours = frequency_weighted_truncation(system, **gains, variant=variant, order=3)
        np.testing.assert_allclose(
            ours.characteristic_values, 15 * theirs.characteristic_values, rtol=1e-10
        )
        # A difference that is all rounding has no narrow bracket.
        error = hinf_norm(error_system(ours.system, theirs.system), rtol=1.0)
        assert error.upper < 1e-9 * theirs.characteristic_values[0]
    ours = frequency_weighted_truncation(system, **gains, order=3)
    assert float(ours.error_bound) == pytest.approx(15 * float(theirs.error_bound))


# The promise


@pytest.mark.parametrize("sides", ["both", "input", "output"])
@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("time", TIMES)
def test_bound_holds(time, dtype, sides, rng):
    system, weights = weighted_problem(rng, time, dtype, sides)
    z, _ = whole_boundary(time, 400)
    for order in (0, 3, 5):
        result = frequency_weighted_truncation(system, **weights, order=order)
        assert bool(is_stable(result.system))
        assert result.warnings == ()
        assert "was checked" in result.bound.condition
        certificate = result.certify()
        assert bool(certificate.bound_holds)
        seen = grid_norm(weighted_error(system, result.system, weights, z))
        slack = 1e-9 * result.characteristic_values[0]
        assert seen <= float(result.error_bound) + slack
        assert seen <= float(certificate.bounded_error.upper) + slack
        assert seen >= 0.5 * float(certificate.bounded_error.lower) - slack
        assert max(certificate.gramian_residuals) < 1e-13


@pytest.mark.parametrize("variant", VARIANTS)
def test_error_tolerance_is_met(variant, rng):
    system, weights = weighted_problem(rng, Continuous(), np.float64)
    result = frequency_weighted_truncation(
        system, **weights, variant=variant, error_tol=0.3, relative=True
    )
    norm = float(hinf_norm(system).lower)
    if variant == "enns":
        assert float(result.certify().hinf_error.upper) <= 0.31 * norm
    else:
        assert float(result.error_bound) <= 0.3 * norm
    assert result.order <= 6


@pytest.mark.parametrize("variant", VARIANTS)
def test_weights_pay(variant):
    # Two resonances; the louder one is out of the low-pass filter's sight.
    poles = np.array([-0.05 + 1j, -0.05 - 1j, -1 + 40j, -1 - 40j])
    B, C = np.ones((4, 1)), np.array([[1.0, 1.0, 80.0, 80.0]])
    plant = DiagonalStateSpace(poles, B, C, None, Continuous(), "real")
    first = StateSpace([[-0.5]], [[0.5]], [[1.0]])
    low_pass = {"input_weight": series(first, first)}
    ours = frequency_weighted_truncation(plant, **low_pass, variant=variant, order=2)
    theirs = balanced_truncation(to_dense(plant), order=2)
    z = 1j * np.linspace(0.0, 60.0, 601)
    full = to_dense(plant)
    error, other = (
        grid_norm(weighted_error(full, to_dense(result.system), low_pass, z))
        for result in (ours, theirs)
    )
    assert error < 0.3 * other


def test_ignored_inputs_do_not_cost_the_bound(rng):
    system, _ = weighted_problem(rng, Continuous(), np.float64)
    first = constant(np.array([[1.0], [0.0]]))
    result = frequency_weighted_truncation(system, input_weight=first, order=3)
    seen = replace(system, B=system.B[:, :1], D=system.D[:, :1])
    theirs = balanced_truncation(seen, order=3)
    np.testing.assert_allclose(
        result.characteristic_values, theirs.characteristic_values, rtol=1e-9
    )
    assert float(result.error_bound) == pytest.approx(float(theirs.error_bound))
    assert bool(result.certify().bound_holds)


def test_a_zero_weight_leaves_nothing(rng):
    system, _ = weighted_problem(rng, Continuous(), np.float64)
    silent = StateSpace([[-1.0]], [[1.0]], [[0.0], [0.0]])
    for variant in VARIANTS:
        result = frequency_weighted_truncation(
            system, input_weight=silent, variant=variant, energy_tol=0.0
        )
        assert result.order == 0
        assert not result.characteristic_values.any()


def test_models_that_are_not_stable_are_refused():
    rng = np.random.default_rng(2)
    sizes = [(4, 1, 1), (2, 1, 1), (2, 1, 1)]
    system, before, after = (
        random_stable_system(rng, *size, margin=0.01) for size in sizes
    )
    weights = {"input_weight": before, "output_weight": after}
    message = "order 3 is not stable; choose another order, or variant='wang_sreeram"
    with pytest.raises(UnstableSystemError, match=message):
        frequency_weighted_truncation(system, **weights, variant="enns", order=3)
    result = frequency_weighted_truncation(system, **weights, order=3)
    assert bool(is_stable(result.system))


@pytest.mark.parametrize("variant", VARIANTS)
def test_unstable_part_is_kept(variant, rng):
    stable, weights = weighted_problem(rng, Continuous(), np.float64, "input")
    B, C = rng.standard_normal((1, 2)), rng.standard_normal((3, 1))
    other = StateSpace([[0.5]], B, C)
    system = parallel(stable, other)
    result = frequency_weighted_truncation(system, **weights, variant=variant, order=4)
    theirs = frequency_weighted_truncation(stable, **weights, variant="enns", order=3)
    assert result.order == 4
    parts = stable_unstable_decomposition(result.system)
    assert parts.unstable.n_states == 1
    if variant == "enns":
        np.testing.assert_allclose(
            result.characteristic_values, theirs.characteristic_values, rtol=1e-8
        )
        error = error_system(to_dense(parts.stable), theirs.system)
        assert hinf_norm(error).upper < 1e-7 * theirs.characteristic_values[0]
    else:
        assert bool(result.certify().bound_holds)


# How it is called


@pytest.mark.parametrize("variant", VARIANTS)
def test_units_of_the_states_do_not_matter(variant, rng):
    system, weights = weighted_problem(rng, Continuous(), np.float64, "input")
    t = 10.0 ** np.array([8, -9, 0, 5, -3, 1])
    other = StateSpace(
        system.A / t[:, None] * t, system.B / t[:, None], system.C * t, system.D
    )
    ours, theirs = (
        frequency_weighted_truncation(s, **weights, variant=variant, order=3)
        for s in (other, system)
    )
    np.testing.assert_allclose(
        ours.characteristic_values, theirs.characteristic_values, rtol=1e-9
    )
    error = hinf_norm(error_system(ours.system, theirs.system), rtol=0.01).upper
    assert error < 1e-8 * theirs.characteristic_values[0]
    T, W = ours.right_projection, ours.left_projection
    np.testing.assert_allclose(W.T @ T, np.eye(3), atol=1e-10)
    np.testing.assert_allclose(ours.system.B, W.T @ other.B, rtol=1e-9)


@pytest.mark.parametrize("dtype", DTYPES)
def test_arrays_stay_what_they_are(xp, dtype, rng):
    time = Discrete(0.1)
    system, weights = weighted_problem(rng, time, dtype, "input")
    given = {name: on(xp, weight) for name, weight in weights.items()}
    result = frequency_weighted_truncation(
        on(xp, system), **given, variant="enns", order=3
    )
    for matrix in (*fields_of(result.system), result.left_projection):
        assert matrix.dtype == getattr(xp, dtype.__name__)
    double = [widened(s) for s in (system, *weights.values())]
    theirs = frequency_weighted_truncation(
        double[0], input_weight=double[1], variant="enns", order=3
    )
    reduced = StateSpace(*(xp.to_numpy(x) for x in fields_of(result.system)), time)
    z, _ = whole_boundary(time, 20)
    assert_same_response(reduced, theirs.system, z, 1e3 * np.finfo(dtype).eps)


def test_diagonal_systems_and_weights_are_taken(rng):
    layer = random_diagonal_system(rng, 4, 2, 3, Discrete(0.1), "real")
    weight = random_diagonal_system(rng, 2, 2, 2, Discrete(0.1), "twice_real")
    ours = frequency_weighted_truncation(layer, input_weight=weight, order=3)
    theirs = frequency_weighted_truncation(
        to_dense(layer), input_weight=to_dense(weight), order=3
    )
    assert not np.iscomplexobj(ours.system.A)
    points = np.array([0.1, 1.0, 3.0])
    np.testing.assert_allclose(
        frequency_response(ours.system, points),
        frequency_response(theirs.system, points),
        rtol=1e-9,
    )


def test_orders_above_the_rank_are_cut(rng):
    system, weights = weighted_problem(rng, Continuous(), np.float64)
    hidden = StateSpace([[-1.0]], np.zeros((1, 2)), np.zeros((3, 1)))
    with pytest.warns(NumericalWarning, match="order 7 is above the numerical rank 6"):
        result = frequency_weighted_truncation(
            parallel(system, hidden), **weights, order=7
        )
    assert result.order == 6


def test_weights_that_do_not_fit_are_refused(rng):
    system, weights = weighted_problem(rng, Continuous(), np.float64)
    weight = weights["input_weight"]
    stack = random_stable_system(rng, 3, 4, 2, batch=(2,))
    unstable = replace(weight, A=-weight.A)
    fast = replace(weight, time=Discrete(0.1), A=0.1 * np.eye(3))
    narrow = replace(weight, C=weight.C[:1], D=weight.D[:1])
    for wrong, message in [
        (narrow, "input_weight with 1 outputs, need 2"),
        (stack, r"input_weight of shape \(2,\), need one system"),
        (fast, r"input_weight in Discrete\(dt=0.1\), need Continuous"),
        (replace(weight, B=weight.B * np.nan), "input_weight: B of shape"),
        (replace(weight, A=weight.A + 0j), "complex input_weight of a real system"),
    ]:
        with pytest.raises(InvalidSystemError, match=message):
            frequency_weighted_truncation(system, input_weight=wrong, order=2)
    with pytest.raises(InvalidSystemError, match="output_weight with 4 inputs, need 3"):
        frequency_weighted_truncation(system, output_weight=weight, order=2)
    with pytest.raises(UnstableSystemError, match="truncation: input_weight: pole"):
        frequency_weighted_truncation(system, input_weight=unstable, order=2)


def test_wrong_arguments_are_refused(rng):
    system, weights = weighted_problem(rng, Continuous(), np.float64)
    A = scipy.sparse.csc_array(-np.eye(2))
    sparse = SparseStateSpace(A, np.ones((2, 2)), np.ones((2, 2)))
    with unchecked_types():
        with pytest.raises(ValueError, match="got variant='lin_chiu', need one of w"):
            frequency_weighted_truncation(system, variant="lin_chiu", order=2)
        with pytest.raises(InvalidSystemError, match="truncation: got a SparseStateSp"):
            frequency_weighted_truncation(sparse, order=2)
        with pytest.raises(InvalidSystemError, match="input_weight: got a SparseState"):
            frequency_weighted_truncation(system, input_weight=sparse, order=2)
    with pytest.raises(ValueError, match="need exactly one of order, error_tol"):
        frequency_weighted_truncation(system, **weights)
