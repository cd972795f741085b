"""Choice of the order: the only place where a tolerance becomes a number of states."""

import math
import numbers
from collections.abc import Sequence
from dataclasses import dataclass

from hankelcut import _array
from hankelcut._errors import ToleranceNotAttainableError
from hankelcut._typing import Array

__all__ = ["HankelSpectrum", "OrderSelection", "OrderTarget"]


@dataclass(frozen=True)
class HankelSpectrum:
    """Hankel singular values of one system on the host, with their uncertainty.

    Parameters
    ----------
    values : tuple of float
        All N Hankel singular values, descending.
    uncertainty : tuple of float
        How far each may be off.
    eps : float
        Machine epsilon of the arithmetic that computed them.
    unknown_tail : float
        Estimate of the sum of values that were not computed.
    """

    values: tuple[float, ...]
    uncertainty: tuple[float, ...]
    eps: float
    unknown_tail: float = 0.0

    @classmethod
    def from_arrays(cls, values: Array, uncertainty: Array) -> "HankelSpectrum":
        """Copy the (N,) values and uncertainties of one system to the host."""
        return cls(
            tuple(_array.to_list(values)),
            tuple(_array.to_list(uncertainty)),
            _array.eps(values),
        )

    @property
    def numerical_rank(self) -> int:
        """Number of values above their uncertainty and above eps^1.6 of the largest.

        The second limit (1e-25 in double precision, 1e-11 in single) is where the
        scaling of a projection would leave the range of accurate arithmetic.
        """
        if not self.values:
            return 0
        floor = self.values[0] * self.eps**1.6
        pairs = zip(self.values, self.uncertainty, strict=True)
        return sum(value > max(floor, doubt) for value, doubt in pairs)

    def error_bounds(self) -> list[float]:
        """Twice the tail sums, what is uncertain included, for orders 0, ..., N."""
        pairs = zip(self.values, self.uncertainty, strict=True)
        tails = _tails([v + d for v, d in pairs])
        return [2 * (tail + self.unknown_tail) for tail in tails]

    def energy_shares(self) -> list[float]:
        """Discarded share of the sum of the values for every order 0, ..., N."""
        tails = [tail + self.unknown_tail for tail in _tails(self.values)]
        total = tails[0] or 1.0
        return [tail / total for tail in tails]

    def cuts_tie(self, order: int) -> bool:
        """Whether order and order + 1 have (numerically) equal values."""
        if not 0 < order < len(self.values):
            return False
        upper, lower = self.values[order - 1], self.values[order]
        doubt = self.uncertainty[order - 1] + self.uncertainty[order]
        return upper - lower <= max(math.sqrt(self.eps) * upper, doubt)

    def next_gap(self, order: int, limit: int) -> int:
        """Smallest order from `order` to `limit` that cuts no tie; `limit` if none."""
        while order < limit and self.cuts_tie(order):
            order += 1
        return order


@dataclass(frozen=True)
class OrderSelection:
    """A chosen order and what has to be said about it."""

    order: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class OrderTarget:
    """What decides the order: exactly one of its three fields.

    Parameters
    ----------
    order : int, optional
        Number of states to keep, 0 <= order <= n.
    error_tol : float, optional
        Largest admissible H-infinity error bound, absolute, in output units per input
        unit: the smallest order with 2 (sigma_{r+1} + ... + sigma_N) <= error_tol.
    energy_tol : float, optional
        Largest discarded share of the sum of the Hankel singular values, in [0, 1):
        the criterion of Chahine et al. (ICLR 2026, arXiv 2510.02823), which keeps the
        error below 2 energy_tol (sigma_1 + ... + sigma_N).

    Raises
    ------
    ValueError
        If not exactly one is given, or its value is out of range.
    """

    order: int | None = None
    error_tol: float | None = None
    energy_tol: float | None = None

    def __post_init__(self) -> None:
        given = {k: v for k, v in vars(self).items() if v is not None}
        if len(given) != 1:
            shown = ", ".join(f"{k}={v!r}" for k, v in given.items()) or "none of them"
            msg = f"got {shown}; need exactly one of order, error_tol and energy_tol"
            raise ValueError(msg)
        whole = self.order is None or isinstance(self.order, numbers.Integral)
        if not whole or (self.order is not None and self.order < 0):
            msg = f"got order={self.order!r}, need a whole number >= 0"
            raise ValueError(msg)
        if self.error_tol is not None and not self.error_tol >= 0:
            msg = f"got error_tol={self.error_tol!r}, need a number >= 0"
            raise ValueError(msg)
        if self.energy_tol is not None and not 0 <= self.energy_tol < 1:
            msg = f"got energy_tol={self.energy_tol!r}, need a share in [0, 1)"
            raise ValueError(msg)

    def select(self, spectrum: HankelSpectrum, caller: str) -> OrderSelection:
        """Return number of values of the spectrum to keep.

        Parameters
        ----------
        spectrum : HankelSpectrum
            The N values; a fixed `order` counts them too.
        caller : str
            Name for messages.

        Returns
        -------
        OrderSelection
            An order of at most the numerical rank. Tolerances move up to the next gap
            when they would cut between equal values; a fixed order stays, with a note.

        Raises
        ------
        ToleranceNotAttainableError
            If no order up to the numerical rank meets the tolerance; names the best.
        ValueError
            If `order` is larger than the number of values.
        """
        rank, total = spectrum.numerical_rank, len(spectrum.values)
        if self.order is not None:
            return _fixed_order(self.order, rank, spectrum, caller)
        if self.error_tol is not None:
            name, tolerance = "error_tol", self.error_tol
            measures = spectrum.error_bounds()
        else:
            name, tolerance = "energy_tol", float(self.energy_tol or 0.0)
            measures = spectrum.energy_shares()
        met = (r for r in range(total + 1) if measures[r] <= tolerance)
        wanted = next(met, total + 1)
        if wanted > rank:
            what = "error bound" if name == "error_tol" else "discarded share"
            msg = (
                f"{caller}: no order up to the numerical rank {rank} of {total} has a "
                f"{what} <= {tolerance:.3g} (best {measures[rank]:.3g} at order {rank})"
                f"; raise {name} to at least that, or pass order={rank}"
            )
            raise ToleranceNotAttainableError(msg)
        moved = spectrum.next_gap(wanted, rank)
        if moved == wanted:
            return OrderSelection(wanted)
        note = f"order {wanted} would cut inside a tie of Hankel singular values; "
        return OrderSelection(moved, (note + f"moved up to {moved}",))


def _fixed_order(
    order: int, rank: int, spectrum: HankelSpectrum, caller: str
) -> OrderSelection:
    if order > len(spectrum.values):
        msg = f"{caller}: got order={order}, need at most the {len(spectrum.values)} "
        raise ValueError(msg + "states of the system")
    if order > rank:
        note = f"order {order} is above the numerical rank {rank}: the states beyond "
        note += "it carry nothing that can be computed; they were dropped"
        return OrderSelection(rank, (note,))
    if spectrum.cuts_tie(order):
        above = spectrum.next_gap(order, len(spectrum.values))
        note = f"order {order} cuts inside a tie of Hankel singular values (the reduced"
        note += f" model is not unique); the next gap is at order {above}"
        return OrderSelection(order, (note,))
    return OrderSelection(order)


def _tails(values: Sequence[float]) -> list[float]:
    """Return sums of values[r:] for r = 0, ..., N, added from the small end."""
    tails = [0.0]
    for value in reversed(values):
        tails.append(tails[-1] + value)
    return tails[::-1]
