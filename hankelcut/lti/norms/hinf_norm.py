"""H-infinity norm, between a gain that the system has and a level that is proven."""

import math
import warnings
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np

from hankelcut import _array
from hankelcut._errors import (
    IllConditionedError,
    InvalidSystemError,
    NumericalWarning,
)
from hankelcut._parallel import map_in_threads, one_blas_thread
from hankelcut._typing import Array, Namespace
from hankelcut.lti.gramians.gramian_factors import require_solvable
from hankelcut.lti.norms._bounded_real_frame import System
from hankelcut.lti.norms._diagonal_bracket import bracket_diagonal
from hankelcut.lti.norms._level_set import DenseBracket, bracket_dense
from hankelcut.lti.norms._modal_bracket import bracket_modal
from hankelcut.lti.structure.stability import require_stable
from hankelcut.lti.systems._kinds import require_dense_or_diagonal
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.state_space import StateSpace

__all__ = ["HinfBracket", "hinf_norm"]

# Up to this many states a second BLAS thread gains little, and beside busy cores costs
# twenty times as much: 2 s became 40 s.
_ONE_THREAD = 256


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
    if not rtol > 0:
        msg = f"hinf_norm: got rtol={rtol!r}, need a positive number"
        raise InvalidSystemError(msg)
    require_dense_or_diagonal("hinf_norm", system)
    xp, dtype = _array.namespace(system.B), _array.real_dtype(system.B)
    if isinstance(system, DiagonalStateSpace):
        require_solvable("hinf_norm", system)
        certified = True
        lower, upper, frequency = bracket_diagonal(system, rtol)
    else:
        matrices = {"A": system.A, "B": system.B, "C": system.C, "D": system.D}
        _array.require_finite("hinf_norm", **matrices)
        items = _bracket_items(system, rtol)
        _warn_if_wide(system, items, rtol)
        certified = all(item.certified for item in items)
        lower, upper, frequency = (
            xp.asarray(np.reshape(np.array(values, dtype=float), system.batch_shape))
            for values in (
                [item.lower for item in items],
                [item.upper for item in items],
                [item.frequency for item in items],
            )
        )
    if dtype == xp.float32:
        # The ends were computed in double precision and must not be rounded inwards.
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


def _bracket_items(system: StateSpace, rtol: float) -> list[DenseBracket]:
    """Bracket each item, by its diagonal form or else by level sets."""
    wide = np.complex128 if _array.is_complex(system.A) else np.float64
    A, B, C, D = (
        _array.to_numpy(matrix).astype(wide)
        for matrix in (system.A, system.B, system.C, system.D)
    )
    items = [
        System(A[index], B[index], C[index], D[index], system.time)
        for index in _array.batch_indices(system)
    ]
    threads = nullcontext() if system.n_states > _ONE_THREAD else one_blas_thread()
    with threads:
        found = map_in_threads(lambda item: bracket_modal(item, rtol), items)
        if None in found:
            # A system with a bracket is proven stable by it.
            require_stable("hinf_norm", system)
        rest = [
            item for item, bracket in zip(items, found, strict=True) if bracket is None
        ]
        others = iter(map_in_threads(lambda item: bracket_dense(item, rtol), rest))
    return [bracket or next(others) for bracket in found]


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
        warnings.warn(msg, NumericalWarning, stacklevel=3)
