from dataclasses import replace

import numpy as np
import pytest

from hankelcut.lti import (
    Continuous,
    Discrete,
    StateSpace,
    controllability_gramian,
    error_system,
    h2_norm,
    observability_gramian,
)
from hankelcut.reduction.methods._h2_error import H2Error, ReducedModel
from hankelcut.validation import random_stable_system
from tests.helpers import TIMES

WIDE = [np.float64, np.complex128]


def proper(system):
    """The system without its feedthrough."""
    return replace(system, D=np.zeros_like(system.D))


def problem_and_model(rng, time, dtype, r=4):
    """An H2 error, the system, and a model of it that is far from optimal."""
    system = proper(random_stable_system(rng, 9, 2, 3, time, dtype=dtype))
    model = proper(random_stable_system(rng, r, 2, 3, time, dtype=dtype))
    return H2Error(system, float(h2_norm(system))), system, model


def squared_error(system, model):
    """By the Gramian of the error system."""
    return float(h2_norm(error_system(system, model))) ** 2


def moved(model, direction, step):
    """A model with its A, B and C moved."""
    names = zip("ABC", direction, strict=True)
    return replace(model, **{k: getattr(model, k) + step * d for k, d in names})


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", WIDE)
def test_error_is_the_norm_of_the_error_system(time, dtype, rng):
    problem, system, model = problem_and_model(rng, time, dtype)
    point = problem.at(ReducedModel(model))
    exact = squared_error(system, model)
    assert problem.error(point) ** 2 == pytest.approx(exact, rel=1e-11)
    assert np.iscomplexobj(point.X) == np.iscomplexobj(system.A)
    np.testing.assert_allclose(point.P, controllability_gramian(model), rtol=1e-9)
    np.testing.assert_allclose(point.Q, observability_gramian(model), rtol=1e-9)


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", WIDE)
def test_gradient_matches_finite_differences(time, dtype, rng):
    problem, system, model = problem_and_model(rng, time, dtype)
    gradient = problem.gradient(problem.at(ReducedModel(model)))
    for _ in range(5):
        direction = [rng.standard_normal(g.shape) * 0.1 for g in gradient]
        if dtype == np.complex128:
            direction = [d + 0.1j * rng.standard_normal(d.shape) for d in direction]
        h = 1e-5
        ends = [squared_error(system, moved(model, direction, s * h)) for s in (1, -1)]
        pairs = zip(gradient, direction, strict=True)
        slope = sum(np.vdot(g, d).real for g, d in pairs)
        assert slope == pytest.approx((ends[0] - ends[1]) / (2 * h), rel=1e-6)


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", WIDE)
def test_projection_interpolates_at_the_mirror_images(time, dtype, rng):
    problem, system, model = problem_and_model(rng, time, dtype)
    projected = problem.projected(problem.at(ReducedModel(model)))
    T, W, own = projected.T, projected.W, projected.system
    np.testing.assert_allclose(W.conj().T @ T, np.eye(4), atol=1e-12)
    np.testing.assert_allclose(W.conj().T @ system.A @ T, own.A, atol=1e-10)
    np.testing.assert_allclose(W.conj().T @ system.B, own.B, atol=1e-10)
    np.testing.assert_allclose(system.C @ T, own.C, atol=1e-10)
    poles, vectors = np.linalg.eig(model.A)
    rows, columns = np.linalg.solve(vectors, model.B), model.C @ vectors
    continuous = isinstance(time, Continuous)
    for i, pole in enumerate(poles):
        point = -pole.conj() if continuous else 1 / pole.conj()
        first, second = (
            s.C @ np.linalg.inv(point * np.eye(s.n_states) - s.A) @ s.B
            for s in (system, own)
        )
        b, c = rows[i].conj(), columns[:, i].conj()
        np.testing.assert_allclose(second @ b, first @ b, rtol=1e-8)
        np.testing.assert_allclose(c @ second, c @ first, rtol=1e-8)


def test_projection_for_a_repeated_pole_is_that_of_the_limit(rng):
    # Twice the pole -1 in a Jordan block: G and its derivative agree at 1.
    system = random_stable_system(rng, 6, 1, 1)
    model = StateSpace([[-1.0, 1.0], [0.0, -1.0]], [[0.5], [1.0]], [[1.0, -0.3]])
    projected = H2Error(system, 1.0).projected(
        H2Error(system, 1.0).at(ReducedModel(model))
    )
    for power in (1, 2, 3, 4):
        values = [
            (s.C @ np.linalg.matrix_power(np.linalg.inv(np.eye(k) - s.A), power) @ s.B)
            for s, k in ((system, 6), (projected.system, 2))
        ]
        np.testing.assert_allclose(values[1], values[0], rtol=1e-9)


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", WIDE)
def test_balanced_coordinates_have_equal_diagonal_gramians(time, dtype, rng):
    problem, system, model = problem_and_model(rng, time, dtype)
    balanced, values = problem.balanced(ReducedModel(model, np.eye(9, 4), np.eye(9, 4)))
    for gramian in (controllability_gramian, observability_gramian):
        np.testing.assert_allclose(
            gramian(balanced.system), np.diag(values), atol=1e-12 * values[0]
        )
    assert squared_error(model, balanced.system) < 1e-20 * squared_error(system, model)
    np.testing.assert_allclose(
        balanced.W.conj().T @ np.eye(9, 4) @ model.A @ np.eye(4, 9) @ balanced.T,
        balanced.system.A,
        atol=1e-11,
    )


@pytest.mark.parametrize(
    ("time", "pole"),
    [(Continuous(), 0.0), (Continuous(), 0.5), (Discrete(), 1.0), (Discrete(), -1.5)],
)
def test_models_that_are_not_stable_have_no_error(time, pole, rng):
    system = random_stable_system(rng, 5, 2, 3, time)
    problem = H2Error(system, 1.0)
    inner = -1.0 if isinstance(time, Continuous) else 0.5
    model = StateSpace(
        np.diag([inner, pole]), np.ones((2, 2)), np.ones((3, 2)), time=time
    )
    assert problem.at(ReducedModel(model)) is None
    assert problem.balanced(ReducedModel(model)) is None
    broken = replace(model, A=np.full((2, 2), np.nan))
    assert problem.at(ReducedModel(broken)) is None


def test_models_that_are_not_minimal_have_no_balanced_coordinates(rng):
    problem = H2Error(random_stable_system(rng, 5, 2, 3), 1.0)
    model = StateSpace(np.diag([-1.0, -2.0]), np.eye(2), np.zeros((3, 2)))
    silent = StateSpace(model.A, [[1.0, 1.0], [0.0, 0.0]], np.ones((3, 2)))
    for given in (model, silent):
        assert problem.balanced(ReducedModel(given)) is None


def test_orthogonal_bases_have_no_projection(rng):
    # Poles of the model meet the zeros of G, so that Y^H X is singular.
    system = StateSpace(np.diag([-1.0, -2.0]), [[2.0], [-3.0]], [[1.0, 1.0]])
    model = StateSpace([[-1.0]], [[1.0]], [[1.0]])
    problem = H2Error(system, 1.0)
    # Y^H X = sum b_i c_i / (1 - pole_i)^2 is moved to 0 by the second residue.
    b = -2.0 / 4 * 9
    zero = H2Error(replace(system, B=np.array([[2.0], [b]])), 1.0)
    assert problem.projected(problem.at(ReducedModel(model))) is not None
    assert zero.projected(zero.at(ReducedModel(model))) is None
