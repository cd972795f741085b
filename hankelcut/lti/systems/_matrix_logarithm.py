"""Principal matrix logarithm on the host (SciPy: Al-Mohy & Higham, SISC 34, 2012)."""

import math
import warnings
from typing import Any, TypeAlias

import numpy as np
import scipy.linalg

from hankelcut import _array
from hankelcut._errors import IllConditionedError
from hankelcut._typing import Array

__all__ = ["matrix_logarithm"]

_Matrix: TypeAlias = np.ndarray[Any, np.dtype[Any]]

# The exponential of a good logarithm is the matrix again up to a few roundings; one
# that lost half of its digits is refused.
_RESIDUAL = float(np.finfo(np.float64).eps) ** 0.5


def matrix_logarithm(matrix: Array) -> Array:
    """Logarithm of (..., n, n) arrays in host memory, real for real arrays.

    Parameters
    ----------
    matrix : (..., n, n) array
        No eigenvalue may lie on the closed negative real axis. Computed in double
        precision, returned in the dtype of the matrix.

    Raises
    ------
    IllConditionedError
        If the exponential of the result is not the matrix.
    """
    xp = _array.namespace(matrix)
    given = _array.to_numpy(matrix)
    wide = given.astype(np.complex128 if np.iscomplexobj(given) else np.float64)
    result = np.zeros_like(wide)
    for index in np.ndindex(*wide.shape[:-2] if wide.size else (0,)):
        logarithm, residual = _checked_logarithm(wide[index])
        size = np.linalg.norm(wide[index])
        if not residual <= _RESIDUAL * size:
            item = f"item {index}" if index else "the matrix"
            msg = (
                f"matrix_logarithm: the exponential of the logarithm of {item} is off "
                f"by {residual / size:.2g}, need less than {_RESIDUAL:.2g}: it is "
                "(nearly) singular or strongly non-normal"
            )
            raise IllConditionedError(msg)
        result[index] = logarithm
    return xp.asarray(result.astype(given.dtype))


def _checked_logarithm(matrix: _Matrix) -> tuple[_Matrix, float]:
    """Logarithm of one matrix, and by how much its exponential misses the matrix."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        # What SciPy would warn of shows in the residual.
        warnings.simplefilter("ignore")
        try:
            logarithm = np.asarray(scipy.linalg.logm(matrix))
            grown = scipy.linalg.expm(logarithm)
        except ValueError:
            # It, or its exponential, is not finite.
            return matrix, math.inf
    if np.isrealobj(matrix):
        logarithm = logarithm.real
    return logarithm, float(np.linalg.norm(grown - matrix))
