"""Exchange of tensors and attributes anywhere below a layer, and its undoing."""

import torch
from torch import nn

from hankelcut.adapters.cuts.surgery import (
    ParameterExchange,
    exchange_parameters,
    trial_layer,
)
from hankelcut.adapters.protocol import REMOVED


class Inner(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.arange(4.0))
        self.register_buffer("mask", torch.ones(4))
        self.n = 4
        self.cache = torch.zeros(4)


class Outer(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = Inner()
        self.weight = self.inner.weight  # the same object at two places
        self.own = nn.Parameter(torch.zeros(2))


CHANGES = {"inner.weight": torch.ones(2), "inner.mask": torch.zeros(2)}
ATTRIBUTES = {
    "inner.n": 2,
    "inner.cache": REMOVED,
    "inner.fresh": "new",
    "absent": REMOVED,
}


def changed(layer):
    inner = layer.inner
    assert inner.weight.shape == (2,)
    assert inner.mask.shape == (2,)
    assert (inner.n, inner.fresh) == (2, "new")
    assert not hasattr(inner, "cache")


def test_tensors_and_attributes_change_wherever_they_are():
    layer = Outer()
    optimizer = torch.optim.SGD(layer.parameters())
    exchange_parameters(
        layer, [ParameterExchange(layer, CHANGES, ATTRIBUTES)], optimizer
    )
    changed(layer)
    assert layer.weight is layer.inner.weight
    assert isinstance(layer.weight, nn.Parameter)
    assert sorted(layer.state_dict()) == ["inner.mask", "inner.weight", "own", "weight"]
    held = optimizer.param_groups[0]["params"]
    assert {id(p) for p in held} == {id(p) for p in layer.parameters()}


def test_an_exchange_is_undone_object_by_object():
    layer = Outer()
    optimizer = torch.optim.SGD(layer.parameters(), momentum=0.9)
    layer.weight.sum().backward()
    optimizer.step()
    before = (layer.weight, layer.inner.mask, layer.inner.cache)
    held = list(optimizer.param_groups[0]["params"])
    momentum = optimizer.state[layer.weight]["momentum_buffer"]
    done = exchange_parameters(
        layer, [ParameterExchange(layer, CHANGES, ATTRIBUTES)], optimizer
    )
    done.undo()
    now = (layer.weight, layer.inner.mask, layer.inner.cache)
    assert all(a is b for a, b in zip(now, before, strict=True))
    assert layer.inner.weight is layer.weight
    assert layer.inner.n == 4
    assert not hasattr(layer.inner, "fresh")
    pairs = zip(optimizer.param_groups[0]["params"], held, strict=True)
    assert all(a is b for a, b in pairs)
    assert optimizer.state[layer.weight]["momentum_buffer"] is momentum


def test_a_trial_leaves_the_layer_alone():
    layer = Outer()
    trial = trial_layer(layer, CHANGES, ATTRIBUTES)
    changed(trial)
    assert trial.own is layer.own
    assert layer.inner.weight.shape == (4,)
    assert layer.inner.n == 4
    assert hasattr(layer.inner, "cache")
