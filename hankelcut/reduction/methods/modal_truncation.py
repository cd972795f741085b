"""Modal truncation: the poles that matter most are kept as they are."""

import functools
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np

from hankelcut._errors import IllConditionedError
from hankelcut.lti.norms.h2_norm import h2_norm
from hankelcut.lti.norms.hinf_norm import hinf_norm
from hankelcut.lti.responses.frequency_response import frequency_response
from hankelcut.lti.structure.stability import pole_margins, require_stable
from hankelcut.lti.systems._unit_scaling import state_units
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.reduction.order_selection import HankelSpectrum, OrderTarget
from hankelcut.reduction.reduction_method import (
    Cut,
    Matrix,
    reduce_with,
    require_choice,
)
from hankelcut.reduction.result import ErrorBound, ReductionResult

__all__ = ["ModalScore", "modal_truncation"]

ModalScore: TypeAlias = Literal["hinf", "energy", "dc"]
"""By what the modes are ranked: see `modal_truncation`."""

_EPS = float(np.finfo(np.float64).eps)
# Eigenvectors worse than this lose more than half of the digits.
_WORST_CONDITION = _EPS**-0.5
# Width of the norms of the modes, whose upper ends are summed up to the bound.
_RTOL = 1e-3
_BOUND = "sum of the H-infinity norms of the dropped modes (triangle inequality)"


def modal_truncation(
    system: StateSpace | DiagonalStateSpace,
    *,
    order: int | None = None,
    error_tol: float | None = None,
    relative: bool = False,
    energy_tol: float | None = None,
    max_order: int | None = None,
    score: ModalScore = "hinf",
) -> ReductionResult:
    r"""Reduce a system to its dominant modes; their poles stay where they are.

    The reduced system is stable, and :math:`\|G - G_r\|_\infty \le \sum \|G_i\|_\infty`
    over the dropped modes :math:`G_i`.

    Parameters
    ----------
    system : StateSpace or DiagonalStateSpace
        System with a full set of eigenvectors; unstable modes are kept.
    order : int, optional
        Number of states to keep. Of a conjugate pair of a real system both or none are
        kept: an order that would split one is lowered by one.
    error_tol : float, optional
        Instead: largest admissible bound.
    relative : bool
        Whether `error_tol` is a multiple of the H-infinity norm of the system.
    energy_tol : float, optional
        Instead: largest discarded share of the sum of the scores, a pair counted twice.
    max_order : int, optional
        Largest order to choose, whatever a tolerance asks for.
    score : {"hinf", "energy", "dc"}
        The modes of the largest scores are kept. ``"hinf"``: H-infinity norm, as Gwak
        et al. (NeurIPS 2024); ``"energy"``: energy of the impulse response, as Padhy et
        al. (ICLR 2026); ``"dc"``: largest singular value of the static gain. The bound
        is the same for all.

    Returns
    -------
    ReductionResult
        Real for a real system, block diagonal; `characteristic_values` are the scores.

    Raises
    ------
    ValueError
        If not exactly one target is given, or an argument is out of range.
    InvalidSystemError
        If the system is sparse or a stack, or an entry is NaN or infinite.
    IllConditionedError
        If the state matrix is (nearly) defective.
    UnstableSystemError
        If no pole is stable.
    ToleranceNotAttainableError
        If no order meets a tolerance; names the best attainable value.

    Warns
    -----
    NumericalWarning
        If a fixed order splits a pair or a tie, or counts modes with a score of 0.

    Notes
    -----
    **Method.** Davison (IEEE Trans. Autom. Control 11, 1966, p. 93), modes ranked by
    their share in the response (Varga, Math. Modelling Systems 1, 1995, p. 91). A mode
    is the term :math:`c_ib_i^H/(s - \lambda_i)` of a pole, for real systems the sum of
    those of a conjugate pair, whose norm is that of its two real states, not of its two
    terms. The feedthrough stays: the static gain changes by that of the dropped modes,
    which `singular_perturbation_approximation` avoids. **Numerical aspects.** Some 25
    n^3 flops; rounding is that of the modes times the condition number of the
    eigenvectors, which is at most 7e7, and no part of the bound.

    Examples
    --------
    >>> import hankelcut as hc
    >>> A, B, C = [[-1.0, 0.0], [0.0, -50.0]], [[1.0], [1.0]], [[1.0, 1.0]]
    >>> result = hc.modal_truncation(hc.StateSpace(A, B, C), order=1)
    >>> result.system.A, round(float(result.bound.value), 12)
    (array([[-1.]]), 0.02)
    """
    caller = "modal_truncation"
    require_choice(caller, "score", score, ModalScore)
    target = OrderTarget(order, error_tol, energy_tol, relative, max_order)
    return reduce_with(
        functools.partial(_decomposed, score=score, caller=caller),
        system,
        target,
        caller=caller,
        method="modal truncation",
    )


@dataclass(frozen=True, eq=False)
class _Modes:
    """A system in its modes, those of the largest scores first.

    Parameters
    ----------
    system : StateSpace
        The system with a block-diagonal A.
    T, W : (n, n) arrays
        The transformation, and the adjoint of its inverse.
    sizes : tuple of int
        Number of states of each mode.
    spectrum : HankelSpectrum
        The score of its mode for every state, and the bounds.
    values_name : str
        What the scores are.
    """

    system: StateSpace
    T: Matrix
    W: Matrix
    sizes: tuple[int, ...]
    spectrum: HankelSpectrum
    values_name: str

    def cut(self, order: int) -> Cut:
        """Keep the first modes, as many as fit into an order."""
        ends = np.cumsum((0, *self.sizes))
        kept = int(ends[ends <= order][-1])
        notes: tuple[str, ...] = ()
        if kept < order:
            notes = (f"order {order} splits a conjugate pair; cut to {kept}",)
        first, full = slice(kept), self.system
        reduced = replace(
            full, A=full.A[first, first], B=full.B[first], C=full.C[:, first]
        )
        bound = ErrorBound(
            np.asarray(self.spectrum.error_bounds()[kept]), condition=_BOUND
        )
        return Cut(reduced, bound, self.W[:, first], self.T[:, first], notes)


def _decomposed(system: StateSpace, *, score: ModalScore, caller: str) -> _Modes:
    require_stable(caller, system)
    poles, T, W = _eigenvectors(system, caller)
    real = not np.iscomplexobj(system.A)
    A = _real_blocks(poles) if real else np.diag(poles)
    modal = replace(system, A=A, B=W.conj().T @ system.B, C=system.C @ T)
    # The first pole of a pair has the positive imaginary part.
    starts = np.flatnonzero(poles.imag >= 0) if real else np.arange(poles.shape[0])
    sizes = np.where(real & (poles.imag[starts] != 0), 2, 1)
    norms, scores = np.zeros(starts.shape[0]), np.zeros(starts.shape[0])
    for size in (1, 2):
        own = sizes == size
        terms = _terms(modal, starts[own], size)
        norms[own] = _norms(terms)
        scores[own] = norms[own] if score == "hinf" else _scores(terms, score)
    ranking = np.argsort(-scores, kind="stable")
    units = [starts[k] + np.arange(sizes[k]) for k in ranking]
    states = np.concatenate([starts[:0], *units])
    modal = replace(
        modal,
        A=modal.A[np.ix_(states, states)],
        B=modal.B[states],
        C=modal.C[:, states],
    )
    kept = tuple(int(size) for size in sizes[ranking])
    spectrum = _spectrum(kept, scores[ranking], norms[ranking])
    name = f"scores of the modes ({score})"
    return _Modes(modal, T[:, states], W[:, states], kept, spectrum, name)


def _eigenvectors(system: StateSpace, caller: str) -> tuple[Matrix, Matrix, Matrix]:
    """Poles, eigenvectors T and the adjoint of their inverse; real for real systems."""
    units = state_units(system.A, system.B, system.C)
    poles, X = np.linalg.eig(system.A / units[:, None] * units)
    if not np.iscomplexobj(system.A):
        # [Re x, Im x] of the first of a pair, where its second has the conjugate.
        X = np.where(poles.imag < 0, -X.imag, X.real)
    singular = np.linalg.svd(X, compute_uv=False)
    # Finite and positive, also for an exactly singular X and for no states.
    least = np.finfo(np.float64).tiny
    condition = max(singular, default=1.0) / max(min(singular, default=1.0), least)
    if not condition < _WORST_CONDITION:
        msg = (
            f"{caller}: the eigenvectors have condition number {condition:.2g}, need "
            f"less than {_WORST_CONDITION:.2g}: it is (nearly) defective; "
            "use balanced_truncation"
        )
        raise IllConditionedError(msg)
    inverse = np.linalg.inv(X)
    return poles, units[:, None] * X, inverse.conj().T / units[:, None]


def _real_blocks(poles: Matrix) -> Matrix:
    """Block-diagonal matrix of real poles and of blocks [[a, w], [-w, a]]."""
    A = np.diag(poles.real)
    first = np.flatnonzero(poles.imag > 0)
    A[first, first + 1] = poles.imag[first]
    A[first + 1, first] = -poles.imag[first]
    return A


def _terms(modal: StateSpace, starts: Matrix, size: int) -> StateSpace:
    """Return the stack of the modes of a size, without the feedthrough."""
    states = starts[:, None] + np.arange(size)
    return StateSpace(
        modal.A[states[:, :, None], states[:, None, :]],
        modal.B[states],
        np.swapaxes(modal.C.T[states], 1, 2),
        time=modal.time,
    )


def _norms(terms: StateSpace) -> Matrix:
    """H-infinity norms of a stack of modes, at most `_RTOL` too large."""
    if terms.n_states == 2:
        return np.asarray(hinf_norm(terms, rtol=_RTOL).upper)
    sizes = np.linalg.norm(terms.B, axis=(1, 2)) * np.linalg.norm(terms.C, axis=(1, 2))
    norms: Matrix = sizes / pole_margins(terms)[:, 0]
    return norms


def _scores(terms: StateSpace, score: ModalScore) -> Matrix:
    if score == "energy":
        return np.asarray(h2_norm(terms)) ** 2
    static = frequency_response(terms, [0.0])[:, 0]
    gains: Matrix = np.linalg.svd(static, compute_uv=False).max(axis=-1, initial=0.0)
    return gains


def _spectrum(sizes: tuple[int, ...], scores: Matrix, norms: Matrix) -> HankelSpectrum:
    """Scores of the states, and the sums of the norms of modes that are not whole."""
    values = np.repeat(scores, sizes)
    last = np.zeros(values.shape[0])
    last[np.cumsum(sizes, dtype=int) - 1] = norms
    bounds = np.append(np.cumsum(last[::-1])[::-1], 0.0)
    exact = np.zeros(values.shape[0])
    spectrum = HankelSpectrum.from_arrays(values, exact)
    return replace(spectrum, bounds=tuple(bounds.tolist()))
