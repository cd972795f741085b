from dataclasses import replace

import numpy as np
import pytest

from hankelcut.lti import (
    StateSpace,
    append,
    balanced_realization,
    frequency_response,
    hinf_norm,
)
from hankelcut.reduction.methods._all_pass_embedding import (
    all_pass_embedding,
    constant_approximation,
    partial_isometry,
    tied,
    unitary_completion,
)
from hankelcut.validation import random_stable_system
from tests.helpers import adjoint

FREQUENCIES = np.array([-40.0, -3.0, -0.5, 0.0, 0.1, 1.0, 7.0, 1e3])
SIZES = [(1, 1), (3, 3), (2, 3), (3, 2)]
DOUBLE = [np.float64, np.complex128]


def balanced(rng, n, m, p, dtype, *, twice=False):
    """A balanced system; with every value twice, coupled by unitary maps."""
    system = random_stable_system(rng, n, m, p, dtype=dtype)
    if twice:
        system = append(system, system)
        sides = [np.linalg.qr(rng.standard_normal((2 * k, 2 * k)))[0] for k in (m, p)]
        system = replace(system, B=system.B @ sides[0], C=sides[1] @ system.C)
    realization = balanced_realization(system)
    return realization.system, realization.hankel_singular_values


def split(system, values, order):
    """sigma, the states without it, their values, and the rows and columns of it."""
    sigma = float(values[order])
    last = tied(values, sigma)
    kept = ~last
    A = system.A[np.ix_(kept, kept)]
    others = replace(system, A=A, B=system.B[kept], C=system.C[:, kept])
    return sigma, others, values[kept], system.B[last], system.C[:, last]


def unitary_dilation(U):
    """Unitary matrix with the partial isometry U in its corner."""
    p, m = U.shape
    left, right = np.eye(p) - U @ adjoint(U), np.eye(m) - adjoint(U) @ U
    return np.block([[U, left], [-right, adjoint(U)]])


@pytest.mark.parametrize("twice", [False, True])
@pytest.mark.parametrize("dtype", DOUBLE)
@pytest.mark.parametrize(("m", "p"), SIZES)
def test_isometry_solves_its_equation(m, p, dtype, twice, rng):
    system, values = balanced(rng, 5, m, p, dtype, twice=twice)
    for order in range(len(values)):
        *_, B, C = split(system, values, order)
        assert len(B) == 1 + twice
        U = partial_isometry(B, C)
        np.testing.assert_allclose(-adjoint(C) @ U, B, atol=1e-7 * abs(B).max())
        np.testing.assert_allclose(U @ adjoint(U) @ U, U, atol=1e-12)


@pytest.mark.parametrize("twice", [False, True])
@pytest.mark.parametrize("dtype", DOUBLE)
@pytest.mark.parametrize(("m", "p"), SIZES)
def test_distance_is_the_value_at_every_frequency(m, p, dtype, twice, rng):
    system, values = balanced(rng, 5, m, p, dtype, twice=twice)
    n_outputs, n_inputs = system.D.shape
    wide = replace(
        system,
        B=np.hstack([system.B, np.zeros((len(values), n_outputs))]),
        C=np.vstack([system.C, np.zeros((n_inputs, len(values)))]),
        D=np.zeros((n_outputs + n_inputs,) * 2, dtype=dtype),
    )
    for order in range(len(values)):
        sigma, others, kept, B, C = split(system, values, order)
        U = partial_isometry(B, C)
        embedding = all_pass_embedding(others, kept, sigma, U)
        error = frequency_response(system, FREQUENCIES) - frequency_response(
            embedding, FREQUENCIES
        )
        gains = np.linalg.svd(error, compute_uv=False)
        slack = 1e-6 * sigma
        assert (gains <= sigma + slack).all()
        np.testing.assert_allclose(gains[:, 0], sigma, rtol=1e-6)
        # With zero inputs and outputs and a unitary U the error is all-pass.
        _, others, kept, _, _ = split(wide, values, order)
        embedding = all_pass_embedding(others, kept, sigma, unitary_dilation(U))
        error = frequency_response(wide, FREQUENCIES) - frequency_response(
            embedding, FREQUENCIES
        )
        gains = np.linalg.svd(error, compute_uv=False)
        np.testing.assert_allclose(gains, sigma, rtol=1e-6)


@pytest.mark.parametrize("twice", [False, True])
@pytest.mark.parametrize("dtype", DOUBLE)
@pytest.mark.parametrize(("m", "p"), SIZES)
def test_as_many_poles_are_stable_as_values_are_larger(m, p, dtype, twice, rng):
    system, values = balanced(rng, 5, m, p, dtype, twice=twice)
    for order in range(len(values)):
        sigma, others, kept, B, C = split(system, values, order)
        embedding = all_pass_embedding(others, kept, sigma, partial_isometry(B, C))
        poles = np.linalg.eigvals(embedding.A)
        larger = (values > sigma * (1 + 1e-7)).sum()
        assert (poles.real < 0).sum() == larger
        assert (poles.real > 0).sum() == len(kept) - larger


@pytest.mark.parametrize("dtype", DOUBLE)
def test_gramians_of_the_embedding_are_signed_values(dtype, rng):
    system, values = balanced(rng, 6, 3, 3, dtype)
    sigma, others, kept, B, C = split(system, values, 2)
    U = unitary_completion(partial_isometry(B, C), others.C @ others.B)
    embedding = all_pass_embedding(others, kept, sigma, U)
    P = np.diag(kept * np.sign(kept - sigma))
    A, B, C = embedding.A, embedding.B, embedding.C
    for rest in (
        A @ P + P @ adjoint(A) + B @ adjoint(B),
        adjoint(A) @ P + P @ A + adjoint(C) @ C,
    ):
        assert np.linalg.norm(rest) <= 1e-10 * np.linalg.norm(A) * values[0]


@pytest.mark.parametrize("dtype", DOUBLE)
@pytest.mark.parametrize("rank", [0, 1, 2, 4])
def test_completion_is_unitary_and_extends(rank, dtype, rng):
    M = rng.standard_normal((2, 4, 4)) + 0 * dtype(0)
    left, right = (
        np.linalg.qr(x + 1j * x[::-1] if dtype is np.complex128 else x)[0] for x in M
    )
    U = left[:, :rank] @ adjoint(right[:, :rank])
    gain = rng.standard_normal((4, 4))
    V = unitary_completion(U, gain)
    assert V.dtype == dtype
    np.testing.assert_allclose(V @ adjoint(V), np.eye(4), atol=1e-13)
    np.testing.assert_allclose(V @ right[:, :rank], left[:, :rank], atol=1e-13)
    # Where U is zero it turns against the gain, nearly: whatever the coordinates.
    A, B = left[:, rank:], right[:, rank:]
    inner = -adjoint(A) @ V @ B @ adjoint(adjoint(A) @ gain @ B)
    np.testing.assert_allclose(inner, adjoint(inner), atol=0.05)
    assert np.trace(inner).real > 0 or rank == 4


@pytest.mark.parametrize("twice", [False, True])
@pytest.mark.parametrize("dtype", DOUBLE)
@pytest.mark.parametrize(("m", "p"), SIZES)
def test_constant_is_within_the_sum_of_the_values(m, p, dtype, twice, rng):
    for _ in range(4):
        system, values = balanced(rng, 5, m, p, dtype, twice=twice)
        D = constant_approximation(system.B, system.C, values)
        assert D.dtype == dtype
        distance = hinf_norm(replace(system, D=-D), rtol=1e-3).lower
        distinct = values[:: 1 + twice].sum()
        assert float(distance) <= distinct * (1 + 1e-6)
        assert float(distance) >= values[0]


def test_constant_of_one_state_is_half_of_its_gain():
    # 1 / (s + 1), sigma = 1 / 2: |1 / (jw + 1) - 1 / 2| = 1 / 2 at all frequencies.
    system = StateSpace([[-1.0]], [[1.0]], [[1.0]])
    D = constant_approximation(system.B, system.C, np.array([0.5]))
    assert D[0, 0] == pytest.approx(0.5, rel=1e-15)


def test_constant_of_nothing_is_zero():
    D = constant_approximation(np.zeros((0, 2)), np.zeros((3, 0)), np.zeros(0))
    np.testing.assert_array_equal(D, np.zeros((3, 2)))


def test_values_tie_within_eight_digits():
    values = np.array([2.0, 1.0 + 2e-8, 1.0 + 5e-9, 1.0, 1.0 - 2e-8])
    np.testing.assert_array_equal(tied(values, 1.0), [False, False, True, True, False])
