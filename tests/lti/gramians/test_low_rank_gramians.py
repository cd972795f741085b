import numpy as np
import pytest
import scipy.sparse

from hankelcut import ConvergenceError, UnstableSystemError
from hankelcut.lti import (
    Continuous,
    Discrete,
    SparseStateSpace,
    hankel_singular_values,
    low_rank_adi,
    low_rank_gramian_factors,
    observability_gramian,
)
from tests.helpers import TIMES
from tests.sparse_systems import grid_system, penzl_system, structure

CASES = {
    "heat": {},
    "convection": {"wind": (20.0, 60.0)},
    "mass": {"wind": (5.0, 10.0), "mass": True},
    "complex": {"dtype": complex, "mass": True},
}


@pytest.fixture(params=[(case, time) for case in CASES for time in TIMES])
def system(request, rng):
    case, time = request.param
    return grid_system(rng, time=time, **CASES[case])


def test_hankel_singular_values_are_those_of_the_dense_system(system):
    values = hankel_singular_values(system)
    exact = hankel_singular_values(system.to_dense())
    assert len(values) < system.n_states / 2
    assert (np.diff(values) <= 0).all()
    assert (values <= exact[: len(values)] + 1e-12 * exact[0]).all()
    np.testing.assert_allclose(values, exact[: len(values)], atol=1e-9 * exact[0])
    assert exact[len(values)] <= 1e-9 * exact[0]


def test_observability_factor_belongs_to_the_gramian(system):
    factors = low_rank_gramian_factors(system, tol=1e-13)
    weighted = system.E.conj().T @ factors.observability.factor
    exact = observability_gramian(system.to_dense())
    atol = 1e-9 * np.abs(exact).max()
    np.testing.assert_allclose(weighted @ weighted.conj().T, exact, atol=atol)


@pytest.mark.parametrize("tol", [1e-6, 1e-9])
def test_tolerance_decides_accuracy_and_number_of_values(system, tol):
    exact = hankel_singular_values(system.to_dense())
    factors = low_rank_gramian_factors(system, tol=tol)
    Zc, Zo = factors.controllability.factor, factors.observability.factor
    values = np.linalg.svd(Zo.conj().T @ (system.E @ Zc), compute_uv=False)
    difference = np.abs(values - exact[: len(values)]).max() / exact[0]
    assert difference <= np.sqrt(tol)
    assert len(values) < len(hankel_singular_values(system))
    for factor in vars(factors).values():
        assert factor.relative_residual <= 2 * tol


def test_both_equations_share_their_factorizations(rng):
    system = grid_system(rng, wind=(20.0, 60.0))
    calls = []
    factors = low_rank_gramian_factors(
        system, progress=lambda *report: calls.append(report)
    )
    first, second = factors.controllability.shifts, factors.observability.shifts
    shorter = min(len(first), len(second))
    assert first[:shorter] == second[:shorter]
    assert len(calls) == max(len(first), len(second))
    alone = low_rank_adi(system.A, system.B).iterations
    assert len(calls) < 1.5 * alone
    worst = [
        max(
            history[min(k, len(history) - 1)]
            for history in (
                factors.controllability.residual_history,
                factors.observability.residual_history,
            )
        )
        for k, _ in calls
    ]
    assert [residual for _, residual in calls] == worst


def test_published_values_of_penzls_system():
    # Slycot ab09ad; three lightly damped pairs and two of a thousand real poles.
    expected = [
        *(50.0509559, 49.9951364, 49.9924285, 49.9702636, 49.9679726, 49.9477337),
        *(2.18880020, 0.956800474, 0.340305930, 0.111374245),
    ]
    values = hankel_singular_values(penzl_system())
    np.testing.assert_allclose(values[:10], expected, rtol=1e-8)


def test_values_of_a_lightly_damped_structure():
    system = structure(4, 0.05)
    exact = hankel_singular_values(system.to_dense())
    values = hankel_singular_values(system)
    np.testing.assert_allclose(values, exact[: len(values)], atol=1e-9 * exact[0])


@pytest.mark.parametrize(("m", "p"), [(0, 2), (2, 0), (0, 0)])
def test_no_inputs_or_no_outputs_have_no_values(m, p):
    A = -scipy.sparse.eye_array(4)
    system = SparseStateSpace(A, np.ones((4, m)), np.ones((p, 4)))
    assert hankel_singular_values(system).shape == (0,)


@pytest.mark.parametrize("time", TIMES)
def test_unstable_pole_is_met_by_the_outputs_alone(time):
    # The inputs do not excite it: only the observability equation knows.
    poles = np.array([-0.5, -0.3, 1.5 if time == Discrete(0.1) else 0.5])
    system = SparseStateSpace(
        scipy.sparse.diags_array(poles),
        np.array([[1.0], [1.0], [0.0]]),
        np.ones((1, 3)),
        time=time,
    )
    shown = "1.5" if time != Continuous() else "0.5"
    with pytest.raises(UnstableSystemError, match=f"values: pole {shown}.* not stable"):
        hankel_singular_values(system)


def test_complex_unstable_pole_has_the_right_sign(rng):
    poles = np.concatenate([-1 - np.arange(30) * (0.2 + 0.1j), [0.5 + 3j]])
    B = rng.standard_normal((31, 1)).astype(complex)
    B[-1] = 0.0
    system = SparseStateSpace(scipy.sparse.diags_array(poles), B, np.ones((1, 31)))
    with pytest.raises(UnstableSystemError, match=r"pole 0\.5\+3j is not stable"):
        hankel_singular_values(system)


def test_too_few_iterations_are_reported(rng):
    system = grid_system(rng)
    message = "low_rank_gramian_factors: relative residual .* after 4 iterations"
    with pytest.raises(ConvergenceError, match=message):
        low_rank_gramian_factors(system, max_iterations=4)
