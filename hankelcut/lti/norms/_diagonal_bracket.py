r"""Certified bracket of the H-infinity norm of diagonal systems.

**Method.** Branch and bound on the unit circle: arcs whose bound (`_arc_bounds`)
exceeds the best evaluation by more than the tolerance are divided. Before any is
evaluated, arcs next to poles that matter are divided by estimates of the remainder.
Continuous systems are mapped to the circle by a Cayley transform (`_circle`).

**Numerical aspects.** Certified up to the rounding of the evaluations, a bound of which
is part of the upper end. No eigenvalue problem, no iteration that can miss a peak.
"""

import math
import warnings
from dataclasses import dataclass

from hankelcut import _array
from hankelcut._errors import NumericalWarning
from hankelcut._typing import Array, Namespace
from hankelcut.lti.norms._arc_bounds import arc_bounds, gains_at
from hankelcut.lti.norms._circle import Circle, circle_of
from hankelcut.lti.systems.conversions import conjugate_closure, detached
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace

__all__ = ["DiagonalBracket", "bracket_diagonal", "bracket_on_circle"]

_FIRST_ARCS = 32
_MAX_EVALUATIONS = 200_000
# Parts of an arc whose bound is too large; halves take fewer evaluations, more rounds.
_PARTS = 4
# Arcs are divided unevaluated while the remainder may exceed this share of the norm.
_SHARE = 0.3
_MOST_ROUNDS = 24
_MOST_UNEVALUATED = 4096


@dataclass(frozen=True)
class DiagonalBracket:
    """Bracket of one norm.

    Parameters
    ----------
    lower, upper, frequency : float
        As in `HinfBracket`.
    finished : bool
        Whether the width was met before the work limit.
    evaluations : int
        Number of arcs evaluated.
    """

    lower: float
    upper: float
    frequency: float
    finished: bool
    evaluations: int


def bracket_diagonal(
    system: DiagonalStateSpace, rtol: float
) -> tuple[Array, Array, Array]:
    """Bracket the H-infinity norm of a stable diagonal system with finite entries.

    Parameters
    ----------
    system : DiagonalStateSpace
        A real readout is taken as the real map it is.
    rtol : float
        Width wanted: upper <= (1 + rtol) lower, rounding apart.

    Returns
    -------
    lower, upper, frequency : (...) arrays
        As in `HinfBracket`, in double precision.

    Warns
    -----
    NumericalWarning
        If the work limit is met first; the bracket is then wider, and still valid.
    """
    system = detached(system)
    symmetric = system.readout != "complex"
    closed = _in_double(conjugate_closure(system) if symmetric else system)
    found = [
        bracket_on_circle(closed[index], rtol, _MAX_EVALUATIONS, symmetric=symmetric)
        for index in _array.batch_indices(system)
    ]
    for item in found:
        if not item.finished:
            msg = f"hinf_norm: stopped after {item.evaluations} evaluations with the "
            msg += f"bracket [{item.lower:.6g}, {item.upper:.6g}]; it is valid but "
            msg += f"wider than rtol={rtol:g}"
            warnings.warn(msg, NumericalWarning, stacklevel=3)
    lower, upper, frequency = (
        _array.from_list(values, system.batch_shape, closed.B)
        for values in (
            [item.lower for item in found],
            [item.upper for item in found],
            [item.frequency for item in found],
        )
    )
    return lower, upper, frequency


def bracket_on_circle(
    system: DiagonalStateSpace, rtol: float, most_evaluations: int, *, symmetric: bool
) -> DiagonalBracket:
    """Bracket the H-infinity norm of one diagonal system in double precision.

    Parameters
    ----------
    system : DiagonalStateSpace
        Stable, with complex readout and finite entries.
    rtol : float
        Width wanted: upper <= (1 + rtol) lower, rounding apart.
    most_evaluations : int
        The work limit.
    symmetric : bool
        Whether the gains at negative frequencies are those at positive ones, which
        alone are then searched.
    """
    if min(system.n_inputs, system.n_outputs) == 0:
        return DiagonalBracket(0.0, 0.0, 0.0, True, 0)
    return _bracket_one(circle_of(system), rtol, most_evaluations, symmetric=symmetric)


def _in_double(system: DiagonalStateSpace) -> DiagonalStateSpace:
    """Widen a system to double precision, for the range of powers of distances."""
    xp = _array.namespace(system.B)
    fields = (system.exponents, system.B, system.C, system.D)
    exponents, B, C, D = (xp.astype(field, xp.complex128) for field in fields)
    return DiagonalStateSpace(exponents, B, C, D, system.time)


def _bracket_one(
    circle: Circle, rtol: float, most_evaluations: int, *, symmetric: bool
) -> DiagonalBracket:
    xp, poles, lower, point = circle.xp, circle.poles, 0.0, 0.0
    nearest = poles.nearest[poles.angles >= 0] if symmetric else poles.nearest
    if nearest.shape[0] > 0:
        lower, point = _best(xp, nearest, gains_at(circle, nearest))
    centres, halves = _first_arcs(circle, lower, 0.0 if symmetric else -math.pi)
    upper, evaluations = 0.0, 0
    while centres.shape[0] > 0 and evaluations <= most_evaluations:
        enough = (1 + rtol) * lower
        values, bounds, roundings = arc_bounds(circle, centres, halves, enough)
        evaluations += int(centres.shape[0])
        best, where = _best(xp, poles.points(centres), values)
        if best > lower:
            lower, point = best, where
        floor = xp.maximum(roundings, 0 * roundings + lower)
        # Also what is not a number stays open.
        open_arcs = ~(bounds - roundings <= (1 + rtol) * floor)
        left = float(xp.max(bounds))
        upper = max(upper, float(xp.max(xp.where(open_arcs, 0 * bounds, bounds))))
        centres, halves = _divided(xp, centres[open_arcs], halves[open_arcs], _PARTS)
    finished = centres.shape[0] == 0
    upper = circle.scale * max(lower, upper, 0.0 if finished else left)
    where = poles.frequency(point)
    return DiagonalBracket(circle.scale * lower, upper, where, finished, evaluations)


def _first_arcs(circle: Circle, lower: float, start: float) -> tuple[Array, Array]:
    """Arcs from an angle to pi, the smaller the closer the poles that matter are."""
    xp, angles, norms = circle.xp, circle.poles.angles, circle.residue_norms
    steps = _array.to_real(_array.zeros((_FIRST_ARCS,), circle.B)) + 1
    halves = steps * ((math.pi - start) / (2 * _FIRST_ARCS))
    centres = start + (2 * xp.cumulative_sum(halves) - halves)
    if lower == 0:
        return centres, halves
    narrow = []
    for _ in range(_MOST_ROUNDS):
        apart = xp.abs(angles - centres[:, None])
        apart = xp.minimum(apart, 2 * math.pi - apart) - halves[:, None]
        distance = xp.maximum(apart, xp.zeros_like(angles)) + circle.margins / 2
        ratios = halves[:, None] / (distance + halves[:, None])
        cubes = ratios * ratios * ratios
        remainders = xp.vecdot(norms / distance, cubes * cubes)
        wide = remainders > _SHARE * lower
        narrow.append((centres[~wide], halves[~wide]))
        centres, halves = _divided(xp, centres[wide], halves[wide], 2)
        if not 0 < centres.shape[0] <= _MOST_UNEVALUATED:
            break
    arcs = zip(*narrow, (centres, halves), strict=True)
    centres, halves = (xp.concat(list(parts)) for parts in arcs)
    return centres, halves


def _divided(
    xp: Namespace, centres: Array, halves: Array, parts: int
) -> tuple[Array, Array]:
    halves = halves / parts
    offsets = [(2 * k + 1 - parts) * halves for k in range(parts)]
    centres = xp.concat([centres + offset for offset in offsets])
    return centres, xp.concat([halves] * parts)


def _best(xp: Namespace, points: Array, values: Array) -> tuple[float, float]:
    k = int(xp.argmax(values))
    return float(values[k]), float(points[k])
