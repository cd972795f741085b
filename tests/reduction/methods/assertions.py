"""What the tests of several methods assert of their models."""

from typing import Any

import numpy as np
import pytest

from hankelcut.lti import StateSpace, is_stable
from hankelcut.reduction import ReductionResult
from tests.helpers import dense_response, fields_of, grid_norm
from tests.reduction.methods.gramian_integrals import whole_boundary

__all__ = [
    "assert_like_double",
    "assert_modified_bound_holds",
    "assert_same_response",
    "widened",
]


def widened(system: StateSpace) -> StateSpace:
    """A NumPy system in double precision."""
    double = np.complex128 if np.iscomplexobj(system.A) else np.float64
    return StateSpace(*(x.astype(double) for x in fields_of(system)), system.time)


def assert_like_double(
    xp: Any, dtype: Any, result: ReductionResult, expected: ReductionResult
) -> None:
    """The matrices and the bound of double precision, rounded to a dtype."""
    pairs = zip(fields_of(result.system), fields_of(expected.system), strict=True)
    for ours, theirs in pairs:
        assert ours.dtype == getattr(xp, np.dtype(dtype).name)
        atol = 20 * np.finfo(dtype).eps * abs(theirs).max()
        np.testing.assert_allclose(xp.to_numpy(ours), theirs, rtol=0, atol=atol)
    bound = xp.to_numpy(result.error_bound)
    assert bound == pytest.approx(float(expected.error_bound), rel=1e-6)


def assert_same_response(
    ours: StateSpace, theirs: StateSpace, z: np.ndarray, atol: float
) -> None:
    """The same values at points of the complex plane, relative to the largest."""
    expected = dense_response(theirs, z)
    atol = atol * abs(expected).max()
    np.testing.assert_allclose(dense_response(ours, z), expected, rtol=0, atol=atol)


def assert_modified_bound_holds(system: StateSpace, result: ReductionResult) -> None:
    """A stable model with a proven bound that is above the error on the boundary."""
    assert bool(is_stable(result.system))
    assert "was checked" in result.bound.condition
    certificate = result.certify()
    assert bool(certificate.bound_holds)
    z, _ = whole_boundary(system.time, 400)
    error = dense_response(system, z) - dense_response(result.system, z)
    slack = 1e-9 * result.characteristic_values[0]
    assert grid_norm(error) <= float(result.error_bound) + slack
    assert max(certificate.gramian_residuals) < 1e-13
