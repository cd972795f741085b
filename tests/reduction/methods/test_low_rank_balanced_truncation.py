import itertools
from dataclasses import replace

import numpy as np
import pytest
import scipy.fft
import scipy.sparse

from hankelcut import (
    ConvergenceError,
    InvalidSystemError,
    NumericalWarning,
    ToleranceNotAttainableError,
    UnstableSystemError,
)
from hankelcut.lti import (
    Continuous,
    SparseStateSpace,
    StateSpace,
    error_system,
    frequency_response,
    h2_norm,
    is_stable,
    low_rank_gramian_factors,
    peak_gain,
)
from hankelcut.reduction import (
    OrderTarget,
    balanced_truncation,
    low_rank_balanced_truncation,
)
from hankelcut.reduction.methods.low_rank_balanced_truncation import truncate_sparse
from tests.helpers import TIMES
from tests.sparse_systems import grid_laplacian, grid_system, penzl_system, structure

CASES = {
    "heat": {},
    "convection": {"wind": (20.0, 60.0)},
    "mass": {"wind": (5.0, 10.0), "mass": True},
    "complex": {"dtype": complex, "mass": True},
}
ORDER = 6


@pytest.fixture(params=[(case, time) for case in CASES for time in TIMES])
def system(request, rng):
    case, time = request.param
    return grid_system(rng, side=10, time=time, **CASES[case])


def true_error(system, reduced):
    """Largest gain of the error system, by dense frequency responses."""
    return float(peak_gain(error_system(system.to_dense(), reduced))[0])


# The reduced model


def test_model_is_that_of_dense_balanced_truncation(system):
    result = low_rank_balanced_truncation(system, order=ORDER)
    dense = balanced_truncation(system.to_dense(), order=ORDER)
    assert isinstance(result.system, StateSpace)
    assert result.order == result.system.n_states == ORDER
    assert result.system.time == system.time
    assert result.system.A.dtype == system.A.dtype
    assert bool(is_stable(result.system))
    # Balanced models of one system differ by unitary factors of their states only.
    difference = peak_gain(error_system(dense.system, result.system))[0]
    assert float(difference) <= 1e-8 * dense.hankel_singular_values[0]
    np.testing.assert_allclose(
        np.abs(result.system.B), np.abs(dense.system.B), rtol=1e-4, atol=1e-8
    )
    np.testing.assert_array_equal(result.system.D, system.D)


def test_estimated_bound_holds(system):
    result = low_rank_balanced_truncation(system, order=ORDER)
    values = result.hankel_singular_values
    exact = balanced_truncation(system.to_dense(), order=ORDER)
    error = true_error(system, result.system)
    assert values[ORDER] * (1 - 1e-6) <= error <= float(result.error_bound)
    assert float(result.error_bound) == pytest.approx(
        float(exact.error_bound), rel=1e-3
    )


@pytest.mark.parametrize("tol", [1e-4, 1e-8])
def test_bound_of_coarse_factors_counts_what_is_not_computed(tol, system):
    values = low_rank_balanced_truncation(
        system, order=ORDER, tol=tol
    ).hankel_singular_values
    order = len(values)
    result = low_rank_balanced_truncation(system, order=order, tol=tol)
    unknown = system.n_states - order
    assert result.order == order
    assert float(result.error_bound) == pytest.approx(2 * unknown * values[-1])
    assert true_error(system, result.system) <= float(result.error_bound)


def test_projections_make_the_reduced_matrices(system):
    result = low_rank_balanced_truncation(system, order=ORDER)
    T, Wh = result.right_projection, result.left_projection.conj().T
    np.testing.assert_allclose(Wh @ (system.E @ T), np.eye(ORDER), atol=1e-10)
    np.testing.assert_allclose(result.system.A, Wh @ (system.A @ T), rtol=1e-13)
    np.testing.assert_allclose(result.system.B, Wh @ system.B, rtol=1e-13)
    np.testing.assert_allclose(result.system.C, system.C @ T, rtol=1e-13)


def test_penzls_system_reaches_its_bound():
    # All values beyond the resonances add up: SLICOT's AB09AD measured 0.100714866 for
    # the bound and for the error of order 10.
    system = penzl_system()
    result = balanced_truncation(system, order=10)
    assert float(result.error_bound) == pytest.approx(0.100714866, rel=1e-8)
    certificate = result.certify()
    assert float(certificate.hinf_error.lower) == pytest.approx(0.100714866, rel=1e-8)
    assert bool(certificate.bound_holds)


def test_result_says_that_its_bound_is_an_estimate(rng):
    system = grid_system(rng, side=10)
    result = low_rank_balanced_truncation(system, order=ORDER)
    assert result.method == "low-rank square-root balanced truncation"
    assert result.full is system
    unknown = 100 - len(result.hankel_singular_values)
    assert result.warnings == (
        f"error_bound is an estimate: each of {unknown} Hankel singular values that "
        "were not computed counts as the smallest computed one",
    )


# Targets


def test_error_tolerance_is_kept(system):
    scale = low_rank_balanced_truncation(system, order=1).hankel_singular_values[0]
    result = low_rank_balanced_truncation(system, error_tol=1e-4 * float(scale))
    assert float(result.error_bound) <= 1e-4 * scale
    assert true_error(system, result.system) <= 1e-4 * scale
    smaller = low_rank_balanced_truncation(system, order=result.order - 1)
    assert float(smaller.error_bound) > 1e-4 * scale


def test_energy_tolerance_is_kept(rng):
    system = grid_system(rng, side=10)
    result = low_rank_balanced_truncation(system, energy_tol=1e-3)
    values = result.hankel_singular_values
    shares = 1 - np.cumsum(values) / values.sum()
    assert result.order == int(np.flatnonzero(shares <= 1e-3)[0]) + 1


def test_unattainable_error_tolerance_names_the_best(rng):
    system = grid_system(rng, side=10)
    message = r"best .* at order \d+.*; or lower tol, which adds values"
    with pytest.raises(ToleranceNotAttainableError, match=message):
        low_rank_balanced_truncation(system, error_tol=1e-30)


def test_order_beyond_the_computed_values_is_refused(rng):
    system = grid_system(rng, side=10)
    message = r"got order=90, need at most \d\d: .* lower tol for more"
    with pytest.raises(ValueError, match=message):
        low_rank_balanced_truncation(system, order=90)


def test_order_zero_leaves_the_feedthrough(rng):
    system = grid_system(rng, side=6)
    result = low_rank_balanced_truncation(system, order=0)
    assert result.system.n_states == 0
    np.testing.assert_array_equal(result.system.D, system.D)
    certificate = result.certify()
    expected = peak_gain(replace(system, D=None).to_dense())[0]
    assert float(certificate.hinf_error.lower) == pytest.approx(expected, rel=1e-3)
    assert bool(certificate.bound_holds)


def test_no_inputs_leave_no_states():
    A = -scipy.sparse.eye_array(4)
    system = SparseStateSpace(A, np.ones((4, 0)), np.ones((2, 4)))
    result = low_rank_balanced_truncation(system, error_tol=0.1)
    assert result.order == 0
    assert float(result.error_bound) == 0.0


@pytest.mark.parametrize(
    "function", [low_rank_balanced_truncation, balanced_truncation]
)
def test_order_inside_a_tie_warns(function):
    # Two equal channels that do not interact: every value occurs twice.
    one = grid_laplacian(4)
    B, C = np.eye(16)[:, :1], np.eye(16)[5:6]
    system = SparseStateSpace(
        scipy.sparse.block_diag([one, one]),
        np.kron(np.eye(2), B),
        np.kron(np.eye(2), C),
    )
    message = f"{function.__name__}: order 3 cuts inside a tie"
    with pytest.warns(NumericalWarning, match=message):
        result = function(system, order=3)
    assert result.warnings[0].startswith("order 3 cuts inside a tie")
    assert balanced_truncation(system, order=4).order == 4


def test_progress_and_iterations_reach_the_solver(rng):
    system = grid_system(rng, side=6)
    calls = []
    low_rank_balanced_truncation(
        system, order=2, progress=lambda *report: calls.append(report)
    )
    assert calls[-1][1] <= 1e-12
    message = "low_rank_balanced_truncation: relative residual .* after 3 iterations"
    with pytest.raises(ConvergenceError, match=message):
        low_rank_balanced_truncation(system, order=2, max_iterations=3)


def test_unstable_system_is_refused(rng):
    system = grid_system(rng, side=6)
    shifted = system.A + 80.0 * system.E
    unstable = SparseStateSpace(shifted, system.B, system.C)
    with pytest.raises(UnstableSystemError, match=r"truncation: pole .* is not stable"):
        balanced_truncation(unstable, order=2)


def test_unstable_model_is_refused(rng):
    # Factors of another system make a projection that need not keep stability.
    system = grid_system(rng, side=6)
    factors = low_rank_gramian_factors(system)
    wrong = replace(system, A=-system.A)
    with pytest.raises(UnstableSystemError, match="model of order 2 is not stable"):
        truncate_sparse(wrong, factors, OrderTarget(order=2), "cut")


def test_dispatch_gives_the_same_result(rng):
    system = grid_system(rng, side=6)
    ours = balanced_truncation(system, order=3)
    theirs = low_rank_balanced_truncation(system, order=3)
    for name in "ABCD":
        np.testing.assert_array_equal(
            getattr(ours.system, name), getattr(theirs.system, name)
        )


# The certificate


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", [float, complex])
def test_certificate_measures_the_error(time, dtype, rng):
    system = grid_system(rng, side=8, mass=True, dtype=dtype, time=time)
    result = balanced_truncation(system, order=4)
    certificate = result.certify()
    error = error_system(system.to_dense(), result.system)
    gain = float(peak_gain(error)[0])
    assert certificate.upper_end == "sampled"
    assert not certificate.hinf_error.certified
    assert float(certificate.hinf_error.lower) == pytest.approx(gain, rel=0.02)
    assert float(certificate.hinf_error.lower) <= gain * (1 + 1e-9)
    assert float(certificate.hinf_error.upper) == float(result.error_bound)
    assert float(certificate.h2_error) == pytest.approx(float(h2_norm(error)), rel=1e-6)
    assert float(certificate.error_bound) == float(result.error_bound)
    assert float(certificate.stability_margin) > 0
    assert bool(certificate.bound_holds)


def test_certificate_finds_the_resonances_of_a_structure():
    system = structure(4, 0.05)
    result = balanced_truncation(system, order=8)
    expected = true_error(system, result.system)
    measured = float(result.certify().hinf_error.lower)
    assert 0.8 * expected <= measured <= expected * (1 + 1e-9)


def test_certificate_sees_a_broken_model(rng):
    system = grid_system(rng, side=6)
    result = balanced_truncation(system, order=3)
    wrong = replace(result.system, B=1.5 * result.system.B)
    certificate = replace(result, system=wrong).certify()
    assert not bool(certificate.bound_holds)
    assert float(certificate.hinf_error.upper) == float(certificate.hinf_error.lower)


def test_error_of_another_shape_is_refused(rng):
    system = grid_system(rng, side=4)
    result = balanced_truncation(system, order=2)
    wrong = replace(result.system, B=result.system.B[:, :1], D=None)
    with pytest.raises(InvalidSystemError, match="need equal ones"):
        replace(result, system=wrong).certify()


# Large


def heat_response(side, sources, sensors, frequencies):
    """Response of heat conduction on the unit square, in its sine modes."""
    modes = np.pi * np.arange(1, side + 1) / (2 * (side + 1))
    one = -((2 * (side + 1) * np.sin(modes)) ** 2)
    poles = (one[:, None] + one[None, :]).ravel()
    b, c = (
        scipy.fft.dstn(
            rows.reshape(-1, side, side), type=1, axes=(1, 2), norm="ortho"
        ).reshape(-1, side**2)
        for rows in (sources, sensors)
    )
    return np.stack([c @ (b / (1j * w - poles)).T for w in frequencies])


@pytest.mark.parametrize("side", [20, pytest.param(300, marks=pytest.mark.slow)])
def test_heat_conduction_is_reduced_within_its_bound(side):
    # Exact response from the fast sine transform, which the reduction does not use.
    x, y = np.meshgrid(*2 * [np.arange(1, side + 1) / (side + 1)], indexing="ij")
    spots = itertools.product((0.25, 0.6), (0.3, 0.8))
    patches = np.stack(
        [(np.hypot(x - a, y - b) <= 0.1).astype(float).ravel() for a, b in spots]
    )
    sources, sensors = patches[:3], patches[2:] / patches[2:].sum(1, keepdims=True)
    step = (side + 1) ** 2
    second = scipy.sparse.diags_array(
        [1.0, -2.0, 1.0], offsets=[-1, 0, 1], shape=(side, side)
    )
    one = scipy.sparse.eye_array(side)
    A = step * (scipy.sparse.kron(second, one) + scipy.sparse.kron(one, second))
    system = SparseStateSpace(A, sources.T, sensors)
    frequencies = np.array([0.0, 1.0, 20.0, 100.0, 1e3, 1e4, 1e5])
    exact = heat_response(side, sources, sensors, frequencies)
    result = balanced_truncation(system, order=20)
    bound = float(result.error_bound)
    assert bound <= 1e-4 * result.hankel_singular_values[0]
    error = frequency_response(result.system, frequencies) - exact
    assert np.linalg.norm(error, 2, axis=(1, 2)).max() <= bound
    np.testing.assert_allclose(
        frequency_response(system, frequencies[::3]), exact[::3], rtol=1e-9, atol=1e-15
    )
    assert result.full.time == Continuous()
