import numpy as np
import pytest

import hankelcut as hc
from hankelcut.lti import hankel_singular_values, real_form
from hankelcut.validation import (
    InvariantViolationError,
    check_batch,
    check_impulse_response,
    check_real_form,
    random_diagonal_system,
    random_lru_system,
    random_stable_system,
)
from tests.helpers import impulse_loop, on


def scan(layer, count, kappa=1.0, delay=0):
    """Outputs of the recurrence of a layer, for impulses at its inputs."""
    samples = []
    for j in range(layer.n_inputs):
        x, outputs = np.zeros(layer.n_states, complex), []
        for k in range(count):
            u = np.eye(layer.n_inputs)[j] * (k == delay)
            x = layer.poles * x + layer.B @ u
            outputs.append(kappa * (layer.C @ x).real + layer.D @ u)
        samples.append(np.array(outputs))
    return np.stack(samples, axis=-1)


def test_scans_pass(rng):
    layer = random_lru_system(rng, 6, 3, 2)
    check_impulse_response(layer, scan(layer, 12), scanned=True)


@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_simulations_pass(dtype, xp, rng):
    system = random_stable_system(rng, 4, 2, 3, hc.Discrete(), dtype=dtype)
    A, B, C, D = system.A, system.B, system.C, system.D
    samples = impulse_loop(A, B, C, D, 9)
    check_impulse_response(on(xp, system), xp.asarray(samples))


@pytest.mark.parametrize("wrong", [{"kappa": 2.0}, {"delay": 1}])
def test_wrong_scans_are_caught(wrong, rng):
    layer = random_lru_system(rng, 6, 3, 2)
    with pytest.raises(InvariantViolationError, match="the impulse response"):
        check_impulse_response(layer, scan(layer, 12, **wrong), scanned=True)


def test_continuous_systems_have_no_samples(rng):
    system = random_stable_system(rng, 3, 1, 2)
    with pytest.raises(ValueError, match="need a discrete system"):
        check_impulse_response(system, np.zeros((2, 2, 1)))


@pytest.mark.parametrize("readout", ["real", "twice_real"])
@pytest.mark.parametrize("time", [hc.Continuous(), hc.Discrete()])
def test_real_forms_pass(readout, time, xp, rng):
    layer = on(xp, random_diagonal_system(rng, 4, 2, 3, time, readout))
    check_real_form(layer, real_form(layer))


def test_wrong_real_forms_are_caught(rng):
    layer = random_diagonal_system(rng, 4, 2, 3, hc.Discrete(), "real")
    right = real_form(layer)
    for wrong, message in (
        (hc.StateSpace(right.A.T, right.B, right.C, right.D, right.time), "differ"),
        (hc.StateSpace(right.A + 0j, right.B, right.C, right.D, right.time), "complex"),
    ):
        with pytest.raises(InvariantViolationError, match=message):
            check_real_form(layer, wrong)


@pytest.mark.parametrize("dtype", [np.float32, np.complex128])
def test_stacks_pass(dtype, xp, rng):
    stack = random_stable_system(rng, 4, 2, 3, dtype=dtype, batch=(2, 3))
    check_batch(on(xp, stack), hankel_singular_values)


def test_mixed_up_items_are_caught(rng):
    stack = random_stable_system(rng, 4, 2, 3, batch=(3,))

    def turned(system):
        values = hankel_singular_values(system)
        return values[::-1] if system.batch_shape else values

    with pytest.raises(InvariantViolationError, match=r"the value of item \(0,\)"):
        check_batch(stack, turned)
