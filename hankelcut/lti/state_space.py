"""Dense state-space systems (A, B, C, D)."""

from dataclasses import dataclass

from hankelcut import _array
from hankelcut._errors import InvalidSystemError
from hankelcut._typing import Array
from hankelcut.lti import _shapes
from hankelcut.lti.time_domain import Continuous, TimeDomain

__all__ = ["StateSpace"]


@dataclass(frozen=True, eq=False)
class StateSpace:
    """Dense linear system x' = A x + B u (or x[k+1] = ...), y = C x + D u.

    Arrays of any library with the array API are kept as they are: library, dtype and
    device in are library, dtype and device out. Sequences become NumPy arrays.

    Parameters
    ----------
    A : (..., n, n) array
        State matrix, real or complex. Leading axes are batch axes and broadcast.
    B : (..., n, m) array
        Input matrix.
    C : (..., p, n) array
        Output matrix.
    D : (..., p, m) array, optional
        Feedthrough; zero by default.
    time : Continuous or Discrete
        The time domain, `Continuous()` by default.

    Raises
    ------
    InvalidSystemError
        If shapes, batch axes or devices do not fit together, or `time` is no time
        domain. Values are checked where they are used, not here.
    """

    A: Array
    B: Array
    C: Array
    D: Array = None
    time: TimeDomain = Continuous()

    def __post_init__(self) -> None:
        _shapes.require_time_domain("StateSpace", self.time)
        given = [self.A, self.B, self.C] + ([] if self.D is None else [self.D])
        _, arrays = _array.as_arrays(given)
        A, B, C = arrays[:3]
        if A.ndim < 2 or A.shape[-1] != A.shape[-2]:
            msg = f"StateSpace: got A of shape {tuple(A.shape)}, need (..., n, n)"
            raise InvalidSystemError(msg)
        D = arrays[3] if self.D is not None else None
        _shapes.require_matrices("StateSpace", A.shape[-1], B, C, D)
        if D is None:
            D = _shapes.zero_feedthrough(B, C)
        fields = _shapes.broadcast_batches("StateSpace", [A, B, C, D], [2, 2, 2, 2])
        for name, value in zip("ABCD", fields, strict=True):
            object.__setattr__(self, name, value)

    @property
    def n_states(self) -> int:
        """Number of states n."""
        return int(self.A.shape[-1])

    @property
    def n_inputs(self) -> int:
        """Number of inputs m."""
        return int(self.B.shape[-1])

    @property
    def n_outputs(self) -> int:
        """Number of outputs p."""
        return int(self.C.shape[-2])

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """Leading axes: one system per index."""
        return tuple(self.A.shape[:-2])

    def __getitem__(self, index: int | tuple[int, ...]) -> "StateSpace":
        """Return the system(s) at an index of the batch axes."""
        whole = (*(index if isinstance(index, tuple) else (index,)), ...)
        return StateSpace(
            self.A[whole], self.B[whole], self.C[whole], self.D[whole], self.time
        )

    def __repr__(self) -> str:
        return (
            f"StateSpace(n_states={self.n_states}, n_inputs={self.n_inputs}, "
            f"n_outputs={self.n_outputs}, batch_shape={self.batch_shape}, "
            f"dtype={self.A.dtype}, time={self.time})"
        )
