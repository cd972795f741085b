"""Matrix exponential on the host (SciPy: Al-Mohy & Higham, SIMAX 31, 2009, p. 970)."""

import scipy.linalg

from hankelcut import _array
from hankelcut._typing import Array

__all__ = ["matrix_exponential"]


def matrix_exponential(matrix: Array) -> Array:
    """exp(matrix) of (..., n, n) arrays in host memory."""
    xp = _array.namespace(matrix)
    return xp.asarray(scipy.linalg.expm(_array.to_numpy(matrix)))
