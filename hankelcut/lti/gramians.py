"""Gramians and their factors: which algorithm serves which system."""

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import array_api_compat

from hankelcut import _array
from hankelcut._errors import InvalidSystemError
from hankelcut._typing import Array
from hankelcut.lti._closed_form import closed_form_factors, closed_form_gramians
from hankelcut.lti._scaling import state_gauge
from hankelcut.lti._schur_lyapunov import hammarling_factors
from hankelcut.lti._squared_smith import squared_smith_factors
from hankelcut.lti._structured_cholesky import structured_cholesky
from hankelcut.lti.conversions import conjugate_closure
from hankelcut.lti.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.stability import require_stable
from hankelcut.lti.state_space import StateSpace

__all__ = [
    "GramianFactors",
    "GramianMethod",
    "controllability_gramian",
    "controllability_gramian_factor",
    "gramian_factors",
    "observability_gramian",
    "observability_gramian_factor",
]

GramianMethod: TypeAlias = Literal["structured", "closed_form"]
"""How the Gramian factors of a diagonal system are computed: see `gramian_factors`."""

# Observed relative errors of structured factors stay below n u; 10 leaves slack.
_STRUCTURED_ROUNDINGS = 10.0


@dataclass(frozen=True, eq=False)
class GramianFactors:
    """Factors of both Gramians, and how far the Hankel singular values may be off.

    Parameters
    ----------
    controllability, observability : (..., N, N) arrays
        Lc and Lo with P = Lc Lc^H and Q = Lo Lo^H.
    relative : (...) array
        Bound on the relative error of every singular value (infinite: unknown).
    of_largest : float
        Bound on their absolute error in units of the largest (infinite: unknown).
    of_squares : (...) array
        Bound on the absolute error of their squares (infinite: unknown).
    """

    controllability: Array
    observability: Array
    relative: Array
    of_largest: float
    of_squares: Array

    def uncertainty(self, values: Array) -> Array:
        """Uncertainty of each singular value, the least of the known bounds.

        Parameters
        ----------
        values : (..., N) array
            Hankel singular values, descending.
        """
        xp = _array.namespace(values)
        relative = self.relative[..., None]
        finite = xp.isfinite(relative)
        # An unknown bound stays infinite for a value that is exactly 0.
        shares = xp.where(finite, relative, xp.zeros_like(relative)) * values
        known = xp.where(finite, shares, xp.full_like(shares, xp.inf))
        squares = self.of_squares[..., None]
        known = xp.minimum(known, xp.sqrt(values * values + squares) - values)
        if self.of_largest < float("inf") and values.shape[-1] > 0:
            largest = values[..., :1] * self.of_largest
            known = xp.minimum(known, xp.broadcast_to(largest, values.shape))
        return known


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
        For diagonal systems. ``"structured"``: pivoted structured Cholesky, every
        Hankel singular value right to its own magnitude; n sequential steps of O(n m).
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
    Hammarling's method on the host or, for arrays on an accelerator, squared Smith with
    a residual check for dense ones.
    """
    if gramians not in get_args(GramianMethod):
        msg = f"{caller}: got gramians={gramians!r}, need one of "
        raise InvalidSystemError(msg + ", ".join(get_args(GramianMethod)))
    if isinstance(system, DiagonalStateSpace):
        _array.require_finite(
            caller, exponents=system.exponents, B=system.B, C=system.C, D=system.D
        )
        require_stable(caller, system)
        if gramians == "closed_form":
            Lc, Lo, of_squares = closed_form_factors(system)
            unknown = _constant(system.batch_shape, float("inf"), Lc)
            return GramianFactors(Lc, Lo, unknown, float("inf"), of_squares)
        return _structured_factors(system)
    _array.require_finite(caller, A=system.A, B=system.B, C=system.C, D=system.D)
    require_stable(caller, system)
    on_host = "cpu" in str(array_api_compat.device(system.A)).lower()
    solve = hammarling_factors if on_host else squared_smith_factors
    Lc, Lo = solve(system.A, system.B, system.C, system.time)
    unknown = _constant(system.batch_shape, float("inf"), system.A)
    share = system.n_states * _array.eps(system.A)
    return GramianFactors(Lc, Lo, unknown, share, unknown)


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
    Lc = _array.diagonal_rows(1 / gauge, controllability)
    Lo = _array.diagonal_rows(gauge, observability)
    if real_map:
        Lc, Lo = _real_factor(Lc) / 2, _real_factor(Lo)
    relative = _STRUCTURED_ROUNDINGS * max(system.n_states, 1) * _array.eps(system.B)
    return GramianFactors(
        Lc,
        Lo,
        _constant(system.batch_shape, relative, Lc),
        float("inf"),
        _constant(system.batch_shape, float("inf"), Lc),
    )


def _constant(shape: tuple[int, ...], value: float, like: Array) -> Array:
    return _array.to_real(_array.zeros(shape, like)) + value


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
        _array.require_finite(
            caller, exponents=system.exponents, B=system.B, C=system.C
        )
        require_stable(caller, system)
        return closed_form_gramians(system)[which]
    factors = gramian_factors(system, caller=caller)
    L = (factors.controllability, factors.observability)[which]
    return L @ _array.adjoint(L)
