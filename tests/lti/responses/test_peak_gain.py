import numpy as np
import pytest

from hankelcut.lti import (
    Continuous,
    StateSpace,
    frequency_response,
    hinf_norm,
    peak_gain,
)
from hankelcut.validation import random_diagonal_system, random_stable_system
from tests.helpers import (
    BATCHES,
    TIMES,
    dico,
    fortran,
    grid_norm,
    on,
    scalar_system,
    slycot_or_skip,
)


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("seed", range(5))
def test_gain_is_that_of_slycot(time, seed):
    slycot = slycot_or_skip()
    system = random_stable_system(np.random.default_rng(seed), 6, 2, 3, time)
    A, B, C, D = fortran(system.A, system.B, system.C, system.D)
    expected, _ = slycot.ab13dd(
        dico(system), "I", "N", "D", 6, 2, 3, A, np.eye(6), B, C, D, tol=1e-10
    )
    gain, _ = peak_gain(system)
    assert float(gain) == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("readout", ["complex", "real"])
def test_gain_is_within_the_certified_bracket(time, readout, rng):
    system = random_diagonal_system(rng, 5, 2, 3, time, readout)
    bracket = hinf_norm(system, rtol=1e-6)
    gain, _ = peak_gain(system)
    assert float(gain) <= float(bracket.upper)
    assert float(gain) >= float(bracket.lower) * (1 - 1e-6)


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("kind", [random_stable_system, random_diagonal_system])
def test_gain_is_attained_at_its_frequency(xp, time, kind, rng):
    for batch in BATCHES:
        full = kind(rng, 4, 2, 3, time, batch=batch)
        gain, frequency = peak_gain(on(xp, full))
        gain, frequency = xp.to_numpy(gain), xp.to_numpy(frequency)
        assert gain.shape == frequency.shape == batch
        for i in np.ndindex(*batch):
            there = grid_norm(frequency_response(full[i], np.array([frequency[i]])))
            assert gain[i] == pytest.approx(there, rel=1e-12)


@pytest.mark.parametrize("decay", [1e-6, 1.0, 1e6])
def test_first_order(decay):
    system = scalar_system(-decay + 30j, [3.0, 4.0j], [1.0, 2.0], Continuous())
    gain, frequency = peak_gain(system)
    assert float(gain) == pytest.approx(5 * np.sqrt(5) / decay, rel=1e-9)
    assert float(frequency) == pytest.approx(30.0, abs=1e-3 * decay)


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize(("n", "m", "p"), [(0, 2, 3), (4, 0, 3), (4, 2, 0)])
@pytest.mark.parametrize("kind", [random_stable_system, random_diagonal_system])
def test_degenerate_shapes(xp, time, n, m, p, kind):
    full = kind(np.random.default_rng(0), n, m, p, time)
    gain, _ = peak_gain(on(xp, full))
    expected = np.linalg.norm(full.D, 2) if n == 0 else 0.0
    assert float(gain) == pytest.approx(expected, rel=1e-12)


def test_coinciding_real_poles_do_not_stop_the_search():
    # Three real poles give three equal grid points; the peak lies between others.
    A = np.diag([0.999, 0.995, 0.99])
    system = StateSpace(
        A, np.ones((3, 1)), np.array([[-1.0, 6.5, -6.1]]), time=TIMES[0]
    )
    angles = np.linspace(0, np.pi, 400_001)
    z = np.exp(1j * angles)
    response = sum(c / (z - p) for c, p in zip(system.C[0], np.diag(A), strict=True))
    gain, frequency = peak_gain(system)
    assert float(gain) == pytest.approx(abs(response).max(), rel=1e-6)
    assert 0 < abs(float(frequency)) < 0.02
