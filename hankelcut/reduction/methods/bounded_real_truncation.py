"""Bounded-real truncation: the gain of the model stays below a level."""

import math
from dataclasses import dataclass

import numpy as np

from hankelcut._errors import InvalidSystemError
from hankelcut.lti.equations._schur_riccati import RiccatiTerms
from hankelcut.lti.gramians.gramian_factors import require_solvable
from hankelcut.lti.norms.hinf_norm import hinf_norm
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.lti.systems.time_domain import Continuous
from hankelcut.reduction.balancing.continuous_frame import ContinuousFrame
from hankelcut.reduction.balancing.riccati_balancing import (
    RiccatiBalancing,
    balance_dissipative,
    require_gain,
)
from hankelcut.reduction.order_selection import HankelSpectrum, OrderTarget
from hankelcut.reduction.reduction_method import Cut, Matrix, reduce_with
from hankelcut.reduction.result import ErrorBound, ReductionResult

__all__ = ["bounded_real_truncation"]

_CONDITION = (
    "G stable with an H-infinity norm below gamma (Opdenacker & Jonckheere 1988)"
)


def bounded_real_truncation(
    system: StateSpace | DiagonalStateSpace,
    *,
    order: int | None = None,
    error_tol: float | None = None,
    relative: bool = False,
    energy_tol: float | None = None,
    max_order: int | None = None,
    gamma: float = 1.0,
) -> ReductionResult:
    r"""Reduce a system of gain below gamma to one of gain below gamma.

    For a stable G with :math:`\|G\|_\infty < \gamma` (a scattering matrix, a filter
    that must not amplify) the reduced system is stable,
    :math:`\|G_r\|_\infty \le \gamma`, and
    :math:`\|G - G_r\|_\infty \le 2\sum_{k>r}\sigma_k` with the bounded-real
    characteristic values :math:`\gamma > \sigma_1 \ge \sigma_2 \ge \dots`, which are
    never below the Hankel singular values, and close to them for a large gamma.

    Parameters
    ----------
    system : StateSpace or DiagonalStateSpace
        One stable system with an H-infinity norm below `gamma`.
    order : int, optional
        Number of states to keep.
    error_tol : float, optional
        Instead: largest admissible H-infinity error bound, absolute.
    relative : bool
        Whether error_tol is a multiple of the H-infinity norm of the system.
    energy_tol : float, optional
        Instead: largest discarded share of the sum of the values.
    max_order : int, optional
        Largest order to choose, whatever a tolerance asks for.
    gamma : float
        Level that neither gain exceeds, 1 for contractive systems.

    Returns
    -------
    ReductionResult
        The reduced system, whose norm was measured to be at most gamma (`warnings` tell
        where that could not be decided), the characteristic values and the bound.

    Raises
    ------
    ValueError
        If not exactly one target is given, or it or gamma is out of range.
    InvalidSystemError
        If an entry is NaN or infinite, the system is sparse or a stack, or its norm is
        not below gamma: names the norm and where it is attained.
    UnstableSystemError
        If the system is not stable, or a cut inside a tie leaves a model that is not.
    ToleranceNotAttainableError
        If no order meets a tolerance; names the best attainable value.
    IllConditionedError, ConvergenceError
        If a Riccati equation cannot be solved accurately, or the norm of the reduced
        system is above gamma by rounding.

    Warns
    -----
    NumericalWarning
        If a fixed order cuts inside a tie of equal values or exceeds the numerical
        rank.

    Notes
    -----
    **Method.** Opdenacker & Jonckheere (IEEE Trans. Circuits Syst. 35, 1988, p. 184):
    the stabilizing solutions of :math:`A^HQ + QA + C^HC + (QB + C^HD)(\gamma^2I -
    D^HD)^{-1}(QB + C^HD)^H = 0` and of its dual for P are balanced, and cut. Discrete
    systems are mapped to continuous time and back: G_r(-1) = G(-1).
    **Numerical aspects.** Both solutions are computed by their factors, from the
    Lyapunov equations that the Riccati equations become once their solutions are known,
    so that small values keep their digits.

    Examples
    --------
    >>> import numpy as np
    >>> import hankelcut as hc
    >>> A, B = np.diag([-1.0, -4.0, -90.0]), np.ones((3, 1))
    >>> plant = hc.StateSpace(A, B, np.array([[0.5, 0.4, 0.1]]))
    >>> result = hc.bounded_real_truncation(plant, error_tol=0.01)
    >>> result.order, bool(hc.hinf_norm(result.system).upper < 1)
    (2, True)
    """
    caller = "bounded_real_truncation"
    if not 0 < gamma < math.inf or not 0 < gamma * gamma < math.inf:
        msg = f"{caller}: got gamma={gamma!r}, need a number > 0 with a finite square"
        raise ValueError(msg)
    target = OrderTarget(order, error_tol, energy_tol, relative, max_order)
    return reduce_with(
        lambda part: _decomposed(part, gamma, caller),
        system,
        target,
        caller=caller,
        method="bounded-real truncation",
        unstable="refuse",
    )


@dataclass(frozen=True, eq=False)
class _BoundedRealBalancing:
    """A system balanced by both bounded-real Riccati equations, and the level."""

    riccati: RiccatiBalancing
    gamma: float
    caller: str
    values_name: str = "bounded-real characteristic values"

    @property
    def spectrum(self) -> HankelSpectrum:
        """Characteristic values."""
        return self.riccati.balancing.spectrum()

    def cut(self, order: int) -> Cut:
        """Project to an order of at most the numerical rank.

        Parameters
        ----------
        order : int
            Number of states to keep.

        Raises
        ------
        UnstableSystemError
            If rounding, or a cut inside a tie, has made the model unstable.
        IllConditionedError
            If its norm is above gamma.
        """
        model = self.riccati.model(order)
        what = f"the model of order {order}"
        notes = require_gain(model.system, self.gamma, what, self.caller)
        value = np.asarray(self.spectrum.error_bounds()[order])
        bound = ErrorBound(value, condition=_CONDITION)
        return self.riccati.cut(model, bound, notes)


def _decomposed(part: StateSpace, gamma: float, caller: str) -> _BoundedRealBalancing:
    """Balance a stable system; see `bounded_real_truncation`."""
    require_solvable(caller, part)
    frame = ContinuousFrame.of(part, caller)
    D = frame.system.D
    level = float(np.linalg.norm(D, 2)) if D.size else 0.0
    if not level < gamma:
        raise InvalidSystemError(_too_large(part, gamma, caller))
    try:
        riccati = balance_dissipative(frame, lambda G: _lemma(G, gamma), caller)
    except InvalidSystemError as error:
        raise InvalidSystemError(_too_large(part, gamma, caller)) from error
    return _BoundedRealBalancing(riccati, gamma, caller)


def _lemma(system: StateSpace, gamma: float) -> tuple[RiccatiTerms, Matrix]:
    """Riccati equation of the bounded-real lemma, and the factor C of C^H C."""
    C, D = system.C, system.D
    Ch, Dh = C.conj().T, D.conj().T
    R = Dh @ D - gamma * gamma * np.eye(D.shape[1])
    return RiccatiTerms(system.A, system.B, Ch @ C, R, Ch @ D), C


def _too_large(part: StateSpace, gamma: float, caller: str) -> str:
    """Say what the norm of a system is that is not below the level."""
    bracket = hinf_norm(part)
    unit = "rad/s" if isinstance(part.time, Continuous) else "radians per sample"
    return (
        f"{caller}: got a system of H-infinity norm {float(bracket.lower):.9g} (at "
        f"{float(bracket.frequency):.6g} {unit}), need less than gamma = {gamma:.9g}; "
        "pass a larger gamma"
    )
