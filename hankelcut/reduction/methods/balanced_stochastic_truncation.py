"""Balanced stochastic truncation: a bound on the relative error."""

import math

from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.reduction.methods._stochastic_balancing import balance_stochastically
from hankelcut.reduction.order_selection import OrderTarget
from hankelcut.reduction.reduction_method import reduce_with
from hankelcut.reduction.result import ReductionResult

__all__ = ["balanced_stochastic_truncation"]


def balanced_stochastic_truncation(
    system: StateSpace | DiagonalStateSpace,
    *,
    order: int | None = None,
    error_tol: float | None = None,
    relative: bool = False,
    energy_tol: float | None = None,
    max_order: int | None = None,
    regularization: float | None = None,
) -> ReductionResult:
    r"""Reduce a system with a small relative error at every frequency.

    The reduced system is stable and
    :math:`\|G^{-1}(G - G_r)\|_\infty \le \prod_{k>r}(1 + s_k)/(1 - s_k) - 1` with the
    Hankel singular values :math:`s_k \le 1` of the phase of G: gain and phase stay
    right where the gain of G is small, too.

    Parameters
    ----------
    system : StateSpace or DiagonalStateSpace
        One system with at most as many outputs as inputs and a feedthrough D of full
        row rank (discrete: the response at z = -1), or else a `regularization`. Of an
        unstable one the stable part is reduced, and the relative error is that of the
        stable part.
    order : int, optional
        Number of states to keep; not fewer than zeros in the right half-plane (outside
        the unit circle), each of which has the value 1.
    error_tol : float, optional
        Instead: largest admissible bound on the relative error.
    relative : bool
        Says nothing new: the error is relative in any case.
    energy_tol : float, optional
        Instead: largest discarded share of the sum of the values.
    max_order : int, optional
        Largest order to choose, whatever a tolerance asks for.
    regularization : float, optional
        Gain beta > 0 below which errors count as absolute: [G, beta I] takes the place
        of G, which need not have a feedthrough then. Large values lead to balanced
        truncation.

    Returns
    -------
    ReductionResult
        `bound` bounds :math:`\|V^{-1}(G - G_r)\|_\infty` with the square factor V,
        :math:`VV^\sim = GG^\sim`, without zeros in the right half-plane. For square G
        this is the norm of :math:`G^{-1}(G - G_r)` on the stability boundary. With
        `regularization`, :math:`VV^\sim = GG^\sim + \beta^2I`.

    Raises
    ------
    ValueError
        If not exactly one target is given or it is out of range.
    InvalidSystemError
        If an entry is NaN or infinite, the system is sparse or a stack, the feedthrough
        is not of full row rank, or G has a zero on the stability boundary.
    UnstableSystemError
        If no pole is stable.
    ToleranceNotAttainableError
        If no order meets a tolerance, or the order would discard a zero in the right
        half-plane: the relative error is then at least 1.
    IllConditionedError, ConvergenceError
        If the Riccati equation cannot be solved accurately.

    Warns
    -----
    NumericalWarning
        If a fixed order cuts inside a tie of equal values or exceeds the numerical
        rank.

    Notes
    -----
    **Method.** Desai & Pal (IEEE Trans. Automat. Control 29, 1984, p. 1097): P of the
    Lyapunov equation :math:`AP + PA^H + BB^H = 0` is balanced with the stabilizing Q of
    :math:`A^HQ + QA + (C - B_W^HQ)^H(DD^H)^{-1}(C - B_W^HQ) = 0`,
    :math:`B_W = PC^H + BD^H`. Bound: Green (IEEE Trans. Automat. Control 33, 1988, p.
    961); Wang & Safonov (ibid. 37, 1992, p. 1265) bound :math:`G_r^{-1}(G - G_r)` by
    the same number. It holds for the inverse on the left only, and in exact arithmetic:
    poles and zeros next to the stability boundary magnify rounding. Discrete systems
    are mapped to continuous time and back: G_r(-1) = G(-1).
    **Numerical aspects.** That equation for Q loses digits where D is small. V comes
    from a better one, that of the Kalman filter; with the controllability Gramian Y of
    V and the observability Gramian :math:`\Theta` of :math:`V^{-1}`, :math:`Q =
    \Theta(I + Y\Theta)^{-1}`, by factors: small values keep their digits.

    Examples
    --------
    >>> import numpy as np
    >>> import hankelcut as hc
    >>> A, B, C = np.diag([-1.0, -9.0]), np.ones((2, 1)), np.array([[1.0, 0.1]])
    >>> plant = hc.StateSpace(A, B, C, np.array([[0.01]]))
    >>> result = hc.balanced_stochastic_truncation(plant, error_tol=0.2)
    >>> result.order, bool(result.certify().bounded_error.upper <= result.error_bound)
    (1, True)
    """
    caller = "balanced_stochastic_truncation"
    if regularization is not None and not 0 < regularization < math.inf:
        msg = f"{caller}: got regularization={regularization!r}, need a number > 0"
        raise ValueError(msg)
    target = OrderTarget(order, error_tol, energy_tol, relative, max_order)
    return reduce_with(
        lambda part: balance_stochastically(part, regularization or 0.0, caller),
        system,
        target.absolute(1.0),
        caller=caller,
        method="balanced stochastic truncation",
    )
