import itertools
import re

import numpy as np
import pytest
import scipy.linalg

from hankelcut import InvalidSystemError, UnstableSystemError
from hankelcut.lti import (
    Continuous,
    Discrete,
    StateSpace,
    append,
    discretize,
    error_system,
    frequency_response,
    hinf_norm,
    is_stable,
)
from hankelcut.reduction import bounded_real_truncation, positive_real_truncation
from tests.helpers import DTYPES, TIMES, dense_response, fields_of, in_double, on

KINDS = [np.float64, np.complex128]
N, M = 7, 2


def passive_system(rng, time, dtype=float, n=N):
    """x' = (J - R) x + B u, y = B^H x + (1 + K) u in random states; J, K skew."""

    def draw(*shape):
        values = rng.standard_normal(shape)
        if np.dtype(dtype).kind == "c":
            values = values + 1j * rng.standard_normal(shape)
        return values

    root, B, skew = draw(n, 2), draw(n, M), draw(n, n)
    A = skew - skew.conj().T - root @ root.conj().T / 4 - 0.1 * np.eye(n)
    K = draw(M, M) / 4
    T = draw(n, n) + 4 * np.eye(n)
    D = np.eye(M) + K - K.conj().T
    matrices = np.linalg.solve(T, A @ T), np.linalg.solve(T, B), B.conj().T @ T, D
    if isinstance(time, Continuous):
        return StateSpace(*(matrix.astype(dtype) for matrix in matrices))
    discrete = discretize(StateSpace(*matrices), 0.1, method="bilinear")
    return StateSpace(*(x.astype(dtype) for x in fields_of(discrete)), time)


def scattering_response(system, points, reference=1.0):
    G = dense_response(system, points)
    identity = reference * np.eye(G.shape[-1])
    return (G - identity) @ np.linalg.inv(G + identity)


def grid(time):
    angles = np.concatenate([-np.logspace(-3, 0, 100), np.logspace(-3, 0, 100)]) * 3.1
    if isinstance(time, Continuous):
        return 1j * np.tan(angles / 2) * 10
    return np.exp(1j * angles)


def least_resistance(system):
    """Smallest eigenvalue of G + G^H over a grid."""
    G = dense_response(system, grid(system.time))
    return float(np.min(np.linalg.eigvalsh(G + G.conj().swapaxes(-1, -2))))


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_models_are_passive_and_the_bound_holds(xp, time, dtype, rng):
    system = on(xp, passive_system(rng, time, dtype))
    result = positive_real_truncation(system, order=3)
    assert result.method == "positive-real truncation"
    assert result.values_name == "positive-real characteristic values"
    assert result.order == 3
    assert result.warnings == ()
    for ours, theirs in zip(fields_of(result.system), fields_of(system), strict=True):
        assert isinstance(ours, type(theirs))
        assert ours.dtype == theirs.dtype
    full, reduced = in_double(xp, system), in_double(xp, result.system)
    assert bool(is_stable(reduced))
    assert least_resistance(reduced) > 0
    points = grid(time)
    error = scattering_response(full, points) - scattering_response(reduced, points)
    largest = np.max(np.linalg.svd(error, compute_uv=False))
    assert 0.01 * float(result.error_bound) <= largest <= float(result.error_bound)


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("reference", [0.1, 20.0])
def test_models_of_all_orders_keep_the_promise(time, dtype, reference, rng):
    system = passive_system(rng, time, dtype)
    points = grid(time)
    S = scattering_response(system, points, reference)
    for order in (0, 2, 6):
        result = positive_real_truncation(system, order=order, reference=reference)
        certificate = result.certify()
        assert bool(certificate.bound_holds)
        assert max(float(r) for r in certificate.gramian_residuals) <= 1e-13
        assert least_resistance(result.system) > 0
        assert f"rho = {reference:g}" in result.bound.quantity
        # What is certified is the error of the scattering matrix.
        error = S - scattering_response(result.system, points, reference)
        largest = np.max(np.linalg.svd(error, compute_uv=False))
        measured = certificate.bounded_error
        assert largest <= float(measured.upper) * (1 + 1e-9) + 1e-12
        assert largest >= 0.9 * float(measured.lower) - 1e-12


@pytest.mark.parametrize("dtype", KINDS)
def test_values_are_those_of_the_definition(dtype, rng):
    system = passive_system(rng, Continuous(), dtype, n=5)
    A, B, C, D = fields_of(system)
    none, R = np.zeros_like(A), -(D + D.conj().T)
    solve = scipy.linalg.solve_continuous_are
    Q = solve(A, B, none, R, s=-C.conj().T)
    P = solve(A.conj().T, C.conj().T, none, R, s=-B)
    expected = np.sqrt(np.sort(np.linalg.eigvals(P @ Q).real)[::-1])
    values = positive_real_truncation(system, order=2).characteristic_values
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-9)
    assert values[0] < 1


def scattering_system(system):
    """The system (G - I) (G + I)^-1."""
    A, B, C, D = fields_of(system)
    inverse = np.linalg.inv(D + np.eye(D.shape[0]))
    return StateSpace(
        A - B @ inverse @ C,
        np.sqrt(2) * B @ inverse,
        np.sqrt(2) * inverse @ C,
        (D - np.eye(D.shape[0])) @ inverse,
        system.time,
    )


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", KINDS)
def test_truncation_is_bounded_real_truncation_of_the_scattering(time, dtype, rng):
    system = passive_system(rng, time, dtype)
    ours = positive_real_truncation(system, order=3)
    theirs = bounded_real_truncation(scattering_system(system), order=3)
    np.testing.assert_allclose(
        ours.characteristic_values, theirs.characteristic_values, rtol=1e-9
    )
    np.testing.assert_allclose(ours.error_bound, theirs.error_bound, rtol=1e-9)
    points = grid(time)
    np.testing.assert_allclose(
        scattering_response(ours.system, points),
        dense_response(theirs.system, points),
        atol=1e-9,
    )


def test_first_order_values_have_a_closed_form():
    # G = d + b c / (s + a).
    a, b, c, d = 2.0, 3.0, 0.5, 0.7
    result = positive_real_truncation(StateSpace([[-a]], [[b]], [[c]], [[d]]), order=1)
    half = 2 * a * d + b * c
    expected = (half - np.sqrt(half**2 - (b * c) ** 2)) / (b * c)
    np.testing.assert_allclose(result.characteristic_values, [expected], rtol=1e-13)


def test_small_values_keep_their_digits():
    # Impedances of separate ports have the values of each: down to 1e-14.
    gains = [1.0, 1e-3, 1e-7, 1e-14]
    ports = [
        StateSpace([[-1.0 - k]], [[1.0 + k]], [[gain]], [[0.5]])
        for k, gain in enumerate(gains)
    ]
    system = ports[0]
    for port in ports[1:]:
        system = append(system, port)
    result = positive_real_truncation(system, order=4)
    # With h = 1 + g the root of v^2 - 2 (h / g) v + 1 = 0, without cancellation.
    halves = [1 + gain for gain in gains]
    expected = [
        gain / (half + np.sqrt((half - gain) * (half + gain)))
        for gain, half in zip(gains, halves, strict=True)
    ]
    np.testing.assert_allclose(result.characteristic_values, expected, rtol=1e-13)


def test_line_of_resistors_and_capacitors_is_reduced():
    # Impedance of a ladder of 30 cells; the conductances to ground keep it lossy.
    n = 30
    A = np.diag(-2.1 * np.ones(n)) + np.eye(n, k=1) + np.eye(n, k=-1)
    B = np.eye(n, 1)
    system = StateSpace(A, B, B.T, np.array([[0.2]]))
    result = positive_real_truncation(system, error_tol=1e-3)
    assert result.order < 10
    assert least_resistance(result.system) > 0
    assert float(result.certify().bounded_error.upper) <= 1e-3
    smaller = positive_real_truncation(system, order=result.order - 1)
    assert float(smaller.error_bound) > 1e-3


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("exponent", [-60, 60])
def test_units_do_not_matter(time, exponent, rng):
    system = passive_system(rng, time)
    expected = positive_real_truncation(system, order=3)
    A, B, C, D = fields_of(system)
    factor, units = 2.0**exponent, 2.0 ** rng.integers(-20, 21, N)
    scaled = StateSpace(
        A / units[:, None] * units,
        B / units[:, None] * factor,
        C * units,
        D * factor,
        time,
    )
    result = positive_real_truncation(scaled, order=3, reference=factor)
    np.testing.assert_allclose(
        result.characteristic_values, expected.characteristic_values, rtol=1e-9
    )
    points = grid(time)
    np.testing.assert_allclose(
        dense_response(result.system, points) / factor,
        dense_response(expected.system, points),
        rtol=1e-8,
        atol=1e-8,
    )
    assert bool(result.certify().bound_holds)


@pytest.mark.parametrize("time", TIMES)
def test_full_order_reproduces_the_system(time, rng):
    system = passive_system(rng, time)
    result = positive_real_truncation(system, order=N)
    points = grid(time)
    np.testing.assert_allclose(
        dense_response(result.system, points),
        dense_response(system, points),
        rtol=1e-8,
        atol=1e-9,
    )
    assert float(result.error_bound) == 0


def test_response_at_the_mapped_point_is_kept(rng):
    system = passive_system(rng, Discrete(0.1))
    result = positive_real_truncation(system, order=2)
    both = [frequency_response(s, np.array([np.pi])) for s in (system, result.system)]
    np.testing.assert_allclose(both[1], both[0], rtol=1e-10)
    assert result.left_projection is None
    continuous = passive_system(rng, Continuous())
    result = positive_real_truncation(continuous, order=2)
    np.testing.assert_array_equal(result.system.D, continuous.D)
    W, T = result.left_projection, result.right_projection
    np.testing.assert_allclose(W.T @ continuous.A @ T, result.system.A, atol=1e-10)


def test_tolerances_bound_the_scattering_error(rng):
    system = passive_system(rng, Continuous())
    bounds = [
        float(positive_real_truncation(system, order=r).error_bound)
        for r in range(N + 1)
    ]
    assert all(x >= y for x, y in itertools.pairwise(bounds))
    tolerance = (bounds[3] + bounds[4]) / 2
    for relative in (False, True):
        result = positive_real_truncation(
            system, error_tol=tolerance, relative=relative
        )
        assert result.order == 4


def test_degenerate_shapes_are_reduced():
    D = np.array([[1.0, 0.1], [-0.1, 1.0]])
    empty = StateSpace(np.zeros((0, 0)), np.zeros((0, 2)), np.zeros((2, 0)), D)
    assert positive_real_truncation(empty, order=0).order == 0
    silent = StateSpace([[-1.0]], np.zeros((1, 0)), np.zeros((0, 1)))
    assert positive_real_truncation(silent, order=0).order == 0
    idle = StateSpace([[-1.0]], [[0.0]], [[1.0]], [[1.0]])
    result = positive_real_truncation(idle, order=0)
    assert (result.order, float(result.error_bound)) == (0, 0.0)


SHOWN = re.compile(r"smallest eigenvalue (\S+) at (\S+) (rad/s|radians per sample)")


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("excess", [1e-6, 0.5])
def test_active_systems_are_refused_with_a_frequency(time, dtype, excess, rng):
    # d I - H with H passive and strictly proper: least where H is largest.
    A, B, C, D = fields_of(passive_system(rng, time, dtype))
    H = StateSpace(A, B, C, np.zeros_like(D), time)
    identity = np.eye(M)
    lowest = least_resistance(StateSpace(A, B, -C, 0 * D, time))
    proper = frequency_response(H, np.array([np.pi]))[0]
    proper = proper if isinstance(time, Discrete) else 0 * proper
    active = StateSpace(A, B, -C, -(lowest / 2 + excess) * identity, time)
    assert np.max(np.linalg.eigvalsh(proper + proper.conj().T)) < -lowest - 2 * excess
    with pytest.raises(InvalidSystemError, match="not strictly passive") as refusal:
        positive_real_truncation(active, order=3)
    value, frequency, _ = SHOWN.search(str(refusal.value)).groups()
    assert float(value) < 0
    G = frequency_response(active, np.array([float(frequency)]))[0]
    measured = np.min(np.linalg.eigvalsh(G + G.conj().T))
    assert measured == pytest.approx(float(value), rel=1e-2, abs=1e-8)


def test_turned_frequencies_are_those_of_the_system():
    # A pole at z = -1 to rounding is mapped about z = 1; the gain dips at z = i.
    root = np.sqrt(0.81)
    dip = StateSpace(
        [[0.0, -root], [root, 0.0]],
        [[1.0], [0.0]],
        [[-0.5, 0.0]],
        [[1.2]],
        Discrete(1.0),
    )
    slow = StateSpace([[-1 + 1e-13]], [[1e-7]], [[-1e-7]], [[0.0]], Discrete(1.0))
    system = StateSpace(
        scipy.linalg.block_diag(dip.A, slow.A),
        np.vstack([dip.B, slow.B]),
        np.hstack([dip.C, slow.C]),
        dip.D,
        Discrete(1.0),
    )
    with pytest.raises(InvalidSystemError, match="not strictly passive") as refusal:
        positive_real_truncation(system, order=1)
    value, frequency, unit = SHOWN.search(str(refusal.value)).groups()
    assert unit == "radians per sample"
    G = frequency_response(system, np.array([float(frequency)]))[0]
    assert 2 * G[0, 0].real == pytest.approx(float(value), rel=1e-2)


def test_systems_at_the_limit_are_refused():
    # 1 - 1 / (s + 1): G(0) = 0.
    system = StateSpace([[-1.0]], [[1.0]], [[-1.0]], [[1.0]])
    with pytest.raises(InvalidSystemError, match="eigenvalue 0 at 0 rad/s: not strict"):
        positive_real_truncation(system, order=1)


def test_feedthroughs_without_resistance_are_refused():
    for D in ([[0.0]], [[-0.1]]):
        system = StateSpace([[-1.0]], [[1.0]], [[1.0]], D)
        match = f"eigenvalue {2 * D[0][0]:g} at infinite frequency, need a positive"
        with pytest.raises(InvalidSystemError, match=match):
            positive_real_truncation(system, order=1)
    # 0.1 + 2 / (z - 0.5) is -1.23 at z = -1.
    discrete = StateSpace([[0.5]], [[1.0]], [[2.0]], [[0.1]], Discrete(1.0))
    with pytest.raises(InvalidSystemError, match=r"eigenvalue -2\.46667 at z = -1,"):
        positive_real_truncation(discrete, order=1)


def test_other_numbers_of_outputs_than_inputs_are_refused():
    system = StateSpace([[-1.0]], [[1.0, 1.0]], [[1.0]])
    with pytest.raises(InvalidSystemError, match="got 1 outputs and 2 inputs, need as"):
        positive_real_truncation(system, order=1)


def test_unstable_systems_are_refused():
    system = StateSpace([[1.0]], [[1.0]], [[1.0]], [[1.0]])
    with pytest.raises(UnstableSystemError, match="positive_real_truncation: pole 1"):
        positive_real_truncation(system, order=1)


@pytest.mark.parametrize("reference", [0.0, -1.0, np.inf, np.nan])
def test_references_must_be_positive_numbers(reference):
    system = StateSpace([[-1.0]], [[1.0]], [[1.0]], [[1.0]])
    with pytest.raises(ValueError, match=r"got reference=.*, need a number > 0"):
        positive_real_truncation(system, order=1, reference=reference)


def test_error_of_a_model_is_measured_by_norm(rng):
    system = passive_system(rng, Continuous())
    result = positive_real_truncation(system, order=3)
    difference = error_system(
        scattering_system(system), scattering_system(result.system)
    )
    expected = float(hinf_norm(difference).lower)
    measured = result.certify(rtol=1e-6).bounded_error
    assert float(measured.lower) == pytest.approx(expected, rel=1e-5)
