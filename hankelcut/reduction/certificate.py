"""What is measured of a reduced model, next to the bound that promised it."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from hankelcut import _array
from hankelcut._errors import IllConditionedError, UnstableSystemError
from hankelcut._typing import Array
from hankelcut.lti.norms.error_norms import error_norms
from hankelcut.lti.norms.h2_norm import h2_norm
from hankelcut.lti.norms.hinf_norm import HinfBracket
from hankelcut.lti.responses.peak_gain import peak_gain
from hankelcut.lti.responses.sampled_peak import sampled_peak
from hankelcut.lti.structure.stability import is_stable, poles_of
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.sparse_state_space import SparseStateSpace
from hankelcut.lti.systems.state_space import StateSpace

__all__ = ["Certificate", "UpperEnd", "measured_h2", "measured_norms"]

UpperEnd: TypeAlias = Literal["certified", "a priori", "sampled"]
"""What the upper end of a measured error is: see `Certificate`."""


@dataclass(frozen=True, eq=False)
class Certificate:
    """Measured errors of a reduced model, next to the bound that promised them.

    Parameters
    ----------
    hinf_error : HinfBracket
        H-infinity norm of G - G_r: lower and upper end and the peak frequency. Infinite
        where G - G_r has unstable poles.
    upper_end : {"certified", "a priori", "sampled"}
        What the upper end is: certified over all frequencies, or the a-priori bound
        (where no certificate was found, and for dense systems on an accelerator, whose
        lower end is then searched on a grid); or, for sparse systems, the estimate that
        stands in for that bound, with a lower end sampled on a grid.
    h2_error : (...) array
        H2 norm of G - G_r, right to a hundredth of the width of the brackets; NaN where
        it is lost in rounding.
    error_bound : (...) array or None
        The a-priori bound of the reduction; None where the method has none.
    bounded_error : HinfBracket
        What `error_bound` bounds: `hinf_error`, or for some methods the norm of another
        error (relative, weighted, of coprime factors): see `ErrorBound.quantity`.
    stability_margin : (...) array
        Of the reduced model.
    bound_holds : (...) bool array or None
        Whether the lower end of `bounded_error` stays within the bound, up to rounding.
    gramian_residuals : tuple of two arrays or None
        Relative residuals of the two matrix equations that were balanced, in the order
        controllability, observability; None where there are none.
    """

    hinf_error: HinfBracket
    upper_end: UpperEnd
    h2_error: Array
    error_bound: Array | None
    bounded_error: HinfBracket
    stability_margin: Array
    bound_holds: Array | None
    gramian_residuals: tuple[Array, Array] | None


def measured_norms(
    error: StateSpace | DiagonalStateSpace | SparseStateSpace,
    reduced: StateSpace | DiagonalStateSpace,
    bound: Array | None,
    rtol: float,
    like: Array,
) -> tuple[HinfBracket, UpperEnd, Array | None]:
    """Measure the norms of an error system by the best means for its kind.

    Parameters
    ----------
    error : StateSpace, DiagonalStateSpace or SparseStateSpace
        The error.
    reduced : StateSpace or DiagonalStateSpace
        The reduced model, whose poles say where to look.
    bound : (...) array or None
        The a-priori bound of this error, for where nothing better is found.
    rtol : float
        Relative width wanted of the bracket.
    like : array
        Array of the library and the dtype that the norms are to have.

    Returns
    -------
    hinf : HinfBracket
        Bracket of the H-infinity norm.
    upper_end : {"certified", "a priori", "sampled"}
        What its upper end is.
    h2 : (...) array or None
        The H2 norm, where it comes with the bracket.
    """
    if isinstance(error, SparseStateSpace):
        peak, at = sampled_peak(error, _array.to_numpy(poles_of(reduced)))
        gain = np.asarray(peak)
        return _bounded_above(gain, np.asarray(at), bound), "sampled", None
    h2 = None
    if isinstance(error, DiagonalStateSpace) or _array.on_host(error.A):
        try:
            bracket, h2 = error_norms(error, rtol=rtol)
        except UnstableSystemError:
            bracket = _infinite(error)
            h2 = bracket.upper
    else:
        bracket = _bounded_above(*peak_gain(error), bound)
    ends = (bracket.lower, bracket.upper, bracket.frequency)
    lower, upper, frequency = (_as(like, end) for end in ends)
    own = HinfBracket(lower, upper, frequency, bracket.certified)
    upper_end: UpperEnd = "certified" if bracket.certified else "a priori"
    return own, upper_end, None if h2 is None else _as(like, h2)


def measured_h2(
    error: StateSpace | DiagonalStateSpace | SparseStateSpace, like: Array
) -> Array:
    """H2 norm of an error system; infinite where a pole is not stable, or NaN.

    Parameters
    ----------
    error : StateSpace, DiagonalStateSpace or SparseStateSpace
        The error.
    like : array
        Array of the library and the dtype that the norm is to have.
    """
    try:
        return _as(like, h2_norm(error))
    except UnstableSystemError:
        if isinstance(error, SparseStateSpace):
            raise
        return _as(like, _infinite(error).upper)
    except IllConditionedError:
        # Poles too far apart for the rounding of one Lyapunov equation.
        xp = _array.namespace(like)
        return xp.full(error.batch_shape, xp.nan, dtype=like.dtype)


def _as(like: Array, measured: Array) -> Array:
    """Return a number measured in another library's arrays in those of the result."""
    xp = _array.namespace(like)
    if _array.namespace(measured) is not xp:
        measured = xp.asarray(measured)
    return xp.astype(measured, like.dtype, copy=False)


def _bounded_above(lower: Array, frequency: Array, bound: Array | None) -> HinfBracket:
    xp = _array.namespace(lower)
    largest = xp.full_like(lower, xp.inf) if bound is None else bound
    upper = xp.maximum(lower, largest)
    return HinfBracket(lower, upper, frequency, certified=False)


def _infinite(error: StateSpace | DiagonalStateSpace) -> HinfBracket:
    """Return the norm of a stack of error systems of which some are not stable."""
    stable = is_stable(error)
    xp = _array.namespace(stable)
    infinity = xp.full(error.batch_shape, xp.inf, dtype=_array.real_dtype(error.B))
    nowhere = xp.full_like(infinity, xp.nan)
    return HinfBracket(infinity, infinity, nowhere)
