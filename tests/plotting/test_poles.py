"""Pictures of poles: every pole in its place, and the stability boundary."""

import numpy as np
import pytest
import scipy.sparse
from matplotlib.patches import Circle

from hankelcut import InvalidSystemError, balanced_truncation
from hankelcut.lti import DiagonalStateSpace, Discrete, SparseStateSpace, StateSpace
from hankelcut.plotting import plot_poles
from tests.plotting.reading import legend, line_called

ROTATION = np.array([[-0.3, 4.0], [-4.0, -0.3]])


def with_poles(A, time=None):
    n = len(A)
    options = {} if time is None else {"time": time}
    return StateSpace(A, np.ones((n, 1)), np.ones((1, n)), **options)


def test_every_pole_is_in_its_place():
    A = np.zeros((3, 3))
    A[:2, :2], A[2, 2] = ROTATION, -2.0
    full = with_poles(A)
    reduced = balanced_truncation(full, order=2).system
    figure = plot_poles(full, reduced)
    (panel,) = figure.axes
    drawn = {tuple(np.round(point, 9)) for point in line_called(panel, "full")}
    assert drawn == {(-0.3, 4.0), (-0.3, -4.0), (-2.0, 0.0)}
    assert len(line_called(panel, "reduced")) == 2
    assert legend(figure)[:2] == ["full: 3 poles", "reduced: 2 poles"]
    assert panel.get_xscale() == "linear"
    left, right = panel.get_xlim()
    low, high = panel.get_ylim()
    assert left < -2
    assert right > 0
    assert low < -4
    assert high > 4
    assert "rad/s" in panel.get_ylabel()


def test_far_spread_poles_are_told_apart():
    poles = -np.geomspace(0.01, 1e4, 7)
    (panel,) = plot_poles(with_poles(np.diag(poles)), with_poles(-np.eye(1))).axes
    assert panel.get_xscale() == "symlog"
    assert panel.get_yscale() == "linear"
    places = np.sort(panel.transData.transform(line_called(panel, "full"))[:, 0])
    assert np.min(np.diff(places)) > 0.05 * (places[-1] - places[0])


def test_unstable_poles_are_inside_the_picture():
    A = np.diag([-1.0, 3.0])
    (panel,) = plot_poles(with_poles(A), with_poles(A)).axes
    assert panel.get_xlim()[1] > 3.0


def test_discrete_poles_are_drawn_with_the_unit_circle():
    poles = np.array([0.5 + 0.5j, 0.5 - 0.5j, 1.3])
    B, C = np.ones((3, 2), dtype=complex), np.ones((1, 3), dtype=complex)
    full = DiagonalStateSpace.from_poles(poles, B, C, time=Discrete(0.1))
    (panel,) = plot_poles(full, full).axes
    drawn = line_called(panel, "full") @ [1, 1j]
    np.testing.assert_allclose(np.sort_complex(drawn), np.sort_complex(poles))
    (circle,) = [patch for patch in panel.patches if isinstance(patch, Circle)]
    assert circle.get_radius() == 1.0
    assert panel.get_xlim()[1] > 1.3
    assert panel.get_aspect() == 1.0


def test_real_readouts_have_conjugate_poles():
    B, C = np.ones((1, 1), dtype=complex), np.ones((1, 1), dtype=complex)
    full = DiagonalStateSpace.from_poles(
        np.array([0.2 + 0.7j]), B, C, time=Discrete(), readout="real"
    )
    (panel,) = plot_poles(full, full).axes
    imaginary = np.sort(line_called(panel, "full")[:, 1])
    np.testing.assert_allclose(imaginary, [-0.7, 0.7])


def test_poles_of_sparse_systems_are_left_out():
    A = scipy.sparse.csc_array(-np.eye(3))
    full = SparseStateSpace(A, np.ones((3, 1)), np.ones((1, 3)))
    figure = plot_poles(full, with_poles(-np.eye(1)))
    assert legend(figure)[:2] == ["full: sparse, not drawn", "reduced: 1 pole"]


def test_a_system_without_states_can_be_drawn():
    nothing = StateSpace(np.zeros((0, 0)), np.zeros((0, 1)), np.zeros((1, 0)))
    figure = plot_poles(nothing, nothing)
    figure.draw_without_rendering()
    assert legend(figure)[0] == "full: 0 poles"


def test_stacks_are_refused():
    stack = StateSpace(-np.ones((2, 1, 1)), np.ones((2, 1, 1)), np.ones((2, 1, 1)))
    with pytest.raises(InvalidSystemError, match=r"plot_poles: got a stack"):
        plot_poles(stack, stack)
