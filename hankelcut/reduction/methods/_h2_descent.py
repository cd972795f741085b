r"""Descent of the H2 error of a reduced model, over all its matrices.

**Method.** Limited-memory BFGS (Nocedal, Math. Comp. 35, 1980, p. 773) with a
backtracking line search that accepts a sufficient decrease or, where rounding hides
it, a slope that has become flatter (Hager & Zhang, SIAM J. Optim. 16, 2005, p. 170).
The model starts in balanced coordinates, and its entries are scaled by the square roots
of their curvatures: changes of B and C by the Hankel singular value :math:`\sigma_i` of
their state, changes of A by :math:`\sigma_i\sigma_j / \omega_{ij}`, where
:math:`\omega_{ij}` is the mean of the decay rates
:math:`(\|b_i\|^2 + \|c_i\|^2) / 2\sigma_i` of both states. A model that is not stable
is never accepted.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.reduction.methods._h2_error import H2Error, H2Point, ReducedModel
from hankelcut.reduction.reduction_method import Matrix

__all__ = ["Descent", "Progress", "descend"]

Progress: TypeAlias = Callable[[int, float], None]
"""What is told of an iteration: its number, and how far it is from its end."""

# Pairs of steps and gradients to remember: the Hessian of models of a few states.
_MEMORY = 30
# Share of the predicted decrease, and of the slope, that a step must bring or leave.
_SUFFICIENT, _FLATTER = 1e-4, 0.9
_MAX_HALVINGS = 30
# Gradients are small against the error, or against this share of the norm of the
# system: they are known up to the rounding of that norm.
_LEAST_ERROR = 1e-5


@dataclass(frozen=True, eq=False)
class Descent:
    """Where a descent ended.

    Parameters
    ----------
    point : H2Point
        The last model, whose error is the smallest.
    iterations : int
        Number of accepted steps.
    slope : float
        Norm of the scaled gradient, relative to the H2 error.
    converged : bool
        Whether that is within the tolerance.
    """

    point: H2Point
    iterations: int
    slope: float
    converged: bool


@dataclass(frozen=True, eq=False)
class _Scaling:
    """Scaled vectors in place of the matrices of a model, and back."""

    like: StateSpace
    weights: tuple[Matrix, Matrix, Matrix]

    @classmethod
    def of(cls, model: StateSpace, values: Matrix) -> "_Scaling":
        """Weigh the entries of a balanced model with these Hankel singular values."""
        inputs = np.sum(np.abs(model.B) ** 2, axis=1)
        outputs = np.sum(np.abs(model.C) ** 2, axis=0)
        rates = (inputs + outputs) / (2 * values)
        means = (rates[:, None] + rates) / 2
        roots = np.sqrt(values)
        weights = (
            roots[:, None] * roots / np.sqrt(means),
            np.broadcast_to(roots[:, None], model.B.shape),
            np.broadcast_to(roots, model.C.shape),
        )
        return cls(model, weights)

    def vector(self, model: StateSpace) -> Matrix:
        """Return the scaled entries of a model."""
        pairs = zip((model.A, model.B, model.C), self.weights, strict=True)
        return np.concatenate([(matrix * weight).ravel() for matrix, weight in pairs])

    def gradient(self, matrices: tuple[Matrix, Matrix, Matrix]) -> Matrix:
        """Return the gradient in the scaled entries."""
        pairs = zip(matrices, self.weights, strict=True)
        return np.concatenate([(matrix / weight).ravel() for matrix, weight in pairs])

    def model(self, vector: Matrix) -> ReducedModel:
        """Return the model of scaled entries."""
        cuts = np.cumsum([weight.size for weight in self.weights])[:-1]
        pairs = zip(np.split(vector, cuts), self.weights, strict=True)
        A, B, C = (part.reshape(weight.shape) / weight for part, weight in pairs)
        return ReducedModel(replace(self.like, A=A, B=B, C=C))


@dataclass(frozen=True, eq=False)
class _Place:
    """A point of the descent, in scaled entries."""

    point: H2Point
    vector: Matrix
    gradient: Matrix


def descend(
    problem: H2Error,
    start: ReducedModel,
    *,
    tol: float,
    max_iterations: int,
    progress: Progress,
) -> Descent | None:
    """Decrease the H2 error until its gradient vanishes.

    Parameters
    ----------
    problem : H2Error
        The error.
    start : ReducedModel
        Where to start.
    tol : float
        Norm of the scaled gradient, relative to the H2 error, at which to stop.
    max_iterations : int
        Largest number of steps.
    progress : callable
        Told the number of each step and that relative norm before it.

    Returns
    -------
    Descent or None
        None where the start is not stable and minimal to rounding.
    """
    balanced = problem.balanced(start)
    point = None if balanced is None else problem.at(balanced[0])
    if balanced is None or point is None:
        return None
    scaling = _Scaling.of(balanced[0].system, balanced[1])
    place = _placed(problem, scaling, point)
    memory: list[tuple[Matrix, Matrix]] = []
    for iteration in range(max_iterations + 1):
        error = max(problem.error(place.point), _LEAST_ERROR * problem.norm)
        slope = float(np.linalg.norm(place.gradient)) / error
        progress(iteration, slope)
        if slope <= tol or iteration == max_iterations:
            break
        direction = -_newton_direction(place.gradient, memory)
        following = _line_search(problem, scaling, place, direction)
        if following is None and not memory:
            break
        if following is None:
            memory = []
            continue
        step = following.vector - place.vector
        change = following.gradient - place.gradient
        if _inner(step, change) > 0:
            memory = [*memory, (step, change)][-_MEMORY:]
        place = following
    return Descent(place.point, iteration, slope, slope <= tol)


def _placed(problem: H2Error, scaling: _Scaling, point: H2Point) -> _Place:
    gradient = scaling.gradient(problem.gradient(point))
    return _Place(point, scaling.vector(point.model.system), gradient)


def _line_search(
    problem: H2Error, scaling: _Scaling, place: _Place, direction: Matrix
) -> _Place | None:
    """Halve a step until it brings enough; None where no step does."""
    slope = _inner(direction, place.gradient)
    length = 1.0
    for _ in range(_MAX_HALVINGS):
        point = problem.at(scaling.model(place.vector + length * direction))
        if point is not None:
            change = point.excess - place.point.excess
            following = _placed(problem, scaling, point)
            flatter = abs(_inner(direction, following.gradient)) <= -_FLATTER * slope
            if change <= _SUFFICIENT * length * slope or (
                change <= problem.rounding and flatter
            ):
                return following
        length /= 2
    return None


def _newton_direction(gradient: Matrix, memory: list[tuple[Matrix, Matrix]]) -> Matrix:
    """Inverse Hessian times the gradient, as the remembered steps know it."""
    direction, shares = gradient, []
    for step, change in reversed(memory):
        share = _inner(step, direction) / _inner(step, change)
        direction = direction - share * change
        shares.append(share)
    # Scaled entries have curvatures of about 2.
    step, change = memory[-1] if memory else (gradient, 2 * gradient)
    direction = direction * (_inner(step, change) / _inner(change, change))
    for (step, change), share in zip(memory, reversed(shares), strict=True):
        excess = share - _inner(change, direction) / _inner(step, change)
        direction = direction + excess * step
    return direction


def _inner(first: Matrix, second: Matrix) -> float:
    return float(np.vdot(first, second).real)
