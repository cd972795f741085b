"""What the H2-optimal methods share: balanced truncation to start from and to beat."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from hankelcut.lti.norms.h2_norm import h2_norm
from hankelcut.lti.systems.interconnection import error_system
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.reduction.balancing.balancing import Balancing, balance
from hankelcut.reduction.balancing.transformations import projected
from hankelcut.reduction.balancing.truncation import require_stable_model
from hankelcut.reduction.methods._h2_descent import Progress
from hankelcut.reduction.methods._h2_error import H2Error, ReducedModel
from hankelcut.reduction.order_selection import HankelSpectrum
from hankelcut.reduction.reduction_method import Cut
from hankelcut.reduction.result import ErrorBound

__all__ = ["H2Refinement", "Improvement", "improvement"]

Improvement: TypeAlias = Callable[[H2Error, ReducedModel], tuple[ReducedModel, str]]
"""From an error and a start to a model, and what has to be said about it, if any."""

# Errors below this share of the norm of the system are its rounding, per state.
_ROUNDING = 100 * float(np.finfo(np.float64).eps)

_NO_BOUND = ErrorBound(
    None,
    condition=(
        "none: that of balanced truncation does not carry over to models optimised in "
        "the H2 norm; certify() measures the error"
    ),
)


@dataclass(frozen=True, eq=False)
class H2Refinement:
    """Balanced truncations of one system, whose H2 errors are improved.

    Parameters
    ----------
    caller : str
        Name of the public function, for messages.
    full : StateSpace
        The system: stable, NumPy, in double precision.
    balancing : Balancing
        Of the system.
    problem : H2Error
        Its H2 error.
    improve : callable
        How to improve a model.
    values_name : str
        What the values of the spectrum are.
    """

    caller: str
    full: StateSpace
    balancing: Balancing
    problem: H2Error
    improve: Improvement
    values_name: str = "Hankel singular values"

    @classmethod
    def of(cls, caller: str, full: StateSpace, improve: Improvement) -> "H2Refinement":
        """Balance a system.

        Parameters
        ----------
        caller : str
            Name of the public function, for messages.
        full : StateSpace
            The system.
        improve : callable
            How to improve a model.
        """
        balancing = balance(full, caller=caller)
        norm = h2_norm(replace(full, D=np.zeros_like(full.D)))
        return cls(caller, full, balancing, H2Error(full, float(norm)), improve)

    @property
    def spectrum(self) -> HankelSpectrum:
        """The Hankel singular values; no order has an a-priori bound."""
        return replace(self.balancing.spectrum(), bounds=())

    def cut(self, order: int) -> Cut:
        """Truncate and improve.

        Parameters
        ----------
        order : int
            At most the numerical rank.
        """
        best, note = self._truncated(order), ""
        require_stable_model(best.system, self.caller)
        error = self._error(best)
        if order > 0 and error > self.full.n_states * _ROUNDING * self.problem.norm:
            improved, note = self.improve(self.problem, best)
            if self._error(improved) < error:
                best = improved
            else:
                note = "no model with a smaller H2 error than that of balanced "
                note += "truncation was found; that is returned"
        notes = (note,) if note else ()
        return Cut(best.system, _NO_BOUND, best.W, best.T, notes)

    def _truncated(self, order: int) -> ReducedModel:
        T, W = self.balancing.projections(order)
        return ReducedModel(projected(self.full, T, W), T, W)

    def _error(self, model: ReducedModel) -> float:
        return float(h2_norm(error_system(self.full, model.system)))


def improvement(
    caller: str,
    iterate: Callable[..., tuple[ReducedModel, str]],
    *,
    tol: float,
    max_iterations: int,
    progress: Progress | None,
) -> Improvement:
    """Return an iteration with its settings, after a check.

    Parameters
    ----------
    caller : str
        Name of the public function, for messages.
    iterate : callable
        Takes an error, a start and, by name, the settings.
    tol, max_iterations, progress : float, int, callable or None
        Arguments of the public function.

    Raises
    ------
    ValueError
        If one of them is out of range.
    """
    if not 0 < tol < 1:
        msg = f"{caller}: got tol={tol!r}, need a number between 0 and 1"
        raise ValueError(msg)
    if max_iterations < 0:
        msg = f"{caller}: got max_iterations={max_iterations!r}, need a number >= 0"
        raise ValueError(msg)
    return functools.partial(
        iterate, tol=tol, max_iterations=max_iterations, progress=progress or _quiet
    )


def _quiet(iteration: int, change: float) -> None:
    """Tell nobody of an iteration."""
