"""Balanced truncation of dense, diagonal and sparse systems."""

import warnings
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from hankelcut._errors import NumericalWarning, UnstableSystemError
from hankelcut.lti.gramians.gramian_factors import GramianMethod
from hankelcut.lti.gramians.low_rank_gramians import low_rank_gramian_factors
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.sparse_state_space import SparseStateSpace
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.reduction.balancing.balancing import Balancing, StateMap, balance
from hankelcut.reduction.balancing.transformations import projected
from hankelcut.reduction.balancing.truncation import require_stable_model, truncate
from hankelcut.reduction.methods.low_rank_balanced_truncation import truncate_sparse
from hankelcut.reduction.order_selection import HankelSpectrum, OrderTarget
from hankelcut.reduction.reduction_method import (
    Cut,
    Matrix,
    reduce_with,
    require_choice,
)
from hankelcut.reduction.result import ErrorBound, ReductionResult

__all__ = ["balanced_truncation"]

_CALLER = "balanced_truncation"

Projection: TypeAlias = Literal["square_root", "balancing_free"]
"""How a balanced system is cut: see `balanced_truncation`."""


def balanced_truncation(
    system: StateSpace | DiagonalStateSpace | SparseStateSpace,
    *,
    order: int | None = None,
    error_tol: float | None = None,
    relative: bool = False,
    energy_tol: float | None = None,
    max_order: int | None = None,
    projection: Projection = "square_root",
    map: StateMap = "real",
    gramians: GramianMethod = "structured",
    storage_eps: float | None = None,
) -> ReductionResult:
    r"""Reduce a system by balanced truncation.

    The reduced system of a stable one is stable and
    :math:`\sigma_{r+1} \le \|G - G_r\|_\infty \le 2\sum_{k>r}\sigma_k`. Of one
    unstable dense system the stable part is reduced and the rest kept.

    Parameters
    ----------
    system : StateSpace, DiagonalStateSpace or SparseStateSpace
        Stable system; a stack of systems gets one common order, the largest needed. A
        sparse one is handed to `low_rank_balanced_truncation`. A single dense one may
        have unstable poles.
    order : int, optional
        Number of states to keep (stored complex states of a diagonal system), unstable
        ones included.
    error_tol : float, optional
        Instead: largest admissible H-infinity error bound, absolute.
    relative : bool
        Whether error_tol is a multiple of the H-infinity norm of the (stable part of
        the) system; of a sparse one, of its largest Hankel singular value.
    energy_tol : float, optional
        Instead: largest discarded share of the sum of the Hankel singular values.
    max_order : int, optional
        Largest order to choose, whatever a tolerance asks for.
    projection : {"square_root", "balancing_free"}
        For one dense system: the balanced reduced model, or one in orthonormal bases of
        the same subspaces, the same but for rounding.
    map : {"real", "complex"}
        For diagonal systems with a real readout: balance the real input-output map
        (default, never a worse bound) or the complex states (ablation).
    gramians : {"structured", "closed_form"}
        For diagonal systems: factors right to the last singular value (default), or
        from closed-form Gramians, faster for many inputs, with a bound that includes
        what rounding may hide.
    storage_eps : float, optional
        Machine epsilon of the arithmetic that will store a reduced diagonal system;
        that of the system by default. Its poles are kept apart accordingly.

    Returns
    -------
    ReductionResult
        The reduced system, all Hankel singular values, the bound and the projections.

    Raises
    ------
    ValueError
        If not exactly one target is given or it is out of range.
    InvalidSystemError
        If an entry is NaN or infinite.
    UnstableSystemError
        If a diagonal or sparse system or one of a stack is not stable, no pole is, or
        an order inside a tie of a continuous system leaves a pole on the stability
        boundary.
    ToleranceNotAttainableError
        If no order meets a tolerance; names the best attainable value.
    IllConditionedError
        If a reduced diagonal system cannot be stored accurately as one.

    Warns
    -----
    NumericalWarning
        If a fixed order cuts inside a tie or a cluster of equal values or exceeds the
        numerical rank, or a tolerance needs more than `max_order` states.

    Notes
    -----
    **Method.** Tombs & Postlethwaite, Int. J. Control 46, 1987, p. 1319: Gramian
    factors, SVD of their product, square-root projections; balancing-free: Safonov &
    Chiang, IEEE Trans. Autom. Control 34, 1989, p. 729. Diagonal systems with a real
    readout are balanced as the real systems of 2 n states that they are, and brought
    back to one stored state per conjugate pair or real pole.
    **Numerical aspects.** See `hankelcut.lti.gramian_factors`.

    Examples
    --------
    >>> import hankelcut as hc
    >>> A, B, C = [[-1.0, 0.0], [0.0, -50.0]], [[1.0], [1.0]], [[1.0, 1.0]]
    >>> result = hc.balanced_truncation(hc.StateSpace(A, B, C), error_tol=0.05)
    >>> result.order, bool(result.error_bound < 0.05)
    (1, True)
    """
    target = OrderTarget(order, error_tol, energy_tol, relative, max_order)
    require_choice(_CALLER, "projection", projection, Projection)
    if isinstance(system, SparseStateSpace):
        factors = low_rank_gramian_factors(system, caller=_CALLER)
        result, notes = truncate_sparse(system, factors, target, _CALLER)
    else:
        balancing = None
        if projection == "square_root":
            balancing = _balance_unless_split(system, map, gramians)
        if balancing is None:
            return reduce_with(
                lambda part: _Balanced(part, balance(part, caller=_CALLER), projection),
                system,
                target,
                caller=_CALLER,
                method=f"{projection.replace('_', '-')} balanced truncation",
            )
        result = truncate(
            balancing, system, target, storage_eps=storage_eps, caller=_CALLER
        )
        notes = result.warnings if target.announces else ()
    for note in notes:
        warnings.warn(f"{_CALLER}: {note}", NumericalWarning, stacklevel=2)
    return result


def _balance_unless_split(
    system: StateSpace | DiagonalStateSpace, map: StateMap, gramians: GramianMethod
) -> Balancing | None:
    """Balance; None for an unstable system that can be split into parts."""
    try:
        return balance(system, map=map, gramians=gramians, caller=_CALLER)
    except UnstableSystemError:
        if isinstance(system, DiagonalStateSpace) or system.batch_shape:
            raise
        return None


@dataclass(frozen=True, eq=False)
class _Balanced:
    """A stable system and its balancing, to be cut by either kind of projection."""

    system: StateSpace
    balancing: Balancing
    projection: Projection
    values_name: str = "Hankel singular values"

    @property
    def spectrum(self) -> HankelSpectrum:
        """Hankel singular values."""
        return self.balancing.spectrum()

    def cut(self, order: int) -> Cut:
        """Project on the dominant subspaces."""
        T, W = self.balancing.projections(order)
        if self.projection == "balancing_free":
            T, W = _orthonormal(self.balancing, order)
        reduced = projected(self.system, T, W)
        require_stable_model(reduced, _CALLER)
        bound = ErrorBound(np.asarray(self.spectrum.error_bounds()[order]))
        return Cut(reduced, bound, W, T, residuals=self.balancing.residuals)


def _orthonormal(balancing: Balancing, order: int) -> tuple[Matrix, Matrix]:
    """Projections from orthonormal bases of the dominant subspaces, W^H T = I."""
    T, _ = np.linalg.qr(balancing.controllability @ balancing.right_vectors[:, :order])
    Y, _ = np.linalg.qr(balancing.observability @ balancing.left_vectors[:, :order])
    return T, Y @ np.linalg.inv(T.conj().T @ Y)
