import math

import numpy as np
import pytest

from hankelcut import IllConditionedError, ToleranceNotAttainableError
from hankelcut.lti import (
    Continuous,
    DiagonalStateSpace,
    Discrete,
    StateSpace,
    error_system,
    frequency_response,
    h2_norm,
    hinf_norm,
    load,
    parallel,
)
from hankelcut.reduction import modal_truncation
from hankelcut.validation import random_diagonal_system, random_stable_system
from tests.helpers import DTYPES, TIMES, fields_of, on, unchecked_types

WIDE = [np.float64, np.complex128]
SCORES = ["hinf", "energy", "dc"]
POINTS = np.linspace(-3.0, 3.0, 31)


def modes_of(system):
    """Poles with their terms c b^H, one by one."""
    poles, vectors = np.linalg.eig(system.A)
    rows, columns = np.linalg.solve(vectors, system.B), system.C @ vectors
    return poles, [np.outer(columns[:, i], rows[i]) for i in range(poles.shape[0])]


def units_of(system):
    """Poles of each mode that stays together, and the terms of these poles."""
    poles, terms = modes_of(system)
    if np.iscomplexobj(system.A):
        return [((pole,), (term,)) for pole, term in zip(poles, terms, strict=True)]
    units = []
    for pole, term in zip(poles, terms, strict=True):
        if pole.imag == 0:
            units.append(((pole,), (term,)))
        elif pole.imag > 0:
            units.append(((pole, pole.conj()), (term, term.conj())))
    return units


def gain(unit, points):
    """Response of a mode at points of the complex plane."""
    return sum(
        term / (points[:, None, None] - pole) for pole, term in zip(*unit, strict=True)
    )


def measured_score(unit, score, time):
    """By the definitions, on grids."""
    if score == "dc":
        point = np.array([0.0 if time == Continuous() else 1.0])
        return np.linalg.norm(gain(unit, point)[0], ord=2)
    if score == "energy":
        if time == Continuous():
            nodes, weights = np.polynomial.legendre.leggauss(60)
            edges = np.linspace(0, 400, 401)
            samples = (edges[:-1, None] + (nodes + 1) / 2).ravel()
            weights = np.tile(weights / 2, 400)
            powers = [np.exp(pole * samples) for pole in unit[0]]
        else:
            samples = np.arange(1000)
            weights = np.ones(1000)
            powers = [pole**samples for pole in unit[0]]
        impulse = sum(
            power[:, None, None] * term
            for power, term in zip(powers, unit[1], strict=True)
        )
        return np.sum(weights * np.sum(np.abs(impulse) ** 2, axis=(1, 2)))
    if time == Continuous():
        frequencies = np.concatenate([np.sinh(np.linspace(-5, 5, 40001)), [0.0]])
        points = 1j * frequencies
    else:
        points = np.exp(1j * np.linspace(-np.pi, np.pi, 40001))
    return np.linalg.norm(gain(unit, points), ord=2, axis=(1, 2)).max()


# The promise


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", WIDE)
@pytest.mark.parametrize("score", SCORES)
def test_bound_holds_for_every_order(time, dtype, score, rng):
    system = random_stable_system(rng, 7, 2, 3, time, dtype=dtype)
    poles = np.linalg.eigvals(system.A)
    values = modal_truncation(system, order=0, score=score).characteristic_values
    assert (np.diff(values) <= 0).all()
    for order in range(8):
        split = 0 < order < 7 and values[order - 1] == values[order]
        if split:
            with pytest.warns(UserWarning, match="tie"):
                result = modal_truncation(system, order=order, score=score)
        else:
            result = modal_truncation(system, order=order, score=score)
        assert result.order == (order - 1 if split else order)
        assert result.system.A.dtype == dtype
        np.testing.assert_array_equal(result.system.D, system.D)
        kept = np.linalg.eigvals(result.system.A)
        gaps = np.abs(kept[:, None] - poles)
        assert gaps.min(axis=1).max(initial=0.0) < 1e-12
        difference = error_system(system, result.system)
        if order == 7:
            assert float(h2_norm(difference)) < 1e-11
            continue
        assert float(hinf_norm(difference).lower) <= float(result.bound.value)


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", WIDE)
@pytest.mark.parametrize("score", SCORES)
def test_scores_are_those_of_their_definitions(time, dtype, score, rng):
    system = random_stable_system(rng, 5, 2, 3, time, dtype=dtype)
    result = modal_truncation(system, order=5, score=score)
    expected = sorted(
        (
            value
            for unit in units_of(system)
            for value in [measured_score(unit, score, time)] * len(unit[0])
        ),
        reverse=True,
    )
    # The norms of pairs are upper ends that are up to 0.1 % too large.
    tolerance = 2e-3 if score == "hinf" else 1e-9
    np.testing.assert_allclose(
        result.characteristic_values, expected, rtol=tolerance, atol=0
    )


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", WIDE)
def test_bound_is_the_sum_of_the_dropped_norms(time, dtype, rng):
    system = random_stable_system(rng, 6, 2, 3, time, dtype=dtype)
    order = 2
    result = modal_truncation(system, order=order)
    norms = sorted(
        (measured_score(unit, "hinf", time), len(unit[0])) for unit in units_of(system)
    )
    dropped = [norm for norm, size in norms[: (6 - order) // norms[0][1]]]
    assert len({size for _, size in norms}) == 1
    assert float(result.bound.value) == pytest.approx(sum(dropped), rel=2e-3)
    assert float(result.bound.value) >= sum(dropped) * (1 - 1e-6)
    certificate = result.certify()
    assert bool(certificate.bound_holds)


@pytest.mark.parametrize("dtype", WIDE)
def test_reduced_system_is_the_sum_of_the_kept_modes(dtype, rng):
    system = random_stable_system(rng, 7, 2, 3, dtype=dtype)
    result = modal_truncation(system, order=5)
    kept = np.linalg.eigvals(result.system.A)
    whole = np.zeros((POINTS.shape[0], 3, 2), dtype=complex) + system.D
    for pole, term in zip(*modes_of(system), strict=True):
        if np.abs(kept - pole).min() < 1e-10:
            whole += term / (1j * POINTS[:, None, None] - pole)
    found = frequency_response(result.system, POINTS)
    np.testing.assert_allclose(found, whole, rtol=0, atol=1e-11)


@pytest.mark.parametrize("dtype", WIDE)
def test_projections_make_the_reduced_matrices(dtype, rng):
    system = random_stable_system(rng, 7, 2, 3, Discrete(), dtype=dtype)
    result = modal_truncation(system, order=4)
    T, Wh = result.right_projection, result.left_projection.conj().T
    np.testing.assert_allclose(Wh @ T, np.eye(4), atol=1e-12)
    np.testing.assert_allclose(Wh @ system.A @ T, result.system.A, atol=1e-12)
    np.testing.assert_allclose(Wh @ system.B, result.system.B, atol=1e-12)
    np.testing.assert_allclose(system.C @ T, result.system.C, atol=1e-12)


def test_poles_are_those_of_pymor(rng):
    # Its dominant poles have the largest residues over their distances.
    mt = pytest.importorskip("pymor.reductors.mt", reason="no pyMOR")
    from pymor.models.iosys import LTIModel

    A = np.zeros((8, 8))
    for k, (decay, turn) in enumerate([(0.1, 5), (0.3, 1), (0.7, 9), (2.0, 3)]):
        A[2 * k : 2 * k + 2, 2 * k : 2 * k + 2] = [[-decay, turn], [-turn, -decay]]
    B, C = np.tile([[1.0], [0.0]], (4, 1)), np.tile([[1.0, 0.0]], (1, 4))
    X = np.linalg.qr(rng.standard_normal((8, 8)))[0] * np.geomspace(1, 3, 8)
    system = StateSpace(X @ A @ np.linalg.inv(X), X @ B, C @ np.linalg.inv(X))
    model = LTIModel.from_matrices(system.A, system.B, system.C)
    theirs = mt.MTReductor(model).reduce(4, decomposition="samdp", which="NR")
    A, B, C, _, E = theirs.to_matrices()
    other = StateSpace.from_descriptor(np.eye(4) if E is None else E, A, B, C)
    ours = modal_truncation(system, order=4).system
    assert float(h2_norm(error_system(ours, other))) < 1e-10


# Systems


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_arrays_stay_what_they_are(xp, time, dtype, rng):
    full = random_stable_system(rng, 6, 2, 3, time, dtype=dtype)
    system = on(xp, full)
    result = modal_truncation(system, order=4)
    assert result.order == result.system.n_states == 4
    for ours, theirs in zip(fields_of(result.system), fields_of(system), strict=True):
        assert ours.dtype == theirs.dtype
    np.testing.assert_array_equal(xp.to_numpy(system.A), full.A)
    assert bool(result.certify().bound_holds)


def test_unstable_and_marginal_modes_are_kept(rng):
    stable = random_stable_system(rng, 6, 2, 3)
    poles = np.diag([0.0, 0.3])
    other = StateSpace(poles, 1e-6 * np.ones((2, 2)), 1e-6 * np.ones((3, 2)))
    result = modal_truncation(parallel(stable, other), order=4)
    kept = np.linalg.eigvals(result.system.A)
    assert sorted(kept.real)[-2:] == pytest.approx([0.0, 0.3], abs=1e-9)
    alone = modal_truncation(stable, order=2)
    assert float(result.bound.value) == pytest.approx(float(alone.bound.value))


def test_order_inside_a_pair_keeps_the_pair_out():
    A = [[-0.1, 2.0, 0.0], [-2.0, -0.1, 0.0], [0.0, 0.0, -1.0]]
    system = StateSpace(A, [[1.0], [0.0], [1.0]], [[1.0, 0.0, 1.0]])
    with pytest.warns(UserWarning, match="inside a tie"):
        result = modal_truncation(system, order=1)
    assert result.order == 0
    assert "order 1 splits a conjugate pair; cut to 0" in result.warnings
    whole = float(modal_truncation(system, order=0).bound.value)
    assert float(result.bound.value) == whole
    assert modal_truncation(system, order=2).order == 2


def test_tolerances_are_met_with_whole_pairs(rng):
    system = random_stable_system(rng, 9, 2, 3)
    whole = float(modal_truncation(system, order=0).bound.value)
    for share in (0.5, 0.1, 0.01):
        result = modal_truncation(system, error_tol=share * whole)
        assert float(result.bound.value) <= share * whole
        values = result.characteristic_values
        if 0 < result.order < 9:
            assert values[result.order - 1] > values[result.order]
    scores = modal_truncation(system, energy_tol=0.2).characteristic_values
    order = modal_truncation(system, energy_tol=0.2).order
    assert sum(scores[order:]) <= 0.2 * sum(scores) < sum(scores[order - 2 :])
    exact = modal_truncation(system, error_tol=0.0)
    assert exact.order == 9
    silent = StateSpace(np.diag([-1.0, -2.0]), [[1.0], [1e-30]], [[1.0, 1.0]])
    with pytest.raises(ToleranceNotAttainableError, match="no order up to the"):
        modal_truncation(silent, error_tol=1e-40)


def test_scores_choose_different_modes():
    # Norms 10, 6 and 8; energies 5.3, 12 and 0.3; static gains 0.5, 6 and 8.
    poles, gains = np.array([-0.9, 0.5, 0.99]), np.array([1.0, 3.0, 0.08])
    system = StateSpace(
        np.diag(poles), gains[:, None], np.ones((1, 3)), time=Discrete()
    )
    kept = {
        score: float(modal_truncation(system, order=1, score=score).system.A[0, 0])
        for score in SCORES
    }
    assert kept == pytest.approx({"hinf": -0.9, "energy": 0.5, "dc": 0.99})


def test_diagonal_systems_are_reduced_as_what_they_read_out(rng):
    complex_one = random_diagonal_system(rng, 5, 2, 3)
    result = modal_truncation(complex_one, order=2)
    kept = np.diagonal(result.system.A)
    sizes = np.linalg.norm(complex_one.B, axis=1) * np.linalg.norm(
        complex_one.C, axis=0
    )
    norms = sizes / (1 - np.abs(complex_one.poles))
    best = complex_one.poles[np.argsort(-norms)[:2]]
    np.testing.assert_allclose(np.sort_complex(kept), np.sort_complex(best), rtol=1e-12)
    real = random_diagonal_system(rng, 5, 2, 3, readout="real")
    assert modal_truncation(real, order=4).system.A.dtype == np.float64


def test_badly_scaled_states_do_not_make_it_ill_conditioned(rng):
    system = random_stable_system(rng, 6, 2, 3)
    units = 10.0 ** np.arange(-9, 9, 3)
    scaled = StateSpace(
        system.A / units[:, None] * units,
        system.B / units[:, None],
        system.C * units,
        system.D,
    )
    first, second = (modal_truncation(s, order=4) for s in (system, scaled))
    np.testing.assert_allclose(
        frequency_response(first.system, POINTS),
        frequency_response(second.system, POINTS),
        rtol=1e-8,
    )


def test_nearly_real_pairs_are_measured_as_pairs():
    # A nearly defective block: two terms of norm 1e4 that nearly cancel.
    system = StateSpace([[-1.0, 1.0], [-1e-8, -1.0]], [[0.0], [1.0]], [[1.0, 0.0]])
    result = modal_truncation(system, order=0)
    assert float(result.bound.value) == pytest.approx(1.0, rel=2e-3)


@pytest.mark.parametrize("time", TIMES)
def test_defective_systems_are_refused(time):
    jordan = 0.5 * np.eye(4) + np.diag(np.ones(3), 1)
    A = jordan if time == Discrete(0.1) else jordan - 2 * np.eye(4)
    system = StateSpace(A, np.ones((4, 1)), np.ones((1, 4)), time=time)
    message = r"modal_truncation: the eigenvectors have condition number .*use balanced"
    with pytest.raises(IllConditionedError, match=message):
        modal_truncation(system, order=2)


def test_no_states_and_no_score(rng):
    empty = StateSpace(
        np.zeros((0, 0)), np.zeros((0, 2)), np.zeros((3, 0)), np.ones((3, 2))
    )
    result = modal_truncation(empty, order=0)
    assert result.order == 0
    assert float(result.bound.value) == 0.0
    system = random_stable_system(rng, 4, 2, 3)
    message = r"got score='peak', need one of hinf, energy, dc"
    with unchecked_types(), pytest.raises(ValueError, match=message):
        modal_truncation(system, order=2, score="peak")


def test_benchmark_is_reduced_within_its_bound(data_folder):
    path = data_folder / "slicot" / "build.mat"
    if not path.is_file():
        pytest.skip(f"no {path}")
    result = modal_truncation(load(path), order=10)
    assert result.order == 10
    certificate = result.certify()
    assert bool(certificate.bound_holds)
    # The sum of 19 norms: how pessimistic the triangle inequality is.
    ratio = float(result.bound.value / certificate.hinf_error.lower)
    assert 1 < ratio < 10
    assert math.isfinite(float(certificate.h2_error))


def test_real_modes_of_a_diagonal_system_have_closed_forms():
    system = DiagonalStateSpace.from_poles(
        np.array([-1.0, -2.0, -4.0]),
        np.array([[3.0], [1.0], [1.0]]),
        np.array([[1.0, 2.0, 2.0]]),
        time=Continuous(),
    )
    result = modal_truncation(system, order=1)
    np.testing.assert_allclose(result.characteristic_values, [3.0, 1.0, 0.5])
    assert float(result.bound.value) == pytest.approx(1.5)
