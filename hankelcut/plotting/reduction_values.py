"""Picture of the values by which a reduction chose its order."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from hankelcut import _array
from hankelcut._errors import InvalidSystemError
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.sparse_state_space import SparseStateSpace
from hankelcut.plotting._drawable import Matrix
from hankelcut.plotting._style import (
    DISCARDED,
    ERROR,
    FULL,
    INK,
    mark_decades,
    require_some,
    row_of_panels,
)
from hankelcut.reduction.result import ReductionResult

__all__ = ["bounds_by_kept_values", "kept_values", "plot_reduction_values"]

# Values below this share of the largest are rounding.
_SMALLEST_SHARE = 1e-16
# More values than this are points: bars would melt into each other.
_MOST_BARS = 60
# How far the bound of the chosen order may be from twice the tail, for the curve.
_SAME_BOUND = 0.01


def plot_reduction_values(result: ReductionResult) -> Figure:
    """Draw the characteristic values, kept and discarded, and the error bound.

    Parameters
    ----------
    result : ReductionResult
        Reduction of a single system.

    Returns
    -------
    Figure
        One panel with a logarithmic axis: a bar or point for each value, the bound of
        every order where it is twice the sum of the discarded values, and the bound of
        the chosen order. Values below 1e-16 of the largest are left out.

    Raises
    ------
    InvalidSystemError
        If a stack of systems was reduced.
    ValueError
        If there are no values.

    Examples
    --------
    >>> import hankelcut as hc
    >>> plant = hc.StateSpace([[-1.0, 0.0], [0.0, -50.0]], [[1.0], [1.0]], [[1.0, 1.0]])
    >>> figure = plot_reduction_values(hc.balanced_truncation(plant, order=1))
    >>> figure.axes[0].get_ylabel()
    'gain (absolute)'
    """
    if result.full.batch_shape:
        msg = (
            f"plot_reduction_values: got a stack of shape {result.full.batch_shape}, "
            "need the reduction of one system"
        )
        raise InvalidSystemError(msg)
    values = _array.to_numpy(result.characteristic_values)
    require_some(values.tolist(), result.values_name)
    kept = kept_values(result)
    figure, (panel,) = row_of_panels(1)
    panel.set_yscale("log")
    floor = float(values[0]) * _SMALLEST_SHARE
    shown = int(np.sum(values > floor))
    _draw_values(panel, values[:shown], kept, result.values_name)
    curve = bounds_by_kept_values(result)
    if curve is not None:
        orders = np.flatnonzero(curve > floor)
        label = "error bound of a model that keeps k values"
        panel.plot(orders, curve[orders], "-", color=ERROR, linewidth=1.5, label=label)
    bound = None if result.error_bound is None else float(result.error_bound)
    if bound:
        label = f"bound of the reduced model: {bound:.3g}"
        panel.plot(kept, bound, "D", color=ERROR, markeredgecolor=INK, label=label)
    label = f"cut: {kept} of {len(values)} values kept (order {result.order})"
    panel.axvline(kept + 0.5, color=INK, linestyle=":", linewidth=1.3, label=label)
    panel.set_xlim(-0.5, max(shown, kept) + 1)
    panel.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    panel.set_xlabel("number k of the value")
    plain = result.values_name == "Hankel singular values"
    panel.set_ylabel("gain (absolute)" if plain else "value (absolute)")
    mark_decades(panel.yaxis, *panel.get_ylim())
    figure.legend(frameon=False, loc="outside upper center", ncols=2)
    return figure


def kept_values(result: ReductionResult) -> int:
    """Return how many of the characteristic values a reduced model keeps.

    Parameters
    ----------
    result : ReductionResult
        Reduction of a single system. Unstable states that were kept have no value;
        a stored state of a real readout has up to two, which the bound tells.

    Returns
    -------
    kept : int
        From 0 to the number of values.
    """
    full, total = result.full, int(result.characteristic_values.shape[-1])
    if isinstance(full, SparseStateSpace):
        return result.order
    states = full.n_states
    if isinstance(full, DiagonalStateSpace) and full.readout != "complex":
        if isinstance(result.system, DiagonalStateSpace) and total > states:
            tails, bound = _twice_the_tails(result), result.error_bound
            meeting = np.flatnonzero(tails <= float(bound))
            return min(int(meeting[0]), 2 * result.order)
        states *= 2
    return min(max(result.order - max(states - total, 0), 0), total)


def bounds_by_kept_values(result: ReductionResult) -> Matrix | None:
    """Return the error bounds of models that keep 0, ..., N values.

    Parameters
    ----------
    result : ReductionResult
        Reduction of a single system.

    Returns
    -------
    bounds : (N + 1,) array or None
        Twice the sums of the discarded values, if that is the bound of the method.
    """
    if result.error_bound is None:
        return None
    tails, kept = _twice_the_tails(result), kept_values(result)
    same = np.isclose(tails[kept], float(result.error_bound), rtol=_SAME_BOUND)
    return tails if same else None


def _twice_the_tails(result: ReductionResult) -> Matrix:
    values = _array.to_numpy(result.characteristic_values).astype(float)
    return 2 * np.concatenate([np.cumsum(values[::-1])[::-1], [0.0]])


def _draw_values(panel: Axes, values: Matrix, kept: int, name: str) -> None:
    numbers = np.arange(1, len(values) + 1)
    parts = (("kept", slice(kept), FULL), ("discarded", slice(kept, None), DISCARDED))
    for what, part, colour in parts:
        if not values[part].size:
            continue
        label = f"{name}, {what}"
        if len(values) <= _MOST_BARS:
            panel.bar(numbers[part], values[part], 0.75, color=colour, label=label)
        else:
            panel.plot(numbers[part], values[part], ".", color=colour, label=label)
