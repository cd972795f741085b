"""A whole comparison: every method, resumed, extended, and told on a page."""

import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from hankelcut._errors import CheckpointMismatchError, ConvergenceError, DataError
from hankelcut.experiments import (
    CutPlan,
    Progress,
    Recipe,
    RunRecord,
    Task,
    load_model,
    perform_run,
    reproduction,
    workers,
)
from hankelcut.experiments.methods import METHODS, RunId
from hankelcut.experiments.protocols import Protocol
from hankelcut.experiments.reproduction import planned_runs, reproduce
from hankelcut.experiments.results_page import Results
from hankelcut.experiments.training_state import accuracy


class InterruptionError(BaseException):
    """Stands for a process that is killed."""


@pytest.fixture(scope="module", autouse=True)
def tiny_digits(tiny_task: Task) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workers, "load_task", lambda name, **rest: tiny_task)
        yield


@pytest.fixture(scope="module")
def protocol(tiny_recipe: Recipe) -> Protocol:
    recipe = dataclasses.replace(
        tiny_recipe,
        n_blocks=1,
        steps=8,
        cuts=CutPlan(value=0.2, count=2, until=4),
        evaluate_every=4,
    )
    return Protocol("tiny", "A tiny comparison.", recipe, tuple(METHODS), seeds=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs") / "tiny"


@pytest.fixture(scope="module")
def results(protocol: Protocol, folder: Path, tiny_digits: None) -> Results:
    return reproduce(protocol, folder=folder, command="hankelcut reproduce tiny")


@pytest.fixture
def no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes longer than training here."""
    monkeypatch.setattr(reproduction, "write_results_page", lambda path, results: None)


def record(results: Results, method: str) -> RunRecord:
    (found,) = (item for run, item in results.records.items() if run.method == method)
    return found


def test_every_method_gives_a_run_of_its_kind(
    protocol: Protocol, results: Results
) -> None:
    assert results.failures == []
    assert [run.method for run in results.records] == list(METHODS)
    sizes = record(results, "cut").states
    (size,) = sizes.values()
    assert size < 12
    for method in ("direct", "distilled"):
        assert set(record(results, method).states.values()) == {size}
    for method in ("full", "penalised"):
        assert set(record(results, method).states.values()) == {12}
    for method in ("once", "smallest", "random", "last", "aire"):
        assert all(0 < n <= size for n in record(results, method).states.values())
        assert [event.step for event in record(results, method).events] == [4]
    assert record(results, "after").states == sizes
    for method in ("last-after", "aire-after"):
        assert record(results, method).total_states == sum(sizes.values())
    for run, item in results.records.items():
        assert len(item.losses) == protocol.recipe.steps, run.name


def test_runs_cut_afterwards_are_their_source_until_the_end(results: Results) -> None:
    for method, source in (("after", "full"), ("nuclear", "penalised")):
        own, other = record(results, method), record(results, source)
        assert own.losses.tolist() == other.losses.tolist()
        assert own.history[:-1] == other.history[:-1]
        assert own.history[-1].accuracy == own.validation_accuracy
        assert own.train_seconds > other.train_seconds
        assert {event.step for event in own.events} == {own.recipe.steps}


def test_the_page_tells_every_run(results: Results, folder: Path) -> None:
    text = (folder / "digits.md").read_text(encoding="utf-8")
    for figures in results.figures:
        cell = f"{100 * figures.test.mean:.2f} ± {100 * figures.test.deviation:.2f}"
        row = next(line for line in text.splitlines() if figures.label in line)
        assert row.split("|")[3].strip() == cell
        assert f"- `{figures.method}`, " in text
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert {line.count("|") for line in rows} == {9, 6, 5}
    assert "Cuts after the steps 2 and 4" in text
    assert "hankelcut reproduce tiny" in text
    pictures = re.findall(r"\]\((.*\.png)\)", text)
    assert len(pictures) == 4
    for name in pictures:
        assert (folder / name).read_bytes()[:4] == b"\x89PNG"
    assert "&" not in text


def test_results_json_holds_the_figures(results: Results, folder: Path) -> None:
    found = json.loads((folder / "results.json").read_text())
    assert list(found["methods"]) == [item.kind for item in results.figures]
    cut = found["methods"]["cut-tau-0.2"]
    assert cut["test_accuracies"] == list(results.figures[1].test_accuracies)
    assert found["runs"]["full-seed-0"] == record(results, "full").to_dict()
    assert found["failures"] == {}


def test_finished_runs_are_kept_and_more_can_be_added(
    protocol: Protocol, results: Results, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = []
    original = perform_run.train

    def watched(recipe: Recipe, task: Task, **rest: object) -> object:
        trained.append((recipe.seed, recipe.d_state))
        return original(recipe, task, **rest)

    monkeypatch.setattr(perform_run, "train", watched)
    more = dataclasses.replace(protocol, methods=("full", "cut"), seeds=2)
    page = folder.parent / "page.md"
    again = reproduce(more, folder=folder, page=page)
    assert trained == [(1, 12), (1, 12)]
    assert page.is_file()
    assert again.figures[0].seeds == (0, 1)
    first = again.records[RunId("full", None, 0)]
    assert first.losses.tolist() == record(results, "full").losses.tolist()


@pytest.mark.usefixtures("no_page")
@pytest.mark.parametrize("step", [3, 8])
def test_an_interrupted_comparison_goes_on_where_it_was(
    protocol: Protocol, tmp_path: Path, step: int, results: Results
) -> None:
    plan = dataclasses.replace(protocol, methods=("full", "cut", "after"))
    told: list[str] = []

    def interrupt(name: str, where: Progress | None) -> None:
        told.append(name)
        if name.startswith("cut") and where is not None and where.step >= step:
            raise InterruptionError

    with pytest.raises(InterruptionError):
        reproduce(plan, folder=tmp_path / "runs", progress=interrupt)
    again = reproduce(plan, folder=tmp_path / "runs")
    for run, item in again.records.items():
        whole = results.records[run]
        assert item.losses.tolist() == whole.losses.tolist()
        assert item.test_accuracy == whole.test_accuracy
        assert item.states == whole.states


@pytest.mark.usefixtures("no_page")
def test_results_that_were_written_make_a_run_finished(
    protocol: Protocol, tmp_path: Path, results: Results
) -> None:
    """As an interruption leaves it between the figures and the old checkpoint."""
    plan = dataclasses.replace(protocol, methods=("full",))
    reproduce(plan, folder=tmp_path)
    (tmp_path / "full-seed-0" / "checkpoint.pt").write_bytes(b"old")
    again = reproduce(plan, folder=tmp_path)
    assert record(again, "full").states == record(results, "full").states
    assert not (tmp_path / "full-seed-0" / "checkpoint.pt").exists()


def test_runs_that_diverge_are_told_and_what_needs_them_left_out(
    protocol: Protocol, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = perform_run.train

    def diverging(recipe: Recipe, task: Task, **rest: object) -> object:
        if recipe.cuts is not None:
            msg = "training has diverged"
            raise ConvergenceError(msg)
        return original(recipe, task, **rest)

    monkeypatch.setattr(perform_run, "train", diverging)
    plan = dataclasses.replace(protocol, methods=("direct", "full"))
    results = reproduce(plan, folder=tmp_path)
    assert [run.method for run in results.records] == ["full"]
    assert {item.run.method: item.reason for item in results.failures} == {
        "cut": "training has diverged",
        "direct": "needs cut-tau-0.2-seed-0, which could not be finished",
    }
    assert "## Runs that were not finished" in (tmp_path / "digits.md").read_text()


def test_another_recipe_needs_another_folder(
    protocol: Protocol, results: Results, folder: Path
) -> None:
    other = dataclasses.replace(
        protocol, recipe=dataclasses.replace(protocol.recipe, steps=15)
    )
    with pytest.raises(CheckpointMismatchError, match=r"recipe.steps=8 \(here 15\)"):
        reproduce(other, folder=folder)


@pytest.mark.usefixtures("no_page")
def test_a_damaged_run_is_named(
    protocol: Protocol, results: Results, folder: Path
) -> None:
    path = folder / "reset-tau-0.2-seed-0" / "losses.npy"
    content = path.read_bytes()
    path.write_bytes(b"")
    plan = dataclasses.replace(protocol, methods=("reset",))
    try:
        found = reproduce(plan, folder=folder)
        assert "need the files of a finished run" in found.failures[0].reason
    finally:
        path.write_bytes(content)


def test_models_are_those_of_the_records(
    results: Results, folder: Path, tiny_task: Task
) -> None:
    _, model = load_model(folder / "cut-tau-0.2-seed-0/model.safetensors", tiny_task)
    assert accuracy(model, tiny_task.test) == record(results, "cut").test_accuracy


def test_a_protocol_needs_a_tau_and_seeds(protocol: Protocol, tmp_path: Path) -> None:
    for changes in ({"cuts": None}, {"cuts": CutPlan("order", 4.0)}):
        recipe = dataclasses.replace(protocol.recipe, **changes)
        with pytest.raises(ValueError, match="need cuts by the policy 'energy'"):
            planned_runs(dataclasses.replace(protocol, recipe=recipe))
    with pytest.raises(ValueError, match="seeds=0, need cuts"):
        planned_runs(dataclasses.replace(protocol, seeds=0))
    with pytest.raises(DataError, match="got no finished run, need that of full"):
        perform_run.Workplace(tmp_path, protocol.recipe).record_of(
            RunId("full", None, 0)
        )
