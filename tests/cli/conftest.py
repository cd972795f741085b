"""The command as a function, and a file to call it on."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hankelcut import StateSpace, cli, save


@pytest.fixture
def call(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Any:
    """Run the command in an empty folder; returns exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["hankelcut", *arguments])
        with pytest.raises(SystemExit) as end:
            cli.main()
        captured = capsys.readouterr()
        return end.value.code, captured.out, captured.err

    return run


@pytest.fixture
def plant(tmp_path: Path) -> StateSpace:
    """The system of the file plant.mat: 8 states, 1 input, 2 outputs."""
    draw = np.random.default_rng(8).standard_normal
    A = draw((8, 8))
    A -= (np.linalg.eigvals(A).real.max() + 0.4) * np.eye(8)
    system = StateSpace(A, draw((8, 1)), draw((2, 8)))
    save(system, tmp_path / "plant.mat")
    return system
