"""Pictures of Hankel singular values, cuts and training runs.

Every function returns a `matplotlib.figure.Figure` of its own, without pyplot: nothing
global is read or changed. Save it with ``figure.savefig("picture.svg")``.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, LinearSegmentedColormap, PowerNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

__all__ = [
    "CutErrors",
    "StateSizes",
    "TrainingCurve",
    "plot_error_certificates",
    "plot_hankel_singular_values",
    "plot_state_sizes",
    "plot_training_curves",
]

# Okabe & Ito, Color Universal Design, 2008: told apart with any colour vision.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_INK, _GRID = "#333333", "#dddddd"
# Values below this share of the largest are rounding, and would flatten the rest.
_SMALLEST_SHARE = 1e-8
_PANELS_PER_ROW = 2
# Up to this many decades a logarithmic axis has marks at 1, 2 and 5 of each.
_FEW_DECADES = 3


@dataclass(frozen=True)
class StateSizes:
    """Number of stored states of one layer, or one model, over a run.

    Parameters
    ----------
    label : str
        What the line is of; lines with equal labels share a colour.
    steps, states : sequence of int
        Corner points: from ``steps[k]`` on there are ``states[k]``; the last point is
        the end of the run.
    """

    label: str
    steps: Sequence[int]
    states: Sequence[int]


@dataclass(frozen=True)
class TrainingCurve:
    """Measurements of one run.

    Parameters
    ----------
    label : str
        Kind of run; runs with equal labels share a colour.
    steps : sequence of int
        Optimizer steps done.
    seconds : sequence of float
        Training time so far, in s.
    losses, accuracies : sequence of float
        Training loss, and validation accuracy in [0, 1].
    """

    label: str
    steps: Sequence[int]
    seconds: Sequence[float]
    losses: Sequence[float]
    accuracies: Sequence[float]


@dataclass(frozen=True)
class CutErrors:
    """Error of one layer in one cut, as gain of the change (output per input norm).

    Parameters
    ----------
    label : str
        Names the cut.
    bound : float
        Certified bound.
    measured : float
        Measured error.
    largest_value : float
        Largest Hankel singular value of the layer before the cut, for scale.
    """

    label: str
    bound: float
    measured: float
    largest_value: float


def plot_hankel_singular_values(
    layers: Mapping[str, Mapping[int, Sequence[float]]], *, cuts: Sequence[int] = ()
) -> Figure:
    """Draw Hankel singular values of every layer, one line per step, coloured by step.

    Parameters
    ----------
    layers : mapping of str to mapping of int to sequence of float
        Descending values by layer and optimizer step.
    cuts : sequence of int
        Steps at which the layers were cut right after: their lines are dashed.

    Returns
    -------
    Figure
        One panel per layer with a logarithmic axis of values, down to 1e-8 of the
        largest.

    Raises
    ------
    ValueError
        If there are no values.
    """
    steps = sorted({step for lines in layers.values() for step in lines})
    if not steps:
        msg = "got no Hankel singular values, need those of at least one step"
        raise ValueError(msg)
    colours = _step_colours()
    # The square root spreads the early steps, where cuts lie.
    norm = PowerNorm(0.5, steps[0], max(steps[-1], steps[0] + 1))
    figure, panels = _panels(len(layers))
    for panel, (name, lines) in zip(panels, layers.items(), strict=True):
        largest = max((max(values) for values in lines.values()), default=1.0)
        for step, values in sorted(lines.items()):
            panel.semilogy(
                range(1, len(values) + 1),
                values,
                color=colours(norm(step)),
                linestyle="--" if step in cuts else "-",
                linewidth=1.4,
            )
        panel.set_ylim(largest * _SMALLEST_SHARE, largest * 3)
        panel.set_title(name)
        panel.set_xlabel("index k")
    panels[0].set_ylabel("Hankel singular value (gain, dimensionless)")
    figure.colorbar(
        ScalarMappable(norm, colours), ax=panels, label="training step", pad=0.02
    )
    if cuts:
        handles = [
            Line2D([], [], color=_INK, linestyle="--", label="right before a cut"),
            Line2D([], [], color=_INK, label="otherwise"),
        ]
        panels[0].legend(handles=handles, frameon=False)
    return figure


def plot_state_sizes(runs: Sequence[StateSizes]) -> Figure:
    """Draw stored states over training, one line per layer or model.

    Parameters
    ----------
    runs : sequence of StateSizes
        The lines.

    Returns
    -------
    Figure
        One panel; its legend names the numbers at the end.

    Raises
    ------
    ValueError
        If there are no lines.
    """
    _require_some(runs, "lines of state sizes")
    figure, (panel,) = _panels(1)
    colours = _colours([run.label for run in runs])
    for run in runs:
        panel.step(run.steps, run.states, where="post", color=colours[run.label])
    for label, colour in colours.items():
        ends = sorted({run.states[-1] for run in runs if run.label == label})
        numbers = ", ".join(str(end) for end in ends)
        panel.plot([], [], color=colour, label=f"{label}: {numbers} at the end")
    panel.legend(frameon=False)
    panel.set_ylim(0, 1.12 * max(max(run.states) for run in runs))
    panel.set_xlabel("training step")
    panel.set_ylabel("stored states of a layer")
    return figure


def plot_training_curves(runs: Sequence[TrainingCurve]) -> Figure:
    """Draw training loss and validation accuracy over training time.

    Parameters
    ----------
    runs : sequence of TrainingCurve
        The runs, several seeds of a kind under one label.

    Returns
    -------
    Figure
        Two panels; a dot marks the end of each run.

    Raises
    ------
    ValueError
        If there are no runs.
    """
    _require_some(runs, "runs")
    figure, panels = _panels(2)
    colours = _colours([run.label for run in runs])
    for run in runs:
        for panel, values in zip(panels, (run.losses, run.accuracies), strict=True):
            colour = colours[run.label]
            panel.plot(run.seconds, values, color=colour, linewidth=1.4)
            panel.plot(run.seconds[-1:], values[-1:], "o", color=colour)
    for panel in panels:
        panel.set_xlabel("training time (s)")
        panel.set_xlim(left=0)
    panels[0].set_yscale("log")
    _plain_logarithms(panels[0].yaxis, [loss for run in runs for loss in run.losses])
    panels[0].set_ylabel("training loss (cross-entropy, nats)")
    panels[1].set_ylabel("validation accuracy (%)")
    panels[1].yaxis.set_major_formatter(lambda share, _: f"{100 * share:g}")
    handles = [Line2D([], [], color=c, label=label) for label, c in colours.items()]
    figure.legend(handles=handles, frameon=False, loc="outside upper center", ncols=3)
    return figure


def plot_error_certificates(cuts: Sequence[CutErrors]) -> Figure:
    """Draw certified bound and measured error of every cut of every layer.

    Parameters
    ----------
    cuts : sequence of CutErrors
        The cuts, in order.

    Returns
    -------
    Figure
        One panel, a row per cut, with a logarithmic axis of errors.

    Raises
    ------
    ValueError
        If there are no cuts.
    """
    _require_some(cuts, "cuts")
    figure = Figure(figsize=(7.5, 1.3 + 0.28 * len(cuts)), layout="constrained")
    panel = figure.add_subplot()
    _plain(panel)
    rows = range(len(cuts))
    bounds = [cut.bound for cut in cuts]
    measured = [cut.measured for cut in cuts]
    panel.hlines(rows, measured, bounds, color=_GRID, linewidth=4)
    panel.plot(bounds, rows, "|", color=_COLOURS[0], markersize=11, markeredgewidth=3)
    panel.plot(measured, rows, "o", color=_COLOURS[1])
    panel.plot([cut.largest_value for cut in cuts], rows, "x", color=_INK)
    panel.set_xscale("log")
    _plain_logarithms(panel.xaxis, [*bounds, *measured])
    panel.set_yticks(rows, [cut.label for cut in cuts])
    panel.set_ylim(len(cuts) - 0.4, -0.6)
    panel.set_xlabel("gain of the change of the layer (output norm per input norm)")
    names = ("certified bound", "measured error", "largest Hankel singular value")
    marks = (("|", _COLOURS[0]), ("o", _COLOURS[1]), ("x", _INK))
    handles = [
        Line2D([], [], linestyle="", marker=mark, color=colour, label=name, mew=2)
        for name, (mark, colour) in zip(names, marks, strict=True)
    ]
    figure.legend(handles=handles, frameon=False, loc="outside upper center", ncols=3)
    return figure


def _panels(count: int) -> tuple[Figure, list[Axes]]:
    """Make a figure with plain panels side by side, at most two in a row."""
    columns = min(count, _PANELS_PER_ROW)
    rows = -(-count // columns)
    size = (4.6 * columns + (2.4 if count == 1 else 0), 3.6 * rows)
    figure = Figure(figsize=size, layout="constrained")
    panels = [figure.add_subplot(rows, columns, k + 1) for k in range(count)]
    for panel in panels:
        _plain(panel)
    return figure, panels


def _plain(panel: Axes) -> None:
    """No frame but the two axes, and a faint grid."""
    panel.spines[["top", "right"]].set_visible(False)
    panel.grid(color=_GRID, linewidth=0.6)
    panel.set_axisbelow(True)
    panel.xaxis.set_major_locator(MaxNLocator(6))


def _plain_logarithms(axis: Axis, values: Sequence[float]) -> None:
    """Mark a logarithmic axis with plain numbers, as many as its range needs."""
    positive = [value for value in values if value > 0]
    decades = math.log10(max(positive) / min(positive)) if positive else 0.0
    subdivisions = (1.0, 2.0, 5.0) if decades < _FEW_DECADES else (1.0,)
    axis.set_major_locator(LogLocator(10.0, subdivisions))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(lambda value, _: f"{value:g}")


def _step_colours() -> Colormap:
    """Viridis without its lightest end, which is faint on white."""
    shades = colormaps["viridis"]([0.9 * k / 255 for k in range(256)])
    return LinearSegmentedColormap.from_list("steps", shades)


def _colours(labels: Sequence[str]) -> dict[str, str]:
    """Choose a colour for every label, in the order of their first appearance."""
    distinct = list(dict.fromkeys(labels))
    return {label: _COLOURS[k % len(_COLOURS)] for k, label in enumerate(distinct)}


def _require_some(items: Sequence[object], what: str) -> None:
    if not items:
        msg = f"got no {what}, need at least one"
        raise ValueError(msg)
