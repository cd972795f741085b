import numpy as np
import pytest

from hankelcut import IllConditionedError, UnstableSystemError
from hankelcut.lti import StateSpace
from hankelcut.lti.equations._schur_riccati import RiccatiTerms
from hankelcut.reduction.balancing.continuous_frame import ContinuousFrame
from hankelcut.reduction.balancing.riccati_balancing import (
    balance_dissipative,
    require_gain,
)
from tests.helpers import fields_of


@pytest.mark.parametrize("complex_data", [False, True])
def test_factors_solve_both_equations(complex_data, rng):
    def draw(*shape):
        imaginary = 1j * rng.standard_normal(shape) if complex_data else 0
        return rng.standard_normal(shape) + imaginary

    n, m, p = 8, 2, 3
    A = draw(n, n)
    A = A - (np.max(np.linalg.eigvals(A).real) + 1) * np.eye(n)
    system = StateSpace(
        A, 0.1 * draw(n, m), 0.1 * draw(p, n), np.zeros((p, m)) * A[0, 0]
    )
    A, B, C, _ = fields_of(system)
    of_inputs = RiccatiTerms(
        A.conj().T, C.conj().T, B @ B.conj().T, -np.eye(p), np.zeros((n, p))
    )
    of_outputs = RiccatiTerms(A, B, C.conj().T @ C, -np.eye(m), np.zeros((n, m)))

    def lemma(given):
        return (of_outputs, C) if given is system else (of_inputs, B.conj().T)

    found = balance_dissipative(ContinuousFrame.of(system, "test"), lemma, "test")
    Lc, Lo = found.balancing.controllability, found.balancing.observability
    P, Q = Lc @ Lc.conj().T, Lo @ Lo.conj().T
    for X, terms, residual in zip(
        (P, Q), (of_inputs, of_outputs), found.residuals, strict=True
    ):
        F, G = terms.A, terms.B
        left = F.conj().T @ X + X @ F + terms.Q + X @ G @ G.conj().T @ X
        scale = 2 * np.linalg.norm(F) * np.linalg.norm(X) + np.linalg.norm(terms.Q)
        assert np.linalg.norm(left) <= 1e-14 * scale
        assert residual <= 1e-14
        closed = F + G @ G.conj().T @ X
        assert np.max(np.linalg.eigvals(closed).real) < 0
    assert np.all(found.balancing.uncertainty <= 1e-12 * found.balancing.values[0])


@pytest.mark.parametrize("excess", [1e-2, 1e-5, 1e-8])
def test_gains_up_to_the_level_pass(excess):
    system = StateSpace([[-1.0]], [[1.0]], [[1.0]])
    assert require_gain(system, 1 + excess, "the model", "test") == ()


def test_gains_at_the_level_are_noted():
    system = StateSpace([[-1.0]], [[1.0]], [[1.0]])
    (note,) = require_gain(system, 1.0, "the model", "test")
    assert note.startswith("the model has an H-infinity norm between 1 and 1.00000000")
    assert note.endswith("not proven to be at most 1")


def test_gains_above_the_level_are_refused():
    system = StateSpace([[-1.0]], [[1.0]], [[1.0]])
    match = "test: the model has the H-infinity norm 1, by rounding above 0.99; choose"
    with pytest.raises(IllConditionedError, match=match):
        require_gain(system, 0.99, "the model", "test")


def test_unstable_models_are_refused():
    system = StateSpace([[1.0]], [[1.0]], [[1.0]])
    with pytest.raises(UnstableSystemError, match="test: pole 1"):
        require_gain(system, 10.0, "the model", "test")
