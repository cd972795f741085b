"""Continuous stand-ins of discrete systems, for methods made for continuous time."""

import math
from dataclasses import dataclass, replace

import numpy as np

from hankelcut._errors import IllConditionedError
from hankelcut.lti.systems.discretization import discretize, undiscretize
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.lti.systems.time_domain import Continuous, TimeDomain

__all__ = ["ContinuousFrame"]

# The map loses as many digits as a pole is close to the point that becomes infinite.
_CLOSE = 1e-2


@dataclass(frozen=True, eq=False)
class ContinuousFrame:
    r"""A continuous system with the gains of another one, and the way back.

    A discrete system is mapped by :math:`s = (z - 1) / (h (z + 1))`, h half of its
    sampling period. Both systems have the same Gramians, the same solutions of Riccati
    equations, and the same gains at points of the stability boundary that belong
    together. The frequency z = -1 becomes infinite, so that a method that keeps D keeps
    the response at z = -1.

    Parameters
    ----------
    system : StateSpace
        The continuous system; a continuous one stands for itself.
    time : Continuous or Discrete
        The time domain to come back to.
    turned : bool
        Whether z has been replaced by -z, because a pole is at or next to z = -1: what
        is said of z = -1 then holds of z = 1.
    """

    system: StateSpace
    time: TimeDomain
    turned: bool = False

    @classmethod
    def of(cls, system: StateSpace, caller: str) -> "ContinuousFrame":
        """Map a system.

        Parameters
        ----------
        system : StateSpace
            The system, with any poles.
        caller : str
            Name in error messages.

        Raises
        ------
        IllConditionedError
            If a discrete system has poles at both 1 and -1.
        """
        if isinstance(system.time, Continuous):
            return cls(system, system.time)
        turned = _should_turn(system)
        chosen = _turned(system) if turned else system
        try:
            continuous = undiscretize(chosen, method="bilinear")
        except IllConditionedError as error:
            msg = (
                f"{caller}: got poles at 1 and at -1, need one of the points without a "
                "pole, for the map to continuous time to make it infinite; split off "
                "the poles at one of them and keep them"
            )
            raise IllConditionedError(msg) from error
        return cls(continuous, system.time, turned=turned)

    @property
    def infinity(self) -> str:
        """Frequency of the system that the continuous one has at infinity."""
        if isinstance(self.time, Continuous):
            return "infinite frequency"
        return "z = 1" if self.turned else "z = -1"

    def frequency(self, value: float) -> str:
        """Say which frequency of the system is one of the continuous system.

        Parameters
        ----------
        value : float
            Frequency of the continuous system in rad/s.
        """
        if isinstance(self.time, Continuous):
            return f"{value:.6g} rad/s"
        angle = 2 * math.atan(value * self.time.dt / 2)
        if self.turned:
            angle = math.remainder(angle + math.pi, 2 * math.pi)
        return f"{angle:.6g} radians per sample"

    def back(self, system: StateSpace) -> StateSpace:
        """Map a continuous system back to the time domain of the frame.

        Parameters
        ----------
        system : StateSpace
            Continuous system.

        Raises
        ------
        IllConditionedError
            If an unstable pole of it belongs to an infinite z.
        """
        if isinstance(self.time, Continuous):
            return system
        discrete = discretize(system, self.time.dt, method="bilinear")
        return _turned(discrete) if self.turned else discrete


def _should_turn(system: StateSpace) -> bool:
    """Whether a pole is close to z = -1, and none is as close to z = 1."""
    poles = np.linalg.eigvals(system.A)
    to_minus_one = float(np.min(np.abs(poles + 1), initial=math.inf))
    to_one = float(np.min(np.abs(poles - 1), initial=math.inf))
    return to_minus_one < min(_CLOSE, to_one)


def _turned(system: StateSpace) -> StateSpace:
    """Return the discrete system G(-z)."""
    return replace(system, A=-system.A, B=-system.B)
