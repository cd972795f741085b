"""Pictures of training runs: values, sizes, losses, and the errors of cuts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, LinearSegmentedColormap, PowerNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from hankelcut.plotting._style import (
    COLOURS,
    GRID,
    INK,
    colours_of,
    make_plain,
    mark_logarithms,
    require_some,
    row_of_panels,
)

__all__ = [
    "CutErrors",
    "StateSizes",
    "TrainingCurve",
    "plot_error_certificates",
    "plot_hankel_singular_values",
    "plot_state_sizes",
    "plot_training_curves",
]

# Values below this share of the largest are rounding, and would flatten the rest.
_SMALLEST_SHARE = 1e-8


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
    figure, panels = row_of_panels(len(layers))
    for panel, (name, lines) in zip(panels, layers.items(), strict=True):
        shown = [value for values in lines.values() for value in values if value > 0]
        largest, smallest = max(shown, default=1.0), min(shown, default=1.0)
        for step, values in sorted(lines.items()):
            panel.semilogy(
                range(1, len(values) + 1),
                values,
                color=colours(norm(step)),
                linestyle="--" if step in cuts else "-",
                linewidth=1.4,
            )
        panel.set_ylim(max(largest * _SMALLEST_SHARE, smallest / 3), largest * 3)
        panel.set_title(name)
        panel.set_xlabel("index k")
    panels[0].set_ylabel("Hankel singular value (gain, dimensionless)")
    figure.colorbar(
        ScalarMappable(norm, colours), ax=panels, label="training step", pad=0.02
    )
    if cuts:
        handles = [
            Line2D([], [], color=INK, linestyle="--", label="right before a cut"),
            Line2D([], [], color=INK, label="otherwise"),
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
    require_some(runs, "lines of state sizes")
    figure, (panel,) = row_of_panels(1)
    colours = colours_of([run.label for run in runs])
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
    require_some(runs, "runs")
    figure, panels = row_of_panels(2)
    colours = colours_of([run.label for run in runs])
    for run in runs:
        for panel, values in zip(panels, (run.losses, run.accuracies), strict=True):
            colour = colours[run.label]
            panel.plot(run.seconds, values, color=colour, linewidth=1.4)
            panel.plot(run.seconds[-1:], values[-1:], "o", color=colour)
    for panel in panels:
        panel.set_xlabel("training time (s)")
        panel.set_xlim(left=0)
    panels[0].set_yscale("log")
    mark_logarithms(panels[0].yaxis, [loss for run in runs for loss in run.losses])
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
    require_some(cuts, "cuts")
    figure = Figure(figsize=(7.5, 1.3 + 0.28 * len(cuts)), layout="constrained")
    panel = figure.add_subplot()
    make_plain(panel)
    rows = range(len(cuts))
    bounds = [cut.bound for cut in cuts]
    measured = [cut.measured for cut in cuts]
    panel.hlines(rows, measured, bounds, color=GRID, linewidth=4)
    panel.plot(bounds, rows, "|", color=COLOURS[0], markersize=11, markeredgewidth=3)
    panel.plot(measured, rows, "o", color=COLOURS[1])
    panel.plot([cut.largest_value for cut in cuts], rows, "x", color=INK)
    panel.set_xscale("log")
    mark_logarithms(panel.xaxis, [*bounds, *measured])
    panel.set_yticks(rows, [cut.label for cut in cuts])
    panel.set_ylim(len(cuts) - 0.4, -0.6)
    panel.set_xlabel("gain of the change of the layer (output norm per input norm)")
    names = ("certified bound", "measured error", "largest Hankel singular value")
    marks = (("|", COLOURS[0]), ("o", COLOURS[1]), ("x", INK))
    handles = [
        Line2D([], [], linestyle="", marker=mark, color=colour, label=name, mew=2)
        for name, (mark, colour) in zip(names, marks, strict=True)
    ]
    figure.legend(handles=handles, frameon=False, loc="outside upper center", ncols=3)
    return figure


def _step_colours() -> Colormap:
    """Viridis without its lightest end, which is faint on white."""
    shades = colormaps["viridis"]([0.9 * k / 255 for k in range(256)])
    return LinearSegmentedColormap.from_list("steps", shades)
