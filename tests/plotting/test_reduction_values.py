"""Pictures of characteristic values: what is kept, what is not, and the bound."""

import dataclasses

import numpy as np
import pytest
import scipy.sparse

from hankelcut import (
    DiagonalStateSpace,
    Discrete,
    InvalidSystemError,
    SparseStateSpace,
    StateSpace,
    balanced_truncation,
    low_rank_balanced_truncation,
    singular_perturbation_approximation,
)
from hankelcut.plotting import plot_reduction_values
from hankelcut.plotting.reduction_values import bounds_by_kept_values, kept_values
from hankelcut.reduction.result import ErrorBound
from tests.helpers import READOUTS, quietly
from tests.plotting.reading import legend, line_called


def chain(n):
    """A heated rod of n pieces."""
    A = np.diag(np.full(n, -2.0)) + np.diag(np.ones(n - 1), 1)
    end = np.eye(n)[:, :1]
    return StateSpace(A + np.diag(np.ones(n - 1), -1), end, end.T)


def modes(count):
    """A structure of equally damped oscillations."""
    A = np.zeros((2 * count, 2 * count))
    for k in range(count):
        A[2 * k : 2 * k + 2, 2 * k : 2 * k + 2] = [[-0.1, k + 1.0], [-k - 1.0, -0.1]]
    B = np.tile([[1.0], [0.0]], (count, 1))
    return StateSpace(A, B, B.T)


def test_every_value_has_a_bar_and_every_order_its_bound():
    result = balanced_truncation(chain(8), order=3)
    values = result.hankel_singular_values
    figure = plot_reduction_values(result)
    (panel,) = figure.axes
    kept, discarded = panel.containers
    assert [bar.get_height() for bar in kept] == pytest.approx(values[:3])
    assert [bar.get_height() for bar in discarded] == pytest.approx(values[3:])
    assert kept[0].get_facecolor() != discarded[0].get_facecolor()
    curve = line_called(panel, "error bound of a model")
    expected = [2 * np.sum(values[int(k) :]) for k, _ in curve]
    np.testing.assert_allclose(curve[:, 1], expected)
    ((k, bound),) = line_called(panel, "bound of the reduced model")
    assert k == 3
    assert bound == float(result.error_bound)
    assert panel.get_yscale() == "log"
    assert "cut: 3 of 8 values kept (order 3)" in legend(figure)


@pytest.mark.parametrize("n", [3, 6, 9])
def test_values_are_counted_in_whole_numbers(n):
    (panel,) = plot_reduction_values(balanced_truncation(chain(n), order=2)).axes
    ticks = panel.get_xticks()
    np.testing.assert_array_equal(ticks, np.round(ticks))


def test_many_values_are_points():
    result = quietly(modes(40), order=6)
    (panel,) = plot_reduction_values(result).axes
    assert not panel.containers
    values = result.hankel_singular_values
    drawn = line_called(panel, "Hankel singular values, discarded")[:, 1]
    np.testing.assert_array_equal(drawn, values[6:])


def test_values_that_are_rounding_are_left_out():
    result = balanced_truncation(chain(90), order=6)
    (panel,) = plot_reduction_values(result).axes
    values = result.hankel_singular_values
    visible = int(np.sum(values > 1e-16 * values[0]))
    assert sum(len(bars) for bars in panel.containers) == visible < 90


def test_methods_without_a_bound_have_no_curve():
    bound = ErrorBound(None, condition="there is none")
    result = balanced_truncation(chain(5), order=2)
    result = dataclasses.replace(result, bound=bound, values_name="scores")
    figure = plot_reduction_values(result)
    assert not any("bound" in label for label in legend(figure))
    assert figure.axes[0].get_ylabel() == "value (absolute)"
    assert bounds_by_kept_values(result) is None


def test_bounds_that_are_no_tails_have_no_curve():
    result = balanced_truncation(chain(5), order=2)
    other = ErrorBound(0.5 * result.error_bound)
    result = dataclasses.replace(result, bound=other)
    figure = plot_reduction_values(result)
    assert not any("model that keeps" in label for label in legend(figure))
    assert any("bound of the reduced" in label for label in legend(figure))


def test_unstable_states_that_are_kept_have_no_value():
    stable = chain(6)
    A = np.zeros((7, 7))
    A[:6, :6], A[6, 6] = stable.A, 0.7
    B = np.concatenate([stable.B, [[1.0]]])
    C = np.concatenate([stable.C, [[1.0]]], axis=1)
    result = singular_perturbation_approximation(StateSpace(A, B, C), order=4)
    assert kept_values(result) == 3
    bounds = bounds_by_kept_values(result)
    assert bounds[3] == pytest.approx(float(result.error_bound))


@pytest.mark.parametrize("readout", READOUTS)
def test_stored_states_of_real_readouts_have_two_values(rng, readout):
    poles = 0.95 * np.exp(1j * rng.uniform(0.2, 2.5, 6))
    B, C = (
        rng.standard_normal(s) + 1j * rng.standard_normal(s) for s in ((6, 2), (3, 6))
    )
    full = DiagonalStateSpace.from_poles(poles, B, C, time=Discrete(), readout=readout)
    result = balanced_truncation(full, order=4)
    values, kept = result.hankel_singular_values, kept_values(result)
    assert kept == 4 if readout == "complex" else kept in (7, 8)
    tail = 2 * float(np.sum(values[kept:]))
    assert tail <= float(result.error_bound) * (1 + 1e-9)


def test_values_of_sparse_systems_are_those_that_are_known():
    rod = chain(60)
    full = SparseStateSpace(scipy.sparse.csc_array(rod.A), rod.B, rod.C)
    result = low_rank_balanced_truncation(full, order=5)
    assert kept_values(result) == 5
    assert plot_reduction_values(result).axes[0].containers[0].patches


def test_what_cannot_be_drawn_says_why():
    one = chain(3)
    stack = StateSpace(*(np.stack([x, x]) for x in (one.A, one.B, one.C)))
    with pytest.raises(InvalidSystemError, match=r"got a stack of shape \(2,\)"):
        plot_reduction_values(balanced_truncation(stack, order=1))
    nothing = StateSpace(np.zeros((0, 0)), np.zeros((0, 1)), np.zeros((1, 0)))
    with pytest.raises(ValueError, match=r"got no Hankel singular values, need at"):
        plot_reduction_values(balanced_truncation(nothing, order=0))
