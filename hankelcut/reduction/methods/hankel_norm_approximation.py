"""Optimal Hankel-norm approximation: no model of its order is closer."""

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np

from hankelcut._errors import IllConditionedError
from hankelcut.lti.responses.frequency_response import frequency_response
from hankelcut.lti.structure.stability import pole_margins, poles_of
from hankelcut.lti.structure.stable_unstable_decomposition import (
    stable_unstable_decomposition,
)
from hankelcut.lti.systems.conversions import to_dense
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.interconnection import error_system
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.lti.systems.time_domain import Continuous
from hankelcut.reduction.balancing.balancing import Balancing, balance
from hankelcut.reduction.balancing.continuous_frame import ContinuousFrame
from hankelcut.reduction.balancing.transformations import projected
from hankelcut.reduction.methods._all_pass_embedding import (
    all_pass_embedding,
    constant_approximation,
    partial_isometry,
    tied,
)
from hankelcut.reduction.order_selection import HankelSpectrum, OrderTarget
from hankelcut.reduction.reduction_method import (
    Cut,
    Matrix,
    reduce_with,
    require_choice,
)
from hankelcut.reduction.result import ErrorBound, ReductionResult

__all__ = ["Feedthrough", "hankel_norm_approximation"]

Feedthrough: TypeAlias = Literal["glover", "keep"]
"""What the feedthrough of a reduced model is: see `hankel_norm_approximation`."""

_CONDITION = "G stable (Glover 1984)"
# Poles next to the stability boundary at whose frequencies a model is looked at.
_MOST_POLES = 6
# Share of the largest value by which rounding may take an error above its bound.
_DESTROYED = 1e-4


def hankel_norm_approximation(
    system: StateSpace | DiagonalStateSpace,
    *,
    order: int | None = None,
    error_tol: float | None = None,
    relative: bool = False,
    energy_tol: float | None = None,
    max_order: int | None = None,
    feedthrough: Feedthrough = "glover",
) -> ReductionResult:
    r"""Reduce a system with the least possible error in the Hankel norm.

    The reduced system is stable and :math:`\|G - G_r\|_H = \sigma_{r+1}`, the lower
    bound of all models of r states; with Glover's feedthrough
    :math:`\|G - G_r\|_\infty \le \sum_{k>r}\sigma_k`, half the bound of balanced
    truncation.

    Parameters
    ----------
    system : StateSpace or DiagonalStateSpace
        One system. Of an unstable one the stable part is reduced and the rest kept.
    order : int, optional
        Number of states to keep, unstable ones included. Inside a tie of equal values
        the model has fewer: no model of up to that order is closer.
    error_tol : float, optional
        Instead: largest admissible H-infinity error bound.
    relative : bool
        Whether error_tol is a multiple of the H-infinity norm of the (stable) system.
    energy_tol : float, optional
        Instead: largest discarded share of the sum of the Hankel singular values.
    max_order : int, optional
        Largest order to choose, whatever a tolerance asks for.
    feedthrough : {"glover", "keep"}
        The Hankel norm does not see D. ``"glover"`` (default) takes the constant of
        Glover's proof, with the bound :math:`\sum_{k>r}\sigma_k`; ``"keep"`` that of
        the system, with twice this bound.

    Returns
    -------
    ReductionResult
        `bound` bounds the H-infinity error by :math:`\sigma_{r+1}` and the Hankel
        singular values of the antistable part that was split off, which are at most
        :math:`\sigma_{r+2}, \sigma_{r+3}, \ldots`; `warnings` tell the Hankel norm of
        the error.

    Raises
    ------
    ValueError
        If not exactly one target is given or it is out of range, or `feedthrough` is
        unknown.
    InvalidSystemError
        If an entry is NaN or infinite, or the system is sparse or a stack.
    UnstableSystemError
        If no pole is stable.
    ToleranceNotAttainableError
        If no order meets a tolerance; names the best attainable value.
    IllConditionedError
        If rounding has moved poles of the all-pass embedding across the stability
        boundary or taken the error above its bound, or a discrete system has poles next
        to both 1 and -1.

    Warns
    -----
    NumericalWarning
        If a fixed order cuts inside a tie of equal values or exceeds the numerical
        rank.

    Notes
    -----
    **Method.** Glover, Int. J. Control 39, 1984, p. 1115, theorem 6.3: the balanced
    system is embedded in an all-pass error of size :math:`\sigma_{r+1}`, and the stable
    part of the embedding is kept. The constant of the feedthrough approximates the
    antistable part; it is found by embedding that part's values away, the smallest
    first. Discrete systems are mapped to continuous time and back. **Numerical
    aspects.** Values within 1e-8 of each other count as one of higher multiplicity. An
    order of the numerical rank is that of balanced truncation.

    Examples
    --------
    >>> import numpy as np
    >>> import hankelcut as hc
    >>> A, b = np.diag([-1.0, -3.0, -9.0]), np.ones((3, 1))
    >>> plant = hc.StateSpace(A, b, b.T)
    >>> result = hc.hankel_norm_approximation(plant, order=1)
    >>> error = hc.hankel_norm(hc.error_system(plant, result.system))
    >>> bool(np.isclose(error, result.hankel_singular_values[1], rtol=1e-9))
    True
    """
    caller = "hankel_norm_approximation"
    require_choice(caller, "feedthrough", feedthrough, Feedthrough)
    target = OrderTarget(order, error_tol, energy_tol, relative, max_order)
    return reduce_with(
        lambda part: _decomposed(part, feedthrough, caller),
        system,
        target,
        caller=caller,
        method="optimal Hankel-norm approximation",
    )


@dataclass(frozen=True, eq=False)
class _HankelApproximation:
    """A balanced system, ready to be embedded for any order.

    Parameters
    ----------
    part : StateSpace
        The stable system.
    frame : ContinuousFrame
        Its continuous stand-in, and the way back.
    balancing : Balancing
        Of both.
    balanced : StateSpace
        The continuous system in balanced coordinates, up to the numerical rank.
    spectrum : HankelSpectrum
        Hankel singular values and a-priori bounds.
    feedthrough : {"glover", "keep"}
        As in `hankel_norm_approximation`.
    caller : str
        Name for messages.
    """

    part: StateSpace
    frame: ContinuousFrame
    balancing: Balancing
    balanced: StateSpace
    spectrum: HankelSpectrum
    feedthrough: Feedthrough
    caller: str
    values_name: str = "Hankel singular values"

    def cut(self, order: int) -> Cut:
        """Approximate by a model of an order of at most the numerical rank.

        Parameters
        ----------
        order : int
            Number of states; inside a tie those above it are kept.

        Raises
        ------
        IllConditionedError
            If the embedding does not have as many stable poles as it must have.
        """
        values = np.asarray(self.spectrum.values)[: self.balanced.n_states]
        bound = self.spectrum.error_bounds()[order]
        if order == len(values):
            model = projected(self.part, *self.balancing.projections(order))
            return self._told(model, bound, ())
        sigma = float(values[order])
        stable, antistable = self._embedded(values, sigma)
        constant, distance = _constant_near(antistable, self.caller)
        known = sigma + self.spectrum.uncertainty[order] + distance
        known += self.spectrum.error_bounds()[len(values)]
        notes = [f"Hankel norm of G - G_r: {sigma:.6g}"]
        if stable.n_states < order:
            note = (
                f"order {order} cuts inside a tie of Hankel singular values: no model"
            )
            notes.append(
                f"{note} up to it is closer than this of {stable.n_states} states"
            )
        model = self.frame.back(replace(stable, D=stable.D + constant))
        if self.feedthrough == "keep":
            model, known = replace(model, D=self.part.D), 2 * known
        self._require_bound(model, min(bound, known))
        return self._told(model, min(bound, known), tuple(notes))

    def _require_bound(self, model: StateSpace, bound: float) -> None:
        """Raise where rounding has destroyed a model, which shows at its poles."""
        poles = np.asarray(poles_of(model))
        critical = poles[np.argsort(np.asarray(pole_margins(model)))[:_MOST_POLES]]
        continuous = isinstance(model.time, Continuous)
        at = critical.imag if continuous else np.angle(critical)
        response = frequency_response(error_system(self.part, model), at)
        gain = float(np.max(np.linalg.norm(response, 2, axis=(-2, -1)), initial=0.0))
        if gain > bound + _DESTROYED * self.spectrum.values[0]:
            msg = (
                f"{self.caller}: the model of order {model.n_states} has an error of "
                f"{gain:.3g}, by rounding above its bound {bound:.3g}: poles are too "
                "close to the stability boundary; use balanced_truncation"
            )
            raise IllConditionedError(msg)

    def _embedded(self, values: Matrix, sigma: float) -> tuple[StateSpace, StateSpace]:
        """Return the stable part, with the feedthrough, and the antistable part."""
        G, last = self.balanced, tied(values, sigma)
        kept = ~last
        others = replace(G, A=G.A[np.ix_(kept, kept)], B=G.B[kept], C=G.C[:, kept])
        U = partial_isometry(G.B[last], G.C[:, last])
        embedding = all_pass_embedding(others, values[kept], sigma, U)
        parts = stable_unstable_decomposition(embedding, margin=0.0)
        stable, antistable = to_dense(parts.stable), to_dense(parts.unstable)
        expected = int(np.sum(values[kept] > sigma))
        if stable.n_states != expected:
            msg = (
                f"{self.caller}: {stable.n_states} poles of the all-pass embedding are "
                f"stable, need {expected}: the value {sigma:.3g} is too close to the "
                "rounding of the others; choose a smaller order"
            )
            raise IllConditionedError(msg)
        return stable, antistable

    def _told(self, model: StateSpace, bound: float, notes: tuple[str, ...]) -> Cut:
        value = ErrorBound(np.asarray(bound), condition=_CONDITION)
        return Cut(model, value, notes=notes, residuals=self.balancing.residuals)


def _decomposed(
    part: StateSpace, feedthrough: Feedthrough, caller: str
) -> _HankelApproximation:
    """Balance a stable system; see `hankel_norm_approximation`."""
    balancing = balance(part, caller=caller)
    frame = ContinuousFrame.of(part, caller)
    spectrum = balancing.spectrum()
    rank = spectrum.numerical_rank
    balanced = projected(frame.system, *balancing.projections(rank))
    if feedthrough == "glover":
        bounds = _halved(spectrum.error_bounds(), rank)
        spectrum = replace(spectrum, bounds=tuple(bounds))
    return _HankelApproximation(
        part, frame, balancing, balanced, spectrum, feedthrough, caller
    )


def _halved(bounds: list[float], rank: int) -> list[float]:
    """Halve bounds of truncation down to the rank, beyond which states are cut off."""
    return [(bound + min(bound, bounds[rank])) / 2 for bound in bounds]


def _constant_near(antistable: StateSpace, caller: str) -> tuple[Matrix, float]:
    """Return a constant, and a bound on its distance from an antistable system."""
    mirrored = replace(antistable, A=-antistable.A, B=-antistable.B)
    balancing = balance(mirrored, caller=caller)
    spectrum = balancing.spectrum()
    rank = spectrum.numerical_rank
    balanced = projected(mirrored, *balancing.projections(rank))
    values = np.asarray(spectrum.values[:rank])
    constant = constant_approximation(balanced.B, balanced.C, values)
    return constant, _halved(spectrum.error_bounds(), rank)[0]
