import numpy as np
import pytest

from hankelcut.lti import (
    Continuous,
    DiagonalStateSpace,
    Discrete,
    StateSpace,
    frequency_response,
    to_dense,
)
from hankelcut.validation import random_diagonal_system, random_stable_system
from tests.exact import exact_response
from tests.helpers import (
    BATCHES,
    DTYPES,
    READOUTS,
    TIMES,
    dense_response,
    on,
    to_precision,
)

FREQUENCIES = np.linspace(-3.1, 3.1, 9)


def points(time):
    on_axis = 1j * FREQUENCIES
    return on_axis if time == Continuous() else np.exp(on_axis)


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_dense_response_is_the_definition(xp, time, dtype, rng):
    for batch in BATCHES:
        full = random_stable_system(rng, 4, 2, 3, time, dtype=dtype, batch=batch)
        response = frequency_response(on(xp, full), xp.asarray(FREQUENCIES))
        single = np.dtype(dtype).name in ("float32", "complex64")
        assert response.dtype == (xp.complex64 if single else xp.complex128)
        response = xp.to_numpy(response)
        assert response.shape == (*batch, 9, 3, 2)
        for i in np.ndindex(*batch):
            expected = dense_response(full[i], points(time))
            atol = 3e-4 if single else 1e-12
            np.testing.assert_allclose(response[i], expected, rtol=0, atol=atol)


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("single", [True, False])
@pytest.mark.parametrize("readout", READOUTS)
def test_diagonal_response_is_the_definition(xp, time, single, readout, rng):
    for batch in BATCHES:
        full = random_diagonal_system(rng, 4, 2, 3, time, readout, batch=batch)
        system = on(xp, to_precision(full, single))
        response = frequency_response(system, xp.asarray(FREQUENCIES))
        assert response.dtype == (xp.complex64 if single else xp.complex128)
        response = xp.to_numpy(response)
        assert response.shape == (*batch, 9, 3, 2)
        for i in np.ndindex(*batch):
            expected = dense_response(to_dense(full[i]), points(time))
            atol = 3e-5 if single else 1e-12
            np.testing.assert_allclose(response[i], expected, rtol=0, atol=atol)


@pytest.mark.parametrize("time", TIMES)
def test_response_is_that_of_python_control(time, rng):
    control = pytest.importorskip("control", reason="python-control is not installed")
    system = random_stable_system(rng, 4, 2, 3, time)
    dt = 0 if time == Continuous() else time.dt
    other = control.ss(system.A, system.B, system.C, system.D, dt)
    frequencies = np.linspace(0.1, 3.0, 7)
    # python-control counts radians per second, this package radians per sample.
    seconds = frequencies if dt == 0 else frequencies / dt
    expected = np.moveaxis(
        other(1j * seconds if dt == 0 else np.exp(1j * frequencies)), -1, 0
    )
    np.testing.assert_allclose(
        frequency_response(system, frequencies), expected, rtol=1e-11
    )


@pytest.mark.parametrize("readout", ["real", "twice_real"])
def test_real_map_is_conjugate_symmetric(readout, rng):
    system = random_diagonal_system(rng, 4, 2, 3, Discrete(), readout)
    response = frequency_response(system, FREQUENCIES)
    np.testing.assert_allclose(response, response[::-1].conj(), rtol=1e-13)


@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("nu", [1e-6, 1e-12])
def test_resonance_next_to_the_circle_keeps_its_digits(readout, nu):
    system = DiagonalStateSpace(
        [-nu + 1j, -0.3 - 2j],
        [[1.0, 0.5j], [0.3, 1.0]],
        [[1.0, 0.2], [0.1j, 1.0]],
        readout=readout,
    )
    # Phases a few widths away, exactly representable differences.
    for frequency in (1.0, 1.0 + 2.0**-30, 1.0 - 2.0**-45):
        response = frequency_response(system, np.array([frequency]))[0]
        expected = exact_response(system, frequency)
        np.testing.assert_allclose(response, expected, rtol=1e-12)


def test_sequences_and_no_frequencies(rng):
    system = random_stable_system(rng, 4, 2, 3)
    assert frequency_response(system, [0.0, 1.0]).shape == (2, 3, 2)
    assert frequency_response(system, np.zeros(0)).shape == (0, 3, 2)


@pytest.mark.parametrize("kind", [random_stable_system, random_diagonal_system])
@pytest.mark.parametrize(("n", "m", "p"), [(0, 2, 3), (4, 0, 3), (4, 2, 0)])
def test_degenerate_shapes(xp, kind, n, m, p):
    full = kind(np.random.default_rng(0), n, m, p, Discrete())
    response = xp.to_numpy(frequency_response(on(xp, full), xp.asarray(FREQUENCIES)))
    assert response.shape == (9, p, m)
    if n == 0:
        np.testing.assert_array_equal(response, np.broadcast_to(full.D, (9, p, m)))


def test_unstable_systems_have_a_response():
    system = StateSpace([[2.0]], [[1.0]], [[3.0]], time=Discrete())
    response = frequency_response(system, np.array([0.0]))
    assert response[0, 0, 0] == pytest.approx(3.0 / (1.0 - 2.0))
