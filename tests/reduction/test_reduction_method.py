from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse

from hankelcut import (
    InvalidSystemError,
    NumericalWarning,
    SparseStateSpace,
    ToleranceNotAttainableError,
    UnstableSystemError,
    _array,
)
from hankelcut.lti import (
    Continuous,
    Discrete,
    SignalNames,
    StateSpace,
    error_system,
    frequency_response,
    hankel_singular_values,
    hinf_norm,
    parallel,
    real_form,
    stability_margin,
)
from hankelcut.reduction import (
    ErrorBound,
    HankelSpectrum,
    OrderTarget,
    balance,
    balanced_truncation,
)
from hankelcut.reduction.reduction_method import Cut, reduce_with
from hankelcut.validation import random_diagonal_system, random_stable_system
from tests.helpers import TIMES, on, unchecked_types

CALLER = "leading_states"


class LeadingStates:
    """Keeps the first states of a balanced system; knows no bound."""

    values_name = "leading values"

    def __init__(self, part):
        self.part = part
        self.balancing = balance(part)
        known = self.balancing.spectrum()
        self.spectrum = replace(known, bounds=())

    def cut(self, order):
        T, W = self.balancing.projections(order)
        Wh = W.conj().T
        reduced = StateSpace(
            Wh @ self.part.A @ T,
            Wh @ self.part.B,
            self.part.C @ T,
            self.part.D,
            self.part.time,
        )
        return Cut(reduced, ErrorBound(None, condition="none is known"), W, T)


def leading_states(system, *, unstable="keep", **target):
    return reduce_with(
        LeadingStates,
        system,
        OrderTarget(**target),
        caller=CALLER,
        method="leading states",
        unstable=unstable,
    )


def unstable_system(rng, time, dtype=np.float64):
    """Five stable states, two unstable ones, mixed by a similarity."""
    stable = random_stable_system(rng, 5, 2, 3, time, dtype=dtype)
    poles = [0.5, 0.2] if isinstance(time, Continuous) else [1.5, -1.2]
    b, c = rng.standard_normal((2, 2)), rng.standard_normal((3, 2))
    other = StateSpace(
        np.diag(poles).astype(dtype), b.astype(dtype), c.astype(dtype), time=time
    )
    whole = parallel(stable, other)
    S = np.eye(7) + 0.2 * rng.standard_normal((7, 7))
    mixed = replace(
        whole,
        A=np.linalg.solve(S, whole.A @ S),
        B=np.linalg.solve(S, whole.B),
        C=whole.C @ S,
    )
    return mixed, stable, poles


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_unstable_states_are_kept_and_the_others_cut(time, dtype, rng):
    system, stable, poles = unstable_system(rng, time, dtype)
    result = leading_states(system, order=4)
    own = balanced_truncation(stable, order=2)
    assert result.order == result.system.n_states == 4
    found = np.linalg.eigvals(result.system.A)
    for pole in poles:
        assert np.min(np.abs(found - pole)) < 1e-10
    points = np.linspace(-3.0, 3.0, 7)
    error = result.error_system()
    expected = frequency_response(error_system(stable, own.system), points)
    np.testing.assert_allclose(
        frequency_response(error, points), expected, rtol=1e-8, atol=1e-10
    )
    difference = frequency_response(system, points) - frequency_response(
        result.system, points
    )
    np.testing.assert_allclose(difference, expected, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(
        result.characteristic_values, hankel_singular_values(stable), rtol=1e-9
    )
    W, T = result.left_projection, result.right_projection
    np.testing.assert_allclose(W.conj().T @ T, np.eye(4), atol=1e-9)
    reduced = W.conj().T @ system.A @ T
    np.testing.assert_allclose(reduced, result.system.A, atol=1e-9)
    assert result.warnings[-1] == "unstable poles kept as they are: 2"


def test_certificate_of_a_kept_part_is_that_of_the_stable_one(rng):
    system, stable, _ = unstable_system(rng, Continuous())
    certificate = balanced_truncation(system, order=4).certify()
    own = balanced_truncation(stable, order=2).certify()
    assert float(certificate.hinf_error.upper) == pytest.approx(
        float(own.hinf_error.upper), rel=0.02
    )
    assert float(certificate.h2_error) == pytest.approx(float(own.h2_error), rel=1e-7)
    assert bool(certificate.bound_holds)
    assert float(certificate.stability_margin) < 0
    assert max(float(r) for r in certificate.gramian_residuals) < 1e-13


def test_orders_below_the_unstable_states_are_refused(rng):
    system, _, _ = unstable_system(rng, Discrete())
    with pytest.raises(ValueError, match=r"leading_states: got order=1, need at least"):
        leading_states(system, order=1)
    with pytest.raises(ValueError, match=r"got max_order=1, need at least 2"):
        leading_states(system, energy_tol=0.1, max_order=1)


def test_systems_that_must_be_stable_are_refused_with_advice(rng):
    system, _, _ = unstable_system(rng, Continuous())
    with pytest.raises(UnstableSystemError, match=r"pole .* lqg_balanced_truncation"):
        leading_states(system, order=3, unstable="refuse")
    with pytest.raises(UnstableSystemError, match=r"pole"):
        leading_states(system, order=3, unstable="whole")
    lost = replace(system, A=np.eye(7))
    with pytest.raises(
        UnstableSystemError, match=r"no pole is stable, so that nothing"
    ):
        leading_states(lost, order=3)


def test_stacks_and_sparse_systems_are_refused_with_advice(rng):
    stack = random_stable_system(rng, 4, 1, 2, batch=(3,))
    with pytest.raises(InvalidSystemError, match=r"a stack of shape \(3,\), need one"):
        leading_states(stack, order=2)
    A = scipy.sparse.eye_array(4) * -1.0
    sparse = SparseStateSpace(A, np.ones((4, 1)), np.ones((1, 4)))
    message = r"low_rank_balanced_truncation"
    with unchecked_types(), pytest.raises(InvalidSystemError, match=message):
        reduce_with(
            LeadingStates, sparse, OrderTarget(order=2), caller=CALLER, method="none"
        )


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
def test_array_types_and_names_survive(xp, dtype, rng):
    names = SignalNames(inputs=("u", "v"), outputs=("x", "y", "z"), system="plant")
    plain = random_stable_system(rng, 5, 2, 3, Discrete(0.1), dtype=dtype)
    system = replace(on(xp, plain), names=names)
    result = leading_states(system, order=3)
    for name in ("A", "B", "C", "D"):
        array = getattr(result.system, name)
        assert array.dtype == getattr(system, name).dtype
        assert type(array) is type(getattr(system, name))
    assert result.system.time == Discrete(0.1)
    assert result.system.names.inputs == ("u", "v")
    assert result.system.names.system == "plant"
    exact = leading_states(plain, order=3).system
    np.testing.assert_allclose(
        xp.to_numpy(result.system.A), exact.A, atol=10 * np.finfo(dtype).eps
    )


@pytest.mark.parametrize("readout", ["complex", "real"])
def test_diagonal_systems_become_dense(readout, rng):
    layer = random_diagonal_system(rng, 4, 2, 3, Discrete(), readout)
    result = leading_states(layer, order=3)
    assert isinstance(result.system, StateSpace)
    assert np.iscomplexobj(result.system.A) == (readout == "complex")
    points = np.linspace(-3, 3, 5)
    dense = real_form(layer) if readout == "real" else None
    if dense is not None:
        own = balanced_truncation(dense, order=3).system
        np.testing.assert_allclose(
            frequency_response(result.system, points),
            frequency_response(own, points),
            rtol=1e-8,
        )
    assert bool(stability_margin(result.system) > 0)


@pytest.mark.parametrize("time", TIMES)
def test_without_a_bound_tolerances_are_met_by_measurement(time, rng):
    system = random_stable_system(rng, 8, 2, 3, time)
    norm = float(hinf_norm(system).lower)
    errors = [
        float(
            hinf_norm(
                error_system(system, leading_states(system, order=r).system)
            ).upper
        )
        for r in range(9)
    ]
    result = leading_states(system, error_tol=0.05, relative=True)
    assert errors[result.order] <= 0.05 * norm
    assert errors[result.order - 1] > 0.05 * norm
    assert result.error_bound is None
    certificate = result.certify()
    assert certificate.bound_holds is None
    assert certificate.error_bound is None


def test_measured_tolerances_out_of_reach_are_errors(rng):
    system = random_stable_system(rng, 5, 2, 3)
    message = r"no order up to 5 was found .* <= 1e-30 \(got .* at order 5\)"
    with pytest.raises(ToleranceNotAttainableError, match=message):
        leading_states(system, error_tol=1e-30)
    with pytest.warns(NumericalWarning, match=r"max_order=2 has a measured error of"):
        result = leading_states(system, error_tol=1e-30, max_order=2)
    assert result.order == 2


def test_orders_inside_a_tie_are_warned_of(rng):
    system = random_stable_system(rng, 3, 2, 3)
    twin = StateSpace(
        np.kron(np.eye(2), system.A),
        np.kron(np.eye(2), system.B),
        np.kron(np.eye(2), system.C),
    )
    with pytest.warns(NumericalWarning, match="leading_states: order 3 cuts inside"):
        result = leading_states(twin, order=3)
    assert "cuts inside a tie" in result.warnings[0]


def test_bounds_of_a_spectrum_are_its_own():
    own = HankelSpectrum((0.9, 0.5), (0.0, 0.0), 1e-16, bounds=(9.0, 2.0, 0.0))
    assert own.error_bounds() == [9.0, 2.0, 0.0]
    assert OrderTarget(error_tol=2.0).select(own, "f").order == 1


class LeadingStatesOfAnotherError(LeadingStates):
    """The same, with a bound on twice the error."""

    def cut(self, order):
        cut = super().cut(order)
        error = error_system(self.part, cut.system)
        tail = 4 * sum(self.spectrum.values[order:])
        bound = ErrorBound(
            tail,
            "twice the error",
            "G stable",
            replace(error, C=2 * error.C, D=2 * error.D),
        )
        return replace(cut, bound=bound)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_certificates_measure_what_is_bounded(xp, dtype, rng):
    system = on(xp, random_stable_system(rng, 6, 2, 3, dtype=dtype))
    target = OrderTarget(order=3)
    result = reduce_with(
        LeadingStatesOfAnotherError, system, target, caller=CALLER, method="doubled"
    )
    certificate = result.certify(rtol=1e-4)
    ends = (certificate.hinf_error.lower, certificate.bounded_error.lower)
    for end in (*ends, certificate.h2_error, certificate.error_bound):
        assert _array.namespace(end) is _array.namespace(system.A)
        assert end.dtype == system.A.dtype
    assert float(ends[1]) == pytest.approx(2 * float(ends[0]), rel=1e-3)
    assert bool(certificate.bound_holds)
