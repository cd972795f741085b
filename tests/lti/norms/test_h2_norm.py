from dataclasses import replace

import numpy as np
import pytest

from hankelcut import InvalidSystemError, UnstableSystemError
from hankelcut.lti import (
    Continuous,
    DiagonalStateSpace,
    Discrete,
    StateSpace,
    error_system,
    h2_norm,
    impulse_response,
    to_dense,
)
from hankelcut.validation import random_diagonal_system, random_stable_system
from tests.helpers import (
    BATCHES,
    DTYPES,
    READOUTS,
    TIMES,
    dico,
    fortran,
    on,
    scalar_system,
    slycot_or_skip,
    to_precision,
)


@pytest.mark.parametrize("nu", [1e-12, 1e-6, 1e-2, 1.0, 10.0])
def test_first_order_discrete(nu):
    system = DiagonalStateSpace([-nu + 2j], [[3.0, 4.0j]], [[1.0], [2.0], [2.0j]])
    expected = 5 * 3 / np.sqrt(-np.expm1(-2 * nu))
    assert float(h2_norm(system)) == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("decay", [1e-12, 1.0, 1e8])
def test_first_order_continuous(decay):
    system = scalar_system(-decay + 2j, [3.0, 4.0j], [1.0, 2.0, 2.0j], Continuous())
    expected = 5 * 3 / np.sqrt(2 * decay)
    assert float(h2_norm(system)) == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("readout", READOUTS)
def test_norm_is_the_energy_of_the_impulse_response(readout, rng):
    system = random_diagonal_system(rng, 5, 2, 3, Discrete(), readout, margin=0.3)
    samples = impulse_response(system, n_samples=300)
    expected = np.linalg.norm(samples)
    assert float(h2_norm(system)) == pytest.approx(expected, rel=1e-12)


def test_continuous_norm_is_the_energy_of_the_impulse_response(rng):
    system = random_stable_system(rng, 4, 2, 3, Continuous(), margin=0.4)
    system = replace(system, D=None)
    nodes, weights = np.polynomial.legendre.leggauss(300)
    samples = impulse_response(system, times=20 * (nodes + 1))
    energy = np.sum(20 * weights[:, None, None] * abs(samples) ** 2)
    assert float(h2_norm(system)) == pytest.approx(np.sqrt(energy), rel=1e-6)


@pytest.mark.parametrize("time", TIMES)
def test_norm_is_that_of_slycot(time, rng):
    slycot = slycot_or_skip()
    system = random_stable_system(rng, 7, 2, 3, time)
    D = system.D if isinstance(time, Discrete) else 0 * system.D
    system = replace(system, D=D)
    arrays = fortran(system.A, system.B, system.C, system.D)
    expected = slycot.ab13bd(dico(system), "H", 7, 2, 3, *arrays)
    assert float(h2_norm(system)) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("kind", [random_stable_system, random_diagonal_system])
def test_norm_by_the_other_gramian(time, kind, rng):
    system = replace(kind(rng, 5, 2, 3, time), D=None)
    if isinstance(system, StateSpace):
        dual = StateSpace(system.A.T, system.C.T, system.B.T, time=time)
    else:
        dual = replace(system, B=system.C.T, C=system.B.T, D=None)
    assert float(h2_norm(dual)) == pytest.approx(float(h2_norm(system)), rel=1e-10)


@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("time", TIMES)
def test_dense_twin_has_the_same_norm(readout, time, rng):
    system = replace(random_diagonal_system(rng, 5, 2, 3, time, readout), D=None)
    expected = float(h2_norm(to_dense(system)))
    for method in ("structured", "closed_form"):
        norm = float(h2_norm(system, gramians=method))
        assert norm == pytest.approx(expected, rel=1e-11)


def test_feedthrough_counts_in_discrete_time(rng):
    system = random_stable_system(rng, 4, 2, 3, Discrete())
    without = float(h2_norm(replace(system, D=None)))
    expected = np.hypot(without, np.linalg.norm(system.D))
    assert float(h2_norm(system)) == pytest.approx(expected, rel=1e-14)


def test_feedthrough_is_infinite_in_continuous_time(rng):
    system = random_stable_system(rng, 4, 2, 3, Continuous(), batch=(2,))
    D = np.stack([system.D[0], 0 * system.D[1]])
    norms = h2_norm(replace(system, D=D))
    assert norms[0] == np.inf
    assert 0 < norms[1] < np.inf


def test_small_difference_keeps_its_digits():
    # Two poles 1e-10 apart: squares of the norms agree in all digits.
    first = scalar_system(0.5, [1.0], [1.0], Discrete())
    second = scalar_system(0.5 + 1e-10, [1.0], [1.0], Discrete())
    # d/dp of z^-1 sum p^k z^-k: the energy of k p^(k-1) is (1 + p^2) / (1 - p^2)^3.
    expected = 1e-10 * np.sqrt(1.25 / 0.75**3)
    norm = float(h2_norm(error_system(first, second)))
    assert norm == pytest.approx(expected, rel=1e-5)
    assert float(h2_norm(error_system(first, first))) <= 1e-15


@pytest.mark.parametrize("kind", [random_stable_system, random_diagonal_system])
@pytest.mark.parametrize("scale", [1e-150, 1e150])
def test_extreme_gains_do_not_leave_the_range(kind, scale, rng):
    system = replace(kind(rng, 4, 2, 3, Discrete()), D=None)
    norm = float(h2_norm(system))
    scaled = replace(system, B=scale * system.B, C=scale * system.C)
    assert float(h2_norm(scaled)) / scale**2 == pytest.approx(norm, rel=1e-10)


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_dense_batch_equals_loop(xp, time, dtype, rng):
    for batch in BATCHES:
        full = random_stable_system(rng, 4, 2, 3, time, dtype=dtype, batch=batch)
        full = replace(full, D=None)
        norms = h2_norm(on(xp, full))
        assert norms.dtype == getattr(xp, full.A.real.dtype.name)
        norms = xp.to_numpy(norms)
        assert norms.shape == batch
        for i in np.ndindex(*batch):
            tolerance = 200 * float(np.finfo(dtype).eps)
            assert norms[i] == pytest.approx(float(h2_norm(full[i])), rel=tolerance)


@pytest.mark.parametrize("single", [True, False])
@pytest.mark.parametrize("readout", READOUTS)
def test_diagonal_batch_equals_loop(xp, single, readout, rng):
    for batch in BATCHES:
        full = random_diagonal_system(rng, 4, 2, 3, Discrete(), readout, batch=batch)
        norms = h2_norm(on(xp, to_precision(full, single)))
        assert norms.dtype == (xp.float32 if single else xp.float64)
        norms = xp.to_numpy(norms)
        assert norms.shape == batch
        for i in np.ndindex(*batch):
            tolerance = 1e-5 if single else 1e-12
            assert norms[i] == pytest.approx(float(h2_norm(full[i])), rel=tolerance)


@pytest.mark.parametrize("kind", [random_stable_system, random_diagonal_system])
@pytest.mark.parametrize(("n", "m", "p"), [(0, 2, 3), (4, 0, 3), (4, 2, 0)])
def test_degenerate_shapes(xp, kind, n, m, p):
    full = kind(np.random.default_rng(1), n, m, p, Discrete())
    expected = np.linalg.norm(full.D) if n == 0 else 0.0
    assert float(h2_norm(on(xp, full))) == pytest.approx(expected, rel=1e-14)


def test_bad_systems_are_refused(rng):
    system = random_diagonal_system(rng, 3, 2, 4)
    with pytest.raises(InvalidSystemError, match="h2_norm: C of shape"):
        h2_norm(replace(system, C=np.nan * system.C))
    with pytest.raises(UnstableSystemError, match="h2_norm: pole"):
        h2_norm(replace(system, exponents=-system.exponents))
