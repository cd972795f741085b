"""Balanced truncation of large sparse systems, from low-rank Gramian factors."""

import warnings
from dataclasses import replace

import numpy as np

from hankelcut._errors import (
    NumericalWarning,
    ToleranceNotAttainableError,
    UnstableSystemError,
)
from hankelcut._typing import Array
from hankelcut.lti.equations import Progress
from hankelcut.lti.gramians._square_root_projections import square_root_projections
from hankelcut.lti.gramians.low_rank_gramians import (
    LowRankGramians,
    hankel_product,
    low_rank_gramian_factors,
)
from hankelcut.lti.structure.stability import stability_margin
from hankelcut.lti.systems.sparse_state_space import SparseStateSpace
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.reduction.order_selection import (
    HankelSpectrum,
    OrderSelection,
    OrderTarget,
)
from hankelcut.reduction.result import ErrorBound, ReductionResult

__all__ = ["low_rank_balanced_truncation", "truncate_sparse"]


_ESTIMATE = (
    "an estimate: each Hankel singular value that was not computed counts as the "
    "smallest computed one"
)


def low_rank_balanced_truncation(
    system: SparseStateSpace,
    *,
    order: int | None = None,
    error_tol: float | None = None,
    relative: bool = False,
    energy_tol: float | None = None,
    max_order: int | None = None,
    tol: float = 1e-12,
    max_iterations: int = 500,
    progress: Progress | None = None,
) -> ReductionResult:
    r"""Reduce a large sparse system to a small dense one by balanced truncation.

    The Hankel singular values beyond those of the low-rank factors are unknown, so that
    `error_bound` of the result is an estimate: twice the sum of the discarded computed
    values and, for each value that was not computed, of the smallest computed one.
    `certify()` measures the error on a grid of frequencies.

    Parameters
    ----------
    system : SparseStateSpace
        Stable system with few inputs and outputs.
    order : int, optional
        Number of states to keep.
    error_tol : float, optional
        Instead: largest admissible estimate of the H-infinity error, absolute.
    relative : bool
        Whether error_tol is a multiple of the largest Hankel singular value, which is
        at most the H-infinity norm of the system.
    energy_tol : float, optional
        Instead: largest discarded share of the sum of the Hankel singular values.
    max_order : int, optional
        Largest order to choose, whatever a tolerance asks for.
    tol : float
        Relative residual of the Gramian factors; decides how many values are computed.
    max_iterations : int
        Largest number of sparse factorizations.
    progress : callable, optional
        Called as progress(iteration, relative_residual).

    Returns
    -------
    ReductionResult
        The reduced dense system without E, the computed Hankel singular values, the
        estimated bound and the projections W and T with :math:`W^HET = I`.

    Raises
    ------
    ValueError
        If not exactly one target is given, it is out of range, or `order` is above the
        number of computed values.
    UnstableSystemError
        If a pole of the system is met on or outside the stability boundary, or the
        reduced model is not stable.
    ConvergenceError
        If the Gramian factors do not reach `tol`.
    ToleranceNotAttainableError
        If no order meets a tolerance; names the best attainable value.

    Warns
    -----
    NumericalWarning
        If a fixed order cuts inside a tie of equal values or exceeds the numerical
        rank, or a tolerance needs more than `max_order` states.

    Notes
    -----
    **Method.** Low-rank ADI (discrete time: low-rank Smith) factors of both Gramians
    from shared factorizations, `low_rank_gramian_factors`; then the square-root
    projections of Tombs & Postlethwaite, Int. J. Control 46, 1987, p. 1319.
    **Numerical aspects.** Some tens of sparse LU factorizations; memory for one of them
    and for some hundred columns of n numbers.

    Examples
    --------
    >>> import numpy as np
    >>> import scipy.sparse
    >>> import hankelcut as hc
    >>> rod = [1.0, -2.0, 1.0]
    >>> A = scipy.sparse.diags_array(rod, offsets=[-1, 0, 1], shape=(99, 99))
    >>> end = np.eye(99)[:, :1]
    >>> system = hc.SparseStateSpace(A, end, end.T)
    >>> result = hc.low_rank_balanced_truncation(system, order=8)
    >>> result.system.n_states, bool(result.error_bound < 1e-3)
    (8, True)
    """
    caller = "low_rank_balanced_truncation"
    target = OrderTarget(order, error_tol, energy_tol, relative, max_order)
    factors = low_rank_gramian_factors(
        system,
        tol=tol,
        max_iterations=max_iterations,
        progress=progress,
        caller=caller,
    )
    result, notes = truncate_sparse(system, factors, target, caller)
    for note in notes:
        warnings.warn(f"{caller}: {note}", NumericalWarning, stacklevel=2)
    return result


def truncate_sparse(
    system: SparseStateSpace, factors: LowRankGramians, target: OrderTarget, caller: str
) -> tuple[ReductionResult, tuple[str, ...]]:
    """Cut a sparse system with known Gramian factors to the order of a target.

    Parameters
    ----------
    system : SparseStateSpace
        The system.
    factors : LowRankGramians
        Its Gramian factors.
    target : OrderTarget
        What decides the order.
    caller : str
        Name for messages.

    Returns
    -------
    result : ReductionResult
        As `low_rank_balanced_truncation`.
    notes : tuple of str
        What a user of a fixed order is to be warned of.
    """
    U, values, Vh = np.linalg.svd(hankel_product(system, factors), full_matrices=False)
    spectrum = _spectrum(system, values)
    largest = float(values[0]) if len(values) else 0.0
    selection = _select(target.absolute(largest), spectrum, caller)
    order = selection.order
    T, W = square_root_projections(
        factors.controllability.factor,
        factors.observability.factor,
        U[:, :order],
        values[:order],
        Vh[:order].conj().T,
    )
    Wh = W.conj().T
    reduced = StateSpace(
        Wh @ (system.A @ T), Wh @ system.B, system.C @ T, system.D, system.time
    )
    if order > 0 and not bool(stability_margin(reduced) > 0):
        msg = (
            f"{caller}: the model of order {order} is not stable: the Gramian factors "
            "are not accurate enough for it, or it cuts inside a tie of Hankel "
            "singular values; lower tol, or choose an order at a gap"
        )
        raise UnstableSystemError(msg)
    note = (
        f"error_bound is an estimate: each of {system.n_states - len(values)} Hankel "
        "singular values that were not computed counts as the smallest computed one"
    )
    result = ReductionResult(
        reduced,
        order,
        values,
        ErrorBound(np.asarray(spectrum.error_bounds()[order]), condition=_ESTIMATE),
        "low-rank square-root balanced truncation",
        system,
        W,
        T,
        warnings=(*selection.notes, note),
    )
    return result, selection.notes if target.announces else ()


def _spectrum(system: SparseStateSpace, values: Array) -> HankelSpectrum:
    """Return the values with their rounding errors and the estimate of the others."""
    largest, last = (float(values[0]), float(values[-1])) if len(values) else (0.0, 0.0)
    rounding = len(values) * np.finfo(values.dtype).eps * largest
    spectrum = HankelSpectrum.from_arrays(values, np.full(len(values), rounding))
    return replace(spectrum, unknown_tail=(system.n_states - len(values)) * last)


def _select(
    target: OrderTarget, spectrum: HankelSpectrum, caller: str
) -> OrderSelection:
    known = len(spectrum.values)
    if target.order is not None and target.order > known:
        msg = (
            f"{caller}: got order={target.order}, need at most {known}: that many "
            "Hankel singular values are held by the Gramian factors; lower tol for more"
        )
        raise ValueError(msg)
    try:
        return target.select(spectrum, caller)
    except ToleranceNotAttainableError as error:
        msg = f"{error}; or lower tol, which adds values and shrinks the estimated tail"
        raise ToleranceNotAttainableError(msg) from error
