"""What a caller of the low-rank ADI iteration decides, and the checks of its pencil."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from hankelcut import _array
from hankelcut._errors import InvalidSystemError
from hankelcut.lti.systems import _sparse_lu
from hankelcut.lti.systems._sparse_lu import Dense, SparseMatrix

__all__ = ["AdiSettings", "Progress", "checked_pencil"]

Progress: TypeAlias = Callable[[int, float], Any]
"""Called as progress(iteration, relative_residual) after every factorization."""


@dataclass(frozen=True)
class AdiSettings:
    """Tolerance, limits and shifts of the iteration.

    Parameters
    ----------
    caller : str
        Name in error messages.
    tol : float
        Relative residual to reach.
    max_iterations : int
        Largest number of factorizations.
    shifts : sequence of complex, optional
        Used in turn, over and over; projection shifts by default.
    progress : callable, optional
        See `Progress`.
    discrete : bool
        Whether the pencil is the Cayley transform of a discrete-time one.
    """

    caller: str
    tol: float = 1e-12
    max_iterations: int = 500
    shifts: Sequence[complex | float] | None = None
    progress: Progress | None = None
    discrete: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.tol) and self.tol > 0):
            msg = f"{self.caller}: got tol={self.tol!r}, need a positive number"
            raise ValueError(msg)
        if self.max_iterations < 1:
            msg = f"{self.caller}: got max_iterations={self.max_iterations}, need >= 1"
            raise ValueError(msg)
        if self.shifts is None:
            return
        usable = [np.isfinite(a) and complex(a).real < 0 for a in self.shifts]
        if not usable or not all(usable):
            msg = (
                f"{self.caller}: got the shifts {list(self.shifts)}, need at least one"
            )
            raise ValueError(msg + " and only finite ones with negative real part")

    def pole(self, value: complex) -> complex:
        """Pole of the system that an eigenvalue of the pencil is."""
        if not self.discrete:
            return value
        if not np.isfinite(value):
            return complex(-1)
        return (1 + value) / (1 - value) if value != 1 else complex(math.inf)


def checked_pencil(
    caller: str, A: SparseMatrix, B: Dense, E: SparseMatrix | None
) -> tuple[SparseMatrix, Dense, SparseMatrix]:
    """Bring A, B and E to one double-precision dtype and A and E to CSC format.

    Raises
    ------
    InvalidSystemError
        If A or E is not sparse, shapes do not fit, or an entry is NaN or infinite.
    """
    n = B.shape[0] if B.ndim == 2 else None
    for name, matrix in (("A", A), ("E", A if E is None else E)):
        if not _sparse_lu.is_sparse(matrix) or tuple(matrix.shape) != (n, n):
            got = f"{name} of type {type(matrix).__name__}"
            msg = f"{caller}: got {got} and B of shape {tuple(B.shape)}, need B (n, m) "
            raise InvalidSystemError(msg + f"and a scipy.sparse matrix {name} (n, n)")
    given = [A, B] + ([] if E is None else [E])
    dtype = np.result_type(np.float64, *(matrix.dtype for matrix in given))
    A = _sparse_lu.csc(A, dtype)
    E = (
        _sparse_lu.identity(A.shape[0], dtype)
        if E is None
        else _sparse_lu.csc(E, dtype)
    )
    B = B.astype(dtype, copy=False)
    _array.require_finite(caller, A=A.data, B=B, E=E.data)
    return A, B, E
