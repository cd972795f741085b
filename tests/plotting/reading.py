"""What can be read from a picture: its lines and its legends."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure


def lines(panel: Axes) -> list[np.ndarray]:
    """The points of every line that has some."""
    return [line.get_xydata() for line in panel.lines if len(line.get_xdata())]


def line_called(panel: Axes, start: str) -> np.ndarray:
    """The points of the one line whose label begins so."""
    (found,) = [line for line in panel.lines if line.get_label().startswith(start)]
    return np.asarray(found.get_xydata())


def legend(figure: Figure) -> list[str]:
    """The texts of all legends."""
    found = [*figure.legends, *(panel.get_legend() for panel in figure.axes)]
    return [text.get_text() for item in found if item for text in item.get_texts()]
