r"""Balanced truncation of diagonal systems back to stored diagonal states.

**Method.** See `stored_modes` for the diagonal form. It is accepted only if storing it
is harmless: the rounding of the storage times
:math:`\sum_i \|c_i\|\|b_i\| / (1 - |\lambda_i|)` must stay below a tenth of the
error bound (or a few digits of :math:`\sigma_1`). Where eigenvalues nearly collide, the
ladder is: neighbouring orders; a perturbation that separates them, if its error bound
is the better one; refusal. No diagonal form is returned unverified.
"""

from dataclasses import replace

from hankelcut._errors import IllConditionedError, ToleranceNotAttainableError
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.reduction.balancing.balancing import Balancing
from hankelcut.reduction.balancing.pole_separation import separated_modes
from hankelcut.reduction.balancing.stored_modes import (
    Modes,
    Truncated,
    eigenvectors,
    modes_of,
    n_stored,
    pole_rounding,
    project,
    storage_error,
)
from hankelcut.reduction.order_selection import HankelSpectrum, OrderTarget
from hankelcut.reduction.result import storage_tolerance

__all__ = ["truncate_to_modes"]

# Orders tried beyond the first fitting one before poles are separated.
_NEIGHBOURS = 4
# Share of the a-priori bound that storage rounding may add without being counted.
_SHARE_OF_BOUND = 0.1
# Largest error, relative to the largest singular value, that separating poles may add.
_SEPARATION_LIMIT = 1e-2


def truncate_to_modes(
    balancing: Balancing,
    stored_as: DiagonalStateSpace,
    target: OrderTarget,
    *,
    storage_eps: float,
    caller: str,
) -> Modes | None:
    """Truncate one balanced diagonal system to the order of a target.

    Parameters
    ----------
    balancing : Balancing
        Of an unbatched diagonal system.
    stored_as : DiagonalStateSpace
        The full system as it is stored: readout, feedthrough, number of states.
    target : OrderTarget
        A fixed order counts stored states.
    storage_eps : float
        Machine epsilon of the arithmetic in which the result will be stored.
    caller : str
        Name for messages.

    Returns
    -------
    Modes or None
        The stored states; None when there is nothing to remove: the target needs every
        stored state.

    Raises
    ------
    ToleranceNotAttainableError, ValueError
        As `OrderTarget.select`.
    IllConditionedError
        If no admissible order has a diagonal form that can be stored accurately.
    """
    if target.max_order is not None:
        return _capped(balancing, stored_as, target, storage_eps, caller)
    # The values of a layer are many and dense: only ties among them say anything.
    spectrum, n = replace(balancing.spectrum(), cluster=0.0), stored_as.n_states
    if target.order is None:
        most = n - 1
        selection = target.select(spectrum, caller)
        last = min(spectrum.numerical_rank, selection.order + _NEIGHBOURS)
        orders = range(selection.order, max(last, selection.order) + 1)
    else:
        most = target.order
        if most > n:
            msg = f"{caller}: got order={most}, need at most the {n} stored states"
            raise ValueError(msg)
        # A stored state holds up to two values of the real map, of which the numerical
        # rank may leave fewer without any loss.
        values_per_state = len(spectrum.values) // max(n, 1)
        values = min(values_per_state * most, max(spectrum.numerical_rank, most))
        selection = OrderTarget(order=values).select(spectrum, caller)
        orders = range(selection.order, -1, -1)
    if most == n:
        return None
    truncated = project(balancing, stored_as, max(orders))
    modes, collided = _direct(truncated, orders, most, spectrum, storage_eps)
    if modes is not None and modes.system.n_states > most:
        return None
    modes = _better(modes, collided, target, most, spectrum, storage_eps)
    if modes is not None and target.error_tol is not None:
        _require_tolerance(modes, spectrum, target.error_tol, caller)
    if modes is not None:
        return replace(modes, notes=(*selection.notes, *modes.notes))
    msg = (
        f"{caller}: the reduced systems of order {orders[0]} and its neighbours are "
        "(nearly) defective: no diagonal form can be stored with precision "
        f"{storage_eps:.1g} within the error bound; choose another order or tolerance"
    )
    raise IllConditionedError(msg)


def _capped(
    balancing: Balancing,
    stored_as: DiagonalStateSpace,
    target: OrderTarget,
    storage_eps: float,
    caller: str,
) -> Modes | None:
    """Truncate to the order of a target, or to `max_order` where that is larger."""
    most = stored_as.n_states if target.max_order is None else target.max_order
    needed = stored_as.n_states
    try:
        modes = truncate_to_modes(
            balancing,
            stored_as,
            replace(target, max_order=None),
            storage_eps=storage_eps,
            caller=caller,
        )
    except (ToleranceNotAttainableError, IllConditionedError):
        if most >= needed:
            raise
        modes = None
    needed = needed if modes is None else modes.system.n_states
    if needed <= most:
        return modes
    note = f"the target needs {needed} stored states; cut to max_order={most}"
    largest = OrderTarget(order=most)
    capped = truncate_to_modes(
        balancing, stored_as, largest, storage_eps=storage_eps, caller=caller
    )
    if capped is None:
        return None
    return replace(capped, notes=(note, *capped.notes))


def _require_tolerance(
    modes: Modes, spectrum: HankelSpectrum, error_tol: float, caller: str
) -> None:
    bound = spectrum.error_bounds()[modes.balanced_order] + modes.added_error
    if modes.added_error > 0 and bound > error_tol:
        msg = (
            f"{caller}: with what rounding adds, the error bound of order "
            f"{modes.balanced_order} is {bound:.3g}, above error_tol={error_tol:.3g}; "
            "poles lie too close to the stability boundary; raise error_tol or pass "
            "`order`"
        )
        raise ToleranceNotAttainableError(msg)


def _direct(
    truncated: Truncated,
    orders: range,
    most: int,
    spectrum: HankelSpectrum,
    storage_eps: float,
) -> tuple[Modes | None, list[Truncated]]:
    """Search a range of orders for modes that fit and can be stored as they are.

    Returns
    -------
    modes : Modes or None
        The first that can be stored. Of an ascending range also the first that does
        not fit: larger orders would not either.
    collided : list of Truncated
        Truncations met before that fit but cannot be stored.
    """
    bounds = spectrum.error_bounds()
    accuracy = storage_tolerance(storage_eps) * max(spectrum.values, default=0.0)
    collided: list[Truncated] = []
    order = orders[0]
    while order in orders and len(collided) <= _NEIGHBOURS:
        block = truncated.leading(order)
        poles, vectors = eigenvectors(block.dense.A)
        stored = int(n_stored(poles, real_map=block.real_map))
        if stored > most and orders.step < 0:
            # Real poles take a stored state each: step by their share, less a little.
            order -= max(1, order * (stored - most) // stored - 2)
            continue
        modes = modes_of(block, poles, vectors)
        if modes is not None:
            allowed = max(_SHARE_OF_BOUND * bounds[order], accuracy)
            if stored > most or float(storage_error(modes, storage_eps)) <= allowed:
                return _noted(_rounded(modes, allowed), collided), collided
        collided.append(block)
        order += orders.step
    return None, collided


def _rounded(modes: Modes, allowed: float) -> Modes:
    """Count the rounding of poles next to the stability boundary in the error."""
    rounding = float(pole_rounding(modes))
    if rounding <= allowed:
        return modes
    note = (
        "poles lie so close to the stability boundary that rounding may add "
        f"{rounding:.2g} to the error"
    )
    return replace(modes, added_error=rounding, notes=(*modes.notes, note))


def _noted(modes: Modes, collided: list[Truncated]) -> Modes:
    if not collided:
        return modes
    note = (
        f"order {collided[0].order} has nearly colliding poles that cannot be stored "
        f"accurately; took {modes.balanced_order}"
    )
    return replace(modes, notes=(note, *modes.notes))


def _better(
    direct: Modes | None,
    collided: list[Truncated],
    target: OrderTarget,
    most: int,
    spectrum: HankelSpectrum,
    storage_eps: float,
) -> Modes | None:
    """Return the modes with the least error bound: direct, or with separated poles.

    A tolerance is met by a direct neighbour with a few states more; a fixed order has
    only neighbours with larger bounds, which separation may undercut.
    """
    if not collided or (direct is not None and target.order is None):
        return direct
    bounds = spectrum.error_bounds()
    limit = _SEPARATION_LIMIT * spectrum.values[0]
    best = direct
    for block in collided:
        modes = separated_modes(block, most, storage_eps)
        if modes is None or modes.added_error > limit:
            continue
        total = bounds[block.order] + modes.added_error
        if target.error_tol is not None and total > target.error_tol:
            continue
        if best is None or total < bounds[best.balanced_order] + best.added_error:
            best = modes
    return best
