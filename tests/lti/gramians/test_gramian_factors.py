from dataclasses import replace

import numpy as np
import pytest

from hankelcut import InvalidSystemError, UnstableSystemError
from hankelcut.lti import (
    Continuous,
    DiagonalStateSpace,
    Discrete,
    StateSpace,
    controllability_gramian,
    controllability_gramian_factor,
    gramian_factors,
    observability_gramian,
    observability_gramian_factor,
    to_dense,
)
from hankelcut.validation import random_diagonal_system, random_stable_system
from tests.exact import exact_hankel_singular_values
from tests.helpers import (
    BATCHES,
    DTYPES,
    READOUTS,
    TIMES,
    on,
    to_precision,
    unchecked_types,
)

METHODS = ["structured", "closed_form"]


def adjoint(matrix):
    return np.conj(np.swapaxes(matrix, -1, -2))


def relative_residual(system, P, Q):
    """Largest residual of both equations, relative to their terms."""
    A, B, C = system.A, system.B, system.C
    if system.time == Continuous():
        first = A @ P + P @ adjoint(A) + B @ adjoint(B)
        second = adjoint(A) @ Q + Q @ A + adjoint(C) @ C
    else:
        first = A @ P @ adjoint(A) - P + B @ adjoint(B)
        second = adjoint(A) @ Q @ A - Q + adjoint(C) @ C
    return max(
        np.linalg.norm(residual) / (4 * np.linalg.norm(A) + 2) / np.linalg.norm(X)
        for residual, X in ((first, P), (second, Q))
    )


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_dense_gramians_solve_their_equations(xp, time, dtype, rng):
    for batch in BATCHES:
        full = random_stable_system(rng, 5, 2, 3, time, dtype=dtype, batch=batch)
        system = on(xp, full)
        P, Q = controllability_gramian(system), observability_gramian(system)
        assert P.dtype == Q.dtype == system.A.dtype
        P, Q = xp.to_numpy(P), xp.to_numpy(Q)
        assert P.shape == Q.shape == (*batch, 5, 5)
        for i in np.ndindex(*batch):
            assert relative_residual(full[i], P[i], Q[i]) <= 100 * np.finfo(dtype).eps
            for X in (P[i], Q[i]):
                rounding = 50 * np.finfo(dtype).eps * abs(X).max()
                np.testing.assert_allclose(X, adjoint(X), rtol=0, atol=rounding)
                assert np.linalg.eigvalsh(X)[0] >= -rounding


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("single", [True, False])
@pytest.mark.parametrize("readout", READOUTS)
def test_diagonal_gramians_solve_the_dense_equations(xp, time, single, readout, rng):
    for batch in BATCHES:
        full = random_diagonal_system(rng, 4, 2, 3, time, readout, batch=batch)
        system = on(xp, to_precision(full, single))
        P, Q = controllability_gramian(system), observability_gramian(system)
        eps = np.finfo(xp.to_numpy(P).dtype).eps
        P, Q = xp.to_numpy(P), xp.to_numpy(Q)
        N = 4 if readout == "complex" else 8
        assert P.shape == Q.shape == (*batch, N, N)
        assert np.isrealobj(P) == (readout != "complex")
        for i in np.ndindex(*batch):
            assert relative_residual(to_dense(full[i]), P[i], Q[i]) <= 100 * eps


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n_inputs", [1, 2, 7])
def test_factors_multiply_to_the_gramians(time, readout, method, n_inputs, rng):
    system = random_diagonal_system(rng, 4, n_inputs, 3, time, readout)
    pairs = (
        (controllability_gramian_factor, controllability_gramian),
        (observability_gramian_factor, observability_gramian),
    )
    for factor, gramian in pairs:
        L, X = factor(system, gramians=method), gramian(system)
        # Re x and Im x of a state are right to the size of the state, not to their own.
        diagonal = np.diag(X).real
        if readout != "complex":
            diagonal = np.tile(diagonal[:4] + diagonal[4:], 2)
        scale = np.sqrt(diagonal)
        error = (L @ adjoint(L) - X) / np.outer(scale, scale)
        assert abs(error).max() <= 1e-13


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("kind", [random_stable_system, random_diagonal_system])
def test_observability_is_the_dual(time, kind, rng):
    system = kind(rng, 5, 2, 3, time)
    if isinstance(system, StateSpace):
        dual = StateSpace(system.A.T, system.C.T, system.B.T, system.D.T, time)
    else:
        dual = DiagonalStateSpace(
            system.exponents.conj(), adjoint(system.C), adjoint(system.B), None, time
        )
    np.testing.assert_allclose(
        controllability_gramian(dual), observability_gramian(system), rtol=1e-10
    )


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("kind", [random_stable_system, random_diagonal_system])
def test_gramians_of_inputs_add_up(time, kind, rng):
    system = kind(rng, 5, 3, 2, time)
    parts = [
        controllability_gramian(replace(system, B=system.B[:, k], D=system.D[:, k]))
        for k in (slice(0, 1), slice(1, 3))
    ]
    whole = controllability_gramian(system)
    np.testing.assert_allclose(sum(parts), whole, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("time", TIMES)
def test_similarity_transforms_the_gramian(time, rng):
    system = random_stable_system(rng, 5, 2, 3, time)
    T = np.eye(5) + 0.3 * rng.standard_normal((5, 5))
    moved = StateSpace(
        T @ system.A @ np.linalg.inv(T),
        T @ system.B,
        system.C @ np.linalg.inv(T),
        time=time,
    )
    P = controllability_gramian(system)
    np.testing.assert_allclose(
        controllability_gramian(moved), T @ P @ T.T, rtol=0, atol=1e-11 * abs(P).max()
    )


def test_gramian_is_the_truncated_sum(rng):
    system = random_stable_system(rng, 5, 2, 3, Discrete(), margin=0.3)
    P, state = np.zeros((5, 5)), system.B
    for _ in range(400):
        P, state = P + state @ state.T, system.A @ state
    np.testing.assert_allclose(controllability_gramian(system), P, rtol=1e-10)


def test_gramian_is_the_integral(rng):
    system = random_diagonal_system(rng, 3, 2, 4, Continuous(), margin=0.5)
    nodes, weights = np.polynomial.legendre.leggauss(400)
    times, weights = 40 * (nodes + 1), 40 * weights
    columns = np.exp(times[:, None] * system.exponents)[..., None] * system.B
    P = np.einsum("t,tim,tjm->ij", weights, columns, columns.conj())
    np.testing.assert_allclose(controllability_gramian(system), P, rtol=1e-10)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("readout", READOUTS)
def test_inputs_are_not_modified(method, readout, rng):
    system = random_diagonal_system(rng, 4, 2, 3, Discrete(), readout)
    arrays = (system.exponents, system.B, system.C, system.D)
    before = [array.copy() for array in arrays]
    gramian_factors(system, gramians=method)
    for array, copy in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, copy)


# How far the values may be off


def doubt_and_error(system, method):
    """Stated uncertainty and true error of the values from the factors."""
    factors = gramian_factors(system, gramians=method)
    product = adjoint(factors.observability) @ factors.controllability
    values = np.linalg.svd(product, compute_uv=False)
    exact = exact_values(system)
    return factors.uncertainty(values), abs(values - exact)


def exact_values(system):
    """Exact values of a system, of which some states may be silent."""
    if isinstance(system, StateSpace):
        return exact_hankel_singular_values(system)
    heard = (abs(system.B).sum(axis=1) > 0) & (abs(system.C).sum(axis=0) > 0)
    audible = DiagonalStateSpace(
        system.exponents[heard],
        system.B[heard],
        system.C[:, heard],
        None,
        system.time,
        system.readout,
    )
    values = exact_hankel_singular_values(audible)
    total = system.n_states * (1 if system.readout == "complex" else 2)
    return np.pad(values, (0, total - len(values)))


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("single", [True, False])
@pytest.mark.parametrize("method", METHODS)
def test_uncertainty_is_honest(time, readout, single, method, rng):
    for n, spread in ((2, 1.0), (4, 0.3), (6, 0.05)):
        exponents = -rng.uniform(0.1, 0.1 + spread, n)
        exponents = exponents + 1j * rng.uniform(0.4, 0.4 + spread, n)
        B = rng.standard_normal((n, 2)) + 1j * rng.standard_normal((n, 2))
        C = rng.standard_normal((3, n)) + 1j * rng.standard_normal((3, n))
        system = DiagonalStateSpace(exponents, B, C, None, time, readout)
        doubt, error = doubt_and_error(to_precision(system, single), method)
        assert (error <= doubt).all()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("angle", [1e-2, 1e-4, 1e-6, 1e-9])
def test_uncertainty_is_honest_for_nearly_real_poles(method, angle):
    system = DiagonalStateSpace([-0.1 + 1j * angle], [[1j]], [[1.0]], readout="real")
    doubt, error = doubt_and_error(system, method)
    assert (error <= doubt).all()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("gap", [1e-2, 1e-4, 1e-6, 1e-9])
def test_uncertainty_is_honest_for_cancelling_poles(method, gap):
    system = DiagonalStateSpace([-0.1, -0.1 - gap], [[1.0], [1.0]], [[1.0, -1.0]])
    doubt, error = doubt_and_error(system, method)
    assert (error <= doubt).all()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("time", TIMES)
def test_uncertainty_is_honest_for_silent_states(method, readout, time, rng):
    system = random_diagonal_system(rng, 3, 2, 4, time, readout)
    exponents = np.append(system.exponents, [-0.3 + 1j, -0.2, -0.9 + 0.1j])
    B = np.concatenate([system.B, np.ones((1, 2)), np.zeros((2, 2))])
    C = np.concatenate([system.C, np.tile([0.0, 1.0, 0.0], (4, 1))], axis=1)
    padded = DiagonalStateSpace(exponents, B, C, None, time, readout)
    doubt, error = doubt_and_error(padded, method)
    assert (error <= doubt).all()


@pytest.mark.parametrize("method", METHODS)
def test_uncertainty_is_honest_next_to_the_circle(method, rng):
    exponents = -(10.0 ** -rng.uniform(2, 9, 5)) + 1j * rng.uniform(-3, 3, 5)
    B = rng.standard_normal((5, 2)) + 1j * rng.standard_normal((5, 2))
    C = rng.standard_normal((3, 5)) + 1j * rng.standard_normal((3, 5))
    for readout in READOUTS:
        system = DiagonalStateSpace(exponents, B, C, readout=readout)
        doubt, error = doubt_and_error(system, method)
        assert (error <= doubt).all()


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_uncertainty_is_honest_for_dense_systems(time, dtype, rng):
    system = random_stable_system(rng, 4, 2, 3, time, dtype=dtype, margin=0.2)
    doubt, error = doubt_and_error(system, "structured")
    assert (error <= 10 * doubt).all()
    assert (doubt <= 1e-14 * exact_values(system)[0]).all()


def symmetric_and_stiff(rng):
    """Poles over six decades, and couplings that keep the small ones small."""
    root = np.logspace(-1, 2, 8)
    coupling = rng.standard_normal((8, 8))
    A = -(np.eye(8) + 0.05 * (coupling + coupling.T)) * np.outer(root, root)
    return StateSpace(A, np.ones((8, 1)), np.ones((1, 8)))


def slow_and_triangular(rng):
    """Discrete poles from 1 - 1e-6 on."""
    margins = np.logspace(-6, -0.5, 8)
    above = np.triu(rng.standard_normal((8, 8)), 1)
    A = np.diag(1 - margins) + 0.5 * above * np.minimum.outer(margins, margins)
    return StateSpace(A, np.ones((8, 1)), np.ones((1, 8)), time=Discrete())


def far_from_normal(rng):
    """A chain of growing states, turned into a full matrix."""
    U, _ = np.linalg.qr(rng.standard_normal((8, 8)))
    A = U.T @ (10.0 * np.eye(8, k=1) - np.diag(np.linspace(1, 2, 8))) @ U
    B, C = rng.standard_normal((8, 2)), rng.standard_normal((3, 8))
    return StateSpace(A, B, C)


def rounded(matrix, rng):
    """A matrix 8 eps away in norm."""
    change = rng.standard_normal(matrix.shape)
    size = np.linalg.norm(matrix) / np.linalg.norm(change)
    return matrix + 8 * np.finfo(float).eps * size * change


@pytest.mark.parametrize(
    "make", [symmetric_and_stiff, slow_and_triangular, far_from_normal]
)
def test_uncertainty_is_honest_up_to_matrices_within_rounding(make, rng):
    system = make(rng)
    doubt, error = doubt_and_error(system, "structured")
    exact = exact_values(system)
    moved = np.zeros(8)
    for _ in range(4):
        nearby = replace(
            system, **{k: rounded(getattr(system, k), rng) for k in ("A", "B", "C")}
        )
        moved = np.maximum(moved, abs(exact_values(nearby) - exact))
    assert (error <= 10 * doubt + moved).all()
    # These systems are sensitive indeed.
    assert moved[0] > 10 * doubt[0]


def test_uncertainty_of_zero_values_is_a_number():
    system = StateSpace(-np.eye(3), np.eye(3, 2), np.ones((4, 3)))
    factors = gramian_factors(system)
    doubt = factors.uncertainty(np.array([1.0, 0.5, 0.0]))
    # sqrt(P_ii Q_ii) is sqrt(1/2) sqrt(4/2) for the first two states, 0 for the third.
    np.testing.assert_allclose(doubt, np.full(3, 3 * np.finfo(float).eps * 2))


# Refusals


@pytest.mark.parametrize("caller", [controllability_gramian, observability_gramian])
@pytest.mark.parametrize("kind", [random_stable_system, random_diagonal_system])
def test_bad_systems_are_refused_by_name(caller, kind, rng):
    system = kind(rng, 3, 2, 4)
    nan = replace(system, B=system.B * np.nan)
    with pytest.raises(InvalidSystemError, match=f"{caller.__name__}: B of shape"):
        caller(nan)
    unstable = (
        replace(system, A=-system.A)
        if isinstance(system, StateSpace)
        else replace(system, exponents=-system.exponents)
    )
    with pytest.raises(UnstableSystemError, match=f"{caller.__name__}: pole"):
        caller(unstable)


def test_unknown_method_is_refused(rng):
    system = random_diagonal_system(rng, 3, 2, 4)
    with unchecked_types(), pytest.raises(InvalidSystemError, match="gramians='lu'"):
        gramian_factors(system, gramians="lu")
