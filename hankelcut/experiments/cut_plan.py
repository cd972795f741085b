"""When and how layers are cut in training, in plain values."""

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

from hankelcut.adapters.policies import (
    EnergyTolerance,
    ErrorTolerance,
    FixedFraction,
    Policy,
    TargetOrder,
)
from hankelcut.experiments._values import require

__all__ = ["CutPlan", "CutSchedule", "PolicyName"]

PolicyName: TypeAlias = Literal["energy", "error", "fraction", "order"]
"""Names of the policies of `hankelcut.adapters`."""


@dataclass(frozen=True)
class CutSchedule:
    """Steps after which a cut is attempted, as `InTrainingReducer` takes them.

    Parameters
    ----------
    every : int
        Distance between attempts in optimizer steps.
    start, until : int
        First and last step at which one may take place.
    """

    every: int
    start: int
    until: int


@dataclass(frozen=True)
class CutPlan:
    """When and how the layers are cut in training.

    Parameters
    ----------
    policy : {"energy", "error", "fraction", "order"}
        What decides the orders: the discarded share of the sum of the Hankel singular
        values, the error bound, the fraction of states removed, or the order itself.
    value : float
        The policy's number.
    every : int, optional
        Optimizer steps between attempts. By default `count` equidistant ones between
        `start` and `until`, the last of them at `until`.
    start : int
        First step at which a cut may take place.
    until : int, optional
        Last step at which one may; by default the end of the window, or of the training
        where `every` is given.
    count : int
        Number of attempts where `every` is not given.
    window : {"warm-up", "training"}
        Where `count` attempts lie unless `until` is given: up to the end of the
        warm-up, or spread over the training such that as many steps follow the last as
        lie between two.
    minimum_saving : float
        Share of a layer's states that a cut must remove to take place, in [0, 1).
    multiple_of : int
        Numbers of states are rounded up to a multiple of this one.
    map : {"real", "complex"}
        What is balanced: the real input-output map or the complex states (ablation).
    gramians : {"structured", "closed_form"}
        Accurate to the last singular value, or faster with a bound that says how much
        rounding may hide.
    optimizer_state : {"transport", "reset", "slice"}
        What becomes of the optimizer's moments.
    selection : {"largest", "smallest", "random", "hinf", "energy"}
        Which states are kept: those of the largest Hankel singular values, or as an
        ablation others, as many of them (see `InTrainingReducer`).
    rollback_tolerance : float, optional
        Undo a cut that raises the loss on validation sequences by more than this share.

    Raises
    ------
    ValueError
        If a number is out of its range.
    """

    policy: PolicyName = "energy"
    value: float = 0.05
    every: int | None = None
    start: int = 0
    until: int | None = None
    # The schedule of Chahine et al. (ICLR 2026): four equidistant cuts in the warm-up.
    count: int = 4
    window: Literal["warm-up", "training"] = "warm-up"
    minimum_saving: float = 0.05
    multiple_of: int = 1
    map: Literal["real", "complex"] = "real"
    gramians: Literal["structured", "closed_form"] = "structured"
    optimizer_state: Literal["transport", "reset", "slice"] = "transport"
    selection: Literal["largest", "smallest", "random", "hinf", "energy"] = "largest"
    rollback_tolerance: float | None = None

    def __post_init__(self) -> None:
        self.make_policy()
        for name, value in (
            ("every", self.every),
            ("until", self.until),
            ("count", self.count),
            ("multiple_of", self.multiple_of),
        ):
            if value is not None:
                require(value >= 1, name, value, "at least 1")
        require(self.start >= 0, "start", self.start, "at least 0")
        if self.until is not None:
            need = f"at most until={self.until}"
            require(self.start <= self.until, "start", self.start, need)
        require(
            0 <= self.minimum_saving < 1,
            "minimum_saving",
            self.minimum_saving,
            "a share in [0, 1)",
        )
        tolerance = self.rollback_tolerance
        if tolerance is not None:
            valid = 0 <= tolerance < math.inf
            require(valid, "rollback_tolerance", tolerance, "a share >= 0")

    def make_policy(self) -> Policy:
        """Return the policy object.

        Raises
        ------
        ValueError
            If the policy does not take the number.
        """
        if self.policy == "energy":
            return EnergyTolerance(self.value)
        if self.policy == "error":
            return ErrorTolerance(self.value)
        if self.policy == "fraction":
            return FixedFraction(self.value)
        whole = math.isfinite(self.value) and self.value == int(self.value)
        require(whole, "value", self.value, "a whole number for the policy 'order'")
        return TargetOrder(int(self.value))

    def schedule(self, steps: int, warmup_steps: int) -> CutSchedule:
        """Return the steps after which cuts are attempted.

        Parameters
        ----------
        steps, warmup_steps : int
            Optimizer steps of the run and of its warm-up.

        Raises
        ------
        ValueError
            If the window ends before it starts.
        """
        if self.every is not None:
            return CutSchedule(self.every, self.start, self.until or steps)
        window = warmup_steps if self.window == "warm-up" else _open_end(steps, self)
        until = self.until or max(1, window)
        require(
            self.start <= until,
            "start",
            self.start,
            f"at most {until}, where the window of the cuts ends",
        )
        every = max(1, (until - self.start) // self.count)
        first = max(1, self.start, until - (self.count - 1) * every)
        return CutSchedule(every, first, until)


def _open_end(steps: int, plan: CutPlan) -> int:
    """Return the last of `count` attempts with as many steps behind it as between."""
    return plan.start + (steps - plan.start) * plan.count // (plan.count + 1)
