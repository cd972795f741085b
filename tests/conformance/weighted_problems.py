"""Systems between weights that stored results belong to."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

import hankelcut as hc
from hankelcut.validation import random_stable_system

__all__ = ["CASES", "Case"]


@dataclass(frozen=True)
class Case:
    """A random system of 8 states, 2 inputs and 3 outputs, and its weights.

    Parameters
    ----------
    dico : {"C", "D"}
        Continuous or discrete time.
    weight : {"L", "R", "B"}
        A weight at the outputs (left), at the inputs (right), or both.
    order : int
        Order of the reduced model.
    """

    dico: Literal["C", "D"]
    weight: Literal["L", "R", "B"]
    order: int = 4

    @property
    def name(self) -> str:
        """What results are stored under."""
        kind = "continuous" if self.dico == "C" else "discrete"
        sides = {"L": "output weight", "R": "input weight", "B": "two weights"}
        return f"random {kind} system, {sides[self.weight]}, order {self.order}"

    def systems(self) -> tuple[hc.StateSpace, hc.StateSpace, hc.StateSpace]:
        """Return the system, the input weight and the output weight."""
        rng = np.random.default_rng(5)
        time = hc.Continuous() if self.dico == "C" else hc.Discrete(0.1)
        sizes = [(8, 2, 3), (3, 2, 2), (2, 3, 3)]
        system, before, after = (
            random_stable_system(rng, *size, time, margin=0.1) for size in sizes
        )
        return system, before, after


CASES = [Case(dico, weight) for dico in ("C", "D") for weight in ("L", "R", "B")]
