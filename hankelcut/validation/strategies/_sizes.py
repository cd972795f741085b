"""The sizes of drawn systems, and what options they can have together."""

import math
from dataclasses import dataclass

__all__ = ["Sizes", "require_margin"]

_LARGEST_MARGIN = 0.9


@dataclass(frozen=True)
class Sizes:
    """Ranges of sizes, and how a system is made of silent states and of copies.

    Raises
    ------
    ValueError
        If no system fits the ranges; the message begins with the caller.
    """

    caller: str
    min_states: int
    max_states: int
    max_inputs: int
    max_outputs: int
    batch: tuple[int, ...] = ()
    silent: int = 0
    copies: int = 1

    def __post_init__(self) -> None:
        if self.min_states < 0 or self.min_states > self.max_states:
            got = f"min_states={self.min_states}, max_states={self.max_states}"
            self._refuse(got, "0 <= min_states <= max_states")
        if min(self.max_inputs, self.max_outputs) < 1:
            got = f"max_inputs={self.max_inputs}, max_outputs={self.max_outputs}"
            self._refuse(got, "both at least 1")
        if self.silent < 0 or self.copies < 1 or any(k < 0 for k in self.batch):
            got = f"silent={self.silent}, copies={self.copies}, batch={self.batch}"
            self._refuse(got, "silent >= 0, copies >= 1 and a shape")
        channels = min(self.max_inputs, self.max_outputs)
        room = self.copies * max(self.silent, 1 if self.copies > 1 else 0)
        if self.most < self.least or self.copies > channels or room > self.max_states:
            got = f"copies={self.copies} with silent={self.silent}"
            need = (
                f"as many inputs and outputs, and a number of states from "
                f"{self.min_states} to {self.max_states} that they divide"
            )
            self._refuse(got, need + "; raise the largest sizes")

    @property
    def least(self) -> int:
        """Least number of drawn modes of one copy."""
        each = math.ceil(self.min_states / self.copies)
        return max(each - self.silent, 1 if self.copies > 1 and not self.silent else 0)

    @property
    def most(self) -> int:
        """Largest number of drawn modes of one copy."""
        return self.max_states // self.copies - self.silent

    @property
    def channels(self) -> tuple[int, int]:
        """Largest numbers of inputs and outputs of one copy."""
        return self.max_inputs // self.copies, self.max_outputs // self.copies

    @property
    def count(self) -> int:
        """Number of systems of a batch."""
        return math.prod(self.batch)

    def _refuse(self, got: str, need: str) -> None:
        msg = f"{self.caller}: got {got}, need {need}"
        raise ValueError(msg)


def require_margin(caller: str, margin: float, least: float) -> None:
    """Raise ValueError unless a margin is in its range."""
    if not least <= margin <= _LARGEST_MARGIN:
        msg = f"{caller}: got margin={margin:g}, need {least:.2g} <= margin <= "
        raise ValueError(msg + f"{_LARGEST_MARGIN:g}")
