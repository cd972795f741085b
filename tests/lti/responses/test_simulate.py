import numpy as np
import pytest
import scipy.integrate

from hankelcut import InvalidSystemError
from hankelcut.lti import (
    Continuous,
    DiagonalStateSpace,
    Discrete,
    impulse_response,
    simulate,
    to_dense,
)
from hankelcut.validation import random_diagonal_system, random_stable_system
from tests.helpers import BATCHES, DTYPES, READOUTS, on, to_precision


def recurrence(A, B, C, D, inputs):
    """Outputs sample by sample."""
    state = np.zeros(A.shape[0], dtype=np.result_type(A, B, inputs))
    outputs = []
    for u in inputs:
        outputs.append(C @ state + D @ u)
        state = A @ state + B @ u
    return np.array(outputs)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shared", [True, False])
def test_dense_outputs_are_the_loop(xp, dtype, shared, rng):
    for batch in BATCHES:
        full = random_stable_system(rng, 4, 2, 3, Discrete(), dtype=dtype, batch=batch)
        inputs = rng.standard_normal((11, 2) if shared else (*batch, 11, 2))
        real = full.A.real.dtype.name
        given = xp.asarray(inputs, dtype=getattr(xp, real))
        outputs = simulate(on(xp, full), given)
        assert outputs.dtype == getattr(xp, np.dtype(dtype).name)
        outputs = xp.to_numpy(outputs)
        assert outputs.shape == (*batch, 11, 3)
        for i in np.ndindex(*batch):
            item, u = full[i], inputs if shared else inputs[i]
            expected = recurrence(item.A, item.B, item.C, item.D, u)
            atol = 1e-3 if real == "float32" else 1e-12
            np.testing.assert_allclose(outputs[i], expected, rtol=0, atol=atol)


@pytest.mark.parametrize("single", [True, False])
@pytest.mark.parametrize("readout", READOUTS)
def test_diagonal_outputs_are_the_loop(xp, single, readout, rng):
    for batch in BATCHES:
        full = random_diagonal_system(rng, 4, 2, 3, Discrete(), readout, batch=batch)
        inputs = rng.standard_normal((11, 2))
        dtype = xp.float32 if single else xp.float64
        outputs = simulate(
            on(xp, to_precision(full, single)), xp.asarray(inputs, dtype=dtype)
        )
        outputs = xp.to_numpy(outputs)
        assert outputs.shape == (*batch, 11, 3)
        assert np.isrealobj(outputs) == (readout != "complex")
        for i in np.ndindex(*batch):
            item = full[i]
            states_only = recurrence(
                np.diag(item.poles), item.B, item.C, 0 * item.D, inputs
            )
            if readout != "complex":
                states_only = {"real": 1, "twice_real": 2}[readout] * states_only.real
            expected = states_only + inputs @ item.D.T
            np.testing.assert_allclose(
                outputs[i], expected, rtol=0, atol=1e-4 if single else 1e-12
            )


@pytest.mark.parametrize("kind", [random_stable_system, random_diagonal_system])
def test_outputs_are_a_convolution(kind, rng):
    system = kind(rng, 4, 2, 3, Discrete())
    inputs = rng.standard_normal((13, 2))
    samples = impulse_response(system, n_samples=13)
    outputs = simulate(system, inputs)
    for k in range(13):
        expected = sum(samples[k - j] @ inputs[j] for j in range(k + 1))
        np.testing.assert_allclose(outputs[k], expected, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_complex_inputs_of_a_real_system(xp, dtype, rng):
    full = random_stable_system(rng, 4, 2, 3, Discrete(), dtype=dtype)
    inputs = rng.standard_normal((7, 2)) + 1j * rng.standard_normal((7, 2))
    outputs = xp.to_numpy(simulate(on(xp, full), xp.asarray(inputs)))
    assert outputs.dtype == np.complex128
    expected = recurrence(full.A, full.B, full.C, full.D, inputs)
    np.testing.assert_allclose(outputs, expected, rtol=0, atol=1e-12)


def test_double_inputs_of_a_single_system(xp, rng):
    full = random_diagonal_system(rng, 4, 2, 3, dtype=np.complex64)
    inputs = rng.standard_normal((7, 2))
    outputs = xp.to_numpy(simulate(on(xp, full), xp.asarray(inputs)))
    expected = recurrence(np.diag(full.poles), full.B, full.C, full.D, inputs)
    np.testing.assert_allclose(outputs, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("kind", [random_stable_system, random_diagonal_system])
def test_held_inputs_of_a_continuous_system(xp, kind, rng):
    full = kind(rng, 3, 2, 4, Continuous())
    inputs, period = rng.standard_normal((4, 2)), 0.7
    outputs = simulate(on(xp, full), xp.asarray(inputs), sampling_period=period)
    dense = to_dense(full)
    state = np.zeros(3, dtype=complex)
    for k, u in enumerate(inputs):
        expected = dense.C @ state + dense.D @ u
        np.testing.assert_allclose(xp.to_numpy(outputs)[k], expected, atol=1e-8)
        state = scipy.integrate.solve_ivp(
            lambda _t, x, u=u: dense.A @ x + dense.B @ u,
            (0, period),
            state,
            rtol=1e-11,
            atol=1e-12,
        ).y[:, -1]


@pytest.mark.parametrize("readout", ["real", "twice_real"])
def test_held_inputs_of_a_real_readout(readout, rng):
    system = random_diagonal_system(rng, 3, 2, 4, Continuous(), readout)
    inputs = rng.standard_normal((9, 2))
    ours = simulate(system, inputs, sampling_period=0.4)
    theirs = simulate(to_dense(system), inputs, sampling_period=0.4)
    np.testing.assert_allclose(ours, theirs, atol=1e-12)


def test_pole_at_zero_integrates():
    # Not stable, but simulated: x' = u over four samples of 0.5 s.
    system = DiagonalStateSpace([0.0], [[2.0]], [[3.0]], time=Continuous())
    outputs = simulate(system, np.ones((4, 1)), sampling_period=0.5)
    np.testing.assert_allclose(outputs[:, 0], [0.0, 3.0, 6.0, 9.0], rtol=1e-15)


def test_arguments_are_checked(rng):
    discrete = random_stable_system(rng, 3, 2, 4, Discrete())
    continuous = random_stable_system(rng, 3, 2, 4)
    layer = random_diagonal_system(rng, 3, 2, 4, Discrete(), "real")
    u = np.ones((5, 2))
    with pytest.raises(InvalidSystemError, match="does not take `sampling_period`"):
        simulate(discrete, u, sampling_period=0.1)
    with pytest.raises(InvalidSystemError, match="needs `sampling_period`"):
        simulate(continuous, u)
    with pytest.raises(InvalidSystemError, match=r"need \(\.\.\., T, 2\)"):
        simulate(discrete, np.ones((5, 3)))
    with pytest.raises(InvalidSystemError, match=r"need \(\.\.\., T, 2\)"):
        simulate(discrete, np.ones(2))
    with pytest.raises(InvalidSystemError, match="complex inputs"):
        simulate(layer, 1j * u)


@pytest.mark.parametrize("kind", [random_stable_system, random_diagonal_system])
@pytest.mark.parametrize(("n", "m", "p"), [(0, 2, 3), (4, 0, 3), (4, 2, 0)])
@pytest.mark.parametrize("length", [0, 5])
def test_degenerate_shapes(xp, kind, n, m, p, length):
    full = kind(np.random.default_rng(0), n, m, p, Discrete())
    inputs = np.ones((length, m))
    outputs = xp.to_numpy(simulate(on(xp, full), xp.asarray(inputs)))
    assert outputs.shape == (length, p)
    if n == 0:
        np.testing.assert_allclose(outputs, inputs @ full.D.T)
