"""Pictures of comparisons: what is drawn is what was given."""

import pytest

from hankelcut.plotting import (
    AccuracyRow,
    MethodPoint,
    plot_accuracies,
    plot_accuracy_against_size_and_time,
)

POINTS = [
    MethodPoint("cut", 30.0, 90.0, 0.96, 0.01),
    MethodPoint("full", 256.0, 400.0, 0.97, 0.0),
    MethodPoint("cut", 12.0, 70.0, 0.94, 0.02),
]
ROWS = [
    AccuracyRow("cut", [0.95, 0.96, 0.97]),
    AccuracyRow("full", [0.96, 0.97]),
    AccuracyRow("smallest kept", [0.2, 0.3]),
]


def test_points_of_a_method_are_joined_in_the_order_of_their_sizes() -> None:
    figure = plot_accuracy_against_size_and_time(POINTS)
    sizes, times = figure.axes
    drawn = {
        panel: [
            container.lines[0].get_xydata().tolist() for container in panel.containers
        ]
        for panel in (sizes, times)
    }
    assert drawn[sizes] == [[[12.0, 0.94], [30.0, 0.96]], [[256.0, 0.97]]]
    assert drawn[times] == [[[70.0, 0.94], [90.0, 0.96]], [[400.0, 0.97]]]
    (bars, _) = sizes.containers[0].lines[2][0].get_segments()
    assert bars[:, 1] == pytest.approx([0.92, 0.96])
    assert sizes.get_xscale() == times.get_xscale() == "log"
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["cut", "full"]


def test_every_seed_has_a_dot_and_every_method_a_bar() -> None:
    panel = plot_accuracies(ROWS).axes[0]
    dots = [line for line in panel.lines if line.get_marker() == "o"]
    assert [line.get_xdata().tolist() for line in dots] == [
        [0.95, 0.96, 0.97],
        [0.96, 0.97],
    ]
    bars = [line for line in panel.lines if line.get_marker() == "|"]
    assert [line.get_xdata().tolist() for line in bars] == [
        [pytest.approx(0.96)],
        [pytest.approx(0.965)],
    ]
    labels = [label.get_text() for label in panel.get_yticklabels()]
    assert labels == ["cut", "full", "smallest kept"]
    low, high = panel.get_xlim()
    assert 0.94 < low < 0.95
    assert 0.97 < high < 0.98


def test_what_lies_outside_has_its_number() -> None:
    panel = plot_accuracies(ROWS).axes[0]
    (arrow,) = (line for line in panel.lines if line.get_marker() == "<")
    assert arrow.get_ydata().tolist() == [2]
    assert [text.get_text() for text in panel.texts] == ["25.0 %"]


def test_equal_accuracies_still_have_an_axis() -> None:
    panel = plot_accuracies([AccuracyRow("a", [0.5, 0.5])]).axes[0]
    low, high = panel.get_xlim()
    assert low < 0.5 < high


def test_nothing_to_draw_is_an_error() -> None:
    with pytest.raises(ValueError, match="got no points"):
        plot_accuracy_against_size_and_time([])
    with pytest.raises(ValueError, match="got no rows"):
        plot_accuracies([])
