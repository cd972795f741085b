"""The scripts of examples/ run as a reader would run them."""

import subprocess
import sys
from pathlib import Path

import pytest

from hankelcut import load

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


@pytest.mark.parametrize("script", sorted(EXAMPLES.glob("*.py")), ids=lambda p: p.stem)
def test_examples_say_how_to_run_them(script):
    assert f"Run: python examples/{script.name}" in script.read_text(encoding="utf-8")
