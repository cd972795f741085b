"""Protocols: which methods are compared, with which recipe and how many seeds."""

import dataclasses
from dataclasses import dataclass

from hankelcut.experiments._values import require
from hankelcut.experiments.cut_plan import CutPlan
from hankelcut.experiments.recipe import Recipe
from hankelcut.experiments.recipes import recipe_for

__all__ = ["PROTOCOL_NAMES", "Protocol", "protocol_for"]

PROTOCOL_NAMES = ("paper", "cpu")
"""Names of the protocols."""

# What the table of methods holds besides the sizes.
_ABLATIONS = (
    "complex",
    "slice",
    "reset",
    "once",
    "throughout",
    "rollback",
    "smallest",
    "random",
    "last",
    "aire",
    "distilled",
    "penalised",
    "nuclear",
    "after",
    "perturbed-after",
    "last-after",
    "aire-after",
)
_PAPER_TAUS = {"smnist": (0.01, 0.04), "scifar": (0.05, 0.15)}
# Four cuts instead of dozens: larger shares come to sizes like the paper's.
_CPU_TAUS = (0.05, 0.1)


@dataclass(frozen=True)
class Protocol:
    """A comparison of methods.

    Parameters
    ----------
    name : str
        Short name.
    summary : str
        What is done, in a sentence.
    recipe : Recipe
        Of the runs that are cut; its cuts hold the tau of methods that name none.
    methods : tuple of str
        Methods, some with another tau behind a colon.
    seeds : int
        Number of seeds.
    """

    name: str
    summary: str
    recipe: Recipe
    methods: tuple[str, ...]
    seeds: int


def protocol_for(task: str, name: str) -> Protocol:
    """Return a protocol for a task.

    Parameters
    ----------
    task : str
        Name of the task.
    name : {"paper", "cpu"}
        ``"paper"``: hyper-parameters, schedule and number of seeds of Chahine et al.
        (ICLR 2026), full size, cuts at their taus and direct training at the sizes that
        result. ``"cpu"``: a shorter training with all methods, for sMNIST.

    Raises
    ------
    ValueError
        If there is no such protocol for the task.
    """
    require(name in PROTOCOL_NAMES, "protocol", name, " or ".join(PROTOCOL_NAMES))
    recipe = recipe_for(task)
    taus = _CPU_TAUS if name == "cpu" else _PAPER_TAUS.get(task, ())
    sizes = [f"{method}:{tau:g}" for tau in taus for method in ("cut", "direct")]
    if name == "paper":
        return Protocol(
            "paper",
            "The hyper-parameters and the schedule of the paper.",
            recipe,
            ("full", "cut", "direct", *sizes),
            seeds=10 if task == "smnist" else 5,
        )
    require(task == "smnist", "protocol", "cpu", f"'paper' for {task}")
    return Protocol(
        "cpu",
        "A training short enough for two processor cores: fewer steps than the "
        "paper's, at a larger learning rate with a warm-up and a cosine decay, and "
        "four cuts in the warm-up.",
        dataclasses.replace(
            recipe,
            steps=2_500,
            learning_rate=2e-2,
            rate_schedule="warmup_cosine",
            cuts=CutPlan(value=0.02),
            evaluate_every=250,
            monitored=1_000,
        ),
        ("full", "cut", "direct", *sizes, *_ABLATIONS),
        seeds=3,
    )
