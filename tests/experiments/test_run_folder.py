"""Run folders: never over a run of another configuration."""

import json
from pathlib import Path
from typing import Any

import pytest

from hankelcut._errors import CheckpointMismatchError, DataError
from hankelcut.experiments.run_folder import RunFolder, free_folder, read_config

CONFIG: dict[str, Any] = {"recipe": {"steps": 5, "cuts": {"value": 0.1}}, "seeds": [0]}
OTHER: dict[str, Any] = {"recipe": {"steps": 5, "cuts": None}, "seeds": [0]}


def content(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_create_writes_the_configuration_and_the_environment(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "a" / "run", CONFIG)
    assert read_config(folder.path) == CONFIG
    written = json.loads((folder.path / "config.json").read_text())
    assert {"hankelcut", "python", "torch", "machine"} <= written["environment"].keys()


def test_records_are_one_object_per_line_and_replaced_as_a_whole(
    tmp_path: Path,
) -> None:
    folder = RunFolder.create(tmp_path / "run", CONFIG)
    folder.write_records("metrics.jsonl", [{"step": 1, "layers": {"a": [1.5]}}])
    folder.write_records("metrics.jsonl", [{"step": 1}, {"step": 2}])
    lines = (folder.path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [{"step": 1}, {"step": 2}]
    with pytest.raises(ValueError, match=r"not JSON compliant"):
        folder.write_records("metrics.jsonl", [{"loss": float("nan")}])
    assert set(content(folder.path)) == {"config.json", "metrics.jsonl"}


def test_the_same_configuration_begins_anew(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, CONFIG)
    RunFolder.create(tmp_path / "inner", OTHER).write_records("metrics.jsonl", [])
    folder.write_json("results.json", {"states": 3})
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "results.json").write_text("mine")
    RunFolder.create(tmp_path, {**CONFIG, "seeds": (0,)})
    assert set(content(tmp_path)) == {"config.json", "notes.txt", "mine/results.json"}


def test_another_configuration_is_refused_and_nothing_changed(tmp_path: Path) -> None:
    RunFolder.create(tmp_path, CONFIG).write_json("results.json", {"states": 3})
    before = content(tmp_path)
    with pytest.raises(
        CheckpointMismatchError, match=r"recipe.cuts.value=0.1 \(here None\).*remove"
    ):
        RunFolder.create(tmp_path, OTHER)
    with pytest.raises(CheckpointMismatchError, match=r"seeds=\[0\] \(here \[0, 1\]\)"):
        RunFolder.open(tmp_path, {**CONFIG, "seeds": [0, 1]})
    assert content(tmp_path) == before
    assert content(RunFolder.open(tmp_path, CONFIG).path) == before


def test_files_of_an_unknown_run_are_refused(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"precious")
    with pytest.raises(CheckpointMismatchError, match=r"model.safetensors but no conf"):
        RunFolder.create(tmp_path, CONFIG)
    assert content(tmp_path) == {"model.safetensors": b"precious"}


def test_a_folder_of_runs_is_not_made_one_of_its_own(tmp_path: Path) -> None:
    RunFolder.create(tmp_path / "other", OTHER)
    before = content(tmp_path / "other")
    for function in (RunFolder.create, RunFolder.enter):
        with pytest.raises(
            CheckpointMismatchError, match=r"other/config.json but no c"
        ):
            function(tmp_path, CONFIG)
    assert content(tmp_path / "other") == before
    assert free_folder(tmp_path, CONFIG) == tmp_path.with_name(f"{tmp_path.name}-2")


def test_free_folder_is_the_first_without_another_run(tmp_path: Path) -> None:
    wanted = tmp_path / "run"
    assert free_folder(wanted, CONFIG) == wanted
    RunFolder.create(wanted, CONFIG)
    assert free_folder(wanted, CONFIG) == wanted
    assert free_folder(wanted, OTHER) == tmp_path / "run-2"
    RunFolder.create(tmp_path / "run-2", {"recipe": {}})
    assert free_folder(wanted, OTHER) == tmp_path / "run-3"
    RunFolder.create(tmp_path / "run-3", OTHER)
    assert free_folder(wanted, OTHER) == tmp_path / "run-3"


@pytest.mark.parametrize("text", ["", "{", "[1]", '"text"'])
def test_a_damaged_configuration_is_a_data_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text)
    for function in (RunFolder.create, RunFolder.open, free_folder):
        with pytest.raises(DataError, match=r"config.json: got .*need the "):
            function(tmp_path, CONFIG)
    assert (tmp_path / "config.json").read_text() == text


def test_what_is_no_folder_is_a_data_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")
    with pytest.raises(DataError, match=r"need a folder that can be made"):
        RunFolder.create(tmp_path / "file", CONFIG)
    with pytest.raises(DataError, match=r"without a config.json, need one of a run"):
        RunFolder.open(tmp_path, CONFIG)
