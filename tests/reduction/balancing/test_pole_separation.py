import warnings

import numpy as np
import pytest

from hankelcut import (
    IllConditionedError,
    NumericalWarning,
)
from hankelcut.lti import (
    DiagonalStateSpace,
    hankel_singular_values,
)
from hankelcut.reduction import balanced_truncation
from hankelcut.validation import (
    check_hankel_bounds,
)
from tests.helpers import (
    EPS32,
    error_of,
    to_precision,
)


def colliding(gap, readout="real"):
    """Two poles `gap` apart with large opposite residues, and four others."""
    rng = np.random.default_rng(1)
    poles = 0.9 * np.exp(1j) * np.array([1.0, 1.0 - gap])
    others = rng.uniform(0.1, 0.6, 4) * np.exp(1j * rng.uniform(0, 6.28, 4))
    B = np.array([1 / gap, 1 / gap, 0.05, 0.05, 0.05, 0.05])[:, None]
    C = np.array([[1.0, -1.0, 0.05, 0.05, 0.05, 0.05], [0.5, -0.5, 0.0, 0.1, 0.1, 0.2]])
    return DiagonalStateSpace.from_poles(
        np.concatenate([poles, others]), B, C, readout=readout
    )


@pytest.mark.parametrize("gap", [1e-3, 1e-5])
@pytest.mark.parametrize("order", [2, 3, 4, 5])
def test_colliding_poles_are_stored_harmlessly_or_refused(gap, order):
    system = colliding(gap)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            result = balanced_truncation(system, order=order, storage_eps=EPS32)
    except IllConditionedError as error:
        assert "nearly) defective" in str(error)  # noqa: PT017 - either is right
        return
    stored = to_precision(to_precision(result.system, True), False)
    values = hankel_singular_values(system)
    lower, _ = error_of(system, result.system)
    assert lower <= float(result.error_bound) * (1 + 1e-9)
    # Rounding to single precision stays within what the result promises to accept.
    with_storage = error_of(system, stored)[0]
    allowed = max(0.1 * float(result.error_bound), EPS32 ** (2 / 3) * values[0])
    assert with_storage <= float(result.error_bound) + allowed
    # Another order than the one asked for, or a perturbation, is said.
    if result.order < order:
        assert result.warnings
        assert caught


@pytest.mark.parametrize("order", [3, 4])
def test_collision_is_said(order):
    with pytest.warns(NumericalWarning, match="nearly colliding poles"):
        balanced_truncation(colliding(1e-5), order=order, storage_eps=EPS32)


def test_same_poles_are_harmless_in_double_precision():
    result = balanced_truncation(colliding(1e-3), order=4)
    assert result.order == 4
    assert result.warnings == ()
    check_hankel_bounds(colliding(1e-3), result)


def test_nothing_helps_a_close_triple():
    # A triple pole, nearly: single precision cannot hold its three residues.
    gap = 1e-4
    poles = 0.9 * np.exp(1j) * np.array([1.0, 1.0 - gap, 1.0 - 2 * gap])
    B = np.append(np.array([1.0, -2.0, 1.0]) / gap**2, [1.0, 1.0])[:, None]
    system = DiagonalStateSpace.from_poles(
        np.append(poles, [0.1, 0.3j]), B, np.array([[1.0, 1.0, 1.0, 1e-3, 1e-3]])
    )
    with pytest.raises(IllConditionedError, match="no diagonal form can be stored"):
        balanced_truncation(system, error_tol=1e-2, storage_eps=EPS32)
    result = balanced_truncation(system, error_tol=1e-2)
    assert error_of(system, result.system)[0] <= 1e-2


def test_separated_poles_are_in_the_bound():
    gap = 1e-4
    poles = 0.9 * np.exp(1j) * np.array([1.0, 1.0 - gap, 1.0 - 2 * gap])
    B = np.append(np.array([1.0, -2.0, 1.0]) / gap**2, [1.0, 1.0])[:, None]
    system = DiagonalStateSpace.from_poles(
        np.append(poles, [0.1, 0.3j]), B, np.array([[1.0, 1.0, 1.0, 1e-3, 1e-3]])
    )
    with pytest.warns(NumericalWarning, match="separated by a perturbation that adds"):
        result = balanced_truncation(system, order=3, storage_eps=EPS32)
    tail = 2 * result.hankel_singular_values[3:].sum()
    assert float(result.error_bound) > 10 * tail
    stored = to_precision(to_precision(result.system, True), False)
    for reduced in (result.system, stored):
        assert error_of(system, reduced)[0] <= 2 * float(result.error_bound)
    assert error_of(system, result.system)[0] <= float(result.error_bound)
