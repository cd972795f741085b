"""A system of which something is known, and what is known of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, TypeAlias

from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.sparse_state_space import SparseStateSpace
from hankelcut.lti.systems.state_space import StateSpace

__all__ = ["BenchmarkSystem", "Fact", "Quantity"]

Quantity: TypeAlias = Literal[
    "poles",
    "hankel_singular_values",
    "hankel_sum",
    "hinf_norm",
    "peak_frequency",
    "h2_norm",
    "static_gain",
    "all_pass",
    "passive",
    "symmetric",
    "tight_orders",
]
"""What a fact is about.

``poles``: all of them; ``hankel_singular_values``: the largest ones, or all;
``hankel_sum``: the sum of all; ``hinf_norm`` and ``peak_frequency``, a frequency where
it is reached; ``h2_norm``; ``static_gain``: the largest singular value of the transfer
function at frequency 0; ``all_pass``: the gain at every frequency; ``passive``: 1 where
G + G^H >= 0 on the stability boundary; ``symmetric``: 1 where A = A^H and C = B^H;
``tight_orders``: orders at which the H-infinity error of balanced truncation equals
twice the sum of the discarded Hankel singular values.
"""


@dataclass(frozen=True)
class Fact:
    """What is known of one quantity.

    Parameters
    ----------
    values : tuple of float or complex
        The number, or the numbers, Hankel singular values descending.
    rtol : float
        How accurate they are, relative to each; to the largest one for poles.
    reason : str
        Why: a formula, or who computed or published them.
    """

    values: tuple[float | complex, ...]
    rtol: float
    reason: str

    @property
    def value(self) -> float:
        """The number, of a fact that is a single real one."""
        (value,) = self.values
        return float(value.real)


@dataclass(frozen=True, eq=False)
class BenchmarkSystem:
    """A system with known facts.

    Parameters
    ----------
    name : str
        Name, with the parameters: "heat equation, n = 100".
    system : StateSpace, DiagonalStateSpace or SparseStateSpace
        The system.
    facts : mapping of Quantity to Fact
        What is known of it.
    source : str
        Where it comes from.
    """

    name: str
    system: StateSpace | DiagonalStateSpace | SparseStateSpace
    facts: Mapping[Quantity, Fact] = field(default_factory=dict)
    source: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "facts", MappingProxyType(dict(self.facts)))

    def __repr__(self) -> str:
        return f"BenchmarkSystem({self.name!r}, facts={sorted(self.facts)})"
