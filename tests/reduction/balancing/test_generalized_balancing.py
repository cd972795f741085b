import numpy as np
import pytest

from hankelcut import UnstableSystemError
from hankelcut.lti import Continuous, StateSpace, hinf_norm, series
from hankelcut.reduction import balance
from hankelcut.reduction.balancing.balancing import balance_factors
from hankelcut.reduction.balancing.generalized_balancing import (
    GeneralizedBalancing,
    Promise,
)
from hankelcut.reduction.balancing.transformations import evenly_scaled
from hankelcut.reduction.reduction_method import Decomposition
from hankelcut.validation import random_stable_system


def balanced(system, promise, *, scale=1.0):
    """The plain balancing of a system, in the dress of a method."""
    even, units = evenly_scaled(system)
    right = (even.B @ even.B.T, even.C.T @ even.C)
    plain = balance(even)
    if scale != 1.0:
        plain = balance_factors(
            even, scale * plain.controllability, plain.observability
        )
    return GeneralizedBalancing(even, units, plain, right, "values", promise, "test")


def test_cuts_are_projections_of_the_given_states(rng):
    system = random_stable_system(rng, 6, 2, 3)
    ours = balanced(system, Promise("", tuple(float(k) for k in range(7))))
    assert isinstance(ours, Decomposition)
    cut = ours.cut(3)
    T, Wh = cut.right_projection, cut.left_projection.T
    np.testing.assert_allclose(Wh @ system.A @ T, cut.system.A, rtol=1e-11)
    np.testing.assert_allclose(Wh @ system.B, cut.system.B, rtol=1e-11)
    np.testing.assert_allclose(system.C @ T, cut.system.C, rtol=1e-11)
    assert cut.bound.value == ours.spectrum.error_bounds()[3] == 3.0
    assert cut.bound.error is None
    assert max(cut.residuals()) < 1e-14


def test_residuals_see_wrong_gramians(rng):
    system = random_stable_system(rng, 6, 2, 3)
    residuals = balanced(system, Promise(""), scale=2.0).cut(3).residuals()
    assert residuals[0] > 1e-4
    assert residuals[1] < 1e-14


def test_weighted_errors_are_those_of_the_model(rng):
    system = random_stable_system(rng, 6, 2, 3)
    weight = random_stable_system(rng, 2, 3, 1)
    promise = Promise("none", weigh=lambda error: series(error, weight))
    cut = balanced(system, promise).cut(6)
    assert cut.bound.value is None
    assert float(hinf_norm(cut.bound.error, rtol=0.1).lower) < 1e-9
    cut = balanced(system, promise).cut(2)
    assert float(hinf_norm(cut.bound.error).lower) > 1e-3


def test_models_that_are_not_stable_are_refused_or_noted():
    # Gramians of nothing: the projection keeps the unstable state.
    system = StateSpace(np.diag([1.0, -1.0]), np.ones((2, 1)), np.ones((1, 2)))
    plain = balance_factors(system, np.diag([2.0, 1.0]), np.eye(2))
    for stable in (True, False):
        promise = Promise("", stable=stable, advice="mind the pole")
        ours = GeneralizedBalancing(
            system, np.ones(2), plain, (np.eye(2), np.eye(2)), "values", promise, "test"
        )
        said = "the model of order 1 is not stable; mind the pole"
        if stable:
            with pytest.raises(UnstableSystemError, match=f"^test: {said}$"):
                ours.cut(1)
        else:
            assert ours.cut(1).notes == (said,)
        assert ours.cut(0).notes == ()
        assert ours.cut(0).system.time == Continuous()
