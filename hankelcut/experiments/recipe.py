"""Recipes: everything that decides the outcome of a run, in plain values."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, get_args

from hankelcut.adapters.policies import (
    EnergyTolerance,
    ErrorTolerance,
    FixedFraction,
    Policy,
    TargetOrder,
)
from hankelcut.experiments.tasks import TASKS

__all__ = [
    "RECIPES",
    "CutPlan",
    "CutSchedule",
    "PolicyName",
    "Recipe",
    "recipe_for",
]

PolicyName = Literal["energy", "error", "fraction", "order"]

# The schedule of Chahine et al. (ICLR 2026): four equidistant cuts in the warm-up.
_DEFAULT_CUTS = 4
_COUNTS = ("d_model", "d_state", "n_blocks", "steps", "batch_size", "evaluate_every")


def _require(condition: bool, name: str, value: object, need: str) -> None:
    """Raise ValueError with the value's name unless the condition holds."""
    if not condition:
        msg = f"recipe: got {name}={value!r}, need {need}"
        raise ValueError(msg)


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
        Optimizer steps between attempts. By default four equidistant ones, the last of
        them at `until`.
    start : int
        First step at which a cut may take place; needs `every`.
    until : int, optional
        Last step at which one may; by default the end of the warm-up, or of the
        training where `every` is given.
    minimum_saving : float
        Share of a layer's states that a cut must remove to take place, in [0, 1).
    map : {"real", "complex"}
        What is balanced: the real input-output map or the complex states (ablation).
    gramians : {"structured", "closed_form"}
        Accurate to the last singular value, or faster with a bound that says how much
        rounding may hide.
    optimizer_state : {"transport", "reset", "slice"}
        What becomes of the optimizer's moments.

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
    minimum_saving: float = 0.05
    map: Literal["real", "complex"] = "real"
    gramians: Literal["structured", "closed_form"] = "structured"
    optimizer_state: Literal["transport", "reset", "slice"] = "transport"

    def __post_init__(self) -> None:
        self.make_policy()
        for name, value in (("every", self.every), ("until", self.until)):
            if value is not None:
                _require(value >= 1, name, value, "at least 1")
        _require(self.start >= 0, "start", self.start, "at least 0")
        if self.every is None:
            _require(self.start == 0, "start", self.start, "0 where `every` is not set")
        if self.until is not None:
            need = f"at most until={self.until}"
            _require(self.start <= self.until, "start", self.start, need)
        _require(
            0 <= self.minimum_saving < 1,
            "minimum_saving",
            self.minimum_saving,
            "a share in [0, 1)",
        )

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
        _require(whole, "value", self.value, "a whole number for the policy 'order'")
        return TargetOrder(int(self.value))


@dataclass(frozen=True)
class Recipe:
    """One training run; the same recipe, task data and thread count repeat it.

    Parameters
    ----------
    task : str
        Name of the task, a key of `hankelcut.experiments.tasks.TASKS`.
    d_model, d_state, n_blocks : int
        Channels, states per layer at the beginning, and blocks of the classifier.
    dropout : float
        Share of activations dropped in training, in [0, 1).
    r_min, r_max, max_phase : float
        Radii and largest phase (radians per step) of the initial poles.
    steps, batch_size : int
        Optimizer steps, and sequences in each.
    learning_rate : float
        Largest rate of AdamW, reached at the end of the warm-up.
    state_rate_factor : float
        Rate of the poles, B and C of the recurrent layers relative to the others.
    weight_decay : float
        Decoupled weight decay; none on nu, theta and gamma.
    warmup_share : float
        Share of the steps in which the rate rises linearly, before its cosine decay.
    cuts : CutPlan, optional
        How the layers are cut in training; None leaves them at full size.
    seed : int
        Of initialisation, batches and dropout. The split of the data is the task's.
    evaluate_every : int
        Steps between evaluations on the validation part, which are also the points
        from which an interrupted run can be resumed.

    Raises
    ------
    ValueError
        If a value is out of its range.
    """

    task: str = "digits"
    d_model: int = 32
    d_state: int = 256
    n_blocks: int = 2
    dropout: float = 0.1
    r_min: float = 0.0
    r_max: float = 1.0
    max_phase: float = 6.28
    steps: int = 600
    batch_size: int = 50
    learning_rate: float = 8e-3
    state_rate_factor: float = 0.5
    weight_decay: float = 0.05
    warmup_share: float = 0.1
    cuts: CutPlan | None = field(default_factory=CutPlan)
    seed: int = 0
    evaluate_every: int = 100

    def __post_init__(self) -> None:
        tasks = ", ".join(sorted(TASKS))
        _require(self.task in TASKS, "task", self.task, f"one of {tasks}")
        for name in _COUNTS:
            value = getattr(self, name)
            _require(value >= 1, name, value, "at least 1")
        for name in ("learning_rate", "state_rate_factor"):
            value = getattr(self, name)
            _require(0 < value < math.inf, name, value, "a number > 0")
        _require(0 <= self.dropout < 1, "dropout", self.dropout, "a share in [0, 1)")
        _require(
            0 <= self.r_min < self.r_max <= 1,
            "r_min, r_max",
            (self.r_min, self.r_max),
            "0 <= r_min < r_max <= 1",
        )
        _require(
            0 < self.max_phase <= 2 * math.pi,
            "max_phase",
            self.max_phase,
            "radians in (0, 2 pi]",
        )
        decay = self.weight_decay
        _require(0 <= decay < math.inf, "weight_decay", decay, "a number >= 0")
        share = self.warmup_share
        _require(0 <= share < 1, "warmup_share", share, "a share in [0, 1)")
        _require(self.seed >= 0, "seed", self.seed, "at least 0")

    @property
    def warmup_steps(self) -> int:
        """Number of steps in which the learning rate rises."""
        return round(self.warmup_share * self.steps)

    def rate_factor(self, step: int) -> float:
        """Learning rate of a step, relative to the largest.

        Parameters
        ----------
        step : int
            Number of the optimizer step, from 1.

        Returns
        -------
        float
            In (0, 1]: a linear rise, then half a cosine down to nearly 0.
        """
        if step <= self.warmup_steps:
            return step / self.warmup_steps
        share = (step - self.warmup_steps) / (self.steps + 1 - self.warmup_steps)
        return 0.5 * (1 + math.cos(math.pi * share))

    def cut_schedule(self) -> CutSchedule | None:
        """Return the steps after which cuts are attempted; None without cuts."""
        if self.cuts is None:
            return None
        if self.cuts.every is not None:
            until = self.cuts.until or self.steps
            return CutSchedule(self.cuts.every, self.cuts.start, until)
        until = self.cuts.until or max(1, self.warmup_steps)
        every = max(1, until // _DEFAULT_CUTS)
        return CutSchedule(every, max(1, until - (_DEFAULT_CUTS - 1) * every), until)

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe in plain values that JSON can hold."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Recipe":
        """Read what `to_dict` wrote; fields that are left out take their defaults.

        Raises
        ------
        ValueError
            If a name is unknown, or a value is of another type or out of its range.
        """
        values = dict(values)
        cuts = values.get("cuts")
        if isinstance(cuts, Mapping):
            values["cuts"] = CutPlan(**_typed(CutPlan, cuts))
        return cls(**_typed(cls, values))


RECIPES = MappingProxyType(
    {
        "digits": Recipe(),
        # The hyper-parameters of Chahine et al. (ICLR 2026), table of appendix A.
        "smnist": Recipe(
            task="smnist",
            d_model=8,
            n_blocks=1,
            steps=200_000,
            learning_rate=4e-4,
            state_rate_factor=1.0,
            cuts=CutPlan(value=0.02),
            evaluate_every=2_000,
        ),
    }
)
"""The recipe of each task, to be changed with `dataclasses.replace`."""


def recipe_for(task: str) -> Recipe:
    """Return the default recipe of a task.

    Parameters
    ----------
    task : str
        A key of `RECIPES`.

    Returns
    -------
    Recipe
        The recipe, with cuts.

    Raises
    ------
    ValueError
        If there is no task of that name.
    """
    _require(task in RECIPES, "task", task, f"one of {', '.join(sorted(RECIPES))}")
    return RECIPES[task]


def _typed(
    owner: type[Recipe] | type[CutPlan], values: Mapping[str, Any]
) -> dict[str, Any]:
    """Values as JSON gives them in the fields' types; ValueError for misfits."""
    fields = {item.name: item.type for item in dataclasses.fields(owner)}
    typed = {}
    for name, value in values.items():
        _require(name in fields, "the field", name, f"one of {', '.join(fields)}")
        kind = fields[name]
        choices = get_args(kind) if get_args(kind) else (kind,)
        if float in choices and type(value) is int:
            value = float(value)
        need = " or ".join(
            choice.__name__ if isinstance(choice, type) else repr(choice)
            for choice in choices
        )
        # By type and not by isinstance: a truth is no whole number.
        _require(value in choices or type(value) in choices, name, value, need)
        typed[name] = value
    return typed
