"""Kinds of layers that are recognised and refused, with their reasons."""

import pytest
import torch
from torch import nn

import hankelcut as hc
from hankelcut.adapters import (
    TargetOrder,
    extract,
    find_adapter,
    find_layers,
    find_refused,
    reduce_,
)
from hankelcut.nn import LRU
from tests.adapters.packages import package


def with_tensors(*paths: str) -> nn.Module:
    """A module that holds parameters of these paths."""
    root = nn.Module()
    for path in paths:
        *heads, name = path.split(".")
        owner = root
        for head in heads:
            if head not in owner._modules:
                owner.add_module(head, nn.Module())
            owner = owner.get_submodule(head)
        owner.register_parameter(name, nn.Parameter(torch.zeros(2)))
    return root


GATED = {
    "transformers": (
        *("recurrent_param", "recurrent_gate_weight", "recurrent_gate_bias"),
        *("input_gate_weight", "input_gate_bias"),
    ),
    "recurrentgemma": (
        *("a_param", "a_gate.w", "a_gate.b", "input_gate.w", "input_gate.b"),
    ),
    "lrnnx": (
        *("a_log", "in_proj.weight", "gate_proj.weight", "out_proj.weight"),
        *("recurrent_gate_proj.weight", "input_gate_proj.weight"),
    ),
}


@pytest.mark.parametrize("origin", GATED)
def test_gated_recurrent_units_are_refused_with_the_reason(origin):
    layer = with_tensors(*GATED[origin])
    with pytest.raises(hc.UnsupportedLayerError, match=r"RG-LRU.*fewer channels"):
        find_adapter(layer)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("Block2x2DenseL2SSM", (4, 2, 3)),
        ("DefectL2SSM", (4, 2, 3)),
        ("L2RU", (4,)),
        ("lruz", (2, 3, 4)),
        ("L2BoundedLTICell", (4, 2, 3)),
        ("RobustMambaDiagSSM", (3, 4)),
        ("RobustMambaDiagLTI", (3, 4)),
    ],
)
def test_cells_with_a_prescribed_gain_are_refused_with_the_reason(name, arguments):
    layer = getattr(package("neural_ssm"), name)(*arguments)
    message = rf"{name}.*prescribed gain.*certificate.*bounded_real_truncation"
    for refused in (find_adapter, extract, lambda x: reduce_(x, TargetOrder(1))):
        with pytest.raises(hc.UnsupportedLayerError, match=message):
            refused(layer)


@pytest.fixture
def mixed():
    gate = with_tensors(*GATED["recurrentgemma"])
    return nn.ModuleDict({"gate": gate, "lru": LRU(2, 6, 0.3, 0.9)})


def test_refused_layers_are_listed_and_the_others_cut(mixed):
    assert list(find_layers(mixed)) == ["lru"]
    ((name, kind),) = find_refused(mixed).items()
    assert (name, kind.name) == ("gate", "RG-LRU")
    assert "prune channels" in kind.reason
    assert find_refused(mixed, lambda name, layer: name != "gate") == {}
    (cut,) = reduce_(mixed, TargetOrder(3)).layers
    assert (cut.name, cut.states_after) == ("lru", 3)


def test_what_lies_inside_a_refused_layer_is_left_alone(mixed):
    mixed["gate"].add_module("inner", LRU(2, 6))
    assert list(find_layers(mixed)) == ["lru"]
    assert list(find_refused(mixed)) == ["gate"]


def test_a_model_of_refused_layers_says_which_and_why(mixed):
    del mixed["lru"]
    with pytest.raises(hc.UnsupportedLayerError, match=r"gate is refused, RG-LRU: its"):
        reduce_(mixed, TargetOrder(1))
