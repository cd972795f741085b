r"""Gramians of a finite horizon, for poles anywhere.

**Method.** Dense: the integral over a short step from the exponential of the block
matrix [[A, Q], [0, -A^H]] (Van Loan, IEEE Trans. Autom. Control 23, 1978, p. 395), then
doubling, :math:`P_{2T} = P_T + e^{AT} P_T e^{A^HT}`; discrete: doubling alone.
Diagonal: geometric sums in closed form.

**Numerical aspects.** Sums of nonnegative matrices only: nothing cancels, and no
equation can be singular, wherever the poles are.
"""

import math

from hankelcut import _array
from hankelcut._errors import InvalidSystemError
from hankelcut._typing import Array
from hankelcut.lti.systems._complex_functions import expm1, principal
from hankelcut.lti.systems._matrix_exponential import matrix_exponential
from hankelcut.lti.systems._scaling import magnitude
from hankelcut.lti.systems.time_domain import Continuous, TimeDomain

__all__ = ["horizon_gramian", "horizon_weights", "require_horizon"]


def require_horizon(caller: str, horizon: float | int, time: TimeDomain) -> None:
    """Raise unless a horizon is finite, not negative, and whole in samples.

    Parameters
    ----------
    caller : str
        Name of the public function, for the message.
    horizon : float or int
        The horizon in seconds or samples.
    time : Continuous or Discrete
        The time domain.

    Raises
    ------
    InvalidSystemError
        If it is out of range.
    """
    continuous = isinstance(time, Continuous)
    finite = 0 <= horizon < math.inf
    if not finite or not (continuous or horizon == math.floor(horizon)):
        what = "seconds" if continuous else "whole samples"
        msg = f"{caller}: got horizon={horizon!r}, need a finite number >= 0 of {what}"
        raise InvalidSystemError(msg)


def horizon_gramian(A: Array, B: Array, time: TimeDomain, horizon: float) -> Array:
    """Return the controllability Gramian of a horizon in seconds or samples.

    Parameters
    ----------
    A : (..., n, n) array
        State matrix; in continuous time in host memory.
    B : (..., n, m) array
        Input matrix.
    time : Continuous or Discrete
        The time domain.
    horizon : float
        At least 0; whole in discrete time.
    """
    Q = B @ _array.adjoint(B)
    if isinstance(time, Continuous):
        return _continuous(A, Q, horizon)
    P, power = 0 * Q, _array.eye(A.shape[-1], A)
    for bit in f"{int(horizon):b}":
        P, power = P + power @ P @ _array.adjoint(power), power @ power
        if bit == "1":
            P, power = A @ P @ _array.adjoint(A) + Q, A @ power
    return P


def _continuous(A: Array, Q: Array, horizon: float) -> Array:
    if horizon == 0 or 0 in A.shape:
        return 0 * Q
    n = A.shape[-1]
    xp = _array.namespace(A)
    size = horizon * float(xp.max(xp.linalg.matrix_norm(A)))
    doublings = max(0, math.ceil(math.log2(size))) if size > 0 else 0
    step = horizon / 2.0**doublings
    scale = xp.astype(magnitude(Q), A.dtype)[..., None, None]
    upper = xp.concat([step * A, Q / scale], axis=-1)
    lower = xp.concat([xp.zeros_like(A), -step * _array.adjoint(A)], axis=-1)
    grown = matrix_exponential(xp.concat([upper, lower], axis=-2))
    moved = grown[..., :n, :n]
    P = step * scale * (grown[..., :n, n:] @ _array.adjoint(moved))
    for _ in range(doublings):
        P, moved = P + moved @ P @ _array.adjoint(moved), moved @ moved
    return (P + _array.adjoint(P)) / 2


def horizon_weights(exponents: Array, time: TimeDomain, horizon: float) -> Array:
    r"""Integral, or sum, of :math:`e^{(\ell_i + \bar\ell_j) t}` over a horizon.

    Parameters
    ----------
    exponents : (..., n) complex array
        Exponents of a diagonal system.
    time : Continuous or Discrete
        The time domain.
    horizon : float
        As in `horizon_gramian`.

    Returns
    -------
    weights : (..., n, n) complex array
        What the products of input rows are multiplied by.
    """
    xp = _array.namespace(exponents)
    total = exponents[..., :, None] + xp.conj(exponents)[..., None, :]
    if not isinstance(time, Continuous):
        total = principal(total)
    zero = total == 0
    safe = xp.where(zero, xp.ones_like(total), total)
    step = safe if isinstance(time, Continuous) else expm1(safe)
    weights = expm1(horizon * safe) / step
    return xp.where(zero, xp.full_like(total, horizon), weights)
