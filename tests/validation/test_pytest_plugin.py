import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from hankelcut import validation

PLUGIN = "_hankelcut_pytest_plugin"
PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"

WALK_THROUGH = Path(validation.__file__).with_name("README.md")


def blocks():
    """The files of the walk-through by their names, and what pytest says."""
    text = WALK_THROUGH.read_text(encoding="utf-8")
    named = re.findall(r"```python\n# (\w+\.py)\n(.*?)```", text, re.DOTALL)
    (report,) = re.findall(r"```text\n(.*?)```", text, re.DOTALL)
    return dict(named), report


LAYER = """\
from hankelcut.nn import LRU


class MyLayer(LRU):
    def forward(self, inputs):
        return super().forward(inputs){residual}
"""


@pytest.fixture
def folder(tmp_path):
    """A folder of a new user: the test of the walk-through."""
    name = "test_reduction.py"
    (tmp_path / name).write_text(blocks()[0][name], encoding="utf-8")
    return tmp_path


def run(folder, *arguments):
    points = importlib.metadata.entry_points(group="pytest11")
    installed = any(point.value == PLUGIN for point in points)
    chosen = [] if installed else ["-p", PLUGIN]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    return subprocess.run(
        [*command, *chosen, *arguments], cwd=folder, capture_output=True, text=True
    )


def write(folder, adjoint="T"):
    """The ten lines with one bug, or without."""
    source = blocks()[0]["reduction.py"]
    assert source.count("W.T") == 1
    mended = source.replace("W.T", f"W.{adjoint}")
    (folder / "reduction.py").write_text(mended, encoding="utf-8")


def test_bug_of_the_walk_through_is_found_and_explained(folder):
    write(folder)
    chosen = "full_order or reduced_form or feedthrough"
    done = run(folder, "-k", chosen)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "2 passed" in done.stdout
    report = blocks()[1]
    said = re.sub(r"\s+", " ", re.sub(r"^E ", "", done.stdout, flags=re.MULTILINE))
    first, _, cause = report.partition("usual cause: ")
    for line in (first.splitlines()[0], first.splitlines()[2], cause):
        assert re.sub(r"\s+", " ", line).strip() in said
    assert "np.complex128" in done.stdout
    # Nothing of the machinery is in the way of the message.
    assert "hypothesis/core.py" not in done.stdout
    assert "check = <check 'full_order' of my_reduction>" in done.stdout


def write_layer(folder, residual):
    (folder / "layer.py").write_text(LAYER.format(residual=residual), encoding="utf-8")
    name = "test_layer.py"
    (folder / name).write_text(blocks()[0][name], encoding="utf-8")


def test_bug_of_a_layer_is_found_and_explained(folder):
    write_layer(folder, " + inputs")
    done = run(folder, "test_layer.py", "-k", "declaration or extraction")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "FAILED test_layer.py::test_my_layer[extraction]" in done.stdout
    assert "fails the check 'extraction': the system that is read" in done.stdout
    assert "forward of MyLayer: found" in done.stdout
    assert "LayerSubject(" in done.stdout
    assert "1 passed" in done.stdout


def test_right_layers_pass(folder):
    write_layer(folder, "")
    done = run(folder, "test_layer.py", "--hankelcut-examples", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(validation.ADAPTER_CHECKS)} passed" in done.stdout


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
