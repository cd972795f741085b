"""H-infinity norm, between a gain that the system has and a level that is proven."""

import math
import warnings
from dataclasses import dataclass

import numpy as np

from hankelcut import _array
from hankelcut._errors import IllConditionedError, NumericalWarning
from hankelcut._typing import Array, Namespace
from hankelcut.lti.gramians.gramian_factors import require_solvable
from hankelcut.lti.norms._dense_norms import dense_norms, require_width
from hankelcut.lti.norms._diagonal_bracket import bracket_diagonal
from hankelcut.lti.norms._level_set import DenseBracket
from hankelcut.lti.systems._kinds import require_dense_or_diagonal
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.state_space import StateSpace

__all__ = ["HinfBracket", "bracket_of_items", "hinf_norm"]


@dataclass(frozen=True, eq=False)
class HinfBracket:
    """Bracket lower <= norm <= upper of an H-infinity norm.

    Parameters
    ----------
    lower : (...) real array
        Largest singular value of the response at `frequency`.
    upper : (...) real array
        Certified upper bound over all frequencies, rounding included.
    frequency : (...) real array
        Where `lower` was found: rad/s (continuous, infinite where the feedthrough is
        the peak), radians per sample (discrete).
    certified : bool
        False if `upper` of some batch item is not proven but the a-priori bound, the
        feedthrough and twice the sum of Hankel singular values with an estimate of
        their rounding.
    """

    lower: Array
    upper: Array
    frequency: Array
    certified: bool = True


def hinf_norm(
    system: StateSpace | DiagonalStateSpace, *, rtol: float = 1e-6
) -> HinfBracket:
    r"""Bracket the H-infinity norm :math:`\sup\,\bar\sigma(G)` of a stable system.

    Parameters
    ----------
    system : StateSpace or DiagonalStateSpace
        Stable system; a real readout is taken as the real map it is. Dense systems
        are worked on in the host's memory.
    rtol : float
        Width wanted: upper <= (1 + rtol) lower, rounding apart. Diagonal systems take
        longer for less, dense ones hardly.

    Returns
    -------
    HinfBracket
        One bracket per batch item.

    Raises
    ------
    InvalidSystemError
        If an entry is NaN or infinite, `rtol` is not positive, or a dense system is on
        an accelerator.
    UnstableSystemError
        If a pole is on or outside the stability boundary.
    IllConditionedError
        If the norm of a system in single precision leaves its range.

    Warns
    -----
    NumericalWarning
        If a bracket is wider than asked for: the work limit of diagonal systems is met,
        or the certificate of a dense one needs a wider level, because its poles are
        next to the stability boundary or its state matrix is strongly non-normal. The
        bracket is valid all the same.

    Notes
    -----
    **Method.** Dense systems with well-conditioned eigenvectors and a response of few
    entries: branch and bound over frequency of the diagonal form, both ends moved by a
    proven bound of what that misses, which proves stability too. Other dense ones:
    search at the poles and by the eigenvalues of Hamiltonian matrices (Boyd &
    Balakrishnan, Systems & Control Letters 15, 1990, p. 1; Bruinsma & Steinbuch, ibid.
    14, 1990, p. 287); the upper end is proven by a bounded-real inequality in twice the
    working precision, all rounding included. Diagonal: branch and bound over frequency.
    **Numerical aspects.** O(n^3) once, or per level, and batch item, computed in double
    precision. The lower end is an evaluation, with its rounding.

    Examples
    --------
    >>> import hankelcut as hc
    >>> plant = hc.StateSpace([[0.0, 1.0], [-1.0, -0.02]], [[0.0], [1.0]], [[1.0, 0.0]])
    >>> norm = hc.hinf_norm(plant)  # 1 / (2 d sqrt(1 - d^2)) with damping d = 0.01
    >>> f"{norm.lower:.4f} at {norm.frequency:.4f} rad/s"
    '50.0025 at 0.9999 rad/s'
    >>> bool(norm.upper <= 1.000001 * norm.lower)
    True
    """
    require_dense_or_diagonal("hinf_norm", system)
    if isinstance(system, StateSpace):
        items = dense_norms("hinf_norm", system, rtol)
        return bracket_of_items(system, [item.bracket for item in items], rtol)
    require_width("hinf_norm", rtol)
    require_solvable("hinf_norm", system)
    return _in_precision(system, *bracket_diagonal(system, rtol), certified=True)


def bracket_of_items(
    system: StateSpace, items: list[DenseBracket], rtol: float
) -> HinfBracket:
    """Return the brackets of a stack of dense systems in its arrays.

    Parameters
    ----------
    system : StateSpace
        The systems.
    items : list of DenseBracket
        Their brackets.
    rtol : float
        The width that was wanted.

    Raises
    ------
    IllConditionedError
        If the norm of a system in single precision leaves its range.

    Warns
    -----
    NumericalWarning
        If a bracket is wider.
    """
    _warn_if_wide(system, items, rtol)
    xp = _array.namespace(system.B)
    lower, upper, frequency = (
        xp.asarray(np.reshape(np.array(values, dtype=float), system.batch_shape))
        for values in (
            [item.lower for item in items],
            [item.upper for item in items],
            [item.frequency for item in items],
        )
    )
    certified = all(item.certified for item in items)
    return _in_precision(system, lower, upper, frequency, certified=certified)


def _in_precision(
    system: StateSpace | DiagonalStateSpace,
    lower: Array,
    upper: Array,
    frequency: Array,
    *,
    certified: bool,
) -> HinfBracket:
    """Return brackets that were computed in double precision in that of a system."""
    xp, dtype = _array.namespace(system.B), _array.real_dtype(system.B)
    if dtype == xp.float32:
        # The ends must not be rounded inwards.
        outwards = _array.eps(system.B)
        lower, upper = lower * (1 - outwards), upper * (1 + outwards)
        _require_range(xp, lower)
    return HinfBracket(
        xp.astype(lower, dtype),
        xp.astype(upper, dtype),
        xp.astype(frequency, dtype),
        certified,
    )


def _require_range(xp: Namespace, lower: Array) -> None:
    largest = float(xp.finfo(xp.float32).max)
    if bool(xp.any(xp.isfinite(lower) & (lower > largest))):
        msg = (
            f"hinf_norm: a norm of {float(xp.max(lower)):.3g} leaves the range of "
            "float32; convert the system to double precision"
        )
        raise IllConditionedError(msg)


def _warn_if_wide(system: StateSpace, items: list[DenseBracket], rtol: float) -> None:
    indices = _array.batch_indices(system)
    for index, item in zip(indices, items, strict=True):
        if item.closed:
            continue
        where = f" of batch item {index}" if index else ""
        width = (item.upper - item.lower) / item.lower if item.lower > 0 else math.inf
        kind = "certified" if item.certified else "the a-priori bound, not certified"
        msg = (
            f"hinf_norm: the bracket [{item.lower:.6g}, {item.upper:.6g}]{where} has "
            f"the relative width {width:.2g}, more than rtol={rtol:g}; it is valid, "
            f"its upper end {kind}"
        )
        warnings.warn(msg, NumericalWarning, stacklevel=4)
