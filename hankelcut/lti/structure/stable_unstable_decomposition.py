"""Additive decomposition of a system into a stable and an unstable part."""

import warnings
from dataclasses import dataclass, replace

import numpy as np

from hankelcut import _array
from hankelcut._errors import InvalidSystemError, NumericalWarning
from hankelcut._typing import Array
from hankelcut.lti.equations._schur_sylvester import Matrix
from hankelcut.lti.structure._ordered_schur import (
    BlockDiagonalization,
    default_margin,
    plain_schur_form,
    stable_block_first,
)
from hankelcut.lti.structure.stability import pole_margins
from hankelcut.lti.systems._kinds import require_dense_or_diagonal
from hankelcut.lti.systems._unit_scaling import state_units
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.lti.systems.time_domain import TimeDomain

__all__ = ["StableUnstableDecomposition", "stable_unstable_decomposition"]

# A transformation of coupling X costs about log10 |X| digits: three eighths of them.
_COUPLING_POWER = -0.375


@dataclass(frozen=True, eq=False)
class StableUnstableDecomposition:
    """G = stable + unstable, in the coordinates x = T [x_stable; x_unstable].

    Parameters
    ----------
    stable : StateSpace or DiagonalStateSpace
        The poles inside the stability region by more than the margin, and D.
    unstable : StateSpace or DiagonalStateSpace
        The other poles, without feedthrough.
    T, T_inverse : (..., n, n) arrays
        The transformation of the states and its inverse.
    coupling : (...) real array
        Norm of the solution of the Sylvester equation that decouples the parts, states
        scaled evenly; 0 for diagonal systems. It is large when poles of both parts are
        close or have nearly parallel eigenvectors; the parts are then large and nearly
        cancel.
    margin : (...) real array
        Distance from the stability boundary up to which poles counted as unstable.
    """

    stable: StateSpace | DiagonalStateSpace
    unstable: StateSpace | DiagonalStateSpace
    T: Array
    T_inverse: Array
    coupling: Array
    margin: Array


def stable_unstable_decomposition(
    system: StateSpace | DiagonalStateSpace, *, margin: float | None = None
) -> StableUnstableDecomposition:
    r"""Split a system into the sum of a stable and an unstable part.

    Parameters
    ----------
    system : StateSpace or DiagonalStateSpace
        System with any poles. All items of a batch need as many stable poles.
    margin : float, optional
        Poles count as stable when their distance from the stability boundary,
        :math:`-\mathrm{Re}\,\lambda` in rad/s or :math:`1 - |\lambda|`, is larger. By
        default :math:`\sqrt\epsilon` times the largest :math:`|\lambda|` (continuous)
        or :math:`\sqrt\epsilon` (discrete), :math:`\epsilon` the machine epsilon: as
        far as rounding moves a double pole; and 0 for diagonal systems, whose poles are
        exact. Pass 0.0 to take computed poles at their word.

    Returns
    -------
    StableUnstableDecomposition
        Both parts, real for real systems, diagonal for diagonal ones. A part that holds
        all states has the coordinates of the system.

    Raises
    ------
    InvalidSystemError
        If an entry is NaN or infinite, `margin` is negative or not finite, or batch
        items have different numbers of stable poles.
    IllConditionedError
        If poles of both parts coincide to rounding.

    Warns
    -----
    NumericalWarning
        If the coupling costs more than three eighths of the digits.

    Notes
    -----
    **Method.** States are scaled evenly by powers of two; ordered Schur form and a
    Sylvester equation (Golub & Van Loan, Matrix Computations, section 7.6), on the
    host, one system at a time. A selection of states for diagonal systems.

    Examples
    --------
    >>> import hankelcut as hc
    >>> plant = hc.StateSpace([[-1.0, 5.0], [0.0, 2.0]], [[1.0], [1.0]], [[1.0, 1.0]])
    >>> parts = hc.stable_unstable_decomposition(plant)
    >>> parts.stable.A, parts.unstable.A
    (array([[-1.]]), array([[2.]]))
    """
    caller = "stable_unstable_decomposition"
    require_dense_or_diagonal(caller, system)
    if margin is not None and not 0 <= margin < float("inf"):
        msg = f"{caller}: got margin={margin!r}, need a finite one >= 0"
        raise InvalidSystemError(msg)
    if isinstance(system, DiagonalStateSpace):
        first = {"exponents": system.exponents}
        _array.require_finite(caller, **first, B=system.B, C=system.C, D=system.D)
        return _selected(caller, system, margin or 0.0)
    _array.require_finite(caller, A=system.A, B=system.B, C=system.C, D=system.D)
    result = _decoupled(caller, system, margin)
    worst = max(_array.to_list(_flat(result.coupling)), default=0.0)
    if worst > _array.eps(system.A) ** _COUPLING_POWER:
        msg = (
            f"{caller}: the parts are coupled by {worst:.2g}, which costs that many "
            "units of rounding: poles on both sides of the margin are close; move the "
            "margin into a gap between poles"
        )
        warnings.warn(msg, NumericalWarning, stacklevel=2)
    return result


def _selected(
    caller: str, system: DiagonalStateSpace, margin: float
) -> StableUnstableDecomposition:
    """Stable states first, in their order, then the others."""
    xp = _array.namespace(system.exponents)
    unstable = xp.astype(~(pole_margins(system) > margin), xp.int64)
    k = _common_count(caller, system.n_states - xp.sum(unstable, axis=-1), system)
    order = xp.argsort(unstable, axis=-1)
    identity = _array.eye(system.n_states, system.exponents)
    shape = (*system.batch_shape, *identity.shape)
    rows = _rows(xp.broadcast_to(identity, shape), order)
    whole = replace(
        system,
        exponents=xp.take_along_axis(system.exponents, order, axis=-1),
        B=_rows(system.B, order),
        C=xp.matrix_transpose(_rows(xp.matrix_transpose(system.C), order)),
    )
    none = _array.to_real(_array.zeros(system.batch_shape, system.B))
    return StableUnstableDecomposition(
        _states(whole, slice(k)),
        replace(_states(whole, slice(k, None)), D=xp.zeros_like(system.D)),
        xp.matrix_transpose(rows),
        rows,
        none,
        none + margin,
    )


def _rows(matrix: Array, order: Array) -> Array:
    xp = _array.namespace(matrix)
    places = xp.broadcast_to(order[..., :, None], matrix.shape)
    return xp.take_along_axis(matrix, places, axis=-2)


def _states(system: DiagonalStateSpace, kept: slice) -> DiagonalStateSpace:
    return replace(
        system,
        exponents=system.exponents[..., kept],
        B=system.B[..., kept, :],
        C=system.C[..., :, kept],
    )


def _decoupled(
    caller: str, system: StateSpace, margin: float | None
) -> StableUnstableDecomposition:
    """Split a dense system item by item, on the host."""
    xp = _array.namespace(system.A)
    A, B, C = (_array.to_numpy(matrix) for matrix in (system.A, system.B, system.C))
    batch, n = system.batch_shape, system.n_states
    items = {
        index: _split(A[index], B[index], C[index], system.time, margin)
        for index in np.ndindex(batch)
    }
    sizes = np.array([item.first.shape[0] for item, _ in items.values()], dtype=int)
    k = _common_count(caller, sizes.reshape(batch), system)
    T, T_inverse = (np.zeros((*batch, n, n), dtype=A.dtype) for _ in range(2))
    blocks = np.zeros((*batch, n, n), dtype=A.dtype)
    coupling, margins = (np.zeros(batch, dtype=A.real.dtype) for _ in range(2))
    for index, (item, limit) in items.items():
        T[index], T_inverse[index] = item.T, item.T_inverse
        blocks[index][:k, :k], blocks[index][k:, k:] = item.first, item.second
        coupling[index], margins[index] = item.coupling, limit
    arrays = (blocks, T, T_inverse, coupling, margins)
    A, T, T_inverse, coupling, margins = (xp.asarray(array) for array in arrays)
    B, C = T_inverse @ system.B, system.C @ T
    names = system.names.without_states()
    stable = replace(
        system, A=A[..., :k, :k], B=B[..., :k, :], C=C[..., :k], names=names
    )
    unstable = replace(
        system,
        A=A[..., k:, k:],
        B=B[..., k:, :],
        C=C[..., k:],
        D=xp.zeros_like(system.D),
        names=names,
    )
    return StableUnstableDecomposition(
        stable, unstable, T, T_inverse, coupling, margins
    )


def _split(
    A: Matrix, B: Matrix, C: Matrix, time: TimeDomain, margin: float | None
) -> tuple[BlockDiagonalization, float]:
    """Blocks of one system, and the margin that told them apart."""
    units = state_units(A, B, C)
    even = A / units[:, None] * units
    form = plain_schur_form(even)
    margin = default_margin(form, time) if margin is None else margin
    blocks = stable_block_first(even, form, time, margin)
    if 0 in (blocks.first.shape[0], blocks.second.shape[0]):
        return stable_block_first(A, form, time, margin), margin
    T, T_inverse = units[:, None] * blocks.T, blocks.T_inverse / units
    return replace(blocks, T=T, T_inverse=T_inverse), margin


def _common_count(
    caller: str, counts: Array, system: StateSpace | DiagonalStateSpace
) -> int:
    """Return the number of stable poles, which batch items must share."""
    values = [int(count) for count in _array.to_list(_flat(counts))]
    if not values:
        return system.n_states
    if len(set(values)) > 1:
        msg = (
            f"{caller}: batch items have {values} stable poles, need equal numbers; "
            "decompose them one by one: system[index]"
        )
        raise InvalidSystemError(msg)
    return values[0]


def _flat(array: Array) -> Array:
    return _array.namespace(array).reshape(array, (-1,))
