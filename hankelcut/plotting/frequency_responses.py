"""Pictures of frequency responses: full, reduced, and the error under its bound."""

import math
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from hankelcut._errors import InvalidSystemError
from hankelcut._typing import Array
from hankelcut.lti.responses._schur_response import SchurResponse, balancing_gauge
from hankelcut.lti.responses.frequency_response import frequency_response
from hankelcut.lti.systems.sparse_state_space import SparseStateSpace
from hankelcut.lti.systems.time_domain import Continuous
from hankelcut.plotting._drawable import (
    Drawable,
    Matrix,
    System,
    drawable_pair,
    is_complex,
    seconds_per_sample,
)
from hankelcut.plotting._frequency_grid import frequency_grid
from hankelcut.plotting._style import (
    ERROR,
    FULL,
    INK,
    REDUCED,
    make_plain,
    mark_decades,
)

__all__ = ["plot_singular_value_response"]

# What lies this far below the largest gain, or below the error, says nothing more.
_SMALLEST_SHARE = 1e-9
_BELOW_ERROR = 1e-3
# Where the gain is a smaller share of the largest, its phase is rounding.
_NO_PHASE = 1e-13


@dataclass(frozen=True)
class _Curves:
    """Singular values over the frequencies of one sign, and the phase of SISO systems.

    `gains` are those of full, reduced and error, descending in the last axis.
    """

    negative: bool
    frequencies: Matrix
    gains: tuple[Matrix, Matrix, Matrix]
    phases: tuple[Matrix, Matrix] | None


def plot_singular_value_response(
    full: System,
    reduced: System,
    *,
    bound: float | None = None,
    frequencies: Array = None,
) -> Figure:
    """Draw the singular values of both responses and of the error over frequency.

    Parameters
    ----------
    full, reduced : StateSpace, DiagonalStateSpace or SparseStateSpace
        The system and its reduced model, with the same time domain and sizes.
    bound : float, optional
        Bound on the H-infinity norm of the error: a horizontal line.
    frequencies : (F,) array, optional
        In rad/s (continuous) or radians per sample (discrete). By default from a decade
        below the slowest pole to a decade above the fastest, or to the Nyquist
        frequency, denser at resonances; poles of sparse systems do not count.

    Returns
    -------
    Figure
        Logarithmic axes, in rad/s and in absolute gain: largest and smallest singular
        values of full and reduced, largest of the error; for one input and one output
        magnitude, error and phase. Complex systems have a second column of panels, of
        negative frequencies.

    Raises
    ------
    InvalidSystemError
        If a system is a stack, has no input or no output, or both are not alike.
    ValueError
        If `frequencies` has none that can be drawn on a logarithmic axis.

    Examples
    --------
    >>> import hankelcut as hc
    >>> plant = hc.StateSpace([[-1.0, 0.0], [0.0, -50.0]], [[1.0], [1.0]], [[1.0, 1.0]])
    >>> model = hc.balanced_truncation(plant, order=1).system
    >>> figure = plot_singular_value_response(plant, model, bound=0.04)
    >>> [panel.get_ylabel() for panel in figure.axes]
    ['gain (absolute)', 'phase (degrees)']
    """
    caller = "plot_singular_value_response"
    pair = drawable_pair(caller, full, reduced)
    if min(pair[0].n_inputs, pair[0].n_outputs) == 0:
        msg = f"{caller}: got a system without inputs or outputs, need one of each"
        raise InvalidSystemError(msg)
    if frequencies is None:
        grid = frequency_grid(pair)
        grid = np.concatenate([grid, -grid]) if any(map(is_complex, pair)) else grid
    else:
        grid = np.asarray(frequencies, dtype=float).ravel()
    halves = [w for w in (-grid[grid < 0], grid[grid > 0]) if w.size]
    if not halves:
        msg = f"{caller}: got no frequency other than 0, need some for logarithmic axes"
        raise ValueError(msg)
    signs = [True] * bool(np.any(grid < 0)) + [False] * bool(np.any(grid > 0))
    return _draw(
        [_curves(pair, np.sort(w), s) for w, s in zip(halves, signs, strict=True)],
        seconds_per_sample(full.time),
        bound,
        nyquist=not isinstance(full.time, Continuous),
    )


def _curves(pair: list[Drawable], magnitudes: Matrix, negative: bool) -> _Curves:
    signed = -magnitudes if negative else magnitudes
    first, second = (_response(system, signed) for system in pair)
    gains = tuple(_singular_values(G) for G in (first, second, first - second))
    phases = None
    if first.shape[1:] == (1, 1):
        angles = [_phase(G[:, 0, 0]) for G in (first, second)]
        turns = np.round((angles[1][0] - angles[0][0]) / (2 * math.pi))
        turns = turns if np.isfinite(turns) else 0.0
        phases = (angles[0], angles[1] - 2 * math.pi * turns)
    return _Curves(negative, magnitudes, (gains[0], gains[1], gains[2]), phases)


def _response(system: Drawable, frequencies: Matrix) -> Matrix:
    """Response at each frequency, (F, p, m); zero at a pole that is met exactly."""
    if isinstance(system, SparseStateSpace):
        response = np.asarray(frequency_response(system, frequencies))
    elif system.n_states == 0:
        response = np.broadcast_to(system.D, (len(frequencies), *system.D.shape))
    else:
        gauge = balancing_gauge(system.A, system.B, system.C)
        A = system.A / gauge[:, None] * gauge
        B, C = system.B / gauge[:, None], system.C * gauge
        schur = SchurResponse.of(A, B, C, system.D, system.time)
        response = schur.response(frequencies)
    return np.where(np.isfinite(response), response, 0.0)


def _singular_values(response: Matrix) -> Matrix:
    return np.asarray(np.linalg.svd(response, compute_uv=False))


def _phase(response: Matrix) -> Matrix:
    """Phase in radians without jumps, NaN where it is rounding."""
    gain = np.abs(response)
    visible = gain > _NO_PHASE * np.max(gain)
    return np.where(visible, np.unwrap(np.angle(response)), np.nan)


def _draw(
    halves: list[_Curves], dt: float, bound: float | None, *, nyquist: bool
) -> Figure:
    """Draw magnitudes, and phases below them, with a column for each sign."""
    rows = 1 if halves[0].phases is None else 2
    size = (7.5 if len(halves) == 1 else 10.5, 4.6 if rows == 1 else 6.2)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.add_gridspec(rows, len(halves), height_ratios=[2, 1][:rows])
    limits = _gain_limits(halves, bound)
    worst = max(halves, key=lambda curves: float(np.max(curves.gains[2])))
    for column, curves in enumerate(halves):
        panels = [figure.add_subplot(grid[row, column]) for row in range(rows)]
        _draw_gains(panels[0], curves, dt, bound)
        if curves is worst:
            _mark_peak(panels[0], curves, dt)
        panels[0].set_ylim(*limits)
        mark_decades(panels[0].yaxis, *limits)
        if curves.phases is not None:
            _draw_phases(panels[1], curves, dt)
        low, high = curves.frequencies[0] / dt, curves.frequencies[-1] / dt
        for panel in panels:
            panel.set_xlim(low, high if high > low else 10 * low)
            mark_decades(panel.xaxis, *panel.get_xlim())
            if curves.negative:
                panel.invert_xaxis()
        sign = "negative frequency" if curves.negative else "frequency"
        end = f"; Nyquist frequency {math.pi / dt:.4g}" if nyquist else ""
        panels[-1].set_xlabel(f"{sign} (rad/s{end})")
    labels = ("gain (absolute)", "phase (degrees)")[:rows]
    for panel, label in zip(figure.axes[:rows], labels, strict=True):
        panel.set_ylabel(label)
    found = [panel.get_legend_handles_labels() for panel in figure.axes]
    entries = {
        label: h for hs, names in found for h, label in zip(hs, names, strict=True)
    }
    figure.legend(
        list(entries.values()),
        list(entries),
        frameon=False,
        loc="outside upper center",
        ncols=2,
    )
    return figure


def _draw_gains(panel: Axes, curves: _Curves, dt: float, bound: float | None) -> None:
    make_plain(panel)
    panel.set_xscale("log")
    panel.set_yscale("log")
    w, several = curves.frequencies / dt, curves.gains[0].shape[1] > 1
    names = ("full", "reduced")
    styles = ((FULL, "-", 2.2), (REDUCED, "--", 1.5))
    drawn = zip(names, curves.gains[:2], styles, strict=True)
    for name, gains, (colour, line, width) in drawn:
        label = f"{name}: largest singular value" if several else name
        panel.plot(w, gains[:, 0], line, color=colour, linewidth=width, label=label)
        if several:
            label = f"{name}: smallest"
            thin = 0.45 * width
            panel.plot(w, gains[:, -1], line, color=colour, linewidth=thin, label=label)
    error = curves.gains[2][:, 0]
    panel.plot(w, error, color=ERROR, linewidth=1.2, label="error (full - reduced)")
    if bound is not None:
        label = f"bound on the error: {bound:.3g}"
        panel.axhline(bound, color=INK, linestyle="-.", linewidth=1.3, label=label)


def _mark_peak(panel: Axes, curves: _Curves, dt: float) -> None:
    error = curves.gains[2][:, 0]
    peak = int(np.argmax(error))
    w = float(curves.frequencies[peak]) / dt
    signed = -w if curves.negative else w
    label = f"largest error drawn: {error[peak]:.3g} at {signed:.3g} rad/s"
    panel.plot([w], [error[peak]], "o", color=ERROR, label=label)


def _draw_phases(panel: Axes, curves: _Curves, dt: float) -> None:
    make_plain(panel)
    panel.set_xscale("log")
    w = curves.frequencies / dt
    assert curves.phases is not None  # noqa: S101 - narrows the type
    full, reduced = (np.degrees(phase) for phase in curves.phases)
    panel.plot(w, full, color=FULL, linewidth=2.2)
    panel.plot(w, reduced, "--", color=REDUCED, linewidth=1.5)
    angles = np.concatenate([full, reduced])
    span = float(np.ptp(angles[np.isfinite(angles)])) if np.any(angles == angles) else 0
    step = next((s for s in (45, 90, 180, 360, 720) if span < 6 * s), 1440)
    panel.yaxis.set_major_locator(MultipleLocator(step))


def _gain_limits(halves: list[_Curves], bound: float | None) -> tuple[float, float]:
    """Range of gains that holds all that matters, whatever rounding leaves below."""
    responses = np.concatenate([g for c in halves for g in c.gains[:2]], axis=None)
    errors = np.concatenate([c.gains[2][:, 0] for c in halves])
    top = max(float(np.max(responses)), float(np.max(errors)), bound or 0.0)
    lowest = float(np.max(errors)) or top
    drawn = np.concatenate([responses, errors])
    positive = float(np.min(drawn[drawn > 0], initial=top))
    floor = min(_SMALLEST_SHARE * top, _BELOW_ERROR * lowest)
    return max(positive, floor) / 2 or 0.5, 3 * top or 2.0
