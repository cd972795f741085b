"""How layers are cut, whatever the policy."""

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from hankelcut.adapters.cuts.optimizer_state import OptimizerStateMode
from hankelcut.lti import GramianMethod
from hankelcut.reduction import StateMap, StateSelection

__all__ = ["CutSettings", "SelectiveCut"]

SelectiveCut: TypeAlias = Literal["select", "project"]
"""Whether selective layers keep some of their states, or a subspace of them."""

# The share of the states that a cut must save may come out this far above a whole
# number.
_SHARE_ROUNDING = 1e-9


@dataclass(frozen=True)
class CutSettings:
    """How layers are cut, whatever the policy.

    Parameters
    ----------
    minimum_saving : float
        Layers that would lose a smaller share of their states stay as they are.
    multiple_of : int
        Numbers of states are rounded up to a multiple of this one.
    map : {"real", "complex"}
        What is balanced; see `hankelcut.reduction.balance`.
    gramians : {"structured", "closed_form"}
        How; see `hankelcut.lti.gramian_factors`.
    optimizer_state : {"transport", "reset", "slice"}
        What becomes of the optimizer's moments.
    selection : {"largest", "smallest", "random", "hinf", "energy"}
        Which states are kept; see `hankelcut.reduction.StateSelection`. The policy
        decides their number from the Hankel singular values all the same.
    seed : int
        Decides random ones.
    selective : {"select", "project"}
        Selective layers keep some of their states, or, where all states of a channel
        decay alike, a subspace of them; two small matrices more then hold it.

    Raises
    ------
    ValueError
        If an option is out of range.
    """

    minimum_saving: float = 0.05
    multiple_of: int = 1
    map: StateMap = "real"
    gramians: GramianMethod = "structured"
    optimizer_state: OptimizerStateMode = "transport"
    selection: StateSelection = "largest"
    seed: int = 0
    selective: SelectiveCut = "select"

    def __post_init__(self) -> None:
        if not 0 <= self.minimum_saving < 1:
            msg = f"got minimum_saving={self.minimum_saving!r}, need a share in [0, 1)"
            raise ValueError(msg)
        if self.multiple_of < 1:
            msg = f"got multiple_of={self.multiple_of!r}, need a whole number >= 1"
            raise ValueError(msg)
        for name, choices in (
            ("map", StateMap),
            ("gramians", GramianMethod),
            ("optimizer_state", OptimizerStateMode),
            ("selection", StateSelection),
            ("selective", SelectiveCut),
        ):
            if getattr(self, name) not in get_args(choices):
                msg = f"got {name}={getattr(self, name)!r}, need one of "
                raise ValueError(msg + ", ".join(get_args(choices)))

    def most_states(self, before: int) -> int:
        """Most states that a cut may keep to save enough.

        Parameters
        ----------
        before : int
            Number of states before it.
        """
        share = self.minimum_saving * before - _SHARE_ROUNDING
        return before - max(1, math.ceil(share))
