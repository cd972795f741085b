"""The time domain of a system that came from elsewhere."""

from typing import Literal, TypeAlias

from hankelcut._errors import InvalidSystemError
from hankelcut.lti.systems.time_domain import Continuous, Discrete, TimeDomain

__all__ = ["StatedTime", "agreed_time"]

StatedTime: TypeAlias = TimeDomain | Literal["discrete"] | None
"""What a system says: its domain, discrete of unknown period, or nothing at all."""


def agreed_time(
    caller: str, stated: StatedTime, given: TimeDomain | None
) -> TimeDomain:
    """Return the time domain that a system states, completed by that of the caller.

    Raises
    ------
    InvalidSystemError
        If the two contradict each other, or together say too little.
    """
    if isinstance(stated, Continuous | Discrete):
        if given not in (None, stated):
            msg = (
                f"{caller}: got time={given} for a system that says {stated}; leave "
                "`time` out, or change the system itself"
            )
            raise InvalidSystemError(msg)
        return stated
    if stated is None:
        if given is None:
            msg = (
                f"{caller}: got a system that does not say whether it is continuous or "
                "discrete; pass time=Continuous() or time=Discrete(dt)"
            )
            raise InvalidSystemError(msg)
        return given
    if not isinstance(given, Discrete):
        msg = (
            f"{caller}: got a discrete system of unknown sampling period and "
            f"time={given}, need its period; pass time=Discrete(dt)"
        )
        raise InvalidSystemError(msg)
    return given
