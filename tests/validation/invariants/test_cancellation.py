"""Maps whose terms cancel to the gain 0: rounding passes, defects do not."""

import itertools
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

import hankelcut as hc
from hankelcut.lti import h2_norm, hankel_norm, hankel_singular_values, hinf_norm
from hankelcut.validation import (
    InvariantViolationError,
    check_bilinear_values,
    check_conjugation,
    check_direct_sum,
    check_duality,
    check_frequency_shift,
    check_full_order,
    check_impulse_response,
    check_norm_chain,
    check_norm_grid,
    check_norm_inequality,
    check_norm_value,
    check_padding,
    check_relative_accuracy,
    check_scaling,
    check_similarity,
    check_unitary_invariance,
    check_value_monotonicity,
    check_value_perturbation,
    check_values_energy,
)
from hankelcut.validation.invariants.norms import norm_size

ROUNDING = 1e-15
DEFECT = 1e-5


def silent(time):
    """One state that nothing reads, and one that nothing drives."""
    return hc.StateSpace(
        np.diag([-0.5, -0.7]), [[1.0], [0.0]], [[0.0, 1.0]], None, time
    )


def cancelling(time):
    """Two equal modes whose outputs cancel, to rounding."""
    A = np.diag([-0.3, -0.3])
    return hc.StateSpace(A, [[0.1], [0.3]], [[0.3, -0.1]], None, time)


def coupled(time):
    """The same, beside a state that nothing drives."""
    A = np.array([[-0.3, 0.2, 0.0], [0.0, -0.3, 0.0], [0.0, 0.0, -0.3]])
    C = np.array([[0.3, 0.7, -0.1]])
    return hc.StateSpace(A, [[0.1], [0.0], [0.3]], C, None, time)


MAPS = [
    make(time)
    for make in (silent, cancelling, coupled)
    for time in (hc.Continuous(), hc.Discrete())
]
T = {2: np.array([[1.0, 0.5], [-0.3, 2.0]]), 3: np.eye(3) + 0.3 * np.ones((3, 3))}


def off(quantity, share):
    """Of a system, a quantity that is off by a share of |B||C|, more in every call."""
    calls = itertools.count(1)

    def found(system):
        size = np.linalg.norm(system.B) * np.linalg.norm(system.C)
        return np.asarray(quantity(system)) + next(calls) * share * size

    return found


def turned(system):
    return replace(system, B=1j * system.B)


def two_inputs(system):
    B = np.hstack([0 * system.B, system.B])
    return replace(system, B=B, D=np.zeros((1, 2)))


OF_VALUES = {
    "energy": lambda s, f: check_values_energy(s, f(s)),
    "monotonicity": lambda s, f: check_value_monotonicity(two_inputs(s), f),
    "perturbation": lambda s, f: check_value_perturbation(s, s, f),
    "bilinear": lambda s, f: check_bilinear_values(replace(s, time=hc.Discrete()), f),
}
OF_ANY = {
    "similarity": lambda s, f, **size: check_similarity(s, f, T[s.n_states], **size),
    "duality": check_duality,
    "conjugation": lambda s, f, **size: check_conjugation(turned(s), f, **size),
    "frequency_shift": lambda s, f, **size: check_frequency_shift(
        s, f, shift=0.7, **size
    ),
    "unitary": lambda s, f, **size: check_unitary_invariance(
        s, f, [[-1.0]], [[1.0]], **size
    ),
    "scaling": lambda s, f, **size: check_scaling(s, f, inputs=2, outputs=-2, **size),
    "padding": check_padding,
}
NORMS = {
    "hinf": lambda s: hinf_norm(s, rtol=0.5).lower,
    "h2": h2_norm,
    "hankel": hankel_norm,
}


@pytest.mark.filterwarnings("ignore:hinf_norm")
@pytest.mark.parametrize("system", MAPS)
class TestRoundingPasses:
    @pytest.mark.parametrize("name", OF_VALUES)
    def test_of_values(self, system, name):
        OF_VALUES[name](system, off(hankel_singular_values, ROUNDING))

    @pytest.mark.parametrize("name", OF_ANY)
    def test_of_invariances(self, system, name):
        OF_ANY[name](system, off(hankel_singular_values, ROUNDING))
        for norm, quantity in NORMS.items():
            size = partial(norm_size, norm=norm)
            OF_ANY[name](system, off(quantity, ROUNDING), size=size)

    def test_of_direct_sums(self, system):
        check_direct_sum(system, system, off(hankel_singular_values, ROUNDING))

    @pytest.mark.parametrize("norm", NORMS)
    def test_of_norms(self, system, norm):
        found = off(NORMS[norm], ROUNDING)
        check_norm_value(system, found(system), norm=norm)
        sizes = {"size": 2 * norm_size(system, norm)}
        parts = (system, system)
        check_norm_inequality(parts, found(system), 0.0, rule="a sum", **sizes)

    def test_of_gains(self, system):
        frequencies = np.linspace(0, 3, 7)
        check_norm_grid(system, 0.0, frequencies)
        hinf = off(NORMS["hinf"], ROUNDING)(system)
        check_norm_chain(system, hankel=2 * float(hinf), hinf=hinf)

    def test_of_models(self, system):
        noise = ROUNDING * np.ones_like(system.B)
        check_full_order(system, replace(system, B=system.B + noise))

    def test_of_samples(self, system):
        if isinstance(system.time, hc.Discrete):
            samples = np.full((9, 1, 1), ROUNDING)
            check_impulse_response(system, samples)


@pytest.mark.parametrize("share", [ROUNDING, DEFECT])
def test_of_states_that_are_read_only_beside_others(share):
    """Without outputs nothing can cancel, but the state beside it has one."""
    unread = hc.StateSpace([[-0.5]], [[0.1]], [[0.0]])
    found = off(hankel_singular_values, share)
    if share == ROUNDING:
        check_padding(unread, found)
        return
    with pytest.raises(InvariantViolationError):
        check_padding(unread, found)


def test_exact_values_may_be_zero():
    for system in MAPS[:4]:
        check_relative_accuracy(system, off(hankel_singular_values, ROUNDING)(system))


@pytest.mark.filterwarnings("ignore:hinf_norm")
@pytest.mark.parametrize("system", MAPS)
class TestDefectsAreCaught:
    @pytest.mark.parametrize("name", ["energy", "monotonicity", "bilinear"])
    def test_of_values(self, system, name):
        with pytest.raises(InvariantViolationError):
            OF_VALUES[name](system, off(hankel_singular_values, DEFECT))

    @pytest.mark.parametrize("name", OF_ANY)
    def test_of_invariances(self, system, name):
        with pytest.raises(InvariantViolationError):
            OF_ANY[name](system, off(hankel_singular_values, DEFECT))
        for norm, quantity in NORMS.items():
            size = partial(norm_size, norm=norm)
            with pytest.raises(InvariantViolationError):
                OF_ANY[name](system, off(quantity, DEFECT), size=size)

    @pytest.mark.parametrize("norm", NORMS)
    def test_of_norms(self, system, norm):
        found = off(NORMS[norm], DEFECT)
        with pytest.raises(InvariantViolationError):
            check_norm_value(system, found(system), norm=norm)
        sizes = {"size": 2 * norm_size(system, norm)}
        parts = (system, system)
        with pytest.raises(InvariantViolationError):
            check_norm_inequality(parts, found(system), 0.0, rule="a sum", **sizes)

    def test_of_models(self, system):
        noise = DEFECT * np.ones_like(system.B)
        with pytest.raises(InvariantViolationError):
            check_full_order(system, replace(system, B=system.B + noise))

    def test_of_samples(self, system):
        if isinstance(system.time, hc.Discrete):
            with pytest.raises(InvariantViolationError):
                check_impulse_response(system, np.full((9, 1, 1), DEFECT))
