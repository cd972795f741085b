"""What the checks are tried on: systems with an order, a seed, or a companion."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.lti.systems.time_domain import Continuous, Discrete, TimeDomain
from hankelcut.validation.invariants._host import Matrix, System, host, spectrum
from hankelcut.validation.strategies._lattice import hypothesis_strategies
from hankelcut.validation.strategies.stable_systems import stable_systems

__all__ = [
    "Example",
    "clear_orders",
    "examples",
    "graded_systems",
    "pairs",
    "similarity",
    "symmetric_systems",
    "unitary",
]

# Orders that every method can reach in double precision: the last value kept is at
# least this part of the first, and larger than the next by that part.
_LEAST_VALUE = 1e-4
_LEAST_GAP = 1e-2


@dataclass(frozen=True)
class Example:
    """A system, an order with a clear gap, and a seed for what else is random."""

    system: System
    order: int = 0
    seed: int = 0

    @property
    def rng(self) -> np.random.Generator:
        """Random numbers of this example."""
        return np.random.default_rng(self.seed)


def clear_orders(system: System) -> list[int]:
    """Orders between Hankel singular values that are clearly apart."""
    values = np.append(spectrum(host(system)), 0.0)
    if values[0] == 0:
        return []
    orders = range(1, values.size)
    return [
        r
        for r in orders
        if values[r - 1] >= _LEAST_VALUE * values[0]
        and values[r - 1] >= (1 + _LEAST_GAP) * values[r]
    ]


def examples(systems: Any, *, full: bool = False) -> Any:
    """Strategy of examples with an order; only the full one on demand."""
    strategies = hypothesis_strategies()

    def choices(system: System) -> list[int]:
        orders = clear_orders(system)
        n = host(system).n_states
        return [r for r in orders if r == n] if full else orders

    def with_order(system: System) -> Any:
        order = strategies.sampled_from(choices(system))
        seed = strategies.integers(0, 9)
        return strategies.builds(Example, strategies.just(system), order, seed)

    return systems.filter(choices).flatmap(with_order)


def pairs(time: TimeDomain | None = None) -> Any:
    """Strategy of two systems of one time domain with as many inputs and outputs."""
    strategies = hypothesis_strategies()

    def second(first: StateSpace) -> Any:
        m, p = first.n_inputs, first.n_outputs
        is_real = bool(np.isrealobj(first.A))
        other = stable_systems(
            max_states=3, max_inputs=3, max_outputs=3, time=first.time, real=is_real
        )

        def fitted(system: StateSpace) -> tuple[StateSpace, StateSpace]:
            rows, columns = np.arange(p) % system.n_outputs, np.arange(m)
            columns = columns % system.n_inputs
            B, C = system.B[:, columns], system.C[rows]
            D = system.D[rows][:, columns]
            return first, StateSpace(system.A, B, C, D, system.time)

        return strategies.builds(fitted, other)

    return stable_systems(max_states=3, time=time).flatmap(second)


def symmetric_systems() -> Any:
    """Strategy of relaxation systems, whose errors attain twice the tail sums.

    A real and diagonal, C = B^T, one input (Liu, Sreeram & Teo 1998).
    """
    strategies = hypothesis_strategies()
    sizes = strategies.integers(1, 9)
    modes = strategies.lists(
        strategies.tuples(sizes, strategies.integers(1, 20)),
        min_size=2,
        max_size=5,
        unique_by=lambda mode: mode[0],
    )
    times = strategies.sampled_from((Continuous(), Discrete()))

    def build(time: TimeDomain, drawn: list[tuple[int, int]]) -> StateSpace:
        steps = np.array([step for step, _ in drawn]) / 10
        poles = -steps if isinstance(time, Continuous) else steps
        B = np.array([[gain / 10] for _, gain in drawn])
        return StateSpace(np.diag(poles), B, B.T, np.zeros((1, 1)), time)

    return strategies.builds(build, times, modes)


def graded_systems() -> Any:
    """Strategy of diagonal systems whose gains fall by decades from mode to mode.

    Those at the outputs may rise as well: no state then has a small Gramian on both
    sides, and roots of full Gramians lose even values that are not small.
    """
    strategies = hypothesis_strategies()
    steps = strategies.lists(
        strategies.integers(1, 9), min_size=2, max_size=6, unique=True
    )
    times = strategies.sampled_from((Continuous(), Discrete()))
    decades = strategies.integers(0, 2), strategies.integers(-2, 2)

    def build(time: TimeDomain, drawn: list[int], fall: int, other: int) -> StateSpace:
        sizes = np.array(drawn) / 10
        poles = -sizes if isinstance(time, Continuous) else sizes
        modes = np.arange(len(drawn))
        B, C = 10.0 ** (-fall * modes), 10.0 ** (-other * modes)
        C = C / np.max(C)
        zero = np.zeros((1, 1))
        return StateSpace(np.diag(poles), B[:, None], C[None, :], zero, time)

    return strategies.builds(build, times, steps, *decades)


def unitary(rng: np.random.Generator, n: int, *, real: bool) -> Matrix:
    """Random unitary or orthogonal matrix."""
    matrix = rng.standard_normal((n, n))
    if real:
        return np.asarray(np.linalg.qr(matrix)[0])
    return np.asarray(np.linalg.qr(matrix + 1j * rng.standard_normal((n, n)))[0])


def similarity(rng: np.random.Generator, n: int, *, real: bool) -> Matrix:
    """Random change of basis of condition number 10."""
    scales = np.geomspace(1.0, 10.0, n) if n > 1 else np.full(n, 2.0)
    first, second = unitary(rng, n, real=real), unitary(rng, n, real=real)
    return np.asarray((first * scales) @ second)
