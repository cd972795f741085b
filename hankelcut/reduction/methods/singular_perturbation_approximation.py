"""Singular perturbation approximation: balanced reduction that keeps a frequency."""

import cmath
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hankelcut._errors import InvalidSystemError
from hankelcut._typing import Array
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.lti.systems.time_domain import Continuous
from hankelcut.reduction.balancing.balancing import balance
from hankelcut.reduction.balancing.transformations import projected
from hankelcut.reduction.balancing.truncation import (
    require_stable_model,
    unstable_model,
)
from hankelcut.reduction.order_selection import HankelSpectrum, OrderTarget
from hankelcut.reduction.reduction_method import Cut, reduce_with
from hankelcut.reduction.result import ErrorBound, ReductionResult

__all__ = ["singular_perturbation_approximation"]

_CONDITION = "G stable (Liu & Anderson 1989)"
# How far from the stability boundary a point may be and still count as on it.
_ON_BOUNDARY = math.sqrt(float(np.finfo(float).eps))


def singular_perturbation_approximation(
    system: StateSpace | DiagonalStateSpace,
    *,
    order: int | None = None,
    error_tol: float | None = None,
    relative: bool = False,
    energy_tol: float | None = None,
    max_order: int | None = None,
    match: complex | float | None = None,
) -> ReductionResult:
    r"""Reduce a system by balancing, exactly at one frequency: the static gain.

    The reduced system is stable, :math:`G_r(z_0) = G(z_0)` at the point `match`, and
    :math:`\|G - G_r\|_\infty \le 2\sum_{k>r}\sigma_k`. Errors are small at low
    frequencies, where those of balanced truncation are large.

    Parameters
    ----------
    system : StateSpace or DiagonalStateSpace
        One system. Of an unstable one the stable part is reduced and the rest kept.
    order : int, optional
        Number of states to keep, unstable ones included.
    error_tol : float, optional
        Instead: largest admissible H-infinity error bound.
    relative : bool
        Whether error_tol is a multiple of the H-infinity norm of the (stable) system.
    energy_tol : float, optional
        Instead: largest discarded share of the sum of the Hankel singular values.
    max_order : int, optional
        Largest order to choose, whatever a tolerance asks for.
    match : complex or float, optional
        Point of the stability boundary where the reduced system has the response of the
        full one. Continuous: s0 = 0 by default, for complex systems any s0 = jw.
        Discrete: z0 = 1 by default, or -1, for complex systems any z0 with abs(z0) = 1.

    Returns
    -------
    ReductionResult
        The stable part of the model is balanced, with the values that were kept. Its
        feedthrough differs from that of the system; there are no projections.

    Raises
    ------
    ValueError
        If not exactly one target is given or it is out of range.
    InvalidSystemError
        If an entry is NaN or infinite, the system is sparse or a stack, or `match` is
        not on the stability boundary, or not real for a real system.
    UnstableSystemError
        If no pole is stable, or an order inside a tie leaves a pole on the stability
        boundary.
    ToleranceNotAttainableError
        If no order meets a tolerance; names the best attainable value.

    Warns
    -----
    NumericalWarning
        If a fixed order cuts inside a tie of equal values or exceeds the numerical
        rank.

    Notes
    -----
    **Method.** Liu & Anderson, Int. J. Control 50, 1989, p. 1379: the states with small
    values are taken to be in equilibrium at the point, with
    :math:`K = (z_0I - A_{22})^{-1}` of the balanced system
    :math:`A_r = A_{11} + A_{12}KA_{21}`, :math:`B_r = B_1 + A_{12}KB_2`,
    :math:`C_r = C_1 + C_2KA_{21}`, :math:`D_r = D + C_2KB_2`. Discrete systems are
    balanced as they are. **Numerical aspects.** States beyond the numerical rank are
    cut off first: the responses agree to the size of these values.

    Examples
    --------
    >>> import numpy as np
    >>> import hankelcut as hc
    >>> A, b = np.diag([-1.0, -3.0, -9.0]), np.ones((3, 1))
    >>> plant = hc.StateSpace(A, b, b.T)
    >>> result = hc.singular_perturbation_approximation(plant, order=1)
    >>> error = hc.frequency_response(hc.error_system(plant, result.system), [0.0])
    >>> result.order, bool(abs(error[0, 0, 0]) < 1e-12)
    (1, True)
    """
    caller = "singular_perturbation_approximation"
    target = OrderTarget(order, error_tol, energy_tol, relative, max_order)
    return reduce_with(
        lambda part: _decomposed(part, match, caller),
        system,
        target,
        caller=caller,
        method="singular perturbation approximation",
    )


@dataclass(frozen=True, eq=False)
class _SingularPerturbation:
    """A balanced system and the point at which states are eliminated.

    Parameters
    ----------
    balanced : StateSpace
        In balanced coordinates, up to the numerical rank.
    spectrum : HankelSpectrum
        Hankel singular values.
    point : float or complex
        Where the responses agree.
    residuals : callable
        Computes the relative residuals of the Gramians.
    caller : str
        Name for messages.
    """

    balanced: StateSpace
    spectrum: HankelSpectrum
    point: complex | float
    residuals: Callable[[], tuple[Array, Array]]
    caller: str
    values_name: str = "Hankel singular values"

    def cut(self, order: int) -> Cut:
        """Eliminate the states beyond an order of at most the numerical rank.

        Parameters
        ----------
        order : int
            Number of states to keep.

        Raises
        ------
        UnstableSystemError
            If the model is not stable, because the order cuts inside a tie.
        """
        try:
            model = self._eliminated(order)
        except np.linalg.LinAlgError as error:
            raise unstable_model(order, self.caller) from error
        require_stable_model(model, self.caller)
        value = np.asarray(self.spectrum.error_bounds()[order])
        bound = ErrorBound(value, condition=_CONDITION)
        return Cut(model, bound, residuals=self.residuals)

    def _eliminated(self, r: int) -> StateSpace:
        """Return the model of order r; raise `LinAlgError` without an equilibrium."""
        A, B, C = self.balanced.A, self.balanced.B, self.balanced.C
        pencil = self.point * np.eye(A.shape[0] - r) - A[r:, r:]
        solved = np.linalg.solve(pencil, np.hstack([A[r:, :r], B[r:]]))
        states, inputs = solved[:, :r], solved[:, r:]
        return StateSpace(
            A[:r, :r] + A[:r, r:] @ states,
            B[:r] + A[:r, r:] @ inputs,
            C[:, :r] + C[:, r:] @ states,
            self.balanced.D + C[:, r:] @ inputs,
            self.balanced.time,
        )


def _decomposed(
    part: StateSpace, match: complex | float | None, caller: str
) -> _SingularPerturbation:
    """Balance a stable system; see `singular_perturbation_approximation`."""
    point = _matched_point(part, match, caller)
    balancing = balance(part, caller=caller)
    spectrum = balancing.spectrum()
    balanced = projected(part, *balancing.projections(spectrum.numerical_rank))
    return _SingularPerturbation(balanced, spectrum, point, balancing.residuals, caller)


def _matched_point(
    system: StateSpace, match: complex | float | None, caller: str
) -> complex | float:
    """Return the point where the responses shall agree, after a check."""
    continuous = isinstance(system.time, Continuous)
    if match is None:
        return 0.0 if continuous else 1.0
    point = complex(match)
    off = abs(point.real) if continuous else abs(abs(point) - 1)
    if not cmath.isfinite(point) or off > _ON_BOUNDARY * max(1.0, abs(point)):
        need = "0 or jw with a real w in rad/s" if continuous else "abs(match) = 1"
        msg = f"{caller}: got match={match!r} for a system in {system.time}, need "
        raise InvalidSystemError(msg + need)
    point = complex(0.0, point.imag) if continuous else point / abs(point)
    if np.iscomplexobj(system.A):
        return point
    if abs(point.imag) > _ON_BOUNDARY:
        need = "0" if continuous else "1 or -1"
        msg = (
            f"{caller}: got match={match!r} for a real system, need {need}: the model "
            "would not be real; for any other point make the system complex"
        )
        raise InvalidSystemError(msg)
    return point.real
