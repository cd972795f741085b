import itertools
import re

import numpy as np
import pytest
import scipy.linalg

from hankelcut import (
    InvalidSystemError,
    SparseStateSpace,
    UnstableSystemError,
)
from hankelcut.lti import (
    Continuous,
    Discrete,
    StateSpace,
    append,
    discretize,
    error_system,
    frequency_response,
    hankel_singular_values,
    hinf_norm,
    is_stable,
)
from hankelcut.reduction import balanced_truncation, bounded_real_truncation
from hankelcut.validation import random_diagonal_system, random_stable_system
from tests.helpers import (
    DTYPES,
    TIMES,
    dense_response,
    fields_of,
    in_double,
    on,
    unchecked_types,
)

KINDS = [np.float64, np.complex128]
N, M, P = 7, 2, 3


def system_with_feedthrough(rng, time, dtype=float, n=N):
    plain = random_stable_system(rng, n, M, P, time, dtype=dtype)
    D = 0.2 * rng.standard_normal((P, M)).astype(dtype)
    return StateSpace(plain.A, plain.B, plain.C, D, time)


def norm_of(system):
    return float(hinf_norm(system).upper)


def values_by_definition(system, gamma):
    """Square roots of the eigenvalues of P Q, from the Riccati equations of SciPy."""
    A, B, C, D = fields_of(system)
    continuous = system.time == Continuous()
    solve = scipy.linalg.solve_continuous_are if continuous else None
    solve = solve or scipy.linalg.solve_discrete_are
    solutions = []
    for F, G, H, E in ((A, B, C, D), (A.conj().T, C.conj().T, B.conj().T, D.conj().T)):
        weight = E.conj().T @ E - gamma**2 * np.eye(E.shape[1])
        solutions.append(solve(F, G, H.conj().T @ H, weight, s=H.conj().T @ E))
    squares = np.linalg.eigvals(solutions[1] @ solutions[0]).real
    return np.sqrt(np.sort(squares)[::-1])


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_bound_holds_and_gain_stays_below_the_level(xp, time, dtype, rng):
    full = system_with_feedthrough(rng, time, dtype)
    system = on(xp, full)
    gamma = 1.05 * norm_of(in_double(xp, system))
    result = bounded_real_truncation(system, order=3, gamma=gamma)
    assert result.method == "bounded-real truncation"
    assert result.values_name == "bounded-real characteristic values"
    assert result.order == 3
    assert result.warnings == ()
    for ours, theirs in zip(fields_of(result.system), fields_of(system), strict=True):
        assert isinstance(ours, type(theirs))
        assert ours.dtype == theirs.dtype
    reduced = in_double(xp, result.system)
    assert bool(is_stable(reduced))
    assert norm_of(reduced) <= gamma
    error = norm_of(error_system(in_double(xp, system), reduced))
    assert error <= float(result.error_bound) * (1 + 100 * np.finfo(dtype).eps)
    values = xp.to_numpy(result.characteristic_values)
    np.testing.assert_allclose(
        float(result.error_bound), 2 * np.sum(values[3:], dtype=float), rtol=1e-5
    )


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("level", [1.0001, 1.5, 1000.0])
def test_models_of_all_orders_keep_the_promise(time, dtype, level, rng):
    system = system_with_feedthrough(rng, time, dtype)
    gamma = level * norm_of(system)
    for order in (0, 3, 6):
        result = bounded_real_truncation(system, order=order, gamma=gamma)
        certificate = result.certify()
        assert bool(certificate.bound_holds)
        assert max(float(r) for r in certificate.gramian_residuals) <= 1e-13
        assert norm_of(result.system) <= gamma


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("level", [1.05, 4.0])
def test_values_are_those_of_the_definition(time, dtype, level, rng):
    system = system_with_feedthrough(rng, time, dtype, n=5)
    gamma = level * norm_of(system)
    values = bounded_real_truncation(system, order=2, gamma=gamma).characteristic_values
    expected = values_by_definition(system, gamma)
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-9 * expected[0])


def test_first_order_values_have_a_closed_form():
    a, b, c, gamma = 2.0, 3.0, 0.5, 0.8
    system = StateSpace([[-a]], [[b]], [[c]])
    result = bounded_real_truncation(system, order=1, gamma=gamma)
    expected = gamma**2 * (a - np.sqrt(a**2 - (b * c / gamma) ** 2)) / (b * c)
    np.testing.assert_allclose(result.characteristic_values, [expected], rtol=1e-14)


def test_small_values_keep_their_digits():
    # Systems side by side have the values of each: from 0.5 down to 1e-14.
    gains = np.array([0.8, 1e-3, 1e-7, 1e-14])
    system = StateSpace([[-1.0]], [[1.0]], [[gains[0]]])
    for k, gain in enumerate(gains[1:]):
        system = append(system, StateSpace([[-2.0 - k]], [[2.0 + k]], [[gain]]))
    result = bounded_real_truncation(system, order=4)
    # (1 - sqrt(1 - g^2)) / g without cancellation.
    expected = gains / (1 + np.sqrt((1 - gains) * (1 + gains)))
    np.testing.assert_allclose(result.characteristic_values, expected, rtol=1e-13)
    assert result.order == 4


@pytest.mark.parametrize("time", TIMES)
def test_values_tend_to_hankel_singular_values(time):
    # Graded poles: the values go down to 3e-12 of the largest. With a few more poles
    # both lists are right to about 1e-9 only.
    n = 20
    poles = -np.logspace(0, 3, n)
    system = StateSpace(np.diag(poles), np.ones((n, 1)), np.ones((1, n)))
    if isinstance(time, Discrete):
        system = discretize(system, 1e-3, method="bilinear")
    values = bounded_real_truncation(system, order=3, gamma=1e8).characteristic_values
    expected = hankel_singular_values(system)
    assert expected[-1] <= 1e-10 * expected[0]
    np.testing.assert_allclose(values, expected, rtol=1e-9)


def test_models_tend_to_those_of_balanced_truncation(rng):
    system = system_with_feedthrough(rng, Continuous())
    result = bounded_real_truncation(system, order=3, gamma=1e6 * norm_of(system))
    plain = balanced_truncation(system, order=3).system
    assert norm_of(error_system(plain, result.system)) <= 1e-10 * norm_of(system)


@pytest.mark.parametrize("time", TIMES)
def test_values_fall_with_the_level(time, rng):
    system = system_with_feedthrough(rng, time)
    norm = norm_of(system)
    rows = [
        bounded_real_truncation(
            system, order=1, gamma=level * norm
        ).characteristic_values
        for level in (1.001, 1.1, 2.0, 50.0)
    ]
    for k, level in enumerate((1.001, 1.1, 2.0, 50.0)):
        assert rows[k][0] < level * norm
    for larger, smaller in itertools.pairwise(rows):
        assert np.all(larger >= smaller * (1 - 1e-10))
    assert np.all(rows[-1] >= hankel_singular_values(system) * (1 - 1e-10))


@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("time", TIMES)
def test_adjoint_system_has_the_same_values(time, dtype, rng):
    system = system_with_feedthrough(rng, time, dtype)
    A, B, C, D = (matrix.conj().T for matrix in fields_of(system))
    gamma = 1.2 * norm_of(system)
    first, second = (
        bounded_real_truncation(s, order=2, gamma=gamma).characteristic_values
        for s in (system, StateSpace(A, C, B, D, time))
    )
    np.testing.assert_allclose(first, second, rtol=1e-9)


def test_units_of_states_and_gains_do_not_matter(rng):
    system = system_with_feedthrough(rng, Continuous())
    gamma = 1.2 * norm_of(system)
    expected = bounded_real_truncation(system, order=3, gamma=gamma)
    A, B, C, D = fields_of(system)
    units, factor = 2.0 ** rng.integers(-20, 21, N), 2.0**40
    scaled = StateSpace(
        A / units[:, None] * units, B / units[:, None] * factor, C * units, D * factor
    )
    result = bounded_real_truncation(scaled, order=3, gamma=gamma * factor)
    np.testing.assert_allclose(
        result.characteristic_values / factor,
        expected.characteristic_values,
        rtol=1e-9,
    )


@pytest.mark.parametrize("time", TIMES)
def test_full_order_reproduces_the_system(time, rng):
    system = system_with_feedthrough(rng, time)
    result = bounded_real_truncation(system, order=N, gamma=1.1 * norm_of(system))
    points = np.exp(1j * np.linspace(0.1, 3, 9))
    np.testing.assert_allclose(
        dense_response(result.system, points),
        dense_response(system, points),
        rtol=1e-9,
        atol=1e-10,
    )


def test_response_at_the_mapped_point_is_kept(rng):
    system = system_with_feedthrough(rng, Discrete(0.1))
    result = bounded_real_truncation(system, order=2, gamma=2 * norm_of(system))
    assert result.left_projection is None
    both = [frequency_response(s, np.array([np.pi])) for s in (system, result.system)]
    np.testing.assert_allclose(both[1], both[0], rtol=1e-10)
    continuous = system_with_feedthrough(rng, Continuous())
    result = bounded_real_truncation(continuous, order=2, gamma=2 * norm_of(continuous))
    np.testing.assert_array_equal(result.system.D, continuous.D)
    W, T = result.left_projection, result.right_projection
    np.testing.assert_allclose(W.T @ T, np.eye(2), atol=1e-12)
    np.testing.assert_allclose(W.T @ continuous.A @ T, result.system.A, atol=1e-10)


def test_tolerance_gives_the_smallest_order(rng):
    system = system_with_feedthrough(rng, Continuous())
    gamma = 1.5 * norm_of(system)
    bounds = [
        float(bounded_real_truncation(system, order=r, gamma=gamma).error_bound)
        for r in range(N + 1)
    ]
    tolerance = (bounds[3] + bounds[4]) / 2
    assert bounded_real_truncation(system, error_tol=tolerance, gamma=gamma).order == 4
    relative = tolerance / norm_of(system)
    result = bounded_real_truncation(
        system, error_tol=relative * 1.01, relative=True, gamma=gamma
    )
    assert result.order == 4


def test_diagonal_systems_are_reduced_as_the_maps_they_are(rng):
    system = random_diagonal_system(rng, 6, 2, 3, Discrete(1.0), readout="real")
    gamma = 1.1 * float(hinf_norm(system, rtol=1e-3).upper)
    result = bounded_real_truncation(system, order=5, gamma=gamma)
    assert not np.iscomplexobj(result.system.A)
    assert bool(result.certify().bound_holds)
    assert norm_of(result.system) <= gamma


def test_degenerate_shapes_are_reduced():
    D = np.array([[0.5, 0.1]])
    empty = StateSpace(np.zeros((0, 0)), np.zeros((0, 2)), np.zeros((1, 0)), D)
    assert bounded_real_truncation(empty, order=0).order == 0
    silent = StateSpace([[-1.0]], np.zeros((1, 0)), [[1.0]])
    result = bounded_real_truncation(silent, order=0)
    assert (result.order, float(result.error_bound)) == (0, 0.0)


@pytest.mark.parametrize("gamma", [0.5, 1.9999, 2.0])
def test_gains_above_the_level_are_refused_and_named(gamma):
    system = StateSpace([[-1.0]], [[1.0]], [[2.0]])
    match = r"H-infinity norm 2(\.\d+)? \(at \S+ rad/s\), need less than gamma = "
    with pytest.raises(InvalidSystemError, match=match):
        bounded_real_truncation(system, order=1, gamma=gamma)


def test_refusal_names_the_peak():
    damping = 0.05
    A = np.array([[0.0, 1.0], [-1.0, -2 * damping]])
    system = StateSpace(A, [[0.0], [1.0]], [[1.0, 0.0]])
    peak, at = 1 / (2 * damping * np.sqrt(1 - damping**2)), np.sqrt(1 - 2 * damping**2)
    shown = re.escape(f"norm {peak:.9g} (at {at:.6g} rad/s), need less")
    with pytest.raises(InvalidSystemError, match=shown):
        bounded_real_truncation(system, order=1, gamma=0.9 * peak)
    discrete = discretize(system, 0.1, method="bilinear")
    shown = re.escape(f"(at {2 * np.arctan(0.05 * at):.6g} radians per sample)")
    with pytest.raises(InvalidSystemError, match=shown):
        bounded_real_truncation(discrete, order=1, gamma=0.9 * peak)


def test_feedthrough_above_the_level_is_refused():
    system = StateSpace([[-1.0]], [[0.1]], [[0.1]], [[-1.5]])
    with pytest.raises(InvalidSystemError, match=r"norm 1\.5 \(at inf rad/s"):
        bounded_real_truncation(system, order=1)


def test_unstable_systems_are_refused():
    system = StateSpace([[1.0]], [[1.0]], [[0.1]])
    with pytest.raises(UnstableSystemError, match="bounded_real_truncation: pole 1"):
        bounded_real_truncation(system, order=1)


@pytest.mark.parametrize("gamma", [0.0, -1.0, np.inf, np.nan])
def test_levels_must_be_positive_numbers(gamma):
    system = StateSpace([[-1.0]], [[1.0]], [[0.1]])
    with pytest.raises(ValueError, match=r"got gamma=.*, need a number > 0"):
        bounded_real_truncation(system, order=1, gamma=gamma)


def test_stacks_and_sparse_systems_are_refused():
    stack = StateSpace(-np.ones((2, 1, 1)), np.ones((2, 1, 1)), np.ones((2, 1, 1)))
    with pytest.raises(
        InvalidSystemError, match="bounded_real_truncation: got a stack"
    ):
        bounded_real_truncation(stack, order=1)
    sparse = SparseStateSpace(
        scipy.sparse.csc_array(-np.eye(2)), np.ones((2, 1)), np.ones((1, 2))
    )
    with (
        unchecked_types(),
        pytest.raises(InvalidSystemError, match="got a SparseStateSpace"),
    ):
        bounded_real_truncation(sparse, order=1)
