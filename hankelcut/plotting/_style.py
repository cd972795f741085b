"""What all pictures look like: colours, plain panels, marks of logarithmic axes."""

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

__all__ = [
    "COLOURS",
    "DISCARDED",
    "ERROR",
    "FULL",
    "GRID",
    "INK",
    "REDUCED",
    "colours_of",
    "make_plain",
    "mark_decades",
    "mark_logarithms",
    "require_some",
    "row_of_panels",
]

# Okabe & Ito, Color Universal Design, 2008: told apart with any colour vision.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
INK, GRID = "#333333", "#dddddd"
FULL, REDUCED, ERROR = COLOURS[:3]
DISCARDED = "#b0b0b0"
_PANELS_PER_ROW = 2
# Up to this many decades a logarithmic axis has marks at 1, 2 and 5 of each.
_FEW_DECADES = 3


def row_of_panels(count: int) -> tuple[Figure, list[Axes]]:
    """Make a figure with plain panels side by side, at most two in a row."""
    columns = min(count, _PANELS_PER_ROW)
    rows = -(-count // columns)
    size = (4.6 * columns + (2.4 if count == 1 else 0), 3.6 * rows)
    figure = Figure(figsize=size, layout="constrained")
    panels = [figure.add_subplot(rows, columns, k + 1) for k in range(count)]
    for panel in panels:
        make_plain(panel)
    return figure, panels


def make_plain(panel: Axes) -> None:
    """No frame but the two axes, and a faint grid."""
    panel.spines[["top", "right"]].set_visible(False)
    panel.grid(color=GRID, linewidth=0.6)
    panel.set_axisbelow(True)
    panel.xaxis.set_major_locator(MaxNLocator(6))


def mark_logarithms(axis: Axis, values: Sequence[float]) -> None:
    """Mark a logarithmic axis with plain numbers, as many as its range needs."""
    positive = [value for value in values if value > 0]
    decades = math.log10(max(positive) / min(positive)) if positive else 0.0
    subdivisions = (1.0, 2.0, 5.0) if decades < _FEW_DECADES else (1.0,)
    axis.set_major_locator(LogLocator(10.0, subdivisions))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(lambda value, _: f"{value:g}")


def mark_decades(axis: Axis, low: float, high: float) -> None:
    """Mark a logarithmic axis at powers of ten, or by plain numbers if it is short."""
    if math.log10(high / low) < _FEW_DECADES:
        mark_logarithms(axis, [low, high])
        return
    axis.set_major_locator(LogLocator(10.0, numticks=9))
    axis.set_minor_locator(NullLocator())


def colours_of(labels: Sequence[str]) -> dict[str, str]:
    """Choose a colour for every label, in the order of their first appearance."""
    distinct = list(dict.fromkeys(labels))
    return {label: COLOURS[k % len(COLOURS)] for k, label in enumerate(distinct)}


def require_some(items: Sequence[object], what: str) -> None:
    if not items:
        msg = f"got no {what}, need at least one"
        raise ValueError(msg)
