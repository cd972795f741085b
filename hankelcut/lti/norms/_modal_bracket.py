r"""Certified bracket of the H-infinity norm of a dense system from its diagonal form.

**Method.** Branch and bound of the diagonal form (`_diagonal_bracket`), both ends moved
outwards by the proven distance of the responses (`_modal_form`). The largest gain
found is refined on ever finer grids around it. Systems whose eigenvectors are too
ill-conditioned, or whose norm is lost in the rounding of the diagonal form, have no
such bracket.

**Numerical aspects.** One eigenvalue problem of size n, or of its uncoupled parts, and
O(n p m) for each of some hundred arcs.
"""

import math
from dataclasses import dataclass

import numpy as np

from hankelcut.lti.norms._bounded_real_frame import System
from hankelcut.lti.norms._diagonal_bracket import bracket_on_circle
from hankelcut.lti.norms._level_set import DenseBracket, gain_at, normalized
from hankelcut.lti.norms._modal_form import ModalForm, modal_form
from hankelcut.lti.norms._modal_h2 import h2_of_modes
from hankelcut.lti.responses._schur_response import boundary
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.time_domain import Continuous

__all__ = ["ModalBracket", "bracket_modal"]

_TINY = float(np.finfo(float).tiny)
# Entries of the response up to which branch and bound is cheaper than level sets.
_MOST_ENTRIES = 16
# Work limits, per state; level sets take about as long.
_MOST_EVALUATIONS = 200
# Shares of the width for the distance of the responses; the rest is for branch and
# bound, which is done again where the first does not leave enough.
_SHARES = (0.05, 0.2)
# The response of the diagonal form serves as lower end if its distance from the true
# one is below this share of the width.
_CLOSE = 2e-3
_REFINEMENT_POINTS = 17
_REFINEMENTS = 12
# A grid this flat around its best point has the peak, to this share of the width.
_REFINED = 1e-6
_FLAT = 1e-13


@dataclass(frozen=True, eq=False)
class ModalBracket:
    """Bracket of one norm, and the diagonal form that it comes from.

    Parameters
    ----------
    bracket : DenseBracket
        Of the H-infinity norm.
    form : ModalForm
        The diagonal form in units in which all entries are about 1.
    rate, gain : int
        Exponents: frequencies and gains of the system are 2 to them times those of the
        form.
    """

    bracket: DenseBracket
    form: ModalForm
    rate: int
    gain: int

    def h2_norm(self, rtol: float) -> float | None:
        """H2 norm, or None where it is not proven to be right to a relative error.

        Parameters
        ----------
        rtol : float
            The largest relative error.
        """
        # What overflows proves nothing.
        with np.errstate(over="ignore", invalid="ignore"):
            norm = h2_of_modes(self.form, rtol)
        if norm is None:
            return None
        # In continuous time, an integral over frequencies.
        rate = self.rate if isinstance(self.form.time, Continuous) else 0
        try:
            return math.ldexp(norm * math.sqrt(1 + rate % 2), self.gain + rate // 2)
        except OverflowError:
            return None


def bracket_modal(system: System, rtol: float) -> ModalBracket | None:
    """Bracket the H-infinity norm of one system that has a diagonal form.

    Parameters
    ----------
    system : System
        With finite entries; not modified. It is stable if there is a result.
    rtol : float
        Width wanted: upper <= (1 + rtol) lower.

    Returns
    -------
    ModalBracket or None
        None where the diagonal form does not yield a bracket of this width.
    """
    n, entries = system.A.shape[0], system.D.size
    if n == 0 or not (np.any(system.B) and np.any(system.C)):
        return None
    if entries > max(n, _MOST_ENTRIES):
        return None
    scaled, rate, gain = normalized(system)
    # What overflows proves nothing.
    with np.errstate(over="ignore", invalid="ignore"):
        form = modal_form(scaled)
        found = None if form is None else _bracket_of_form(form, scaled, rtol)
    if form is None or found is None:
        return None
    lower, upper, frequency = found
    lower, upper = math.ldexp(lower, gain), math.ldexp(upper, gain)
    bracket = DenseBracket(lower, upper, math.ldexp(frequency, rate))
    return ModalBracket(bracket, form, rate, gain)


def _bracket_of_form(
    form: ModalForm, system: System, rtol: float
) -> tuple[float, float, float] | None:
    system_of_form, most = _diagonal_system(form), _MOST_EVALUATIONS * len(form.poles)
    real = not system.is_complex
    for share in _SHARES:
        width = (1 - 4 * share) * rtol
        found = bracket_on_circle(system_of_form, width, most, symmetric=real)
        room = rtol * found.lower
        if not (found.finished and form.distance <= _SHARES[-1] * room):
            return None
        if form.distance <= share * room:
            break
    gain, frequency = _refined(system, form, found.frequency, rtol)
    lower = gain - form.distance
    if form.distance > _CLOSE * rtol * gain:
        lower = gain_at(system, frequency)
    upper = max(found.upper + form.distance, lower)
    if not upper <= (1 + rtol) * lower:
        return None
    return lower, upper, frequency


def _diagonal_system(form: ModalForm) -> DiagonalStateSpace:
    exponents = form.poles
    if not isinstance(form.time, Continuous):
        modulus = np.log(np.maximum(np.abs(form.poles), _TINY))
        exponents = modulus + 1j * np.angle(form.poles)
    D = form.D.astype(complex)
    return DiagonalStateSpace(exponents, form.B, form.C, D, form.time)


def _refined(
    system: System, form: ModalForm, frequency: float, rtol: float
) -> tuple[float, float]:
    """Largest gain around a frequency, at 0 (and pi) and at infinity."""
    continuous, real = isinstance(form.time, Continuous), not system.is_complex
    ends = np.array([0.0] if continuous else [0.0, math.pi])
    gains = form.gains(ends)
    best, where = float(np.max(gains)), float(ends[np.argmax(gains)])
    at_infinity = float(np.linalg.norm(form.D, 2)) if continuous else 0.0
    if at_infinity >= best:
        best, where = at_infinity, math.inf
    point = boundary(np.array([frequency]), form.time)
    spacing = float(np.min(np.abs(point - form.poles))) / 4
    for _ in range(_REFINEMENTS):
        grid = np.linspace(frequency - spacing, frequency + spacing, _REFINEMENT_POINTS)
        gains = form.gains(grid)
        k = int(np.argmax(gains))
        frequency, spacing = float(grid[k]), 2 * spacing / (_REFINEMENT_POINTS - 1)
        around = gains[max(k - 1, 0) : k + 2]
        if gains[k] - np.min(around) <= max(_FLAT, _REFINED * rtol) * gains[k]:
            break
    if gains[k] <= (1 + _FLAT) * best:
        return best, where
    if not continuous:
        frequency = math.remainder(frequency, 2 * math.pi)
    return float(gains[k]), abs(frequency) if real else frequency
