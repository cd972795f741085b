"""Diagonal state-space systems, with their poles in log form and their readout."""

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from hankelcut import _array
from hankelcut._errors import InvalidSystemError
from hankelcut._typing import Array
from hankelcut.lti.systems import _shapes
from hankelcut.lti.systems.time_domain import Discrete, TimeDomain

__all__ = ["DiagonalStateSpace", "Readout", "exponents_of"]

Readout: TypeAlias = Literal["complex", "real", "twice_real"]
"""What a diagonal system outputs: C x, Re(C x) (LRU, S5) or 2 Re(C x) (S4D)."""


@dataclass(frozen=True, eq=False)
class DiagonalStateSpace:
    r"""Diagonal linear system with poles :math:`\lambda_i` held as exponents.

    The exponent :math:`\ell_i` of a mode is what stands in :math:`e^{\ell_i t}`, t in
    seconds (continuous: the pole itself) or in samples (discrete: the logarithm of the
    pole, :math:`-\nu + i\theta`). In this form :math:`|\lambda| < 1` cannot be lost by
    rounding, and poles within 1e-15 of the unit circle keep all their digits.

    Parameters
    ----------
    exponents : (..., n) array
        Complex exponents; use `from_poles` to start from the poles themselves.
    B : (..., n, m) array
        Input matrix.
    C : (..., p, n) array
        Output matrix.
    D : (..., p, m) array, optional
        Feedthrough, zero by default; real for the real readouts.
    time : Continuous or Discrete
        The time domain.
    readout : {"complex", "real", "twice_real"}
        The output: y = C x + D u, y = Re(C x) + D u, or y = 2 Re(C x) + D u.

    Raises
    ------
    InvalidSystemError
        If shapes, batch axes or devices do not fit together, or `D` is complex where
        the readout is real.
    """

    exponents: Array
    B: Array
    C: Array
    D: Array = None
    time: TimeDomain = Discrete()
    readout: Readout = "complex"

    def __post_init__(self) -> None:
        owner = "DiagonalStateSpace"
        _shapes.require_time_domain(owner, self.time)
        if self.readout not in get_args(Readout):
            msg = f"{owner}: got readout={self.readout!r}, need one of "
            msg += ", ".join(get_args(Readout))
            raise InvalidSystemError(msg)
        given = [self.exponents, self.B, self.C]
        given += [] if self.D is None else [self.D]
        if self.D is not None and self.readout != "complex" and _is_complex(self.D):
            msg = f"{owner}: got a complex D with readout={self.readout!r}, need a real"
            raise InvalidSystemError(msg + " one (pass its real part)")
        _, arrays = _array.as_arrays(given)
        exponents, B, C, *rest = [_array.to_complex(array) for array in arrays]
        if exponents.ndim < 1:
            msg = f"{owner}: got scalar exponents, need an array of shape (..., n)"
            raise InvalidSystemError(msg)
        D = rest[0] if rest else None
        _shapes.require_matrices(owner, exponents.shape[-1], B, C, D)
        if D is None:
            D = _shapes.zero_feedthrough(B, C)
        if self.readout != "complex":
            D = _array.to_real(D)
        fields = _shapes.broadcast_batches(owner, [exponents, B, C, D], [1, 2, 2, 2])
        names = ("exponents", "B", "C", "D")
        for name, value in zip(names, fields, strict=True):
            object.__setattr__(self, name, value)

    @classmethod
    def from_poles(
        cls,
        poles: Array,
        B: Array,
        C: Array,
        D: Array = None,
        *,
        time: TimeDomain = Discrete(),
        readout: Readout = "complex",
    ) -> "DiagonalStateSpace":
        """Build the system from its poles (a discrete pole 0 is held as 1e-308).

        Parameters
        ----------
        poles : (..., n) array
            Poles: abs(pole) < 1 is stable in discrete, Re(pole) < 0 in continuous time.
        B, C, D, time, readout
            As in `DiagonalStateSpace`.
        """
        _, (poles,) = _array.as_arrays([poles])
        return cls(exponents_of(poles, time), B, C, D, time, readout)

    @property
    def poles(self) -> Array:
        """Poles, (..., n): exp(exponents) in discrete, exponents in continuous time."""
        if isinstance(self.time, Discrete):
            return _array.namespace(self.exponents).exp(self.exponents)
        return self.exponents

    @property
    def readout_gain(self) -> float:
        """The kappa in y = 2 kappa Re(C x): 1/2 for "real", 1 for "twice_real"."""
        if self.readout == "complex":
            msg = "readout_gain is defined for the real readouts only"
            raise InvalidSystemError(msg)
        return 0.5 if self.readout == "real" else 1.0

    @property
    def n_states(self) -> int:
        """Number n of stored (complex) states."""
        return int(self.exponents.shape[-1])

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
        return tuple(self.exponents.shape[:-1])

    def __getitem__(self, index: int | tuple[int, ...]) -> "DiagonalStateSpace":
        """Return the system(s) at an index of the batch axes."""
        whole = (*(index if isinstance(index, tuple) else (index,)), ...)
        return DiagonalStateSpace(
            self.exponents[whole],
            self.B[whole],
            self.C[whole],
            self.D[whole],
            self.time,
            self.readout,
        )

    def __repr__(self) -> str:
        return (
            f"DiagonalStateSpace(n_states={self.n_states}, n_inputs={self.n_inputs}, "
            f"n_outputs={self.n_outputs}, batch_shape={self.batch_shape}, "
            f"dtype={self.exponents.dtype}, time={self.time}, "
            f"readout={self.readout!r})"
        )


def _is_complex(value: Any) -> bool:
    _, (array,) = _array.as_arrays([value])
    return _array.is_complex(array)


def exponents_of(poles: Array, time: TimeDomain) -> Array:
    """Exponents of poles; a discrete pole 0 gets the smallest normal magnitude."""
    poles = _array.to_complex(poles)
    if not isinstance(time, Discrete):
        return poles
    xp = _array.namespace(poles)
    tiny = float(xp.finfo(_array.real_dtype(poles)).smallest_normal)
    is_zero = xp.abs(poles) < tiny
    return xp.log(xp.where(is_zero, xp.full_like(poles, tiny), poles))
