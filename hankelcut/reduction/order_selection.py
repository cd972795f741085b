"""Choice of the order: the only place where a tolerance becomes a number of states."""

import math
import numbers
from collections.abc import Sequence
from dataclasses import dataclass, replace

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
    bounds : tuple of float, optional
        A-priori error bounds of the orders 0, ..., N; twice the tail sums by default.
        Empty where a method has no bound.
    cluster : float
        Relative distance up to which values belong together, as those of a lightly
        damped pair of poles do.
    """

    values: tuple[float, ...]
    uncertainty: tuple[float, ...]
    eps: float
    unknown_tail: float = 0.0
    bounds: tuple[float, ...] | None = None
    cluster: float = 1e-3

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

    @property
    def upper_values(self) -> list[float]:
        """What each value is at most: the value and its uncertainty."""
        pairs = zip(self.values, self.uncertainty, strict=True)
        return [value + doubt for value, doubt in pairs]

    def error_bounds(self) -> list[float]:
        """A-priori bounds, what is uncertain included, for orders 0, ..., N."""
        if self.bounds is not None:
            return list(self.bounds)
        tails = _tails(self.upper_values)
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
        upper = self.values[order - 1]
        doubt = self.uncertainty[order - 1] + self.uncertainty[order]
        return self._gap(order) * upper <= max(math.sqrt(self.eps) * upper, doubt)

    def cuts_cluster(self, order: int) -> bool:
        """Whether order and order + 1 have values of one cluster."""
        return 0 < order < len(self.values) and self._gap(order) <= self.cluster

    def _gap(self, order: int) -> float:
        """Return the relative distance of the values on both sides of a cut."""
        upper, lower = self.values[order - 1], self.values[order]
        return (upper - lower) / upper if upper > 0 else 0.0

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
    """What decides the order: one of `order`, `error_tol` and `energy_tol`.

    Parameters
    ----------
    order : int, optional
        Number of states to keep, 0 <= order <= n.
    error_tol : float, optional
        Largest admissible a-priori error bound, absolute, in output units per input
        unit: the smallest order whose bound, for balanced truncation
        2 (sigma_{r+1} + ... + sigma_N), is at most error_tol.
    energy_tol : float, optional
        Largest discarded share of the sum of the Hankel singular values, in [0, 1):
        the criterion of Chahine et al. (ICLR 2026, arXiv 2510.02823), which keeps the
        error below 2 energy_tol (sigma_1 + ... + sigma_N).
    relative : bool
        Whether error_tol is a multiple of the H-infinity norm of the full system.
    max_order : int, optional
        Largest order to choose, whatever a tolerance asks for; the model then misses
        the tolerance, with a warning.

    Raises
    ------
    ValueError
        If not exactly one of the three is given, or a value is out of range.
    """

    order: int | None = None
    error_tol: float | None = None
    energy_tol: float | None = None
    relative: bool = False
    max_order: int | None = None

    def __post_init__(self) -> None:
        three = {"order", "error_tol", "energy_tol"}
        given = {k: v for k, v in vars(self).items() if k in three and v is not None}
        if len(given) != 1:
            shown = ", ".join(f"{k}={v!r}" for k, v in given.items()) or "none of them"
            msg = f"got {shown}; need exactly one of order, error_tol and energy_tol"
            raise ValueError(msg)
        for name, count in {"order": self.order, "max_order": self.max_order}.items():
            whole = isinstance(count, numbers.Integral) and not isinstance(count, bool)
            if count is not None and not (whole and count >= 0):
                msg = f"got {name}={count!r}, need a whole number >= 0"
                raise ValueError(msg)
        for name, share in {
            "error_tol": self.error_tol,
            "energy_tol": self.energy_tol,
        }.items():
            if share is not None and not isinstance(share, numbers.Real):
                msg = f"got {name}={share!r}, need a real number"
                raise ValueError(msg)
        if self.relative and self.error_tol is None:
            msg = "got relative=True without error_tol; it says what error_tol means"
            raise ValueError(msg)
        if self.error_tol is not None and not self.error_tol >= 0:
            msg = f"got error_tol={self.error_tol!r}, need a number >= 0"
            raise ValueError(msg)
        if self.energy_tol is not None and not 0 <= self.energy_tol < 1:
            msg = f"got energy_tol={self.energy_tol!r}, need a share in [0, 1)"
            raise ValueError(msg)

    @property
    def announces(self) -> bool:
        """Whether what is noted on the way must be warned of: the user set an order."""
        return self.order is not None or self.max_order is not None

    def absolute(self, norm: float) -> "OrderTarget":
        """Return the target with a relative error_tol made absolute.

        Parameters
        ----------
        norm : float
            H-infinity norm of the full system, or a lower bound of it.
        """
        if not self.relative or self.error_tol is None:
            return self
        return replace(self, error_tol=self.error_tol * norm, relative=False)

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
        if self.relative:
            msg = f"{caller}: a relative error_tol must be made absolute first"
            raise ValueError(msg)
        if self.order is not None:
            return self._capped(_fixed_order(self.order, spectrum, caller), spectrum)
        try:
            selection = self._smallest(spectrum, caller)
        except ToleranceNotAttainableError:
            most = self.max_order
            if most is None or most > spectrum.numerical_rank:
                raise
            selection = OrderSelection(len(spectrum.values))
        return self._capped(selection, spectrum)

    def _capped(
        self, selection: OrderSelection, spectrum: HankelSpectrum
    ) -> OrderSelection:
        """Return the selection, or that of `max_order` where it is larger."""
        most = self.max_order
        if most is None or selection.order <= most:
            return selection
        note = f"the target needs order {selection.order}; cut to max_order={most}"
        capped = _fixed_order(most, spectrum, "max_order")
        return OrderSelection(capped.order, (note, *capped.notes))

    def _smallest(self, spectrum: HankelSpectrum, caller: str) -> OrderSelection:
        """Return the smallest order that meets a tolerance."""
        rank, total = spectrum.numerical_rank, len(spectrum.values)
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
            return _whole_pair(wanted, spectrum)
        note = f"order {wanted} would cut inside a tie of equal values; "
        return OrderSelection(moved, (note + f"moved up to {moved}",))


def _whole_pair(order: int, spectrum: HankelSpectrum) -> OrderSelection:
    """Return the order, or one more where that completes a pair of close values."""
    rank = spectrum.numerical_rank
    if order < rank and spectrum.cuts_cluster(order):
        if order + 1 == rank or not spectrum.cuts_cluster(order + 1):
            note = f"order {order} would split a pair of close values; moved up by one"
            return OrderSelection(order + 1, (note,))
        note = f"order {order} cuts between values within {spectrum.cluster:.1g} of "
        return OrderSelection(order, (f"{note}each other",))
    return OrderSelection(order)


def _fixed_order(order: int, spectrum: HankelSpectrum, caller: str) -> OrderSelection:
    rank = spectrum.numerical_rank
    if order > len(spectrum.values):
        msg = f"{caller}: got order={order}, need at most the {len(spectrum.values)} "
        raise ValueError(msg + "states of the system")
    if order > rank:
        note = f"order {order} is above the numerical rank {rank}: the states beyond "
        note += "it carry nothing that can be computed; they were dropped"
        return OrderSelection(rank, (note,))
    if order < rank and spectrum.cuts_tie(order):
        above = spectrum.next_gap(order, len(spectrum.values))
        note = f"order {order} cuts inside a tie of equal values (the reduced model is "
        note += f"not unique); the next gap is at order {above}"
        return OrderSelection(order, (note,))
    if spectrum.cuts_cluster(order):
        note = f"order {order} cuts between values within {spectrum.cluster:.1g} of "
        note += "each other (as of a lightly damped pair); consider one more or less"
        return OrderSelection(order, (note,))
    return OrderSelection(order)


def _tails(values: Sequence[float]) -> list[float]:
    """Return sums of values[r:] for r = 0, ..., N, added from the small end."""
    tails = [0.0]
    for value in reversed(values):
        tails.append(tails[-1] + value)
    return tails[::-1]
