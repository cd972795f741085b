"""Surveys of models, live ones and those of which there are only weights."""

import copy
import json
import math

import pytest
import torch
from torch import nn

import hankelcut as hc
from hankelcut.adapters import (
    CutSettings,
    EnergyTolerance,
    GlobalBudget,
    TargetOrder,
    load_weights,
    reduce_,
    skeleton,
    survey,
)
from hankelcut.nn import LRU
from tests.adapters.stand_ins.s4d import S4D


@pytest.fixture
def mixed():
    return nn.ModuleDict(
        {"one": LRU(3, 12, 0.3, 0.9), "two": S4D(4, 20), "head": nn.Linear(3, 2)}
    )


def test_every_layer_is_listed_with_what_a_cut_would_leave(mixed):
    before = copy.deepcopy(mixed.state_dict())
    policies = [EnergyTolerance(0.05), TargetOrder(4), GlobalBudget(9)]
    found = survey(mixed, policies)
    assert [(x.name, x.kind, x.verdict, x.states) for x in found.layers] == [
        ("one", "LRU", "exact", 12),
        ("two", "S4D", "exact", 10),
    ]
    for policy, k in zip(policies, range(3), strict=True):
        event = reduce_(copy.deepcopy(mixed), policy)
        for cut, row in zip(event.layers, found.layers, strict=True):
            assert row.cuts[k].states_after == cut.states_after
            assert row.cuts[k].error_bound == cut.error_bound
    for name, value in mixed.state_dict().items():
        assert torch.equal(value, before[name])


def test_the_table_has_orders_and_bounds(mixed):
    found = survey(mixed, [TargetOrder(4)])
    header, first, *_ = str(found).splitlines()
    assert header.split() == [
        "layer",
        "class",
        "kind",
        "verdict",
        "states",
        "TargetOrder(order=4)",
    ]
    bound = found.layers[0].cuts[0].error_bound
    assert first.split() == ["one", "LRU", "LRU", "exact", "12", "4", f"({bound:.2g})"]
    assert json.loads(json.dumps(found.to_dict()))["layers"][1]["name"] == "two"


def test_layers_that_cannot_be_measured_say_why(mixed):
    with torch.no_grad():
        mixed["one"].C_re[0, 0] = math.nan
    found = survey(mixed, [TargetOrder(4)])
    assert "C_re holds 1 NaN" in found.layers[0].reason
    assert found.layers[0].cuts == ()
    assert found.layers[1].cuts[0].is_cut
    assert "one: one: LRU layer: parameter C_re" in str(found)
    assert found.rows()[0][-1] == "-"


def test_a_policy_that_would_remove_everything_is_a_note():
    layer = LRU(2, 6, 0.1, 0.3)
    (row,) = survey(layer, [hc.adapters.ErrorTolerance(1e6)]).layers
    assert not row.cuts[0].is_cut
    assert "would remove every state" in row.cuts[0].notes[0]


def test_settings_reach_the_predictions(mixed):
    rounded = survey(mixed, [TargetOrder(5)], settings=CutSettings(0.0, multiple_of=4))
    assert [x.cuts[0].states_after for x in rounded.layers] == [8, 8]


def test_models_without_layers_have_an_empty_survey():
    assert survey(nn.Linear(2, 2)).layers == ()


def test_a_skeleton_of_weights_is_surveyed_as_the_model(mixed):
    policies = [EnergyTolerance(0.02)]
    live, weights = (
        survey(mixed, policies),
        survey(skeleton(mixed.state_dict()), policies),
    )
    for one, other in zip(live.layers, weights.layers, strict=True):
        assert (one.name, one.kind, one.cuts) == (other.name, other.kind, other.cuts)


def test_a_skeleton_holds_the_weights_and_cannot_be_run(mixed):
    mixed.register_buffer("count", torch.tensor(3))
    bones = skeleton(mixed.state_dict())
    assert list(bones.state_dict()) == list(mixed.state_dict())
    assert dict(bones.named_buffers())["count"] == 3
    with pytest.raises(hc.UnsupportedLayerError, match="cannot be run"):
        bones(torch.zeros(1))


@pytest.mark.parametrize("names", [["a", "a.b"], ["a.b", "a"], ["a..b"], ["forward"]])
def test_names_that_are_no_tree_are_refused(names):
    with pytest.raises(hc.UnsupportedLayerError, match="a name that no module can"):
        skeleton({name: torch.zeros(2) for name in names})


@pytest.mark.parametrize("entry", [None, "state_dict", "model"])
def test_weights_are_read_from_checkpoints(mixed, tmp_path, entry):
    weights = mixed.state_dict()
    content = weights if entry is None else {entry: weights, "step": 3}
    torch.save(content, tmp_path / "c.pt")
    for path in (tmp_path / "c.pt", tmp_path):
        found = load_weights(path)
        assert list(found) == list(weights)
        assert all(torch.equal(found[name], weights[name]) for name in weights)


def test_weights_are_read_from_safetensors_and_their_parts(mixed, tmp_path):
    save_file = pytest.importorskip("safetensors.torch").save_file
    weights = dict(mixed.state_dict())
    names = sorted(weights)
    save_file({n: weights[n] for n in names[:5]}, tmp_path / "m-1.safetensors")
    save_file({n: weights[n] for n in names[5:]}, tmp_path / "m-2.safetensors")
    assert sorted(load_weights(tmp_path)) == names
    assert sorted(load_weights(tmp_path / "m-1.safetensors")) == names[:5]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("w.pt", b"no weights", "need a file of weights"),
        ("w.safetensors", b"no weights", "need a file of weights"),
        ("w.txt", b"", "the suffix '.txt', need one of .safetensors"),
        ("missing.pt", None, "there is no such file"),
    ],
)
def test_files_without_weights_are_named(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(hc.DataError, match=message):
        load_weights(tmp_path / name)


def test_checkpoints_and_folders_without_weights_are_named(tmp_path):
    with pytest.raises(hc.DataError, match="a folder without weights"):
        load_weights(tmp_path)
    torch.save({"step": 3, "optimizer": {}}, tmp_path / "c.pt")
    with pytest.raises(
        hc.DataError, match=r"got \['optimizer', 'step'\], need weights"
    ):
        load_weights(tmp_path / "c.pt")


def test_refused_layers_are_listed_with_the_reason(mixed):
    gated = nn.Module()
    for name in ("recurrent_param", "recurrent_gate_weight", "input_gate_weight"):
        gated.register_parameter(name, nn.Parameter(torch.zeros(2)))
    model = nn.ModuleDict({"first": mixed["one"], "gated": gated, "last": mixed["two"]})
    found = survey(model, [TargetOrder(4)])
    assert [(x.name, x.verdict) for x in found.layers] == [
        ("first", "exact"),
        ("gated", "refused"),
        ("last", "exact"),
    ]
    assert found.rows()[1] == ["gated", "Module", "RG-LRU", "refused", "-", "-"]
    assert "gated: its channels have one state each" in str(found)
