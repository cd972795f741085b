import importlib
import warnings
from dataclasses import replace

import numpy as np
import pytest

from hankelcut import (
    IllConditionedError,
    InvalidSystemError,
    NumericalWarning,
    UnstableSystemError,
)
from hankelcut.lti import (
    Continuous,
    Discrete,
    StateSpace,
    diagonalize,
    error_system,
    frequency_response,
    hankel_norm,
    hankel_singular_values,
    hinf_norm,
    to_dense,
)
from hankelcut.validation import random_diagonal_system, random_stable_system
from tests.exact import exact_response
from tests.helpers import (
    BATCHES,
    DTYPES,
    TIMES,
    dico,
    fortran,
    grid_norm,
    on,
    slycot_or_skip,
)

DOUBLES = [np.float64, np.complex128]


both_routes = pytest.mark.usefixtures("route")


@pytest.fixture(params=["diagonal form", "level sets"])
def route(request, monkeypatch):
    """Both ways to the norm of a dense system; the first may leave it to the second."""
    if request.param == "level sets":
        module = importlib.import_module("hankelcut.lti.norms._dense_norms")
        monkeypatch.setattr(module, "bracket_modal", lambda system, rtol: None)


def ends(system, rtol=1e-6):
    bracket = hinf_norm(system, rtol=rtol)
    assert bracket.certified
    return float(bracket.lower), float(bracket.upper), float(bracket.frequency)


def dense_grid(system, count=20_000):
    """The circle; or the imaginary axis, through the tangent of half the angle."""
    angles = np.linspace(-np.pi, np.pi, count, endpoint=False) + 1e-9
    if isinstance(system.time, Discrete):
        return angles
    return np.mean(abs(np.linalg.eigvals(system.A))) * np.tan(angles / 2)


def gain_at(system, frequency):
    """Largest singular value at one frequency, or at infinity."""
    if np.isinf(frequency):
        return np.linalg.norm(system.D, 2)
    return grid_norm(frequency_response(system, np.array([frequency])))


def slycot_norm(system):
    """H-infinity norm and peak frequency by AB13DD."""
    slycot = slycot_or_skip()
    n, m = system.B.shape
    A, B, C, D = fortran(system.A, system.B, system.C, system.D)
    return slycot.ab13dd(
        dico(system), "I", "S", "D", n, m, len(C), A, np.eye(n), B, C, D, tol=1e-10
    )


def resonances(rng, n_pairs, damping, time):
    """Lightly damped pairs of poles, 2 inputs and 3 outputs."""
    frequencies = np.sort(rng.uniform(0.3, 2.8, n_pairs))
    A = np.zeros((2 * n_pairs, 2 * n_pairs))
    for k, w in enumerate(frequencies):
        block = np.array([[-damping, w], [-w, -damping]])
        if isinstance(time, Discrete):
            turn = np.array([[np.cos(w), np.sin(w)], [-np.sin(w), np.cos(w)]])
            block = (1 - damping) * turn
        A[2 * k : 2 * k + 2, 2 * k : 2 * k + 2] = block
    Q = np.linalg.qr(rng.standard_normal(A.shape))[0]
    B = rng.standard_normal((2 * n_pairs, 2))
    C = rng.standard_normal((3, 2 * n_pairs))
    return StateSpace(Q @ A @ Q.T, Q @ B, C @ Q.T, rng.standard_normal((3, 2)), time)


# Norms that are known


@both_routes
@pytest.mark.parametrize("pole", [0.5, -0.9, 0.3 + 0.6j, 1 - 1e-6, 1e-12])
def test_first_order_discrete(pole):
    system = StateSpace(
        [[pole]], [[3.0, 4.0j]], [[1.0], [2.0], [2.0j]], time=Discrete()
    )
    lower, upper, frequency = ends(system)
    norm = 15 / (1 - abs(pole))
    assert lower == pytest.approx(norm, rel=1e-9)
    assert norm * (1 - 1e-15) <= upper <= 1.000001 * lower
    if abs(pole) > 0.1:
        assert frequency == pytest.approx(np.angle(pole), abs=1e-6)


@both_routes
@pytest.mark.parametrize("decay", [1e-9, 1.0, 1e9])
@pytest.mark.parametrize("turn", [0.0, 0.3, -1.0])
def test_first_order_continuous(decay, turn):
    system = StateSpace([[-decay + 1j * turn]], [[3.0, 4.0j]], [[1.0], [2.0]])
    lower, upper, frequency = ends(system)
    norm = 5 * np.sqrt(5) / decay
    assert lower == pytest.approx(norm, rel=1e-7)
    assert norm * (1 - 1e-15) <= upper <= 1.000001 * lower
    assert frequency == pytest.approx(turn, abs=1e-3 * decay + 1e-13 * abs(turn))


@both_routes
@pytest.mark.parametrize("damping", [0.5, 1e-2, 1e-4, 1e-8])
@pytest.mark.parametrize("speed", [1.0, 1e-5, 1e7])
def test_resonator(damping, speed):
    A = [[0.0, 1.0], [-(speed**2), -2 * damping * speed]]
    lower, upper, frequency = ends(StateSpace(A, [[0.0], [speed**2]], [[1.0, 0.0]]))
    norm = 1 / (2 * damping * np.sqrt(1 - damping**2))
    assert lower == pytest.approx(norm, rel=1e-8)
    assert norm * (1 - 1e-13) <= upper <= 1.000001 * lower
    peak = speed * np.sqrt(1 - 2 * damping**2)
    assert frequency == pytest.approx(peak, rel=max(1e-5, 1e-3 * damping))


@both_routes
@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", DOUBLES)
def test_all_pass_has_its_gain(time, dtype, rng):
    # Unitary at every frequency: no peak to find, and none to miss.
    n, m = 7, 3
    whole = rng.standard_normal((n + m, n + m)).astype(dtype)
    if dtype == np.complex128:
        whole = whole + 1j * rng.standard_normal(whole.shape)
    if isinstance(time, Discrete):
        U = np.linalg.qr(whole)[0]
        A, B, C, D = U[:n, :n], U[:n, n:], U[n:, :n], U[n:, n:]
    else:
        C, S = whole[n:, :n], whole[:n, :n]
        A, B, D = S - S.conj().T - C.conj().T @ C / 2, -C.conj().T, np.eye(m)
    lower, upper, _ = ends(StateSpace(A, B, 2.5 * C, 2.5 * D, time))
    assert lower == pytest.approx(2.5, rel=1e-9)
    assert 2.5 * (1 - 1e-14) <= upper <= 1.000001 * lower


@both_routes
def test_peak_at_infinite_frequency():
    # G = 5 - 4 / (s + 1): gain 1 at s = 0, 5 for fast inputs.
    system = StateSpace([[-1.0]], [[2.0]], [[-2.0]], [[5.0]])
    lower, upper, frequency = ends(system)
    assert lower == pytest.approx(5.0, rel=1e-14)
    assert 5.0 <= upper <= 1.000001 * lower
    assert frequency == np.inf


@both_routes
@pytest.mark.parametrize("side", [1.0, -1.0])
def test_peak_at_the_ends_of_the_circle(side):
    system = StateSpace(side * np.diag([0.9, 0.5]), np.ones((2, 1)), np.ones((1, 2)))
    system = replace(system, time=Discrete())
    lower, upper, frequency = ends(system)
    assert lower == pytest.approx(12.0, rel=1e-13)
    assert 12.0 * (1 - 1e-15) <= upper <= 1.000001 * lower
    assert frequency == pytest.approx(0.0 if side > 0 else np.pi, abs=1e-6)


@both_routes
@pytest.mark.parametrize("n", [5, 20])
def test_jordan_block(n):
    # Every term is positive at z = 1: sum of 10^k over the ways from input to output.
    A = 0.9 * np.eye(n) + np.eye(n, k=1)
    system = StateSpace(A, np.ones((n, 1)), np.ones((1, n)), time=Discrete())
    lower, upper, _ = ends(system, rtol=1e-3)
    norm = sum((n - k) * 10.0 ** (k + 1) for k in range(n))
    assert lower == pytest.approx(norm, rel=1e-10)
    assert norm * (1 - 1e-10) <= upper <= 1.001 * lower


@pytest.mark.parametrize("time", TIMES)
def test_no_states_leave_the_feedthrough(xp, time, rng):
    full = random_stable_system(rng, 0, 2, 3, time)
    bracket = hinf_norm(on(xp, full))
    norm = np.linalg.norm(full.D, 2)
    assert float(bracket.lower) == pytest.approx(norm, rel=1e-14)
    assert norm <= float(bracket.upper) <= norm * (1 + 1e-12)


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize(("m", "p"), [(0, 3), (2, 0), (0, 0)])
def test_no_channels_have_no_gain(xp, time, m, p, rng):
    bracket = hinf_norm(on(xp, random_stable_system(rng, 4, m, p, time)))
    assert float(bracket.lower) == float(bracket.upper) == 0.0


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("silent", ["B", "C"])
def test_silent_system_has_no_gain(time, silent, rng):
    system = random_stable_system(rng, 4, 2, 3, time)
    system = replace(system, **{silent: 0 * getattr(system, silent)})
    lower, upper, _ = ends(system)
    norm = np.linalg.norm(system.D, 2)
    assert lower == pytest.approx(norm, rel=1e-14)
    assert norm <= upper <= norm * (1 + 1e-12)
    assert ends(replace(system, D=0 * system.D))[:2] == (0.0, 0.0)


@both_routes
@pytest.mark.parametrize("D", [0.0, 1.0])
def test_states_that_are_not_reached_or_not_seen(D):
    # The first state is not seen, the last not reached, the second neither.
    system = StateSpace(
        np.diag([-1.0, -2.0, -3.0]), [[1.0], [0.0], [0.0]], [[0.0, 0.0, 1.0]], [[D]]
    )
    lower, upper, _ = ends(system)
    assert lower == D
    assert D <= upper <= 1.000001 * D + 1e-15


# Norms measured otherwise


@both_routes
@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize(("n", "seed"), [(4, 0), (21, 1), (60, 0)])
def test_norm_is_that_of_slycot(time, n, seed):
    system = random_stable_system(np.random.default_rng(seed), n, 2, 3, time)
    expected, where = slycot_norm(system)
    lower, upper, frequency = ends(system)
    assert lower == pytest.approx(expected, rel=1e-6)
    assert expected * (1 - 1e-9) <= upper <= 1.000001 * lower
    for w in (frequency, where):
        assert gain_at(system, w) == pytest.approx(expected, rel=1e-6)


@both_routes
@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("damping", [1e-2, 1e-4, 1e-6])
def test_norm_of_light_damping_is_that_of_slycot(time, damping, rng):
    system = resonances(rng, 6, damping, time)
    expected, where = slycot_norm(system)
    lower, upper, frequency = ends(system)
    assert lower == pytest.approx(expected, rel=1e-6)
    assert expected * (1 - 1e-7) <= upper <= 1.000001 * lower
    assert frequency == pytest.approx(where, abs=0.01 * damping)


@both_routes
@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", DOUBLES)
@pytest.mark.parametrize("seed", range(3))
def test_bracket_agrees_with_that_of_the_diagonal_form(time, dtype, seed):
    rng = np.random.default_rng(seed)
    system = random_stable_system(rng, 9, 2, 3, time, dtype=dtype, margin=1e-3)
    lower, upper, _ = ends(system)
    other = hinf_norm(diagonalize(system))
    assert lower <= float(other.upper) * (1 + 1e-9)
    assert float(other.lower) <= upper * (1 + 1e-9)
    assert upper <= 1.000001 * lower


@both_routes
@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", DOUBLES)
@pytest.mark.parametrize("rtol", [0.1, 1e-3, 1e-8])
def test_bracket_holds_a_dense_grid(time, dtype, rtol, rng):
    system = random_stable_system(rng, 6, 2, 3, time, dtype=dtype, margin=0.02)
    lower, upper, frequency = ends(system, rtol)
    grid = grid_norm(frequency_response(system, dense_grid(system)))
    assert grid <= upper
    assert lower <= upper <= (1 + rtol) * lower
    assert lower == pytest.approx(gain_at(system, frequency), rel=1e-9)
    if dtype == np.float64:
        assert frequency >= 0


@both_routes
@pytest.mark.parametrize("time", TIMES)
def test_second_of_two_close_peaks_is_found(time, rng):
    # Twelve peaks whose heights differ by parts in a million.
    system = resonances(rng, 12, 1e-3, time)
    angles = np.unique(np.round(np.angle(np.linalg.eigvals(system.A)), 9))
    lower, upper, _ = ends(system)
    around = np.linspace(-2e-3, 2e-3, 401)
    poles = np.linalg.eigvals(system.A)
    centres = angles if isinstance(time, Discrete) else poles.imag
    grid = np.concatenate([centre + around for centre in centres])
    assert grid_norm(frequency_response(system, grid)) <= upper <= 1.000001 * lower


@both_routes
@pytest.mark.parametrize("distance", [1e-9, 1e-7])
@pytest.mark.parametrize("time", TIMES)
def test_poles_next_to_the_boundary(time, distance, rng):
    # A diagonal system, whose response is known to 60 digits, in other coordinates.
    poles = np.array([1j, 1j + 3 * distance, 0.4 - 2j, -1.1 + 0.3j, 0.5])
    exponents = poles - poles.real - np.array([distance, 2 * distance, 0.1, 0.4, 0.2])
    diagonal = replace(
        random_diagonal_system(rng, 5, 2, 3, time), exponents=exponents, D=None
    )
    Q = np.linalg.qr(rng.standard_normal((5, 5)) + 1j * rng.standard_normal((5, 5)))[0]
    dense = to_dense(diagonal)
    A, B, C = Q @ dense.A @ Q.conj().T, Q @ dense.B, dense.C @ Q.conj().T
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NumericalWarning)
        bracket = hinf_norm(StateSpace(A, B, C, time=time))
    offsets = np.linspace(-3, 6, 91) * distance
    gains = [np.linalg.norm(exact_response(diagonal, 1 + d), 2) for d in offsets]
    # Turning the matrix moved the poles by its rounding, 1e-15 or so.
    moved = 1e-14 / distance
    assert bracket.certified
    assert max(gains) <= float(bracket.upper) * (1 + moved)
    assert float(bracket.lower) <= max(gains) * (1 + moved) * 1.01
    assert float(bracket.upper) <= float(bracket.lower) * (1 + 1e-2)


@both_routes
def test_difference_of_nearly_equal_systems(rng):
    # The gain of the difference is 1e-9 of that of either system.
    system = random_stable_system(rng, 12, 2, 3)
    change = replace(system, C=1e-9 * rng.standard_normal((3, 12)), D=0 * system.D)
    expected, _, _ = ends(change)
    other = replace(system, C=system.C + change.C)
    lower, upper, _ = ends(error_system(other, system))
    assert lower == pytest.approx(expected, rel=1e-6)
    assert upper <= 1.000001 * lower


@both_routes
def test_equal_systems_differ_by_rounding(rng):
    system = random_stable_system(rng, 6, 2, 3)
    Q = np.linalg.qr(rng.standard_normal((6, 6)))[0]
    same = replace(system, A=Q @ system.A @ Q.T, B=Q @ system.B, C=system.C @ Q.T)
    lower, upper, _ = ends(error_system(system, same))
    norm = ends(system)[0]
    assert lower <= upper <= 1e-12 * norm


# Invariances


@both_routes
@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", DOUBLES)
def test_unitary_channels_are_irrelevant(time, dtype, rng):
    system = random_stable_system(rng, 5, 2, 3, time, dtype=dtype)
    U = np.linalg.qr(rng.standard_normal((2, 2)) + 1j * rng.standard_normal((2, 2)))[0]
    V = np.linalg.qr(rng.standard_normal((3, 3)) + 1j * rng.standard_normal((3, 3)))[0]
    turned = replace(system, B=system.B @ U, C=V @ system.C, D=V @ system.D @ U)
    assert ends(turned)[0] == pytest.approx(ends(system)[0], rel=1e-6)
    assert ends(turned, 1e-9)[0] == pytest.approx(ends(system, 1e-9)[0], rel=1e-9)


@both_routes
def test_turning_the_circle_turns_the_peak(rng):
    system = random_stable_system(rng, 6, 2, 3, Discrete())
    lower, _, frequency = ends(system, 1e-9)
    for angle in (0.7, 2.5, -1.9):
        turn = np.exp(1j * angle)
        turned = replace(system, A=turn * system.A, B=turn * system.B)
        ours, _, where = ends(turned, 1e-9)
        assert ours == pytest.approx(lower, rel=1e-9)
        # A real system has its peak at both signs.
        distances = np.angle(
            np.exp(1j * (where - angle - np.array([1, -1]) * frequency))
        )
        assert np.min(abs(distances)) <= 1e-5


@both_routes
@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("condition", [10.0, 1e3, 1e5])
def test_similarity_is_irrelevant(time, condition, rng):
    system = random_stable_system(rng, 8, 2, 3, time)
    U, V = (np.linalg.qr(rng.standard_normal((8, 8)))[0] for _ in range(2))
    scales = np.geomspace(1, condition, 8)
    T, inverse = (U * scales) @ V, (V.T / scales) @ U.T
    other = replace(system, A=inverse @ system.A @ T, B=inverse @ system.B)
    lower, upper, _ = ends(replace(other, C=system.C @ T))
    assert lower == pytest.approx(ends(system)[0], rel=1e-14 * condition**2 + 1e-6)
    assert upper <= 1.000001 * lower


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("exponent", [-500, 40, 500])
def test_scaling_of_inputs_against_outputs_is_irrelevant(time, exponent, rng):
    system = random_stable_system(rng, 5, 2, 3, time)
    scale = 2.0**exponent
    scaled = replace(system, B=scale * system.B, C=system.C / scale)
    lower, upper, _ = ends(scaled)
    assert lower == pytest.approx(ends(system)[0], rel=1e-9)
    assert upper <= 1.000001 * lower


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("exponent", [-450, 450])
def test_extreme_gains_scale_the_bracket(time, exponent, rng):
    system = replace(random_stable_system(rng, 5, 2, 3, time), D=np.zeros((3, 2)))
    root, gain = 2.0**exponent, 2.0 ** (2 * exponent)
    lower, _, frequency = ends(system)
    scaled = replace(system, B=root * system.B, C=root * system.C)
    ours, ceiling, where = ends(scaled)
    assert ours == pytest.approx(gain * lower, rel=1e-9)
    assert gain * lower <= ceiling <= 1.000001 * ours
    assert where == pytest.approx(frequency, abs=1e-5)


@both_routes
def test_states_of_extreme_scales_are_irrelevant(rng):
    system = random_stable_system(rng, 8, 2, 3)
    scales = 2.0 ** np.round(np.linspace(-300, 300, 8))
    A, B, C = system.A * scales[:, None] / scales, system.B * scales[:, None], system.C
    lower, upper, _ = ends(replace(system, A=A, B=B, C=C / scales))
    assert lower == pytest.approx(ends(system)[0], rel=1e-9)
    assert upper <= 1.000001 * lower


@both_routes
@pytest.mark.parametrize("gain", [1e-200, 1e-12, 1e12, 1e200])
def test_feedthrough_of_another_size(gain, rng):
    system = random_stable_system(rng, 4, 2, 3)
    lower, upper, _ = ends(replace(system, D=gain * system.D))
    ceiling = gain * np.linalg.norm(system.D, 2)
    proper = ends(replace(system, D=0 * system.D))
    assert max(proper[0] - ceiling, ceiling) <= upper * (1 + 1e-14)
    assert lower <= (proper[1] + ceiling) * (1 + 1e-14)
    assert upper <= 1.000001 * lower


@both_routes
@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", DOUBLES)
def test_norm_chain(time, dtype, rng):
    system = random_stable_system(rng, 5, 2, 3, time, dtype=dtype)
    lower, upper, _ = ends(system)
    feedthrough = np.linalg.norm(system.D, 2)
    assert float(hankel_norm(system)) <= upper
    assert feedthrough <= upper
    assert lower <= feedthrough + 2 * hankel_singular_values(system).sum()


@both_routes
@pytest.mark.parametrize("time", TIMES)
def test_gain_of_a_series_is_at_most_the_product(time, rng):
    first = random_stable_system(rng, 4, 2, 3, time)
    second = random_stable_system(rng, 3, 3, 5, time)
    A = np.block([[first.A, np.zeros((4, 3))], [second.B @ first.C, second.A]])
    series = StateSpace(
        A,
        np.vstack([first.B, second.B @ first.D]),
        np.hstack([second.D @ first.C, second.C]),
        second.D @ first.D,
        time,
    )
    assert ends(series)[0] <= ends(first)[1] * ends(second)[1]


# Grids


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_batch_equals_loop(xp, time, dtype, rng):
    for batch in BATCHES:
        full = random_stable_system(rng, 4, 2, 3, time, dtype=dtype, batch=batch)
        bracket = hinf_norm(on(xp, full), rtol=1e-4)
        fields = (bracket.lower, bracket.upper, bracket.frequency)
        single = np.finfo(dtype).bits == 32
        for values in fields:
            assert values.dtype == (xp.float32 if single else xp.float64)
            assert tuple(values.shape) == batch
        lower, upper, _ = (xp.to_numpy(values) for values in fields)
        for i in np.ndindex(*batch):
            wide = "c16" if np.dtype(dtype).kind == "c" else "f8"
            matrices = (full.A, full.B, full.C, full.D)
            item = StateSpace(*(x[i].astype(wide) for x in matrices), time)
            one = ends(item, rtol=1e-6)
            assert lower[i] <= one[1]
            assert one[0] <= upper[i] <= (1 + 1.1e-4) * lower[i]


def test_inputs_are_not_modified(rng):
    system = random_stable_system(rng, 4, 2, 3)
    before = [matrix.copy() for matrix in (system.A, system.B, system.C, system.D)]
    ends(system)
    after = (system.A, system.B, system.C, system.D)
    assert all(np.array_equal(x, y) for x, y in zip(before, after, strict=True))


# Refusals


@pytest.mark.parametrize("rtol", [0.0, -1.0, float("nan")])
def test_tolerance_must_be_positive(rtol, rng):
    with pytest.raises(InvalidSystemError, match="need a positive number"):
        hinf_norm(random_stable_system(rng, 3, 2, 4), rtol=rtol)


def test_bad_systems_are_refused(rng):
    system = random_stable_system(rng, 3, 2, 4)
    with pytest.raises(InvalidSystemError, match="hinf_norm: D of shape"):
        hinf_norm(replace(system, D=np.nan * system.D))
    with pytest.raises(UnstableSystemError, match="hinf_norm: pole"):
        hinf_norm(replace(system, A=-system.A))


def test_width_that_cannot_be_had_is_said(rng):
    system = random_stable_system(rng, 4, 2, 3, batch=(2,))
    message = r"of batch item \(\d,\) has the relative width .* more than rtol=1e-16"
    with pytest.warns(NumericalWarning, match=message):
        bracket = hinf_norm(system, rtol=1e-16)
    assert bracket.certified
    assert np.all(bracket.upper <= (1 + 1e-9) * bracket.lower)
    for i in (0, 1):
        lower, upper, _ = ends(system[i])
        assert lower <= bracket.upper[i]
        assert bracket.lower[i] <= upper


def test_system_beyond_proof_keeps_the_bound_that_is_known():
    # Gains from 1 to 1e52 within one system: nothing is left of its smallest ones.
    n = 20
    A = 0.9 * np.eye(n) + 50 * np.eye(n, k=1)
    system = StateSpace(A, np.ones((n, 1)), np.ones((1, n)), time=Discrete())
    with pytest.warns(NumericalWarning, match="the a-priori bound, not certified"):
        bracket = hinf_norm(system)
    norm = sum((n - k) * 50.0**k * 10.0 ** (k + 1) for k in range(n))
    assert not bracket.certified
    assert float(bracket.lower) == pytest.approx(norm, rel=1e-9)
    assert norm <= float(bracket.upper)


@both_routes
def test_continuous_and_discrete_are_told_apart():
    system = StateSpace([[-0.5]], [[1.0]], [[1.0]])
    assert ends(system)[0] == pytest.approx(2.0)
    assert ends(replace(system, time=Discrete()))[0] == pytest.approx(2.0)
    assert ends(replace(system, time=Discrete()))[2] == pytest.approx(np.pi, abs=1e-6)
    assert ends(replace(system, time=Continuous()))[2] == 0.0


def test_a_norm_beyond_single_precision_is_said():
    one = np.ones((1, 1), dtype=np.float32)
    system = StateSpace(-one / 2, 1e20 * one, 1e20 * one)
    with pytest.raises(IllConditionedError, match=r"2e\+40 leaves the range of float"):
        hinf_norm(system)
