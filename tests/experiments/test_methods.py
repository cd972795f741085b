"""Methods and runs: names, what needs what, and recipes that differ as they say."""

import dataclasses
from pathlib import Path

import pytest

from hankelcut.experiments import CutPlan, Recipe
from hankelcut.experiments.methods import METHODS, RunId, plan_runs, run_ids
from hankelcut.experiments.perform_run import Workplace, recipe_of
from hankelcut.experiments.protocols import protocol_for


def test_runs_are_named_by_method_tau_and_seed() -> None:
    assert [run.name for run in run_ids("cut", 0.02, 2)] == [
        "cut-tau-0.02-seed-0",
        "cut-tau-0.02-seed-1",
    ]
    assert run_ids("direct:0.1", 0.02, 1)[0].name == "direct-tau-0.1-seed-0"
    assert run_ids("full", 0.02, 1)[0].name == "full-seed-0"
    assert run_ids("penalised", 0.02, 1)[0].tau is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prune", "method='prune', need one of full, cut, "),
        ("full:0.1", "method='full:0.1', need 'full', which has no tau"),
        ("cut:2", r"method='cut:2', need 'cut' with a tau in \(0, 1\)"),
        ("cut:x", r"method='cut:x', need 'cut' with a tau in \(0, 1\)"),
    ],
)
def test_wrong_names_say_what_is_needed(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        run_ids(text, 0.02, 1)


def test_runs_stand_behind_what_they_need() -> None:
    wanted = [run for name in METHODS for run in run_ids(name, 0.05, 2)]
    plan = plan_runs(list(reversed(wanted)))
    assert set(plan) == set(wanted)
    assert len(plan) == len(wanted)
    for place, run in enumerate(plan):
        assert all(other in plan[:place] for other in run.needs)
    alone = plan_runs(run_ids("distilled", 0.05, 1))
    assert [run.method for run in alone] == ["cut", "full", "distilled"]
    assert {run.tau for run in alone} == {0.05, None}


@pytest.mark.parametrize("name", METHODS)
def test_methods_differ_in_what_they_say(name: str, tmp_path: Path) -> None:
    """All fields that a method does not name are those of the protocol."""
    base = Recipe(cuts=CutPlan(value=0.1, minimum_saving=0.02))
    method, run = METHODS[name], RunId(name, 0.3, seed=4)

    class Known(Workplace):
        def record_of(self, run: RunId) -> object:
            return dataclasses.make_dataclass("Record", ["states"])({"a": 7, "b": 10})

    recipe = recipe_of(run, Known(tmp_path, base))
    source = METHODS[method.source] if method.source else method
    changed = {"seed": 4, "cuts": recipe.cuts, **source.recipe}
    if source.size_of is not None and source.cuts is None:
        changed["d_state"] = 8
    assert recipe == dataclasses.replace(base, **changed)
    if source.cuts is None:
        assert recipe.cuts is None
    else:
        value = 8.0 if source.size_of else 0.3
        expected = {**source.cuts, "value": value}
        assert recipe.cuts == dataclasses.replace(base.cuts, **expected)


def test_protocols_are_what_they_say() -> None:
    paper = protocol_for("smnist", "paper")
    assert paper.recipe.steps == 200_000
    assert paper.seeds == 10
    assert {"full", "cut", "cut:0.01", "cut:0.04", "direct:0.04"} <= set(paper.methods)
    cpu = protocol_for("smnist", "cpu")
    assert cpu.seeds == 3
    named = {text.partition(":")[0] for text in cpu.methods}
    assert named == set(METHODS)
    assert protocol_for("imdb", "paper").methods == ("full", "cut", "direct")
    with pytest.raises(ValueError, match="protocol='cpu', need 'paper' for imdb"):
        protocol_for("imdb", "cpu")
    with pytest.raises(ValueError, match="protocol='gpu', need paper or cpu"):
        protocol_for("smnist", "gpu")
