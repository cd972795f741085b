"""The scripts of examples/ run as a reader would run them."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from hankelcut import load
from tests.adapters.packages import package

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_the_plant_is_reduced_and_drawn(tmp_path):
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "reduce_a_plant.py"), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    plant, model = load(tmp_path / "plant.npz"), load(tmp_path / "reduced.npz")
    assert plant.n_states == 60
    assert model.names.inputs == ("force",)
    assert f"60 states -> {model.n_states}" in done.stdout
    for picture in ("values.png", "response.png"):
        assert (tmp_path / picture).stat().st_size > 10_000


def test_a_model_of_s5_layers_is_cut_saved_and_loaded_in_a_new_process(tmp_path):
    package("s5")
    script = EXAMPLES / "cut_s5_in_training.py"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(script), "--quick", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    full, *_, trained, _, loaded = done.stdout.splitlines()
    assert full == "states {'forwards.s5': 64, 'both_ways.s5': 64}"
    assert loaded == trained
    sizes = [int(size) for size in re.findall(r": (\d+)", loaded)]
    assert len(sizes) == 2
    assert max(sizes) < 64
    weights = torch.load(tmp_path / "reduced.pt")
    assert weights["both_ways.s5.seq.C"].shape[1] == 2 * sizes[1]


@pytest.mark.slow
def test_mamba_models_are_cut_saved_and_loaded_in_a_new_process(tmp_path):
    package("transformers")
    package("mambapy")
    script = EXAMPLES / "cut_mamba_in_training.py"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(script), "--quick", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("states")]
    for trained, loaded, full in ((*lines[:2], 32), (*lines[2:], 64)):
        assert loaded == trained
        sizes = {int(size) for size in re.findall(r": (\d+)", loaded)}
        assert len(sizes) == 1
        assert max(sizes) < full


@pytest.mark.parametrize("script", sorted(EXAMPLES.glob("*.py")), ids=lambda p: p.stem)
def test_examples_say_how_to_run_them(script):
    assert f"Run: python examples/{script.name}" in script.read_text(encoding="utf-8")
