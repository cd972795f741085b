import functools

import numpy as np
import pytest
import scipy.linalg

from hankelcut import IllConditionedError, UnstableSystemError
from hankelcut.lti import (
    Continuous,
    Discrete,
    SignalNames,
    StateSpace,
    continuous_riccati,
    error_system,
    frequency_response,
    hankel_singular_values,
    hinf_norm,
    is_stable,
    parallel,
)
from hankelcut.reduction import balanced_truncation, lqg_balanced_truncation
from hankelcut.validation import random_diagonal_system, random_stable_system
from tests.exact_riccati import exact_lqg_values
from tests.helpers import TIMES, adjoint, on, quietly, to_precision
from tests.reduction.test_published_examples import PRINTED

KINDS = [np.float64, np.complex128]
reduced_quietly = functools.partial(quietly, method=lqg_balanced_truncation)
SIZES = (7, 2, 3)


def unstable_system(rng, time, dtype=np.float64, sizes=SIZES):
    """A random system of which some poles are unstable."""
    system = random_stable_system(rng, *sizes, time, dtype=dtype)
    A = system.A + 0.5 * np.eye(sizes[0])
    if time != Continuous():
        A = 1.4 * system.A
    system = StateSpace(A, system.B, system.C, system.D, time)
    assert not bool(is_stable(system))
    return system


def coprime_factors(system):
    """Normalized right coprime factors [N; M] by SciPy's Riccati equations."""
    A, B, C, D = system.A, system.B, system.C, system.D
    R = np.eye(system.n_inputs) + adjoint(D) @ D
    Q, S = adjoint(C) @ C, adjoint(C) @ D
    if system.time == Continuous():
        X = scipy.linalg.solve_continuous_are(A, B, Q, R, s=S)
        F = -np.linalg.solve(R, adjoint(B) @ X + adjoint(S))
    else:
        X = scipy.linalg.solve_discrete_are(A, B, Q, R, s=S)
        R = R + adjoint(B) @ X @ B
        F = -np.linalg.solve(R, adjoint(B) @ X @ A + adjoint(S))
    inverse = np.linalg.inv(scipy.linalg.sqrtm(R))
    outputs = np.vstack([C + D @ F, F])
    feedthrough = np.vstack([D, np.eye(system.n_inputs)]) @ inverse
    return StateSpace(A + B @ F, B @ inverse, outputs, feedthrough, system.time)


def aligned(factors):
    """The factors, turned so that M is the same root at z = -1 for equal G there."""
    if factors.time == Continuous():
        return factors
    m = factors.n_inputs
    M = frequency_response(factors, np.array([np.pi]))[0, -m:]
    if not np.iscomplexobj(factors.A):
        M = M.real
    # Polar decomposition: M times a unitary matrix is Hermitian.
    U, _, Vh = np.linalg.svd(M)
    turn = adjoint(U @ Vh)
    return StateSpace(
        factors.A, factors.B @ turn, factors.C, factors.D @ turn, factors.time
    )


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", KINDS)
def test_error_of_the_coprime_factors_is_within_its_bound(rng, time, dtype):
    system = unstable_system(rng, time, dtype)
    factors = aligned(coprime_factors(system))
    for order in range(1, 7):
        result = reduced_quietly(system, order=order)
        assert result.order == order
        assert result.system.A.dtype == dtype
        certificate = result.certify()
        assert bool(certificate.bound_holds)
        assert max(float(r) for r in certificate.gramian_residuals) < 1e-12
        theirs = error_system(factors, aligned(coprime_factors(result.system)))
        measured = float(hinf_norm(theirs).lower)
        assert measured <= 1.0001 * float(result.error_bound)
        assert measured == pytest.approx(
            float(certificate.bounded_error.lower), rel=0.02
        )


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", KINDS)
def test_reduced_factors_are_those_of_the_reduced_system(rng, time, dtype):
    system = unstable_system(rng, time, dtype)
    result = reduced_quietly(system, order=4)
    points = np.linspace(-3, 3, 21)
    factors = (coprime_factors(s) for s in (system, result.system))
    first, second = (frequency_response(aligned(f), points) for f in factors)
    ours = frequency_response(result.bound.error, points)
    # The factors are unique up to one unitary matrix on the right.
    np.testing.assert_allclose(
        np.linalg.svd(ours, compute_uv=False),
        np.linalg.svd(first - second, compute_uv=False),
        rtol=1e-7,
        atol=1e-9,
    )


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", KINDS)
def test_values_are_those_of_the_coprime_factors(rng, time, dtype):
    system = unstable_system(rng, time, dtype)
    values = lqg_balanced_truncation(system, order=7).characteristic_values
    np.testing.assert_allclose(
        hankel_singular_values(coprime_factors(system)),
        values / np.hypot(1, values),
        rtol=1e-9,
    )


def test_values_are_the_roots_of_the_product_of_both_solutions(rng):
    system = unstable_system(rng, Continuous())
    A, B, C, D = system.A, system.B, system.C, system.D
    R, S = np.eye(2) + D.T @ D, np.eye(3) + D @ D.T
    X = scipy.linalg.solve_continuous_are(A, B, C.T @ C, R, s=C.T @ D)
    Y = scipy.linalg.solve_continuous_are(A.T, C.T, B @ B.T, S, s=B @ D.T)
    squares = np.sort(np.linalg.eigvals(X @ Y).real)[::-1]
    values = lqg_balanced_truncation(system, order=7).characteristic_values
    np.testing.assert_allclose(values, np.sqrt(squares), rtol=1e-8)


@pytest.mark.parametrize("dtype", KINDS)
def test_bounds_include_the_error_of_the_values(rng, dtype):
    for scale in (1.0, 1e-2):
        system = unstable_system(rng, Continuous(), dtype, sizes=(5, 2, 3))
        system = StateSpace(system.A, scale * system.B, system.C, system.D)
        exact = exact_lqg_values(system)
        factors = exact / np.hypot(1, exact)
        for order in range(1, 5):
            bound = float(reduced_quietly(system, order=order).error_bound)
            tail = 2 * factors[order:].sum()
            assert tail <= bound <= tail * (1 + 1e-6)


def test_small_values_keep_their_digits():
    b = np.ones((7, 1))
    A = np.diag(-np.geomspace(1, 1e6, 7))
    A[0, 0] = 0.5
    system = StateSpace(A, b, b.T, [[0.5]])
    values = lqg_balanced_truncation(system, order=7).characteristic_values
    exact = exact_lqg_values(system)
    assert exact[-1] < 1e-6 * exact[0]
    np.testing.assert_allclose(values, exact, rtol=1e-11)


@pytest.mark.parametrize("time", TIMES)
def test_values_of_small_gains_are_hankel_singular_values(rng, time):
    system = random_stable_system(rng, *SIZES, time)
    gain = 1e-5 / float(hinf_norm(system).lower)
    small = StateSpace(system.A, gain * system.B, system.C, gain * system.D, time)
    ours = reduced_quietly(small, order=4)
    np.testing.assert_allclose(
        ours.characteristic_values, hankel_singular_values(small), rtol=1e-6
    )
    if time == Continuous():
        theirs = balanced_truncation(small, order=4)
        error = hinf_norm(error_system(ours.system, theirs.system), rtol=0.1)
        assert float(error.upper) < 1e-4 * 1e-5


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", KINDS)
def test_all_states_are_the_system(rng, time, dtype):
    system = unstable_system(rng, time, dtype)
    result = lqg_balanced_truncation(system, order=7)
    points = np.linspace(-3, 3, 21)
    np.testing.assert_allclose(
        frequency_response(result.system, points),
        frequency_response(system, points),
        rtol=1e-8,
        atol=1e-8,
    )
    assert float(result.error_bound) == 0
    assert not any("unstable poles" in note for note in result.warnings)


def closed_loop(plant, controller):
    """From disturbances of y and u to both, under negative feedback, without D."""
    A, B, C = plant.A, plant.B, plant.C
    K, L, F = controller.A, controller.B, controller.C
    n, k = plant.n_states, controller.n_states
    m, p = plant.n_inputs, plant.n_outputs
    return StateSpace(
        np.block([[A, -B @ F], [L @ C, K]]),
        np.block([[np.zeros((n, p)), B], [L, np.zeros((k, m))]]),
        np.block([[C, np.zeros((p, k))], [np.zeros((m, n)), -F]]),
        np.diag([1.0] * p + [0.0] * m),
    )


def test_controllers_with_more_margin_than_the_bound_stabilize_the_full_system(rng):
    # The margin of Georgiou & Smith, IEEE Trans. Automat. Control 35, 1990, p. 673.
    core = unstable_system(rng, Continuous(), sizes=(4, 2, 3))
    rest = random_stable_system(rng, 3, 2, 3)
    system = parallel(core, StateSpace(rest.A, 1e-3 * rest.B, rest.C, rest.D))
    system = StateSpace(system.A, system.B, system.C)
    result = lqg_balanced_truncation(system, order=4)
    A, B, C = result.system.A, result.system.B, result.system.C
    F = B.T @ scipy.linalg.solve_continuous_are(A, B, C.T @ C, np.eye(2))
    L = scipy.linalg.solve_continuous_are(A.T, C.T, B @ B.T, np.eye(3)) @ C.T
    controller = StateSpace(A - B @ F - L @ C, L, F)
    margin = 1 / float(hinf_norm(closed_loop(result.system, controller)).upper)
    assert float(result.error_bound) < margin
    assert bool(is_stable(closed_loop(system, controller)))


@pytest.mark.parametrize("time", TIMES)
def test_values_do_not_depend_on_states_or_turned_signals(rng, time):
    system = unstable_system(rng, time)
    S = rng.standard_normal((7, 7)) + 3 * np.eye(7)
    U, V = (np.linalg.qr(rng.standard_normal((k, k)))[0] for k in (2, 3))
    other = StateSpace(
        np.linalg.solve(S, system.A @ S),
        np.linalg.solve(S, system.B @ U),
        V @ system.C @ S,
        V @ system.D @ U,
        time,
    )
    first, second = (
        lqg_balanced_truncation(s, order=7).characteristic_values
        for s in (system, other)
    )
    np.testing.assert_allclose(first, second, rtol=1e-8)


@pytest.mark.parametrize("relative", [False, True])
def test_tolerance_is_on_the_coprime_factors(rng, relative):
    system = unstable_system(rng, Continuous())
    bound = float(reduced_quietly(system, order=5).error_bound)
    result = lqg_balanced_truncation(system, error_tol=1.01 * bound, relative=relative)
    assert result.order == 5
    values = result.characteristic_values[5:]
    expected = 2 * np.sum(values / np.hypot(1, values))
    assert float(result.error_bound) == pytest.approx(expected, rel=1e-9)


def test_numbers_of_unstable_poles_are_told_where_they_differ():
    system = random_stable_system(np.random.default_rng(1), 8, 2, 2)
    result = lqg_balanced_truncation(system, order=3)
    assert not bool(is_stable(result.system))
    said = "the system has 0 unstable poles, the reduced one 1"
    assert result.warnings[-1].startswith(said)
    certificate = result.certify()
    assert np.isinf(float(certificate.hinf_error.lower))
    assert bool(certificate.bound_holds)


@pytest.mark.parametrize(
    ("time", "pole"), [(Continuous(), 2.0), (Continuous(), 0.0), (Discrete(0.1), -1.5)]
)
def test_poles_that_no_feedback_moves_are_refused(time, pole):
    A = np.diag([pole, -0.5])
    hidden, seen = np.array([[0.0], [1.0]]), np.ones((2, 1))
    with pytest.raises(
        UnstableSystemError, match=rf"unstable pole {pole:g}\+0j is not controllable"
    ):
        lqg_balanced_truncation(StateSpace(A, hidden, seen.T, time=time), order=1)
    with pytest.raises(
        UnstableSystemError, match=rf"unstable pole {pole:g}\+0j is not observable"
    ):
        lqg_balanced_truncation(StateSpace(A, seen, hidden.T, time=time), order=1)


def test_poles_on_the_boundary_are_reduced():
    # A double integrator and a fast mode.
    A = np.zeros((3, 3))
    A[0, 1], A[2, 2] = 1.0, -40.0
    system = StateSpace(A, [[0.0], [1.0], [1.0]], [[1.0, 0.0, 0.1]])
    result = lqg_balanced_truncation(system, order=2)
    factors = (coprime_factors(s) for s in (system, result.system))
    assert float(hinf_norm(error_system(*factors)).lower) <= result.error_bound < 0.01


@pytest.mark.parametrize("pole", [1.0, -1.0])
def test_discrete_poles_at_plus_or_minus_one_are_reduced(pole):
    A = np.diag([pole, 0.3, -0.2])
    b = np.array([[1.0], [0.5], [0.1]])
    system = StateSpace(A, b, b.T, time=Discrete(0.1))
    result = lqg_balanced_truncation(system, order=2)
    assert bool(result.certify().bound_holds)
    assert np.min(np.abs(np.linalg.eigvals(result.system.A) - pole)) < 0.01
    # What the map makes infinite is kept.
    point = np.array([0.0 if pole < 0 else np.pi])
    np.testing.assert_allclose(
        frequency_response(result.system, point),
        frequency_response(system, point),
        rtol=1e-9,
    )


def test_discrete_poles_at_both_one_and_minus_one_are_refused():
    system = StateSpace(np.diag([1.0, -1.0]), [[1.0], [1.0]], [[1.0, 1.0]])
    system = StateSpace(system.A, system.B, system.C, time=Discrete(0.1))
    with pytest.raises(IllConditionedError, match="got poles at 1 and at -1"):
        lqg_balanced_truncation(system, order=1)


def test_arrays_precision_and_names_are_kept(xp, rng):
    system = to_precision(unstable_system(rng, Continuous()), single=True)
    given = on(xp, system)
    named = StateSpace(
        given.A, given.B, given.C, given.D, given.time, SignalNames(inputs=("a", "b"))
    )
    result = reduced_quietly(named, order=4)
    assert result.system.A.dtype == xp.float32
    assert result.system.names.inputs == ("a", "b")
    wide = reduced_quietly(to_precision(system, single=False), order=4)
    np.testing.assert_allclose(
        xp.to_numpy(result.characteristic_values),
        wide.characteristic_values,
        rtol=1e-4,
    )
    points = np.linspace(0.1, 3, 7)
    ours = StateSpace(*(xp.to_numpy(getattr(result.system, k)) for k in "ABCD"))
    np.testing.assert_allclose(
        frequency_response(ours, points),
        frequency_response(wide.system, points),
        rtol=1e-3,
        atol=1e-3,
    )


def test_diagonal_systems_are_taken_as_the_real_maps_they_are(rng):
    layer = random_diagonal_system(rng, 4, 2, 3, Discrete(0.1), "real")
    result = reduced_quietly(layer, order=6)
    assert not np.iscomplexobj(result.system.A)
    assert bool(result.certify().bound_holds)


def test_projections_are_those_of_the_continuous_system(rng):
    system = unstable_system(rng, Continuous())
    result = reduced_quietly(system, order=4)
    W, T = result.left_projection, result.right_projection
    np.testing.assert_allclose(W.T @ T, np.eye(4), atol=1e-9)
    np.testing.assert_allclose(W.T @ system.A @ T, result.system.A, atol=1e-9)


def test_coprime_factors_with_inner_denominator_have_the_values_that_slicot_prints():
    # AB09FD with JOBCF = L, FACT = I: an unstable system of 7 states, whose left factor
    # of least energy comes from the equation of the filter without noise.
    A = np.zeros((7, 7))
    A[:3, :3] = [[-0.04165, 0.0, 4.92], [-5.21, -12.5, 0.0], [0.0, 3.33, -3.33]]
    A[4:, 4:] = [[0.004165, 0.0, 4.92], [0.521, -12.5, 0.0], [0.0, 3.33, -3.33]]
    A[0, 3], A[4, 3] = 0.492, -0.492
    A[3, 0], A[3, 4] = 0.545, 0.0545
    B, C = np.zeros((7, 2)), np.eye(7)[[0, 3, 4]]
    B[1, 0] = B[5, 1] = 12.5
    Y = continuous_riccati(A.T, C.T, np.zeros((7, 7)), np.eye(3))
    K = -Y @ C.T
    factors = StateSpace(A + K @ C, np.hstack([B, K]), C)
    printed = [13.6047, 9.4106, 1.7684, 0.7456, 0.6891, 0.0241, 0.0230]
    values = hankel_singular_values(factors)
    np.testing.assert_allclose(values, printed, rtol=0, atol=PRINTED)
    result = lqg_balanced_truncation(StateSpace(A, B, C), order=5)
    assert bool(result.certify().bound_holds)
