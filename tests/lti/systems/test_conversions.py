import numpy as np
import pytest

from hankelcut import IllConditionedError, InvalidSystemError
from hankelcut.lti import (
    Continuous,
    DiagonalStateSpace,
    Discrete,
    StateSpace,
    conjugate_closure,
    controllability_gramian,
    diagonalize,
    frequency_response,
    hankel_singular_values,
    impulse_response,
    observability_gramian,
    real_form,
    simulate,
    to_dense,
)
from hankelcut.validation import random_diagonal_system, random_stable_system
from tests.helpers import BATCHES, READOUTS, TIMES, fields_of, on, to_precision

POINTS = np.linspace(-3.0, 3.0, 20)


@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("time", TIMES)
def test_dense_twin_has_the_same_response(xp, readout, time, rng):
    for batch in BATCHES:
        full = random_diagonal_system(rng, 4, 2, 3, time, readout, batch=batch)
        system = on(xp, full)
        dense = to_dense(system)
        assert isinstance(dense, StateSpace)
        assert (dense.time, dense.batch_shape) == (time, batch)
        ours = xp.to_numpy(frequency_response(dense, xp.asarray(POINTS)))
        theirs = xp.to_numpy(frequency_response(system, xp.asarray(POINTS)))
        assert ours.shape == (*batch, 20, 3, 2)
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12)


def test_dense_system_is_its_own_dense_form(rng):
    system = random_stable_system(rng, 3, 2, 4)
    assert to_dense(system) is system


@pytest.mark.parametrize("readout", ["real", "twice_real"])
@pytest.mark.parametrize("single", [True, False])
def test_real_form_is_real(xp, readout, single, rng):
    full = random_diagonal_system(rng, 4, 2, 3, Discrete(), readout, batch=(2,))
    dense = real_form(on(xp, to_precision(full, single)))
    wanted = xp.float32 if single else xp.float64
    assert all(array.dtype == wanted for array in fields_of(dense))
    assert dense.n_states == 8


@pytest.mark.parametrize("readout", ["real", "twice_real"])
def test_real_and_complex_forms_simulate_alike(readout, rng):
    system = random_diagonal_system(rng, 4, 2, 3, Discrete(), readout)
    inputs = rng.standard_normal((50, 2))
    ours, theirs = simulate(real_form(system), inputs), simulate(system, inputs)
    np.testing.assert_allclose(ours, theirs, atol=1e-11 * abs(theirs).max())


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("readout", ["real", "twice_real"])
def test_gramians_solve_the_equations_of_the_real_form(time, readout, rng):
    system = random_diagonal_system(rng, 4, 2, 3, time, readout)
    dense = real_form(system)
    A, B, C = dense.A, dense.B, dense.C
    P, Q = controllability_gramian(system), observability_gramian(system)
    if time == Continuous():
        residuals = A @ P + P @ A.T + B @ B.T, A.T @ Q + Q @ A + C.T @ C
    else:
        residuals = A @ P @ A.T - P + B @ B.T, A.T @ Q @ A - Q + C.T @ C
    for residual, gramian in zip(residuals, (P, Q), strict=True):
        assert abs(residual).max() <= 1e-13 * abs(gramian).max()


@pytest.mark.parametrize("readout", ["real", "twice_real"])
@pytest.mark.parametrize("time", TIMES)
def test_closure_is_the_same_map_with_a_complex_readout(readout, time, rng):
    system = random_diagonal_system(rng, 4, 2, 3, time, readout, batch=(2,))
    closed = conjugate_closure(system)
    assert (closed.readout, closed.n_states) == ("complex", 8)
    np.testing.assert_array_equal(closed.poles[..., 4:], closed.poles[..., :4].conj())
    np.testing.assert_allclose(
        frequency_response(closed, POINTS),
        frequency_response(system, POINTS),
        rtol=1e-12,
    )
    np.testing.assert_allclose(
        hankel_singular_values(closed), hankel_singular_values(system), rtol=1e-12
    )


def test_real_parts_of_a_complex_readout_are_refused(rng):
    system = random_diagonal_system(rng, 4, 2, 3, Discrete(), "complex")
    for convert in (conjugate_closure, real_form):
        with pytest.raises(InvalidSystemError, match="real readouts only"):
            convert(system)


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_diagonalization_keeps_the_response(xp, time, dtype, rng):
    for batch in BATCHES:
        full = random_stable_system(rng, 4, 2, 3, time, dtype=dtype, batch=batch)
        system = on(xp, full)
        diagonal = diagonalize(system)
        assert isinstance(diagonal, DiagonalStateSpace)
        assert (diagonal.time, diagonal.readout) == (time, "complex")
        ours = xp.to_numpy(frequency_response(diagonal, xp.asarray(POINTS)))
        theirs = xp.to_numpy(frequency_response(system, xp.asarray(POINTS)))
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-10)


def test_diagonalization_keeps_markov_parameters(rng):
    system = random_stable_system(rng, 5, 2, 3, Discrete())
    ours = impulse_response(diagonalize(system), n_samples=30)
    theirs = impulse_response(system, n_samples=30)
    np.testing.assert_allclose(ours, theirs, atol=1e-12 * abs(theirs).max())


def test_defective_matrix_has_no_diagonal_form():
    jordan = 0.9 * np.eye(5) + np.diag(np.ones(4), 1)
    system = StateSpace(jordan, np.ones((5, 2)), np.ones((3, 5)), time=Discrete())
    with pytest.raises(IllConditionedError, match=r"condition .* need less than"):
        diagonalize(system)


def test_diagonalization_refuses_nan():
    system = StateSpace([[np.nan]], [[1.0]], [[1.0]])
    with pytest.raises(InvalidSystemError, match="A of shape"):
        diagonalize(system)
