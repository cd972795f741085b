"""Pictures of training: they show every number, and change nothing global."""

import subprocess
import sys
from collections.abc import Callable

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure

from hankelcut.plotting import (
    CutErrors,
    StateSizes,
    TrainingCurve,
    plot_error_certificates,
    plot_hankel_singular_values,
    plot_state_sizes,
    plot_training_curves,
)
from tests.plotting.reading import legend, lines

LAYERS = {
    "first": {0: [4.0, 1.0, 1e-3, 1e-12], 5: [3.0, 2.0]},
    "second": {0: [2.0, 1.0, 0.5, 0.1], 5: [2.0], 20: [1.5]},
    "third": {20: [7.0, 6.0]},
}
SIZES = [
    StateSizes("full", [0, 20], [8, 8]),
    StateSizes("reduced", [0, 5, 10, 20], [8, 5, 3, 3]),
    StateSizes("reduced", [0, 5, 10, 20], [8, 6, 4, 4]),
]
CURVES = [
    TrainingCurve("full", [5, 10], [1.0, 2.0], [2.0, 0.5], [0.3, 0.8]),
    TrainingCurve("full", [5, 10], [1.1, 2.2], [2.1, 0.6], [0.2, 0.7]),
    TrainingCurve("reduced", [5, 10], [0.5, 0.9], [2.2, 0.0], [0.1, 0.9]),
]
CUTS = [
    CutErrors("step 5", 0.5, 0.1, 3.0),
    CutErrors("step 10", 0.2, 0.0, 2.0),
    CutErrors("step 15", 0.4, 0.05, 1.0),
]
FIGURES: list[Callable[[], Figure]] = [
    lambda: plot_hankel_singular_values(LAYERS, cuts=[5]),
    lambda: plot_state_sizes(SIZES),
    lambda: plot_training_curves(CURVES),
    lambda: plot_error_certificates(CUTS),
]


@pytest.mark.parametrize("draw", FIGURES)
@pytest.mark.parametrize("file_format", ["svg", "png"])
def test_figures_can_be_saved_and_leave_settings_alone(
    draw: Callable[[], Figure], file_format: str, tmp_path
) -> None:
    before = dict(mpl.rcParams)
    draw().savefig(tmp_path / "picture", format=file_format)
    assert (tmp_path / "picture").stat().st_size > 5_000
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("draw", FIGURES)
def test_every_axis_says_what_it_shows(draw: Callable[[], Figure]) -> None:
    figure = draw()
    assert all(panel.get_xlabel() or panel.get_ylabel() for panel in figure.axes)
    assert figure.axes[0].get_xlabel()


def test_a_line_for_every_step_of_every_layer() -> None:
    figure = plot_hankel_singular_values(LAYERS, cuts=[5])
    *panels, bar = figure.axes
    assert [panel.get_title() for panel in panels] == list(LAYERS)
    assert bar.get_ylabel() == "training step"
    for panel, by_step in zip(panels, LAYERS.values(), strict=True):
        assert panel.get_yscale() == "log"
        drawn = lines(panel)
        assert [line[:, 1].tolist() for line in drawn] == list(by_step.values())
        assert all(line[0, 0] == 1 for line in drawn)
        styles = [line.get_linestyle() for line in panel.lines]
        assert styles == ["--" if step == 5 else "-" for step in by_step]
    # What rounding leaves does not flatten the rest.
    assert panels[0].get_ylim()[0] > 1e-9
    colours = {line.get_color() for panel in panels for line in panel.lines}
    assert len(colours) == 3


def test_a_single_step_can_be_drawn() -> None:
    figure = plot_hankel_singular_values({"a": {7: [1.0, 0.5]}})
    figure.draw_without_rendering()
    assert legend(figure) == []


def test_state_sizes_are_steps_with_their_ends_named() -> None:
    figure = plot_state_sizes(SIZES)
    drawn = lines(figure.axes[0])
    assert [line.tolist() for line in drawn] == [
        [list(point) for point in zip(run.steps, run.states, strict=True)]
        for run in SIZES
    ]
    assert {line.get_drawstyle() for line in figure.axes[0].lines[:3]} == {"steps-post"}
    assert legend(figure) == ["full: 8 at the end", "reduced: 3, 4 at the end"]


def test_training_curves_share_colours_by_label() -> None:
    figure = plot_training_curves(CURVES)
    loss, accuracy = figure.axes
    for panel, name in ((loss, "losses"), (accuracy, "accuracies")):
        # Each run is a line and the dot at its end.
        drawn = [line for line in lines(panel) if len(line) > 1]
        assert [line.tolist() for line in drawn] == [
            [list(point) for point in zip(run.seconds, getattr(run, name), strict=True)]
            for run in CURVES
        ]
        colours = [line.get_color() for line in panel.lines[::2]]
        assert colours[0] == colours[1] != colours[2]
    assert legend(figure) == ["full", "reduced"]
    figure.draw_without_rendering()
    labels = [label.get_text() for label in accuracy.get_yticklabels()]
    assert {"40", "60"} <= set(labels)


def test_certificates_show_bound_and_error_of_every_cut() -> None:
    figure = plot_error_certificates(CUTS)
    (panel,) = figure.axes
    bounds, measured, largest = lines(panel)
    assert bounds[:, 0].tolist() == [0.5, 0.2, 0.4]
    assert measured[:, 0].tolist() == [0.1, 0.0, 0.05]
    assert largest[:, 0].tolist() == [3.0, 2.0, 1.0]
    labels = [label.get_text() for label in panel.get_yticklabels()]
    assert labels == [cut.label for cut in CUTS]
    assert panel.yaxis_inverted()
    assert legend(figure) == [
        "certified bound",
        "measured error",
        "largest Hankel singular value",
    ]


def test_logarithmic_axes_have_plain_numbers() -> None:
    figure = plot_error_certificates(CUTS[::2])
    figure.draw_without_rendering()
    labels = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert {"0.05", "0.1", "0.2", "0.5", "1", "2"} <= set(labels)


def test_nothing_to_draw_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"no Hankel singular values"):
        plot_hankel_singular_values({"a": {}})
    with pytest.raises(ValueError, match=r"got no lines of state sizes"):
        plot_state_sizes([])
    with pytest.raises(ValueError, match=r"got no runs, need at least one"):
        plot_training_curves([])
    with pytest.raises(ValueError, match=r"got no cuts, need at least one"):
        plot_error_certificates([])


def test_drawing_needs_no_pyplot_and_the_package_no_matplotlib() -> None:
    code = (
        "import sys, hankelcut; bare = 'matplotlib' in sys.modules\n"
        "import hankelcut.plotting as p\n"
        "p.plot_state_sizes([p.StateSizes('a', [0, 1], [2, 2])])\n"
        "sys.exit(bare or 'matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
