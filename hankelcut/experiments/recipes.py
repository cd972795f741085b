"""The recipe of each task: hyper-parameters of Chahine et al. (ICLR 2026).

Values are those of the paper's table of hyper-parameters and, where it is silent, of
the published configurations: radii of the poles from 0.9 to 0.999; the poles, gamma and
B of the recurrent layers at a rate of their own and without weight decay, C with all
else.
"""

from types import MappingProxyType

from hankelcut.experiments._values import require
from hankelcut.experiments.cut_plan import CutPlan
from hankelcut.experiments.recipe import Recipe

__all__ = ["RECIPES", "recipe_for"]


def _published(
    task: str,
    *,
    blocks: int,
    channels: int,
    states: int,
    steps: int,
    batch_size: int,
    state_rate_factor: float,
    dropout: float,
    cuts: CutPlan = CutPlan(value=0.1),  # noqa: B008 - frozen
) -> Recipe:
    """Return a recipe with what all the paper's tasks but sMNIST have in common."""
    return Recipe(
        task=task,
        d_model=channels,
        d_state=states,
        n_blocks=blocks,
        dropout=dropout,
        r_min=0.9,
        r_max=0.999,
        steps=steps,
        batch_size=batch_size,
        learning_rate=1e-3,
        state_rate_factor=state_rate_factor,
        slow_output=False,
        weight_decay=0.05,
        decay_state=False,
        cuts=cuts,
        evaluate_every=steps // 40,
    )


RECIPES = MappingProxyType(
    {
        "digits": Recipe(),
        # One rate throughout and no weight decay; cuts every 5,000 steps.
        "smnist": Recipe(
            task="smnist",
            d_model=8,
            d_state=256,
            n_blocks=1,
            dropout=0.1,
            r_min=0.9,
            r_max=0.999,
            steps=200_000,
            batch_size=50,
            learning_rate=4e-4,
            rate_schedule="constant",
            state_rate_factor=1.0,
            weight_decay=0.0,
            cuts=CutPlan(value=0.02, count=39, window="training"),
            evaluate_every=5_000,
        ),
        "scifar": _published(
            "scifar",
            blocks=6,
            channels=512,
            states=384,
            steps=180_000,
            batch_size=50,
            state_rate_factor=0.25,
            dropout=0.1,
        ),
        "listops": _published(
            "listops",
            blocks=6,
            channels=128,
            states=256,
            steps=80_000,
            batch_size=32,
            state_rate_factor=0.5,
            dropout=0.0,
        ),
        # No cut in the first 1,000 steps, and none after 3,000.
        "imdb": _published(
            "imdb",
            blocks=1,
            channels=256,
            states=192,
            steps=50_000,
            batch_size=32,
            state_rate_factor=0.1,
            dropout=0.2,
            cuts=CutPlan(value=0.1, start=1_000, until=3_000),
        ),
        "aan": _published(
            "aan",
            blocks=6,
            channels=128,
            states=256,
            steps=100_000,
            batch_size=64,
            state_rate_factor=0.5,
            dropout=0.1,
        ),
        "pathfinder": _published(
            "pathfinder",
            blocks=6,
            channels=192,
            states=256,
            steps=500_000,
            batch_size=64,
            state_rate_factor=0.25,
            dropout=0.0,
        ),
    }
)
"""The recipe of each task, to be changed with `dataclasses.replace`."""


def recipe_for(task: str) -> Recipe:
    """Return the recipe of a task.

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
    require(task in RECIPES, "task", task, f"one of {', '.join(sorted(RECIPES))}")
    return RECIPES[task]
