"""The command that analyses: what it prints, draws and writes."""

import json

import numpy as np
import pytest

from hankelcut import StateSpace, hankel_singular_values, hinf_norm, save
from hankelcut.reports import analyze_system

pytestmark = pytest.mark.usefixtures("plant")


def test_a_file_is_analysed(call, plant):
    code, out, err = call("analyze", "plant.mat", "--tolerances", "0.1,1e-3")
    assert (code, err) == (0, "")
    analysis = analyze_system(plant, tolerances=[0.1, 1e-3])
    for name, value in analysis.facts():
        assert name in out
        assert value.split(",")[0] in out
    rows = [line.split() for line in out.splitlines()[-2:]]
    for row, advice in zip(rows, analysis.orders, strict=True):
        assert row == [
            f"{advice.tolerance:g}",
            str(advice.order),
            f"{advice.bound:.4g}",
        ]


def test_numbers_and_picture_are_written(call, plant, tmp_path):
    options = ("--plot", "values.svg", "--json", "n.json")
    code, out, _ = call("analyze", "plant.mat", *options)
    assert code == 0
    assert out.splitlines()[-2:] == ["picture: values.svg", "numbers: n.json"]
    assert "<svg" in (tmp_path / "values.svg").read_text("utf8")
    numbers = json.loads((tmp_path / "n.json").read_text())
    values = hankel_singular_values(plant)
    np.testing.assert_allclose(numbers["hankel_singular_values"], values)
    assert numbers["hinf_norm"]["upper"] >= float(hinf_norm(plant).lower)
    assert [row["tolerance"] for row in numbers["orders"]] == pytest.approx(
        [10.0**-k for k in range(1, 9)]
    )


def test_numbers_that_json_has_not_are_null(call, tmp_path):
    nothing = StateSpace([[2.0]], [[1.0]], [[1.0]])
    save(nothing, tmp_path / "unstable.npz")
    code, out, _ = call("analyze", "unstable.npz", "--json", "n.json")
    assert code == 0
    assert "0 stable, 1 unstable" in out
    numbers = json.loads((tmp_path / "n.json").read_text())
    assert numbers["poles"]["slowest"] is None


@pytest.mark.parametrize(
    ("text", "message"),
    [("a,b", "need numbers with commas"), ("0.1,-1", "need positive numbers")],
)
def test_wrong_tolerances_are_usage_errors(call, text, message):
    code, out, err = call("analyze", "plant.mat", "--tolerances", text)
    assert (code, out) == (2, "")
    assert message in err


def test_files_that_cannot_be_written_are_refused_first(call):
    code, out, err = call("analyze", "nowhere.mat", "--plot", "p.docx")
    assert (code, out) == (2, "")
    assert "got the suffix '.docx'" in err
