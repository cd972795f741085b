"""Balanced truncation refined by a descent of the H2 error."""

from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.reduction.methods._h2_descent import Progress, descend
from hankelcut.reduction.methods._h2_error import H2Error, ReducedModel
from hankelcut.reduction.methods._h2_refinement import H2Refinement, improvement
from hankelcut.reduction.order_selection import OrderTarget
from hankelcut.reduction.reduction_method import reduce_with
from hankelcut.reduction.result import ReductionResult

__all__ = ["balance_and_refine"]


def balance_and_refine(
    system: StateSpace | DiagonalStateSpace,
    *,
    order: int | None = None,
    error_tol: float | None = None,
    relative: bool = False,
    energy_tol: float | None = None,
    max_order: int | None = None,
    tol: float = 1e-6,
    max_iterations: int = 500,
    progress: Progress | None = None,
) -> ReductionResult:
    r"""Reduce a system by balanced truncation and descend from there in the H2 error.

    The reduced system is stable and, if the descent converges, a stationary point of
    :math:`\|G - G_r\|_2` over all its matrices; its H2 error is never larger than that
    of balanced truncation.

    Parameters
    ----------
    system : StateSpace or DiagonalStateSpace
        The system; unstable states are kept.
    order : int, optional
        Number of states to keep.
    error_tol : float, optional
        Instead: largest admissible H-infinity error, measured order by order.
    relative : bool
        Whether `error_tol` is a multiple of the H-infinity norm of the system.
    energy_tol : float, optional
        Instead: largest discarded share of the sum of the Hankel singular values.
    max_order : int, optional
        Largest order to choose, whatever a tolerance asks for.
    tol : float
        Stop when the gradient of the squared error, in entries scaled to curvatures of
        about 2, is at most this share of the H2 error, or of 1e-5 of the H2 norm of the
        system where the error is smaller.
    max_iterations : int
        Largest number of steps for one order.
    progress : callable, optional
        Called with the number of each step and the relative size of the gradient before
        it. Return values are ignored; an exception ends the reduction. `error_tol`
        tries several orders.

    Returns
    -------
    ReductionResult
        Real for a real system. There is no a-priori bound. Where the descent ended
        early, the last model, which is the best, and a warning in `warnings`.

    Raises
    ------
    ValueError
        If not exactly one target is given, or an argument is out of range.
    InvalidSystemError
        If the system is sparse or a stack, or an entry is NaN or infinite.
    UnstableSystemError
        If no pole is stable, or an order inside a tie of Hankel singular values starts
        with a pole on the stability boundary.
    ToleranceNotAttainableError
        If no order meets a tolerance; names the best attainable value.

    Warns
    -----
    NumericalWarning
        If a fixed order cuts inside a tie or exceeds the numerical rank.

    Notes
    -----
    **Method.** The gradient of the squared error takes two Sylvester equations with
    the reduced and the full state matrix (Wilson, Proc. IEE 117, 1970, p. 1161; Van
    Dooren, Gallivan & Absil, Appl. Math. Lett. 21, 2008, p. 1267). Limited-memory BFGS
    in entries scaled by the Hankel singular values. A local minimum, as of `irka`,
    which jumps: the two may end in different ones. **Numerical aspects.** 25 n^3 flops
    for one Schur form, some n^2 r per step. H2 errors below 1e-8 of the norm
    are decreased as far as the gradient tells.

    Examples
    --------
    >>> import hankelcut as hc
    >>> A = [[-1.0, 2.0, 0.0], [-2.0, -1.0, 0.0], [0.0, 0.0, -5.0]]
    >>> plant = hc.StateSpace(A, [[1.0], [0.0], [1.0]], [[1.0, 1.0, 1.0]])
    >>> result = hc.balance_and_refine(plant, order=2)
    >>> truncated = hc.balanced_truncation(plant, order=2)
    >>> h2_errors = [float(r.certify().h2_error) for r in (result, truncated)]
    >>> h2_errors[0] < h2_errors[1]
    True
    """
    caller = "balance_and_refine"
    improve = improvement(
        caller, _descended, tol=tol, max_iterations=max_iterations, progress=progress
    )
    target = OrderTarget(order, error_tol, energy_tol, relative, max_order)
    return reduce_with(
        lambda part: H2Refinement.of(caller, part, improve),
        system,
        target,
        caller=caller,
        method="balance and refine",
    )


def _descended(
    problem: H2Error,
    start: ReducedModel,
    *,
    tol: float,
    max_iterations: int,
    progress: Progress,
) -> tuple[ReducedModel, str]:
    descent = descend(
        problem, start, tol=tol, max_iterations=max_iterations, progress=progress
    )
    if descent is None:
        return start, "balanced truncation is not minimal to rounding; not refined"
    if descent.converged:
        return descent.point.model, ""
    note = (
        f"the descent ended after {descent.iterations} of {max_iterations} steps with "
        f"a gradient of {descent.slope:.2g} > tol={tol:g}: the last model, which is "
        "the best, is returned"
    )
    return descent.point.model, note
