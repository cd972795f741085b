"""How far apart two answers are, relative to one's own."""

import warnings
from typing import Any

import numpy as np

from hankelcut._errors import NumericalWarning
from hankelcut.lti.equations.lyapunov_equation import LyapunovEquation
from hankelcut.lti.norms.hinf_norm import hinf_norm
from hankelcut.lti.responses.frequency_response import frequency_response
from hankelcut.lti.structure.stability import is_stable
from hankelcut.lti.systems.interconnection import error_system
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.validation.peers.peer import Answer, Matrix, Problem, Quantity

__all__ = ["relative_difference", "residuals", "size"]

_APART = float("inf")


def relative_difference(
    quantity: Quantity, ours: Any, theirs: Any, problem: Problem, floor: float = 0.0
) -> float:
    """Return the difference of two answers relative to the first.

    Poles: the farthest from its nearest counterpart, relative to the largest. Hankel
    singular values: the largest relative difference of single values above `floor`
    times the largest. Gramians: the worse of the two. Models: the H-infinity norm of
    their difference, or where a pole is unstable, its largest gain on the grid of
    frequencies. Other arrays: in the Frobenius norm.

    Parameters
    ----------
    quantity : str
        What was computed.
    ours, theirs : array, StateSpace or float
        The answers.
    problem : Problem
        What was asked.
    floor : float
        Least share of the largest value.

    Returns
    -------
    float
        Infinite if the answers are of other shapes, or not finite.
    """
    if isinstance(ours, StateSpace):
        return _between_models(ours, theirs, problem)
    if quantity == "Hankel singular values":
        return _between_values(ours, theirs, floor)
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    if ours.shape != theirs.shape:
        return _APART
    if np.array_equal(ours, theirs):
        return 0.0
    if not (np.all(np.isfinite(ours)) and np.all(np.isfinite(theirs))):
        return _APART
    if quantity == "poles":
        return _between_poles(ours, theirs)
    if quantity == "Gramians":
        pairs = zip(ours, theirs, strict=True)
        return max(_relative(_norm(a - b), _norm(a)) for a, b in pairs)
    return _relative(_norm(ours - theirs), _norm(ours))


def size(answer: Answer, problem: Problem) -> float:
    """Return one number for an answer: its norm, or that of its response.

    Parameters
    ----------
    answer : array, StateSpace or float
        The answer; an array has its Frobenius norm, a model that of its frequency
        response on the grid.
    problem : Problem
        What was asked.
    """
    if isinstance(answer, StateSpace):
        return _norm(frequency_response(answer, problem.frequencies))
    return _norm(answer)


def residuals(
    quantity: Quantity, ours: Any, theirs: Any, problem: Problem
) -> tuple[float, float] | None:
    """Return the relative residuals of both solutions, where an equation was solved.

    Parameters
    ----------
    quantity : str
        What was computed.
    ours, theirs : array, StateSpace or float
        The answers.
    problem : Problem
        What was asked.
    """
    if quantity not in ("Lyapunov solution", "Gramians"):
        return None
    if np.shape(ours) != np.shape(theirs) or not np.all(np.isfinite(theirs)):
        return None
    return _residual(ours, problem), _residual(theirs, problem)


def _residual(X: Matrix, problem: Problem) -> float:
    """Return the largest relative residual of the equations behind an answer."""
    system = problem.system
    equation = LyapunovEquation(system.A, system.time)
    if X.ndim == 2:
        return float(equation.residual(X, np.eye(system.n_states)))
    B, C = system.B, system.C
    P, Q = X
    residuals = (
        equation.residual(P, B @ B.conj().T),
        equation.residual(Q, C.conj().T @ C, dual=True),
    )
    return max(float(residual) for residual in residuals)


def _between_models(ours: StateSpace, theirs: StateSpace, problem: Problem) -> float:
    facts = [(s.time, s.n_states, s.D.shape) for s in (ours, theirs)]
    if facts[0] != facts[1]:
        return _APART
    if not (bool(is_stable(ours)) and bool(is_stable(theirs))):
        first, second = (
            np.asarray(frequency_response(model, problem.frequencies))
            for model in (ours, theirs)
        )
        return _relative(_gain(first - second), _gain(first))
    with warnings.catch_warnings():
        # The norm of what is all rounding has a wide bracket.
        warnings.simplefilter("ignore", NumericalWarning)
        difference = hinf_norm(error_system(ours, theirs)).upper
        whole = hinf_norm(problem.system).lower
    return _relative(float(difference), float(whole))


def _between_values(ours: Matrix, theirs: Matrix, floor: float) -> float:
    if not np.all(np.isfinite(theirs)):
        if floor == 0:
            return _APART
        theirs = theirs[np.isfinite(theirs)]
    ours = ours[ours >= floor * max(ours, default=0.0)]
    theirs = np.sort(theirs.real)[::-1][: len(ours)]
    if len(theirs) != len(ours):
        return _APART
    return float(np.max(np.abs(theirs / ours - 1), initial=0.0))


def _between_poles(ours: Matrix, theirs: Matrix) -> float:
    distances = np.abs(ours[:, None] - theirs[None, :])
    farthest = max(distances.min(axis=0).max(), distances.min(axis=1).max())
    return _relative(float(farthest), float(np.abs(ours).max()))


def _gain(response: Matrix) -> float:
    return float(np.linalg.norm(response, 2, axis=(-2, -1)).max())


def _norm(values: Any) -> float:
    return float(np.linalg.norm(np.ravel(values)))


def _relative(difference: float, whole: float) -> float:
    if difference == 0:
        return 0.0
    return difference / whole if whole > 0 else _APART
