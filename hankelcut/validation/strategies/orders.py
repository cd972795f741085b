"""Strategy of the orders that a system can be reduced to."""

from typing import TYPE_CHECKING, Any, TypeAlias

from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.validation.strategies._lattice import hypothesis_strategies

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    Orders: TypeAlias = SearchStrategy[int]
else:
    Orders = Any

__all__ = ["orders"]


def orders(system: StateSpace | DiagonalStateSpace, *, min_order: int = 0) -> Orders:
    """Strategy of orders from a least one to the number of states of a system.

    Parameters
    ----------
    system : StateSpace or DiagonalStateSpace
        The system to be reduced; of a diagonal one, stored states count.
    min_order : int
        The least order.

    Returns
    -------
    hypothesis.strategies.SearchStrategy
        Of int; failures shrink to the least order.

    Raises
    ------
    MissingDependencyError
        If hypothesis is not installed.
    ValueError
        If the system has fewer states than `min_order`.

    Examples
    --------
    >>> from hypothesis import given, strategies
    >>> from hankelcut.validation import stable_systems
    >>> with_order = stable_systems().flatmap(
    ...     lambda system: strategies.tuples(strategies.just(system), orders(system))
    ... )
    >>> @given(with_order)
    ... def test_property(example):
    ...     system, order = example
    ...     assert 0 <= order <= system.n_states
    """
    n = system.n_states
    if not 0 <= min_order <= n:
        msg = f"orders: got min_order={min_order}, need 0 <= min_order <= {n} states"
        raise ValueError(msg)
    drawn: Orders = hypothesis_strategies().integers(min_order, n)
    return drawn
