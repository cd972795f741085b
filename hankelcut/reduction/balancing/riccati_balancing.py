r"""Balancing by the solutions of two Riccati equations, known by their factors.

**Method.** Once a solution X is known, its Riccati equation is a Lyapunov equation with
a definite right-hand side, whose Hammarling factor keeps the small characteristic
values. Bounded-real and positive-real lemma: of the open loop, :math:`A^HX + XA + C^HC
+ K^HK = 0`. Regulators: of the closed loop. What the error of X adds to a factor is the
factor of one more Lyapunov equation.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from hankelcut._errors import IllConditionedError
from hankelcut.lti.equations._schur_riccati import RiccatiTerms, solve_riccati
from hankelcut.lti.equations.lyapunov_equation import LyapunovEquation
from hankelcut.lti.gramians.gramian_factors import require_solvable
from hankelcut.lti.norms.hinf_norm import hinf_norm
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.reduction.balancing.balancing import Balancing, balance_factors
from hankelcut.reduction.balancing.continuous_frame import ContinuousFrame
from hankelcut.reduction.balancing.transformations import adjoint_system, projected
from hankelcut.reduction.reduction_method import Cut, Matrix
from hankelcut.reduction.result import ErrorBound

__all__ = [
    "ReducedModel",
    "RiccatiBalancing",
    "RiccatiFactor",
    "balance_dissipative",
    "balance_riccati",
    "require_gain",
    "riccati_factor",
]

# A model whose norm is this close to its level is measured again, more closely.
_RTOLS = (1e-3, 1e-6, 1e-9)
_EPS = float(np.finfo(float).eps)


@dataclass(frozen=True, eq=False)
class ReducedModel:
    """A model in the time domain of the full system, and how it was made.

    Parameters
    ----------
    system : StateSpace
        The model.
    continuous : StateSpace
        The projection of the continuous system that it comes from.
    T, W : (n, r) arrays
        The projections of the continuous system.
    """

    system: StateSpace
    continuous: StateSpace
    T: Matrix
    W: Matrix


@dataclass(frozen=True, eq=False)
class RiccatiBalancing:
    """A continuous system, balanced by the solutions of two Riccati equations.

    Parameters
    ----------
    frame : ContinuousFrame
        The continuous system, and the way back.
    balancing : Balancing
        Of P and Q.
    residuals : tuple of two floats
        Relative residuals of the equations for P and Q.
    """

    frame: ContinuousFrame
    balancing: Balancing
    residuals: tuple[float, float]

    def model(self, order: int) -> ReducedModel:
        """Project to an order of at most the numerical rank.

        Parameters
        ----------
        order : int
            Number of states to keep.
        """
        T, W = self.balancing.projections(order)
        continuous = projected(self.frame.system, T, W)
        return ReducedModel(self.frame.back(continuous), continuous, T, W)

    def cut(
        self, model: ReducedModel, bound: ErrorBound, notes: tuple[str, ...] = ()
    ) -> Cut:
        """Return a model with its bound; without projections if it was mapped.

        Parameters
        ----------
        model : ReducedModel
            The model.
        bound : ErrorBound
            Its bound.
        notes : tuple of str
            What has to be said about it.
        """
        W, T = model.W, model.T
        if model.system is not model.continuous:
            return Cut(model.system, bound, None, None, notes, lambda: self.residuals)
        return Cut(model.system, bound, W, T, notes, lambda: self.residuals)


def require_gain(
    model: StateSpace, level: float, what: str, caller: str
) -> tuple[str, ...]:
    """Measure that a gain is at most a level, and return what has to be said of it.

    Parameters
    ----------
    model : StateSpace
        System whose gain the theory keeps at or below the level.
    level : float
        The level.
    what : str
        What the system is, for messages.
    caller : str
        Name for messages.

    Raises
    ------
    UnstableSystemError
        If rounding, or a cut inside a tie, has made it unstable.
    IllConditionedError
        If its H-infinity norm is above the level.
    """
    require_solvable(caller, model)
    lower, upper = 0.0, math.inf
    for rtol in _RTOLS:
        bracket = hinf_norm(model, rtol=rtol)
        lower, upper = float(bracket.lower), float(bracket.upper)
        if upper <= level:
            return ()
        if lower > level:
            msg = (
                f"{caller}: {what} has the H-infinity norm {lower:.9g}, by rounding "
                f"above {level:.9g}; choose another order"
            )
            raise IllConditionedError(msg)
    said = f"{what} has an H-infinity norm between {lower:.12g} and {upper:.12g}"
    return (f"{said}: not proven to be at most {level:.12g}",)


@dataclass(frozen=True, eq=False)
class RiccatiFactor:
    """Factor of the solution X of a Riccati equation.

    Parameters
    ----------
    factor : (n, k) array
        L with X = L L^H.
    unsure : (n, k) array
        Factor of what X may be off by.
    residual : float
        Relative residual of the Riccati equation at L L^H.
    """

    factor: Matrix
    unsure: Matrix
    residual: float


def riccati_factor(
    terms: RiccatiTerms,
    root: Matrix,
    X: Matrix,
    outputs: Matrix,
    solve: Callable[[Matrix], Matrix],
    error_of: Callable[[Matrix], Matrix],
) -> RiccatiFactor:
    """Factor a solution whose equation is a Lyapunov equation, once it is known.

    Parameters
    ----------
    terms : RiccatiTerms
        The Riccati equation.
    root : (m, m) array
        W with W W^H = R, or = -R where R is negative definite.
    X : (n, n) array
        Its stabilizing solution.
    outputs : (k, n) array
        C of the right-hand side C^H C of the Lyapunov equation.
    solve : callable
        Solves it for the factor of its solution, given C.
    error_of : callable
        Estimates the error of X, given L L^H.
    """
    L = solve(outputs)
    solution = L @ L.conj().T
    Bh, Sh = terms.B.conj().T, terms.S.conj().T
    parts = Bh @ error_of(solution), _EPS * (Bh @ X), _EPS * Sh
    unsure = solve(np.vstack([np.linalg.solve(root, part) for part in parts]))
    return RiccatiFactor(L, unsure, terms.residual(solution)[1])


def balance_riccati(
    frame: ContinuousFrame, first: RiccatiFactor, second: RiccatiFactor
) -> RiccatiBalancing:
    """Balance a system by the solutions of two Riccati equations.

    Parameters
    ----------
    frame : ContinuousFrame
        The continuous system.
    first, second : RiccatiFactor
        P and Q.
    """
    balancing = balance_factors(frame.system, first.factor, second.factor)
    moved = float(np.linalg.norm(second.unsure.conj().T @ first.factor))
    moved += float(np.linalg.norm(first.unsure.conj().T @ second.factor))
    balancing = replace(balancing, uncertainty=balancing.uncertainty + moved)
    return RiccatiBalancing(frame, balancing, (first.residual, second.residual))


def balance_dissipative(
    frame: ContinuousFrame,
    lemma: Callable[[StateSpace], tuple[RiccatiTerms, Matrix]],
    caller: str,
) -> RiccatiBalancing:
    """Balance a stable system by the two Riccati equations of a dissipation lemma.

    Parameters
    ----------
    frame : ContinuousFrame
        The continuous system.
    lemma : callable
        From a system to the equation for its Q, with a negative definite R, and to C of
        the constant term C^H C. P is the Q of the adjoint system.
    caller : str
        Name in error messages.

    Raises
    ------
    InvalidSystemError
        If there is no stabilizing solution: the system is not dissipative.
    IllConditionedError, ConvergenceError
        If a solution cannot be computed accurately.
    """
    system = frame.system
    equation = LyapunovEquation(system.A, caller=caller)
    second = _open_loop_factor(*lemma(system), equation.dual_factor, caller)
    first = _open_loop_factor(
        *lemma(adjoint_system(system)),
        lambda rows: equation.factor(rows.conj().T),
        caller,
    )
    return balance_riccati(frame, first, second)


def _open_loop_factor(
    terms: RiccatiTerms,
    outputs: Matrix,
    solve: Callable[[Matrix], Matrix],
    caller: str,
) -> RiccatiFactor:
    """Factor the stabilizing solution of an equation with a negative definite R."""
    X = solve_riccati(caller, terms).X
    root = np.linalg.cholesky(-terms.R)
    mixed = terms.B.conj().T @ X + terms.S.conj().T
    rows = np.vstack([outputs, np.linalg.solve(root, mixed)])
    closed = LyapunovEquation(terms.A - terms.B @ terms.gain(X), caller=caller)

    def newton_step(solution: Matrix) -> Matrix:
        off = terms.A.conj().T @ (solution - X)
        step: Matrix = closed.solve(off + off.conj().T, dual=True)
        return step

    return riccati_factor(terms, root, X, rows, solve, newton_step)
