"""Recipes: their values, schedules, and what wrong ones lead to."""

import dataclasses
import itertools
import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from hankelcut.adapters import (
    EnergyTolerance,
    ErrorTolerance,
    FixedFraction,
    TargetOrder,
)
from hankelcut.experiments.cut_plan import CutPlan
from hankelcut.experiments.recipe import Distillation, HankelPenalty, Recipe
from hankelcut.experiments.recipes import RECIPES, recipe_for
from hankelcut.experiments.tasks import TASKS
from tests.helpers import unchecked_types


def attempts(recipe: Recipe) -> list[int]:
    """Steps at which `InTrainingReducer` attempts a cut, by its documentation."""
    schedule = recipe.cut_schedule()
    assert schedule is not None
    return [
        step
        for step in range(1, recipe.steps + 1)
        if schedule.start <= step <= schedule.until
        and (step - schedule.start) % schedule.every == 0
    ]


@pytest.mark.parametrize(
    "recipe",
    [
        *RECIPES.values(),
        Recipe(cuts=None, seed=7),
        Recipe(cuts=CutPlan("order", 9.0, every=5, start=10, map="complex")),
        Recipe(distillation=Distillation(3.0, 0.1), penalty=HankelPenalty(0.2, 4)),
    ],
)
def test_json_round_trip_keeps_everything(recipe: Recipe) -> None:
    text = json.dumps(recipe.to_dict(), allow_nan=False)
    assert Recipe.from_dict(json.loads(text)) == recipe


def test_left_out_fields_take_their_defaults() -> None:
    recipe = Recipe.from_dict({"steps": 10, "cuts": {"value": 0.3}})
    assert recipe == Recipe(steps=10, cuts=CutPlan(value=0.3))
    assert Recipe.from_dict({"learning_rate": 1}) == Recipe(learning_rate=1.0)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"step": 10}, r"got the field='step', need one of task, pooling, "),
        ({"steps": "10"}, r"got steps='10', need int"),
        ({"steps": 10.5}, r"got steps=10.5, need int"),
        ({"steps": True}, r"got steps=True, need int"),
        ({"learning_rate": None}, r"got learning_rate=None, need float"),
        ({"cuts": 0.05}, r"got cuts=0.05, need CutPlan or NoneType"),
        ({"cuts": {"polcy": "energy"}}, r"got the field='polcy', need one of policy"),
        ({"cuts": {"policy": "greed"}}, r"got policy='greed', need 'energy' or '"),
        ({"cuts": {"every": 2.5}}, r"got every=2.5, need int or NoneType"),
        ({"penalty": {"wait": 1}}, r"got the field='wait', need one of weight, every"),
        ({"penalty": {"weight": "1"}}, r"got weight='1', need float"),
        ({"task": "mnist"}, r"got task='mnist', need one of aan, digits, "),
    ],
)
def test_wrong_plain_values_are_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Recipe.from_dict(values)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        *(
            (name, 0, rf"got {name}=0, need at least 1")
            for name in ("d_model", "d_state", "n_blocks", "steps", "batch_size")
        ),
        ("evaluate_every", 0, r"need at least 1"),
        ("learning_rate", 0.0, r"need a number > 0"),
        ("learning_rate", math.nan, r"got learning_rate=nan, need a number > 0"),
        ("state_rate_factor", math.inf, r"need a number > 0"),
        ("dropout", 1.0, r"need a share in \[0, 1\)"),
        ("r_min", 1.0, r"need 0 <= r_min < r_max <= 1"),
        ("max_phase", 7.0, r"need radians in \(0, 2 pi\]"),
        ("weight_decay", -0.1, r"need a number >= 0"),
        ("warmup_share", 1.0, r"need a share in \[0, 1\)"),
        ("seed", -1, r"need at least 0"),
        ("layer", "gru", r"got layer='gru', need one of lru, s4d, s5"),
    ],
)
def test_values_out_of_range_are_named(name: str, value: object, message: str) -> None:
    with unchecked_types(), pytest.raises(ValueError, match=message):
        dataclasses.replace(Recipe(), **{name: value})


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("value", 1.0, r"got tau=1.0, need a share in \(0, 1\)"),
        ("every", 0, r"got every=0, need at least 1"),
        ("until", 0, r"got until=0, need at least 1"),
        ("start", -1, r"got start=-1, need at least 0"),
        ("count", 0, r"got count=0, need at least 1"),
        ("multiple_of", 0, r"got multiple_of=0, need at least 1"),
        ("rollback_tolerance", -0.1, r"rollback_tolerance=-0.1, need a share >= 0"),
        ("minimum_saving", 1.0, r"need a share in \[0, 1\)"),
    ],
)
def test_plans_out_of_range_are_named(name: str, value: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(CutPlan(), **{name: value})


def test_names_stand_for_policies() -> None:
    assert CutPlan("energy", 0.1).make_policy() == EnergyTolerance(0.1)
    assert CutPlan("error", 0.1).make_policy() == ErrorTolerance(0.1)
    assert CutPlan("fraction", 0.1).make_policy() == FixedFraction(0.1)
    assert CutPlan("order", 8.0).make_policy() == TargetOrder(8)
    for value in (8.5, math.inf, math.nan):
        with pytest.raises(ValueError, match=r"need a whole number"):
            CutPlan("order", value)


def test_default_schedule_is_four_equidistant_cuts_in_the_warmup() -> None:
    recipe = Recipe(steps=1000, warmup_share=0.1, cuts=CutPlan())
    assert attempts(recipe) == [25, 50, 75, 100]
    later = dataclasses.replace(recipe, cuts=CutPlan(until=400))
    assert attempts(later) == [100, 200, 300, 400]
    assert attempts(dataclasses.replace(recipe, steps=12, warmup_share=0.0)) == [1]
    for until in range(4, 40):
        steps = attempts(dataclasses.replace(recipe, cuts=CutPlan(until=until)))
        assert len(steps) == 4
        assert steps[-1] == until
        assert len(set(np.diff(steps))) == 1


def test_the_papers_schedules() -> None:
    assert attempts(recipe_for("smnist")) == list(range(5_000, 200_000, 5_000))
    assert attempts(recipe_for("scifar")) == [4_500, 9_000, 13_500, 18_000]
    assert attempts(recipe_for("imdb")) == [1_500, 2_000, 2_500, 3_000]
    assert attempts(recipe_for("pathfinder")) == [12_500, 25_000, 37_500, 50_000]


def test_cuts_throughout_are_equidistant_and_leave_time_behind_the_last() -> None:
    recipe = Recipe(steps=1000, cuts=CutPlan(count=9, window="training"))
    assert attempts(recipe) == list(range(100, 1000, 100))
    one = dataclasses.replace(recipe, cuts=CutPlan(count=1, window="training"))
    assert attempts(one) == [500]
    late = CutPlan(count=4, window="training", start=500)
    assert attempts(dataclasses.replace(recipe, cuts=late)) == [600, 700, 800, 900]
    assert attempts(dataclasses.replace(recipe, cuts=CutPlan(count=1))) == [100]


def test_the_papers_hyper_parameters() -> None:
    """Blocks, channels, states, steps, batch size: appendix A of Chahine et al."""
    found = {
        name: (r.n_blocks, r.d_model, r.d_state, r.steps, r.batch_size)
        for name, r in RECIPES.items()
        if name != "digits"
    }
    assert found == {
        "smnist": (1, 8, 256, 200_000, 50),
        "scifar": (6, 512, 384, 180_000, 50),
        "listops": (6, 128, 256, 80_000, 32),
        "imdb": (1, 256, 192, 50_000, 32),
        "aan": (6, 128, 256, 100_000, 64),
        "pathfinder": (6, 192, 256, 500_000, 64),
    }


def test_windows_that_end_before_they_start_are_refused() -> None:
    with pytest.raises(ValueError, match="got start=10, need at most until=3"):
        CutPlan(every=5, start=10, until=3)
    with pytest.raises(ValueError, match="got start=200, need at most 100, where the"):
        Recipe(steps=1000, cuts=CutPlan(start=200))


def test_explicit_schedule_is_kept() -> None:
    recipe = Recipe(steps=20, cuts=CutPlan(every=7))
    assert attempts(recipe) == [7, 14]
    recipe = Recipe(steps=20, cuts=CutPlan(every=4, start=3, until=12))
    assert attempts(recipe) == [3, 7, 11]
    assert Recipe(cuts=None).cut_schedule() is None


@pytest.mark.parametrize("warmup_share", [0.0, 0.1, 0.5])
def test_rate_rises_linearly_and_falls_as_a_cosine(warmup_share: float) -> None:
    recipe = Recipe(steps=100, warmup_share=warmup_share)
    factors = [recipe.rate_factor(step) for step in range(1, 101)]
    warmup = round(100 * warmup_share)
    assert factors[:warmup] == pytest.approx([k / warmup for k in range(1, warmup + 1)])
    falling = factors[warmup:]
    assert all(a > b > 0 for a, b in itertools.pairwise(falling))
    # Half a cosine is antisymmetric about its middle.
    assert [a + b for a, b in zip(falling, falling[::-1], strict=True)] == (
        pytest.approx([1.0] * len(falling))
    )


def test_a_constant_rate_has_no_warmup() -> None:
    recipe = Recipe(steps=100, rate_schedule="constant")
    assert {recipe.rate_factor(step) for step in range(1, 101)} == {1.0}
    assert attempts(recipe)[-1] == recipe.warmup_steps == 10


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Distillation(temperature=0.0), "temperature=0.0, need a number > 0"),
        (lambda: Distillation(share=0.0), r"share=0.0, need a share in \(0, 1\]"),
        (lambda: HankelPenalty(0.0), "weight=0.0, need a number > 0"),
        (lambda: HankelPenalty(1.0, 0), "every=0, need at least 1"),
        (lambda: Recipe(monitored=0), "monitored=0, need at least 1"),
        (lambda: Recipe(pooling=0), "pooling=0, need at least 1"),
        (lambda: Recipe(task="imdb", pooling=2), "pooling=2, need 1 for imdb"),
    ],
)
def test_parts_out_of_range_are_named(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_only_an_lru_is_penalised() -> None:
    with pytest.raises(ValueError, match=r"got penalty=.*, need None, or layer='lru'"):
        Recipe(layer="s5", penalty=HankelPenalty(0.1))


def test_every_task_has_a_recipe() -> None:
    assert {name: recipe.task for name, recipe in RECIPES.items()} == {
        name: name for name in TASKS
    }
    assert recipe_for("smnist").d_state == 256
    with pytest.raises(
        ValueError, match=r"got task='mnist', need one of aan, digits, "
    ):
        recipe_for("mnist")
