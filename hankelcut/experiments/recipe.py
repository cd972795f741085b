"""Recipes: everything that decides the outcome of a run, in plain values."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from hankelcut.experiments._values import require, typed
from hankelcut.experiments.cut_plan import CutPlan, CutSchedule
from hankelcut.experiments.tasks.registry import IMAGE_TASKS, TASKS
from hankelcut.nn import LayerKind

__all__ = ["Distillation", "HankelPenalty", "Recipe"]

_COUNTS = (
    "d_model",
    "d_state",
    "n_blocks",
    "steps",
    "batch_size",
    "evaluate_every",
    "pooling",
)


@dataclass(frozen=True)
class Distillation:
    """Learning from the scores of a larger model beside the classes.

    The loss is (1 - share) CE + share T^2 KL(teacher | student), both of logits over T
    (Hinton, Vinyals & Dean, 2015).

    Parameters
    ----------
    temperature : float
        T, dimensionless.
    share : float
        In (0, 1].

    Raises
    ------
    ValueError
        If a number is out of its range.
    """

    temperature: float = 2.0
    share: float = 0.5

    def __post_init__(self) -> None:
        hot = 0 < self.temperature < math.inf
        require(hot, "temperature", self.temperature, "a number > 0")
        require(0 < self.share <= 1, "share", self.share, "a share in (0, 1]")


@dataclass(frozen=True)
class HankelPenalty:
    """Hankel nuclear norm of every layer in the loss: see `hankel_nuclear_norm`.

    Parameters
    ----------
    weight : float
        Weight of the sum of the norms, beside the cross-entropy.
    every : int
        The penalty acts in every so many steps, with so many times the weight.

    Raises
    ------
    ValueError
        If a number is out of its range.
    """

    weight: float
    every: int = 1

    def __post_init__(self) -> None:
        require(0 < self.weight < math.inf, "weight", self.weight, "a number > 0")
        require(self.every >= 1, "every", self.every, "at least 1")


@dataclass(frozen=True)
class Recipe:
    """One training run; the same recipe, task data and thread count repeat it.

    Parameters
    ----------
    task : str
        Name of the task, one of `hankelcut.experiments.tasks.TASKS`.
    pooling : int
        For images: side of the squares of pixels that are averaged, for shorter
        sequences.
    layer : {"lru", "s4d", "s5"}
        State-space layer of the blocks: see `hankelcut.nn.make_layer`.
    d_model, d_state, n_blocks : int
        Channels, states per layer at the beginning, and blocks of the classifier.
    dropout : float
        Share of activations dropped in training, in [0, 1).
    r_min, r_max, max_phase : float
        Radii and largest phase (radians per step) of an LRU's initial poles.
    steps, batch_size : int
        Optimizer steps, and sequences in each.
    learning_rate : float
        Largest rate of AdamW.
    rate_schedule : {"warmup_cosine", "constant"}
        A linear rise in the warm-up and half a cosine down to nearly 0, or one rate.
    state_rate_factor : float
        Rate of the state parameters of the recurrent layers relative to the others.
    slow_output : bool
        Whether C is one of them, as poles, steps, gamma and B are.
    weight_decay : float
        Decoupled weight decay; none on poles, steps and gamma.
    decay_state : bool
        Whether it acts on B and on a slow C.
    warmup_share : float
        Share of the steps that is the warm-up, in which cuts are by default.
    cuts : CutPlan, optional
        How the layers are cut in training; None leaves them at full size.
    distillation : Distillation, optional
        Learning from a teacher, which `train` takes.
    penalty : HankelPenalty, optional
        Regularisation of the Hankel singular values of LRUs.
    seed : int
        Of initialisation, batches and dropout. The split of the data is the task's.
    evaluate_every : int
        Steps between evaluations on the validation part, which are also the points
        from which an interrupted run can be resumed.
    monitored : int, optional
        How many of the validation sequences these evaluations look at; all by default,
        as at the end.

    Raises
    ------
    ValueError
        If a value is out of its range.
    """

    task: str = "digits"
    pooling: int = 1
    layer: LayerKind = "lru"
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
    rate_schedule: Literal["warmup_cosine", "constant"] = "warmup_cosine"
    state_rate_factor: float = 0.5
    slow_output: bool = True
    weight_decay: float = 0.05
    decay_state: bool = True
    warmup_share: float = 0.1
    cuts: CutPlan | None = field(default_factory=CutPlan)
    distillation: Distillation | None = None
    penalty: HankelPenalty | None = None
    seed: int = 0
    evaluate_every: int = 100
    monitored: int | None = None

    def __post_init__(self) -> None:
        layers = get_args(LayerKind)
        require(
            self.layer in layers, "layer", self.layer, f"one of {', '.join(layers)}"
        )
        tasks = ", ".join(sorted(TASKS))
        require(self.task in TASKS, "task", self.task, f"one of {tasks}")
        for name in _COUNTS:
            value = getattr(self, name)
            require(value >= 1, name, value, "at least 1")
        if self.monitored is not None:
            require(self.monitored >= 1, "monitored", self.monitored, "at least 1")
        can_be_pooled = self.pooling == 1 or self.task in IMAGE_TASKS
        require(can_be_pooled, "pooling", self.pooling, f"1 for {self.task}: no images")
        for name in ("learning_rate", "state_rate_factor"):
            value = getattr(self, name)
            require(0 < value < math.inf, name, value, "a number > 0")
        require(0 <= self.dropout < 1, "dropout", self.dropout, "a share in [0, 1)")
        require(
            0 <= self.r_min < self.r_max <= 1,
            "r_min, r_max",
            (self.r_min, self.r_max),
            "0 <= r_min < r_max <= 1",
        )
        require(
            0 < self.max_phase <= 2 * math.pi,
            "max_phase",
            self.max_phase,
            "radians in (0, 2 pi]",
        )
        decay = self.weight_decay
        require(0 <= decay < math.inf, "weight_decay", decay, "a number >= 0")
        share = self.warmup_share
        require(0 <= share < 1, "warmup_share", share, "a share in [0, 1)")
        require(self.seed >= 0, "seed", self.seed, "at least 0")
        can_be_penalised = self.penalty is None or self.layer == "lru"
        require(can_be_penalised, "penalty", self.penalty, "None, or layer='lru'")
        self.cut_schedule()

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
            In (0, 1].
        """
        if self.rate_schedule == "constant":
            return 1.0
        if step <= self.warmup_steps:
            return step / self.warmup_steps
        share = (step - self.warmup_steps) / (self.steps + 1 - self.warmup_steps)
        return 0.5 * (1 + math.cos(math.pi * share))

    def cut_schedule(self) -> CutSchedule | None:
        """Return the steps after which cuts are attempted; None without cuts."""
        if self.cuts is None:
            return None
        return self.cuts.schedule(self.steps, self.warmup_steps)

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
        return cls(**typed(cls, values))
