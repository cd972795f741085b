import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PLUGIN = "_hankelcut_pytest_plugin"
PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"

# What somebody new writes: ten lines of balanced truncation, with one bug.
REDUCTION = """\
import numpy as np
from hankelcut.lti import gramian_factors


def my_reduction(system, order):
    factors = gramian_factors(system)
    Lc, Lo = factors.controllability, factors.observability
    U, s, Vh = np.linalg.svd(Lo.conj().T @ Lc)
    T = Lc @ Vh.conj().T[:, :order] / np.sqrt(s[:order])
    W = Lo @ U[:, :order] / np.sqrt(s[:order])
    Wh = W.{adjoint}
    return Wh @ system.A @ T, Wh @ system.B, system.C @ T, system.D
"""
TEST = """\
from hankelcut.validation import parametrize_with_checks
from reduction import my_reduction


@parametrize_with_checks(reduction=my_reduction)
def test_my_reduction(check): check()
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "test_reduction.py").write_text(TEST, encoding="utf-8")
    return tmp_path


def run(folder, *arguments):
    points = importlib.metadata.entry_points(group="pytest11")
    installed = any(point.value == PLUGIN for point in points)
    chosen = [] if installed else ["-p", PLUGIN]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    return subprocess.run(
        [*command, *chosen, *arguments], cwd=folder, capture_output=True, text=True
    )


def write(folder, adjoint):
    source = REDUCTION.format(adjoint=adjoint)
    (folder / "reduction.py").write_text(source, encoding="utf-8")


def test_bug_of_a_new_user_is_found_and_explained(folder):
    write(folder, "T")
    chosen = "full_order or reduced_form or feedthrough"
    done = run(folder, "--hankelcut-examples", "30", "-k", chosen)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "FAILED test_reduction.py::test_my_reduction[full_order]" in done.stdout
    assert "my_reduction fails the check 'full_order'" in done.stdout
    assert "a plain transpose where an adjoint is needed" in done.stdout
    assert "np.complex128" in done.stdout
    assert "2 passed" in done.stdout
    # Nothing of the machinery is in the way of the message.
    assert "hypothesis/core.py" not in done.stdout


def test_right_code_passes(folder):
    write(folder, "conj().T")
    chosen = "full_order or reduced_form or feedthrough"
    done = run(folder, "--hankelcut-examples", "10", "-k", chosen)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout
    assert not (folder / ".hypothesis" / "examples").exists()


def test_header_says_what_is_run(folder):
    write(folder, "conj().T")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-k", "none"]
    points = importlib.metadata.entry_points(group="pytest11")
    if not any(point.value == PLUGIN for point in points):
        command += ["-p", PLUGIN]
    done = subprocess.run(
        [*command, "--hankelcut-examples", "7"],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert re.search(r"^hankelcut \S+: 7 systems per check$", done.stdout, re.MULTILINE)


@pytest.mark.parametrize("count", ["0", "many"])
def test_wrong_numbers_are_refused(folder, count):
    write(folder, "conj().T")
    done = run(folder, "--hankelcut-examples", count)
    assert done.returncode == 4
    assert "--hankelcut-examples" in done.stderr


def test_plugin_imports_nothing_of_the_package():
    code = (
        f"import sys, {PLUGIN}\n"
        "sys.exit(str({'hankelcut', 'numpy', 'hypothesis'} & set(sys.modules) or ''))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "hankelcut" not in done.stderr
    assert "numpy" not in done.stderr


def test_entry_point_is_declared():
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    assert project["entry-points"]["pytest11"] == {"hankelcut": PLUGIN}
