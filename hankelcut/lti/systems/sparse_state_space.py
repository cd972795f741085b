"""Large sparse state-space systems (A, B, C, D) with a mass matrix E."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from hankelcut import _array
from hankelcut._errors import InvalidSystemError
from hankelcut._typing import Array
from hankelcut.lti.systems import _shapes, _sparse_lu
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.lti.systems.time_domain import Continuous, TimeDomain

__all__ = ["SparseStateSpace"]

# Three dense matrices of this size take 600 MB in double precision.
_MAX_DENSE_STATES = 5_000


@dataclass(frozen=True, eq=False)
class SparseStateSpace:
    """Sparse linear system E x' = A x + B u (or E x[k+1] = ...), y = C x + D u.

    Everything is kept in double precision, real unless one matrix is complex.

    Parameters
    ----------
    A : (n, n) sparse matrix
        State matrix, any SciPy sparse format; kept as a `scipy.sparse.csc_array`.
    B : (n, m) array or sparse matrix
        Input matrix, kept dense.
    C : (p, n) array or sparse matrix
        Output matrix, kept dense.
    D : (p, m) array, optional
        Feedthrough; zero by default.
    E : (n, n) sparse matrix, optional
        Nonsingular mass matrix; the identity by default.
    time : Continuous or Discrete
        The time domain, `Continuous()` by default.

    Raises
    ------
    InvalidSystemError
        If A or E is not sparse, shapes do not fit together, an entry is NaN or
        infinite, E is numerically singular, or `time` is no time domain.
    """

    A: Any
    B: Any
    C: Any
    D: Any = None
    E: Any = None
    time: TimeDomain = Continuous()

    def __post_init__(self) -> None:
        owner = "SparseStateSpace"
        _shapes.require_time_domain(owner, self.time)
        n = _require_square(self.A, "A", None)
        if self.E is not None:
            _require_square(self.E, "E", n)
        B, C = _sparse_lu.dense(self.B), _sparse_lu.dense(self.C)
        D = None if self.D is None else _sparse_lu.dense(self.D)
        _require_rank_two(B, C, D)
        _shapes.require_matrices(owner, n, B, C, D)
        D = np.zeros((C.shape[0], B.shape[1])) if D is None else D
        given = [self.A, B, C, D] + ([] if self.E is None else [self.E])
        dtype = np.result_type(np.float64, *(matrix.dtype for matrix in given))
        if dtype not in (np.float64, np.complex128):
            dtype = np.dtype(np.complex128 if dtype.kind == "c" else np.float64)
        A = _sparse_lu.csc(self.A, dtype)
        E = _sparse_lu.identity(n, dtype)
        if self.E is not None:
            E = _sparse_lu.csc(self.E, dtype)
        B, C, D = (matrix.astype(dtype, copy=False) for matrix in (B, C, D))
        _array.require_finite(owner, A=A.data, B=B, C=C, D=D, E=E.data)
        if self.E is not None:
            _require_nonsingular(E)
        for name, value in zip("ABCDE", (A, B, C, D, E), strict=True):
            object.__setattr__(self, name, value)

    @property
    def n_states(self) -> int:
        """Number of states n."""
        return int(self.A.shape[0])

    @property
    def n_inputs(self) -> int:
        """Number of inputs m."""
        return int(self.B.shape[1])

    @property
    def n_outputs(self) -> int:
        """Number of outputs p."""
        return int(self.C.shape[0])

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """Leading axes: none, a sparse system is one system."""
        return ()

    def to_dense(self, *, max_states: int = _MAX_DENSE_STATES) -> StateSpace:
        r"""Return the same system with dense matrices and without E.

        Parameters
        ----------
        max_states : int
            Largest n that is converted.

        Returns
        -------
        StateSpace
            The states stay; :math:`A` and :math:`B` become :math:`E^{-1}A` and
            :math:`E^{-1}B`.

        Raises
        ------
        InvalidSystemError
            If the system has more than `max_states` states.
        """
        if self.n_states > max_states:
            size = self.n_states**2 * self.A.dtype.itemsize / 1e9
            msg = (
                f"to_dense: got {self.n_states} states, need at most {max_states}: each"
                f" dense matrix would take {size:.2g} GB; pass a larger max_states if "
                "that fits"
            )
            raise InvalidSystemError(msg)
        E, A = self.E.toarray(), self.A.toarray()
        return StateSpace.from_descriptor(E, A, self.B, self.C, self.D, self.time)

    def __repr__(self) -> str:
        return (
            f"SparseStateSpace(n_states={self.n_states}, n_inputs={self.n_inputs}, "
            f"n_outputs={self.n_outputs}, nonzeros={self.A.nnz}, "
            f"dtype={self.A.dtype}, time={self.time})"
        )


def _require_square(matrix: Any, name: str, n: int | None) -> int:
    """Raise unless a matrix is sparse and (n, n); return n."""
    if not _sparse_lu.is_sparse(matrix):
        msg = (
            f"SparseStateSpace: got {name} of type {type(matrix).__name__}, need a "
            "scipy.sparse matrix; use StateSpace for dense ones"
        )
        raise InvalidSystemError(msg)
    size = matrix.shape[0] if n is None else n
    if tuple(matrix.shape) != (size, size):
        need = "(n, n)" if n is None else f"({n}, {n})"
        msg = f"SparseStateSpace: got {name} of shape {tuple(matrix.shape)}, need "
        raise InvalidSystemError(msg + need)
    return int(size)


def _require_rank_two(B: Array, C: Array, D: Array) -> None:
    given = {"B": B, "C": C, **({} if D is None else {"D": D})}
    wrong = {name: array.shape for name, array in given.items() if array.ndim != 2}
    if wrong:
        shown = ", ".join(f"{name} of shape {shape}" for name, shape in wrong.items())
        msg = f"SparseStateSpace: got {shown}; need matrices (n, m), (p, n), (p, m)"
        raise InvalidSystemError(msg + ": a sparse system has no batch axes")


def _require_nonsingular(E: Any) -> None:
    """Raise when the LU of the row- and column-scaled E meets a negligible pivot."""
    n = E.shape[0]
    if n == 0:
        return
    rows = abs(E).max(axis=1).toarray().ravel()
    scaled = E * (1 / np.where(rows > 0, rows, 1.0))[:, None]
    columns = abs(scaled).max(axis=0).toarray().ravel()
    scaled = _sparse_lu.csc(scaled * (1 / np.where(columns > 0, columns, 1.0)))
    try:
        pivots = np.abs(_sparse_lu.factorize(scaled).U.diagonal())
        smallest = float(pivots.min())
    except _sparse_lu.SingularMatrixError:
        smallest = 0.0
    if not smallest > n * np.finfo(np.float64).eps:
        msg = (
            f"SparseStateSpace: got a numerically singular E (smallest pivot "
            f"{smallest:.2g} after scaling), need a nonsingular one; eliminate the "
            "algebraic equations first"
        )
        raise InvalidSystemError(msg)
