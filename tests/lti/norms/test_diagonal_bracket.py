import importlib
from dataclasses import replace

import numpy as np
import pytest

from hankelcut import InvalidSystemError, NumericalWarning, UnstableSystemError
from hankelcut.lti import (
    Continuous,
    DiagonalStateSpace,
    Discrete,
    frequency_response,
    hankel_singular_values,
    hinf_norm,
    to_dense,
)
from hankelcut.validation import random_diagonal_system, random_lru_system
from tests.exact import exact_response
from tests.helpers import (
    READOUTS,
    TIMES,
    dico,
    fortran,
    grid_norm,
    on,
    scalar_system,
    slycot_or_skip,
    to_precision,
)


def ends(system, rtol=0.01):
    bracket = hinf_norm(system, rtol=rtol)
    return float(bracket.lower), float(bracket.upper), float(bracket.frequency)


def dense_grid(system, count=100_000):
    """The circle; or the imaginary axis, through the tangent of half the angle."""
    angles = np.linspace(-np.pi, np.pi, count, endpoint=False) + 1e-9
    angles = np.concatenate([angles, np.angle(system.poles).ravel()])
    if isinstance(system.time, Discrete):
        return angles
    scale = np.exp(np.log(abs(system.poles)).mean())
    return np.concatenate([scale * np.tan(angles / 2), system.poles.imag.ravel()])


# Norms that are known


@pytest.mark.parametrize("nu", [1e-15, 1e-12, 1e-6, 1e-2, 1.0, 30.0])
@pytest.mark.parametrize("readout_angle", [0.0, 2.0])
def test_first_order_discrete(nu, readout_angle):
    system = DiagonalStateSpace(
        [-nu + 1j * readout_angle], [[3.0, 4.0j]], [[1.0], [2.0], [2.0j]]
    )
    lower, upper, frequency = ends(system, rtol=1e-3)
    norm = 5 * 3 / -np.expm1(-nu)
    assert lower == pytest.approx(norm, rel=1e-12)
    assert norm * (1 - 1e-12) <= upper <= 1.0011 * norm
    if nu <= 1:
        assert frequency == pytest.approx(readout_angle, abs=1e-10)


@pytest.mark.parametrize("decay", [1e-10, 1.0, 1e8])
@pytest.mark.parametrize("turn", [0.0, 0.3, -1e3])
def test_first_order_continuous(decay, turn):
    system = scalar_system(-decay + 1j * turn, [3.0, 4.0j], [1.0, 2.0], Continuous())
    lower, upper, frequency = ends(system, rtol=1e-3)
    norm = 5 * np.sqrt(5) / decay
    assert norm / 1.0011 <= lower <= norm * (1 + 1e-9)
    assert norm * (1 - 1e-9) <= upper <= 1.0011 * norm
    assert frequency == pytest.approx(turn, abs=0.1 * decay + 1e-13 * abs(turn))


def all_pass(poles, gain):
    """Gain times the product of (1 - conj(p) z) / (z - p), by partial fractions."""
    residues = [
        (1 - abs(p) ** 2)
        * np.prod([(1 - q.conj() * p) / (p - q) for q in poles if q != p])
        for p in poles
    ]
    return DiagonalStateSpace.from_poles(
        poles,
        np.ones((len(poles), 1)),
        gain * np.array([residues]),
        np.array([[gain * np.prod(-poles.conj())]]),
    )


@pytest.mark.parametrize("n_poles", [1, 4, 9])
def test_all_pass_has_its_gain(n_poles, rng):
    poles = rng.uniform(0.2, 0.7, n_poles) * np.exp(1j * rng.uniform(-3, 3, n_poles))
    lower, upper, _ = ends(all_pass(poles, 2.5), rtol=1e-3)
    assert lower == pytest.approx(2.5, rel=1e-9)
    assert 2.5 * (1 - 1e-9) <= upper <= 2.503


@pytest.mark.parametrize("n", [8, 32])
def test_truncated_delay(n):
    # Poles at the n-th roots of r: h_k = 1 at k = 1, 1 + n, ... only, damped by r.
    damping = 0.5
    poles = damping ** (1 / n) * np.exp(2j * np.pi * np.arange(n) / n)
    system = DiagonalStateSpace.from_poles(poles, np.ones((n, 1)) / n, np.ones((1, n)))
    lower, upper, _ = ends(system, rtol=1e-3)
    norm = 1 / (1 - damping)
    assert lower == pytest.approx(norm, rel=1e-9)
    assert norm * (1 - 1e-9) <= upper <= 1.0011 * norm


@pytest.mark.parametrize("time", TIMES)
def test_no_states_leave_the_feedthrough(xp, time, rng):
    full = random_diagonal_system(rng, 0, 2, 3, time)
    bracket = hinf_norm(on(xp, full), rtol=0.01)
    norm = np.linalg.norm(full.D, 2)
    assert float(bracket.lower) == pytest.approx(norm, rel=1e-13)
    assert norm * (1 - 1e-15) <= float(bracket.upper) <= 1.0101 * norm


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize(("m", "p"), [(0, 3), (2, 0), (0, 0)])
def test_no_channels_have_no_gain(xp, time, m, p):
    full = random_diagonal_system(np.random.default_rng(0), 4, m, p, time)
    bracket = hinf_norm(on(xp, full), rtol=0.01)
    assert float(bracket.lower) == float(bracket.upper) == 0.0


def test_silent_system_has_no_gain():
    system = DiagonalStateSpace(-np.ones(3), np.zeros((3, 2)), np.ones((4, 3)))
    lower, upper, _ = ends(system)
    assert (lower, upper) == (0.0, 0.0)


# Norms measured otherwise


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("readout", READOUTS)
def test_bracket_holds_a_dense_grid(time, readout, rng):
    system = random_diagonal_system(rng, 5, 2, 3, time, readout, margin=0.02)
    lower, upper, frequency = ends(system, rtol=1e-4)
    grid = grid_norm(frequency_response(system, dense_grid(system)))
    assert grid <= upper
    assert lower <= upper <= 1.00011 * lower
    # The grid resolves every resonance to a small share of its width.
    assert lower <= 1.0001 * grid
    at_peak = grid_norm(frequency_response(system, np.array([frequency])))
    assert lower == pytest.approx(at_peak, rel=1e-12)


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("seed", range(5))
def test_bracket_holds_the_norm_of_slycot(time, seed):
    slycot = slycot_or_skip()
    rng = np.random.default_rng(seed)
    layer = random_diagonal_system(rng, 4, 2, 3, time, "real", margin=1e-3)
    lower, upper, _ = ends(layer, rtol=1e-4)
    system = to_dense(layer)
    A, B, C, D = fortran(system.A, system.B, system.C, system.D)
    peak, _ = slycot.ab13dd(
        dico(system), "I", "N", "D", 8, 2, 3, A, np.eye(8), B, C, D, tol=1e-9
    )
    assert lower <= peak * (1 + 1e-8)
    assert peak <= upper * (1 + 1e-8)
    assert upper <= 1.00011 * lower


@pytest.mark.parametrize("readout", READOUTS)
def test_resonances_next_to_the_circle(readout):
    # Two poles 1e-12 inside the circle, 3e-12 apart: any grid misses them.
    exponents = np.array([-1e-12 + 1j, -1e-12 + 1j + 3e-12j, -0.4 - 2j])
    B = np.array([[1.0, 0.2], [0.5j, 1.0], [1.0, 1.0]])
    C = np.array([[1.0, 1.0, 1.0], [0.3, -1.0, 2.0], [0.1j, 0.2, 0.5]])
    system = DiagonalStateSpace(exponents, B, C, readout=readout)
    lower, upper, _ = ends(system, rtol=1e-3)
    offsets = np.linspace(-5e-12, 8e-12, 131)
    gains = [np.linalg.norm(exact_response(system, 1 + d), 2) for d in offsets]
    # Frequencies next to 1 are multiples of 2e-16: a relative 2e-4 of the width.
    assert lower <= upper <= 1.0011 * lower
    assert max(gains) <= upper * (1 + 1e-3)
    assert lower <= max(gains) * (1 + 1e-2)


def test_layer_at_initialisation_closes(rng):
    system = random_lru_system(rng, 64, 8, 6, r_min=0.9, r_max=0.9999)
    lower, upper, _ = ends(system)
    grid = grid_norm(frequency_response(system, dense_grid(system, 20_000)))
    assert grid <= upper
    assert upper <= 1.0101 * lower


@pytest.mark.parametrize("readout", ["complex", "real"])
def test_wide_range_of_continuous_poles(readout):
    poles = -(10.0 ** np.arange(-6.0, 7.0, 2.0)) * (1 + 0.5j)
    B = np.stack([np.sqrt(abs(poles)), 0.1 * np.sqrt(abs(poles))], axis=1)
    C = np.stack([np.sqrt(abs(poles)), 1j * np.sqrt(abs(poles)), 0 * poles])
    D = 0.3 * np.ones((3, 2))
    system = DiagonalStateSpace(poles, B, C, D, Continuous(), readout)
    lower, upper, _ = ends(system, rtol=1e-3)
    spaced = np.geomspace(1e-9, 1e9, 40_000)
    grid = grid_norm(frequency_response(system, np.concatenate([-spaced, spaced, [0]])))
    assert grid <= upper <= 1.0011 * lower
    assert lower <= 1.0001 * grid


def test_peak_at_infinite_frequency():
    # G = 5 - 4 / (s + 1): gain 1 at s = 0, 5 for fast inputs.
    system = DiagonalStateSpace([-1.0], [[2.0]], [[-2.0]], [[5.0]], Continuous())
    lower, upper, _ = ends(system, rtol=1e-3)
    assert lower <= 5.0 <= upper <= 1.0011 * lower


@pytest.mark.parametrize("gain", [1e8, 1e12])
def test_rounding_of_cancelling_fast_poles_is_in_the_upper_end(gain):
    # Three fast poles whose gains add up to nothing, far above the slow one's.
    fast = gain * 1e8 * np.array([3.1, 2.7, 9.4])
    last = -(fast[0] / 7 + fast[1] / 3) / fast[2]
    system = DiagonalStateSpace(
        [-1.0, -1e8, -1e8, -1e8],
        np.append(1.0, fast)[:, None],
        [[1.0, 1 / 7, 1 / 3, last]],
        time=Continuous(),
    )
    _, upper, _ = ends(system, rtol=1e-9)
    spaced = np.append(np.geomspace(1e-3, 1e10, 60), 0.0)
    gains = [abs(exact_response(system, w)[0, 0]) for w in spaced]
    assert max(gains) <= upper


def test_feedthrough_is_part_of_the_norm(rng):
    system = random_diagonal_system(rng, 4, 2, 3)
    large = replace(system, D=1e6 * system.D)
    lower, upper, _ = ends(large, rtol=1e-6)
    grid = grid_norm(frequency_response(large, dense_grid(large, 20_000)))
    assert grid <= upper <= 1.0000011 * lower
    assert lower <= grid * (1 + 1e-9)


# Invariances


@pytest.mark.parametrize("time", TIMES)
def test_unitary_channels_are_irrelevant(time, rng):
    system = random_diagonal_system(rng, 5, 2, 3, time)
    U, _ = np.linalg.qr(rng.standard_normal((2, 2)) + 1j * rng.standard_normal((2, 2)))
    V, _ = np.linalg.qr(rng.standard_normal((3, 3)) + 1j * rng.standard_normal((3, 3)))
    turned = replace(system, B=system.B @ U, C=V @ system.C, D=V @ system.D @ U)
    for ours, theirs in zip(ends(turned)[:2], ends(system)[:2], strict=True):
        assert ours == pytest.approx(theirs, rel=1e-10)


@pytest.mark.parametrize("exponent", [-600, -520, 300, 520, 600])
def test_scaling_of_states_is_irrelevant(exponent, rng):
    system = random_diagonal_system(rng, 5, 2, 3)
    scale = 2.0**exponent
    scaled = replace(system, B=scale * system.B, C=system.C / scale)
    assert ends(scaled) == ends(system)


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("gain", [2.0**-900, 2.0**900])
def test_extreme_gains_scale_the_bracket(time, gain, rng):
    system = replace(random_diagonal_system(rng, 5, 2, 3, time), D=None)
    root = np.sqrt(gain)
    scaled = replace(system, B=root * system.B, C=root * system.C)
    lower, upper, frequency = ends(system)
    assert ends(scaled) == (gain * lower, gain * upper, frequency)


def test_one_state_of_extreme_scale(rng):
    system = random_diagonal_system(rng, 4, 2, 3)
    scales = 10.0 ** np.array([200.0, 0.0, -200.0, 8.0])
    scaled = replace(system, B=system.B * scales[:, None], C=system.C / scales)
    lower, upper, _ = ends(scaled)
    expected = ends(system)
    assert lower == pytest.approx(expected[0], rel=1e-12)
    assert upper == pytest.approx(expected[1], rel=1e-10)


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("readout", READOUTS)
def test_norm_chain(time, readout, rng):
    system = random_diagonal_system(rng, 5, 2, 3, time, readout)
    lower, upper, _ = ends(system)
    values = hankel_singular_values(system)
    assert values[0] <= upper
    assert lower <= np.linalg.norm(system.D, 2) + 2 * values.sum()
    assert np.linalg.norm(system.D, 2) <= upper


def test_product_of_gains(rng):
    # A first-order filter before a system: the norm of the series is at most the
    # product.
    system = replace(random_diagonal_system(rng, 4, 2, 3), D=None)
    filtered = frequency_response(system, dense_grid(system, 5_000))
    filtering = 1 / (1 - 0.5 * np.exp(-1j * dense_grid(system, 5_000)))
    series = grid_norm(filtered * filtering[:, None, None])
    assert series <= ends(system)[1] * 2.0


# Grids


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize(("single", "readout"), [(True, "complex"), (False, "real")])
def test_batch_equals_loop(xp, time, single, readout, rng):
    for batch in [(), (2, 1), (0,)]:
        full = random_diagonal_system(rng, 3, 2, 4, time, readout, batch=batch)
        bracket = hinf_norm(on(xp, to_precision(full, single)), rtol=0.01)
        fields = (bracket.lower, bracket.upper, bracket.frequency)
        for values in fields:
            assert values.dtype == (xp.float32 if single else xp.float64)
            assert tuple(values.shape) == batch
        lower, upper, _ = (xp.to_numpy(values) for values in fields)
        for i in np.ndindex(*batch):
            tolerance = 1e-4 if single else 1e-12
            one = ends(full[i], rtol=1e-3)
            assert lower[i] <= one[1] * (1 + tolerance)
            assert one[0] <= upper[i] * (1 + tolerance)
            assert upper[i] <= 1.011 * lower[i]


def test_single_precision_says_what_it_does_not_know():
    # A difference of two nearly equal systems: rounding is most of the gain.
    exponents = np.array([-1e-3 + 1j, -1e-3 + 1j], dtype=np.complex64)
    B = np.ones((2, 1), dtype=np.complex64)
    C = np.array([[1.0, -1.0]], dtype=np.complex64)
    C[0, 1] -= np.float32(2e-7)
    system = DiagonalStateSpace(exponents, B, C)
    lower, upper, _ = ends(system)
    # The stored C[0, 1] is the sum of the two residues away from -1.
    norm = abs(float(C.real.sum())) / -np.expm1(-1e-3)
    assert lower <= 2 * norm
    assert norm <= upper


# Refusals


@pytest.mark.parametrize("rtol", [0.0, -1.0, float("nan")])
def test_tolerance_must_be_positive(rtol, rng):
    system = random_diagonal_system(rng, 3, 2, 4)
    with pytest.raises(InvalidSystemError, match="need a positive number"):
        hinf_norm(system, rtol=rtol)


def test_bad_systems_are_refused(rng):
    system = random_diagonal_system(rng, 3, 2, 4)
    with pytest.raises(InvalidSystemError, match="hinf_norm: D of shape"):
        hinf_norm(replace(system, D=np.nan * system.D))
    with pytest.raises(UnstableSystemError, match="hinf_norm: pole"):
        hinf_norm(replace(system, exponents=-system.exponents))


def test_work_limit_is_said_and_the_bracket_valid(monkeypatch):
    module = importlib.import_module("hankelcut.lti.norms._diagonal_bracket")
    monkeypatch.setattr(module, "_MAX_EVALUATIONS", 100)
    # A constant gain has no peak to close in on.
    system = all_pass(0.8 * np.exp(2j * np.pi * np.arange(7) / 7), 3.0)
    message = r"stopped after \d+ evaluations .* it is valid but wider than rtol=1e-10"
    with pytest.warns(NumericalWarning, match=message):
        bracket = hinf_norm(system, rtol=1e-10)
    assert float(bracket.lower) == pytest.approx(3.0, rel=1e-12)
    assert 3.0 * (1 - 1e-12) <= float(bracket.upper) <= 3.3
