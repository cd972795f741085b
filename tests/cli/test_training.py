"""The commands that train: options, output, and errors in one line."""

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from hankelcut import __version__
from hankelcut.cli import training
from hankelcut.experiments.cut_plan import CutPlan
from hankelcut.experiments.demo import demo_recipe
from hankelcut.experiments.recipe import Recipe
from hankelcut.experiments.recipes import recipe_for

TINY = {
    "--d-model": "4",
    "--d-state": "10",
    "--steps": "12",
    "--batch-size": "20",
    "--evaluate-every": "6",
}
TINY_TRAIN = ["train", *itertools.chain(*TINY.items()), "--tau", "0.2"]


def no_report(*_: Any, **__: Any) -> None:
    """Stand for the report where a test is about something else."""


@pytest.fixture(autouse=True)
def threads() -> Any:
    """Commands set the number of threads; put it back."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def recipe_of(call: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The recipe that `hankelcut train` would run with these options."""

    def recipe(*arguments: str) -> Recipe:
        seen: list[Recipe] = []
        monkeypatch.setattr(training, "_train", lambda item, **rest: seen.append(item))
        code, _, error = call("train", *arguments)
        assert (code, error) == (0, "")
        return seen[0]

    return recipe


def test_every_option_is_explained(call: Any) -> None:
    for command in ("demo", "train"):
        code, out, _ = call(command, "--help")
        assert code == 0
        assert "--folder" in out
    code, out, _ = call("--version")
    assert (code, out) == (0, f"hankelcut {__version__}\n")


def test_demo_prints_the_table_and_writes_its_figures(
    call: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = Recipe(d_model=4, d_state=10, steps=12, batch_size=20, evaluate_every=6)
    monkeypatch.setattr(
        "hankelcut.experiments.demo.demo_recipe",
        lambda *, quick: tiny if quick else demo_recipe(),
    )
    code, out, err = call("demo", "--quick", "--json", "deep/figures.json")
    assert code == 0
    header, *rows, last = out.splitlines()
    columns = "model states parameters test accuracy training speed-up"
    assert " ".join(header.split()) == columns
    assert [row.split("  ")[0] for row in rows] == [
        "full size",
        "cut in training",
        "small from the start",
    ]
    assert rows[0].split()[2] == "20"
    assert rows[0].endswith("1.00x")
    assert " ± " in rows[0]
    assert last == f"report: {Path('runs/demo/report.html')}"
    assert (tmp_path / "runs/demo/report.html").is_file()
    figures = json.loads((tmp_path / "deep/figures.json").read_text())
    assert list(figures) == ["full", "reduced", "direct"]
    assert figures["full"].keys() == {
        "states",
        "parameters",
        "test_accuracy",
        "train_seconds",
    }
    assert figures["reduced"]["states"] < figures["full"]["states"] == 20
    # Without a terminal, progress is lines of text, cuts and evaluations.
    assert "full-seed-0, step 12/12: loss " in err
    assert "reduced-seed-1, step 1: blocks.0.layer 10 → " in err
    # Again, and with another configuration: both just work. (Drawing takes long.)
    monkeypatch.setattr("hankelcut.experiments.demo.write_report", no_report)
    assert call("demo", "--quick")[0] == 0
    assert call("demo", "--quick", "--seeds", "1")[0] == 0
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {"demo", "demo-2"}


def test_train_runs_one_recipe(call: Any, tmp_path: Path) -> None:
    code, out, _ = call(*TINY_TRAIN, "--seed", "3", "--folder", "a/run")
    assert code == 0
    assert "cut in training" in out
    assert f"report: {Path('a/run/report.html')}" in out
    config = json.loads((tmp_path / "a/run/config.json").read_text())
    assert config["recipe"]["seed"] == 3
    assert config["recipe"]["cuts"]["value"] == 0.2
    assert (tmp_path / "a/run/model.safetensors").is_file()


def test_an_interrupted_run_can_be_resumed(
    call: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(self: Any, name: str) -> Any:
        def stop(progress: Any) -> None:
            if progress.step == 6:
                raise KeyboardInterrupt

        return stop

    with monkeypatch.context() as patch:
        patch.setattr(training.TrainingDisplay, "begin", interrupted)
        assert call(*TINY_TRAIN)[0] != 0
    monkeypatch.setattr("hankelcut.experiments.report.write_report", no_report)
    code, _, err = call(*TINY_TRAIN)
    assert code == 2
    assert "unfinished run; resume it" in err
    assert call(*TINY_TRAIN, "--resume")[0] == 0
    metrics = (tmp_path / "runs/train/metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in metrics] == [6, 12]


def test_left_out_options_are_the_recipes(recipe_of: Any) -> None:
    recipe = recipe_of("--task", "smnist")
    assert recipe.cuts is None
    assert recipe.to_dict() == {**recipe_for("smnist").to_dict(), "cuts": None}


def test_options_change_the_recipe(recipe_of: Any) -> None:
    options = """
        --policy order --value 9 --every 7 --until 21 --map complex
        --gramians closed_form --optimizer-state slice --seed 5 --steps 30
        --selection hinf --rollback-tolerance 0.1
        --batch-size 8 --learning-rate 0.5 --d-model 3 --d-state 20
        --blocks 4 --evaluate-every 5
    """
    assert recipe_of(*options.split()) == Recipe(
        cuts=CutPlan(
            "order",
            9.0,
            every=7,
            until=21,
            map="complex",
            gramians="closed_form",
            optimizer_state="slice",
            selection="hinf",
            rollback_tolerance=0.1,
        ),
        seed=5,
        steps=30,
        batch_size=8,
        learning_rate=0.5,
        d_model=3,
        d_state=20,
        n_blocks=4,
        evaluate_every=5,
    )
    assert recipe_of("--tau", "0.3").cuts == CutPlan(value=0.3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--tau 0.1 --policy energy --value 0.1", "not both"),
        ("--tau 2", "got tau=2.0, need a share in (0, 1)"),
        ("--policy order", "--policy and --value need each other"),
        ("--value 3", "--policy and --value need each other"),
        ("--policy order --value 1.5", "need a whole number"),
        ("--map complex", "--map needs cuts: give --tau or --policy"),
        ("--policy greedy --value 1", "greedy"),
        ("--task mnist", "mnist"),
        ("--steps 0", "got steps=0, need at least 1"),
        ("--batch-size 2000", "got batch_size=2000, need at most the 1077"),
        ("--d-state many", "--d-state"),
    ],
)
def test_wrong_options_are_usage_errors(
    call: Any, tmp_path: Path, options: str, message: str
) -> None:
    code, _, err = call("train", *options.split())
    assert code == 2
    assert message in " ".join(err.replace("│", " ").split())
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_missing_gpu_is_a_usage_error(call: Any, tmp_path: Path) -> None:
    code, _, err = call("train", "--device", "cuda")
    assert code == 2
    assert "torch finds no GPU" in err
    assert list(tmp_path.iterdir()) == []


def test_errors_are_one_line_and_exit_code_2(call: Any, tmp_path: Path) -> None:
    code, out, err = call("train", "--task", "smnist", "--data", "nowhere")
    assert (code, out) == (2, "")
    assert err.startswith("error: got nowhere, which is not a folder; give the folder")
    assert err.endswith("\n")
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_errors_are_red_on_a_terminal(
    call: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    _, _, err = call("train", "--task", "smnist", "--data", "[red]nowhere[/red]")
    assert err.startswith("\x1b[31merror: got [red]nowhere[/red], which is not a")


@pytest.mark.parametrize("name", ["torch", "safetensors"])
def test_missing_dependencies_are_named_with_their_extra(
    call: Any, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    for command in ("demo", "train"):
        code, _, err = call(command)
        assert code == 2
        assert err == (
            f"error: training needs {name}, not installed; run "
            "`pip install 'hankelcut[torch,experiments]'`\n"
        )


def test_the_installed_command_is_this_one() -> None:
    process = subprocess.run(
        [sys.executable, "-c", "from hankelcut.cli import main; main()", "--version"],
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "80"},
    )
    assert process.stdout == f"hankelcut {__version__}\n"


def test_unwritable_json_files_are_refused_before_training(
    call: Any, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    code, _, err = call("demo", "--quick", "--json", str(tmp_path / "file" / "x.json"))
    assert code == 2
    assert "cannot be written" in err
    assert not (tmp_path / "runs").exists()


def test_resuming_another_configuration_names_the_difference(
    call: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    config = {"recipe": recipe_for("digits").to_dict()}
    (folder / "config.json").write_text(json.dumps(config))
    code, _, err = call("train", "--resume", "--folder", str(folder), "--seed", "9")
    assert code == 2
    assert "seed" in err
