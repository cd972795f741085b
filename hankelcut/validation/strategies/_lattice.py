"""The lattice that systems are drawn from, and what its points are made into."""

import cmath
import importlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from hankelcut._errors import MissingDependencyError
from hankelcut.lti.systems.time_domain import Continuous, Discrete, TimeDomain

__all__ = [
    "LARGEST_COUPLING",
    "LARGEST_GAIN",
    "Draw",
    "Lattice",
    "Mode",
    "Pole",
    "Values",
    "hypothesis_strategies",
]

Draw: TypeAlias = Callable[[Any], Any]
"""The function with which a composite strategy draws from another one."""

Values: TypeAlias = np.ndarray[Any, np.dtype[Any]]

# Real part, or modulus, of a pole; a modulus next to 1 comes with its logarithm.
_Size: TypeAlias = float | tuple[float, float]

# In hundredths. Poles stay a tenth inside the stability region, but for a smaller
# margin, and couplings small, so that Gramians of non-normal systems keep their digits.
LARGEST_GAIN = 200
LARGEST_COUPLING = 30
_LARGEST_MODULUS = 90
_FASTEST_DECAY = 200
# In tenths of a radian (per second).
_LARGEST_PHASE = 31
# The logarithm of a pole at 0, as `DiagonalStateSpace.from_poles` has it.
_TINY = float(np.finfo(np.float64).tiny)


class Pole(NamedTuple):
    """A pole and its exponent, which keeps the digits of a small stability margin."""

    value: complex
    exponent: complex


class Mode(NamedTuple):
    """A pole with its row of B and its column of C: what shrinking deletes as one."""

    pole: Pole
    row: Values
    column: Values


def hypothesis_strategies() -> Any:
    """Return the module `hypothesis.strategies`.

    Raises
    ------
    MissingDependencyError
        If hypothesis is not installed.
    """
    try:
        return importlib.import_module("hypothesis.strategies")
    except ImportError as error:
        msg = (
            "the strategies of hankelcut.validation need hypothesis, which is not "
            "installed; pip install 'hankelcut[validation]'"
        )
        raise MissingDependencyError(msg) from error


@dataclass(frozen=True)
class Lattice:
    """The strategies of time domains, poles, modes and matrices.

    Parameters
    ----------
    strategies : module
        That of `hypothesis_strategies`.
    margin : float
        Least distance of poles from the stability boundary.
    """

    strategies: Any
    margin: float = 0.1

    def domains(self, time: TimeDomain | None) -> Any:
        """Return the strategy of the time domain: the one given, or either."""
        if time is not None:
            return self.strategies.just(time)
        return self.strategies.sampled_from((Discrete(), Continuous()))

    def channels(self, max_inputs: int, max_outputs: int) -> Any:
        """Return the strategy of (m, p)."""
        integers = self.strategies.integers
        return self.strategies.tuples(integers(1, max_inputs), integers(1, max_outputs))

    def modes(self, pole: Any, m: int, p: int, least: int, most: int) -> Any:
        """Return the strategy of lists of modes with poles of a strategy."""
        mode = self.strategies.builds(Mode, pole, self.numbers(m), self.numbers(p))
        return self.strategies.lists(mode, min_size=least, max_size=most)

    def matrix(self, rows: int, columns: int, largest: int, *, is_real: bool) -> Any:
        """Return the strategy of matrices with entries of at most a size."""
        parts = [self._integers(rows * columns, largest)] * (1 if is_real else 2)
        return self.strategies.tuples(*parts).map(
            lambda drawn: _combined(drawn).reshape(rows, columns)
        )

    def numbers(self, count: int) -> Any:
        """Return the strategy of vectors of complex gains."""
        parts = [self._integers(count, LARGEST_GAIN)] * 2
        return self.strategies.tuples(*parts).map(_combined)

    def stable_pole(self, time: TimeDomain, *, is_real: bool = False) -> Any:
        """Return the strategy of poles at least the margin inside the boundary."""
        if isinstance(time, Continuous):
            slowest = max(100 - _LARGEST_MODULUS, self._hundredths)
            # From the margin on to faster ones, then from a tenth down to the margin.
            far: list[_Size] = [-k / 100 for k in range(slowest, _FASTEST_DECAY + 1)]
        else:
            largest = min(_LARGEST_MODULUS, 100 - self._hundredths)
            far = [k / 100 for k in range(largest + 1)]
        near = [_sized(time, -distance) for distance in self._distances()]
        return self._turned(time, far + near, is_real=is_real)

    def unstable_pole(self, time: TimeDomain) -> Any:
        """Return the strategy of poles at least the margin outside the boundary."""
        least = max(100 - _LARGEST_MODULUS, self._hundredths)
        distances = [k / 100 for k in range(least, 101)] + self._distances()
        sizes = [_sized(time, distance) for distance in distances]
        return self._turned(time, sizes, is_real=False)

    def boundary_pole(self, time: TimeDomain) -> Any:
        """Return the strategy of poles on the stability boundary, to the last digit."""
        if isinstance(time, Continuous):
            points = [complex(0, w) for w in (0.0, 1.0, -1.0, 0.5, 3.0)]
        else:
            points = [1 + 0j, -1 + 0j, 1j, -1j]
        angles = [p if isinstance(time, Continuous) else cmath.log(p) for p in points]
        poles = [Pole(p, a) for p, a in zip(points, angles, strict=True)]
        return self.strategies.sampled_from(poles)

    def _turned(self, time: TimeDomain, sizes: list[_Size], *, is_real: bool) -> Any:
        """Poles of sizes, each as likely as the others, the first ones simplest."""
        largest = 0 if is_real else _LARGEST_PHASE
        phases = self.strategies.integers(-largest, largest)
        # One integer whatever the size: modes of one shape are easily deleted.
        return self.strategies.tuples(
            self.strategies.integers(0, len(sizes) - 1), phases
        ).map(lambda drawn: _pole(time, sizes[drawn[0]], drawn[1] / 10))

    def _distances(self) -> list[float]:
        """Distances from the boundary below a tenth: 0.09, ..., 0.01, 0.009, ..."""
        decades = range(2, math.ceil(-math.log10(self.margin) - 1e-9) + 1)
        distances = [
            float(f"{digit}e-{decade}")
            for decade in decades
            for digit in range(9, 0, -1)
        ]
        return [distance for distance in distances if distance >= self.margin]

    def _integers(self, count: int, largest: int) -> Any:
        entries = self.strategies.integers(-largest, largest)
        return self.strategies.lists(entries, min_size=count, max_size=count)

    @property
    def _hundredths(self) -> int:
        return math.ceil(100 * self.margin - 1e-9)


def _sized(time: TimeDomain, beyond: float) -> _Size:
    """Size of a pole so far beyond the boundary; in discrete time, with its log."""
    if isinstance(time, Continuous):
        return beyond
    return 1 + beyond, math.log1p(beyond)


def _pole(time: TimeDomain, size: _Size, phase: float) -> Pole:
    if isinstance(size, tuple):
        return Pole(cmath.rect(size[0], phase), complex(size[1], phase))
    if isinstance(time, Continuous):
        return Pole(complex(size, phase), complex(size, phase))
    exponent = complex(math.log(max(size, _TINY)), phase)
    return Pole(cmath.rect(size, phase), exponent)


def _combined(parts: Sequence[Sequence[int]]) -> Values:
    """Combine integers in hundredths: real, or real and imaginary parts."""
    first, *second = (np.array(part, dtype=float) / 100 for part in parts)
    return np.asarray(first + 1j * second[0]) if second else np.asarray(first)
