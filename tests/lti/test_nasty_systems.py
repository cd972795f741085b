"""Ten kinds of systems that break model reduction codes, and what is asked of each."""

from dataclasses import replace

import numpy as np
import pytest

from hankelcut import (
    IllConditionedError,
    InvalidSystemError,
    NumericalWarning,
    ToleranceNotAttainableError,
    UnstableSystemError,
)
from hankelcut.lti import (
    Continuous,
    DiagonalStateSpace,
    Discrete,
    LyapunovEquation,
    StateSpace,
    diagonalize,
    error_system,
    gramian_factors,
    h2_norm,
    hankel_singular_values,
    hinf_norm,
    is_stable,
    to_dense,
)
from hankelcut.reduction import balance, balanced_truncation
from hankelcut.validation import random_diagonal_system, random_stable_system
from tests.exact import exact_hankel_singular_values
from tests.helpers import TIMES, fields_of, quietly


def measured_error(full, reduced):
    """Lower end of the H-infinity error."""
    return float(hinf_norm(error_system(full, reduced), rtol=0.01).lower)


# 1: poles next to the stability boundary


def test_poles_next_to_the_boundary_have_finite_values():
    nu = 1e-12
    cluster = DiagonalStateSpace(
        np.full(8, -nu) + 1j * np.linspace(0, 2, 8), np.ones((8, 1)), np.ones((1, 8))
    )
    values = hankel_singular_values(cluster)
    np.testing.assert_allclose(values, 1 / -np.expm1(-2 * nu), rtol=1e-9)
    bracket = hinf_norm(cluster, rtol=1e-3)
    assert float(bracket.lower) == pytest.approx(1 / nu, rel=1e-3)
    assert float(bracket.upper) <= 1.0011 * float(bracket.lower)
    with pytest.warns(NumericalWarning, match="pole .* nearly singular; up to 12"):
        dense = hankel_singular_values(to_dense(cluster))
    # What is left of the poles after rounding abs(pole) = 1 - 1e-12.
    np.testing.assert_allclose(dense, values, rtol=1e-3)


@pytest.mark.parametrize("time", TIMES)
def test_poles_at_a_distance_of_1e_9_keep_seven_digits(time):
    margin = 1e-9
    pole = 1 - margin if isinstance(time, Discrete) else -margin
    A = np.array([[pole, 0.5 * margin], [0.0, 0.5 if pole > 0 else -1.0]])
    system = StateSpace(A, np.ones((2, 1)), np.ones((1, 2)), time=time)
    exact = exact_hankel_singular_values(system)
    np.testing.assert_allclose(hankel_singular_values(system), exact, rtol=1e-6)
    bracket = hinf_norm(system)
    assert float(bracket.lower) <= 2 * exact.sum() * (1 + 1e-6)
    assert float(bracket.upper) >= exact[0] * (1 - 1e-6)


# 2: poles on or outside the boundary; values that are no numbers


@pytest.mark.parametrize("caller", [hankel_singular_values, hinf_norm, h2_norm])
@pytest.mark.parametrize(
    ("pole", "time"),
    [
        (1.0, Discrete()),
        (-1.0, Discrete()),
        (1 + 1e-9, Discrete()),
        (0.0, Continuous()),
        (1e-9, Continuous()),
    ],
)
def test_unstable_poles_are_named(caller, pole, time):
    A = np.diag([0.5 if time == Discrete() else -0.5, pole])
    system = StateSpace(A, np.ones((2, 1)), np.ones((1, 2)), time=time)
    name = f"{caller.__name__}: pole {complex(pole):.6g}".replace("+", r"\+")
    with pytest.raises(UnstableSystemError, match=f"{name} .*is not stable.*stabilise"):
        caller(system)


@pytest.mark.parametrize("field", ["A", "B", "C"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_entries_that_are_no_numbers_are_refused(field, value, rng):
    system = random_stable_system(rng, 4, 2, 3)
    broken = getattr(system, field).copy()
    broken[0, 1] = value
    for caller in (hankel_singular_values, hinf_norm, h2_norm, balance):
        with pytest.raises(InvalidSystemError, match=f"{field} of shape .* 1 NaN"):
            caller(replace(system, **{field: broken}))


# 3: repeated poles


def test_equal_poles_of_one_input_have_rank_one(rng):
    b, c = rng.standard_normal((4, 1)), rng.standard_normal((3, 4))
    diagonal = DiagonalStateSpace(np.full(4, -0.2 + 1j), b, c)
    dense = StateSpace(-0.2 * np.eye(4), b, c)
    for system, floor in ((diagonal, 1e-25), (dense, 4 * np.finfo(float).eps)):
        values = hankel_singular_values(system)
        assert (values[1:] <= floor * values[0]).all()
        result = quietly(system, order=3)
        assert result.order == 1
        assert float(result.error_bound) <= 1e-12 * values[0]
        assert bool(is_stable(result.system))
        assert measured_error(system, result.system) <= 1e-13 * values[0]
    with pytest.raises(ToleranceNotAttainableError, match="numerical rank 1 of 4"):
        balanced_truncation(dense, error_tol=1e-30)


# 4: a defective state matrix


def test_jordan_block_is_reduced_without_eigenvectors():
    A = 0.9 * np.eye(5) + np.eye(5, k=1)
    system = StateSpace(A, np.eye(5)[:, 4:], np.ones((1, 5)), time=Discrete())
    exact = exact_hankel_singular_values(system)
    np.testing.assert_allclose(hankel_singular_values(system), exact, rtol=1e-12)
    result = balanced_truncation(system, order=3)
    certificate = result.certify()
    assert bool(certificate.bound_holds)
    assert float(certificate.hinf_error.lower) >= exact[3] * (1 - 1e-9)
    with pytest.raises(IllConditionedError, match=r"nearly.* defective"):
        diagonalize(system)


# 5: powers that grow before they decay


def growing_powers(dtype=float):
    rng = np.random.default_rng(1)
    A = 0.9 * np.eye(20) + 50 * np.eye(20, k=1)
    B, C = rng.standard_normal((20, 2)), rng.standard_normal((3, 20))
    return StateSpace(*(x.astype(dtype) for x in (A, B, C)), time=Discrete())


def test_growing_powers_keep_their_values():
    system = growing_powers()
    exact = exact_hankel_singular_values(system)
    values = hankel_singular_values(system)
    assert values[0] > 1e51
    np.testing.assert_allclose(values, exact, rtol=1e-6)
    factors = gramian_factors(system)
    gramian = factors.controllability @ factors.controllability.T
    assert 1e100 < abs(gramian).max() < 1e102
    equation = LyapunovEquation(system.A, Discrete())
    right = system.B @ system.B.T
    assert float(equation.residual(gramian, right)) <= 20 * 1.2e-16 * 20
    assert float(equation.condition()) > 1e100
    with pytest.warns(NumericalWarning, match="bracket .* not certified"):
        bracket = hinf_norm(system)
    assert values[0] <= float(bracket.lower) <= float(bracket.upper) < np.inf


def test_growing_powers_that_leave_single_precision_are_refused():
    with pytest.raises(
        IllConditionedError, match=r"range of float32 .*double precision"
    ):
        hankel_singular_values(growing_powers(np.float32))


# 6: extreme scales


def test_extreme_scales_do_not_matter(rng):
    system = random_stable_system(rng, 6, 2, 3, Discrete())
    t = 10.0 ** np.linspace(-8, 8, 6)
    extreme = StateSpace(
        t[:, None] * system.A / t,
        1e-150 * t[:, None] * system.B,
        1e-150 * system.C / t,
        1e-300 * system.D,
        system.time,
    )
    values, ours = (hankel_singular_values(s) for s in (system, extreme))
    np.testing.assert_allclose(ours / 1e-300, values, rtol=1e-11)
    norms = [float(hinf_norm(s).lower) for s in (system, extreme)]
    assert norms[1] / 1e-300 == pytest.approx(norms[0], rel=1e-9)
    bounds = [
        float(balanced_truncation(s, order=3).error_bound) for s in (system, extreme)
    ]
    assert bounds[1] / 1e-300 == pytest.approx(bounds[0], rel=1e-9)


def test_values_below_the_smallest_number_are_zero(rng):
    system = random_stable_system(rng, 5, 2, 3)
    silent = replace(system, B=1e-170 * system.B, C=1e-170 * system.C, D=None)
    assert not hankel_singular_values(silent).any()
    assert quietly(silent, order=2).order == 0


# 7: nothing to hear


@pytest.mark.parametrize("time", TIMES)
def test_silent_states_have_zero_values(time, rng):
    system = random_stable_system(rng, 4, 2, 3, time)
    zero, one = np.zeros((4, 4)), np.eye(4)
    A = np.block([[system.A, zero, zero], [zero, 0.5 * system.A, zero], [zero] * 3])
    A[8:, 8:] = 0.25 * system.A
    unreachable = np.concatenate([system.B, 0 * system.B, one[:, :2]])
    unobservable = np.concatenate([system.C, one[:3], 0 * system.C], axis=1)
    padded = StateSpace(A, unreachable, unobservable, system.D, time)
    values = hankel_singular_values(padded)
    np.testing.assert_allclose(values[:4], hankel_singular_values(system), rtol=1e-10)
    assert (values[4:] <= 1e-14 * values[0]).all()
    result = balanced_truncation(padded, error_tol=1e-10 * values[0])
    assert result.order <= 4


def test_system_of_zeros_is_its_feedthrough(rng):
    D = rng.standard_normal((3, 2))
    system = StateSpace(
        np.zeros((4, 4)), np.zeros((4, 2)), np.zeros((3, 4)), D, Discrete()
    )
    assert not hankel_singular_values(system).any()
    for target in ({"error_tol": 0.0}, {"energy_tol": 0.0}):
        result = balanced_truncation(system, **target)
        assert result.order == 0
        np.testing.assert_array_equal(result.system.D, D)
    bracket = hinf_norm(system)
    assert float(bracket.lower) == pytest.approx(np.linalg.norm(D, 2))


# 8: ties


@pytest.mark.parametrize("time", TIMES)
def test_ties_keep_the_bound_with_multiplicity(time, rng):
    item = random_stable_system(rng, 3, 2, 3, time)
    twice = [np.kron(np.eye(2), x) for x in fields_of(item)]
    system = StateSpace(*twice, time)
    values = hankel_singular_values(item)
    both = hankel_singular_values(system)
    np.testing.assert_allclose(both, np.repeat(values, 2), rtol=1e-9)
    with pytest.warns(NumericalWarning, match="cuts inside a tie"):
        result = balanced_truncation(system, order=3)
    assert bool(is_stable(result.system))
    bound = float(result.error_bound)
    assert bound == pytest.approx(2 * values[1] + 4 * values[2], rel=1e-9)
    error = measured_error(system, result.system)
    assert values[1] * (1 - 1e-9) <= error <= bound


# 9: degenerate shapes


@pytest.mark.parametrize("kind", [random_stable_system, random_diagonal_system])
@pytest.mark.parametrize(("n", "m", "p"), [(0, 2, 3), (1, 2, 3), (3, 0, 2), (3, 2, 0)])
@pytest.mark.parametrize("batch", [(), (0,), (2,)])
def test_degenerate_shapes_go_through(kind, n, m, p, batch):
    full = kind(np.random.default_rng(2), n, m, p, Discrete(), batch=batch)
    values = hankel_singular_values(full)
    assert values.shape == (*batch, n)
    heard = m > 0 and p > 0
    assert bool((values > 0).all()) == (heard or values.size == 0)
    result = balanced_truncation(full, error_tol=0.0)
    assert result.order == (n if heard and batch != (0,) else 0)
    bracket = hinf_norm(full)
    assert np.shape(bracket.upper) == batch
    assert (np.asarray(bracket.upper) == 0).all() == (not heard or batch == (0,))


# 10: poles on the real axis of a layer with a real readout


@pytest.mark.parametrize("order", range(1, 7))
def test_real_poles_of_a_real_readout(order, rng):
    poles = np.array([0.0, 0.5, -0.5, 0.3 + 1e-9j, 0.4, 0.4, 0.8 * np.exp(1j)])
    B = rng.standard_normal((7, 2)) + 1j * rng.standard_normal((7, 2))
    C = rng.standard_normal((3, 7)) + 1j * rng.standard_normal((3, 7))
    layer = DiagonalStateSpace.from_poles(poles, B, C, readout="real")
    values = hankel_singular_values(layer)
    assert np.isfinite(values).all()
    # Two equal real poles are one pole with a residue of rank 2, pole 0 another one.
    assert (values[12:] <= 1e-15 * values[0]).all()
    result = quietly(layer, order=order)
    reduced = result.system
    assert reduced.n_states == result.order <= order
    assert all(np.isfinite(x).all() for x in fields_of(reduced))
    assert bool(is_stable(reduced))
    # A real pole fills a stored state whose conjugate could have held a second one.
    assert float(result.error_bound) >= 2 * values[2 * order :].sum() * (1 - 1e-9)
    assert measured_error(layer, reduced) <= float(result.error_bound) + 1e-9
