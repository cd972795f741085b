"""Hypothesis strategies of stable systems.

Every number comes from a lattice (hundredths, tenths of a radian), so that failures
shrink to zeros and short decimals, and repeated poles, ties and silent states are
common instead of never drawn.
"""

import importlib
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from hankelcut._errors import MissingDependencyError
from hankelcut.lti.diagonal_state_space import DiagonalStateSpace, Readout
from hankelcut.lti.state_space import StateSpace
from hankelcut.lti.time_domain import Continuous, Discrete, TimeDomain

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
    strategies = _hypothesis_strategies()
    sizes = ((min_states, max_states), (1, max_inputs), (1, max_outputs))

    def build(draw: _Draw) -> StateSpace:
        domain = draw(_domains(strategies, time))
        is_real = draw(strategies.booleans()) if real is None else real
        n, m, p = _sizes(draw, strategies, sizes)
        draw_matrix = _real_matrix if is_real else _complex_matrix
        coupling = draw_matrix(draw, strategies, (n, n), _LARGEST_COUPLING)
        A = np.triu(coupling, 1 if not is_real else 2)
        A = A + _pole_blocks(draw, strategies, n, domain, is_real=is_real)
        shapes = ((n, m), (p, n), (p, m))
        B, C, D = (
            draw_matrix(draw, strategies, shape, _LARGEST_GAIN) for shape in shapes
        )
        return StateSpace(A, B, C, D, domain)

    systems: DenseSystems = strategies.composite(build)()
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
    strategies = _hypothesis_strategies()
    sizes = ((min_states, max_states), (1, max_inputs), (1, max_outputs))

    def build(draw: _Draw) -> DiagonalStateSpace:
        domain = draw(_domains(strategies, time))
        chosen = readout or draw(strategies.sampled_from(_READOUTS))
        n, m, p = _sizes(draw, strategies, sizes)
        poles = np.array(
            [_pole(draw, strategies, domain) for _ in range(n)], dtype=complex
        )
        B = _complex_matrix(draw, strategies, (n, m), _LARGEST_GAIN)
        C = _complex_matrix(draw, strategies, (p, n), _LARGEST_GAIN)
        draw_D = _complex_matrix if chosen == "complex" else _real_matrix
        D = draw_D(draw, strategies, (p, m), _LARGEST_GAIN)
        return DiagonalStateSpace.from_poles(
            poles, B, C, D, time=domain, readout=chosen
        )

    systems: DiagonalSystems = strategies.composite(build)()
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


def _domains(strategies: Any, time: TimeDomain | None) -> Any:
    if time is not None:
        return strategies.just(time)
    return strategies.sampled_from((Discrete(), Continuous()))


def _sizes(
    draw: _Draw, strategies: Any, ranges: tuple[tuple[int, int], ...]
) -> tuple[int, ...]:
    return tuple(draw(strategies.integers(*limits)) for limits in ranges)


def _hundredths(draw: _Draw, strategies: Any, low: int, high: int) -> float:
    return float(draw(strategies.integers(low, high))) / 100


def _pole(draw: _Draw, strategies: Any, time: TimeDomain) -> complex:
    phase = draw(strategies.integers(-_LARGEST_PHASE, _LARGEST_PHASE)) / 10
    if isinstance(time, Continuous):
        decay = _hundredths(draw, strategies, 100 - _LARGEST_MODULUS, _FASTEST_DECAY)
        return complex(-decay, phase)
    modulus = _hundredths(draw, strategies, 0, _LARGEST_MODULUS)
    return complex(modulus * math.cos(phase), modulus * math.sin(phase))


def _pole_blocks(
    draw: _Draw, strategies: Any, n: int, time: TimeDomain, *, is_real: bool
) -> _Values:
    """Diagonal of poles; real: 2 x 2 blocks of pairs, and a real pole if n is odd."""
    if not is_real:
        poles = [_pole(draw, strategies, time) for _ in range(n)]
        return np.diag(np.array(poles, dtype=complex))
    A = np.zeros((n, n))
    for k in range(0, n - 1, 2):
        pole = _pole(draw, strategies, time)
        A[k : k + 2, k : k + 2] = [[pole.real, pole.imag], [-pole.imag, pole.real]]
    if n % 2:
        A[-1, -1] = _pole(draw, strategies, time).real
    return A


def _real_matrix(
    draw: _Draw, strategies: Any, shape: tuple[int, int], largest: int
) -> _Values:
    count = shape[0] * shape[1]
    entries = strategies.integers(-largest, largest)
    drawn = draw(strategies.lists(entries, min_size=count, max_size=count))
    return np.array(drawn, dtype=float).reshape(shape) / 100


def _complex_matrix(
    draw: _Draw, strategies: Any, shape: tuple[int, int], largest: int
) -> _Values:
    real, imag = (_real_matrix(draw, strategies, shape, largest) for _ in range(2))
    return real + 1j * imag
