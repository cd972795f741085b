"""Positive-real truncation: models of passive systems are passive."""

import math
from dataclasses import dataclass, replace

import numpy as np

from hankelcut._errors import InvalidSystemError
from hankelcut.lti.equations._schur_riccati import RiccatiTerms, crossing_frequencies
from hankelcut.lti.gramians.gramian_factors import require_solvable
from hankelcut.lti.responses.frequency_response import frequency_response
from hankelcut.lti.systems.conversions import to_dense
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.interconnection import error_system
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.reduction.balancing.continuous_frame import ContinuousFrame
from hankelcut.reduction.balancing.riccati_balancing import (
    RiccatiBalancing,
    balance_dissipative,
    require_gain,
)
from hankelcut.reduction.order_selection import HankelSpectrum, OrderTarget
from hankelcut.reduction.reduction_method import Cut, Matrix, reduce_with
from hankelcut.reduction.result import ErrorBound, ReductionResult

__all__ = ["positive_real_truncation"]

_CONDITION = (
    "G stable and strictly passive (Desai & Pal 1984; bound: Opdenacker & Jonckheere "
    "1988, of the bounded-real truncation of S)"
)
# A feedthrough with less damping than this share of the largest is taken as lossless.
_SMALLEST_DAMPING = 1e-10


def positive_real_truncation(
    system: StateSpace | DiagonalStateSpace,
    *,
    order: int | None = None,
    error_tol: float | None = None,
    relative: bool = False,
    energy_tol: float | None = None,
    max_order: int | None = None,
    reference: float = 1.0,
) -> ReductionResult:
    r"""Reduce a passive system (an impedance, an admittance) to a passive one.

    For a stable square G with :math:`G + G^H > 0` on the stability boundary the reduced
    system has the same properties. Bounded is the error of the scattering matrix
    :math:`S = (G - \rho I)(G + \rho I)^{-1}`, for every reference resistance
    :math:`\rho > 0`: :math:`\|S - S_r\|_\infty \le 2\sum_{k>r}\sigma_k` with the
    positive-real characteristic values :math:`1 > \sigma_1 \ge \sigma_2 \ge \dots`.

    Parameters
    ----------
    system : StateSpace or DiagonalStateSpace
        One stable and strictly passive system: as many outputs as inputs, and
        :math:`G + G^H > 0` at all frequencies, the infinite one (discrete: z = -1)
        included.
    order : int, optional
        Number of states to keep.
    error_tol : float, optional
        Instead: largest admissible bound on the error of the scattering matrix, whose
        norm is below 1.
    relative : bool
        Says nothing new: error_tol is relative to 1, the norm of a lossless scattering
        matrix, in any case.
    energy_tol : float, optional
        Instead: largest discarded share of the sum of the values.
    max_order : int, optional
        Largest order to choose, whatever a tolerance asks for.
    reference : float
        Resistance :math:`\rho` of the scattering matrix whose error `certify`
        measures, in output units per input unit. The model does not depend on it.

    Returns
    -------
    ReductionResult
        The reduced system, the characteristic values and the bound, with S - S_r as
        `bound.error`.

    Raises
    ------
    ValueError
        If not exactly one target is given, or it or the reference is out of range.
    InvalidSystemError
        If an entry is NaN or infinite, the system is sparse, a stack or not square, or
        it is not strictly passive: says at which frequency.
    UnstableSystemError
        If the system is not stable, or a cut inside a tie leaves a model that is not.
    ToleranceNotAttainableError
        If no order meets a tolerance; names the best attainable value.
    IllConditionedError, ConvergenceError
        If a Riccati equation cannot be solved accurately, or the reduced system is not
        passive by rounding.

    Warns
    -----
    NumericalWarning
        If a fixed order cuts inside a tie of equal values or exceeds the numerical
        rank.

    Notes
    -----
    **Method.** Desai & Pal (IEEE Trans. Automat. Control 29, 1984, p. 1097): the
    stabilizing solutions of :math:`A^HQ + QA + (C^H - QB)(D + D^H)^{-1}(C - B^HQ) = 0`
    and of its dual for P are balanced, and cut. They are those of the bounded-real
    equations of S, and :math:`S_r` is the bounded-real truncation of S. Discrete
    systems are mapped to continuous time and back: G_r(-1) = G(-1).
    **Numerical aspects.** Both solutions are computed by their factors, from the
    Lyapunov equations that the Riccati equations become once their solutions are known,
    so that small values keep their digits.

    Examples
    --------
    >>> import numpy as np
    >>> import hankelcut as hc
    >>> A, B = np.diag([-1.0, -4.0, -90.0]), np.ones((3, 1))
    >>> plant = hc.StateSpace(A, B, np.array([[0.5, 0.4, 0.1]]), np.array([[0.1]]))
    >>> result = hc.positive_real_truncation(plant, error_tol=0.05)
    >>> measured = result.certify().bounded_error
    >>> result.order, bool(measured.upper <= result.error_bound)
    (2, True)
    """
    caller = "positive_real_truncation"
    if not 0 < reference < math.inf:
        msg = f"{caller}: got reference={reference!r}, need a number > 0"
        raise ValueError(msg)
    target = OrderTarget(order, error_tol, energy_tol, relative, max_order)
    return reduce_with(
        lambda part: _decomposed(part, reference, caller),
        system,
        target.absolute(1.0),
        caller=caller,
        method="positive-real truncation",
        unstable="refuse",
    )


@dataclass(frozen=True, eq=False)
class _PositiveRealBalancing:
    """A passive system, balanced by both positive-real Riccati equations.

    Parameters
    ----------
    system : StateSpace
        The system.
    riccati : RiccatiBalancing
        What was balanced.
    reference : float
        Resistance of the scattering matrix whose error is bounded.
    caller : str
        Name for messages.
    """

    system: StateSpace
    riccati: RiccatiBalancing
    reference: float
    caller: str
    values_name: str = "positive-real characteristic values"

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
            If the model is not passive.
        """
        model = self.riccati.model(order)
        natural = _scattering(model.system, _natural_resistance(model.system))
        what = f"the scattering matrix of the model of order {order}"
        notes = require_gain(natural, 1.0, what, self.caller)
        reference = self.reference
        error = error_system(
            _scattering(self.system, reference), _scattering(model.system, reference)
        )
        quantity = "H-infinity norm of S - S_r, S = (G - rho I)(G + rho I)^-1, "
        quantity += f"rho = {reference:g}"
        value = np.asarray(self.spectrum.error_bounds()[order])
        bound = ErrorBound(value, quantity, _CONDITION, to_dense(error))
        return self.riccati.cut(model, bound, notes)


def _decomposed(
    part: StateSpace, reference: float, caller: str
) -> _PositiveRealBalancing:
    """Balance a stable system; see `positive_real_truncation`."""
    if part.n_inputs != part.n_outputs:
        msg = (
            f"{caller}: got {part.n_outputs} outputs and {part.n_inputs} inputs, need "
            "as many outputs as inputs (an impedance or admittance matrix)"
        )
        raise InvalidSystemError(msg)
    require_solvable(caller, part)
    frame = ContinuousFrame.of(part, caller)
    _require_damped_feedthrough(frame, caller)
    try:
        riccati = balance_dissipative(frame, _lemma, caller)
    except InvalidSystemError as error:
        raise InvalidSystemError(_not_passive(frame, caller)) from error
    return _PositiveRealBalancing(part, riccati, reference, caller)


def _lemma(system: StateSpace) -> tuple[RiccatiTerms, Matrix]:
    """Riccati equation of the positive-real lemma, which has no constant term."""
    A, D = system.A, system.D
    R = -(D + D.conj().T)
    terms = RiccatiTerms(A, system.B, np.zeros_like(A), R, -system.C.conj().T)
    return terms, np.zeros_like(A[:0])


def _require_damped_feedthrough(frame: ContinuousFrame, caller: str) -> None:
    """Raise unless D + D^H is positive definite."""
    D = frame.system.D
    values = np.linalg.eigvalsh(D + D.conj().T)
    largest = float(np.linalg.norm(D, 2)) if D.size else 0.0
    if values.size and not values[0] > _SMALLEST_DAMPING * largest:
        msg = (
            f"{caller}: got G + G^H with the smallest eigenvalue {values[0]:.6g} at "
            f"{frame.infinity}, need a positive one; add a small resistance to the "
            "feedthrough, G + d I"
        )
        raise InvalidSystemError(msg)


def _not_passive(frame: ContinuousFrame, caller: str) -> str:
    """Say at which frequency a system is not strictly passive."""
    crossings = crossing_frequencies(_lemma(frame.system)[0])
    if not np.iscomplexobj(frame.system.A):
        crossings = np.abs(crossings)
    crossings = np.unique(np.append(crossings, 0.0))
    points = np.concatenate([crossings, (crossings[1:] + crossings[:-1]) / 2])
    response = np.asarray(frequency_response(frame.system, points))
    least = np.linalg.eigvalsh(response + response.conj().swapaxes(-1, -2))[:, 0]
    k = int(np.argmin(least))
    where, lacking = frame.frequency(float(points[k])), -least[k] / 2
    more = f" of more than {lacking:.3g}" if lacking > 0 else ""
    return (
        f"{caller}: got G + G^H with the smallest eigenvalue {least[k]:.6g} at "
        f"{where}: not strictly passive, need a positive one at every frequency; "
        f"add a resistance{more} to the feedthrough"
    )


def _scattering(system: StateSpace, resistance: float) -> StateSpace:
    r"""Return :math:`S = (G - \rho I)(G + \rho I)^{-1}`."""
    n, identity = system.n_states, np.eye(system.n_inputs)
    both = np.hstack([system.C, system.D - resistance * identity])
    solved = np.linalg.solve(system.D + resistance * identity, both)
    inward = (
        np.linalg.solve((system.D + resistance * identity).conj().T, system.B.conj().T)
        .conj()
        .T
    )
    root = math.sqrt(2 * resistance)
    return replace(
        system,
        A=system.A - system.B @ solved[:, :n],
        B=root * inward,
        C=root * solved[:, :n],
        D=solved[:, n:],
    )


def _natural_resistance(system: StateSpace) -> float:
    """Return the mean resistance at infinite frequency, or 1 without one."""
    m = system.n_inputs
    resistance = float(np.trace(system.D).real) / m if m else 1.0
    return resistance if resistance > 0 else 1.0
