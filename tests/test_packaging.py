"""What the project's files say of each other is true."""

import re
import tomllib
from importlib import import_module
from pathlib import Path

import hankelcut

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))[
    "project"
]


def test_versions_agree():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert hankelcut.__version__ == PROJECT["version"]
    assert f"\nversion: {PROJECT['version']}\n" in citation


def test_documented_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, flags=re.MULTILINE))
    for name in ("README.md", "CONTRIBUTING.md"):
        page = (ROOT / name).read_text(encoding="utf-8")
        mentioned = set(re.findall(r"(?:`|^\s*)make ([a-z-]+)", page, re.MULTILINE))
        assert {"demo", "test"} & mentioned, name
        assert mentioned <= targets, name


def test_command_can_be_called():
    module, _, function = PROJECT["scripts"]["hankelcut"].partition(":")
    assert callable(getattr(import_module(module), function))


def test_every_dependency_is_pinned():
    def names(requirements):
        return {
            re.match(r"[\w.-]+", line)[0].lower().replace("_", "-")
            for line in requirements
        }

    extras = PROJECT["optional-dependencies"].values()
    needed = names(PROJECT["dependencies"]).union(*map(names, extras))
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = names(line for line in lines if re.match(r"[\w.-]+==", line))
    assert needed <= pinned
