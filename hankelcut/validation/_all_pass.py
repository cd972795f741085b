"""All-pass systems whose two Gramians are the identity, from free parameters."""

from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["continuous_all_pass", "discrete_all_pass"]

_Matrices = tuple[
    "np.ndarray[Any, np.dtype[np.float64]]",
    "np.ndarray[Any, np.dtype[np.float64]]",
    "np.ndarray[Any, np.dtype[np.float64]]",
    "np.ndarray[Any, np.dtype[np.float64]]",
]


def continuous_all_pass(couplings: Sequence[float], drive: float) -> _Matrices:
    """Return I - B^T (sI - A)^-1 B with A + A^T + B B^T = 0.

    Parameters
    ----------
    couplings : sequence of float
        Entries next to the diagonal of the skew-symmetric part of A, not 0: n - 1.
    drive : float
        The last and only entry of B, not 0.
    """
    skew = np.diag(np.array(couplings, dtype=float), 1)
    B = np.zeros((len(skew), 1))
    B[-1] = drive
    return skew - skew.T - B @ B.T / 2, B, -B.T, np.eye(1)


def discrete_all_pass(angles: Sequence[tuple[float, float]]) -> _Matrices:
    """Return the blocks of an orthogonal Hessenberg matrix [D C; B A].

    Parameters
    ----------
    angles : sequence of pairs of float
        Cosine and sine, not 0, of n rotations of neighbouring rows.
    """
    n = len(angles)
    U = np.eye(n + 1)
    for i, (cosine, sine) in enumerate(angles):
        turn = np.array([[cosine, sine], [-sine, cosine]])
        U[:, i : i + 2] = U[:, i : i + 2] @ turn
    return U[1:, 1:], U[1:, :1], U[:1, 1:], U[:1, :1]
