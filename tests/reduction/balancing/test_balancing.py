import numpy as np
import pytest

from hankelcut.lti import (
    DiagonalStateSpace,
    Discrete,
    controllability_gramian,
    hankel_singular_values,
    observability_gramian,
    to_dense,
)
from hankelcut.reduction import balance, balanced_truncation
from hankelcut.validation import random_diagonal_system, random_stable_system
from tests.helpers import (
    BATCHES,
    DTYPES,
    READOUTS,
    TIMES,
    on,
    to_precision,
    unchecked_types,
)


def adjoint(matrix):
    return np.conj(np.swapaxes(matrix, -1, -2))


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_projections_balance_both_gramians(xp, time, dtype, rng):
    for batch in BATCHES:
        full = random_stable_system(rng, 5, 2, 3, time, dtype=dtype, batch=batch)
        balancing = balance(on(xp, full))
        T, W = (xp.to_numpy(M) for M in balancing.projections(5))
        P, Q = controllability_gramian(full), observability_gramian(full)
        values = hankel_singular_values(full)
        sigma = values[..., None] * np.eye(5)
        eps = np.finfo(dtype).eps
        atol = 2e4 * eps * max(values.max(initial=0), 1)
        # The adjoint, not the transpose: complex systems would be off by 20.
        np.testing.assert_allclose(adjoint(W) @ P @ W, sigma, rtol=0, atol=atol)
        np.testing.assert_allclose(adjoint(T) @ Q @ T, sigma, rtol=0, atol=atol)
        identity = np.broadcast_to(np.eye(5), (*batch, 5, 5))
        np.testing.assert_allclose(adjoint(W) @ T, identity, rtol=0, atol=2e4 * eps)


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_full_order_is_the_balanced_realization(time, dtype, rng):
    system = random_stable_system(rng, 5, 2, 3, time, dtype=dtype)
    result = balanced_truncation(system, order=5)
    sigma = np.diag(result.hankel_singular_values)
    for gramian in (controllability_gramian, observability_gramian):
        np.testing.assert_allclose(
            gramian(result.system), sigma, rtol=0, atol=1e-11 * sigma[0, 0]
        )


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("method", ["structured", "closed_form"])
@pytest.mark.parametrize("single", [True, False])
def test_diagonal_projections_balance(xp, time, readout, method, single, rng):
    full = random_diagonal_system(rng, 4, 2, 3, time, readout)
    balancing = balance(on(xp, to_precision(full, single)), gramians=method)
    N = 4 if readout == "complex" else 8
    values = xp.to_numpy(balancing.values).astype(float)
    assert values.shape == (N,)
    dense = to_dense(full)
    P, Q = controllability_gramian(dense), observability_gramian(dense)
    order = 3
    T, W = (xp.to_numpy(M).astype(complex) for M in balancing.projections(order))
    eps = np.finfo(np.float32 if single else np.float64).eps
    sigma = np.diag(values[:order])
    atol = 3e3 * eps * values[0]
    np.testing.assert_allclose(adjoint(W) @ P @ W, sigma, rtol=0, atol=atol)
    np.testing.assert_allclose(adjoint(T) @ Q @ T, sigma, rtol=0, atol=atol)


def test_leading_projections_are_nested(rng):
    system = random_stable_system(rng, 6, 2, 3)
    balancing = balance(system)
    for small, large in zip(
        balancing.projections(2), balancing.projections(5), strict=True
    ):
        np.testing.assert_array_equal(small, large[:, :2])


def test_values_beyond_zero_do_not_divide_by_it():
    system = DiagonalStateSpace([-0.5, -0.7], [[1.0], [0.0]], [[1.0, 1.0]])
    for matrix in balance(system).projections(2):
        assert np.isfinite(matrix).all()


@pytest.mark.parametrize("readout", ["real", "twice_real"])
def test_complex_map_balances_the_states_with_the_gain(readout, rng):
    layer = random_diagonal_system(rng, 5, 2, 3, Discrete(), readout)
    gain = {"real": 1.0, "twice_real": 2.0}[readout]
    states = DiagonalStateSpace(layer.exponents, layer.B, gain * layer.C)
    balancing = balance(layer, map="complex")
    np.testing.assert_allclose(
        balancing.values, hankel_singular_values(states), rtol=1e-12
    )


def test_index_picks_batch_item(xp, rng):
    full = random_diagonal_system(rng, 4, 2, 3, Discrete(), "real", batch=(2, 3))
    balancing = balance(on(xp, full))
    item = balancing[1, 2]
    assert item.system.batch_shape == ()
    np.testing.assert_array_equal(
        xp.to_numpy(item.values), xp.to_numpy(balancing.values)[1, 2]
    )
    spectrum = item.spectrum()
    np.testing.assert_array_equal(spectrum.values, xp.to_numpy(item.values))
    np.testing.assert_array_equal(spectrum.uncertainty, xp.to_numpy(item.uncertainty))


@pytest.mark.parametrize("method", ["structured", "closed_form"])
def test_batch_equals_loop(xp, method, rng):
    for batch in BATCHES:
        full = random_diagonal_system(rng, 4, 2, 3, Discrete(), "real", batch=batch)
        balancing = balance(on(xp, full), gramians=method)
        values = xp.to_numpy(balancing.values)
        assert values.shape == (*batch, 8)
        for i in np.ndindex(*batch):
            one = balance(full[i], gramians=method).values
            np.testing.assert_allclose(values[i], one, atol=1e-9 * one[0], rtol=0)


def test_unknown_map_is_refused(rng):
    system = random_diagonal_system(rng, 3, 1, 2, Discrete(), "real")
    with unchecked_types(), pytest.raises(ValueError, match="need one of real, comp"):
        balance(system, map="imaginary")
