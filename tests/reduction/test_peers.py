"""What other systems are known to get wrong, each measured on them: done right here."""

from dataclasses import replace

import numpy as np
import pytest

from hankelcut import ToleranceNotAttainableError, UnstableSystemError
from hankelcut.lti import (
    Continuous,
    DiagonalStateSpace,
    Discrete,
    LyapunovEquation,
    StateSpace,
    controllability_gramian,
    diagonalize,
    error_system,
    hankel_singular_values,
    hinf_norm,
    observability_gramian,
    peak_gain,
)
from hankelcut.reduction import HankelSpectrum, balance, balanced_truncation
from hankelcut.validation import random_diagonal_system, random_stable_system
from tests.exact import exact_hankel_singular_values
from tests.helpers import dico, fortran, slycot_or_skip


def test_discrete_systems_are_reduced_as_discrete_ones(rng):
    # python-control 0.10.2, balred: dico="C" is hard-coded; its 6-state example has
    # the error 68.8 instead of 0.214, and dt = 0.
    slycot = slycot_or_skip()
    system = random_stable_system(rng, 6, 1, 2, Discrete(0.1))
    result = balanced_truncation(system, order=3)
    arrays = fortran(system.A, system.B, system.C)
    _, A, B, C, _ = slycot.ab09ad("D", "B", "N", 6, 1, 2, *arrays, nr=3)
    theirs = StateSpace(A, B, C, system.D, system.time)
    errors = [
        float(peak_gain(error_system(system, reduced))[0])
        for reduced in (result.system, theirs)
    ]
    assert errors[0] == pytest.approx(errors[1], rel=1e-9)
    assert errors[0] <= float(result.error_bound)


def test_reduced_model_keeps_its_sampling_period():
    # python-control: dt 0.1 -> 0, and a system with poles 0.5 and 0.1 reduced to
    # order 1 comes back with both states, judged by the real parts of its poles.
    system = StateSpace(
        np.diag([0.5, 0.1]), np.ones((2, 1)), np.array([[1.0, 2.0]]), time=Discrete(0.1)
    )
    result = balanced_truncation(system, order=1)
    assert result.system.time == Discrete(0.1)
    assert result.system.n_states == 1


def test_values_over_six_decades_of_poles_are_numbers():
    # python-control, hsvd: eig(Wo Wc) of A = -diag(logspace(-2, 4, 40)), b = c = 1
    # gives 6 NaN, sorted first, and other values 50 to 150 times off.
    poles = -np.logspace(-2, 4, 40)
    b, c = np.ones((40, 1)), np.ones((1, 40))
    diagonal = DiagonalStateSpace(poles, b, c, time=Continuous())
    values = hankel_singular_values(diagonal)
    assert np.isfinite(values).all()
    assert (np.diff(values) <= 0).all()
    # The trace: for symmetric systems the sum is half the gain at frequency 0.
    assert values.sum() == pytest.approx(np.sum(-1 / poles) / 2, rel=1e-13)
    exact = exact_hankel_singular_values(
        DiagonalStateSpace(poles[::5], b[::5], c[:, ::5], time=Continuous())
    )
    part = hankel_singular_values(
        DiagonalStateSpace(poles[::5], b[::5], c[:, ::5], time=Continuous())
    )
    np.testing.assert_allclose(part, exact, rtol=1e-12)
    dense = hankel_singular_values(StateSpace(np.diag(poles), b, c))
    np.testing.assert_allclose(dense, values, rtol=1e-7)


def test_values_of_products_of_gramians_are_not_used():
    # LRU-reduction, CompreSSM and python-control take roots of eig(P Q), which loses
    # everything below 1e-8 of the largest value.
    system = DiagonalStateSpace(
        np.array([-0.3, -0.31, -0.33, -0.36]) + 0j, np.ones((4, 1)), np.ones((1, 4))
    )
    exact = exact_hankel_singular_values(system)
    P, Q = controllability_gramian(system), observability_gramian(system)
    roots = np.sort(np.sqrt(abs(np.linalg.eigvals(P @ Q))))[::-1]
    assert abs(roots[-1] / exact[-1] - 1) > 1
    np.testing.assert_allclose(hankel_singular_values(system), exact, rtol=1e-12)


def test_unattainable_tolerance_is_an_error():
    # pyMOR 2026.1, BTReductor.reduce(tol=1e-20): argmax over False is order 1, with an
    # error of 42. CompreSSM selects its order the same way.
    poles = -np.array([1.0, 2.0, 3.0, 3.0])
    system = StateSpace(np.diag(poles), np.ones((4, 1)), np.ones((1, 4)))
    with pytest.raises(ToleranceNotAttainableError, match=r"best .* at order 3"):
        balanced_truncation(system, error_tol=1e-20)


def test_first_values_of_a_stiff_system_are_right_to_rounding():
    # pyMOR's dense factors are roots of full Gramians: wrong from 8e-9 of sigma_1 on.
    slycot = slycot_or_skip()
    n = 60
    laplacian = -2 * np.eye(n) + np.eye(n, k=1) + np.eye(n, k=-1)
    system = StateSpace((n + 1) ** 2 * laplacian, np.eye(n, 1), np.ones((1, n)) / n)
    *_, expected = slycot.ab09ad(
        "C", "B", "N", n, 1, 1, *fortran(system.A, system.B, system.C)
    )
    values = hankel_singular_values(system)
    visible = expected > 1e-12 * expected[0]
    assert visible.sum() >= 8
    np.testing.assert_allclose(values[visible], expected[visible], rtol=1e-3)
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-12 * expected[0])


def test_unstable_poles_are_kept_or_named():
    # pyMOR: "SlycotError: Caught unhandled nonzero INFO value 6".
    system = StateSpace(np.diag([-1.0, 0.5]), np.ones((2, 1)), np.ones((1, 2)))
    result = balanced_truncation(system, order=1)
    np.testing.assert_allclose(result.system.A, [[0.5]], rtol=1e-14)
    assert result.warnings == ("unstable poles kept as they are: 1",)
    with pytest.raises(UnstableSystemError, match=r"pole 0\.5.* no pole is stable"):
        balanced_truncation(replace(system, A=np.diag([0.3, 0.5])), order=1)
    stack = replace(system, A=system.A[None], B=system.B[None], C=system.C[None])
    with pytest.raises(UnstableSystemError, match=r"pole 0\.5"):
        balanced_truncation(replace(stack, D=None), order=1)


def test_order_below_the_number_of_unstable_poles_is_an_error():
    # python-control, balred(orders=1) of two unstable poles: silently order 2.
    poles = np.diag([-1.0, 0.5, 0.7, -2.0])
    system = StateSpace(poles, np.ones((4, 1)), np.ones((1, 4)))
    with pytest.raises(ValueError, match=r"got order=1, need at least 2: the unstable"):
        balanced_truncation(system, order=1)
    result = balanced_truncation(system, order=3)
    assert result.order == 3
    assert sum(np.linalg.eigvals(result.system.A).real > 0) == 2


@pytest.mark.parametrize("time", [Continuous(), Discrete()])
def test_factor_of_a_generalized_equation(time, rng):
    # Slycot 0.7.1, sg03bd: it refuses the workspace of its own default.
    slycot = slycot_or_skip()
    n, m = 5, 2
    E = np.eye(n) + 0.3 * rng.standard_normal((n, n))
    state = random_stable_system(rng, n, m, 1, time)
    A, B = E @ state.A, E @ state.B
    L = LyapunovEquation(A, time, E=E).factor(B)
    padded = np.zeros((n, n))
    padded[:m] = B.T
    nothing = np.zeros((n, n))
    # Their equation with trans="N" is the adjoint one: the solution is U^T U.
    arrays = fortran(A.T, E.T, nothing, nothing, padded)
    U, scale, *_ = slycot.sg03bd(n, m, *arrays, dico(state), ldwork=20 * n)
    np.testing.assert_allclose(L @ L.T, U.T @ U / scale**2, rtol=1e-10, atol=1e-12)


def test_complex_systems_stay_complex(rng):
    # python-control drops the imaginary part with a warning.
    B, C = (rng.standard_normal((2, *shape)) for shape in ((4, 2), (3, 4)))
    poles = np.array([-0.1 + 2j, -0.2 - 1j, -0.5 + 0.1j, -1.0 + 3j])
    system = StateSpace(np.diag(poles), B[0] + 1j * B[1], C[0] + 1j * C[1])
    result = balanced_truncation(system, order=2)
    assert result.system.A.dtype == np.complex128
    real_part = StateSpace(*(x.real for x in (system.A, system.B, system.C)))
    assert hankel_singular_values(system)[0] != pytest.approx(
        hankel_singular_values(real_part)[0], rel=1e-3
    )
    error = float(peak_gain(error_system(system, result.system))[0])
    assert error <= float(result.error_bound)


def test_last_bound_is_twice_the_last_value():
    # RobustAndOptimalControl.jl, error_bound: truncating the last state is free.
    assert HankelSpectrum((4.0, 2.0, 1.0), (0.0,) * 3, 1e-16).error_bounds()[2] == 2.0


def test_observability_uses_conjugate_poles(rng):
    # LRU-reduction's torch copy solves with lambda instead of its conjugate.
    system = random_diagonal_system(rng, 5, 2, 3)
    Q = observability_gramian(system)
    A = np.diag(system.poles)
    residual = A.conj().T @ Q @ A - Q + system.C.conj().T @ system.C
    assert abs(residual).max() <= 1e-13 * abs(Q).max()
    wrong = A.T @ Q @ A.conj() - Q + system.C.conj().T @ system.C
    assert abs(wrong).max() >= 1e-2 * abs(Q).max()


def test_complex_systems_are_balanced_with_adjoints(rng):
    # LRU-reduction and CompreSSM: .T for the conjugate transpose, off-diagonals of 20.
    system = random_stable_system(rng, 5, 2, 3, Discrete(), dtype=np.complex128)
    balancing = balance(system)
    W = balancing.projections(5)[1]
    balanced = W.conj().T @ controllability_gramian(system) @ W
    expected = np.diag(balancing.values)
    np.testing.assert_allclose(balanced, expected, atol=1e-11 * expected[0, 0])
    transposed = W.T @ controllability_gramian(system) @ W
    assert abs(transposed - expected).max() >= 1e-2 * expected[0, 0]


def test_all_values_are_returned_and_none_is_edited(rng):
    # ControlSystems.jl returns the kept ones and drops those below sqrt(eps).
    poles = np.array([-0.3, -0.301, -0.305, -0.31]) + 0j
    system = DiagonalStateSpace(poles, np.ones((4, 1)), np.ones((1, 4)))
    result = balanced_truncation(system, order=1)
    exact = exact_hankel_singular_values(system)
    assert exact[3] < 1e-14 * exact[0]
    np.testing.assert_allclose(result.hankel_singular_values, exact, rtol=1e-11)


def test_gains_of_any_scale_are_balanced_alike(rng):
    # CompreSSM adds 1e-9 to the diagonals of its Gramians, whatever their scale.
    system = random_diagonal_system(rng, 5, 2, 3, Discrete(), "real")
    small = DiagonalStateSpace(
        system.exponents,
        2.0**-40 * system.B,
        2.0**-40 * system.C,
        None,
        system.time,
        "real",
    )
    np.testing.assert_allclose(
        hankel_singular_values(small) * 2.0**80,
        hankel_singular_values(system),
        rtol=1e-14,
    )


@pytest.mark.parametrize("kind", ["dense", "diagonal"])
def test_wide_and_tall_systems_fit(kind, rng):
    # RobustAndOptimalControl.jl had the identity of the wrong side: square examples
    # hid it.
    for m, p in ((1, 5), (5, 1), (7, 2), (2, 7)):
        make = random_stable_system if kind == "dense" else random_diagonal_system
        system = make(rng, 4, m, p, Discrete())
        result = balanced_truncation(system, order=2)
        assert result.system.B.shape == (2, m)
        assert result.system.C.shape == (p, 2)
        assert bool(result.certify().bound_holds)


def test_dense_error_is_that_of_its_diagonal_form(rng):
    system = random_stable_system(rng, 6, 2, 3)
    result = balanced_truncation(system, order=3)
    other = hinf_norm(diagonalize(error_system(system, result.system)))
    bracket = result.certify(rtol=1e-6).hinf_error
    assert float(bracket.lower) <= float(other.upper) * (1 + 1e-9)
    assert float(other.lower) <= float(bracket.upper) * (1 + 1e-9)
