"""The command that lists the layers of a saved model."""

import json

import pytest
import torch
from torch import nn

from hankelcut.adapters import EnergyTolerance, GlobalBudget, survey
from hankelcut.nn import SequenceClassifier


@pytest.fixture
def model(tmp_path):
    torch.manual_seed(3)
    model = SequenceClassifier(2, 5, d_model=4, d_state=16, n_blocks=2)
    torch.save({"model": model.state_dict()}, tmp_path / "c.pt")
    return model


def test_layers_are_listed_with_orders_and_bounds(call, model, tmp_path):
    code, out, err = call(
        "survey", "c.pt", "--tau", "0.05", "--budget", "9", "--json", "n.json"
    )
    assert (code, err) == (0, "")
    expected = survey(model, [EnergyTolerance(0.05), GlobalBudget(9)])
    lines = [line.split() for line in out.splitlines()]
    for row, line in zip(expected.rows(), lines[1:3], strict=True):
        assert line == " ".join(row[:1] + row[2:]).split()
    numbers = json.loads((tmp_path / "n.json").read_text())
    for row, layer in zip(numbers["layers"], expected.layers, strict=True):
        assert [cut["states_after"] for cut in row["cuts"]] == [
            cut.states_after for cut in layer.cuts
        ]


def test_a_few_shares_are_tried_by_default(call, model):
    code, out, _ = call("survey", "c.pt")
    assert code == 0
    assert out.splitlines()[0].count("EnergyTolerance") == 3


def test_weights_of_other_models_are_refused(call, tmp_path):
    torch.save(nn.Linear(2, 3).state_dict(), tmp_path / "l.pt")
    code, out, err = call("survey", "l.pt")
    assert (code, out) == (2, "")
    assert "without a state-space layer that is known" in err


@pytest.mark.usefixtures("model")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--tau", "2"], "tau=2.0, need a share"),
        (["--budget", "0"], "states=0, need a whole number"),
    ],
)
def test_numbers_out_of_range_are_usage_errors(call, options, message):
    code, out, err = call("survey", "c.pt", *options)
    assert (code, out) == (2, "")
    assert message in " ".join(err.split())
