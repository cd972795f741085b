r"""Balancing by the Gramians of a system and of its phase.

**Method.** With G G~ = V V~, V without zeros outside the stability region, and
:math:`B_W = PC^H + BD^H`, the observability Gramian Q of the phase solves
:math:`A^HQ + QA + (C - B_W^HQ)^H(DD^H)^{-1}(C - B_W^HQ) = 0`. The Kalman filter of G
gives V = (A, L R^H, C, R^H), :math:`R^HR = DD^H`, from a Riccati equation of far
smaller terms; with the controllability Gramian Y of V and the observability Gramian
:math:`\Theta` of :math:`V^{-1}`, both of Lyapunov equations, :math:`Q = \Theta(I +
Y\Theta)^{-1}`. Its factor follows from those of Y and :math:`\Theta`: nothing is
subtracted.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from hankelcut._errors import (
    ConvergenceError,
    IllConditionedError,
    InvalidSystemError,
    ToleranceNotAttainableError,
)
from hankelcut.lti.equations._schur_riccati import (
    RiccatiTerms,
    crossing_frequencies,
    solve_riccati,
)
from hankelcut.lti.equations.lyapunov_equation import LyapunovEquation
from hankelcut.lti.gramians.gramian_factors import require_solvable
from hankelcut.lti.responses.frequency_response import frequency_response
from hankelcut.lti.systems._scaling import magnitude
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.reduction.balancing.balancing import balance_factors
from hankelcut.reduction.balancing.continuous_frame import ContinuousFrame
from hankelcut.reduction.balancing.riccati_balancing import (
    ReducedModel,
    RiccatiBalancing,
)
from hankelcut.reduction.order_selection import HankelSpectrum
from hankelcut.reduction.reduction_method import Cut, Matrix
from hankelcut.reduction.result import ErrorBound

__all__ = ["StochasticBalancing", "balance_stochastically"]

_QUANTITY = "H-infinity norm of V^-1 (G - G_r), V V~ = G G~: left relative error"
_MIXED = "H-infinity norm of V^-1 (G - G_r), V V~ = G G~ + {:.3g}^2 I"
_CONDITION = (
    "of the stable part of G, without zeros on the stability boundary (Green 1988; "
    "Wang & Safonov 1992)"
)
# D D^H is inverted, and has the square of the condition number of D.
_SMALLEST_FEEDTHROUGH = float(np.sqrt(np.finfo(float).eps))
# Values nearer to 1 are those of zeros outside the stability region (SLICOT AB09HD).
_UNIT = float(np.finfo(float).eps ** (2 / 3))
# Gains, relative to that at infinity, which computed zeros of order 2 are found by.
_VANISHING = 1e-6
# Errors against 60 digits are up to 18 times what two computations differ by.
_SLACK = 20.0
# exp of more is infinite for any purpose.
_LARGEST_EXPONENT = 700.0


@dataclass(frozen=True, eq=False)
class StochasticBalancing:
    """A continuous system, balanced by P and Q.

    Parameters
    ----------
    part : StateSpace
        The system, in its own time domain.
    riccati : RiccatiBalancing
        Of P and Q; its second residual is that of the equation of the filter.
    root : (p, p) array
        R with R^H R = D D^H + beta^2 I.
    gain : (n, p) array
        L for which V = (A, L R^H, C, R^H) has the zeros of A - L C.
    regularization : float
        beta.
    caller : str
        Name for messages.
    """

    part: StateSpace
    riccati: RiccatiBalancing
    root: Matrix
    gain: Matrix
    regularization: float
    caller: str
    values_name: str = "Hankel singular values of the phase system"

    @property
    def spectrum(self) -> HankelSpectrum:
        """Characteristic values and a-priori bounds."""
        spectrum = self.riccati.balancing.spectrum()
        return replace(spectrum, bounds=_relative_bounds(_largest_values(spectrum)))

    def cut(self, order: int) -> Cut:
        """Project to an order of at most the numerical rank.

        Parameters
        ----------
        order : int
            Number of states to keep.

        Raises
        ------
        ToleranceNotAttainableError
            If a zero in the right half-plane would be discarded.
        """
        self._require_zeros(order)
        if order == self.part.n_states:
            return self._everything()
        model = self.riccati.model(order)
        error = self.riccati.frame.back(self._relative_error(model.continuous))
        return self.riccati.cut(model, self._bound(order, error))

    def _everything(self) -> Cut:
        """Return the system itself: rounding, too, has a large relative error."""
        n, part = self.part.n_states, self.part
        nothing = replace(
            part, A=part.A[:0, :0], B=part.B[:0], C=part.C[:, :0], D=0 * part.D
        )
        identity = np.eye(n, dtype=part.A.dtype)
        everything = ReducedModel(part, part, identity, identity)
        return self.riccati.cut(everything, self._bound(n, nothing))

    def _bound(self, order: int, error: StateSpace) -> ErrorBound:
        """Return the bound of an order on a relative error."""
        beta = self.regularization
        quantity = _MIXED.format(beta) if beta > 0 else _QUANTITY
        value = np.asarray(self.spectrum.error_bounds()[order])
        return ErrorBound(value, quantity, _CONDITION, error)

    def _require_zeros(self, order: int) -> None:
        """Raise unless an order keeps all values that are 1."""
        least = _largest_values(self.riccati.balancing.spectrum()).count(1.0)
        if order >= least:
            return
        msg = (
            f"{self.caller}: order {order} would discard {least - order} of the "
            f"{least} values equal to 1 (zeros outside the stability region): the "
            f"relative error is then at least 1; need order >= {least}, or "
            "balanced_truncation"
        )
        raise ToleranceNotAttainableError(msg)

    def _relative_error(self, reduced: StateSpace) -> StateSpace:
        """Return V^-1 (G - G_r), of n + r states: V^-1 removes the poles of G."""
        full, L = self.riccati.frame.system, self.gain
        n, r = full.n_states, reduced.n_states
        upper = np.hstack([full.A - L @ full.C, L @ reduced.C])
        lower = np.hstack([np.zeros((r, n)), reduced.A])
        B = np.vstack([full.B, reduced.B])
        C = np.hstack([full.C, -reduced.C])
        D = np.zeros_like(full.D)
        return StateSpace(np.vstack([upper, lower]), B, _solved(self.root, C), D)


def balance_stochastically(
    part: StateSpace, regularization: float, caller: str
) -> StochasticBalancing:
    """Balance a system for `balanced_stochastic_truncation`.

    Parameters
    ----------
    part : StateSpace
        One system of NumPy arrays in double precision.
    regularization : float
        beta; 0 for none.
    caller : str
        Name for messages.

    Raises
    ------
    InvalidSystemError
        If an entry is not finite, or the gain vanishes at some frequency.
    UnstableSystemError
        If a pole is on or outside the stability boundary.
    IllConditionedError, ConvergenceError
        If the Riccati equation cannot be solved accurately.
    """
    require_solvable(caller, part)
    frame = ContinuousFrame.of(part, caller)
    root = _feedthrough_root(frame, regularization, caller)
    # In units in which the feedthrough is of size one, so that no square vanishes.
    unit = float(magnitude(root))
    G = replace(frame.system, C=frame.system.C / unit, D=frame.system.D / unit)
    root, beta = root / unit, regularization / unit
    equation = LyapunovEquation(G.A, caller=caller)
    Lc = equation.factor(G.B)
    terms, Z = _filter(G, root, beta, frame, caller)
    gain = terms.gain(Z).conj().T
    Lo = _phase_factor(G, equation, root, gain)
    balancing = balance_factors(G, Lc, Lo)
    # Z is the covariance of what drives the filter, computed in another way.
    driven = np.hstack([G.B - gain @ G.D, beta * gain])
    Lz = LyapunovEquation(G.A - gain @ G.C, caller=caller).factor(driven)
    other = terms.gain(Lz @ Lz.conj().T).conj().T
    moved = _values(Lc, _phase_factor(G, equation, root, other)) - _values(Lc, Lo)
    doubt = _SLACK * float(np.max(np.abs(moved), initial=0.0))
    balancing = replace(
        balancing,
        values=np.minimum(balancing.values, 1.0),
        uncertainty=balancing.uncertainty + doubt,
    )
    first = float(equation.residual(Lc @ Lc.conj().T, G.B @ G.B.conj().T))
    residuals = (first, terms.residual(Z)[1])
    riccati = RiccatiBalancing(frame, balancing, residuals)
    return StochasticBalancing(
        part, riccati, unit * root, gain / unit, regularization, caller
    )


def _phase_factor(
    G: StateSpace, equation: LyapunovEquation, root: Matrix, gain: Matrix
) -> Matrix:
    """Return Lo with Q = Lo Lo^H, from V = (A, L R^H, C, R^H) and its inverse."""
    reached = equation.factor(gain @ root.conj().T)
    inverse = LyapunovEquation(G.A - gain @ G.C)
    seen = inverse.dual_factor(_solved(root, G.C))
    _, values, Vh = np.linalg.svd(reached.conj().T @ seen)
    scales = np.ones(seen.shape[1])
    scales[: values.shape[0]] = np.hypot(1.0, values)
    factor: Matrix = seen @ Vh.conj().T / scales
    return factor


def _values(Lc: Matrix, Lo: Matrix) -> Matrix:
    """All n singular values of Lo^H Lc, with zeros for those that the shapes lack."""
    values = np.linalg.svd(Lo.conj().T @ Lc, compute_uv=False)
    padded: Matrix = np.pad(values, (0, Lc.shape[0] - values.shape[0]))
    return padded


def _feedthrough_root(
    frame: ContinuousFrame, regularization: float, caller: str
) -> Matrix:
    """Return R with R^H R = D D^H + beta^2 I; raise where that is nearly singular."""
    D = frame.system.D
    p = D.shape[0]
    values = np.linalg.svd(D, compute_uv=False)
    largest = max(float(np.max(values, initial=0.0)), regularization)
    smallest = float(values[-1]) if 0 < p <= D.shape[1] else 0.0
    if p and max(smallest, regularization) <= _SMALLEST_FEEDTHROUGH * largest:
        rank = int(np.sum(values > _SMALLEST_FEEDTHROUGH * largest))
        msg = (
            f"{caller}: got a response of rank {rank} at {frame.infinity} for {p} "
            "outputs, need full row rank: errors relative to a gain of 0 are infinite; "
            f"pass {'a larger ' if regularization else ''}regularization, the gain "
            "below which errors may count as absolute"
        )
        raise InvalidSystemError(msg)
    wide = np.hstack([D, regularization * np.eye(p)])
    root: Matrix = np.linalg.qr(wide.conj().T).R
    return root


def _filter(
    G: StateSpace, root: Matrix, beta: float, frame: ContinuousFrame, caller: str
) -> tuple[RiccatiTerms, Matrix]:
    """Solve for the covariance Z of the filter whose innovations are V^-1 y."""
    noise = G.B @ G.B.conj().T, root.conj().T @ root, G.B @ G.D.conj().T
    terms = RiccatiTerms(G.A.conj().T, G.C.conj().T, *noise)
    try:
        return terms, solve_riccati(caller, terms).X
    except (InvalidSystemError, IllConditionedError, ConvergenceError) as error:
        if beta > 0:
            raise
        frequencies = crossing_frequencies(terms)
        response = frequency_response(G, frequencies)
        gains = np.linalg.svd(response, compute_uv=False)[:, -1]
        least = int(np.argmin(gains))
        if gains[least] > _VANISHING * np.linalg.norm(root):
            raise
        where = frame.frequency(float(frequencies[least]))
        msg = (
            f"{caller}: got a gain that vanishes at {where}, a zero on the stability "
            "boundary: errors relative to it are infinite; pass regularization, the "
            "gain below which errors may count as absolute"
        )
        raise InvalidSystemError(msg) from error


def _solved(root: Matrix, matrix: Matrix) -> Matrix:
    """R^-H times a matrix, or a stack of them."""
    if root.shape[0] == 0:
        return matrix
    solved: Matrix = np.linalg.solve(root.conj().T, matrix)
    return solved


def _largest_values(spectrum: HankelSpectrum) -> list[float]:
    """Values with their uncertainty; 1 where they cannot be told from 1."""
    largest = spectrum.upper_values
    return [1.0 if value >= 1 - _UNIT else value for value in largest]


def _relative_bounds(values: list[float]) -> tuple[float, ...]:
    """Products of (1 + s) / (1 - s), less 1, over the tails of the values."""
    exponent, bounds = 0.0, [0.0]
    for value in reversed(values):
        exponent += 2 * math.atanh(value) if value < 1 else math.inf
        within = exponent < _LARGEST_EXPONENT
        bounds.append(math.expm1(exponent) if within else math.inf)
    return tuple(bounds[::-1])
