r"""Certified bracket of the H-infinity norm of one dense system.

**Method.** The largest gain found at the frequencies of the poles, and by refinement
around it, is the lower end; a level just above it is to be proven
(`_bounded_real_frame`). Where the proof fails, the eigenvalues of its Hamiltonian
matrix say next to which frequencies the gain may cross the level (Boyd &
Balakrishnan, Systems & Control Letters 15, 1990, p. 1; Bruinsma & Steinbuch, ibid. 14,
1990, p. 287): the gain is evaluated there and between them. A larger one starts over;
without one, other coordinates and then wider levels are tried. A peak that the
eigenvalues miss costs width, never truth. The last resort is the a-priori bound
:math:`\|D\| + 2 \sum \sigma_k`.

**Numerical aspects.** O(n^3), mostly the Schur form of a matrix of size 2 n for each
level. The lower end has the rounding of an LU solve at its frequency.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from hankelcut.lti.norms._bounded_real_certificate import enclose, middle
from hankelcut.lti.norms._bounded_real_frame import (
    Frame,
    System,
    gramian_factors_of,
    own_frame,
    times_power_of_two,
)
from hankelcut.lti.norms._enclosure import Enclosure, Matrix
from hankelcut.lti.responses._schur_response import (
    SchurResponse,
    balancing_gauge,
    boundary,
)
from hankelcut.lti.systems.time_domain import Continuous

__all__ = ["DenseBracket", "bracket_dense", "gain_at", "normalized"]

_EPS = float(np.finfo(float).eps)
# Poles, the least damped first, at whose frequencies the search begins.
_FIRST_POLES = 256
_REFINEMENTS = 12
_REFINEMENT_POINTS = 17
# A grid this flat, relatively, around its best point has the peak to all digits.
_FLAT = 1e-13
_MOST_LEVELS = 60
_WIDEST = 10.0
# A larger gain is worth another level if it takes this share of the width.
_WORTHWHILE = 0.01
_ROUNDINGS = 10.0


@dataclass(frozen=True)
class DenseBracket:
    """Bracket of one norm.

    Parameters
    ----------
    lower, upper, frequency : float
        As in `HinfBracket`.
    certified : bool
        Whether the upper end is proven, rather than the a-priori bound.
    closed : bool
        Whether the bracket is as narrow as asked, up to rounding.
    """

    lower: float
    upper: float
    frequency: float
    certified: bool = True
    closed: bool = True


@dataclass(frozen=True)
class _Peak:
    """Largest gain found so far."""

    gain: float
    frequency: float


@dataclass(frozen=True, eq=False)
class _Search:
    """A system, its response, and the frequencies next to which its poles are."""

    system: System
    response: SchurResponse
    frequencies: Matrix

    @classmethod
    def of(cls, system: System) -> "_Search":
        """Prepare the search for the largest gain of a system."""
        response = SchurResponse.of(system.A, system.B, system.C, system.D, system.time)
        frequencies = _first_frequencies(response, real=not system.is_complex)
        return cls(system, response, frequencies)


def bracket_dense(system: System, rtol: float) -> DenseBracket:
    """Bracket the H-infinity norm of one stable system.

    Parameters
    ----------
    system : System
        Stable system with finite entries; not modified.
    rtol : float
        Width wanted: upper <= (1 + rtol) lower, rounding apart.
    """
    norm = _spectral_norm(system.D)
    rounded_up = norm * (1 + _ROUNDINGS * sum(system.D.shape) * _EPS)
    if not (np.any(system.B) and np.any(system.C)):
        return DenseBracket(norm, rounded_up, 0.0)
    scaled, rate, gain = normalized(system)
    # What overflows is no gain and proves nothing.
    with np.errstate(over="ignore", invalid="ignore"):
        found = _bracket_normalized(scaled, rtol)
    return replace(
        found,
        lower=math.ldexp(found.lower, gain),
        upper=math.ldexp(found.upper, gain),
        frequency=math.ldexp(found.frequency, rate),
    )


def normalized(system: System) -> tuple[System, int, int]:
    """System of balanced states, entries of about 1, and units of time and gain.

    Returns
    -------
    system : System
        With all entries at most about 1.
    rate, gain : int
        Exponents: frequencies and gains of the system are 2 to them times those of the
        new one.
    """
    gauge = np.log2(balancing_gauge(system.A, system.B, system.C)).astype(int)
    A = system.A
    if np.any(gauge != gauge[0]):
        A = times_power_of_two(A, gauge - gauge[:, None])
    B = times_power_of_two(system.B, -gauge[:, None])
    C = times_power_of_two(system.C, gauge)
    rate = 0
    if isinstance(system.time, Continuous):
        rate = _exponent(A)
        A, B = times_power_of_two(A, -rate), times_power_of_two(B, -rate)
    b, c, d = (_exponent(matrix) for matrix in (B, C, system.D))
    gain = max(b + c, d) if np.any(system.D) else b + c
    half = (gain - b - c) // 2
    B, C = times_power_of_two(B, -b - half), times_power_of_two(C, b + half - gain)
    D = times_power_of_two(system.D, -gain)
    return System(A, B, C, D, system.time), rate, gain


def _exponent(matrix: Matrix) -> int:
    """Exponent of the power of two nearest to the largest entry; 0 without one."""
    largest = float(np.max(np.abs(matrix), initial=0.0))
    return round(math.log2(largest)) if largest > 0 else 0


def _bracket_normalized(system: System, rtol: float) -> DenseBracket:
    search = _Search.of(system)
    peak = _climb(search, search.frequencies, _feedthrough_peak(system))
    try:
        frame = own_frame(system, search.response, search.frequencies, peak.gain)
    except np.linalg.LinAlgError:
        upper, allowed = math.inf, 0.0
    else:
        peak, upper = _prove(search, frame, peak, rtol)
        allowed = _ROUNDINGS * frame.rounding if peak.gain < frame.rounding else 0.0
    certified = math.isfinite(upper)
    if not certified:
        upper = _a_priori_bound(system)
    lower = min(peak.gain, upper)
    closed = upper - lower <= max(rtol * lower, allowed)
    return DenseBracket(lower, upper, peak.frequency, certified, closed)


def _first_frequencies(response: SchurResponse, *, real: bool) -> Matrix:
    """Frequencies of the least damped poles, beside them, and 0 (and pi)."""
    poles = np.diagonal(response.T)
    if isinstance(response.time, Continuous):
        centres, widths, ends = poles.imag, -poles.real, [0.0]
        damping = widths / np.maximum(np.abs(poles), np.finfo(float).tiny)
    else:
        centres, widths, ends = np.angle(poles), 1 - np.abs(poles), [0.0, math.pi]
        damping = widths
    kept = np.argsort(damping)[:_FIRST_POLES]
    centres, widths = centres[kept], widths[kept]
    points = np.concatenate([centres, centres - widths, centres + widths, ends])
    return np.unique(np.abs(points) if real else points)


def _feedthrough_peak(system: System) -> _Peak:
    """Gain at infinite frequency, which discrete systems have not."""
    if isinstance(system.time, Continuous):
        return _Peak(_spectral_norm(system.D), math.inf)
    return _Peak(0.0, 0.0)


def _climb(search: _Search, frequencies: Matrix, best: _Peak) -> _Peak:
    """Best of a peak and of what is found at frequencies, then by refinement."""
    points, top = frequencies, _Peak(0.0, 0.0)
    for _ in range(_REFINEMENTS):
        gains = search.response.gains(points)
        k = int(np.argmax(gains))
        if gains[k] > (1 + _FLAT) * top.gain:
            top = _Peak(float(gains[k]), float(points[k]))
        neighbours = slice(max(k - 1, 0), k + 2)
        if gains[k] - np.min(gains[neighbours]) <= _FLAT * gains[k]:
            break
        before, after = points[neighbours][0], points[neighbours][-1]
        grid = np.linspace(before, after, _REFINEMENT_POINTS)
        points = np.unique(np.append(grid, points[k]))
    gain = gain_at(search.system, top.frequency)
    if gain <= best.gain:
        return best
    if isinstance(search.system.time, Continuous):
        return _Peak(gain, top.frequency)
    angle = math.remainder(top.frequency, 2 * math.pi)
    return _Peak(gain, angle if search.system.is_complex else abs(angle))


def _prove(
    search: _Search, frame: Frame, peak: _Peak, rtol: float
) -> tuple[_Peak, float]:
    """Largest gain found and the level proven, infinite if none is."""
    # A little less than asked for, for the rounding of the level itself.
    own, width = True, 0.99 * rtol
    for _ in range(_MOST_LEVELS):
        lost = peak.gain < frame.rounding
        level = peak.gain + width * (frame.rounding / rtol if lost else peak.gain)
        proven, suspects = frame.prove(level, peak.gain)
        if proven:
            return peak, level
        before = peak
        peak = _climb(search, _with_midpoints(suspects, search.system), peak)
        if peak.gain - before.gain > _WORTHWHILE * (level - before.gain):
            continue
        if own:
            own = False
            try:
                frame = frame.balanced(search.response, search.frequencies)
            except np.linalg.LinAlgError:
                width *= 10
        else:
            width *= 10
        if width > _WIDEST:
            break
    return peak, math.inf


def _with_midpoints(points: Matrix, system: System) -> Matrix:
    """Points, 0 (and pi), and those halfway between neighbours, around the circle."""
    if isinstance(system.time, Continuous):
        points = np.unique(np.append(points, 0.0))
    else:
        points = np.unique(np.append(points, [0.0, math.pi]))
        points = np.append(points, points[0] + 2 * math.pi)
    return np.unique(np.concatenate([points, (points[1:] + points[:-1]) / 2]))


def gain_at(system: System, frequency: float) -> float:
    """Largest singular value at one frequency, by a solve with one refinement."""
    if math.isinf(frequency):
        return _spectral_norm(system.D)
    point = boundary(np.array([frequency]), system.time)[0]
    shift = point * np.eye(system.A.shape[0])
    try:
        states = np.linalg.solve(shift - system.A, system.B.astype(complex))
    except np.linalg.LinAlgError:
        # To rounding, a pole next to the boundary may lie on it.
        return 0.0
    z, A, B, C, x = (
        enclose(matrix, as_complex=True)
        for matrix in (shift, system.A, system.B, system.C, states)
    )
    residual = B + -(z @ x) + A @ x
    known = np.where(np.abs(residual.high) > residual.radius, residual.high, 0.0)
    correction = np.linalg.solve(
        shift - system.A, middle(Enclosure.exactly(known), is_complex=True)
    )
    outputs = middle(C @ x, is_complex=True) + system.C @ correction
    return _spectral_norm(outputs + system.D)


def _a_priori_bound(system: System) -> float:
    """Feedthrough plus twice the sum of Hankel singular values with their rounding."""
    Lc, Lo = gramian_factors_of(system)
    sizes = float(np.linalg.norm(Lc)) * float(np.linalg.norm(Lo))
    if not math.isfinite(sizes):
        return math.inf
    values = np.linalg.svd(Lo.conj().T @ Lc, compute_uv=False)
    rounding = _ROUNDINGS * len(system.A) ** 2 * _EPS * sizes
    return _spectral_norm(system.D) + 2 * (float(np.sum(values)) + rounding)


def _spectral_norm(matrix: Matrix) -> float:
    if matrix.size == 0:
        return 0.0
    values = np.linalg.svd(matrix, compute_uv=False)
    return float(values[0])
