import numpy as np
import pytest

from hankelcut.lti import Continuous, Discrete, stability_margin
from hankelcut.validation import (
    random_diagonal_system,
    random_lru_system,
    random_stable_system,
)
from tests.helpers import BATCHES, DTYPES, READOUTS, TIMES, fields_of


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [0, 1, 4, 5])
def test_dense_systems_are_as_ordered(time, dtype, n, rng):
    for batch in BATCHES:
        system = random_stable_system(
            rng, n, 2, 3, time, dtype=dtype, batch=batch, margin=0.1
        )
        assert (system.n_states, system.n_inputs, system.n_outputs) == (n, 2, 3)
        assert (system.batch_shape, system.time) == (batch, time)
        assert {array.dtype for array in fields_of(system)} == {np.dtype(dtype)}
        assert (stability_margin(system) >= 0.0999).all()


@pytest.mark.parametrize("condition", [1.0, 10.0, 1e4])
@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_condition_is_under_control(condition, dtype, rng):
    system = random_stable_system(rng, 6, 2, 3, dtype=dtype, condition=condition)
    vectors = np.linalg.eig(system.A)[1]
    # Scaling the columns, as eig does, changes it by less than the root of n, twice.
    assert np.linalg.cond(vectors) <= 6 * condition
    departure = np.linalg.norm(
        system.A @ system.A.conj().T - system.A.conj().T @ system.A
    )
    assert (departure < 1e-10) == (condition == 1.0)


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("readout", READOUTS)
def test_diagonal_systems_are_as_ordered(time, readout, rng):
    for batch in BATCHES:
        system = random_diagonal_system(
            rng, 4, 2, 3, time, readout, dtype=np.complex64, batch=batch, margin=0.1
        )
        assert (system.n_states, system.n_inputs, system.n_outputs) == (4, 2, 3)
        assert (system.batch_shape, system.time) == (batch, time)
        assert system.readout == readout
        assert system.exponents.dtype == np.complex64
        assert (stability_margin(system) >= 0.0999).all()


@pytest.mark.parametrize("kind", [random_stable_system, random_diagonal_system])
def test_equal_seeds_give_equal_systems(kind):
    first, second, other = (
        kind(np.random.default_rng(seed), 4, 2, 3, Continuous()) for seed in (1, 1, 2)
    )
    for a, b, c in zip(*(fields_of(s) for s in (first, second, other)), strict=True):
        np.testing.assert_array_equal(a, b)
        assert not np.array_equal(a, c)


def test_layer_has_the_moments_of_its_initialisation():
    system = random_lru_system(
        np.random.default_rng(0), 20_000, 3, 2, r_min=0.5, r_max=0.9, max_phase=2.0
    )
    assert (system.time, system.readout) == (Discrete(), "real")
    assert not system.D.any()
    modulus, phase = abs(system.poles), system.exponents.imag
    assert 0.5 <= modulus.min() < 0.51
    assert 0.89 < modulus.max() <= 0.9
    # Uniform over the ring: the squared modulus is uniform.
    assert np.mean(modulus**2) == pytest.approx((0.25 + 0.81) / 2, abs=5e-3)
    assert 0 <= phase.min() < 1e-3
    assert np.mean(phase) == pytest.approx(1.0, abs=0.02)
    rows = system.B / np.sqrt(1 - modulus**2)[:, None]
    assert np.mean(abs(rows) ** 2) == pytest.approx(1 / 3, rel=0.03)
    assert np.mean(abs(system.C) ** 2) == pytest.approx(2 / 20_000, rel=0.03)


def test_layer_agrees_with_the_layer():
    torch = pytest.importorskip("torch")
    from hankelcut.nn import LRU

    torch.manual_seed(0)
    layer = LRU(d_model=5, d_state=4000, r_min=0.2, r_max=0.99)
    system = random_lru_system(
        np.random.default_rng(0), 4000, 5, 5, r_min=0.2, r_max=0.99
    )
    decay = torch.exp(layer.nu_log).mean().item()
    assert np.mean(-system.exponents.real) == pytest.approx(decay, rel=0.05)
    gains = (layer.B_re**2 + layer.B_im**2).mean() * torch.exp(
        2 * layer.gamma_log
    ).mean()
    assert np.mean(abs(system.B) ** 2) == pytest.approx(gains.item(), rel=0.05)
    outputs = (layer.C_re**2 + layer.C_im**2).mean().item()
    assert np.mean(abs(system.C) ** 2) == pytest.approx(outputs, rel=0.05)


def test_layer_of_the_whole_disc_is_stable():
    for seed in range(5):
        system = random_lru_system(np.random.default_rng(seed), 500, 2, 3)
        assert float(stability_margin(system)) > 0
        assert np.isfinite(system.exponents).all()
