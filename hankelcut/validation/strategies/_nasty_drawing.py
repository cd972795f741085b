"""The kinds of systems that break codes, each drawn on purpose."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace, Readout
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.lti.systems.time_domain import Continuous, TimeDomain
from hankelcut.validation._all_pass import continuous_all_pass, discrete_all_pass
from hankelcut.validation.strategies._dense_drawing import DenseDrawing
from hankelcut.validation.strategies._lattice import Draw, Lattice, Mode, Values
from hankelcut.validation.strategies._sizes import Sizes

__all__ = ["KINDS", "NastyDrawing"]

# Distances 1e-6 to 1e-12 of poles next to the boundary: exact in their exponents.
_NEAREST = (6, 12)
_GROWTH = (10, 50)
# Powers of two: B and C by 2^200 to 2^400 up or down, one state by up to 2^26.
_GAIN_POWERS = (200, 400)
_BALANCE_POWER = 60
_STATE_POWER = 26
# Powers of ten by which the gains of successive graded modes fall, at most; twice that
# in the Hankel singular values.
_GRADE = 3
# Cosine and sine of rational angles: products of them are short decimals.
_TRIANGLES = ((0.6, 0.8), (0.8, 0.6), (0.28, 0.96), (0.96, 0.28))
_REAL_POLES = (0.5, -0.5, 0.0, 0.9)
_REAL_DECAYS = (-0.5, -1.0, -2.0, -0.1)
# Imaginary part of poles that are real but for this.
_ALMOST_REAL = 1e-9


@dataclass(frozen=True)
class NastyDrawing:
    """How the kinds are drawn: one method for each.

    Parameters
    ----------
    lattice : Lattice
        What numbers are drawn from.
    max_states, max_inputs, max_outputs : int
        Largest sizes.
    time : Continuous, Discrete or None
        The time domain, if it is given.
    """

    lattice: Lattice
    max_states: int
    max_inputs: int
    max_outputs: int
    time: TimeDomain | None

    def near_boundary(self, draw: Draw) -> DiagonalStateSpace:
        """Draw poles within 1e-6 to 1e-12 of the stability boundary."""
        time, strategies = (
            draw(self.lattice.domains(self.time)),
            self.lattice.strategies,
        )
        modes = self._modes(draw, time, 1)
        distance = 10.0 ** -draw(strategies.integers(*_NEAREST))
        decay = -distance if isinstance(time, Continuous) else math.log1p(-distance)
        exponents = [complex(decay, mode.pole.exponent.imag) for mode in modes]
        return _diagonal(np.array(exponents), modes, time, "complex")

    def repeated_poles(self, draw: Draw) -> DiagonalStateSpace:
        """Draw two or more equal poles."""
        time = draw(self.lattice.domains(self.time))
        modes = self._modes(draw, time, 2)
        exponents = np.array([modes[0].pole.exponent] * len(modes))
        return _diagonal(exponents, modes, time, "complex")

    def defective(self, draw: Draw) -> StateSpace:
        """Draw one Jordan block."""
        return self._chain(draw, 2, 1)

    def growing_powers(self, draw: Draw) -> StateSpace:
        """Draw a Jordan block with large couplings: responses grow, then decay."""
        coupling = draw(self.lattice.strategies.integers(*_GROWTH))
        return self._chain(draw, 3, coupling)

    def extreme_scaling(self, draw: Draw) -> StateSpace:
        """Draw gains and states scaled by large powers of two."""
        base, strategies = self._dense(draw), self.lattice.strategies
        n = base.n_states
        power = strategies.integers(*_GAIN_POWERS)
        up = draw(power) * draw(strategies.sampled_from((1, -1)))
        balance = draw(strategies.integers(-_BALANCE_POWER, _BALANCE_POWER))
        powers = strategies.integers(-_STATE_POWER, _STATE_POWER)
        scales = np.ldexp(1.0, draw(strategies.lists(powers, min_size=n, max_size=n)))
        return StateSpace(
            scales[:, None] * base.A / scales,
            math.ldexp(1.0, up) * scales[:, None] * _nonzero(base.B),
            math.ldexp(1.0, balance - up) * _nonzero(base.C) / scales,
            base.D,
            base.time,
        )

    def silent_states(self, draw: Draw) -> StateSpace:
        """Draw states without input or output: one, several, or all."""
        strategies = self.lattice.strategies
        which = draw(strategies.sampled_from(("some", "inputs", "outputs", "all")))
        if which == "some":
            most = max(1, self.max_states // 2)
            return self._dense(draw, silent=draw(strategies.integers(1, most)))
        base = self._dense(draw)
        B = base.B if which == "outputs" else np.zeros_like(base.B)
        C = base.C if which == "inputs" else np.zeros_like(base.C)
        return StateSpace(base.A, B, C, base.D, base.time)

    def all_pass(self, draw: Draw) -> StateSpace:
        """Draw an all-pass system: all Hankel singular values equal its gain."""
        time, strategies = (
            draw(self.lattice.domains(self.time)),
            self.lattice.strategies,
        )
        copies = draw(strategies.integers(1, min(self.max_inputs, self.max_outputs, 2)))
        n = draw(strategies.integers(1, max(1, self.max_states // copies)))
        gain = draw(strategies.integers(1, 200)) / 100
        if isinstance(time, Continuous):
            sizes = strategies.integers(1, 30).map(lambda drawn: drawn / 10)
            couplings = draw(strategies.lists(sizes, min_size=n - 1, max_size=n - 1))
            drive = draw(strategies.integers(5, 20)) / 10
            A, B, C, D = continuous_all_pass(couplings, drive)
        else:
            angles = strategies.sampled_from(_TRIANGLES)
            turns = draw(strategies.lists(angles, min_size=n, max_size=n))
            A, B, C, D = discrete_all_pass(turns)
        eye = np.eye(copies)
        A, B, C, D = (np.kron(eye, M) for M in (A, B, gain * C, gain * D))
        return StateSpace(A, B, C, D, time)

    def two_copies(self, draw: Draw) -> StateSpace:
        """Draw the same system twice, side by side: every value is a tie."""
        return self._dense(draw, copies=2)

    def graded_gains(self, draw: Draw) -> DiagonalStateSpace:
        """Draw gains that fall by decades: values below any rounding of the largest."""
        time, strategies = (
            draw(self.lattice.domains(self.time)),
            self.lattice.strategies,
        )
        modes = self._modes(draw, time, 3)
        exponents = np.array([mode.pole.exponent for mode in modes])
        system = _diagonal(exponents, modes, time, "complex")
        grade = draw(strategies.integers(2, _GRADE))
        falls = 10.0 ** (-grade * np.arange(len(modes)))
        B, C = _nonzero(system.B), _nonzero(system.C)
        return DiagonalStateSpace(exponents, falls[:, None] * B, C * falls, None, time)

    def empty(self, draw: Draw) -> StateSpace:
        """Draw a system without states, inputs or outputs."""
        base, strategies = self._dense(draw), self.lattice.strategies
        which = draw(strategies.sampled_from(("n", "m", "p", "mp", "nmp")))
        n, m, p = (
            0 if letter in which else size
            for letter, size in zip(
                "nmp", (base.n_states, base.n_inputs, base.n_outputs), strict=True
            )
        )
        return StateSpace(
            base.A[:n, :n], base.B[:n, :m], base.C[:p, :n], base.D[:p, :m], base.time
        )

    def real_axis(self, draw: Draw) -> DiagonalStateSpace:
        """Draw a real readout of poles on the real axis, at 0, and next to it."""
        time, strategies = (
            draw(self.lattice.domains(self.time)),
            self.lattice.strategies,
        )
        modes = self._modes(draw, time, 1)
        places = _REAL_DECAYS if isinstance(time, Continuous) else _REAL_POLES
        pole = strategies.tuples(
            strategies.sampled_from(places),
            strategies.sampled_from((0.0, _ALMOST_REAL, -_ALMOST_REAL)),
        )
        poles = [complex(*draw(pole)) for _ in modes]
        readout: Readout = draw(strategies.sampled_from(("real", "twice_real")))
        B, C = _gains(modes)
        return DiagonalStateSpace.from_poles(
            np.array(poles), B, C, time=time, readout=readout
        )

    def _modes(self, draw: Draw, time: TimeDomain, least: int) -> list[Mode]:
        m, p = draw(self.lattice.channels(self.max_inputs, self.max_outputs))
        pole, most = self.lattice.stable_pole(time), max(self.max_states, least)
        modes: list[Mode] = draw(self.lattice.modes(pole, m, p, least, most))
        return modes

    def _dense(self, draw: Draw, *, silent: int = 0, copies: int = 1) -> StateSpace:
        sizes = Sizes(
            "nasty_systems",
            copies,
            max(self.max_states, copies),
            max(self.max_inputs, copies),
            max(self.max_outputs, copies),
            silent=silent,
            copies=copies,
        )
        return DenseDrawing(self.lattice, sizes).draw(draw, self.time, None)

    def _chain(self, draw: Draw, least: int, coupling: int) -> StateSpace:
        """Draw the bidiagonal system of one pole with couplings of a size."""
        time = draw(self.lattice.domains(self.time))
        modes = self._modes(draw, time, least)
        n, pole = len(modes), modes[0].pole.value
        B, C = _gains(modes)
        A: Values = pole * np.eye(n) + coupling * np.eye(n, k=1)
        if pole.imag == 0:
            A, B, C = A.real, B.real, C.real
        return StateSpace(A, B, C, time=time)


_Kind: TypeAlias = Callable[[NastyDrawing, Draw], StateSpace | DiagonalStateSpace]

KINDS: dict[str, _Kind] = {
    "empty": NastyDrawing.empty,
    "silent_states": NastyDrawing.silent_states,
    "two_copies": NastyDrawing.two_copies,
    "all_pass": NastyDrawing.all_pass,
    "repeated_poles": NastyDrawing.repeated_poles,
    "defective": NastyDrawing.defective,
    "growing_powers": NastyDrawing.growing_powers,
    "real_axis": NastyDrawing.real_axis,
    "near_boundary": NastyDrawing.near_boundary,
    "graded_gains": NastyDrawing.graded_gains,
    "extreme_scaling": NastyDrawing.extreme_scaling,
}
"""The methods by the names of the kinds, simplest first."""


def _diagonal(
    exponents: Values, modes: list[Mode], time: TimeDomain, readout: Readout
) -> DiagonalStateSpace:
    B, C = _gains(modes)
    return DiagonalStateSpace(exponents, B, C, None, time, readout)


def _gains(modes: list[Mode]) -> tuple[Values, Values]:
    """B and C of modes."""
    return np.array([m.row for m in modes]), np.array([m.column for m in modes]).T


def _nonzero(matrix: Values) -> Values:
    """Put 1 in place of zeros, so that a scale of them can be seen."""
    return np.where(matrix == 0, 1, matrix)
