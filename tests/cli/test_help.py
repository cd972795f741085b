"""The help of every command: no torch needed, options explained, examples to copy."""

import subprocess
import sys

import pytest

from hankelcut.reduction.comparison import METHODS

COMMANDS = [
    "analyze",
    "compare",
    "demo",
    "listops",
    "reduce",
    "reproduce",
    "survey",
    "train",
    "validate",
]


def test_help_needs_no_torch_and_names_every_command() -> None:
    code = (
        "import sys\n"
        "sys.modules['torch'] = None\n"
        "sys.modules['matplotlib'] = None\n"
        "sys.argv = ['hankelcut', '--help']\n"
        "from hankelcut.cli import main\n"
        "main()"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True)
    assert process.returncode == 0
    for command in COMMANDS:
        assert command.encode() in process.stdout


@pytest.mark.parametrize(
    ("command", "options", "example"),
    [
        (
            "reduce",
            ["--order", "--error-tol", "--band"],
            "--order 12 --output small.mat",
        ),
        ("analyze", ["--tolerances", "--json"], "hankelcut analyze plant.mat"),
        ("compare", ["--methods", "--json"], "--order 8 --order 16"),
        ("survey", ["--tau", "--budget", "--json"], "checkpoint.pt --tau 0.01"),
        ("validate", ["--peer", "--rtol", "--json"], "--peer slycot --rtol 1e-8"),
    ],
)
def test_help_has_options_and_examples(call, command, options, example) -> None:
    code, out, _ = call(command, "--help")
    assert code == 0
    assert example in " ".join(out.split())
    for option in options:
        assert option in out
    if command in ("reduce", "compare"):
        assert all(method in " ".join(out.split()) for method in METHODS)


def test_options_of_no_command_are_usage_errors(call) -> None:
    code, out, err = call("shrink")
    assert (code, out) == (2, "")
    assert "shrink" in err
