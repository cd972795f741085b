"""The command that compares: one line for every method and order."""

import json

import pytest

from hankelcut import StateSpace, UnstableSystemError, balanced_truncation
from hankelcut.cli import comparison as command
from hankelcut.cli import method_options
from hankelcut.reduction import comparison

pytestmark = pytest.mark.usefixtures("plant")


@pytest.fixture(autouse=True)
def methods(monkeypatch):
    """Two methods that work, one that needs a band, and one that refuses."""

    def limited(
        system: StateSpace, *, band: tuple[float, float], order: int | None = None
    ):
        return balanced_truncation(system, order=order)

    def stubborn(system: StateSpace, *, order: int | None = None):
        msg = "stubborn: got a\nsystem, need none"
        raise UnstableSystemError(msg)

    registry = {
        "balanced_truncation": comparison.METHODS["balanced_truncation"],
        "limited": comparison.Method(limited, "limited", ("band",)),
        "stubborn": comparison.Method(stubborn, "stubborn"),
    }
    for module in (comparison, command, method_options):
        monkeypatch.setattr(module, "METHODS", registry)


def test_methods_are_side_by_side(call, plant):
    code, out, err = call("compare", "plant.mat", "--order", "2", "--order", "4")
    assert (code, err) == (0, "")
    rows = [line for line in out.splitlines() if line.startswith("balanced truncation")]
    assert len(rows) == 2
    for row, order in zip(rows, (2, 4), strict=True):
        result = balanced_truncation(plant, order=order)
        certificate = result.certify()
        cells = row.split()[2:]
        assert cells[:3] == [
            str(order),
            f"{float(result.error_bound):.3g}",
            f"{float(certificate.hinf_error.upper):.3g}",
        ]
        assert cells[4] == f"{float(certificate.h2_error):.3g}"
    refusals = [line for line in out.splitlines() if line.startswith("refused")]
    assert refusals[0] == (
        "refused: stubborn, order 2: stubborn: got a system, need none"
    )
    assert [line for line in out.splitlines() if "limited" in line] == [
        "left out: limited (needs --band)"
    ]


def test_methods_take_part_when_what_they_need_is_given(call, tmp_path):
    options = ("--band", "0", "5", "--json", "n.json", "--no-certify")
    code, _, _ = call("compare", "plant.mat", "--order", "2", *options)
    assert code == 0
    rows = json.loads((tmp_path / "n.json").read_text())["rows"]
    assert [row["method"] for row in rows] == [
        "balanced_truncation",
        "limited",
        "stubborn",
    ]
    assert rows[1]["reached"] == 2
    assert rows[1]["hinf_error"] is None
    assert rows[2]["refusal"].startswith("stubborn: ")


def test_named_methods_only(call):
    code, out, _ = call("compare", "plant.mat", "--order", "2", "--methods", "stubborn")
    assert code == 0
    assert "balanced truncation" not in out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--method magic", "--method magic: need one of balanced_truncation"),
        ("--method limited", "limited needs --band"),
        ("--gamma 3", "--gamma: no method that is compared takes it"),
        ("--order -1", "--order"),
    ],
)
def test_wrong_options_are_usage_errors(call, options, message):
    arguments = ("compare", "plant.mat", "--order", "2", *options.split())
    code, out, err = call(*arguments)
    assert (code, out) == (2, "")
    assert message in " ".join(err.replace("│", " ").split())


def test_orders_are_needed(call):
    code, _, err = call("compare", "plant.mat")
    assert code == 2
    assert "--order" in err
