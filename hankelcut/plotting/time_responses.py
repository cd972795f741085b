"""Pictures of responses in time: the reduced model on top of the full system."""

from dataclasses import dataclass, replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from hankelcut._errors import InvalidSystemError
from hankelcut.lti.responses.impulse_response import impulse_response
from hankelcut.lti.systems.discretization import discretize
from hankelcut.lti.systems.signal_names import SignalNames
from hankelcut.lti.systems.sparse_state_space import SparseStateSpace
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.lti.systems.time_domain import Continuous
from hankelcut.plotting._drawable import (
    Matrix,
    System,
    drawable_pair,
    seconds_per_sample,
)
from hankelcut.plotting._style import FULL, REDUCED, make_plain
from hankelcut.plotting._time_grid import time_grid

__all__ = ["plot_impulse_responses", "plot_step_responses"]

_MOST_ROWS = 3
# Up to this many samples are drawn as steps.
_FEW_SAMPLES = 200
# A channel that moves by less than this share of its range has settled; it is shown
# for that long and a bit, if that is much shorter than the others take.
_STILL, _AFTER_SETTLING, _SHORTEST, _MUCH_SHORTER = 0.005, 1.3, 0.05, 0.5
_IMPULSE = "output for a unit impulse"


@dataclass(frozen=True)
class _Channel:
    """From one input to one output: what it is called, and both responses."""

    title: str
    full: Matrix
    reduced: Matrix


def plot_impulse_responses(
    full: System, reduced: System, *, duration: float | None = None
) -> Figure:
    """Draw the impulse responses of a system and of its reduced model.

    Parameters
    ----------
    full, reduced : StateSpace or DiagonalStateSpace
        Single systems with the same time domain, inputs and outputs.
    duration : float, optional
        Seconds to draw. By default until the modes of the reduced model have fallen to
        1 % of the largest, or an unstable one has grown a hundredfold; less where fast
        oscillations would need more than 4,000 instants.

    Returns
    -------
    Figure
        A panel for every input and output, or for the nine channels with the largest
        responses; real and imaginary parts of complex outputs have panels of their own.
        The feedthrough of a continuous system, an impulse at 0, is not drawn.

    Raises
    ------
    InvalidSystemError
        If a system is sparse, a stack, or has no input or output, or both are not
        alike.
    ValueError
        If `duration` is not positive.

    Examples
    --------
    >>> import hankelcut as hc
    >>> plant = hc.StateSpace([[-1.0, 0.0], [0.0, -50.0]], [[1.0], [1.0]], [[1.0, 1.0]])
    >>> model = hc.balanced_truncation(plant, order=1).system
    >>> plot_impulse_responses(plant, model).axes[0].get_xlabel()
    'time (s)'
    """
    return _plot("plot_impulse_responses", full, reduced, duration, step_input=False)


def plot_step_responses(
    full: System, reduced: System, *, duration: float | None = None
) -> Figure:
    """Draw the step responses of a system and of its reduced model.

    Parameters
    ----------
    full, reduced, duration
        As in `plot_impulse_responses`.

    Returns
    -------
    Figure
        As `plot_impulse_responses`, of inputs that are 0 before and 1 after time 0.

    Raises
    ------
    InvalidSystemError, ValueError
        As `plot_impulse_responses`.

    Examples
    --------
    >>> import hankelcut as hc
    >>> plant = hc.StateSpace([[-1.0, 0.0], [0.0, -50.0]], [[1.0], [1.0]], [[1.0, 1.0]])
    >>> model = hc.balanced_truncation(plant, order=1).system
    >>> float(plot_step_responses(plant, model, duration=5.0).axes[0].get_xlim()[1])
    5.0
    """
    return _plot("plot_step_responses", full, reduced, duration, step_input=True)


def _plot(
    caller: str,
    full: System,
    reduced: System,
    duration: float | None,
    *,
    step_input: bool,
) -> Figure:
    pair = drawable_pair(caller, full, reduced)
    first, second = pair
    if isinstance(first, SparseStateSpace) or isinstance(second, SparseStateSpace):
        msg = f"{caller}: got a sparse system, need a dense one; convert it by "
        raise InvalidSystemError(msg + "to_dense(), or plot_singular_value_response")
    if min(first.n_inputs, first.n_outputs) == 0:
        msg = f"{caller}: got a system without inputs or outputs, need one of each"
        raise InvalidSystemError(msg)
    if duration is not None and not duration > 0:
        msg = f"{caller}: got duration={duration!r}, need a positive number of seconds"
        raise ValueError(msg)
    dt = seconds_per_sample(first.time)
    samples = None if duration is None else duration / dt
    step, count = time_grid(second, samples, step_input=step_input)
    responses = [_response(s, step, count, step_input) for s in (first, second)]
    instants = np.arange(count) * step * dt
    channels = _channels(responses, first.names)
    rows = _rows_of_panels(channels)
    figure = _draw(
        rows,
        instants,
        steps=not isinstance(first.time, Continuous),
        whole=duration is not None,
    )
    figure.supylabel("output for a unit step" if step_input else _IMPULSE, fontsize=10)
    total, shown = sum(map(len, channels)), sum(map(len, rows))
    if shown < total:
        # A title of the figure would lie on the legend.
        figure.legends[0].set_title(f"the {shown} largest of {total} channels")
    return figure


def _response(system: StateSpace, step: float, count: int, step_input: bool) -> Matrix:
    """Response at every instant, (T, p, m); exact, whatever the step."""
    if not isinstance(system.time, Continuous):
        samples = np.asarray(impulse_response(system, n_samples=count))
        return np.cumsum(samples, axis=0) if step_input else samples
    held = discretize(system, step)
    if step_input:
        return np.cumsum(impulse_response(held, n_samples=count), axis=0)
    # C exp(A h)^k B: the samples after the first of a system with the B of the impulse.
    powers = replace(held, B=system.B, D=0 * system.D)
    return np.asarray(impulse_response(powers, n_samples=count + 1))[1:]


def _channels(responses: list[Matrix], names: SignalNames) -> list[list[_Channel]]:
    """All channels, a row for each output; complex outputs become two real ones."""
    _, p, m = responses[0].shape
    inputs, outputs = _named(names.inputs, "u", m), _named(names.outputs, "y", p)
    if any(np.iscomplexobj(response) for response in responses):
        responses = [np.concatenate([y.real, y.imag], axis=1) for y in responses]
        outputs = [f"{part} {y}" for part in ("Re", "Im") for y in outputs]
    return [
        [
            _Channel(f"{u} → {y}", responses[0][:, i, j], responses[1][:, i, j])
            for j, u in enumerate(inputs)
        ]
        for i, y in enumerate(outputs)
    ]


def _rows_of_panels(channels: list[list[_Channel]]) -> list[list[_Channel]]:
    """All channels if they fit on a page, else the nine largest."""
    if len(channels) <= _MOST_ROWS and len(channels[0]) <= _MOST_ROWS:
        return channels
    flat = [channel for row in channels for channel in row]
    flat.sort(key=lambda channel: -float(np.max(np.abs(channel.full))))
    starts = range(0, min(len(flat), _MOST_ROWS**2), _MOST_ROWS)
    return [flat[k : k + _MOST_ROWS] for k in starts]


def _named(names: tuple[str, ...] | None, letter: str, count: int) -> list[str]:
    """Names of signals, numbered where there are none."""
    given = names or ("",) * count
    return [name or f"{letter}{k + 1}" for k, name in enumerate(given)]


def _draw(
    rows: list[list[_Channel]], instants: Matrix, *, steps: bool, whole: bool
) -> Figure:
    """Draw a panel for every channel, the reduced model on top of the full system."""
    columns = max(len(row) for row in rows)
    width, height = (7.5, 4.2) if len(rows) == columns == 1 else (3.7, 2.5)
    size = (max(width * columns, 7.0), max(height * len(rows) + 0.6, 3.6))
    figure = Figure(figsize=size, layout="constrained")
    few = steps and len(instants) <= _FEW_SAMPLES
    for i, row in enumerate(rows):
        for j, channel in enumerate(row):
            panel = figure.add_subplot(len(rows), columns, i * columns + j + 1)
            _draw_channel(panel, channel, instants, "steps-post" if few else "default")
            end = instants[-1] if whole else _settled(channel, instants)
            panel.set_xlim(0.0, float(end))
            if i == len(rows) - 1 or j >= len(rows[i + 1]):
                panel.set_xlabel("time (s)")
    handles = [
        Line2D([], [], color=FULL, linewidth=2.4, label="full"),
        Line2D([], [], color=REDUCED, linestyle="--", label="reduced"),
    ]
    figure.legend(handles=handles, frameon=False, loc="outside upper center", ncols=2)
    return figure


def _draw_channel(panel: Axes, channel: _Channel, instants: Matrix, style: str) -> None:
    make_plain(panel)
    looks = ((channel.full, FULL, "-", 2.4), (channel.reduced, REDUCED, "--", 1.4))
    for values, colour, line, width in looks:
        panel.plot(
            instants, values, line, color=colour, linewidth=width, drawstyle=style
        )
    difference = float(np.max(np.abs(channel.full - channel.reduced)))
    title = f"{channel.title}, largest difference {difference:.2g}"
    panel.set_title(title, fontsize=9)


def _settled(channel: _Channel, instants: Matrix) -> float:
    """Time to show of a channel that has settled long before the others."""
    moving = [
        np.abs(y - y[-1]) > _STILL * np.ptp(y) for y in (channel.full, channel.reduced)
    ]
    last = int(np.max(np.flatnonzero(moving[0] | moving[1]), initial=0))
    part = max(_AFTER_SETTLING * last / len(instants), _SHORTEST)
    return float(instants[-1]) * (part if part < _MUCH_SHORTER else 1.0)
