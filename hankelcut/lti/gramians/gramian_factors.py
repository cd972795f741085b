"""Gramians and their factors: which algorithm serves which system."""

import functools
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from hankelcut import _array
from hankelcut._errors import InvalidSystemError
from hankelcut._typing import Array
from hankelcut.lti.equations.lyapunov_equation import LyapunovEquation
from hankelcut.lti.gramians._closed_form import (
    closed_form_factors,
    closed_form_gramians,
)
from hankelcut.lti.gramians._structured_cholesky import structured_cholesky
from hankelcut.lti.structure.stability import require_stable
from hankelcut.lti.systems._kinds import require_dense_or_diagonal
from hankelcut.lti.systems._scaling import frobenius_norm, row_norms, state_gauge
from hankelcut.lti.systems.conversions import conjugate_closure
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.state_space import StateSpace

__all__ = [
    "GramianFactors",
    "GramianMethod",
    "controllability_gramian",
    "controllability_gramian_factor",
    "gramian_factors",
    "observability_gramian",
    "observability_gramian_factor",
    "require_solvable",
]

GramianMethod: TypeAlias = Literal["structured", "closed_form"]
"""How the Gramian factors of a diagonal system are computed: see `gramian_factors`."""

# Observed errors of structured factors stay below n u of their entries, as graded as
# those are; 10 leaves slack. Products of two factors may cancel: their errors are
# bounded by the sizes of the factors, though mostly far smaller.
_STRUCTURED_ROUNDINGS = 10.0


@dataclass(frozen=True, eq=False)
class GramianFactors:
    """Factors of both Gramians, and how far the Hankel singular values may be off.

    Parameters
    ----------
    controllability, observability : (..., N, K) arrays
        Lc and Lo with P = Lc Lc^H and Q = Lo Lo^H. K = N, or fewer where one dense
        system's factors have columns that are zero to rounding.
    absolute : (...) array, optional
        Bound on the absolute error of every singular value. Of a dense system it is n
        eps times the sum of the sizes of its states, sqrt(P_ii Q_ii), and holds for
        some matrices within n eps of the given ones in norm: next to the stability
        boundary and far from normal matrices, they may be those of a system with
        noticeably other values.
    of_squares : (...) array, optional
        Bound on the absolute error of their squares.
    """

    controllability: Array
    observability: Array
    absolute: Array = None
    of_squares: Array = None

    @classmethod
    def of_dense(cls, Lc: Array, Lo: Array) -> "GramianFactors":
        """Attach to the factors of a dense system the rounding of their product."""
        xp = _array.namespace(Lc, Lo)
        # Whatever the units of the states.
        sizes = xp.sum(row_norms(Lc) * row_norms(Lo), axis=-1)
        return cls(Lc, Lo, absolute=Lc.shape[-2] * _array.eps(Lc) * sizes)

    def with_zeros(self, values: Array) -> Array:
        """Return all N values, from the nonzero ones of Lo^H Lc, (..., k).

        Parameters
        ----------
        values : (..., k) array
            Singular values of the product of the factors, descending.
        """
        missing = self.controllability.shape[-2] - values.shape[-1]
        zeros = _array.zeros((*values.shape[:-1], missing), values)
        return _array.namespace(values).concat([values, zeros], axis=-1)

    def uncertainty(self, values: Array) -> Array:
        """Uncertainty of each singular value, the least of the known bounds.

        Parameters
        ----------
        values : (..., N) array
            Hankel singular values, descending.
        """
        if values.shape[-1] == 0:
            return values
        xp = _array.namespace(values)
        bounds = []
        if self.absolute is not None:
            bounds.append(xp.broadcast_to(self.absolute[..., None], values.shape))
        if self.of_squares is not None:
            moved = xp.sqrt(values * values + self.of_squares[..., None])
            bounds.append(moved - values)
        return functools.reduce(xp.minimum, bounds)


def gramian_factors(
    system: StateSpace | DiagonalStateSpace,
    *,
    gramians: GramianMethod = "structured",
    caller: str = "gramian_factors",
) -> GramianFactors:
    r"""Factors of both Gramians, without forming P or Q where accuracy asks for it.

    Continuous: :math:`AP + PA^H + BB^H = 0`, :math:`A^HQ + QA + C^HC = 0`; discrete:
    :math:`APA^H - P + BB^H = 0`, :math:`A^HQA - Q + C^HC = 0`.

    Parameters
    ----------
    system : StateSpace or DiagonalStateSpace
        Stable system. A diagonal system with a real readout is taken in the 2 n real
        states [Re x; Im x] of `real_form`.
    gramians : {"structured", "closed_form"}
        For diagonal systems. ``"structured"``: pivoted structured Cholesky, factors
        right to the size of each entry, Hankel singular values to rounding times the
        size of the factors and mostly far better; n sequential steps of O(n m).
        ``"closed_form"``: a few matrix products, much faster for many inputs and in
        batches; small singular values are lost below the uncertainty that the result
        states and that the bounds include. Dense systems ignore it.
    caller : str
        Name in error messages.

    Returns
    -------
    GramianFactors
        The factors, with N = n, or 2 n for real readouts, and their accuracy.

    Raises
    ------
    InvalidSystemError
        If an entry is NaN or infinite.
    UnstableSystemError
        If a pole is on or outside the stability boundary.

    Notes
    -----
    **Method.** Structured pivoted Cholesky or closed form for diagonal systems;
    `LyapunovEquation.factors` for dense ones: Hammarling's method from one Schur form,
    or checked iterations for stacks of small systems and for accelerators.
    """
    require_dense_or_diagonal(caller, system)
    if gramians not in get_args(GramianMethod):
        msg = f"{caller}: got gramians={gramians!r}, need one of "
        raise InvalidSystemError(msg + ", ".join(get_args(GramianMethod)))
    if isinstance(system, DiagonalStateSpace):
        require_solvable(caller, system)
        if gramians == "closed_form":
            Lc, Lo, of_squares = closed_form_factors(system)
            return GramianFactors(Lc, Lo, of_squares=of_squares)
        return _structured_factors(system)
    _array.require_finite(caller, D=system.D)
    equation = LyapunovEquation(system.A, system.time, caller=caller)
    Lc, Lo = equation.factors(system.B, system.C)
    return GramianFactors.of_dense(Lc, Lo)


def require_solvable(caller: str, system: StateSpace | DiagonalStateSpace) -> None:
    """Raise unless all entries are finite and all poles stable.

    Raises
    ------
    InvalidSystemError
        If an entry is NaN or infinite.
    UnstableSystemError
        If a pole is on or outside the stability boundary.
    """
    require_dense_or_diagonal(caller, system)
    first = (
        {"exponents": system.exponents}
        if isinstance(system, DiagonalStateSpace)
        else {"A": system.A}
    )
    _array.require_finite(caller, **first, B=system.B, C=system.C, D=system.D)
    require_stable(caller, system)


def _structured_factors(system: DiagonalStateSpace) -> GramianFactors:
    real_map = system.readout != "complex"
    closed = conjugate_closure(system) if real_map else system
    gauge = _array.to_complex(state_gauge(closed.B, closed.C))
    controllability = structured_cholesky(
        closed.exponents, _array.diagonal_rows(gauge, closed.B), closed.time
    )
    xp = _array.namespace(closed.B)
    observability = structured_cholesky(
        xp.conj(closed.exponents),
        _array.diagonal_rows(1 / gauge, _array.adjoint(closed.C)),
        closed.time,
    )
    if real_map:
        # A state and its conjugate have the same gauge, so that Re and Im have it too.
        gauge = _array.to_real(gauge)
        controllability = _real_factor(controllability) / 2
        observability = _real_factor(observability)
    rounding = _STRUCTURED_ROUNDINGS * closed.n_states * _array.eps(system.B)
    sizes = frobenius_norm(controllability) * frobenius_norm(observability)
    return GramianFactors(
        _array.diagonal_rows(1 / gauge, controllability),
        _array.diagonal_rows(gauge, observability),
        absolute=rounding * sizes,
    )


def _real_factor(L: Array) -> Array:
    r"""Real square factor of W^H L L^H W for the real states [Re x; Im x].

    W = [[I, iI], [I, -iI]] takes [Re x; Im x] to [x; conj x]; the factor of Re(M M^H)
    is the LQ factor of [Re M, Im M], which keeps the accuracy of graded columns.
    """
    xp = _array.namespace(L)
    n = L.shape[-2] // 2
    upper, lower = L[..., :n, :], L[..., n:, :]
    M = xp.concat([upper + lower, -1j * (upper - lower)], axis=-2)
    stacked = xp.concat([xp.real(M), xp.imag(M)], axis=-1)
    return xp.matrix_transpose(xp.linalg.qr(xp.matrix_transpose(stacked)).R)


def controllability_gramian_factor(
    system: StateSpace | DiagonalStateSpace, *, gramians: GramianMethod = "structured"
) -> Array:
    """Factor Lc of the controllability Gramian P = Lc Lc^H; see `gramian_factors`."""
    caller = "controllability_gramian_factor"
    return gramian_factors(system, gramians=gramians, caller=caller).controllability


def observability_gramian_factor(
    system: StateSpace | DiagonalStateSpace, *, gramians: GramianMethod = "structured"
) -> Array:
    """Factor Lo of the observability Gramian Q = Lo Lo^H; see `gramian_factors`."""
    caller = "observability_gramian_factor"
    return gramian_factors(system, gramians=gramians, caller=caller).observability


def controllability_gramian(system: StateSpace | DiagonalStateSpace) -> Array:
    """Return the controllability Gramian P, in closed form for diagonal systems.

    Parameters
    ----------
    system : StateSpace or DiagonalStateSpace
        Stable system; N and the coordinates are those of `gramian_factors`.

    Raises
    ------
    InvalidSystemError, UnstableSystemError
        As `gramian_factors`.
    """
    return _gramian(system, "controllability_gramian", which=0)


def observability_gramian(system: StateSpace | DiagonalStateSpace) -> Array:
    """Return the observability Gramian Q, in closed form for diagonal systems.

    Parameters
    ----------
    system : StateSpace or DiagonalStateSpace
        Stable system; N and the coordinates are those of `gramian_factors`.

    Raises
    ------
    InvalidSystemError, UnstableSystemError
        As `gramian_factors`.
    """
    return _gramian(system, "observability_gramian", which=1)


def _gramian(
    system: StateSpace | DiagonalStateSpace, caller: str, *, which: int
) -> Array:
    if isinstance(system, DiagonalStateSpace):
        require_solvable(caller, system)
        return closed_form_gramians(system)[which]
    factors = gramian_factors(system, caller=caller)
    L = (factors.controllability, factors.observability)[which]
    gramian = L @ _array.adjoint(L)
    _array.require_in_range(caller, gramian=gramian)
    return gramian
