"""What balanced truncation promises, checked on one result."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from hankelcut import _array
from hankelcut.lti.gramians.hankel_singular_values import hankel_singular_values
from hankelcut.lti.norms.hinf_norm import hinf_norm
from hankelcut.lti.responses.peak_gain import peak_gain
from hankelcut.lti.structure.stability import stability_margin
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.interconnection import error_system
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.reduction.result import ReductionResult, storage_tolerance
from hankelcut.validation.invariants.violation import (
    InvariantViolationError,
    constructor,
)

__all__ = ["check_hankel_bounds"]


@dataclass(frozen=True)
class _Item:
    """One system of a batch and what its reduction claims."""

    full: StateSpace | DiagonalStateSpace
    reduced: StateSpace | DiagonalStateSpace
    claimed_values: tuple[float, ...]
    claimed_bound: float

    def require(self, holds: bool, *parts: str) -> None:
        """Raise `InvariantViolationError` unless a property holds."""
        if not holds:
            msg = f"check_hankel_bounds: {' '.join(parts)}; the system is\n"
            raise InvariantViolationError(msg + constructor(self.full))


def check_hankel_bounds(
    system: StateSpace | DiagonalStateSpace, result: ReductionResult
) -> None:
    r"""Check what balanced truncation promises, on one result.

    For the full system G and the reduced one :math:`G_r` of r states (2 r for the map
    of a real readout): the time domain, sizes and feedthrough are kept; :math:`G_r` is
    stable; all N Hankel singular values are there, descending, and (real map) those of
    G; and :math:`\sigma_{r+1}(G) \le \|G - G_r\| \le` `result.error_bound`, the left
    end by the Hankel norm of the error system and the right one by its largest gain.

    Parameters
    ----------
    system : StateSpace or DiagonalStateSpace
        The system that was reduced, with or without batch axes.
    result : ReductionResult
        Its reduction.

    Raises
    ------
    InvariantViolationError
        If a property does not hold; the message has the numbers, and the constructor
        of the system to paste into a test.

    Notes
    -----
    Comparisons allow :math:`u^{2/3} \sigma_1` for the rounding of both models.
    """
    for index in _array.batch_indices(system):
        values = result.hankel_singular_values[(*index, ...)]
        item = _Item(
            system[index] if index else system,
            result.system[index] if index else result.system,
            tuple(_array.to_list(values)),
            float(result.error_bound[(*index, ...)]),
        )
        _check_form(item)
        _check_values(item)
        _check_error(item)


def _check_form(item: _Item) -> None:
    full, reduced = item.full, item.reduced
    facts = [(s.time, s.n_inputs, s.n_outputs) for s in (full, reduced)]
    item.require(
        facts[0] == facts[1], f"(time, m, p) went from {facts[0]} to {facts[1]}"
    )
    xp = _array.namespace(full.D)
    item.require(
        bool(xp.all(full.D == reduced.D)), "the feedthrough is not the system's own"
    )
    margin = float(stability_margin(reduced))
    item.require(margin > 0, f"the reduced model has stability margin {margin:.3g}")


def _check_values(item: _Item) -> None:
    claimed = np.array(item.claimed_values)
    real_map = isinstance(item.full, DiagonalStateSpace) and (
        item.full.readout != "complex"
    )
    n = item.full.n_states
    allowed = {n, 2 * n} if real_map else {n}
    item.require(
        len(claimed) in allowed,
        f"got {len(claimed)} Hankel singular values of a system with {n} states",
    )
    item.require(
        bool(np.all(np.isfinite(claimed)) and np.all(claimed >= 0)),
        f"the Hankel singular values {claimed} are not all finite and >= 0",
    )
    item.require(
        bool(np.all(np.diff(claimed) <= 0)), f"the values {claimed} do not descend"
    )
    exact = np.array(_array.to_list(hankel_singular_values(item.full)))
    if len(exact) == len(claimed) and n > 0:
        # Squares: what factors of closed-form Gramians are accurate to.
        worst = float(np.max(np.abs(exact**2 - claimed**2)))
        item.require(
            worst <= _slack(item, exact) * float(exact[0]),
            f"the values {claimed} are not the system's own {exact}",
        )


def _check_error(item: _Item) -> None:
    values = np.array(_array.to_list(hankel_singular_values(item.full)))
    kept = item.reduced.n_states
    if isinstance(item.full, DiagonalStateSpace) and item.full.readout != "complex":
        kept = 2 * kept
    error = error_system(item.full, item.reduced)
    slack = _slack(item, values)
    largest = max(_array.to_list(hankel_singular_values(error)), default=0.0)
    next_value = float(values[kept]) if kept < len(values) else 0.0
    item.require(
        next_value <= largest + slack,
        f"the Hankel norm {largest:.6g} of the error is below the next Hankel singular",
        f"value {next_value:.6g}, which no model of that order can reach",
    )
    gain = float(
        hinf_norm(error, rtol=0.01).lower
        if isinstance(error, DiagonalStateSpace)
        else peak_gain(error)[0]
    )
    item.require(
        max(gain, largest) <= item.claimed_bound + slack,
        f"the error {max(gain, largest):.6g} is above its bound",
        f"{item.claimed_bound:.6g}",
    )


def _slack(item: _Item, values: "np.ndarray[Any, np.dtype[Any]]") -> float:
    return storage_tolerance(_array.eps(item.full.B)) * float(
        np.max(values, initial=0.0)
    )
