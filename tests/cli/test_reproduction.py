"""Whole comparisons and generated data from the command line."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from hankelcut.experiments.protocols import Protocol, protocol_for

TINY = [
    "digits",
    *("--protocol", "paper", "--methods", "full,cut", "--tau", "0.3"),
    *("--seeds", "1", "--steps", "8", "--length", "16", "--d-state", "8"),
    *("--d-model", "4", "--batch-size", "20", "--evaluate-every", "4"),
]


@pytest.fixture
def protocol_of(call: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The protocol, and the rest, that the command would run."""

    def run(*arguments: str) -> tuple[Protocol, dict[str, Any]]:
        seen: list[tuple[Protocol, dict[str, Any]]] = []

        def reproduce(plan: Protocol, **rest: Any) -> Any:
            seen.append((plan, rest))
            raise KeyboardInterrupt

        monkeypatch.setattr("hankelcut.experiments.reproduction.reproduce", reproduce)
        call("reproduce", *arguments)
        return seen[0]

    return run


def test_left_out_options_are_the_protocols(protocol_of: Any) -> None:
    plan, rest = protocol_of("smnist", "--data", "somewhere")
    assert plan == protocol_for("smnist", "cpu")
    assert rest["folder"] == Path("runs/smnist-cpu")
    assert rest["n_workers"] == (os.cpu_count() or 1)
    assert rest["data"] == Path("somewhere")
    plan, rest = protocol_of("imdb")
    assert plan == protocol_for("imdb", "paper")


def test_options_change_the_protocol(protocol_of: Any) -> None:
    plan, rest = protocol_of(
        "smnist",
        *("--protocol", "paper", "--methods", "full,cut:0.3", "--seeds", "2"),
        *("--tau", "0.1", "--steps", "70", "--length", "196", "--workers", "3"),
    )
    assert plan.methods == ("full", "cut:0.3")
    assert plan.seeds == 2
    assert plan.recipe.pooling == 2
    assert plan.recipe.steps == 70
    assert plan.recipe.cuts is not None
    assert plan.recipe.cuts.value == 0.1
    assert rest["n_workers"] == 3


def test_the_command_on_the_page_names_no_places(protocol_of: Any) -> None:
    _, rest = protocol_of(
        *("smnist", "--data", "/home/me/data", "--folder=/tmp/x", "--steps", "7"),
        *("--page", "/home/me/page.md", "--methods", "full,cut:0.3"),
    )
    assert rest["command"] == (
        "hankelcut reproduce smnist --data DATA --steps 7 --methods full,cut:0.3"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("smnist --methods shrink", "method='shrink', need one of full, cut"),
        (
            "smnist --length 100",
            "length=100 for the task 'smnist', need one of 784, 196",
        ),
        ("imdb --length 100", "need one of the lengths of the texts"),
        ("imdb --protocol cpu", "need 'paper' for imdb"),
        ("smnist --seeds 0", "greater than or equal to 1"),
        ("smnist --steps 0", "got steps=0, need at least 1"),
        ("smnist --tau 2", "need a share in (0, 1)"),
        ("mnist", "mnist"),
    ],
)
def test_wrong_options_are_usage_errors(
    call: Any, tmp_path: Path, options: str, message: str
) -> None:
    code, _, err = call("reproduce", *options.split())
    assert code == 2
    assert message in " ".join(err.replace("│", " ").split())
    assert list(tmp_path.iterdir()) == []


def test_missing_data_are_told_before_anything_begins(call: Any) -> None:
    code, _, err = call("reproduce", "scifar", "--workers", "1")
    assert code == 2
    assert err.startswith(
        "error: got no data folder for the task 'scifar'; give the un"
    )


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_missing_gpu_is_a_usage_error(call: Any) -> None:
    code, _, err = call("reproduce", "smnist", "--device", "cuda")
    assert code == 2
    assert "torch finds no GPU" in err


def test_a_comparison_prints_its_table_and_writes_its_page(
    call: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, err = call("reproduce", *TINY, "--workers", "1")
    assert code == 0
    header, full, cut, last = out.splitlines()
    columns = ["method", "states", "test", "accuracy", "training", "speed-up"]
    assert header.split() == columns
    assert full.startswith("full size")
    assert cut.startswith("cut in training, τ = 0.3")
    assert last == f"results: {Path('runs/digits-paper/digits.md')}"
    assert "full-seed-0: done" in err
    assert "cut-tau-0.3-seed-0, step 8/8: loss " in err
    page = (tmp_path / "runs/digits-paper/digits.md").read_text()
    assert "squares of 2 x 2 pixels" in page
    # Another recipe goes to a folder of its own.
    monkeypatch.setattr(
        "hankelcut.experiments.reproduction.write_results_page", lambda *_: None
    )
    assert call("reproduce", *TINY, "--workers", "1", "--batch-size", "30")[0] == 0
    assert (tmp_path / "runs/digits-paper-2/results.json").is_file()


def test_listops_writes_a_task(call: Any, tmp_path: Path) -> None:
    small = "--train 5 --validation 2 --test 3 --min-length 5 --max-length 40"
    code, out, _ = call("listops", "data/listops", *small.split(), "--seed", "3")
    assert (code, out) == (0, f"{Path('data/listops')}\n")
    lines = (tmp_path / "data/listops/basic_train.tsv").read_text().splitlines()
    assert len(lines) == 6
    code, _, err = call("listops", "x", "--train", "0")
    assert code == 2
    assert "need at least one expression" in " ".join(err.replace("│", " ").split())


def start(folder: Path, *more: str) -> subprocess.Popen[str]:
    command = "from hankelcut.cli import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", command, "reproduce", *TINY, *more, "--workers", "2"],
        cwd=folder,
        env={**os.environ, "COLUMNS": "100"},
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def results_of(folder: Path) -> dict[str, Any]:
    found = json.loads((folder / "runs/digits-paper/results.json").read_text())
    return {
        name: {k: v for k, v in run.items() if "seconds" not in k}
        for name, run in found["runs"].items()
    }


@pytest.mark.slow
def test_processes_side_by_side_give_what_one_gives(call: Any, tmp_path: Path) -> None:
    more = ("--seeds", "2")
    process = start(tmp_path, *more)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    side_by_side = results_of(tmp_path)
    assert len(side_by_side) == 4
    (tmp_path / "runs").rename(tmp_path / "before")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        assert call("reproduce", *TINY, *more, "--workers", "1")[0] == 0
    finally:
        torch.set_num_threads(threads)
    assert results_of(tmp_path) == side_by_side
    assert "results: " in out


@pytest.mark.slow
@pytest.mark.parametrize("who", ["command", "worker"])
def test_a_comparison_that_is_killed_goes_on(tmp_path: Path, who: str) -> None:
    more = ("--steps", "400", "--evaluate-every", "20")
    process = start(tmp_path, *more)
    runs = tmp_path / "runs/digits-paper"
    try:
        for _ in range(600):
            if list(runs.glob("*/checkpoint.pt")):
                break
            time.sleep(0.1)
        assert list(runs.glob("*/checkpoint.pt"))
        children = subprocess.run(
            ["pgrep", "-P", str(process.pid), "-f", "spawn_main"],
            capture_output=True,
            text=True,
            check=True,
        )
        victim = int(children.stdout.split()[0]) if who == "worker" else process.pid
        os.kill(victim, signal.SIGKILL)
        _, err = process.communicate(timeout=120)
    finally:
        process.kill()
    if who == "worker":
        assert process.returncode == 2
        assert "ended with exit code -9; start again to go on" in err
    assert not (runs / "results.json").exists()
    again = start(tmp_path, *more)
    _, err = again.communicate(timeout=300)
    assert again.returncode == 0, err
    found = results_of(tmp_path)
    assert found.keys() == {"full-seed-0", "cut-tau-0.3-seed-0"}
    # As if nothing had happened.
    (tmp_path / "runs").rename(tmp_path / "before")
    whole = start(tmp_path, *more)
    whole.communicate(timeout=300)
    assert results_of(tmp_path) == found
