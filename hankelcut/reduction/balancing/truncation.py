"""Truncation of balanced systems, and of stacks of them, to a common order."""

from dataclasses import replace

from hankelcut import _array
from hankelcut._errors import UnstableSystemError
from hankelcut._parallel import map_in_threads
from hankelcut._typing import Array
from hankelcut.lti.norms.hinf_norm import hinf_norm
from hankelcut.lti.structure.stability import is_stable
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.lti.systems.time_domain import Continuous
from hankelcut.reduction.balancing.balancing import Balancing
from hankelcut.reduction.balancing.diagonal_truncation import truncate_to_modes
from hankelcut.reduction.balancing.stored_modes import Modes, padded
from hankelcut.reduction.order_selection import OrderSelection, OrderTarget
from hankelcut.reduction.result import ErrorBound, ReductionResult

__all__ = ["require_stable_model", "truncate", "unstable_model"]

# Exponent of the modes that pad the shorter items of a batch: abs(pole) = 1/e.
_PADDING_EXPONENT = -1.0
# Width of the norms that relative tolerances are multiples of.
_NORM_RTOL = 1e-3


def truncate(
    balancing: Balancing,
    full: StateSpace | DiagonalStateSpace,
    target: OrderTarget,
    *,
    storage_eps: float | None = None,
    caller: str = "truncate",
) -> ReductionResult:
    """Cut a balanced system to the order of a target.

    Parameters
    ----------
    balancing : Balancing
        What `balance` made of the system.
    full : StateSpace or DiagonalStateSpace
        The system itself.
    target : OrderTarget
        What decides the order.
    storage_eps : float, optional
        As in `balanced_truncation`.
    caller : str
        Name for messages.

    Returns
    -------
    ReductionResult
        As `balanced_truncation`, without Python warnings: they are in `warnings`.
    """
    if isinstance(full, DiagonalStateSpace):
        eps = _array.eps(full.B) if storage_eps is None else storage_eps
        return _truncate_diagonal(balancing, full, target, eps, caller)
    return _truncate_dense(balancing, full, target, caller)


def _truncate_dense(
    balancing: Balancing, full: StateSpace, target: OrderTarget, caller: str
) -> ReductionResult:
    items = _array.batch_indices(full)
    spectra = [balancing[index].spectrum() for index in items]
    callers = [_item_caller(caller, index) for index in items]
    targets = _absolute(target, full)
    selections = [
        own.select(spectrum, name)
        for own, spectrum, name in zip(targets, spectra, callers, strict=True)
    ]
    order = max((selection.order for selection in selections), default=0)
    # Items of a lower rank get silent states beyond it.
    kept = [min(order, spectrum.numerical_rank) for spectrum in spectra]
    selections = [
        chosen if chosen.order == k else OrderTarget(order=k).select(spectrum, caller)
        for chosen, spectrum, k in zip(selections, spectra, kept, strict=True)
    ]
    reduced, T, W = _project(balancing, full, order, kept)
    require_stable_model(reduced, caller)
    bounds = [
        spectrum.error_bounds()[k] for spectrum, k in zip(spectra, kept, strict=True)
    ]
    return ReductionResult(
        reduced,
        order,
        balancing.values,
        ErrorBound(_array.from_list(bounds, full.batch_shape, full.B)),
        "square-root balanced truncation",
        full,
        W,
        T,
        residuals=balancing.residuals,
        warnings=_notes(items, selections),
    )


def require_stable_model(model: StateSpace, caller: str) -> None:
    """Raise unless a truncated model, or every one of a stack, is stable.

    Parameters
    ----------
    model : StateSpace
        Truncation of a stable balanced system.
    caller : str
        Name for messages.

    Raises
    ------
    UnstableSystemError
        If a pole is not stable, because the order cuts inside a tie or is close to the
        numerical rank.
    """
    stable = is_stable(model)
    if bool(_array.namespace(stable).all(stable)):
        return
    raise unstable_model(model.n_states, caller)


def unstable_model(order: int, caller: str) -> UnstableSystemError:
    """Return the error that says that truncation has made no stable model.

    Parameters
    ----------
    order : int
        Order of the model.
    caller : str
        Name for messages.
    """
    msg = (
        f"{caller}: the model of order {order} is not asymptotically stable (its order "
        "cuts inside a tie of Hankel singular values, or is close to the numerical "
        "rank); choose an order at a gap"
    )
    return UnstableSystemError(msg)


def _absolute(
    target: OrderTarget, full: StateSpace | DiagonalStateSpace
) -> list[OrderTarget]:
    """Return the target of each item; relative tolerances become absolute."""
    items = _array.batch_indices(full)
    if not target.relative:
        return [target] * len(items)
    norms = _array.to_list(
        _array.namespace(full.B).reshape(hinf_norm(full, rtol=_NORM_RTOL).lower, (-1,))
    )
    return [target.absolute(norm) for norm in norms]


def _project(
    balancing: Balancing, full: StateSpace, order: int, kept: list[int]
) -> tuple[StateSpace, Array, Array]:
    """Truncate to a common order, with silent stable states where fewer are kept."""
    T, W = balancing.projections(order)
    used = [float(k < own) for own in kept for k in range(order)]
    mask = _array.from_list(used, (*full.batch_shape, order), full.B)
    xp = _array.namespace(T, W)
    T, W = (_array.diagonal_columns(M, xp.astype(mask, M.dtype)) for M in (T, W))
    Wh = _array.adjoint(W)
    A = Wh @ full.A @ T
    if isinstance(full.time, Continuous):
        silent = xp.astype(1 - mask, A.dtype)[..., None]
        A = A + _PADDING_EXPONENT * silent * _array.eye(order, A)
    names = full.names.without_states()
    return replace(full, A=A, B=Wh @ full.B, C=full.C @ T, names=names), T, W


def _item_caller(caller: str, index: tuple[int, ...]) -> str:
    """Return the caller's name in messages about one item of a batch."""
    return f"{caller}: batch item {index}" if index else caller


def _notes(
    items: list[tuple[int, ...]], selections: list[OrderSelection]
) -> tuple[str, ...]:
    return tuple(
        f"batch item {index}: {note}" if index else note
        for index, selection in zip(items, selections, strict=True)
        for note in selection.notes
    )


def _truncate_diagonal(
    balancing: Balancing,
    full: DiagonalStateSpace,
    target: OrderTarget,
    storage_eps: float,
    caller: str,
) -> ReductionResult:
    items = _array.batch_indices(full)
    targets = _absolute(target, full)

    def cut_item(position: int) -> Modes | None:
        index = items[position]
        return truncate_to_modes(
            balancing[index],
            full[index],
            targets[position],
            storage_eps=storage_eps,
            caller=_item_caller(caller, index),
        )

    positions = list(range(len(items)))
    if _array.is_numpy(full.B):
        cuts = map_in_threads(cut_item, positions)
    else:
        cuts = [cut_item(position) for position in positions]
    nothing = [_everything(full[index]) for index in items]
    modes = [cut or whole for cut, whole in zip(cuts, nothing, strict=True)]
    order = max((item.system.n_states for item in modes), default=0)
    bounds = [
        0.0
        if cut is None
        else balancing[index].spectrum().error_bounds()[cut.balanced_order]
        + cut.added_error
        for index, cut in zip(items, cuts, strict=True)
    ]
    selections = [OrderSelection(m.balanced_order, m.notes) for m in modes]
    reduced, left, right = _stack([padded(item, order) for item in modes], full)
    balanced = balancing.system
    assert isinstance(balanced, DiagonalStateSpace)  # noqa: S101 - narrows the type
    kind = "real map" if balanced.readout == full.readout else "complex map"
    return ReductionResult(
        reduced,
        order,
        balancing.values,
        ErrorBound(_array.from_list(bounds, full.batch_shape, full.B)),
        f"square-root balanced truncation ({kind})"
        if full.readout != "complex"
        else "square-root balanced truncation",
        full,
        left,
        right,
        residuals=balancing.residuals,
        warnings=_notes(items, selections),
    )


def _everything(full: DiagonalStateSpace) -> Modes:
    """Return the modes of the system itself, for a cut that has nothing to remove."""
    xp = _array.namespace(full.B)
    identity = _array.eye(full.n_states, full.B)
    if full.readout != "complex":
        identity = xp.concat([identity, -1j * identity], axis=0)
    return Modes(full, identity, identity, int(identity.shape[0]))


def _stack(
    modes: list[Modes], full: DiagonalStateSpace
) -> tuple[DiagonalStateSpace, Array, Array]:
    """Restore the batch axes of a system from its items."""
    batch = full.batch_shape
    if not batch:
        return modes[0].system, modes[0].left, modes[0].right
    xp = _array.namespace(full.B)
    if not modes:
        return _no_items(full)

    def stacked(arrays: list[Array]) -> Array:
        return xp.reshape(xp.stack(arrays), (*batch, *arrays[0].shape))

    system = DiagonalStateSpace(
        stacked([item.system.exponents for item in modes]),
        stacked([item.system.B for item in modes]),
        stacked([item.system.C for item in modes]),
        full.D,
        full.time,
        full.readout,
    )
    left, right = (stacked([getattr(m, k) for m in modes]) for k in ("left", "right"))
    return system, left, right


def _no_items(full: DiagonalStateSpace) -> tuple[DiagonalStateSpace, Array, Array]:
    """Restore the batch axes of no system at all, of 0 states."""
    N = full.n_states * (1 if full.readout == "complex" else 2)
    system = replace(
        full,
        exponents=full.exponents[..., :0],
        B=full.B[..., :0, :],
        C=full.C[..., :, :0],
    )
    nothing = _array.zeros((*full.batch_shape, N, 0), full.B)
    return system, nothing, nothing
