"""LQG balanced truncation: stable and unstable systems by their coprime factors."""

import math
from dataclasses import dataclass, replace

import numpy as np

from hankelcut.lti.equations._schur_riccati import RiccatiTerms, solve_riccati
from hankelcut.lti.equations.lyapunov_equation import LyapunovEquation
from hankelcut.lti.structure.stability import pole_margins
from hankelcut.lti.structure.stabilizability import require_stabilizable_and_detectable
from hankelcut.lti.systems.conversions import to_dense
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.interconnection import error_system
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.reduction.balancing.continuous_frame import ContinuousFrame
from hankelcut.reduction.balancing.riccati_balancing import (
    RiccatiBalancing,
    RiccatiFactor,
    balance_riccati,
    riccati_factor,
)
from hankelcut.reduction.balancing.transformations import adjoint_system, projected
from hankelcut.reduction.order_selection import HankelSpectrum, OrderTarget
from hankelcut.reduction.reduction_method import Cut, reduce_with
from hankelcut.reduction.result import ErrorBound, ReductionResult

__all__ = ["lqg_balanced_truncation"]

_QUANTITY = "H-infinity norm of [N - N_r; M - M_r], G = N M^-1 normalized coprime"
_CONDITION = "G stabilizable and detectable (Meyer 1990)"


def lqg_balanced_truncation(
    system: StateSpace | DiagonalStateSpace,
    *,
    order: int | None = None,
    error_tol: float | None = None,
    relative: bool = False,
    energy_tol: float | None = None,
    max_order: int | None = None,
) -> ReductionResult:
    r"""Reduce a system, stable or not, as a closed loop sees it.

    With the normalized coprime factors :math:`G = NM^{-1}`,
    :math:`N^\sim N + M^\sim M = I`, those of the reduced system satisfy
    :math:`\|[N - N_r; M - M_r]\|_\infty \le 2\sum_{k>r}\mu_k/\sqrt{1 + \mu_k^2}`.

    Parameters
    ----------
    system : StateSpace or DiagonalStateSpace
        One stabilizable and detectable system; its unstable poles are reduced like the
        others.
    order : int, optional
        Number of states to keep.
    error_tol : float, optional
        Instead: largest admissible bound on the error of the coprime factors. They have
        the norm 1, and so the error is at most 2.
    relative : bool
        Says nothing new: the error is relative to factors of norm 1.
    energy_tol : float, optional
        Instead: largest discarded share of the sum of the values.
    max_order : int, optional
        Largest order to choose, whatever a tolerance asks for.

    Returns
    -------
    ReductionResult
        `characteristic_values` are the :math:`\mu_k`. G - G_r need not be stable, and
        its H-infinity norm is then infinite; `bound` is on the factors.

    Raises
    ------
    ValueError
        If not exactly one target is given or it is out of range.
    InvalidSystemError
        If an entry is NaN or infinite, or the system is sparse or a stack.
    UnstableSystemError
        If an unstable pole is not controllable or not observable; names it.
    ToleranceNotAttainableError
        If no order meets a tolerance; names the best attainable value.
    IllConditionedError, ConvergenceError
        If a Riccati equation cannot be solved accurately, or a discrete system has
        poles at 1 and at -1.

    Warns
    -----
    NumericalWarning
        If a fixed order cuts inside a tie of equal values or exceeds the numerical
        rank.

    Notes
    -----
    **Method.** Jonckheere & Silverman (IEEE Trans. Automat. Control 28, 1983, p. 953):
    the stabilizing solutions of the Riccati equations of the LQG regulator and filter
    are balanced. With D (McFarlane & Glover, Robust Controller Design Using Normalized
    Coprime Factor Plant Descriptions, 1990), :math:`R = I + D^HD`:
    :math:`A^HX + XA + C^HC - (XB + C^HD)R^{-1}(XB + C^HD)^H = 0`, and the dual one for
    Y. :math:`\mu_k^2` are the eigenvalues of X Y, and
    :math:`\mu_k/\sqrt{1 + \mu_k^2}` the Hankel singular values of [N; M]. Bound: Meyer
    (IEEE Trans. Automat. Control 35, 1990, p. 1341). It bounds the gap between G and
    G_r: a controller that stabilizes one of them with a margin larger than the bound
    stabilizes the other. Discrete systems are mapped to continuous time and back, which
    keeps both factors and solutions; G_r(-1) = G(-1) (or at 1 if -1 is a pole).
    **Numerical aspects.** Factors of X and Y come from the Lyapunov equations of the
    closed loops, a step of Newton's method at the same time.

    Examples
    --------
    >>> import numpy as np
    >>> import hankelcut as hc
    >>> A = np.diag([1.0, -2.0, -50.0])
    >>> plant = hc.StateSpace(A, np.ones((3, 1)), np.array([[1.0, 1.0, 0.1]]))
    >>> result = hc.lqg_balanced_truncation(plant, error_tol=0.01)
    >>> result.order, bool(result.system.A[0, 0] > 0)
    (2, True)
    """
    caller = "lqg_balanced_truncation"
    target = OrderTarget(order, error_tol, energy_tol, relative, max_order)
    return reduce_with(
        lambda whole: _decomposed(whole, caller),
        system,
        target.absolute(1.0),
        caller=caller,
        method="LQG balanced truncation",
        unstable="whole",
    )


@dataclass(frozen=True, eq=False)
class _LqgBalancing:
    """A continuous system, balanced by the solutions of both LQG Riccati equations.

    Parameters
    ----------
    riccati : RiccatiBalancing
        Of the solutions Y and X.
    factors : StateSpace
        Normalized right coprime factors [N; M] of the continuous system, in its states.
    """

    riccati: RiccatiBalancing
    factors: StateSpace
    values_name: str = "LQG characteristic values"

    @property
    def spectrum(self) -> HankelSpectrum:
        """Characteristic values and a-priori bounds."""
        spectrum = self.riccati.balancing.spectrum()
        largest = spectrum.upper_values
        of_factors = tuple(value / math.hypot(1.0, value) for value in largest)
        doubts = (0.0,) * len(of_factors)
        bounds = HankelSpectrum(of_factors, doubts, spectrum.eps).error_bounds()
        return replace(spectrum, bounds=tuple(bounds))

    def cut(self, order: int) -> Cut:
        """Project to an order of at most the numerical rank.

        Parameters
        ----------
        order : int
            Number of states to keep.
        """
        riccati = self.riccati
        model = riccati.model(order)
        of_factors = projected(self.factors, model.T, model.W)
        error = riccati.frame.back(to_dense(error_system(self.factors, of_factors)))
        value = np.asarray(self.spectrum.error_bounds()[order])
        bound = ErrorBound(value, _QUANTITY, _CONDITION, error)
        notes = _unstable_poles_told(riccati.frame.system, model.continuous)
        return riccati.cut(model, bound, notes)


def _decomposed(whole: StateSpace, caller: str) -> _LqgBalancing:
    """Balance a system; see `lqg_balanced_truncation`."""
    require_stabilizable_and_detectable(caller, whole)
    frame = ContinuousFrame.of(whole, caller)
    X, factors = _regulator(frame.system, caller)
    Y, _ = _regulator(adjoint_system(frame.system), caller)
    return _LqgBalancing(balance_riccati(frame, Y, X), factors)


def _regulator(G: StateSpace, caller: str) -> tuple[RiccatiFactor, StateSpace]:
    """Least cost of y^H y + u^H u, and the normalized right coprime factors [N; M]."""
    identity, outputs = np.eye(G.n_inputs), G.C.conj().T
    R = identity + G.D.conj().T @ G.D
    terms = RiccatiTerms(G.A, G.B, outputs @ G.C, R, outputs @ G.D)
    X = solve_riccati(caller, terms).X
    F, root = -terms.gain(X), np.linalg.cholesky(R)
    A, C = G.A + G.B @ F, np.vstack([G.C + G.D @ F, F])
    inverse = np.linalg.inv(root.conj().T)
    factors = StateSpace(A, G.B @ inverse, C, np.vstack([G.D, identity]) @ inverse)
    solve = LyapunovEquation(A, caller=caller).dual_factor
    # A step of Newton's method: what it moves X by is the error of X.
    cost = riccati_factor(terms, root, X, C, solve, lambda solution: solution - X)
    return cost, factors


def _unstable_poles_told(full: StateSpace, reduced: StateSpace) -> tuple[str, ...]:
    """Return what has to be said when the numbers of unstable poles differ."""
    before, after = (int(np.sum(pole_margins(G) <= 0)) for G in (full, reduced))
    if before == after:
        return ()
    said = f"the system has {before} unstable poles, the reduced one {after}: they are "
    return (said + "alike in closed loops, not in open loop",)
