"""How systems and numbers are put into words."""

import math
from typing import TypeAlias

from hankelcut._typing import Array
from hankelcut.lti.norms.hinf_norm import HinfBracket
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.sparse_state_space import SparseStateSpace
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.lti.systems.time_domain import Continuous, TimeDomain
from hankelcut.plotting._drawable import seconds_per_sample

__all__ = [
    "System",
    "counted",
    "in_bracket",
    "margin_unit",
    "number",
    "peak_frequency",
    "system_in_words",
    "time_in_words",
]

System: TypeAlias = StateSpace | DiagonalStateSpace | SparseStateSpace


def number(value: Array) -> str:
    """Return a number with four digits."""
    return f"{float(value):.4g}"


def counted(count: int, what: str) -> str:
    """Return a count with its noun: "1 state", "2 states"."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def time_in_words(time: TimeDomain) -> str:
    """Return what the time domain is."""
    if isinstance(time, Continuous):
        return "continuous time"
    return f"discrete time, a sample every {time.dt:g} s"


def system_in_words(system: System) -> str:
    """Return the sizes, kind and time domain of a system."""
    kinds = {DiagonalStateSpace: ", diagonal", SparseStateSpace: ", sparse"}
    return (
        f"{counted(system.n_states, 'state')}, {counted(system.n_inputs, 'input')}, "
        f"{counted(system.n_outputs, 'output')}{kinds.get(type(system), '')}, "
        f"{time_in_words(system.time)}"
    )


def margin_unit(time: TimeDomain) -> str:
    """Return the unit of a stability margin."""
    return "rad/s" if isinstance(time, Continuous) else "(1 - largest |pole|)"


def peak_frequency(bracket: HinfBracket, time: TimeDomain) -> float:
    """Return the frequency of a peak in rad/s, of discrete systems too."""
    return float(bracket.frequency) / seconds_per_sample(time)


def in_bracket(bracket: HinfBracket, time: TimeDomain) -> str:
    """Return both ends of a norm and where it was found."""
    lower, upper = float(bracket.lower), float(bracket.upper)
    if math.isinf(lower):
        return "infinite: there are unstable poles"
    at = f"at {peak_frequency(bracket, time):.4g} rad/s"
    if math.isinf(upper):
        return f"at least {lower:.4g}, {at}"
    return f"{lower:.4g} to {upper:.4g}, {at}"
