"""Balancing by two Gramians that are known as matrices only."""

from dataclasses import replace

import numpy as np

from hankelcut import _array
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.reduction.balancing.balancing import Balancing, balance_factors
from hankelcut.reduction.reduction_method import Matrix

__all__ = ["balance_gramians"]


def balance_gramians(
    system: StateSpace, P: Matrix, Q: Matrix, sizes: tuple[float, float]
) -> Balancing:
    r"""Balance by Gramians that are positive semidefinite up to rounding.

    Parameters
    ----------
    system : StateSpace
        System of n states of even size.
    P, Q : (n, n) arrays
        The Gramians, Hermitian.
    sizes : tuple of two floats
        Norms of the matrices whose roundings are in P and Q, at least those of P and Q.

    Returns
    -------
    Balancing
        With an uncertainty that says how much of each value is rounding.

    Notes
    -----
    **Method.** Factors from eigenvalues, the negative ones set to zero. **Numerical
    aspects.** Squares of the values are right to :math:`n u \|P\| \|Q\|`, and so values
    below about :math:`\sqrt u` of the largest are lost; their uncertainty says so.
    """
    (Lc, doubt_c), (Lo, doubt_o) = (
        _clipped_factor(X, size) for X, size in zip((P, Q), sizes, strict=True)
    )
    balancing = balance_factors(system, Lc, Lo)
    of_squares = doubt_c * sizes[1] + sizes[0] * doubt_o
    values = balancing.values
    return replace(balancing, uncertainty=np.sqrt(values**2 + of_squares) - values)


def _clipped_factor(X: Matrix, size: float) -> tuple[Matrix, float]:
    """Factor of the positive part of a matrix, and by how much the matrix may be off.

    The exact matrix has no negative eigenvalues: those seen measure its rounding.
    """
    n = X.shape[0]
    w, V = np.linalg.eigh((X + X.conj().T) / 2)
    doubt = max(n * _array.eps(X) * size, -float(np.min(w, initial=0.0)))
    return V * np.sqrt(np.maximum(w, 0.0)), doubt
