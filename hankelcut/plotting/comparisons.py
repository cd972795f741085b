"""Pictures of methods beside each other: accuracy, size and training time."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from hankelcut.plotting._style import (
    COLOURS,
    GRID,
    INK,
    make_plain,
    mark_logarithms,
    require_some,
    row_of_panels,
)

__all__ = [
    "AccuracyRow",
    "MethodPoint",
    "plot_accuracies",
    "plot_accuracy_against_size_and_time",
]

_MARKERS = ("o", "s", "D", "^", "v", "P")
# Rows this far below the best, as shares, get an arrow instead of their place.
_SHOWN_RANGE = 0.12


@dataclass(frozen=True)
class MethodPoint:
    """One method at one size.

    Parameters
    ----------
    label : str
        The method; points with equal labels are joined by a line.
    states : float
        Stored states at the end.
    seconds : float
        Training time, in s.
    accuracy, deviation : float
        Mean and standard deviation over the seeds, in [0, 1].
    """

    label: str
    states: float
    seconds: float
    accuracy: float
    deviation: float


@dataclass(frozen=True)
class AccuracyRow:
    """Accuracies of one method with every seed.

    Parameters
    ----------
    label : str
        The method.
    accuracies : sequence of float
        In [0, 1].
    """

    label: str
    accuracies: Sequence[float]


def plot_accuracy_against_size_and_time(points: Sequence[MethodPoint]) -> Figure:
    """Draw accuracy over states, and over training time.

    Parameters
    ----------
    points : sequence of MethodPoint
        The methods.

    Returns
    -------
    Figure
        Two panels with logarithmic axes of states and of time; bars are standard
        deviations.

    Raises
    ------
    ValueError
        If there are no points.
    """
    require_some(points, "points")
    figure, panels = row_of_panels(2)
    labels = list(dict.fromkeys(point.label for point in points))
    handles = []
    for k, label in enumerate(labels):
        colour, marker = COLOURS[k % len(COLOURS)], _MARKERS[k % len(_MARKERS)]
        own = sorted((p for p in points if p.label == label), key=lambda p: p.states)
        for panel, values in zip(
            panels, ([p.states for p in own], [p.seconds for p in own]), strict=True
        ):
            panel.errorbar(
                values,
                [p.accuracy for p in own],
                yerr=[p.deviation for p in own],
                capsize=3,
                color=colour,
                marker=marker,
                linewidth=1.2,
            )
        handles.append(Line2D([], [], label=label, color=colour, marker=marker))
    for panel, name, values in (
        (panels[0], "stored states at the end", [p.states for p in points]),
        (panels[1], "training time (s)", [p.seconds for p in points]),
    ):
        panel.set_xscale("log")
        mark_logarithms(panel.xaxis, values)
        panel.set_xlabel(name)
        panel.yaxis.set_major_formatter(lambda share, _: f"{100 * share:g}")
    panels[0].set_ylabel("test accuracy (%)")
    panels[1].sharey(panels[0])
    figure.legend(handles=handles, frameon=False, loc="outside upper center", ncols=3)
    return figure


def plot_accuracies(rows: Sequence[AccuracyRow]) -> Figure:
    """Draw accuracies of methods one below the other.

    Parameters
    ----------
    rows : sequence of AccuracyRow
        The methods, the first of which the others are compared with.

    Returns
    -------
    Figure
        One panel: a dot for each seed and a bar at the mean. Where these lie far below
        the best there is an arrow at the edge, with the mean, or the lowest seed if the
        mean is in sight.

    Raises
    ------
    ValueError
        If there are no rows.
    """
    require_some(rows, "rows")
    figure = Figure(figsize=(7.5, 1.2 + 0.3 * len(rows)), layout="constrained")
    panel = figure.add_subplot()
    make_plain(panel)
    means = [statistics.fmean(row.accuracies) for row in rows]
    shown = [
        value
        for row, mean in zip(rows, means, strict=True)
        if mean >= max(means) - _SHOWN_RANGE
        for value in row.accuracies
    ]
    span = max(max(shown) - min(shown), 0.01)
    low, high = min(shown) - 0.12 * span, max(shown) + 0.06 * span
    panel.axvline(means[0], color=GRID, linewidth=2, zorder=0)
    for k, (row, mean) in enumerate(zip(rows, means, strict=True)):
        if mean < low:
            _mark_outside(panel, k, low + 0.02 * span, mean)
            continue
        inside = [value for value in row.accuracies if value >= low]
        panel.plot(inside, [k] * len(inside), "o", color=COLOURS[0])
        if len(inside) < len(row.accuracies):
            _mark_outside(panel, k, low + 0.02 * span, min(row.accuracies))
        panel.plot([mean], [k], "|", color=INK, markersize=13, markeredgewidth=2)
    panel.set_xlim(low, high)
    panel.set_yticks(range(len(rows)), [row.label for row in rows])
    panel.set_ylim(len(rows) - 0.4, -0.6)
    panel.xaxis.set_major_formatter(lambda share, _: f"{100 * share:g}")
    panel.set_xlabel("test accuracy (%); a dot is a seed, a bar the mean")
    return figure


def _mark_outside(panel: Axes, row: int, edge: float, value: float) -> None:
    """Tell at the edge of the panel of a value that lies outside."""
    panel.plot([edge], [row], "<", color=COLOURS[1])
    panel.annotate(
        f"{100 * value:.1f} %",
        (edge, row),
        xytext=(8, 0),
        textcoords="offset points",
        va="center",
        color=INK,
        fontsize="small",
    )
