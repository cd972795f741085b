"""The time domain of a system: a type, so that no operation can lose it."""

import math
from dataclasses import dataclass
from typing import TypeAlias

from hankelcut._errors import InvalidSystemError

__all__ = ["Continuous", "Discrete", "TimeDomain"]


@dataclass(frozen=True)
class Continuous:
    """Continuous time: x' = A x + B u, stable when Re(pole) < 0; rad/s, s."""


@dataclass(frozen=True)
class Discrete:
    """Discrete time: x[k+1] = A x[k] + B u[k], stable when abs(pole) < 1.

    Parameters
    ----------
    dt : float
        Sampling period in seconds; frequencies of discrete systems are always in
        radians per sample, whatever `dt`.

    Raises
    ------
    InvalidSystemError
        If `dt` is not a positive finite number.
    """

    dt: float = 1.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.dt) and self.dt > 0):
            msg = f"Discrete: got dt={self.dt!r}, need a positive number of seconds"
            raise InvalidSystemError(msg)


TimeDomain: TypeAlias = Continuous | Discrete
