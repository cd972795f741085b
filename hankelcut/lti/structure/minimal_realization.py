"""Minimal realization: the controllable and observable states of a system."""

import math
import warnings
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from hankelcut import _array
from hankelcut._errors import (
    IllConditionedError,
    InvalidSystemError,
    NumericalWarning,
)
from hankelcut._typing import Array
from hankelcut.lti.gramians._square_root_projections import square_root_projections
from hankelcut.lti.gramians.gramian_factors import gramian_factors
from hankelcut.lti.structure._ordered_schur import (
    BlockDiagonalization,
    default_margin,
    plain_schur_form,
    stable_block_first,
)
from hankelcut.lti.structure._staircase import controllable_states
from hankelcut.lti.systems._kinds import require_dense_or_diagonal
from hankelcut.lti.systems._unit_scaling import signal_units, state_units
from hankelcut.lti.systems.conversions import to_dense
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.lti.systems.time_domain import Continuous, TimeDomain

__all__ = ["MinimalRealization", "minimal_realization"]

_Matrix: TypeAlias = np.ndarray[Any, np.dtype[Any]]

# Blocks coupled by more than this power of the machine epsilon would cost a third of
# the digits: the margin between stable and other poles is then widened, by this factor
# up to so many times.
_COUPLING_POWER = -0.3
_WIDENING = 32.0
_WIDENINGS = 6
# Decisions closer together than this may fall the other way after some rounding.
_CLEAR_GAP = 100.0


@dataclass(frozen=True, eq=False)
class MinimalRealization:
    """The controllable and observable part of a system, x ~ T x_minimal.

    Parameters
    ----------
    system : StateSpace
        The same input-output map with r <= n states.
    T, W : (..., n, r) arrays
        Projections with W^H T = I, to rounding divided by `kept`: the state matrix is
        W^H A T. The removed directions are those that W^H maps to zero. For a diagonal
        system A is that of `to_dense`.
    kept, neglected : (...) real arrays
        Smallest relative value that was kept and largest that counted as zero; infinity
        and 0 where there is none. Any tolerance between them gives the same order.
    rtol : float
        The tolerance.
    """

    system: StateSpace
    T: Array
    W: Array
    kept: Array
    neglected: Array
    rtol: float


def minimal_realization(
    system: StateSpace | DiagonalStateSpace, *, rtol: float | None = None
) -> MinimalRealization:
    r"""Remove the states that are not controllable or not observable.

    Parameters
    ----------
    system : StateSpace or DiagonalStateSpace
        System with any poles; a diagonal one is taken as `to_dense` makes it. Batch
        items need minimal realizations of one order.
    rtol : float, optional
        What counts as zero: Hankel singular values relative to the largest, and
        singular values in the staircase relative to the norm of their matrix. The
        default is :math:`\max(100 n \epsilon, \epsilon^{2/3})`, 3.7e-11 in double
        precision.

    Returns
    -------
    MinimalRealization
        The system, real for real systems, and what the decision rests on. When nothing
        is removed it has the coordinates of `system`.

    Raises
    ------
    InvalidSystemError
        If an entry is NaN or infinite, `rtol` is not in (0, 1), or batch items have
        minimal realizations of different orders.
    IllConditionedError
        If a Gramian leaves the range of the dtype.

    Warns
    -----
    NumericalWarning
        If the order depends on rounding: less than a factor 100 lies between what was
        kept and what was neglected.

    Notes
    -----
    **Method.** Inputs, outputs and states are scaled by powers of two, so that units do
    not matter. Stable, antistable and marginal poles are decoupled where that is
    well-conditioned (see `stable_unstable_decomposition`). The stable part, and the
    antistable one in reversed time, are truncated to their numerical ranks by the
    square-root method (Tombs & Postlethwaite, Int. J. Control 46, 1987, p. 1319): the
    response moves by at most twice the sum of the neglected Hankel singular values. The
    other poles go through the staircase algorithm (Van Dooren, IEEE Trans. Autom.
    Control 26, 1981, p. 111). On the host, one system at a time.

    Examples
    --------
    >>> import hankelcut as hc
    >>> plant = hc.StateSpace([[-1.0, 0.0], [0.0, 2.0]], [[1.0], [1.0]], [[0.0, 1.0]])
    >>> minimal = hc.minimal_realization(plant)
    >>> minimal.system.n_states  # the pole at -1 is not observable
    1
    """
    caller = "minimal_realization"
    require_dense_or_diagonal(caller, system)
    dense = to_dense(system)
    _array.require_finite(caller, A=dense.A, B=dense.B, C=dense.C, D=dense.D)
    n, eps = dense.n_states, _array.eps(dense.A)
    rtol = max(100 * n * eps, eps ** (2 / 3)) if rtol is None else rtol
    if not 0 < rtol < 1:
        msg = f"{caller}: got rtol={rtol!r}, need 0 < rtol < 1"
        raise InvalidSystemError(msg)
    A, B, C = (_array.to_numpy(matrix) for matrix in (dense.A, dense.B, dense.C))
    indices = list(np.ndindex(dense.batch_shape))
    items = [_minimal_states(A[i], B[i], C[i], dense.time, rtol) for i in indices]
    r = _common_order(caller, items, n)
    T, W = (np.zeros((*dense.batch_shape, n, r), dtype=A.dtype) for _ in range(2))
    limits = np.zeros((2, *dense.batch_shape), dtype=A.real.dtype)
    for index, item in zip(indices, items, strict=True):
        T[index], W[index] = item.T, item.W
        limits[(0, *index)], limits[(1, *index)] = item.kept, item.neglected
        _warn_without_gap(caller, item, rtol)
    xp = _array.namespace(dense.A)
    T, W, kept, neglected = (xp.asarray(array) for array in (T, W, *limits))
    if r < n:
        Wh = _array.adjoint(W)
        names = dense.names.without_states()
        dense = replace(
            dense, A=Wh @ dense.A @ T, B=Wh @ dense.B, C=dense.C @ T, names=names
        )
    return MinimalRealization(dense, T, W, kept, neglected, rtol)


@dataclass(frozen=True, eq=False)
class _Part:
    """A decoupled block of a system, and norms of what A, B and C come from."""

    A: _Matrix
    B: _Matrix
    C: _Matrix
    time: TimeDomain
    sizes: tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class _States:
    """Projections onto the states to keep, and the values that told them."""

    T: _Matrix
    W: _Matrix
    kept: float = math.inf
    neglected: float = 0.0


def _minimal_states(
    A: _Matrix, B: _Matrix, C: _Matrix, time: TimeDomain, rtol: float
) -> _States:
    """Minimal states of one system, found in even units."""
    B, C = B / signal_units(B, axis=0), C / signal_units(C, axis=1)[:, None]
    units = state_units(A, B, C)
    A, B, C = A / units[:, None] * units, B / units[:, None], C * units
    stable = _decoupled(A, time, reverse=False)
    other = _decoupled(stable.second, time, reverse=True)
    k = stable.first.shape[0]
    columns = [stable.T[:, :k], *_split(stable.T[:, k:] @ other.T, other)]
    inverse = other.T_inverse @ stable.T_inverse[k:]
    rows = [stable.T_inverse[:k], *(part.T for part in _split(inverse.T, other))]
    blocks = [stable.first, other.first, other.second]
    sizes = [float(np.linalg.norm(matrix)) for matrix in (A, B, C)]
    parts = []
    for block, row, column in zip(blocks, rows, columns, strict=True):
        left, right = (float(np.linalg.norm(matrix)) for matrix in (row, column))
        scales = (left * sizes[0] * right, left * sizes[1], sizes[2] * right)
        parts.append(_Part(block, row @ B, C @ column, time, scales))
    found = _part_states(*parts, rtol=rtol)
    kept = min(states.kept for states in found)
    neglected = max(states.neglected for states in found)
    if sum(states.T.shape[1] for states in found) == A.shape[0]:
        identity = np.eye(A.shape[0], dtype=A.dtype)
        return _States(identity, identity, kept, neglected)
    pairs = list(zip(columns, rows, found, strict=True))
    T = np.concatenate([column @ states.T for column, _, states in pairs], axis=1)
    W = np.concatenate([row.conj().T @ states.W for _, row, states in pairs], axis=1)
    return _States(units[:, None] * T, W / units[:, None], kept, neglected)


def _split(columns: _Matrix, blocks: BlockDiagonalization) -> tuple[_Matrix, _Matrix]:
    """Columns that belong to the two blocks."""
    k = blocks.first.shape[0]
    return columns[:, :k], columns[:, k:]


def _decoupled(A: _Matrix, time: TimeDomain, *, reverse: bool) -> BlockDiagonalization:
    """Stable (or antistable) block first, with a margin at which that is harmless."""
    form = plain_schur_form(A)
    margin = default_margin(form, time)
    limit = float(np.finfo(A.dtype).eps) ** _COUPLING_POWER
    for _ in range(_WIDENINGS):
        try:
            blocks = stable_block_first(A, form, time, margin, reverse=reverse)
        except IllConditionedError:
            blocks = None
        if blocks is not None and blocks.coupling <= limit:
            return blocks
        margin *= _WIDENING
    return stable_block_first(A, form, time, math.inf, reverse=reverse)


def _part_states(
    stable: _Part, antistable: _Part, marginal: _Part, *, rtol: float
) -> list[_States]:
    """Minimal states of each part."""
    A = antistable.A
    reversed_A = -A if isinstance(antistable.time, Continuous) else np.linalg.inv(A)
    spectra = [_spectrum(stable), _spectrum(replace(antistable, A=reversed_A))]
    largest = max(spectrum.largest for spectrum in spectra)
    truncated = [_truncated(spectrum, largest, rtol) for spectrum in spectra]
    return [*truncated, _marginal_states(marginal, rtol)]


@dataclass(frozen=True, eq=False)
class _Spectrum:
    """Gramian factors of a stable part, their decomposition, and its rounding."""

    controllability: _Matrix
    observability: _Matrix
    left_vectors: _Matrix
    values: _Matrix
    right_vectors: _Matrix
    rounding: float

    @property
    def largest(self) -> float:
        return float(np.max(self.values, initial=0.0))


def _spectrum(part: _Part) -> _Spectrum:
    system = StateSpace(part.A, part.B, part.C, None, part.time)
    factors = gramian_factors(system, caller="minimal_realization")
    Lc, Lo = factors.controllability, factors.observability
    U, values, Vh = np.linalg.svd(Lo.conj().T @ Lc, full_matrices=False)
    # The rounding of the matrices, in their own units, is that of the values in units
    # of the factors: below it even the largest value means nothing.
    norms = [float(np.linalg.norm(matrix)) for matrix in (part.A, part.B, part.C)]
    pairs = zip(part.sizes, norms, strict=True)
    lost = sum(size / norm if norm > 0 else 1.0 for size, norm in pairs)
    rounding = len(Lc) * float(np.finfo(Lc.dtype).eps) * lost
    rounding *= float(np.linalg.norm(Lc) * np.linalg.norm(Lo))
    return _Spectrum(Lc, Lo, U, values, Vh.conj().T, rounding)


def _truncated(spectrum: _Spectrum, largest_of_all: float, rtol: float) -> _States:
    """Truncate a stable part to its numerical rank, to nothing if all is rounding."""
    values = spectrum.values
    least = max(spectrum.rounding, rtol * largest_of_all)
    relative = values / (spectrum.largest if spectrum.largest > least else least / rtol)
    r = int(np.sum(relative > rtol))
    kept = float(relative[r - 1]) if r > 0 else math.inf
    neglected = float(np.max(relative[r:], initial=0.0))
    T, W = square_root_projections(
        spectrum.controllability,
        spectrum.observability,
        spectrum.left_vectors[:, :r],
        values[:r],
        spectrum.right_vectors[:, :r],
    )
    return _States(T, W, kept, neglected)


def _marginal_states(part: _Part, rtol: float) -> _States:
    """Keep the observable ones of the controllable states, whatever the poles."""
    size_A, size_B, size_C = part.sizes
    driven = controllable_states(part.A, part.B, rtol, size_A=size_A, size_B=size_B)
    Z = driven.basis
    dual = (Z.conj().T @ part.A @ Z).conj().T
    outputs = (part.C @ Z).conj().T
    seen = controllable_states(dual, outputs, rtol, size_A=size_A, size_B=size_C)
    Z = Z @ seen.basis
    kept = min(driven.kept, seen.kept)
    return _States(Z, Z, kept, max(driven.neglected, seen.neglected))


def _common_order(caller: str, items: list[_States], n: int) -> int:
    orders = [item.T.shape[1] for item in items]
    if len(set(orders)) > 1:
        msg = (
            f"{caller}: batch items have minimal realizations of orders {orders}, need "
            "one order; reduce them one by one: system[index]"
        )
        raise InvalidSystemError(msg)
    return orders[0] if orders else n


def _warn_without_gap(caller: str, item: _States, rtol: float) -> None:
    if item.kept >= _CLEAR_GAP * item.neglected:
        return
    msg = (
        f"{caller}: values down to {item.kept:.2g} were kept and up to "
        f"{item.neglected:.2g} neglected (rtol={rtol:.2g}), without a clear gap: the "
        "order is a matter of the tolerance; choose rtol, or use balanced_truncation "
        "for a stated error"
    )
    warnings.warn(msg, NumericalWarning, stacklevel=3)
