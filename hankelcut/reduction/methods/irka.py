"""H2-optimal reduction by the iterative rational Krylov algorithm."""

from dataclasses import dataclass, replace

import numpy as np

from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.lti.systems.time_domain import Continuous
from hankelcut.reduction.methods._h2_descent import Progress, descend
from hankelcut.reduction.methods._h2_error import H2Error, H2Point, ReducedModel
from hankelcut.reduction.methods._h2_refinement import H2Refinement, improvement
from hankelcut.reduction.order_selection import OrderTarget
from hankelcut.reduction.reduction_method import Matrix, reduce_with
from hankelcut.reduction.result import ReductionResult

__all__ = ["irka"]

# Iterations without a smaller error after which the iteration is taken to wander.
_PATIENCE = 10
# A gradient of this share of the error leaves 1e-12 of the error to be gained: good
# enough where rounding hides more.
_SLOPE = 1e-6
# Changes of poles are relative to their sizes, or to this share of the largest size.
_LEAST_POLE = 1e-8


def irka(
    system: StateSpace | DiagonalStateSpace,
    *,
    order: int | None = None,
    error_tol: float | None = None,
    relative: bool = False,
    energy_tol: float | None = None,
    max_order: int | None = None,
    tol: float = 1e-8,
    max_iterations: int = 100,
    progress: Progress | None = None,
) -> ReductionResult:
    r"""Reduce a system to a locally H2-optimal model by rational interpolation.

    With its poles :math:`\lambda_i` and modes :math:`c_ib_i^H`, the reduced system
    meets :math:`G(s_i)b_i = G_r(s_i)b_i`, :math:`c_i^HG(s_i) = c_i^HG_r(s_i)` and
    :math:`c_i^HG'(s_i)b_i = c_i^HG_r'(s_i)b_i` at the mirror images
    :math:`s_i = -\bar\lambda_i` (discrete: :math:`1/\bar\lambda_i`) of its poles. It is
    stable, and its H2 error is never larger than that of balanced truncation.

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
        Stop when no pole changes by more than this share of its size, or of 1e-8 of the
        largest size.
    max_iterations : int
        Largest number of iterations for one order.
    progress : callable, optional
        Called with the number of each iteration and the relative change of the poles
        (of a descent: the relative size of the gradient). Return values are ignored;
        an exception ends the reduction. `error_tol` tries several orders.

    Returns
    -------
    ReductionResult
        Real for a real system, of odd orders too. There is no a-priori bound. Where the
        iteration ended early, the best model so far, and a warning in `warnings`.

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
    **Method.** Gugercin, Antoulas & Beattie (SIAM J. Matrix Anal. Appl. 30, 2008, p.
    609); discrete: Bunse-Gerstner, Kubalinska, Vossen & Wilczek (J. Comput. Appl. Math.
    233, 2010, p. 1202). It starts from balanced truncation. The interpolating bases are
    solutions of Sylvester equations, so that repeated poles and real systems need no
    special treatment. Unstable poles are reflected. The iteration need not converge:
    after ten iterations without a smaller error, and after half of all of them, a
    quasi-Newton descent from the best model takes over, as in `balance_and_refine`.
    **Numerical aspects.** 25 n^3 flops for one Schur form, some n^2 r per iteration.

    Examples
    --------
    >>> import hankelcut as hc
    >>> A = [[-1.0, 2.0, 0.0], [-2.0, -1.0, 0.0], [0.0, 0.0, -5.0]]
    >>> plant = hc.StateSpace(A, [[1.0], [0.0], [1.0]], [[1.0, 1.0, 1.0]])
    >>> result = hc.irka(plant, order=2)
    >>> truncated = hc.balanced_truncation(plant, order=2)
    >>> h2_errors = [float(r.certify().h2_error) for r in (result, truncated)]
    >>> h2_errors[0] < h2_errors[1]
    True
    """
    caller = "irka"
    improve = improvement(
        caller, _interpolated, tol=tol, max_iterations=max_iterations, progress=progress
    )
    target = OrderTarget(order, error_tol, energy_tol, relative, max_order)
    return reduce_with(
        lambda part: H2Refinement.of(caller, part, improve),
        system,
        target,
        caller=caller,
        method="iterative rational Krylov algorithm",
    )


@dataclass(frozen=True, eq=False)
class _Outcome:
    """The best model of an iteration, and whether the iteration ended there."""

    best: H2Point
    iterations: int
    converged: bool


def _interpolated(
    problem: H2Error,
    start: ReducedModel,
    *,
    tol: float,
    max_iterations: int,
    progress: Progress,
) -> tuple[ReducedModel, str]:
    """Interpolate, and descend from the best model where that does not converge."""
    outcome = _fixed_point(problem, start, tol, (max_iterations + 1) // 2, progress)
    if outcome is None:
        return start, "balanced truncation is not minimal to rounding; not iterated"
    if outcome.converged:
        return outcome.best.model, ""
    used = outcome.iterations
    descent = descend(
        problem,
        outcome.best.model,
        tol=tol,
        max_iterations=max_iterations - used,
        progress=lambda iteration, slope: progress(used + iteration, slope),
    )
    if descent is None:
        return outcome.best.model, _stopped(used, max_iterations, tol)
    total = used + descent.iterations
    ended = descent.slope <= _SLOPE
    note = "" if ended else _stopped(total, max_iterations, tol)
    return descent.point.model, note


def _stopped(used: int, allowed: int, tol: float) -> str:
    note = f"the iteration ended after {used} of {allowed} steps without meeting "
    return note + f"tol={tol:g}: the best model so far is returned"


def _fixed_point(
    problem: H2Error, start: ReducedModel, tol: float, steps: int, progress: Progress
) -> _Outcome | None:
    """Interpolate at the mirror images of the poles of the model before."""
    point = _measured(problem, start)
    if point is None:
        return None
    best, stale = point, 0
    for iteration in range(1, steps + 1):
        following = problem.projected(point)
        if following is None:
            return _Outcome(best, iteration, False)
        change = _relative_change(point.model.system, following.system)
        progress(iteration, change)
        point = _measured(problem, _reflected(following))
        if point is None:
            return _Outcome(best, iteration, False)
        gain = best.excess - point.excess
        if change <= tol:
            # A fixed point that is worse than a model on the way to it is not wanted.
            reached = gain >= -problem.rounding
            return _Outcome(point if reached else best, iteration, reached)
        best, stale = (point, 0) if gain > 0 else (best, stale + 1)
        if stale == _PATIENCE:
            return _Outcome(best, iteration, False)
    return _Outcome(best, steps, False)


def _measured(problem: H2Error, model: ReducedModel) -> H2Point | None:
    balanced = problem.balanced(model)
    return None if balanced is None else problem.at(balanced[0])


def _reflected(model: ReducedModel) -> ReducedModel:
    """Replace unstable poles by their mirror images, where they have eigenvectors."""
    if model.is_stable():
        return model
    system = model.system
    poles, X = np.linalg.eig(system.A)
    if isinstance(system.time, Continuous):
        poles = np.where(poles.real > 0, -poles.conj(), poles)
    else:
        outside = np.abs(poles) > 1
        poles = np.where(outside, 1 / np.where(outside, poles, 1).conj(), poles)
    try:
        A = np.linalg.solve(X.conj().T, (X * poles).conj().T).conj().T
    except np.linalg.LinAlgError:
        return model
    return ReducedModel(replace(system, A=A if np.iscomplexobj(system.A) else A.real))


def _relative_change(before: StateSpace, after: StateSpace) -> float:
    """Largest relative distance of a pole from the nearest of the other model."""
    old, new = (np.linalg.eigvals(model.A) for model in (before, after))
    gaps: Matrix = np.abs(old[:, None] - new)
    # Poles may approach 0.
    largest = np.max(np.abs(np.concatenate([old, new])))
    least = max(_LEAST_POLE * largest, np.finfo(np.float64).tiny)
    sizes = [np.maximum(np.abs(poles), least) for poles in (old, new)]
    moved = max(np.max(np.min(gaps, axis=k) / sizes[1 - k]) for k in (0, 1))
    return float(moved)
