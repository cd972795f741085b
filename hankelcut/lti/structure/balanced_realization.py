"""Balanced realization: coordinates in which both Gramians are equal and diagonal."""

from dataclasses import dataclass, replace

from hankelcut import _array
from hankelcut._errors import InvalidSystemError
from hankelcut._typing import Array
from hankelcut.lti.gramians._square_root_projections import square_root_projections
from hankelcut.lti.gramians.gramian_factors import gramian_factors
from hankelcut.lti.systems._kinds import require_dense_or_diagonal
from hankelcut.lti.systems.conversions import to_dense
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.state_space import StateSpace

__all__ = ["BalancedRealization", "balanced_realization"]


@dataclass(frozen=True, eq=False)
class BalancedRealization:
    """A system in balanced coordinates, x = T x_balanced.

    Parameters
    ----------
    system : StateSpace
        The same input-output map, with P = Q = diag(hankel_singular_values).
    hankel_singular_values : (..., N) real array
        Descending.
    T, T_inverse : (..., N, N) arrays
        The transformation and its inverse: A_balanced = T_inverse A T. For a diagonal
        system A is that of `to_dense`.
    """

    system: StateSpace
    hankel_singular_values: Array
    T: Array
    T_inverse: Array


def balanced_realization(
    system: StateSpace | DiagonalStateSpace,
) -> BalancedRealization:
    r"""Balance a stable minimal system.

    Parameters
    ----------
    system : StateSpace or DiagonalStateSpace
        Stable, controllable and observable system. A diagonal system with a real
        readout is taken in the 2 n real states of `real_form`, any other one in its own
        states.

    Returns
    -------
    BalancedRealization
        The dense balanced system and the transformation.

    Raises
    ------
    InvalidSystemError
        If an entry is NaN or infinite, or the system is not minimal: a Hankel singular
        value does not exceed its uncertainty; the message names the numerical rank.
    UnstableSystemError
        If a pole is on or outside the stability boundary.

    Notes
    -----
    **Method.** Square-root method (Laub, Heath, Paige & Ward, IEEE Trans. Autom.
    Control 32, 1987, p. 115) with the factors of `gramian_factors`; P and Q are never
    formed. **Numerical aspects.** Rounding in the coordinates of the smallest value
    :math:`\sigma_N` is larger by the factor :math:`\sigma_1/\sigma_N`: where that is
    large, `balanced_truncation` serves better.

    Examples
    --------
    >>> import hankelcut as hc
    >>> plant = hc.StateSpace([[-1.0]], [[6.0]], [[2.0]])
    >>> balanced = hc.balanced_realization(plant)
    >>> round(float(balanced.hankel_singular_values[0]), 12)
    6.0
    >>> round(float(hc.controllability_gramian(balanced.system)[0, 0]), 12)
    6.0
    """
    caller = "balanced_realization"
    require_dense_or_diagonal(caller, system)
    factors = gramian_factors(system, caller=caller)
    Lc, Lo = factors.controllability, factors.observability
    xp = _array.namespace(Lc, Lo)
    U, values, Vh = xp.linalg.svd(_array.adjoint(Lo) @ Lc, full_matrices=False)
    _require_minimal(caller, values, factors.uncertainty(values), Lc.shape[-2])
    T, W = square_root_projections(Lc, Lo, U, values, _array.adjoint(Vh))
    T_inverse = _array.adjoint(W)
    dense = to_dense(system)
    balanced = replace(
        dense,
        A=T_inverse @ dense.A @ T,
        B=T_inverse @ dense.B,
        C=dense.C @ T,
        names=dense.names.without_states(),
    )
    return BalancedRealization(balanced, values, T, T_inverse)


def _require_minimal(caller: str, values: Array, uncertainty: Array, n: int) -> None:
    """Raise unless n values exceed their uncertainty."""
    xp = _array.namespace(values)
    known = xp.sum(xp.astype(values > uncertainty, xp.int64), axis=-1)
    ranks = xp.reshape(known, (-1,))
    if bool(xp.all(ranks == n)):
        return
    item = int(xp.argmin(ranks))
    where = f" of batch item {item}" if values.ndim > 1 else ""
    rank = int(ranks[item])
    msg = (
        f"{caller}: only {rank} of {n} Hankel singular values{where} exceed their "
        f"uncertainty, need all {n}: the system is not minimal and has no balanced "
        f"realization of {n} states; pass minimal_realization(system).system, or use "
        f"balanced_truncation with order <= {rank}"
    )
    raise InvalidSystemError(msg)
