"""Equations of arrays on accelerators: iterations whose results are checked."""

from hankelcut import _array
from hankelcut._errors import ConvergenceError
from hankelcut._typing import Array
from hankelcut.lti.equations._iterated import (
    iterated_factors,
    iterated_solution,
    residual_limit,
)
from hankelcut.lti.systems.time_domain import TimeDomain

__all__ = ["accelerated_factors", "accelerated_solution"]


def accelerated_solution(caller: str, A: Array, Q: Array, time: TimeDomain) -> Array:
    """Solve equations with stable A, unfactored, by matrix products.

    Parameters
    ----------
    caller : str
        Name of the public function, for messages.
    A, Q : (..., n, n) arrays
        State matrices and Hermitian right-hand sides.
    time : Continuous or Discrete
        The time domain.

    Raises
    ------
    ConvergenceError
        If an iteration or its residual fails; names the batch items.
    """
    X, good = iterated_solution(A, Q, time)
    _require_good(caller, A, good)
    return X


def accelerated_factors(
    caller: str, A: Array, B: Array, C: Array, time: TimeDomain
) -> tuple[Array, Array]:
    """Square factors of both Gramians of stable systems by matrix products.

    Parameters
    ----------
    caller : str
        Name of the public function, for messages.
    A, B, C : (..., n, n), (..., n, m), (..., p, n) arrays
        The systems.
    time : Continuous or Discrete
        The time domain.

    Raises
    ------
    ConvergenceError
        If an iteration or its residual fails; names the batch items.
    """
    Lc, Lo, good = iterated_factors(A, B, C, time)
    _require_good(caller, A, good)
    return Lc, Lo


def _require_good(caller: str, A: Array, good: Array) -> None:
    xp = _array.namespace(good)
    if bool(xp.all(good)):
        return
    flat = _array.to_list(xp.astype(xp.reshape(good, (-1,)), xp.float32))
    items = [k for k, ok in enumerate(flat) if not ok]
    msg = (
        f"{caller}: the iteration for batch items {items} did not reach a relative "
        f"residual of {residual_limit(A):.2g} (unstable, nearly unstable or strongly "
        "non-normal state matrix); move the system to the host, where Schur forms "
        "solve it"
    )
    raise ConvergenceError(msg)
