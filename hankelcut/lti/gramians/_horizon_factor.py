r"""Factors of the Gramians of a finite horizon, for poles anywhere.

**Method.** Over a short step h, :math:`e^{At}B` is a short Taylor polynomial in t, and
Gauss-Legendre quadrature, exact for its square, makes the Gramian a sum of squares:
its factor is known without the Gramian. Longer horizons by doubling, the factor of
:math:`P_{2T} = P_T + e^{AT}P_Te^{A^HT}` being :math:`[L, e^{AT}L]`; QR decompositions
keep it at n columns. Discrete time: doubling alone.

**Numerical aspects.** Errors are u times the norm of the factor, so that singular
values down to u times the largest mean something; of a Gramian only half as many digits
would.
"""

import math
from typing import Any, TypeAlias

import numpy as np

from hankelcut.lti.systems._matrix_exponential import matrix_exponential
from hankelcut.lti.systems.time_domain import Continuous, TimeDomain

__all__ = ["horizon_factor", "horizon_propagator"]

_Matrix: TypeAlias = np.ndarray[Any, np.dtype[Any]]

# Terms of exp(x) for abs(x) <= 1 to double precision: 1/20! is 4e-19.
_TERMS = 20


def horizon_factor(A: _Matrix, B: _Matrix, time: TimeDomain, horizon: float) -> _Matrix:
    """Factor L of the controllability Gramian L L^H of a horizon, (n, k) with k <= n.

    Parameters
    ----------
    A : (n, n) array
        State matrix.
    B : (n, m) array
        Input matrix.
    time : Continuous or Discrete
        The time domain.
    horizon : float
        At least 0, in seconds, or a whole number of samples.
    """
    if isinstance(time, Continuous):
        return _continuous(A, B, horizon)
    L, moved = B[:, :0], np.eye(A.shape[0], dtype=A.dtype)
    for bit in f"{int(horizon):b}":
        L, moved = _compressed(L, moved @ L), moved @ moved
        if bit == "1":
            L, moved = _compressed(B, A @ L), A @ moved
    return L


def horizon_propagator(A: _Matrix, time: TimeDomain, horizon: float) -> _Matrix:
    """Return what takes a free state over a horizon: exp(A T) or the power A^N.

    Parameters
    ----------
    A : (n, n) array
        State matrix.
    time : Continuous or Discrete
        The time domain.
    horizon : float
        As in `horizon_factor`.
    """
    if isinstance(time, Continuous):
        exponential: _Matrix = matrix_exponential(horizon * A)
        return exponential
    return np.linalg.matrix_power(A, int(horizon))


def _continuous(A: _Matrix, B: _Matrix, horizon: float) -> _Matrix:
    size = horizon * float(np.linalg.norm(A))
    doublings = max(0, math.ceil(math.log2(size))) if size > 0 else 0
    step = horizon / 2.0**doublings
    L = _short(step * A, B) * math.sqrt(step)
    moved = matrix_exponential(step * A)
    for _ in range(doublings):
        L, moved = _compressed(L, moved @ L), moved @ moved
    return L


def _short(A: _Matrix, B: _Matrix) -> _Matrix:
    """Factor of the Gramian of one second, for A of norm at most 1."""
    nodes, weights = np.polynomial.legendre.leggauss(_TERMS)
    nodes, roots = (nodes + 1) / 2, np.sqrt(weights / 2)
    term, samples = B, [roots[k] * B for k in range(_TERMS)]
    for j in range(1, _TERMS):
        term = A @ term / j
        samples = [
            sample + root * node**j * term
            for sample, node, root in zip(samples, nodes, roots, strict=True)
        ]
    return _compressed(*samples)


def _compressed(*columns: _Matrix) -> _Matrix:
    """Return a factor of n columns at most with the same product L L^H."""
    L = np.concatenate(columns, axis=1)
    if L.shape[1] <= L.shape[0]:
        return L
    R: _Matrix = np.linalg.qr(L.conj().T).R
    return R.conj().T
