"""Hypothesis strategies of stable systems.

Every number comes from a lattice (hundredths, tenths of a radian), so that failures
shrink to zeros and short decimals, and repeated poles, ties and silent states are
common instead of never drawn.
"""

import cmath
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from hankelcut._errors import MissingDependencyError
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace, Readout
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.lti.systems.time_domain import Continuous, Discrete, TimeDomain

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    DenseSystems: TypeAlias = SearchStrategy[StateSpace]
    DiagonalSystems: TypeAlias = SearchStrategy[DiagonalStateSpace]
else:
    DenseSystems = DiagonalSystems = Any

__all__ = ["diagonal_systems", "stable_systems"]

_Draw: TypeAlias = Callable[[Any], Any]
_Values: TypeAlias = np.ndarray[Any, np.dtype[Any]]

_READOUTS: tuple[Readout, ...] = ("complex", "real", "twice_real")
# In hundredths. Poles stay a tenth inside the stability region and couplings small, so
# that Gramians of non-normal systems keep most of their digits.
_LARGEST_GAIN = 200
_LARGEST_MODULUS = 90
_FASTEST_DECAY = 200
_LARGEST_COUPLING = 30
# In tenths of a radian (per second).
_LARGEST_PHASE = 31


def stable_systems(
    *,
    min_states: int = 1,
    max_states: int = 6,
    max_inputs: int = 3,
    max_outputs: int = 3,
    time: TimeDomain | None = None,
    real: bool | None = None,
) -> DenseSystems:
    """Strategy of dense stable systems, as NumPy arrays in double precision.

    Parameters
    ----------
    min_states, max_states : int
        Range of n.
    max_inputs, max_outputs : int
        Largest m and p; the least is 1.
    time : Continuous or Discrete, optional
        The time domain; either by default.
    real : bool, optional
        Real or complex matrices; either by default.

    Returns
    -------
    hypothesis.strategies.SearchStrategy
        Of `StateSpace`: (block) triangular state matrices.

    Raises
    ------
    MissingDependencyError
        If hypothesis is not installed.
    """
    drawing = _Drawing(_hypothesis_strategies(), max_inputs, max_outputs)

    def build(draw: _Draw) -> StateSpace:
        domain = draw(drawing.domains(time))
        # Shrinks to False, to real systems.
        is_complex = draw(drawing.strategies.booleans()) if real is None else not real
        is_real = not is_complex
        m, p = draw(drawing.channels())
        modes = draw(drawing.modes(domain, m, p, min_states, max_states))
        if is_real:
            blocks, B, C = _real_blocks(modes, max_states)
        else:
            blocks, B, C = np.diag(_poles(modes)), _rows(modes), _columns(modes)
        n = blocks.shape[0]
        coupling = draw(drawing.matrix(n, n, _LARGEST_COUPLING, is_real=is_real))
        D = draw(drawing.matrix(p, m, _LARGEST_GAIN, is_real=is_real))
        # Above the 2 x 2 blocks of a real system only.
        A = blocks + np.triu(coupling, 2 if is_real else 1)
        return StateSpace(A, B.reshape(n, m), C.reshape(p, n), D, domain)

    systems: DenseSystems = drawing.strategies.composite(build)()
    return systems


def diagonal_systems(
    *,
    min_states: int = 1,
    max_states: int = 6,
    max_inputs: int = 3,
    max_outputs: int = 3,
    time: TimeDomain | None = None,
    readout: Readout | None = None,
) -> DiagonalSystems:
    """Strategy of diagonal stable systems, as NumPy arrays in double precision.

    Parameters
    ----------
    min_states, max_states : int
        Range of n.
    max_inputs, max_outputs : int
        Largest m and p; the least is 1.
    time : Continuous or Discrete, optional
        The time domain; either by default.
    readout : {"complex", "real", "twice_real"}, optional
        The readout; any by default.

    Returns
    -------
    hypothesis.strategies.SearchStrategy
        Of `DiagonalStateSpace`; poles may be equal, real, or 0 (discrete).

    Raises
    ------
    MissingDependencyError
        If hypothesis is not installed.
    """
    drawing = _Drawing(_hypothesis_strategies(), max_inputs, max_outputs)

    def build(draw: _Draw) -> DiagonalStateSpace:
        domain = draw(drawing.domains(time))
        chosen = readout or draw(drawing.strategies.sampled_from(_READOUTS))
        m, p = draw(drawing.channels())
        modes = draw(drawing.modes(domain, m, p, min_states, max_states))
        n, is_real = len(modes), chosen != "complex"
        return DiagonalStateSpace.from_poles(
            _poles(modes),
            _rows(modes).reshape(n, m),
            _columns(modes).reshape(p, n),
            draw(drawing.matrix(p, m, _LARGEST_GAIN, is_real=is_real)),
            time=domain,
            readout=chosen,
        )

    systems: DiagonalSystems = drawing.strategies.composite(build)()
    return systems


def _hypothesis_strategies() -> Any:
    try:
        return importlib.import_module("hypothesis.strategies")
    except ImportError as error:
        msg = (
            "the strategies of hankelcut.validation need hypothesis, which is not "
            "installed; pip install 'hankelcut[validation]'"
        )
        raise MissingDependencyError(msg) from error


@dataclass(frozen=True)
class _Drawing:
    """The parts that systems are drawn from.

    A mode is a pole with its row of B and its column of C: one item of a list, which
    shrinking deletes as a whole.
    """

    strategies: Any
    max_inputs: int
    max_outputs: int

    def domains(self, time: TimeDomain | None) -> Any:
        """Return the strategy of the time domain."""
        if time is not None:
            return self.strategies.just(time)
        return self.strategies.sampled_from((Discrete(), Continuous()))

    def channels(self) -> Any:
        """Return the strategy of (m, p)."""
        integers = self.strategies.integers
        return self.strategies.tuples(
            integers(1, self.max_inputs), integers(1, self.max_outputs)
        )

    def modes(self, time: TimeDomain, m: int, p: int, least: int, most: int) -> Any:
        """Return the strategy of lists of (pole, row of B, column of C)."""
        mode = self.strategies.tuples(
            self._pole(time), self._numbers(m), self._numbers(p)
        )
        return self.strategies.lists(mode, min_size=least, max_size=most)

    def matrix(self, rows: int, columns: int, largest: int, *, is_real: bool) -> Any:
        """Return the strategy of matrices with entries of at most a size."""
        parts = [self._integers(rows * columns, largest)] * (1 if is_real else 2)
        return self.strategies.tuples(*parts).map(
            lambda drawn: _combined(drawn).reshape(rows, columns)
        )

    def _numbers(self, count: int) -> Any:
        parts = [self._integers(count, _LARGEST_GAIN)] * 2
        return self.strategies.tuples(*parts).map(_combined)

    def _integers(self, count: int, largest: int) -> Any:
        entries = self.strategies.integers(-largest, largest)
        return self.strategies.lists(entries, min_size=count, max_size=count)

    def _pole(self, time: TimeDomain) -> Any:
        integers = self.strategies.integers
        phase = integers(-_LARGEST_PHASE, _LARGEST_PHASE)
        if isinstance(time, Continuous):
            decay = integers(100 - _LARGEST_MODULUS, _FASTEST_DECAY)
            drawn = self.strategies.tuples(decay, phase)
            return drawn.map(lambda pair: complex(-pair[0] / 100, pair[1] / 10))
        drawn = self.strategies.tuples(integers(0, _LARGEST_MODULUS), phase)
        return drawn.map(lambda pair: cmath.rect(pair[0] / 100, pair[1] / 10))


def _combined(parts: Any) -> _Values:
    """Combine integers in hundredths: real, or real and imaginary parts."""
    first, *second = (np.array(part, dtype=float) / 100 for part in parts)
    return np.asarray(first + 1j * second[0]) if second else np.asarray(first)


def _poles(modes: Any) -> _Values:
    return np.array([pole for pole, _, _ in modes], dtype=complex)


def _rows(modes: Any) -> _Values:
    return np.array([row for _, row, _ in modes], dtype=complex)


def _columns(modes: Any) -> _Values:
    return np.array([column for _, _, column in modes], dtype=complex).T


def _real_blocks(modes: Any, most: int) -> tuple[_Values, _Values, _Values]:
    """Return A, B, C of at most so many real states: two of a complex pole."""
    blocks: list[_Values] = []
    rows: list[_Values] = []
    columns: list[_Values] = []
    for pole, row, column in modes:
        size = 1 if pole.imag == 0 or len(rows) + 1 == most else 2
        if len(rows) + size > most:
            break
        turn = np.array([[pole.real, pole.imag], [-pole.imag, pole.real]])
        blocks.append(turn[:size, :size])
        rows.extend([row.real, row.imag][:size])
        columns.extend([column.real, column.imag][:size])
    A = np.zeros((len(rows), len(rows)))
    start = 0
    for block in blocks:
        stop = start + block.shape[0]
        A[start:stop, start:stop] = block
        start = stop
    return A, np.array(rows), np.array(columns).T
