import numpy as np
import pytest

from hankelcut.lti import Continuous, DiagonalStateSpace, Discrete
from hankelcut.lti.gramians._structured_cholesky import (
    displacement,
    structured_cholesky,
)
from hankelcut.validation import random_diagonal_system
from tests.exact import mpmath
from tests.helpers import BATCHES, TIMES, on, to_precision


def gramian(system):
    """P entry by entry."""
    exponents, n = system.exponents, system.n_states
    P = np.zeros((n, n), dtype=complex)
    for i in range(n):
        for j in range(n):
            total = exponents[i] + exponents[j].conj()
            continuous = system.time == Continuous()
            below = -total if continuous else 1 - np.exp(total)
            P[i, j] = system.B[i] @ system.B[j].conj() / below
    return P


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("single", [True, False])
@pytest.mark.parametrize("n_inputs", [1, 2, 7])
def test_product_is_the_gramian(xp, time, single, n_inputs, rng):
    for batch in BATCHES:
        full = random_diagonal_system(rng, 5, n_inputs, 3, time, batch=batch)
        system = on(xp, to_precision(full, single))
        L = structured_cholesky(system.exponents, system.B, time)
        assert L.dtype == (xp.complex64 if single else xp.complex128)
        L = xp.to_numpy(L)
        assert L.shape == (*batch, 5, 5)
        eps = np.finfo(L.dtype).eps
        for index in np.ndindex(*batch):
            P = gramian(full[index])
            product = L[index] @ L[index].conj().T
            assert abs(product - P).max() <= 60 * eps * abs(P).max()


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("n_inputs", [1, 3])
def test_order_of_states_is_irrelevant(time, n_inputs, rng):
    system = random_diagonal_system(rng, 6, n_inputs, 2, time)
    order = rng.permutation(6)
    L = structured_cholesky(system.exponents, system.B, time)
    moved = structured_cholesky(system.exponents[order], system.B[order], time)
    np.testing.assert_allclose(moved, L[order], rtol=1e-12, atol=1e-12 * abs(L).max())


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("n_inputs", [1, 3])
def test_columns_are_graded(time, n_inputs, rng):
    system = random_diagonal_system(rng, 8, n_inputs, 2, time)
    L = structured_cholesky(system.exponents, system.B, time)
    largest = abs(L).max(axis=0)
    assert (np.diff(largest) <= 1e-14 * largest[0]).all()
    pivots = abs(L).argmax(axis=0)
    assert sorted(pivots) == list(range(8))
    for k, pivot in enumerate(pivots):
        assert (L[pivot, k + 1 :] == 0).all()


def test_silent_state_adds_zeros(rng):
    system = random_diagonal_system(rng, 4, 2, 3)
    exponents = np.append(system.exponents, -0.3 + 1j)
    B = np.concatenate([system.B, np.zeros((1, 2))])
    L = structured_cholesky(exponents, B, Discrete())
    expected = structured_cholesky(system.exponents, system.B, Discrete())
    np.testing.assert_allclose(L[:4, :4], expected, rtol=1e-14)
    assert not L[4].any()
    assert not L[:, 4].any()


def test_rotation_of_the_circle_keeps_moduli(rng):
    system = random_diagonal_system(rng, 6, 2, 3)
    L = structured_cholesky(system.exponents, system.B, Discrete())
    turned = structured_cholesky(system.exponents + 2.2j, system.B, Discrete())
    np.testing.assert_allclose(abs(turned), abs(L), rtol=1e-11)


def test_cayley_map_keeps_the_gramian(rng):
    continuous = random_diagonal_system(rng, 6, 2, 3, Continuous())
    poles, a = continuous.poles, 0.7
    gains = np.sqrt(2 * a) / (a - poles)
    discrete = DiagonalStateSpace.from_poles(
        (a + poles) / (a - poles), gains[:, None] * continuous.B, continuous.C
    )
    first = structured_cholesky(continuous.exponents, continuous.B, Continuous())
    second = structured_cholesky(discrete.exponents, discrete.B, Discrete())
    np.testing.assert_allclose(abs(first), abs(second), rtol=1e-11)


@pytest.mark.parametrize("n_inputs", [1, 2])
def test_copies_of_a_pole_are_redundant(n_inputs, rng):
    exponents = np.full(4, -0.2 + 0.9j)
    B = rng.standard_normal((4, n_inputs)) + 0j
    L = structured_cholesky(exponents, B, Discrete())
    columns = np.linalg.norm(L, axis=0)
    assert (columns[n_inputs:] <= 1e-15 * columns[0]).all()
    assert (columns[:n_inputs] > 1e-3 * columns[0]).all()


def test_single_input_copies_vanish_exactly():
    L = structured_cholesky(
        np.full(4, -0.2 + 0.9j), np.array([[1.0], [2.0], [3.0], [4.0]]) + 0j, Discrete()
    )
    assert not L[:, 1:].any()


@pytest.mark.parametrize(("n", "m"), [(0, 2), (3, 0)])
def test_no_states_or_inputs(xp, n, m):
    for batch in BATCHES:
        full = random_diagonal_system(np.random.default_rng(0), n, m, 4, batch=batch)
        system = on(xp, full)
        L = xp.to_numpy(structured_cholesky(system.exponents, system.B, Discrete()))
        assert L.shape == (*batch, n, n)
        assert not L.any()


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_extreme_inputs_scale_the_factor(scale, rng):
    system = random_diagonal_system(rng, 4, 2, 3)
    L = structured_cholesky(system.exponents, system.B, Discrete())
    scaled = structured_cholesky(system.exponents, scale * system.B, Discrete())
    np.testing.assert_allclose(scaled / scale, L, rtol=1e-13, atol=1e-15 * abs(L).max())


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("nu", [1e-12, 1e-6, 1e-2, 1.0])
@pytest.mark.parametrize("shift", [0.0, 1e-9, 2 * np.pi - 1e-7, 3.0])
def test_denominators_are_accurate(xp, time, nu, shift):
    first, second = -nu + 1j * (0.5 + shift), -2 * nu + 0.5j
    value = complex(displacement(xp.asarray([first]), xp.asarray([second]), time)[0])
    total = mpmath.mpmathify(first) + mpmath.conj(mpmath.mpmathify(second))
    with mpmath.workdps(40):
        exact = complex(-total if time == Continuous() else -mpmath.expm1(total))
    # The phases add up with one rounding; it is seen where they nearly cancel.
    rounding = 4e-15 * abs(exact) + 1e-15 * abs(shift)
    assert abs(value - exact) <= rounding
