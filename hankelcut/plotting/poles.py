"""Picture of the poles of a system and of its reduced model."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from hankelcut.lti.structure.stability import poles_of
from hankelcut.lti.systems.sparse_state_space import SparseStateSpace
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.lti.systems.time_domain import Continuous
from hankelcut.plotting._drawable import Matrix, System, drawable_pair
from hankelcut.plotting._style import FULL, INK, REDUCED, make_plain

__all__ = ["plot_poles"]

_UNSTABLE = "#f3e4e4"
# Poles that spread over more than this ratio get axes that are linear only next to 0.
_WIDE = 30.0
# Smaller shares of the largest pole are the origin, to rounding.
_ORIGIN = 1e-9
_MARGIN = 1.12
# Width of the unstable half plane without poles, as a share of the stable one.
_UNSTABLE_SHARE = 0.2


def plot_poles(full: System, reduced: System) -> Figure:
    """Draw the poles of a system and of its reduced model with the stability boundary.

    Parameters
    ----------
    full, reduced : StateSpace, DiagonalStateSpace or SparseStateSpace
        Single systems with the same time domain and sizes; the poles of sparse ones are
        left out.

    Returns
    -------
    Figure
        The complex plane, in rad/s (continuous), with the unstable region shaded. Where
        continuous poles spread widely, both axes are logarithmic but next to 0.

    Raises
    ------
    InvalidSystemError
        If a system is a stack, or both are not alike.

    Examples
    --------
    >>> import hankelcut as hc
    >>> plant = hc.StateSpace([[-1.0, 0.0], [0.0, -50.0]], [[1.0], [1.0]], [[1.0, 1.0]])
    >>> model = hc.balanced_truncation(plant, order=1).system
    >>> plot_poles(plant, model).axes[0].get_xlabel()
    'real part (rad/s)'
    """
    pair = drawable_pair("plot_poles", full, reduced)
    figure = Figure(figsize=(6.4, 5.2), layout="constrained")
    panel = figure.add_subplot()
    make_plain(panel)
    drawn = [np.zeros(0, dtype=complex)]
    looks = (("full", "x", FULL, 6.0), ("reduced", "o", REDUCED, 9.0))
    for system, (name, mark, colour, size) in zip(pair, looks, strict=True):
        if isinstance(system, SparseStateSpace):
            panel.plot([], [], mark, color=colour, label=f"{name}: sparse, not drawn")
            continue
        poles = np.asarray(poles_of(system))
        drawn.append(poles)
        panel.plot(
            poles.real,
            poles.imag,
            mark,
            color=colour,
            markersize=size,
            markerfacecolor="none",
            markeredgewidth=1.4,
            label=_label(name, system),
        )
    poles = np.concatenate(drawn)
    if isinstance(full.time, Continuous):
        _draw_half_plane(panel, poles)
    else:
        _draw_circle(panel, poles)
    figure.legend(frameon=False, loc="outside upper center", ncols=3)
    return figure


def _label(name: str, system: StateSpace) -> str:
    count = system.n_states
    return f"{name}: {count} pole{'' if count == 1 else 's'}"


def _draw_half_plane(panel: Axes, poles: Matrix) -> None:
    """Draw the imaginary axis, and set the limits of continuous time."""
    largest = float(np.max(np.abs(poles), initial=0.0)) or 1.0
    left = -float(np.min(poles.real, initial=0.0)) or largest
    right = max(float(np.max(poles.real, initial=0.0)), _UNSTABLE_SHARE * left)
    if threshold := _linear_part(poles.real, largest):
        panel.set_xscale("symlog", linthresh=threshold, linscale=0.5)
        right = max(float(np.max(poles.real)), threshold)
    right *= _reach(threshold)
    panel.set_xlim(-_reach(threshold) * left, right)
    height = float(np.max(np.abs(poles.imag), initial=0.0)) or largest
    if threshold := _linear_part(poles.imag, largest):
        panel.set_yscale("symlog", linthresh=threshold, linscale=0.5)
    height *= _reach(threshold)
    panel.set_ylim(-height, height)
    panel.axvspan(0.0, right, color=_UNSTABLE, zorder=0, label="unstable")
    panel.axvline(0.0, color=INK, linewidth=1.2, zorder=1)
    panel.set_xlabel("real part (rad/s)")
    panel.set_ylabel("imaginary part (rad/s)")


def _linear_part(parts: Matrix, largest: float) -> float:
    """End of the linear part of an axis next to 0; 0.0 where all of it is linear."""
    sizes = np.abs(parts)
    sizes = sizes[sizes > _ORIGIN * largest]
    if not sizes.size or np.max(sizes) <= _WIDE * np.min(sizes):
        return 0.0
    return float(10.0 ** np.floor(np.log10(np.min(sizes))))


def _reach(threshold: float) -> float:
    """How far beyond the outermost pole an axis goes."""
    return 2.0 if threshold else _MARGIN


def _draw_circle(panel: Axes, poles: Matrix) -> None:
    """Draw the unit circle, and set the limits of discrete time."""
    reach = _MARGIN * max(float(np.max(np.abs(poles), initial=0.0)), 1.0)
    panel.set_facecolor(_UNSTABLE)
    inside = Circle((0.0, 0.0), 1.0, facecolor="white", edgecolor=INK, linewidth=1.2)
    inside.set_zorder(0)
    panel.add_patch(inside)
    panel.fill([], [], color=_UNSTABLE, label="unstable")
    panel.set_aspect("equal")
    panel.set_xlim(-reach, reach)
    panel.set_ylim(-reach, reach)
    panel.set_xlabel("real part (per sample)")
    panel.set_ylabel("imaginary part (per sample)")
