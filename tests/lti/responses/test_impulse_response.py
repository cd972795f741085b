import numpy as np
import pytest
import scipy.linalg

from hankelcut import InvalidSystemError
from hankelcut.lti import Continuous, Discrete, impulse_response, to_dense
from hankelcut.validation import random_diagonal_system, random_stable_system
from tests.helpers import BATCHES, DTYPES, READOUTS, impulse_loop, on, to_precision

INSTANTS = np.array([0.0, 0.3, 1.7, 4.0])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("count", [0, 1, 2, 9])
def test_dense_samples_are_the_loop(xp, dtype, count, rng):
    for batch in BATCHES:
        full = random_stable_system(rng, 4, 2, 3, Discrete(), dtype=dtype, batch=batch)
        samples = impulse_response(on(xp, full), n_samples=count)
        assert samples.dtype == getattr(xp, np.dtype(dtype).name)
        samples = xp.to_numpy(samples)
        assert samples.shape == (*batch, count, 3, 2)
        for i in np.ndindex(*batch):
            item = full[i]
            expected = impulse_loop(item.A, item.B, item.C, item.D, max(count, 1))[
                :count
            ]
            np.testing.assert_allclose(
                samples[i], expected, rtol=0, atol=300 * np.finfo(dtype).eps
            )


@pytest.mark.parametrize("single", [True, False])
@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("count", [0, 1, 9])
def test_diagonal_samples_are_the_loop(xp, single, readout, count, rng):
    for batch in BATCHES:
        full = random_diagonal_system(rng, 4, 2, 3, Discrete(), readout, batch=batch)
        samples = impulse_response(on(xp, to_precision(full, single)), n_samples=count)
        kind = "complex" if readout == "complex" else "float"
        bits = {"complex": (64, 128), "float": (32, 64)}[kind][not single]
        assert samples.dtype == getattr(xp, f"{kind}{bits}")
        samples = xp.to_numpy(samples)
        assert samples.shape == (*batch, count, 3, 2)
        for i in np.ndindex(*batch):
            item = full[i]
            A = np.diag(item.poles)
            expected = impulse_loop(A, item.B, item.C, 0 * item.D, max(count, 1))[
                :count
            ]
            # The readout by its definition: C x, Re(C x) or 2 Re(C x).
            if readout != "complex":
                expected = {"real": 1, "twice_real": 2}[readout] * expected.real
            expected = expected + (np.arange(count) == 0)[:, None, None] * item.D
            np.testing.assert_allclose(
                samples[i], expected, rtol=0, atol=1e-4 if single else 1e-12
            )


@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_continuous_dense_samples_are_exponentials(xp, dtype, rng):
    for batch in BATCHES:
        full = random_stable_system(
            rng, 4, 2, 3, Continuous(), dtype=dtype, batch=batch
        )
        samples = impulse_response(on(xp, full), times=xp.asarray(INSTANTS))
        samples = xp.to_numpy(samples)
        assert samples.shape == (*batch, 4, 3, 2)
        for i in np.ndindex(*batch):
            values, X = np.linalg.eig(full.A[i])
            for k, t in enumerate(INSTANTS):
                grown = X @ np.diag(np.exp(values * t)) @ np.linalg.inv(X)
                expected = full.C[i] @ grown @ full.B[i]
                np.testing.assert_allclose(samples[i][k], expected, atol=1e-11)


@pytest.mark.parametrize("readout", READOUTS)
def test_continuous_diagonal_samples_are_exponentials(xp, readout, rng):
    full = random_diagonal_system(rng, 4, 2, 3, Continuous(), readout, batch=(2,))
    samples = impulse_response(on(xp, full), times=xp.asarray(INSTANTS))
    samples = xp.to_numpy(samples)
    for i in range(2):
        dense = to_dense(full[i])
        for k, t in enumerate(INSTANTS):
            expected = dense.C @ scipy.linalg.expm(dense.A * t) @ dense.B
            np.testing.assert_allclose(samples[i, k], expected, atol=1e-12)


def test_continuous_response_obeys_its_differential_equation(rng):
    system = random_stable_system(rng, 4, 2, 3, Continuous())
    step = 1e-5
    before, now, after = impulse_response(system, times=[1 - step, 1.0, 1 + step])
    slope = system.C @ scipy.linalg.expm(system.A) @ system.A @ system.B
    np.testing.assert_allclose((after - before) / (2 * step), slope, rtol=1e-6)
    np.testing.assert_allclose((after + before) / 2, now, rtol=1e-6)


def test_nearly_undamped_response_keeps_its_modulus():
    system = random_diagonal_system(np.random.default_rng(0), 1, 1, 2)
    slow = type(system)([-1e-15 + 1j], [[1.0]], [[1.0], [2.0]])
    samples = impulse_response(slow, n_samples=1000)[1:]
    np.testing.assert_allclose(abs(samples[:, 0, 0]), 1.0, rtol=1e-12)


def test_arguments_must_fit_the_time_domain(rng):
    continuous = random_stable_system(rng, 3, 1, 2)
    discrete = random_stable_system(rng, 3, 1, 2, Discrete())
    for arguments in ({}, {"n_samples": 3}, {"n_samples": 3, "times": [1.0]}):
        with pytest.raises(InvalidSystemError, match="continuous system needs `times`"):
            impulse_response(continuous, **arguments)
    for arguments in ({}, {"times": [1.0]}, {"n_samples": -1}):
        with pytest.raises(InvalidSystemError, match="discrete system needs"):
            impulse_response(discrete, **arguments)


@pytest.mark.parametrize("kind", [random_stable_system, random_diagonal_system])
@pytest.mark.parametrize(("n", "m", "p"), [(0, 2, 3), (4, 0, 3), (4, 2, 0)])
def test_degenerate_shapes(xp, kind, n, m, p):
    full = kind(np.random.default_rng(0), n, m, p, Discrete())
    samples = xp.to_numpy(impulse_response(on(xp, full), n_samples=5))
    assert samples.shape == (5, p, m)
    np.testing.assert_array_equal(samples[0], full.D)
    assert n > 0 or not samples[1:].any()
