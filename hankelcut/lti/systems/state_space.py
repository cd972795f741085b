"""Dense state-space systems (A, B, C, D)."""

from dataclasses import dataclass, replace

from hankelcut import _array
from hankelcut._errors import InvalidSystemError
from hankelcut._typing import Array
from hankelcut.lti.systems import _shapes
from hankelcut.lti.systems._descriptor import standard_form
from hankelcut.lti.systems.signal_names import SignalNames
from hankelcut.lti.systems.time_domain import Continuous, TimeDomain

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
    names : SignalNames
        Names of the signals, none by default; those of every item of a batch.

    Raises
    ------
    InvalidSystemError
        If shapes, batch axes, devices or names do not fit together, or `time` is no
        time domain. Values are checked where they are used, not here.
    """

    A: Array
    B: Array
    C: Array
    D: Array = None
    time: TimeDomain = Continuous()
    names: SignalNames = SignalNames()

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
        _require_names(self.names, A.shape[-1], B.shape[-1], C.shape[-2])

    @classmethod
    def from_descriptor(
        cls,
        E: Array,
        A: Array,
        B: Array,
        C: Array,
        D: Array = None,
        time: TimeDomain = Continuous(),
        names: SignalNames = SignalNames(),
    ) -> "StateSpace":
        r"""Build the system E x' = A x + B u (E x[k+1] = ...) with a nonsingular E.

        The states stay the same: A becomes :math:`E^{-1}A` and B becomes
        :math:`E^{-1}B`, by LU solves after a scaling by powers of two.

        Parameters
        ----------
        E : (..., n, n) array
            Descriptor matrix; batch axes broadcast.
        A, B, C, D, time, names
            As in `StateSpace`.

        Returns
        -------
        StateSpace
            The same system without E.

        Raises
        ------
        InvalidSystemError
            If E is singular to the precision of the arithmetic (its reciprocal
            condition number is at most n eps), an entry is NaN or infinite, or shapes
            do not fit together.

        Warns
        -----
        NumericalWarning
            If the condition number of E is above 1/sqrt(eps).

        Examples
        --------
        >>> import hankelcut as hc
        >>> hc.StateSpace.from_descriptor([[2.0]], [[-4.0]], [[2.0]], [[1.0]]).A
        array([[-2.]])
        """
        right = cls(A, B, C, D, time, names)
        A, B = standard_form("StateSpace.from_descriptor", E, right.A, right.B)
        return replace(right, A=A, B=B)

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
        return replace(self, **{k: getattr(self, k)[whole] for k in "ABCD"})

    def __repr__(self) -> str:
        return (
            f"StateSpace(n_states={self.n_states}, n_inputs={self.n_inputs}, "
            f"n_outputs={self.n_outputs}, batch_shape={self.batch_shape}, "
            f"dtype={self.A.dtype}, time={self.time})"
        )


def _require_names(names: object, n: int, m: int, p: int) -> None:
    if not isinstance(names, SignalNames):
        msg = f"StateSpace: got names={names!r}, need a SignalNames"
        raise InvalidSystemError(msg)
    names.require_fit("StateSpace", n_states=n, n_inputs=m, n_outputs=p)
