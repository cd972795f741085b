"""Records of finished runs: what is read is what was written."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from hankelcut._errors import DataError
from hankelcut.experiments import Recipe, RunRecord, RunResult, Task, train
from hankelcut.experiments.training_state import accuracy


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("record") / "run"


@pytest.fixture(scope="module")
def result(tiny_recipe: Recipe, tiny_task: Task, folder: Path) -> RunResult:
    recipe = dataclasses.replace(tiny_recipe, monitored=10)
    return train(recipe, tiny_task, folder=folder)


def test_a_record_is_read_as_it_was_written(result: RunResult, folder: Path) -> None:
    record = RunRecord.read(folder)
    assert record is not None
    for field in dataclasses.fields(RunRecord):
        own, other = getattr(record, field.name), getattr(result, field.name)
        if field.name == "losses":
            np.testing.assert_array_equal(own, other)
        else:
            assert own == other


def test_every_training_batch_has_its_loss(result: RunResult) -> None:
    assert result.losses.shape == (14,)
    means = [result.losses[k : k + 4].mean() for k in (0, 4, 8)]
    assert [item.loss for item in result.history[:3]] == pytest.approx(means)


def test_part_of_the_validation_is_monitored_and_all_of_it_judged(
    result: RunResult, tiny_task: Task
) -> None:
    first = tiny_task.validation.first(10)
    model = result.model
    assert result.history[-1].accuracy == accuracy(model, first)
    assert result.validation_accuracy == accuracy(model, tiny_task.validation)
    assert {round(30 * item.accuracy) % 3 for item in result.history} == {0}


def test_unfinished_runs_have_no_record(tmp_path: Path) -> None:
    assert RunRecord.read(tmp_path) is None


@pytest.mark.parametrize("name", ["losses.npy", "metrics.jsonl", "config.json"])
@pytest.mark.parametrize("damage", ["gone", "half"])
def test_damaged_records_are_data_errors(
    result: RunResult, folder: Path, name: str, damage: str
) -> None:
    path = folder / name
    content = path.read_bytes()
    try:
        path.write_bytes(content[: len(content) // 2])
        if damage == "gone":
            path.unlink()
        with pytest.raises(DataError, match=r"need the (files of a fin|configuration)"):
            RunRecord.read(folder)
    finally:
        path.write_bytes(content)
