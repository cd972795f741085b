"""Balanced truncation limited to a frequency band."""

import numpy as np

from hankelcut.lti.equations.lyapunov_equation import LyapunovEquation
from hankelcut.lti.gramians._frequency_limited import band_matrix, require_band
from hankelcut.lti.gramians.gramian_factors import require_solvable
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.reduction.balancing.generalized_balancing import (
    GeneralizedBalancing,
    Promise,
)
from hankelcut.reduction.balancing.gramian_balancing import balance_gramians
from hankelcut.reduction.balancing.limited_balancing import balance_modified
from hankelcut.reduction.balancing.transformations import evenly_scaled
from hankelcut.reduction.order_selection import OrderTarget
from hankelcut.reduction.reduction_method import reduce_with
from hankelcut.reduction.result import ReductionResult

__all__ = ["frequency_limited_truncation"]

_UNBOUNDED = (
    "no bound: the frequency-limited Gramians of Gawronski & Juang (Int. J. Systems "
    "Sci. 21, 1990, p. 349) promise neither a bound nor a stable model"
)
_ADVICE = "choose another order, or modified=True, whose models are stable"


def frequency_limited_truncation(
    system: StateSpace | DiagonalStateSpace,
    *,
    band: tuple[float, float],
    modified: bool = False,
    order: int | None = None,
    error_tol: float | None = None,
    relative: bool = False,
    energy_tol: float | None = None,
    max_order: int | None = None,
) -> ReductionResult:
    r"""Reduce a system with a small error within a frequency band.

    Of an unstable system the stable part is reduced and the rest kept.

    Parameters
    ----------
    system : StateSpace or DiagonalStateSpace
        One system; diagonal ones are made dense.
    band : tuple of float
        Its ends w1 < w2 in rad/s (w2 may be infinite) or, in discrete time, in radians
        per sample. For real systems w1 >= 0 (and w2 <= pi in discrete time), and the
        mirrored band belongs to it; see `frequency_limited_controllability_gramian`.
    modified : bool
        Balance definite modifications of the limited Gramians: the models are stable
        and have a bound over all frequencies, but stress the band less.
    order : int, optional
        Number of states to keep.
    error_tol : float, optional
        Instead: largest admissible H-infinity error over all frequencies, absolute:
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
        Without a bound unless `modified`.

    Raises
    ------
    InvalidSystemError
        If an entry is NaN or infinite, or the band is out of range.
    UnstableSystemError
        If no pole is stable, or a model is not stable.
    IllConditionedError
        If a logarithm lost its accuracy, with a pole very close to an end of the band.
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
    balancing of the Gramians of the band, :math:`AP + PA^H + FBB^H + BB^HF^H = 0` and
    its dual (discrete: Stein equations), F a difference of matrix logarithms.
    `modified`: Gugercin & Antoulas (Int. J. Control 77, 2004, p. 748): the eigenvalues
    of the right-hand sides are made positive, :math:`B_mB_m^H` and :math:`C_m^HC_m`;
    with :math:`B = B_mK` and :math:`C = LC_m`, :math:`\|G - G_r\|_\infty \le
    2\|L\|\|K\|\sum_{k>r}\sigma_k`. **Numerical aspects.** Limited Gramians are known as
    matrices, not by factors: values below about :math:`\sqrt u` of the largest are lost
    to rounding, and more in a narrow band far from all poles; orders stop there.
    `modified` keeps factors, but depends on the coordinates of the states (not on their
    units): another basis gives another model and bound.

    Examples
    --------
    >>> import numpy as np
    >>> import hankelcut as hc
    >>> poles = np.array([-0.1 + 1j, -0.1 - 1j, -1 + 30j, -1 - 30j])
    >>> modes = hc.DiagonalStateSpace(
    ...     poles, np.ones((4, 1)), [[1, 1, 20, 20]], time=hc.Continuous()
    ... )
    >>> result = hc.frequency_limited_truncation(modes, band=(-2.0, 2.0), order=2)
    >>> frequency = np.array([1.0])
    >>> full, reduced = (
    ...     hc.frequency_response(s, frequency) for s in (modes, result.system)
    ... )
    >>> bool(abs(full - reduced).max() < 0.02 * abs(full).max())
    True
    """
    caller = "frequency_limited_truncation"
    target = OrderTarget(order, error_tol, energy_tol, relative, max_order)
    return reduce_with(
        lambda part: _decompose(part, band, modified, caller),
        system,
        target,
        caller=caller,
        method="frequency-limited truncation" + (" (modified)" if modified else ""),
    )


def _decompose(
    part: StateSpace, band: tuple[float, float], modified: bool, caller: str
) -> GeneralizedBalancing:
    """Balance the limited Gramians of the stable part."""
    real = not np.iscomplexobj(part.A)
    require_band(caller, band, part.time, mirrored=real)
    require_solvable(caller, part)
    even, units = evenly_scaled(part)
    F = band_matrix(even.A, even.time, band)
    F = 2 * F.real if real else F
    B, Ch = even.B, even.C.conj().T
    in_band, out_band = F @ B, F.conj().T @ Ch
    name = "frequency-limited Hankel singular values"
    if modified:
        return balance_modified(even, units, (B, in_band), (Ch, out_band), name, caller)
    half_c, half_o = B @ in_band.conj().T, Ch @ out_band.conj().T
    X, Y = half_c + half_c.conj().T, half_o + half_o.conj().T
    equation = LyapunovEquation(even.A, even.time, caller=caller)
    P, Q = equation.solve(X), equation.solve(Y, dual=True)
    # Rounding is that of Gramians of the size of the unlimited ones.
    Lc, Lo = equation.factors(B, even.C)
    sizes = float(np.linalg.norm(Lc)) ** 2, float(np.linalg.norm(Lo)) ** 2
    balancing = balance_gramians(even, P, Q, sizes)
    promise = Promise(_UNBOUNDED, advice=_ADVICE)
    return GeneralizedBalancing(even, units, balancing, (X, Y), name, promise, caller)
