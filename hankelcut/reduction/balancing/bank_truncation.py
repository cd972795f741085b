r"""Balanced truncation of a bank of systems to one common number of stored states.

**Method.** A bank is a stack of systems that one tensor stores, so that all of them
have the same number r of stored states: the direct sum of its channels. Its Hankel
singular values are those of all channels together, its H-infinity error is the largest
of the channels'. Every channel keeps as many values as its r stored states hold, 2 r of
a real map without real poles. The smallest r that meets the target is taken.

**Numerical aspects.** All channels of one order are projected and diagonalised in one
call. Channels whose diagonal form cannot be stored accurately take the ladder of
`diagonal_truncation`, one by one; channels with fewer modes than r get silent ones.
"""

from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from hankelcut import _array
from hankelcut._errors import ToleranceNotAttainableError
from hankelcut._parallel import map_in_threads
from hankelcut._typing import Array
from hankelcut.lti.systems.conversions import map_arrays
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.reduction.balancing.balancing import Balancing
from hankelcut.reduction.balancing.diagonal_truncation import truncate_to_modes
from hankelcut.reduction.balancing.stored_modes import (
    Modes,
    Truncated,
    eigenvectors,
    modes_of,
    n_stored,
    padded,
    pole_rounding,
    project,
    storage_error,
)
from hankelcut.reduction.order_selection import HankelSpectrum, OrderTarget
from hankelcut.reduction.result import ErrorBound, ReductionResult, storage_tolerance

__all__ = ["BankSpectrum", "truncate_bank"]

Matrix: TypeAlias = np.ndarray[Any, np.dtype[Any]]

# Share of the a-priori bound that storage rounding may add without being counted.
_SHARE_OF_BOUND = 0.1
# Channels that one core works on at a time.
_CHANNELS_PER_PART = 64


@dataclass(frozen=True, eq=False)
class BankSpectrum:
    """Hankel singular values of the H channels of a bank, on the host.

    Parameters
    ----------
    values : (H, N) array
        Values of each channel, descending.
    bounds : (H, N + 1) array
        A-priori error bounds of each channel for the orders 0, ..., N.
    ranks : (H,) array
        Numerical ranks.
    values_per_state : int
        Values that a stored state holds: 2 of a real map, else 1.
    """

    values: Matrix
    bounds: Matrix
    ranks: Matrix
    values_per_state: int

    @classmethod
    def of(cls, values: Array, uncertainty: Array, n_states: int) -> "BankSpectrum":
        """Return the spectrum of the channels of a bank.

        Parameters
        ----------
        values, uncertainty : (H, N) arrays
            Hankel singular values of each channel, and how far they may be off.
        n_states : int
            Stored states of every channel.
        """
        n_channels, n_values = values.shape
        channels = [
            HankelSpectrum.from_arrays(values[k, :], uncertainty[k, :])
            for k in range(n_channels)
        ]
        return cls(
            np.array([one.values for one in channels]),
            np.array([one.error_bounds() for one in channels]),
            np.array([one.numerical_rank for one in channels]),
            int(n_values) // max(n_states, 1),
        )

    def orders(self, n_states: int) -> Matrix:
        """Values, (H,), that the channels keep in a number of stored states."""
        return np.minimum(self.values_per_state * n_states, self.ranks)

    def channel_bounds(self, orders: Matrix) -> Matrix:
        """A-priori error bounds, (H,), where the channels keep (H,) values."""
        return np.take_along_axis(self.bounds, orders[:, None], axis=1)[:, 0]

    def measure(self, target: OrderTarget, orders: Matrix) -> float:
        """Return what a tolerance limits, where the channels keep (H,) values."""
        if target.error_tol is not None:
            return float(np.max(self.channel_bounds(orders), initial=0.0))
        dropped = np.arange(self.values.shape[1]) >= orders[:, None]
        total = float(np.sum(self.values)) or 1.0
        return float(np.sum(self.values * dropped)) / total


def truncate_bank(
    balancing: Balancing,
    full: StateSpace | DiagonalStateSpace,
    target: OrderTarget,
    *,
    stored_as: DiagonalStateSpace,
    storage_eps: float,
    caller: str = "truncate_bank",
) -> ReductionResult | None:
    """Truncate a bank of systems to one number of stored states.

    Parameters
    ----------
    balancing : Balancing
        Of the stack of H systems, with one batch axis.
    full : StateSpace or DiagonalStateSpace
        The stack itself. Dense systems are real ones in [Re x; Im x] of what is stored.
    target : OrderTarget
        A fixed order counts stored states; tolerances are of the bank as a whole.
    stored_as : DiagonalStateSpace
        A stack of the form of the result: readout, feedthrough, number of states.
    storage_eps : float
        Machine epsilon of the arithmetic in which the result will be stored.
    caller : str
        Name for messages.

    Returns
    -------
    ReductionResult or None
        The bank, its bounds one per channel; None if the target needs every stored
        state.

    Raises
    ------
    ToleranceNotAttainableError
        If a tolerance is below what the numerical ranks allow; names the best.
    IllConditionedError
        If a channel has no diagonal form that can be stored accurately.
    ValueError
        If a fixed order is larger than the number of stored states.
    """
    spectrum = BankSpectrum.of(
        balancing.values, balancing.uncertainty, stored_as.n_states
    )
    bank = _Bank(balancing, stored_as, spectrum, storage_eps, caller)
    most = stored_as.n_states - 1
    limit = most if target.max_order is None else min(most, target.max_order)
    count, notes = _first_count(spectrum, target, stored_as.n_states, caller)
    while count <= limit:
        cut = bank.cut(count)
        if target.order is not None or bank.measured(cut, target) <= _tolerance(target):
            return _result(bank, cut, full, notes)
        count += 1
    if target.max_order is None or limit == most:
        return None
    notes = (f"the target needs more stored states; cut to max_order={limit}",)
    return _result(bank, bank.cut(limit), full, notes)


def _first_count(
    spectrum: BankSpectrum, target: OrderTarget, n_states: int, caller: str
) -> tuple[int, tuple[str, ...]]:
    """Fewest stored states that may meet a target, where no pole is real."""
    if target.order is not None:
        if target.order > n_states:
            msg = f"{caller}: got order={target.order}, need at most the {n_states} "
            raise ValueError(msg + "stored states")
        return target.order, ()
    tolerance = _tolerance(target)
    for count in range(n_states + 1):
        if spectrum.measure(target, spectrum.orders(count)) <= tolerance:
            return count, ()
    if target.max_order is not None:
        return n_states, ()
    best = spectrum.measure(target, spectrum.orders(n_states))
    name = "error_tol" if target.error_tol is not None else "energy_tol"
    msg = (
        f"{caller}: no number of stored states meets {name}={tolerance:.3g} (best "
        f"{best:.3g}, at the numerical ranks); raise {name} to at least that"
    )
    raise ToleranceNotAttainableError(msg)


def _tolerance(target: OrderTarget) -> float:
    tolerance = target.error_tol if target.error_tol is not None else target.energy_tol
    return 0.0 if tolerance is None else tolerance


@dataclass(frozen=True, eq=False)
class _BankCut:
    """Modes of all channels, and the values that each of them keeps."""

    modes: Modes
    orders: Matrix
    added: Matrix
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Group:
    """Modes of some channels, all with the same number of values."""

    channels: list[int]
    modes: Modes
    order: int
    added: list[float]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class _Bank:
    """A balanced bank, to be cut to any number of stored states."""

    balancing: Balancing
    stored_as: DiagonalStateSpace
    spectrum: BankSpectrum
    storage_eps: float
    caller: str

    def cut(self, n_kept: int) -> _BankCut:
        """Return the modes of every channel in a number of stored states."""
        orders = self.spectrum.orders(n_kept)
        truncated = project(self.balancing, self.stored_as, int(np.max(orders)))
        numbered = list(enumerate(orders.tolist()))
        step = len(numbered)
        if _array.is_numpy(self.balancing.values):
            step = _CHANNELS_PER_PART
        parts = [
            dict(numbered[begin : begin + step])
            for begin in range(0, len(numbered), step)
        ]
        groups = map_in_threads(
            lambda part: self._groups(truncated, part, n_kept), parts
        )
        return self._joined([group for part in groups for group in part])

    def _groups(
        self, truncated: Truncated, pending: dict[int, int], n_kept: int
    ) -> list[_Group]:
        """Modes of some channels, from the values that each may keep at most."""
        groups: list[_Group] = []
        while pending:
            order = max(pending.values())
            items = [k for k, own in pending.items() if own == order]
            block = truncated.items(self._index(items)).leading(order)
            poles, vectors = eigenvectors(block.dense.A)
            counts = _array.to_list(n_stored(poles, real_map=block.real_map))
            fitting = []
            for k, count in zip(items, counts, strict=True):
                if count <= n_kept:
                    fitting.append(k)
                    del pending[k]
                else:
                    # A real pole takes a stored state for one value.
                    pending[k] = order - max(1, int(count) - n_kept)
            if fitting:
                chosen = self._index([items.index(k) for k in fitting])
                parts = block.items(chosen)
                poles, vectors = (
                    _array.take_items(a, chosen) for a in (poles, vectors)
                )
                groups += self._stored(fitting, parts, poles, vectors, n_kept)
        return groups

    def measured(self, cut: _BankCut, target: OrderTarget) -> float:
        """Return what a tolerance limits, of a cut as it came out."""
        if target.error_tol is None:
            return self.spectrum.measure(target, cut.orders)
        bounds = self.spectrum.channel_bounds(cut.orders) + cut.added
        return float(np.max(bounds, initial=0.0))

    def _stored(
        self,
        channels: list[int],
        block: Truncated,
        poles: Array,
        vectors: Array,
        n_kept: int,
    ) -> list[_Group]:
        """Modes that can be stored as they are; the others by the ladder, singly."""
        modes = modes_of(block, poles, vectors, n_kept=n_kept)
        if modes is None:
            return [self._by_ladder(k, n_kept) for k in channels]
        errors = _array.to_list(storage_error(modes, self.storage_eps))
        roundings = _array.to_list(pole_rounding(modes))
        accuracy = storage_tolerance(self.storage_eps)
        allowed = np.maximum(
            _SHARE_OF_BOUND * self.spectrum.bounds[channels, block.order],
            accuracy * self.spectrum.values[channels, 0],
        ).tolist()
        good = [i for i, limit in enumerate(allowed) if errors[i] <= limit]
        groups = [
            self._by_ladder(k, n_kept) for i, k in enumerate(channels) if i not in good
        ]
        if not good:
            return groups
        added = [roundings[i] if roundings[i] > allowed[i] else 0.0 for i in good]
        kept = modes.items(self._index(good))
        return [*groups, _Group([channels[i] for i in good], kept, block.order, added)]

    def _by_ladder(self, channel: int, n_kept: int) -> _Group:
        """One channel's modes, at a neighbouring order or with separated poles."""
        modes = truncate_to_modes(
            self.balancing[channel],
            self.stored_as[channel],
            OrderTarget(order=n_kept),
            storage_eps=self.storage_eps,
            caller=f"{self.caller}: channel {channel}",
        )
        assert modes is not None  # noqa: S101 - n_kept is below the number of states
        notes = tuple(f"channel {channel}: {note}" for note in modes.notes)
        one = _with_batch_axis(padded(modes, n_kept))
        return _Group([channel], one, modes.balanced_order, [modes.added_error], notes)

    def _joined(self, groups: list[_Group]) -> _BankCut:
        """Modes of all channels in their order."""
        found = [k for group in groups for k in group.channels]
        index = self._index([found.index(k) for k in range(len(found))])
        xp = _array.namespace(self.balancing.values)

        def joined(arrays: list[Array]) -> Array:
            return _array.take_items(xp.concat(arrays, axis=0), index)

        systems = [group.modes.system for group in groups]
        system = replace(
            self.stored_as,
            exponents=joined([one.exponents for one in systems]),
            B=joined([one.B for one in systems]),
            C=joined([one.C for one in systems]),
        )
        left = joined([group.modes.left for group in groups])
        right = joined([group.modes.right for group in groups])
        order = max(group.order for group in groups)
        per_channel = {
            k: (group.order, added)
            for group in groups
            for k, added in zip(group.channels, group.added, strict=True)
        }
        return _BankCut(
            Modes(system, left, right, order),
            np.array([per_channel[k][0] for k in range(len(found))]),
            np.array([per_channel[k][1] for k in range(len(found))]),
            tuple(note for group in groups for note in group.notes),
        )

    def _index(self, positions: list[int]) -> Array:
        return _array.indices(positions, self.balancing.values)


def _with_batch_axis(modes: Modes) -> Modes:
    """Modes of one system as a stack of one."""
    system = map_arrays(modes.system, lambda M: M[None])
    return replace(modes, system=system, left=modes.left[None], right=modes.right[None])


def _result(
    bank: _Bank,
    cut: _BankCut,
    full: StateSpace | DiagonalStateSpace,
    notes: tuple[str, ...],
) -> ReductionResult:
    bounds = (bank.spectrum.channel_bounds(cut.orders) + cut.added).tolist()
    like = bank.balancing.values
    return ReductionResult(
        cut.modes.system,
        cut.modes.system.n_states,
        bank.balancing.values,
        ErrorBound(_array.from_list(bounds, (len(bounds),), like)),
        "square-root balanced truncation of a bank",
        full,
        cut.modes.left,
        cut.modes.right,
        residuals=bank.balancing.residuals,
        warnings=(*notes, *cut.notes),
    )
