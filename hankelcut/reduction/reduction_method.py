"""What the methods share: one system in, its part reduced, one result out."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, TypeAlias, get_args, runtime_checkable

import numpy as np

from hankelcut import _array
from hankelcut._errors import (
    HankelcutError,
    IllConditionedError,
    InvalidSystemError,
    NumericalWarning,
    ToleranceNotAttainableError,
    UnstableSystemError,
)
from hankelcut._typing import Array
from hankelcut.lti.norms.hinf_norm import hinf_norm
from hankelcut.lti.structure.stable_unstable_decomposition import (
    stable_unstable_decomposition,
)
from hankelcut.lti.systems._kinds import require_dense_or_diagonal
from hankelcut.lti.systems.conversions import detached, to_dense
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.interconnection import error_system, parallel
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.reduction.order_selection import (
    HankelSpectrum,
    OrderSelection,
    OrderTarget,
)
from hankelcut.reduction.result import ErrorBound, ReductionResult

__all__ = ["Cut", "Decomposition", "Matrix", "reduce_with", "require_choice"]

Matrix: TypeAlias = np.ndarray[Any, np.dtype[Any]]

# Width of the norm that a relative tolerance is a multiple of, and of the errors that
# stand in for bounds.
_RTOL = 1e-3


@dataclass(frozen=True, eq=False)
class Cut:
    """The part of a system, reduced to one order.

    Parameters
    ----------
    system : StateSpace
        The reduced part, NumPy, in double precision.
    bound : ErrorBound
        The a-priori error bound.
    left_projection, right_projection : (n, r) arrays, optional
        W and T, for methods that project.
    notes : tuple of str
        What has to be said about it.
    residuals : callable, optional
        Computes the relative residuals of the two matrix equations behind it.
    """

    system: StateSpace
    bound: ErrorBound
    left_projection: Matrix | None = None
    right_projection: Matrix | None = None
    notes: tuple[str, ...] = ()
    residuals: Callable[[], tuple[Array, Array]] | None = None


@runtime_checkable
class Decomposition(Protocol):
    """What a method made of a system, ready to be cut to any order."""

    @property
    def spectrum(self) -> HankelSpectrum:
        """Characteristic values and a-priori bounds."""

    @property
    def values_name(self) -> str:
        """What the characteristic values are."""

    def cut(self, order: int) -> Cut:
        """Reduce to an order of at most the numerical rank."""


@dataclass(frozen=True, eq=False)
class _Part:
    """The part of a system that a method reduces, and what is kept beside it."""

    system: StateSpace
    kept: StateSpace | None = None
    T: Matrix | None = None
    T_inverse: Matrix | None = None

    @property
    def n_kept(self) -> int:
        """Number of states that are kept whatever the order."""
        return 0 if self.kept is None else self.kept.n_states


def reduce_with(
    decompose: Callable[[StateSpace], Decomposition],
    system: StateSpace | DiagonalStateSpace,
    target: OrderTarget,
    *,
    caller: str,
    method: str,
    unstable: Literal["keep", "whole", "refuse"] = "keep",
) -> ReductionResult:
    """Reduce one system by a method that decomposes it.

    Parameters
    ----------
    decompose : callable
        Given a NumPy system in double precision, what the method makes of it.
    system : StateSpace or DiagonalStateSpace
        One system, in host memory; a diagonal one is made dense.
    target : OrderTarget
        What decides the order; it counts the unstable states that are kept.
    caller : str
        Name of the public function, for messages.
    method : str
        Name of the method, for the result.
    unstable : {"keep", "whole", "refuse"}
        Of a system that `decompose` finds unstable, reduce the stable part and keep the
        rest, or refuse it; "whole" systems may be unstable.

    Returns
    -------
    ReductionResult
        In the arrays and the precision of the system, with its names.

    Raises
    ------
    InvalidSystemError
        If the system is sparse or a stack, or an entry is NaN or infinite.
    UnstableSystemError
        If no pole is stable, or the system is not and must be.
    ToleranceNotAttainableError
        If no order meets a tolerance; names the best attainable value.
    IllConditionedError
        If numbers leave their range, or a matrix is singular to rounding.
    ValueError
        If the order is below the number of unstable states or too large.

    Warns
    -----
    NumericalWarning
        What is noted while an order given by the user is cut.
    """
    whole = _one_host_system(system, caller)
    with _lost_in_rounding(caller):
        part, decomposition = _decomposed(decompose, whole, caller, unstable)
        selection, cut = _selected(decomposition, part, target, caller)
    if target.announces:
        for note in selection.notes:
            warnings.warn(f"{caller}: {note}", NumericalWarning, stacklevel=3)
    notes = (*selection.notes, *cut.notes)
    if part.kept is not None:
        notes += (f"unstable poles kept as they are: {part.n_kept}",)
    return _result(system, part, decomposition, cut, method, notes)


def require_choice(caller: str, name: str, value: object, choices: object) -> None:
    """Raise unless an argument is one of its choices.

    Parameters
    ----------
    caller : str
        Name of the public function, for the message.
    name : str
        Name of the argument.
    value : object
        What was given.
    choices : Literal type
        The choices.

    Raises
    ------
    ValueError
        If it is none of them.
    """
    if value not in get_args(choices):
        need = ", ".join(get_args(choices))
        msg = f"{caller}: got {name}={value!r}, need one of {need}"
        raise ValueError(msg)


@contextmanager
def _lost_in_rounding(caller: str) -> Iterator[None]:
    """Say which function failed where arithmetic does."""
    try:
        with np.errstate(over="raise", invalid="raise", divide="raise"):
            yield
    except (ArithmeticError, np.linalg.LinAlgError) as error:
        if isinstance(error, HankelcutError):
            raise
        msg = (
            f"{caller}: the system cannot be reduced in double precision ({error}); "
            "scale its inputs, outputs and time to gains and poles nearer to 1"
        )
        raise IllConditionedError(msg) from error


def _one_host_system(
    system: StateSpace | DiagonalStateSpace, caller: str
) -> StateSpace:
    """Return a single system as a dense one of NumPy arrays in double precision."""
    require_dense_or_diagonal(caller, system)
    if system.batch_shape:
        msg = (
            f"{caller}: got a stack of shape {tuple(system.batch_shape)}, need one "
            "system; reduce system[k] for each k, or the stack by balanced_truncation"
        )
        raise InvalidSystemError(msg)
    dense = to_dense(detached(system))
    matrices = {k: _array.to_numpy(getattr(dense, k)) for k in ("A", "B", "C", "D")}
    _array.require_finite(caller, **matrices)
    is_complex = any(np.iscomplexobj(matrix) for matrix in matrices.values())
    dtype = np.complex128 if is_complex else np.float64
    A, B, C, D = (matrix.astype(dtype) for matrix in matrices.values())
    return StateSpace(A, B, C, D, dense.time)


def _decomposed(
    decompose: Callable[[StateSpace], Decomposition],
    whole: StateSpace,
    caller: str,
    unstable: Literal["keep", "whole", "refuse"],
) -> tuple[_Part, Decomposition]:
    try:
        return _Part(whole), decompose(whole)
    except UnstableSystemError as error:
        if unstable == "whole":
            raise
        advice = "; or reduce it by lqg_balanced_truncation"
        if unstable == "refuse":
            raise UnstableSystemError(f"{error}{advice}") from error
        parts = stable_unstable_decomposition(whole)
        stable, kept = to_dense(parts.stable), to_dense(parts.unstable)
        if stable.n_states == 0:
            msg = f"{error}; no pole is stable, so that nothing can be cut{advice}"
            raise UnstableSystemError(msg) from error
    part = _Part(stable, kept, parts.T, parts.T_inverse)
    return part, decompose(stable)


def _selected(
    decomposition: Decomposition, part: _Part, target: OrderTarget, caller: str
) -> tuple[OrderSelection, Cut]:
    """Choose the order of the part and cut it."""
    own = _target_of_part(target, part, caller)
    if own.relative:
        own = own.absolute(float(hinf_norm(part.system, rtol=_RTOL).lower))
    if own.error_tol is not None and decomposition.spectrum.bounds == ():
        return _measured(decomposition, part, own, caller)
    selection = own.select(decomposition.spectrum, caller)
    return selection, decomposition.cut(selection.order)


def _target_of_part(target: OrderTarget, part: _Part, caller: str) -> OrderTarget:
    """Return the target without the states that are kept in any case."""
    own = target
    for name in ("order", "max_order"):
        value = getattr(target, name)
        if value is None:
            continue
        if value < part.n_kept:
            msg = (
                f"{caller}: got {name}={value}, need at least {part.n_kept}: the "
                "unstable states are kept; lqg_balanced_truncation reduces them too"
            )
            raise ValueError(msg)
        own = replace(own, **{name: value - part.n_kept})
    return own


def _measured(
    decomposition: Decomposition, part: _Part, target: OrderTarget, caller: str
) -> tuple[OrderSelection, Cut]:
    """Bisect for an order whose measured H-infinity error meets a tolerance.

    The error need not fall with the order: the order below may meet it too.
    """
    tolerance = 0.0 if target.error_tol is None else target.error_tol
    high = decomposition.spectrum.numerical_rank
    if target.max_order is not None:
        high = min(high, target.max_order)
    cut, error = _cut_and_error(decomposition, part, high)
    if cut is None or (error > tolerance and target.max_order is None):
        msg = (
            f"{caller}: no order up to {high} was found with a measured H-infinity "
            f"error <= {tolerance:.3g} (got {error:.3g} at order {high}); raise "
            "error_tol or pass order"
        )
        raise ToleranceNotAttainableError(msg)
    if error > tolerance:
        note = f"max_order={high} has a measured error of {error:.3g} > {tolerance:.3g}"
        return OrderSelection(high, (note,)), cut
    low = -1
    while high - low > 1:
        middle = (low + high) // 2
        candidate, error = _cut_and_error(decomposition, part, middle)
        if candidate is not None and error <= tolerance:
            high, cut = middle, candidate
        else:
            low = middle
    return OrderSelection(high), cut


def _cut_and_error(
    decomposition: Decomposition, part: _Part, order: int
) -> tuple[Cut | None, float]:
    """Cut and measure; an order whose model is not stable has an infinite error."""
    try:
        cut = decomposition.cut(order)
        special = cut.bound.error
        error = error_system(part.system, cut.system) if special is None else special
        return cut, float(hinf_norm(error, rtol=_RTOL).upper)
    except UnstableSystemError:
        return None, float("inf")


def _result(
    full: StateSpace | DiagonalStateSpace,
    part: _Part,
    decomposition: Decomposition,
    cut: Cut,
    method: str,
    notes: tuple[str, ...],
) -> ReductionResult:
    """Add back what was kept, in the arrays of the system that was given."""
    reduced = cut.system
    left, right = cut.left_projection, cut.right_projection
    stable_error = None
    if part.kept is not None:
        stable_error = to_dense(error_system(part.system, reduced))
        reduced = to_dense(parallel(reduced, part.kept))
        left, right = _whole_projections(part, left, right)
    given = full.B if np.iscomplexobj(reduced.A) else _array.to_real(full.B)
    matrices = (reduced.A, reduced.B, reduced.C, reduced.D)
    A, B, C, D = (_like(given, matrix) for matrix in matrices)
    system = StateSpace(A, B, C, D, reduced.time)
    if isinstance(full, StateSpace):
        system = replace(system, names=full.names.without_states())
    real = _array.to_real(given)
    bound = cut.bound
    if bound.value is not None:
        bound = replace(bound, value=_like(real, np.asarray(bound.value)))
    return ReductionResult(
        system,
        system.n_states,
        _like(real, np.array(decomposition.spectrum.values, dtype=float)),
        bound,
        method,
        full,
        None if left is None else _like(given, left),
        None if right is None else _like(given, right),
        decomposition.values_name,
        stable_error,
        cut.residuals,
        notes,
    )


def _whole_projections(
    part: _Part, left: Matrix | None, right: Matrix | None
) -> tuple[Matrix | None, Matrix | None]:
    """Extend the projections of the stable part to the states that are kept."""
    T, inverse = part.T, part.T_inverse
    if left is None or right is None or T is None or inverse is None:
        return None, None
    k = part.system.n_states
    whole_right = np.concatenate([T[:, :k] @ right, T[:, k:]], axis=1)
    whole_left = np.concatenate([inverse[:k].conj().T @ left, inverse[k:].conj().T], 1)
    return whole_left, whole_right


def _like(given: Array, matrix: Matrix) -> Array:
    """Return a matrix in the array library, precision and kind of another."""
    xp = _array.namespace(given)
    return xp.astype(xp.asarray(matrix), given.dtype)
