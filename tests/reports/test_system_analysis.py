"""What is said of a system, against definitions."""

import dataclasses

import numpy as np
import pytest
import scipy.linalg
import scipy.sparse

from hankelcut import InvalidSystemError, balanced_truncation, hinf_norm
from hankelcut.lti import (
    Continuous,
    DiagonalStateSpace,
    Discrete,
    SparseStateSpace,
    StateSpace,
    h2_norm,
    hankel_singular_values,
)
from hankelcut.reports import analyze_system


def test_orders_are_the_smallest_that_meet_the_tolerance(plant):
    analysis = analyze_system(plant, tolerances=[0.3, 0.01])
    values = hankel_singular_values(plant)
    norm = float(analysis.norm.lower)
    for advice in analysis.orders:
        bounds = [2 * float(np.sum(values[k:])) for k in range(7)]
        expected = next(k for k in range(7) if bounds[k] <= advice.tolerance * norm)
        assert advice.order == expected
        assert advice.bound == pytest.approx(bounds[expected], rel=1e-6, abs=1e-12)


def test_norms_and_values_are_those_of_the_system(plant):
    analysis = analyze_system(plant)
    exact = hinf_norm(plant)
    assert analysis.norm.lower <= exact.upper
    assert exact.lower <= analysis.norm.upper
    assert analysis.h2_norm == pytest.approx(float(h2_norm(plant)))
    np.testing.assert_allclose(analysis.values, hankel_singular_values(plant))
    assert analysis.numerical_rank == 6
    document = analysis.to_dict()
    assert document["hankel_norm"] == analysis.values[0]
    dt = 1.0 if isinstance(plant.time, Continuous) else plant.time.dt
    frequency = document["hinf_norm"]["frequency"]
    assert frequency == pytest.approx(float(analysis.norm.frequency) / dt)


def test_poles_are_described_in_radians_per_second():
    A = np.zeros((3, 3))
    A[:2, :2], A[2, 2] = [[-0.3, 4.0], [-4.0, -0.3]], -20.0
    plant = StateSpace(A, np.ones((3, 1)), np.ones((1, 3)))
    expected = {
        "n_unstable": 0,
        "slowest": 0.3,
        "fastest": 20.0,
        "damping": 0.3 / np.hypot(0.3, 4.0),
        "damping_at": np.hypot(0.3, 4.0),
    }
    continuous = dataclasses.asdict(analyze_system(plant).poles)
    assert continuous == pytest.approx({**expected, "margin": 0.3})
    sampled = StateSpace(
        np.real(scipy.linalg.expm(0.01 * A)), plant.B, plant.C, time=Discrete(0.01)
    )
    discrete = dataclasses.asdict(analyze_system(sampled).poles)
    margin = 1 - np.exp(-0.003)
    assert discrete == pytest.approx({**expected, "margin": margin})


def test_of_an_unstable_system_the_stable_part_is_described():
    A = np.diag([-1.0, -50.0, 2.0])
    plant = StateSpace(A, np.ones((3, 1)), np.ones((1, 3)))
    analysis = analyze_system(plant, tolerances=[0.1])
    stable = StateSpace(A[:2, :2], np.ones((2, 1)), np.ones((1, 2)))
    np.testing.assert_allclose(analysis.values, hankel_singular_values(stable))
    assert analysis.n_unstable == 1
    # The unstable state is kept beside the one of the stable part.
    assert analysis.orders[0].order == 2
    facts = dict(analysis.facts())
    assert facts["poles"] == "2 stable, 1 unstable"
    assert "H-infinity norm of the stable part" in facts


def test_tolerances_that_rounding_forbids_say_why():
    A = -np.diag([1.0, 1.0 + 1e-9])
    plant = StateSpace(A, np.ones((2, 1)), np.ones((1, 2)))
    (advice,) = analyze_system(plant, tolerances=[1e-17]).orders
    assert advice.order is None
    assert advice.bound is None
    assert "no order up to the numerical rank" in advice.refusal


def test_a_system_without_states_is_described():
    nothing = StateSpace(np.zeros((0, 0)), np.zeros((0, 1)), np.zeros((1, 0)), [[2.0]])
    analysis = analyze_system(nothing, tolerances=[0.1])
    assert analysis.poles is None
    assert analysis.orders[0].order == 0
    assert dict(analysis.facts())["Hankel singular values"] == "none"


def test_diagonal_systems_are_described(rng):
    poles = 0.9 * np.exp(1j * rng.uniform(0.1, 2, 5))
    B, C = np.ones((5, 1), dtype=complex), np.ones((1, 5), dtype=complex)
    full = DiagonalStateSpace.from_poles(poles, B, C, time=Discrete(), readout="real")
    analysis = analyze_system(full, tolerances=[0.1])
    assert len(analysis.values) == 10
    norm = float(analysis.norm.lower)
    expected = balanced_truncation(full, error_tol=0.1 * norm).order
    assert analysis.orders[0].order == expected


def test_sparse_systems_are_described_from_low_rank_factors():
    rod = [1.0, -2.0, 1.0]
    A = scipy.sparse.diags_array(rod, offsets=[-1, 0, 1], shape=(50, 50))
    end = np.eye(50)[:, :1]
    full, seen = SparseStateSpace(A, end, end.T), []
    analysis = analyze_system(
        full, tolerances=[1e-2], progress=lambda k, residual: seen.append(residual)
    )
    assert seen[-1] < 1e-11
    dense = full.to_dense()
    np.testing.assert_allclose(
        analysis.values[:5], hankel_singular_values(dense)[:5], rtol=1e-8
    )
    assert float(analysis.norm.lower) == pytest.approx(
        float(hinf_norm(dense).lower), rel=1e-4
    )
    assert analysis.poles is None
    assert 0 < analysis.orders[0].order < 20


def test_stacks_are_refused():
    stack = StateSpace(-np.ones((2, 1, 1)), np.ones((2, 1, 1)), np.ones((2, 1, 1)))
    with pytest.raises(InvalidSystemError, match=r"got a stack of systems of shape"):
        analyze_system(stack)
