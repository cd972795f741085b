"""Balanced truncation limited to a time horizon."""

import numpy as np

from hankelcut import _array
from hankelcut.lti.gramians._horizon_factor import horizon_factor, horizon_propagator
from hankelcut.lti.gramians._time_limited import require_horizon
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.reduction.balancing.balancing import balance_factors
from hankelcut.reduction.balancing.generalized_balancing import (
    GeneralizedBalancing,
    Promise,
)
from hankelcut.reduction.balancing.limited_balancing import balance_modified
from hankelcut.reduction.balancing.transformations import adjoint_system, evenly_scaled
from hankelcut.reduction.order_selection import OrderTarget
from hankelcut.reduction.reduction_method import reduce_with
from hankelcut.reduction.result import ReductionResult

__all__ = ["time_limited_truncation"]

_UNBOUNDED = (
    "no bound: the time-limited Gramians of Gawronski & Juang (Int. J. Systems Sci. "
    "21, 1990, p. 349) promise nothing beyond the horizon, and no stable model"
)
_ADVICE = "its response is that of the system up to the horizon only"


def time_limited_truncation(
    system: StateSpace | DiagonalStateSpace,
    *,
    horizon: float | int,
    modified: bool = False,
    order: int | None = None,
    error_tol: float | None = None,
    relative: bool = False,
    energy_tol: float | None = None,
    max_order: int | None = None,
) -> ReductionResult:
    r"""Reduce a system with a small error of its response up to a time.

    Unstable systems are reduced as a whole, unless `modified`.

    Parameters
    ----------
    system : StateSpace or DiagonalStateSpace
        One system with any poles; diagonal ones are made dense.
    horizon : float or int
        T in seconds, or a whole number of samples in discrete time.
    modified : bool
        Balance definite modifications of the limited Gramians: the models are stable
        and have a bound over all times, but stress the horizon less. Of an unstable
        system the stable part is reduced and the rest kept.
    order : int, optional
        Number of states to keep.
    error_tol : float, optional
        Instead: largest admissible H-infinity error, absolute, over all times:
        measured, or the bound with `modified`.
    relative : bool
        Whether `error_tol` is a multiple of the H-infinity norm of the system.
    energy_tol : float, optional
        Instead: largest discarded share of the sum of the limited values.
    max_order : int, optional
        Largest order to choose for a tolerance.

    Returns
    -------
    ReductionResult
        Without a bound unless `modified`; its `warnings` say so where the model is not
        stable.

    Raises
    ------
    InvalidSystemError
        If an entry is NaN or infinite, or the horizon is negative, not finite, or not
        whole in discrete time.
    UnstableSystemError
        With `modified`, if no pole is stable; with a relative tolerance, if the system
        is not stable.
    IllConditionedError
        If a Gramian leaves the range of double precision (unstable poles, long
        horizon).
    ToleranceNotAttainableError
        If no order meets a tolerance; names the best attainable value.
    ValueError
        If not exactly one target is given or it is out of range.

    Warns
    -----
    NumericalWarning
        If a fixed order cuts inside a tie of equal values or exceeds the numerical
        rank.

    Notes
    -----
    **Method.** Gawronski & Juang (Int. J. Systems Sci. 21, 1990, p. 349): square-root
    balancing of :math:`P_T = \int_0^T e^{At}BB^He^{A^Ht}\,dt` and its dual (discrete:
    sums of N terms), by their factors: Gauss-Legendre quadrature of a short step, and
    doubling. `modified`: Gugercin & Antoulas (Int. J. Control 77, 2004, p. 748): the
    eigenvalues of the right-hand sides :math:`BB^H - e^{AT}BB^He^{A^HT}` are made
    positive, :math:`B_mB_m^H`, and likewise :math:`C_m`; with :math:`B = B_mK` and
    :math:`C = LC_m`, :math:`\|G - G_r\|_\infty \le 2\|L\|\|K\|\sum_{k>r}\sigma_k`.
    **Numerical aspects.** O(n^3) per doubling, log2(T norm(A)) of them. `modified`
    depends on the coordinates of the states (not on their units): another basis gives
    another model and bound.

    Examples
    --------
    >>> import numpy as np
    >>> import hankelcut as hc
    >>> A = np.diag([0.1, -1.0, -2.0, -5.0])  # not stable
    >>> plant = hc.StateSpace(A, np.ones((4, 1)), [[1.0, 2.0, 3.0, 4.0]])
    >>> result = hc.time_limited_truncation(plant, horizon=2.0, order=3)
    >>> full, reduced = (
    ...     hc.time_limited_controllability_gramian(s, 2.0)
    ...     for s in (plant, result.error_system())
    ... )
    >>> C = result.error_system().C
    >>> bool(np.sqrt(C @ reduced @ C.T) < 1e-2 * np.sqrt(plant.C @ full @ plant.C.T))
    True
    """
    caller = "time_limited_truncation"
    target = OrderTarget(order, error_tol, energy_tol, relative, max_order)
    return reduce_with(
        lambda part: _decompose(part, horizon, modified, caller),
        system,
        target,
        caller=caller,
        method="time-limited truncation" + (" (modified)" if modified else ""),
        unstable="keep" if modified else "whole",
    )


def _decompose(
    part: StateSpace, horizon: float | int, modified: bool, caller: str
) -> GeneralizedBalancing:
    """Balance the limited Gramians of a system."""
    require_horizon(caller, horizon, part.time)
    even, units = evenly_scaled(part)
    name = "time-limited Hankel singular values"
    sides = (even, adjoint_system(even))
    # What goes beyond the range is refused below.
    with np.errstate(over="ignore", invalid="ignore"):
        past = [horizon_propagator(s.A, s.time, float(horizon)) @ s.B for s in sides]
        ends = {"state at the horizon": past[0], "dual state at the horizon": past[1]}
        if modified:
            _array.require_in_range(caller, **ends)
            pairs = [
                (s.B - late, (s.B + late) / 2)
                for s, late in zip(sides, past, strict=True)
            ]
            return balance_modified(even, units, pairs[0], pairs[1], name, caller)
        Lc, Lo = (horizon_factor(s.A, s.B, s.time, float(horizon)) for s in sides)
        X, Y = (
            s.B @ s.B.conj().T - late @ late.conj().T
            for s, late in zip(sides, past, strict=True)
        )
    gramians = {"controllability Gramian": Lc, "observability Gramian": Lo}
    _array.require_in_range(caller, **gramians, **ends)
    balancing = balance_factors(even, Lc, Lo)
    promise = Promise(_UNBOUNDED, stable=False, advice=_ADVICE)
    return GeneralizedBalancing(even, units, balancing, (X, Y), name, promise, caller)
