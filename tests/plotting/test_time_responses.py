"""Pictures of responses in time, against their closed forms."""

import numpy as np
import pytest
import scipy.linalg
import scipy.sparse

from hankelcut import InvalidSystemError
from hankelcut.lti import Discrete, SignalNames, SparseStateSpace, StateSpace
from hankelcut.plotting import plot_impulse_responses, plot_step_responses
from tests.plotting.reading import legend, lines

LAG = StateSpace([[-2.0]], [[1.0]], [[6.0]], [[0.5]])


def dense(rng, n=4, m=2, p=3):
    A = rng.standard_normal((n, n))
    A -= (np.linalg.eigvals(A).real.max() + 0.5) * np.eye(n)
    return StateSpace(A, rng.standard_normal((n, m)), rng.standard_normal((p, n)))


def test_step_response_of_a_lag():
    figure = plot_step_responses(LAG, StateSpace([[-1.0]], [[1.0]], [[3.0]]))
    full, reduced = lines(figure.axes[0])
    t = full[:, 0]
    np.testing.assert_allclose(full[:, 1], 0.5 + 3 * (1 - np.exp(-2 * t)), atol=1e-10)
    np.testing.assert_allclose(reduced[:, 1], 3 * (1 - np.exp(-t)), atol=1e-10)
    # Until the mode of the reduced model has fallen to 1 %.
    assert t[-1] == pytest.approx(np.log(100))
    assert figure.axes[0].get_xlabel() == "time (s)"
    assert legend(figure) == ["full", "reduced"]
    difference = np.max(np.abs(full[:, 1] - reduced[:, 1]))
    title = figure.axes[0].get_title()
    assert title == f"u1 → y1, largest difference {difference:.2g}"


def test_impulse_responses_of_several_channels(rng):
    system = dense(rng)
    figure = plot_impulse_responses(system, system, duration=2.0)
    assert len(figure.axes) == 6
    for k, panel in enumerate(figure.axes):
        i, j = divmod(k, 2)
        drawn = lines(panel)[0]
        assert drawn[0, 0] == 0
        assert drawn[-1, 0] == pytest.approx(2.0)
        for t, value in drawn[:: len(drawn) // 4]:
            response = system.C @ scipy.linalg.expm(system.A * t) @ system.B
            assert value == pytest.approx(response[i, j], abs=1e-9)


def test_discrete_responses_are_those_of_the_recursion():
    full = StateSpace([[0.5]], [[1.0]], [[2.0]], [[3.0]], Discrete(0.1))
    (panel,) = plot_impulse_responses(full, full, duration=0.5).axes
    expected = [3.0, 2.0, 1.0, 0.5, 0.25, 0.125]
    np.testing.assert_allclose(lines(panel)[0][:, 0], 0.1 * np.arange(6))
    np.testing.assert_allclose(lines(panel)[0][:, 1], expected)
    assert panel.lines[0].get_drawstyle() == "steps-post"
    (panel,) = plot_step_responses(full, full, duration=0.5).axes
    np.testing.assert_allclose(lines(panel)[0][:, 1], np.cumsum(expected))


def test_complex_outputs_are_drawn_in_two_parts():
    pole = -0.5 + 3j
    system = StateSpace([[pole]], [[1.0]], [[2.0 - 1j]])
    figure = plot_impulse_responses(system, system)
    assert [panel.get_title()[:12] for panel in figure.axes] == [
        "u1 → Re y1, ",
        "u1 → Im y1, ",
    ]
    for panel, part in zip(figure.axes, (np.real, np.imag), strict=True):
        t, y = lines(panel)[0].T
        np.testing.assert_allclose(y, part((2 - 1j) * np.exp(pole * t)), atol=1e-9)


def test_channels_have_the_names_of_the_signals():
    names = SignalNames(inputs=("force",), outputs=("",))
    named = StateSpace(LAG.A, LAG.B, LAG.C, names=names)
    title = plot_step_responses(named, LAG).axes[0].get_title()
    assert title.startswith("force → y1, ")


def test_of_many_channels_the_largest_are_drawn(rng):
    system = dense(rng, n=5, m=4, p=5)
    gains = np.arange(1.0, 6.0)[:, None] * system.C
    figure = plot_impulse_responses(
        StateSpace(system.A, system.B, gains), system, duration=1.0
    )
    assert len(figure.axes) == 9
    title = figure.legends[0].get_title().get_text()
    assert title == "the 9 largest of 20 channels"
    sizes = [np.max(np.abs(lines(panel)[0][:, 1])) for panel in figure.axes]
    assert sizes == sorted(sizes, reverse=True)


def test_fast_oscillations_are_followed():
    system = StateSpace([[-0.1, 50.0], [-50.0, -0.1]], [[1.0], [0.0]], [[1.0, 0.0]])
    (panel,) = plot_impulse_responses(system, system).axes
    t, y = lines(panel)[0].T
    assert np.max(np.diff(t)) < 2 * np.pi / 50 / 10
    np.testing.assert_allclose(y, np.exp(-0.1 * t) * np.cos(50 * t), atol=1e-8)


def test_channels_that_settle_early_are_shown_that_long():
    A = np.diag([-1.0, -100.0])
    system = StateSpace(A, np.diag([1.0, 100.0]), np.eye(2))
    figure = plot_impulse_responses(system, system)
    ends = [panel.get_xlim()[1] for panel in figure.axes]
    assert ends[0] == pytest.approx(np.log(100), rel=0.01)
    assert np.log(100) / 100 < ends[3] < 0.2 * ends[0]


@pytest.mark.parametrize(("pole", "end"), [(2.0, np.log(100) / 2), (0.0, 10.0)])
def test_unstable_models_are_drawn_as_far_as_they_grow(pole, end):
    system = StateSpace([[pole]], [[1.0]], [[1.0]])
    (panel,) = plot_step_responses(system, system).axes
    assert panel.get_xlim()[1] == pytest.approx(end)


def test_models_without_states_can_be_drawn():
    nothing = StateSpace(np.zeros((0, 0)), np.zeros((0, 1)), np.zeros((1, 0)), [[2.0]])
    full, reduced = lines(plot_step_responses(LAG, nothing).axes[0])
    assert set(reduced[:, 1]) == {2.0}
    assert full[-1, 0] == pytest.approx(10.0)


def test_any_array_library_is_drawn(xp):
    matrices = ([[-2.0]], [[1.0]], [[6.0]])
    system = StateSpace(*(xp.asarray(np.array(m, dtype=np.float32)) for m in matrices))
    full, _ = lines(plot_impulse_responses(system, system).axes[0])
    np.testing.assert_allclose(full[:, 1], 6 * np.exp(-2 * full[:, 0]), atol=1e-9)


def test_what_cannot_be_drawn_says_why():
    A = scipy.sparse.csc_array(-np.eye(3))
    sparse = SparseStateSpace(A, np.ones((3, 1)), np.ones((1, 3)))
    bare = StateSpace([[-1.0]], np.zeros((1, 0)), [[1.0]])
    with pytest.raises(InvalidSystemError, match=r"got a sparse system, need a dense"):
        plot_step_responses(sparse, LAG)
    with pytest.raises(InvalidSystemError, match=r"without inputs or outputs"):
        plot_impulse_responses(bare, bare)
    with pytest.raises(ValueError, match=r"got duration=0.0, need a positive"):
        plot_step_responses(LAG, LAG, duration=0.0)
