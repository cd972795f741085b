"""Strategy of the systems that break codes."""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.lti.systems.time_domain import TimeDomain
from hankelcut.validation.strategies._lattice import (
    Draw,
    Lattice,
    hypothesis_strategies,
)
from hankelcut.validation.strategies._nasty_drawing import KINDS, NastyDrawing

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    Systems: TypeAlias = SearchStrategy[StateSpace | DiagonalStateSpace]
else:
    Systems = Any

__all__ = ["NASTY_KINDS", "NastyKind", "named_nasty_systems", "nasty_systems"]

NastyKind: TypeAlias = Literal[
    "empty",
    "silent_states",
    "two_copies",
    "all_pass",
    "repeated_poles",
    "defective",
    "growing_powers",
    "real_axis",
    "near_boundary",
    "graded_gains",
    "extreme_scaling",
]
"""Name of a kind of systems that break codes; `NASTY_KINDS` says what they are."""

NASTY_KINDS: Mapping[NastyKind, str] = MappingProxyType(
    {
        "empty": "no states, no inputs, no outputs, or none of them",
        "silent_states": "states that no input reaches or that reach no output; B = 0, "
        "C = 0, both",
        "two_copies": "the same system twice: every Hankel singular value is a tie",
        "all_pass": "all Hankel singular values equal to the gain at every frequency",
        "repeated_poles": "a diagonal system whose poles are all equal: with one input "
        "or output, of rank one",
        "defective": "one Jordan block, which has a single eigenvector",
        "growing_powers": "one Jordan block with couplings of 10 to 50: Gramians of "
        "norm up to 1e30 and no accurate eigenvalues",
        "real_axis": "a real readout of poles on the real axis, equal, within 1e-9 of "
        "it, and at 0",
        "near_boundary": "poles within 1e-6 to 1e-12 of the stability boundary",
        "graded_gains": "gains falling by two or three decades from mode to mode: "
        "values far below the rounding of the largest",
        "extreme_scaling": "B and C scaled by 2^200 to 2^400, up or down, and states "
        "by 2^26: squares overflow",
    }
)


def nasty_systems(
    kinds: Collection[NastyKind] | None = None,
    *,
    max_states: int = 8,
    max_inputs: int = 3,
    max_outputs: int = 3,
    time: TimeDomain | None = None,
) -> Systems:
    """Strategy of stable systems of the kinds that break codes.

    Parameters
    ----------
    kinds : collection of NastyKind, optional
        The kinds to draw from, each as often as the others; all by default. Their
        descriptions are in `NASTY_KINDS`.
    max_states, max_inputs, max_outputs : int
        Largest sizes; `max_states` at least 3. Kinds that need two inputs and outputs
        have them.
    time : Continuous or Discrete, optional
        The time domain; either by default.

    Returns
    -------
    hypothesis.strategies.SearchStrategy
        Of `StateSpace` or `DiagonalStateSpace`, by the kind, in double precision. The
        statistics of hypothesis (``--hypothesis-show-statistics``) count the kinds.

    Raises
    ------
    MissingDependencyError
        If hypothesis is not installed.
    ValueError
        If a kind is unknown, there is none, or a size is too small.

    See Also
    --------
    unstable_systems : Poles outside or on the stability boundary.

    Examples
    --------
    >>> from hypothesis import given
    >>> import hankelcut as hc
    >>> @given(nasty_systems(["all_pass"], max_states=4))
    ... def test_property(system):
    ...     values = hc.hankel_singular_values(system)
    ...     assert values.max() <= values.min() * (1 + 1e-9)
    """
    named = named_nasty_systems(
        kinds,
        max_states=max_states,
        max_inputs=max_inputs,
        max_outputs=max_outputs,
        time=time,
    )
    systems: Systems = named.map(lambda drawn: drawn[1])
    return systems


def named_nasty_systems(
    kinds: Collection[NastyKind] | None = None,
    *,
    max_states: int = 8,
    max_inputs: int = 3,
    max_outputs: int = 3,
    time: TimeDomain | None = None,
) -> Any:
    """Strategy of pairs of the name of a kind and a system of it.

    Parameters
    ----------
    kinds, max_states, max_inputs, max_outputs, time
        As in `nasty_systems`.
    """
    chosen = tuple(KINDS if kinds is None else kinds)
    if unknown := set(chosen) - KINDS.keys():
        msg = f"nasty_systems: got the kinds {sorted(unknown)}, need some of "
        raise ValueError(msg + ", ".join(KINDS))
    if not chosen or max_states < 3 or min(max_inputs, max_outputs) < 1:
        msg = (
            f"nasty_systems: got {len(chosen)} kinds, max_states={max_states}, "
            f"max_inputs={max_inputs}, max_outputs={max_outputs}, need at least one "
            "kind, 3 states, one input and one output"
        )
        raise ValueError(msg)
    strategies = hypothesis_strategies()
    lattice = Lattice(strategies)
    drawing = NastyDrawing(lattice, max_states, max_inputs, max_outputs, time)

    def build(draw: Draw) -> tuple[str, StateSpace | DiagonalStateSpace]:
        from hypothesis import event

        kind = draw(strategies.sampled_from(chosen))
        event(f"nasty system: {kind}")
        return kind, KINDS[kind](drawing, draw)

    return strategies.composite(build)()
