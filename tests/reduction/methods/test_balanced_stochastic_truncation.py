import functools

import numpy as np
import pytest
import scipy.linalg

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
    error_system,
    frequency_response,
    hankel_singular_values,
    hinf_norm,
    is_stable,
    parallel,
    series,
    stable_unstable_decomposition,
    to_dense,
)
from hankelcut.reduction import balanced_stochastic_truncation, balanced_truncation
from hankelcut.validation import random_diagonal_system, random_stable_system
from tests.exact_riccati import exact_stochastic_values
from tests.helpers import TIMES, adjoint, on, quietly, to_precision
from tests.reduction.test_published_examples import PRINTED, two_area_power_system

KINDS = [np.float64, np.complex128]
reduced_quietly = functools.partial(quietly, method=balanced_stochastic_truncation)
# (n, m, p, regularization): square, wide, and tall with a regularization.
SIZES = [(7, 2, 2, None), (7, 3, 2, None), (7, 2, 3, 0.4)]


def frequencies(time):
    """Both signs, for complex systems."""
    if time == Continuous():
        half = np.geomspace(1e-3, 1e3, 150)
        return np.concatenate([-half[::-1], half])
    return np.linspace(-np.pi, np.pi, 301)


def relative_gains(system, reduced, regularization=None):
    """Norms of L^-1 (G - G_r) with L L^H = G G^H + beta^2 I at each frequency."""
    points = frequencies(system.time)
    G, Gr = (frequency_response(S, points) for S in (system, reduced))
    beta = regularization or 0.0
    L = np.linalg.cholesky(G @ adjoint(G) + beta**2 * np.eye(G.shape[1]))
    return np.linalg.svd(np.linalg.solve(L, G - Gr), compute_uv=False)[:, 0]


def units(values):
    """How many values are 1."""
    return int(np.sum(values >= 1 - 1e-10))


def spectral_factor(system):
    """W with G G~ = W~ W and without zeros in the right half-plane, by SciPy."""
    A, B, C, D = system.A, system.B, system.C, system.D
    P = scipy.linalg.solve_continuous_lyapunov(A, -B @ adjoint(B))
    cross, E = P @ adjoint(C) + B @ adjoint(D), D @ adjoint(D)
    Q = scipy.linalg.solve_continuous_are(A, cross, 0 * A, -E, s=-adjoint(C))
    root = np.linalg.cholesky(E)
    rows = np.linalg.solve(root, C - adjoint(cross) @ Q)
    return StateSpace(A, cross, rows, adjoint(root))


def zeros_of(system):
    """Zeros of a square system with invertible D: poles of its inverse."""
    return np.linalg.eigvals(system.A - system.B @ np.linalg.solve(system.D, system.C))


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize(("n", "m", "p", "beta"), SIZES)
def test_relative_error_is_within_its_bound(rng, time, dtype, n, m, p, beta):
    system = random_stable_system(rng, n, m, p, time, dtype=dtype)
    least = units(
        balanced_stochastic_truncation(
            system, order=n, regularization=beta
        ).characteristic_values
    )
    for order in range(max(least, 1), n):
        result = reduced_quietly(system, order=order, regularization=beta)
        gains = relative_gains(system, result.system, beta)
        certificate = result.certify()
        assert result.order == order
        assert result.system.A.dtype == dtype
        assert bool(is_stable(result.system))
        assert gains.max() <= float(certificate.bounded_error.upper)
        assert float(certificate.bounded_error.upper) <= 1.01 * result.error_bound
        assert bool(certificate.bound_holds)
        assert max(float(r) for r in certificate.gramian_residuals) < 1e-11


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize(("n", "m", "p", "beta"), SIZES)
def test_certified_error_is_the_relative_one(rng, time, dtype, n, m, p, beta):
    system = random_stable_system(rng, n, m, p, time, dtype=dtype)
    result = balanced_stochastic_truncation(system, order=n - 1, regularization=beta)
    error = result.bound.error
    assert bool(is_stable(error))
    response = frequency_response(error, frequencies(time))
    np.testing.assert_allclose(
        np.linalg.svd(response, compute_uv=False)[:, 0],
        relative_gains(system, result.system, beta),
        rtol=1e-7,
        atol=1e-12,
    )


@pytest.mark.parametrize("dtype", KINDS)
def test_bound_is_the_product_over_the_discarded_values(rng, dtype):
    system = random_stable_system(rng, 7, 3, 2, dtype=dtype)
    result = balanced_stochastic_truncation(system, order=4)
    s = result.characteristic_values[4:]
    product = np.prod((1 + s) / (1 - s)) - 1
    assert float(result.error_bound) == pytest.approx(product, rel=1e-9)
    assert float(result.error_bound) >= product


def test_bound_does_not_hold_for_the_inverse_on_the_right():
    system = random_stable_system(np.random.default_rng(7), 7, 2, 2)
    result = balanced_stochastic_truncation(system, order=6)
    points = frequencies(system.time)
    G, Gr = (frequency_response(S, points) for S in (system, result.system))
    right = np.linalg.svd((G - Gr) @ np.linalg.inv(G), compute_uv=False)[:, 0]
    left = np.linalg.svd(np.linalg.solve(G, G - Gr), compute_uv=False)[:, 0]
    assert left.max() <= float(result.error_bound)
    assert right.max() > 2 * float(result.error_bound)


@pytest.mark.parametrize("dtype", KINDS)
def test_error_relative_to_the_reduced_system_is_bounded_too(rng, dtype):
    # Wang & Safonov, IEEE Trans. Automat. Control 37, 1992, p. 1265.
    system = random_stable_system(rng, 7, 2, 2, dtype=dtype)
    result = balanced_stochastic_truncation(system, order=6)
    points = frequencies(system.time)
    G, Gr = (frequency_response(S, points) for S in (system, result.system))
    gains = np.linalg.svd(np.linalg.solve(Gr, G - Gr), compute_uv=False)[:, 0]
    assert gains.max() <= float(result.error_bound)


@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("m", [2, 3])
def test_values_are_those_of_the_phase(rng, dtype, m):
    # The phase is (W~)^-1 G, and G G~ = W~ W makes it an all-pass system.
    system = random_stable_system(rng, 5, m, 2, dtype=dtype)
    W = spectral_factor(system)
    mirrored = StateSpace(-adjoint(W.A), -adjoint(W.C), adjoint(W.B), adjoint(W.D))
    inverse = np.linalg.inv(mirrored.D)
    back = StateSpace(
        mirrored.A - mirrored.B @ inverse @ mirrored.C,
        mirrored.B @ inverse,
        -inverse @ mirrored.C,
        inverse,
    )
    phase = series(system, back)
    response = frequency_response(phase, frequencies(system.time))
    identity = np.broadcast_to(np.eye(2), response[..., :2].shape)
    np.testing.assert_allclose(response @ adjoint(response), identity, atol=1e-9)
    stable = to_dense(stable_unstable_decomposition(phase).stable)
    values = balanced_stochastic_truncation(system, order=5).characteristic_values
    np.testing.assert_allclose(hankel_singular_values(stable), values, rtol=1e-8)


@pytest.mark.parametrize("regularization", [None, 0.1])
def test_small_values_keep_their_digits(regularization):
    b = np.ones((7, 1))
    system = StateSpace(np.diag(-np.geomspace(1, 1e5, 7)), b, b.T, [[0.5]])
    result = balanced_stochastic_truncation(
        system, order=7, regularization=regularization
    )
    exact = exact_stochastic_values(system, regularization or 0.0)
    assert exact[-1] < 1e-5 * exact[0]
    np.testing.assert_allclose(result.characteristic_values, exact, rtol=1e-12)


@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("feedthrough", [1.0, 1e-2])
def test_bounds_include_the_error_of_the_values(rng, dtype, feedthrough):
    for _ in range(3):
        system = random_stable_system(rng, 5, 2, 2, dtype=dtype)
        system = StateSpace(system.A, system.B, system.C, feedthrough * system.D)
        exact = exact_stochastic_values(system, 0.0)
        least = units(exact)
        for order in range(max(least, 1), 5):
            result = reduced_quietly(system, order=order)
            product = np.prod((1 + exact[order:]) / (1 - exact[order:])) - 1
            assert product <= float(result.error_bound) <= (1 + 1e-6) * product


def test_power_system_has_the_values_that_slicot_prints():
    # AB09HD with BETA = 1.
    result = balanced_stochastic_truncation(
        two_area_power_system(), order=5, regularization=1.0
    )
    printed = [0.8803, 0.8506, 0.8038, 0.4494, 0.3973, 0.0214, 0.0209]
    np.testing.assert_allclose(
        result.characteristic_values, printed, rtol=0, atol=PRINTED
    )


def test_reduced_power_system_is_the_one_that_slicot_prints():
    A = np.zeros((5, 5))
    A[np.ix_([0, 2, 4], [0, 2, 4])] = [
        [1.2729, 6.5947, -3.4229],
        [-2.9889, -2.9028, -0.3692],
        [-1.4767, -2.0339, -0.6107],
    ]
    A[np.ix_([1, 3], [1, 3])] = [[0.8169, 2.4821], [-3.3921, -3.1126]]
    first = np.array([0.1331, -0.0862, -2.6777, -3.5767, -2.3033])
    B = np.stack([first, first * [-1, 1, -1, 1, -1]], axis=1)
    upper = np.array([-0.6907, -0.6882, 0.0779, 0.0958, -0.0038])
    middle = np.array([0.0676, 0.0, 0.6532, 0.0, -0.7522])
    C = np.stack([upper, middle, upper * [-1, 1, -1, 1, -1]])
    printed = StateSpace(A, B, C)
    result = balanced_stochastic_truncation(
        two_area_power_system(), order=5, regularization=1.0
    )
    points = np.array([0.0, 0.3, 1.0, 2.0, 5.0, 30.0])
    np.testing.assert_allclose(
        frequency_response(result.system, points),
        frequency_response(printed, points),
        atol=2e-3,
    )


@pytest.mark.parametrize("dtype", KINDS)
def test_zeros_outside_the_stability_region_have_value_one_and_stay(rng, dtype):
    seen = 0
    for _ in range(6):
        system = random_stable_system(rng, 6, 2, 2, dtype=dtype)
        count = int(np.sum(zeros_of(system).real > 0))
        full = balanced_stochastic_truncation(system, order=6)
        assert units(full.characteristic_values) == count
        assert np.all(full.characteristic_values <= 1)
        if not 0 < count < 6:
            continue
        seen += 1
        result = balanced_stochastic_truncation(system, order=count)
        assert int(np.sum(zeros_of(result.system).real > 0)) == count
        with pytest.raises(
            ToleranceNotAttainableError, match=rf"of the {count} values equal to 1 "
        ):
            balanced_stochastic_truncation(system, order=count - 1)
    assert seen > 2


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", KINDS)
def test_all_states_are_the_system(rng, time, dtype):
    system = random_stable_system(rng, 6, 3, 2, time, dtype=dtype)
    result = balanced_stochastic_truncation(system, order=6)
    for name in "ABCD":
        np.testing.assert_array_equal(
            getattr(result.system, name), getattr(system, name)
        )
    assert float(result.error_bound) == 0
    assert float(result.certify().bounded_error.upper) == 0


@pytest.mark.parametrize("time", TIMES)
def test_values_depend_on_neither_states_nor_outputs_nor_turned_inputs(rng, time):
    system = random_stable_system(rng, 6, 3, 2, time)
    S = rng.standard_normal((6, 6)) + 3 * np.eye(6)
    mixed = rng.standard_normal((2, 2)) + 2 * np.eye(2)
    turn = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    other = StateSpace(
        np.linalg.solve(S, system.A @ S),
        np.linalg.solve(S, system.B @ turn),
        mixed @ system.C @ S,
        mixed @ system.D @ turn,
        time,
    )
    first, second = (
        balanced_stochastic_truncation(s, order=6).characteristic_values
        for s in (system, other)
    )
    np.testing.assert_allclose(first, second, rtol=1e-8)


def test_small_gains_are_kept_where_balanced_truncation_loses_them():
    # 10 / (s + 1)^3, a slow correction of 1 % and a resonance of 0.02 at 30 rad/s,
    # where it is most of the gain.
    base = StateSpace(-np.eye(3) + np.eye(3, k=1), np.eye(3)[:, 2:], 10 * np.eye(3)[:1])
    slow = StateSpace([[-0.1]], [[0.1]], [[0.1]])
    resonance = StateSpace(
        [[-0.6, -30.0], [30.0, 0.0]], [[0.6], [0.0]], [[0.02, 0.0]], [[1e-3]]
    )
    system = parallel(parallel(base, slow), resonance)
    ours = balanced_stochastic_truncation(system, order=5)
    theirs = balanced_truncation(system, order=5)
    assert relative_gains(system, ours.system).max() < 0.005
    assert relative_gains(system, theirs.system).max() > 0.5


def test_large_regularization_leads_to_balanced_truncation(rng):
    system = random_stable_system(rng, 6, 2, 3)
    beta = 1e4 * float(hinf_norm(system).lower)
    ours = balanced_stochastic_truncation(system, order=3, regularization=beta)
    theirs = balanced_truncation(system, order=3)
    np.testing.assert_allclose(
        beta * ours.characteristic_values, theirs.hankel_singular_values, rtol=1e-3
    )
    difference = hinf_norm(error_system(ours.system, theirs.system)).upper
    assert float(difference) < 1e-3 * float(hinf_norm(system).lower)


@pytest.mark.parametrize("time", TIMES)
def test_regularization_serves_systems_without_feedthrough(rng, time):
    system = random_stable_system(rng, 6, 2, 3, time)
    system = StateSpace(system.A, system.B, system.C, time=time)
    result = balanced_stochastic_truncation(system, order=4, regularization=0.5)
    assert relative_gains(system, result.system, 0.5).max() <= result.error_bound


@pytest.mark.parametrize("time", TIMES)
def test_unstable_poles_are_kept_and_the_stable_part_is_bounded(rng, time):
    stable = random_stable_system(rng, 6, 2, 2, time)
    pole = 0.7 if time == Continuous() else 1.4
    extra = StateSpace([[pole]], [[1.0, 2.0]], [[1.0], [-1.0]], time=time)
    system = parallel(stable, extra)
    result = balanced_stochastic_truncation(system, order=6)
    alone = balanced_stochastic_truncation(stable, order=5)
    np.testing.assert_allclose(
        result.characteristic_values, alone.characteristic_values, rtol=1e-8
    )
    assert float(result.error_bound) == pytest.approx(
        float(alone.error_bound), rel=1e-6
    )
    poles = np.linalg.eigvals(result.system.A)
    assert np.min(np.abs(poles - pole)) < 1e-9
    assert "of the stable part" in result.bound.condition
    parts = stable_unstable_decomposition(result.system)
    assert relative_gains(stable, parts.stable).max() <= float(result.error_bound)
    assert bool(result.certify().bound_holds)


def test_systems_without_stable_poles_are_refused():
    system = StateSpace([[1.0]], [[1.0]], [[1.0]], [[1.0]])
    with pytest.raises(UnstableSystemError, match="no pole is stable"):
        balanced_stochastic_truncation(system, order=1)


@pytest.mark.parametrize("time", TIMES)
def test_discrete_response_is_kept_at_minus_one(rng, time):
    system = random_stable_system(rng, 6, 2, 2, Discrete(0.3))
    result = balanced_stochastic_truncation(system, order=5)
    ours, theirs = (
        frequency_response(s, np.array([np.pi])) for s in (result.system, system)
    )
    np.testing.assert_allclose(ours, theirs, rtol=1e-9)


@pytest.mark.parametrize("relative", [False, True])
def test_tolerance_is_on_the_relative_error(rng, relative):
    system = random_stable_system(rng, 7, 3, 2)
    bounds = [float(reduced_quietly(system, order=r).error_bound) for r in range(3, 8)]
    tolerance = 1.01 * bounds[2]
    result = balanced_stochastic_truncation(
        system, error_tol=tolerance, relative=relative
    )
    assert result.order == 5
    assert float(result.error_bound) == pytest.approx(bounds[2], rel=1e-12)


def test_energy_tolerance_and_largest_order_choose_the_order(rng):
    system = random_stable_system(rng, 7, 3, 2)
    values = balanced_stochastic_truncation(system, order=7).characteristic_values
    share = values[6:].sum() / values.sum()
    result = balanced_stochastic_truncation(system, energy_tol=1.01 * float(share))
    assert result.order == 6
    with pytest.warns(NumericalWarning, match="cut to max_order=5"):
        capped = balanced_stochastic_truncation(system, error_tol=0.0, max_order=5)
    assert capped.order == 5


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("m", [2, 3])
def test_missing_feedthrough_is_refused_with_advice(rng, time, m):
    system = random_stable_system(rng, 5, m, 2, time)
    points = np.array([np.inf if time == Continuous() else np.pi])
    D = system.D
    if time != Continuous():
        D = D - frequency_response(system, points)[0].real
    else:
        D = 0 * D
    D[0] += 1.0
    singular = StateSpace(system.A, system.B, system.C, D, time)
    where = "infinite frequency" if time == Continuous() else "z = -1"
    with pytest.raises(
        InvalidSystemError,
        match=f"response of rank 1 at {where} for 2 outputs.*pass regularization",
    ):
        balanced_stochastic_truncation(singular, order=3)
    balanced_stochastic_truncation(singular, order=4, regularization=0.3)
    with pytest.raises(InvalidSystemError, match="pass a larger regularization"):
        balanced_stochastic_truncation(singular, order=4, regularization=1e-12)


def test_more_outputs_than_inputs_are_refused_with_advice(rng):
    system = random_stable_system(rng, 5, 2, 3)
    with pytest.raises(InvalidSystemError, match=r"rank 2 at .* pass regularization"):
        balanced_stochastic_truncation(system, order=3)


@pytest.mark.parametrize(("zero", "said"), [(0.0, r".*"), (1.5, r"-?1\.5")])
def test_zeros_on_the_boundary_are_refused_with_advice(zero, said):
    # (s^2 + zero^2) / (s + 1)^2.
    A, B = np.array([[-2.0, -1.0], [1.0, 0.0]]), np.array([[1.0], [0.0]])
    C = np.array([[-2.0, zero**2 - 1.0]])
    system = StateSpace(A, B, C, [[1.0]])
    with pytest.raises(InvalidSystemError, match=f"vanishes at {said} rad/s, a zero"):
        balanced_stochastic_truncation(system, order=1)
    result = balanced_stochastic_truncation(system, order=1, regularization=0.1)
    assert relative_gains(system, result.system, 0.1).max() <= result.error_bound


@pytest.mark.parametrize("regularization", [0.0, -1.0, float("inf"), float("nan")])
def test_bad_regularizations_are_refused(regularization):
    system = StateSpace([[-1.0]], [[1.0]], [[1.0]], [[1.0]])
    with pytest.raises(ValueError, match="need a number > 0"):
        balanced_stochastic_truncation(system, order=1, regularization=regularization)


def test_arrays_precision_and_names_are_kept(xp, rng):
    system = to_precision(random_stable_system(rng, 5, 3, 2), single=True)
    given = on(xp, system)
    named = StateSpace(
        given.A, given.B, given.C, given.D, given.time, SignalNames(outputs=("a", "b"))
    )
    result = balanced_stochastic_truncation(named, order=4)
    assert result.system.A.dtype == xp.float32
    assert result.system.names.outputs == ("a", "b")
    wide = balanced_stochastic_truncation(to_precision(system, single=False), order=4)
    points = frequencies(system.time)
    np.testing.assert_allclose(
        frequency_response(
            StateSpace(*(xp.to_numpy(getattr(result.system, k)) for k in "ABCD")),
            points,
        ),
        frequency_response(wide.system, points),
        rtol=1e-4,
        atol=1e-4,
    )


def test_diagonal_systems_are_taken_as_the_real_maps_they_are(rng):
    layer = random_diagonal_system(rng, 4, 2, 2, Discrete(0.1), "real")
    result = balanced_stochastic_truncation(layer, order=7)
    assert not np.iscomplexobj(result.system.A)
    assert relative_gains(to_dense(layer), result.system).max() <= result.error_bound


def test_projections_are_those_of_the_continuous_system(rng):
    system = random_stable_system(rng, 6, 3, 2)
    result = balanced_stochastic_truncation(system, order=4)
    W, T = result.left_projection, result.right_projection
    np.testing.assert_allclose(W.T @ T, np.eye(4), atol=1e-9)
    np.testing.assert_allclose(W.T @ system.A @ T, result.system.A, atol=1e-9)


def test_systems_without_states_or_outputs_are_themselves():
    gain = StateSpace(np.zeros((0, 0)), np.zeros((0, 1)), np.zeros((1, 0)), [[2.0]])
    result = balanced_stochastic_truncation(gain, order=0)
    np.testing.assert_array_equal(result.system.D, [[2.0]])
    silent = StateSpace([[-1.0]], [[1.0]], np.zeros((0, 1)), np.zeros((0, 1)))
    with pytest.warns(NumericalWarning, match="above the numerical rank 0"):
        assert balanced_stochastic_truncation(silent, order=1).order == 0


@pytest.mark.parametrize(("size", "beta"), [(1e-150, None), (1e80, None), (1e-150, 1)])
def test_size_of_the_signals_does_not_matter(rng, size, beta):
    system = random_stable_system(rng, 6, 3, 2)
    other = StateSpace(system.A, size * system.B, size * system.C, size**2 * system.D)
    beta = None if beta is None else 0.3
    first = balanced_stochastic_truncation(system, order=5, regularization=beta)
    beta = None if beta is None else 0.3 * size**2
    second = balanced_stochastic_truncation(other, order=5, regularization=beta)
    np.testing.assert_allclose(
        first.characteristic_values, second.characteristic_values, rtol=1e-10
    )
    assert float(second.error_bound) == pytest.approx(
        float(first.error_bound), rel=1e-8
    )
