"""Pictures of frequency responses, against explicit inverses."""

import math

import numpy as np
import pytest
import scipy.sparse

from hankelcut import (
    InvalidSystemError,
    balanced_truncation,
    low_rank_balanced_truncation,
)
from hankelcut.lti import (
    Continuous,
    DiagonalStateSpace,
    Discrete,
    SparseStateSpace,
    StateSpace,
    to_dense,
)
from hankelcut.plotting import plot_singular_value_response
from tests.helpers import dense_response, on
from tests.plotting.reading import legend, line_called, lines

TIMES = [Continuous(), Discrete(0.1)]


def stable(rng, time, n=6, m=2, p=3, *, complex_data=False):
    def draw(*shape):
        real = rng.standard_normal(shape)
        return real + 1j * rng.standard_normal(shape) if complex_data else real

    A = draw(n, n)
    if isinstance(time, Continuous):
        A -= (np.linalg.eigvals(A).real.max() + 0.3) * np.eye(n)
    else:
        A *= 0.9 / np.abs(np.linalg.eigvals(A)).max()
    return StateSpace(A, draw(n, m), draw(p, n), draw(p, m), time)


def gains(system, w):
    """Singular values at frequencies in rad/s or radians per sample."""
    points = 1j * w if isinstance(system.time, Continuous) else np.exp(1j * w)
    return np.linalg.svd(dense_response(system, points), compute_uv=False)


@pytest.mark.parametrize("time", TIMES)
def test_singular_values_of_both_and_of_the_error_are_drawn(rng, time):
    full = stable(rng, time)
    reduced = balanced_truncation(full, order=3).system
    w = np.array([0.02, 0.1, 1.0, 3.0])
    figure = plot_singular_value_response(full, reduced, bound=0.7, frequencies=w)
    (panel,) = figure.axes
    dt = 1.0 if isinstance(time, Continuous) else time.dt
    for name, system in (("full", full), ("reduced", reduced)):
        expected = gains(system, w)
        largest = line_called(panel, f"{name}: largest singular value")
        np.testing.assert_allclose(largest[:, 0], w / dt)
        np.testing.assert_allclose(largest[:, 1], expected[:, 0], rtol=1e-10)
        smallest = line_called(panel, f"{name}: smallest")
        np.testing.assert_allclose(smallest[:, 1], expected[:, -1], rtol=1e-9)
    points = 1j * w if dt == 1.0 else np.exp(1j * w)
    difference = dense_response(full, points) - dense_response(reduced, points)
    error = np.linalg.svd(difference, compute_uv=False)[:, 0]
    drawn = line_called(panel, "error")
    np.testing.assert_allclose(drawn[:, 1], error, rtol=1e-9)
    np.testing.assert_array_equal(line_called(panel, "bound")[:, 1], [0.7, 0.7])
    (peak,) = line_called(panel, "largest error drawn")
    k = int(np.argmax(error))
    np.testing.assert_allclose(peak, [w[k] / dt, error[k]], rtol=1e-9)
    assert panel.get_xscale() == panel.get_yscale() == "log"
    assert panel.get_ylabel() == "gain (absolute)"
    assert "rad/s" in panel.get_xlabel()
    assert f"bound on the error: {0.7:.3g}" in legend(figure)


def test_one_input_and_output_have_a_phase():
    full = StateSpace([[-1.0, 0.0], [0.0, -9.0]], [[1.0], [1.0]], [[2.0, 9.0]])
    reduced = balanced_truncation(full, order=1).system
    w = np.geomspace(0.1, 100, 30)
    figure = plot_singular_value_response(full, reduced, frequencies=w)
    gain, phase = figure.axes
    response = dense_response(full, 1j * w)[:, 0, 0]
    np.testing.assert_allclose(line_called(gain, "full")[:, 1], np.abs(response))
    drawn = lines(phase)[0]
    np.testing.assert_allclose(drawn[:, 1], np.degrees(np.angle(response)), atol=1e-9)
    assert phase.get_ylabel() == "phase (degrees)"
    assert not any(label.startswith("bound") for label in legend(figure))


def test_phase_has_no_jumps_and_both_are_on_one_turn():
    poles = -np.arange(1.0, 9.0)
    A = np.diag(poles) + np.diag(np.ones(7), 1)
    full = StateSpace(A, np.eye(8)[:, 7:], -np.eye(8)[:1])
    reduced = balanced_truncation(full, order=6).system
    phase = plot_singular_value_response(full, reduced).axes[1]
    first, second = (line[:, 1] for line in lines(phase))
    assert np.nanmax(np.abs(np.diff(first))) < 90
    assert abs(first[0] - second[0]) < 1


def test_frequencies_reach_a_decade_beyond_the_poles():
    full = StateSpace(np.diag([-0.5, -20.0]), np.ones((2, 1)), np.ones((1, 2)))
    reduced = balanced_truncation(full, order=1).system
    w = lines(plot_singular_value_response(full, reduced).axes[0])[0][:, 0]
    slow = min(0.5, -float(reduced.A[0, 0]))
    assert w[0] == pytest.approx(slow / 10)
    assert w[-1] == pytest.approx(200.0)


@pytest.mark.parametrize("slow", [1e-6, 1e-17])
def test_slow_poles_are_told_from_integrators(slow):
    A = np.diag([-slow, -1.0, -1e6])
    full = StateSpace(A, np.ones((3, 1)), np.ones((1, 3)))
    fast = StateSpace(A[1:, 1:], np.ones((2, 1)), np.ones((1, 2)))
    w = lines(plot_singular_value_response(full, fast).axes[0])[0][:, 0]
    # 1e-17 is what rounding leaves of 0 beside 1e6.
    assert w[0] == pytest.approx(slow / 10 if slow == 1e-6 else 0.1)


def test_discrete_frequencies_end_at_the_nyquist_frequency(rng):
    full = stable(rng, Discrete(0.02))
    reduced = balanced_truncation(full, order=3).system
    (panel,) = plot_singular_value_response(full, reduced).axes
    w = lines(panel)[0][:, 0]
    assert w[-1] == pytest.approx(math.pi / 0.02)
    assert w[0] <= 0.01 * w[-1] * (1 + 1e-12)
    assert f"Nyquist frequency {math.pi / 0.02:.4g}" in panel.get_xlabel()


def test_narrow_resonances_are_not_missed():
    damping = 1e-6
    A = [[0.0, 1.0], [-1.0, -2 * damping]]
    full = StateSpace(A, [[0.0], [1.0]], [[1.0, 0.0]])
    nothing = StateSpace(np.zeros((0, 0)), np.zeros((0, 1)), np.zeros((1, 0)))
    panel = plot_singular_value_response(full, nothing).axes[0]
    assert np.max(line_called(panel, "full")[:, 1]) > 0.999 / (2 * damping)
    assert np.all(line_called(panel, "reduced")[:, 1] == 0)


@pytest.mark.parametrize("time", TIMES)
def test_complex_systems_have_negative_frequencies(rng, time):
    full = stable(rng, time, m=1, p=1, complex_data=True)
    reduced = balanced_truncation(full, order=3).system
    figure = plot_singular_value_response(full, reduced, bound=1.0)
    negative, _, positive, _ = figure.axes
    assert negative.xaxis_inverted()
    assert not positive.xaxis_inverted()
    dt = 1.0 if isinstance(time, Continuous) else time.dt
    for panel, sign in ((negative, -1), (positive, 1)):
        drawn = line_called(panel, "full")
        expected = gains(full, sign * drawn[:, 0] * dt)[:, 0]
        np.testing.assert_allclose(drawn[:, 1], expected, rtol=1e-8)
    # One peak for both columns, said once.
    assert sum(label.startswith("largest error") for label in legend(figure)) == 1


def test_real_readouts_are_drawn_as_the_real_map(rng):
    poles = 0.9 * np.exp(1j * rng.uniform(0.1, 2, 4))
    B, C = (
        rng.standard_normal(s) + 1j * rng.standard_normal(s) for s in ((4, 2), (3, 4))
    )
    full = DiagonalStateSpace.from_poles(poles, B, C, time=Discrete(), readout="real")
    w = np.array([0.1, 0.7, 2.0])
    panel = plot_singular_value_response(full, full, frequencies=w).axes[0]
    expected = gains(to_dense(full), w)[:, 0]
    drawn = line_called(panel, "full: largest")
    np.testing.assert_allclose(drawn[:, 1], expected, rtol=1e-10)
    assert np.max(line_called(panel, "error")[:, 1]) < 1e-12 * np.max(expected)


def test_sparse_systems_are_drawn():
    rod = [1.0, -2.0, 1.0]
    A = scipy.sparse.diags_array(rod, offsets=[-1, 0, 1], shape=(60, 60))
    end = np.eye(60)[:, :1]
    full = SparseStateSpace(A, end, end.T)
    reduced = low_rank_balanced_truncation(full, order=5).system
    panel = plot_singular_value_response(full, reduced).axes[0]
    drawn = line_called(panel, "full")
    expected = gains(full.to_dense(), drawn[:, 0])[:, 0]
    np.testing.assert_allclose(drawn[:, 1], expected, rtol=1e-9)


def test_any_array_library_is_drawn_and_not_changed(xp, rng):
    system = on(xp, stable(rng, Continuous()))
    before = [xp.to_numpy(system.A).copy(), xp.to_numpy(system.B).copy()]
    w = xp.asarray(np.array([0.1, 1.0]))
    figure = plot_singular_value_response(system, system, frequencies=w)
    assert len(lines(figure.axes[0])) == 6
    np.testing.assert_array_equal(xp.to_numpy(system.A), before[0])
    np.testing.assert_array_equal(xp.to_numpy(system.B), before[1])


def test_what_cannot_be_drawn_says_why(rng):
    one = stable(rng, Continuous())
    stack = StateSpace(*(np.stack([x, x]) for x in (one.A, one.B, one.C, one.D)))
    other = stable(rng, Continuous(), m=1)
    bare = StateSpace(one.A, np.zeros((6, 0)), one.C)
    with pytest.raises(InvalidSystemError, match=r"got a stack of systems of shape"):
        plot_singular_value_response(stack, stack)
    with pytest.raises(InvalidSystemError, match=r"need equal ones"):
        plot_singular_value_response(one, other)
    with pytest.raises(InvalidSystemError, match=r"without inputs or outputs"):
        plot_singular_value_response(bare, bare)
    with pytest.raises(ValueError, match=r"no frequency other than 0"):
        plot_singular_value_response(one, one, frequencies=np.zeros(1))
