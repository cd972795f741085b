"""Sparse matrices as SciPy's CSC arrays, and their LU factorizations.

Columns are ordered by COLAMD, whose fill is bounded whatever the pivoting does. Minimum
degree on A + A^T needs about half the memory on symmetric patterns, but one
convection-dominated grid of 40,000 states filled up a hundredfold with it.
"""

from typing import Any, TypeAlias

import numpy as np
import scipy.sparse
import scipy.sparse.linalg

from hankelcut import _array

__all__ = [
    "Dense",
    "Factorization",
    "SingularMatrixError",
    "SparseMatrix",
    "block_diagonal",
    "csc",
    "dense",
    "factorize",
    "identity",
    "is_sparse",
    "norm_estimate",
]

SparseMatrix: TypeAlias = Any
"""A SciPy sparse array or matrix; inside the package a `csc_array`."""

Factorization: TypeAlias = Any
"""What `factorize` returns: `solve(right, "N" or "H")`."""

Dense: TypeAlias = np.ndarray[Any, np.dtype[Any]]


class SingularMatrixError(ArithmeticError):
    """A zero pivot: the caller knows what that means and raises its own error."""


def is_sparse(matrix: object) -> bool:
    """Whether the object is a SciPy sparse array or matrix."""
    return bool(scipy.sparse.issparse(matrix))


def csc(matrix: SparseMatrix, dtype: Any = None) -> SparseMatrix:
    """Return a sparse matrix as a CSC array without duplicates; it is not changed."""
    converted = scipy.sparse.csc_array(matrix, dtype=dtype)
    if not converted.has_canonical_format:
        converted = converted.copy()
        converted.sum_duplicates()
    return converted


def dense(matrix: Any) -> Dense:
    """Return a sparse matrix, an array or a sequence as a NumPy array."""
    if is_sparse(matrix):
        return np.asarray(matrix.toarray())
    if hasattr(matrix, "shape"):
        return _array.to_numpy(matrix)
    return np.asarray(matrix)


def identity(n: int, dtype: Any) -> SparseMatrix:
    """Sparse identity."""
    return scipy.sparse.eye_array(n, dtype=dtype, format="csc")


def block_diagonal(first: SparseMatrix, second: SparseMatrix) -> SparseMatrix:
    """Block-diagonal sparse matrix of two (sparse or dense) matrices."""
    blocks = [scipy.sparse.coo_array(block) for block in (first, second)]
    return csc(scipy.sparse.block_diag(blocks, format="csc"))


def factorize(matrix: SparseMatrix) -> Factorization:
    """LU factorization of a square CSC array.

    Raises
    ------
    SingularMatrixError
        If a pivot is exactly zero.
    """
    try:
        return scipy.sparse.linalg.splu(matrix, permc_spec="COLAMD")
    except RuntimeError as error:
        if "singular" not in str(error):
            raise
        raise SingularMatrixError(str(error)) from error


def norm_estimate(matrix: SparseMatrix) -> float:
    """Upper bound of the spectral norm, within sqrt(n) of it: sqrt(1-norm inf-norm)."""
    if 0 in matrix.shape:
        return 0.0
    sizes = abs(matrix)
    return float(np.sqrt(sizes.sum(axis=0).max() * sizes.sum(axis=1).max()))
