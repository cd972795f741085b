"""Truncation of a system balanced by the Gramians of a method of its own."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from hankelcut._errors import UnstableSystemError
from hankelcut.lti.structure.stability import is_stable
from hankelcut.lti.systems.conversions import to_dense
from hankelcut.lti.systems.interconnection import error_system
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.reduction.balancing.balancing import Balancing
from hankelcut.reduction.balancing.transformations import projected
from hankelcut.reduction.order_selection import HankelSpectrum
from hankelcut.reduction.reduction_method import Cut, Matrix
from hankelcut.reduction.result import ErrorBound

__all__ = ["GeneralizedBalancing", "Promise"]


@dataclass(frozen=True, eq=False)
class Promise:
    """What a method promises of its models.

    Parameters
    ----------
    condition : str
        When the bounds hold, or why there are none.
    bounds : tuple of float
        A-priori error bounds of the orders 0, ..., n; empty without.
    weigh : callable, optional
        Makes the error that is bounded out of G - G_r.
    quantity : str
        What is bounded.
    stable : bool
        Whether models that are not stable are refused, or noted.
    advice : str
        What to do, or to know, about a model that is not stable.
    """

    condition: str
    bounds: tuple[float, ...] = ()
    weigh: Callable[[StateSpace], StateSpace] | None = None
    quantity: str = "H-infinity norm of G - G_r"
    stable: bool = True
    advice: str = "choose another order"


@dataclass(frozen=True, eq=False)
class GeneralizedBalancing:
    """A system in balanced coordinates, ready to be cut to any order.

    Parameters
    ----------
    system : StateSpace
        The system in evenly scaled states.
    units : (n,) array
        Their units.
    balancing : Balancing
        Of the evenly scaled states, P = Lc Lc^H with Q = Lo Lo^H.
    right_sides : tuple of two (n, n) arrays
        X and Y of the Lyapunov equations A P + P A^H + X = 0 and A^H Q + Q A + Y = 0,
        or of their discrete analogues, that P and Q solve.
    values_name : str
        What the values are.
    promise : Promise
        Of the method.
    caller : str
        Name for messages.
    """

    system: StateSpace
    units: Matrix
    balancing: Balancing
    right_sides: tuple[Matrix, Matrix]
    values_name: str
    promise: Promise
    caller: str

    @property
    def spectrum(self) -> HankelSpectrum:
        """Characteristic values and a-priori bounds."""
        return replace(self.balancing.spectrum(), bounds=self.promise.bounds)

    def cut(self, order: int) -> Cut:
        """Project to an order of at most the numerical rank.

        Parameters
        ----------
        order : int
            Number of states to keep.

        Raises
        ------
        UnstableSystemError
            If the model is not stable and must be.
        """
        T, W = self.balancing.projections(order)
        full, reduced = self.system, projected(self.system, T, W)
        notes = self._require_stable(reduced, order)
        promise, error = self.promise, None
        if promise.weigh is not None:
            error = promise.weigh(to_dense(error_system(full, reduced)))
        value = promise.bounds[order] if promise.bounds else None
        bound = ErrorBound(value, promise.quantity, promise.condition, error)
        units = self.units[:, None]
        return Cut(
            reduced,
            bound,
            W / units,
            units * T,
            notes,
            lambda: self.balancing.residuals(self.right_sides),
        )

    def _require_stable(self, reduced: StateSpace, order: int) -> tuple[str, ...]:
        """Return what has to be said of the stability of a model."""
        if bool(is_stable(reduced)):
            return ()
        said = f"the model of order {order} is not stable; {self.promise.advice}"
        if self.promise.stable:
            raise UnstableSystemError(f"{self.caller}: {said}")
        return (said,)
