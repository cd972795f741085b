r"""Balancing by the two Riccati equations of a dissipative system.

**Method.** The least solutions P and Q of the Riccati equations of the bounded-real and
of the positive-real lemma solve, once they are known, Lyapunov equations of the open
loop, :math:`A^HQ + QA + C^HC + K^HK = 0`, whose right-hand sides are definite: their
Hammarling factors keep the small characteristic values. What the error of K adds to a
factor is the factor of one more Lyapunov equation.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from hankelcut._errors import IllConditionedError
from hankelcut.lti.equations._schur_riccati import RiccatiTerms, solve_riccati
from hankelcut.lti.equations.lyapunov_equation import LyapunovEquation
from hankelcut.lti.gramians.gramian_factors import require_solvable
from hankelcut.lti.norms.hinf_norm import hinf_norm
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.reduction.balancing.balancing import Balancing, balance_factors
from hankelcut.reduction.balancing.continuous_frame import ContinuousFrame, projected
from hankelcut.reduction.reduction_method import Matrix

__all__ = ["ReducedModel", "RiccatiBalancing", "balance_riccati", "require_gain"]

# A model whose norm is this close to its level is measured again, more closely.
_RTOLS = (1e-3, 1e-6, 1e-9)


@dataclass(frozen=True, eq=False)
class ReducedModel:
    """A reduced system in the time domain of the full one.

    Parameters
    ----------
    system : StateSpace
        The system.
    W, T : (n, r) arrays or None
        Its projections; None where it went through continuous time.
    """

    system: StateSpace
    W: Matrix | None
    T: Matrix | None


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
        """Project to an order of at most the numerical rank."""
        T, W = self.balancing.projections(order)
        reduced = projected(self.frame.system, T, W)
        system = self.frame.back(reduced)
        if system is not reduced:
            return ReducedModel(system, None, None)
        return ReducedModel(system, W, T)


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
class _Factor:
    """Factor L of a solution X = L L^H, of what X may be off by, and the residual."""

    factor: Matrix
    unsure: Matrix
    residual: float


def balance_riccati(
    frame: ContinuousFrame,
    of_inputs: RiccatiTerms,
    inputs: Matrix,
    of_outputs: RiccatiTerms,
    outputs: Matrix,
    caller: str,
) -> RiccatiBalancing:
    r"""Balance a stable system by the solutions of its two Riccati equations.

    Parameters
    ----------
    frame : ContinuousFrame
        The continuous system.
    of_inputs : RiccatiTerms
        The equation for P, of the adjoint system, with a negative definite R.
    inputs : (n, k) array
        Factor of its constant term.
    of_outputs : RiccatiTerms
        The equation for Q, with a negative definite R.
    outputs : (k, n) array
        Factor of its constant term.
    caller : str
        Name in error messages.

    Raises
    ------
    InvalidSystemError
        If there is no stabilizing solution: the system is not dissipative.
    IllConditionedError, ConvergenceError
        If a solution cannot be computed accurately.
    """
    equation = LyapunovEquation(frame.system.A, caller=caller)
    second = _factored(of_outputs, outputs, equation, dual=True, caller=caller)
    first = _factored(of_inputs, inputs.conj().T, equation, dual=False, caller=caller)
    balancing = balance_factors(frame.system, first.factor, second.factor)
    moved = float(np.linalg.norm(second.unsure.conj().T @ first.factor))
    moved += float(np.linalg.norm(first.unsure.conj().T @ second.factor))
    balancing = replace(balancing, uncertainty=balancing.uncertainty + moved)
    return RiccatiBalancing(frame, balancing, (first.residual, second.residual))


def _factored(
    terms: RiccatiTerms,
    outputs: Matrix,
    equation: LyapunovEquation,
    *,
    dual: bool,
    caller: str,
) -> _Factor:
    """Factor the stabilizing solution of one of the two equations."""

    def solved(rows: Matrix) -> Matrix:
        L = equation.dual_factor(rows) if dual else equation.factor(rows.conj().T)
        factor: Matrix = np.asarray(L)
        return factor

    X = solve_riccati(caller, terms).X
    root = np.linalg.cholesky(-terms.R)
    Bh, Sh = terms.B.conj().T, terms.S.conj().T
    L = solved(np.vstack([outputs, np.linalg.solve(root, Bh @ X + Sh)]))
    wrong = Bh @ _newton_step(terms, X, L, caller)
    rounded = [np.finfo(float).eps * matrix for matrix in (Bh @ X, Sh)]
    unsure = solved(np.vstack([np.linalg.solve(root, M) for M in (wrong, *rounded)]))
    return _Factor(L, unsure, terms.residual(L @ L.conj().T)[1])


def _newton_step(terms: RiccatiTerms, X: Matrix, L: Matrix, caller: str) -> Matrix:
    """Estimate the error of X, whose Lyapunov equation has the solution L L^H."""
    off = terms.A.conj().T @ (L @ L.conj().T - X)
    closed = LyapunovEquation(terms.A - terms.B @ terms.gain(X), caller=caller)
    step: Matrix = np.asarray(closed.solve(off + off.conj().T, dual=True))
    return step
