"""The demonstration: three kinds of run, alike in all but cuts and size."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from hankelcut._errors import CheckpointMismatchError
from hankelcut.experiments import demo
from hankelcut.experiments.checkpoint import load_model
from hankelcut.experiments.demo import KINDS, DemoResult, demo_recipe, run_demo
from hankelcut.experiments.recipe import Recipe
from hankelcut.experiments.tasks import Task, load_task
from hankelcut.experiments.training import Progress, train
from hankelcut.experiments.training_state import accuracy


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs") / "demo"


@pytest.fixture(scope="module", autouse=True)
def tiny_digits(tiny_task: Task) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo, "load_task", lambda name: tiny_task)
        yield


@pytest.fixture
def no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes longer than training here."""
    monkeypatch.setattr(demo, "write_report", lambda path, runs, **texts: None)


@pytest.fixture(scope="module")
def result(tiny_recipe: Recipe, folder: Path, tiny_digits: None) -> DemoResult:
    return run_demo(tiny_recipe, seeds=(2, 5), folder=folder)


def records(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_runs_differ_in_cuts_and_size_only(
    tiny_recipe: Recipe, result: DemoResult
) -> None:
    assert [run.label for run in result.runs] == [*KINDS.values()] * 2
    for seed, first in ((2, 0), (5, 3)):
        full, reduced, direct = (run.result for run in result.runs[first : first + 3])
        seeded = dataclasses.replace(tiny_recipe, seed=seed)
        assert full.recipe == dataclasses.replace(seeded, cuts=None)
        assert reduced.recipe == seeded
        sizes = list(reduced.states.values())
        assert max(sizes) < tiny_recipe.d_state
        mean = round(sum(sizes) / len(sizes))
        assert direct.recipe == dataclasses.replace(seeded, cuts=None, d_state=mean)
        assert set(direct.states.values()) == {mean}


def test_figures_are_means_over_the_seeds(result: DemoResult) -> None:
    figures = result.to_dict()
    assert list(figures) == ["full", "reduced", "direct"]
    reduced = [result.runs[k].result for k in (1, 4)]
    assert figures["reduced"] == {
        "states": sum(run.total_states for run in reduced) / 2,
        "parameters": sum(run.parameters for run in reduced) / 2,
        "test_accuracy": pytest.approx(sum(run.test_accuracy for run in reduced) / 2),
        "train_seconds": pytest.approx(sum(run.train_seconds for run in reduced) / 2),
    }
    assert figures["full"]["states"] == 24


def test_the_folder_holds_every_run(
    tiny_task: Task, result: DemoResult, folder: Path
) -> None:
    names = [f"{kind}-seed-{seed}" for seed in (2, 5) for kind in KINDS]
    assert {path.name for path in folder.iterdir()} == {
        *names,
        "config.json",
        "metrics.jsonl",
        "reductions.jsonl",
        "results.json",
        "model.safetensors",
        "report.html",
    }
    for name, run in zip(names, result.runs, strict=True):
        figures = json.loads((folder / name / "results.json").read_text())
        assert figures == run.result.to_dict()
    metrics = records(folder / "metrics.jsonl")
    assert [line["run"] for line in metrics] == [name for name in names for _ in "1234"]
    cuts = records(folder / "reductions.jsonl")
    assert [line["run"] for line in cuts] == [names[1]] * 3 + [names[4]] * 3
    assert json.loads((folder / "results.json").read_text()) == result.to_dict()
    recipe, model = load_model(folder / "model.safetensors", tiny_task)
    assert recipe.seed == 2
    found = accuracy(model, tiny_task.test)
    assert found == result.runs[1].result.test_accuracy


@pytest.mark.usefixtures("no_report")
def test_the_demonstration_can_be_repeated_and_not_overwritten(
    tiny_recipe: Recipe, result: DemoResult, folder: Path
) -> None:
    # As an interruption leaves it, and with a direct run of another size.
    (folder / "full-seed-2" / "checkpoint.pt").write_bytes(b"half")
    other = dataclasses.replace(result.runs[2].result.recipe, d_state=11)
    (folder / "direct-seed-2" / "config.json").unlink()
    (folder / "direct-seed-2" / "config.json").write_text(
        json.dumps({"recipe": other.to_dict()})
    )
    again = run_demo(tiny_recipe, seeds=(2, 5), folder=folder)
    assert [run.result.states for run in again.runs] == [
        run.result.states for run in result.runs
    ]
    with pytest.raises(CheckpointMismatchError, match=r"demo.seeds=\[2, 5\] \(here"):
        run_demo(tiny_recipe, seeds=(2,), folder=folder)


@pytest.mark.usefixtures("no_report")
def test_progress_names_the_runs(tiny_recipe: Recipe, tmp_path: Path) -> None:
    steps: dict[str, list[Progress]] = {}

    def begin(name: str):
        return steps.setdefault(name, []).append

    run_demo(tiny_recipe, seeds=(1,), folder=tmp_path, progress=begin)
    assert list(steps) == ["full-seed-1", "reduced-seed-1", "direct-seed-1"]
    assert all(items[-1].step == 14 for items in steps.values())
    assert any(item.event for item in steps["reduced-seed-1"])


def test_it_needs_seeds_and_cuts(tiny_recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"got seeds=\[\]"):
        run_demo(tiny_recipe, seeds=(), folder=tmp_path)
    with pytest.raises(ValueError, match=r"cuts=None, need some of both"):
        run_demo(
            dataclasses.replace(tiny_recipe, cuts=None), seeds=(0,), folder=tmp_path
        )


def test_recipe_cuts_early() -> None:
    for quick in (False, True):
        recipe = demo_recipe(quick=quick)
        schedule = recipe.cut_schedule()
        assert schedule is not None
        assert schedule.until <= 0.2 * recipe.steps


@pytest.mark.slow
def test_the_demonstration_shows_what_it_promises() -> None:
    """One seed of the real recipe, shortened: a third of the states, as accurate."""
    recipe = dataclasses.replace(demo_recipe(), steps=300)
    task = load_task("digits")
    full = train(dataclasses.replace(recipe, cuts=None), task)
    reduced = train(recipe, task)
    assert reduced.total_states <= full.total_states / 3
    assert reduced.test_accuracy > full.test_accuracy - 0.03
