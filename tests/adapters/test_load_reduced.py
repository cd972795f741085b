"""Checkpoints that do not fit leave a model as it was, whatever they stumble over."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

import hankelcut as hc
from hankelcut.adapters import TargetOrder, load_reduced, state_sizes
from tests.adapters.selective.cutting import INPUTS, cut, stack
from tests.adapters.stand_ins.fla import Mamba2


def test_layers_of_one_configuration_load_one_number_of_states():
    reduced = stack()
    cut(reduced, TargetOrder(3), [INPUTS], filter_fn=lambda name, _: name == "0")
    model = stack()
    model.config = config = SimpleNamespace(state_size=6)
    with pytest.raises(hc.CheckpointMismatchError, match=r"'0': 3, '1': 6.* share one"):
        load_reduced(model, reduced.state_dict())
    assert state_sizes(model) == {"0": 6, "1": 6}
    assert model.config is config
    cut(reduced, TargetOrder(3), [INPUTS])
    load_reduced(model, reduced.state_dict())
    assert (model.config.state_size, config.state_size) == (3, 6)


@pytest.mark.parametrize("shape", [(5,), (2, 5, 4), (3, 6, 4)])
def test_projections_of_other_layers_are_refused(shape):
    reduced = stack(Mamba2)
    cut(reduced, TargetOrder(4), [INPUTS], selective="project")
    damaged = {**reduced.state_dict()}
    damaged["0.B_projection"] = damaged["0.C_projection"] = torch.zeros(shape)
    model = stack(Mamba2)
    layers = list(model)
    with pytest.raises(hc.CheckpointMismatchError, match=r"0.B_projection has shape"):
        load_reduced(model, damaged)
    assert list(model) == layers


def test_a_module_that_refuses_its_values_leaves_the_sizes():
    class Strict(nn.Identity):
        def _load_from_state_dict(self, *_):
            raise ArithmeticError

    reduced, model = (nn.Sequential(*stack(Mamba2), Strict()) for _ in range(2))
    cut(reduced, TargetOrder(4), [INPUTS])
    layers, parameters = list(model), list(model.parameters())
    with pytest.raises(ArithmeticError):
        load_reduced(model, reduced.state_dict())
    assert list(model) == layers
    assert all(p is q for p, q in zip(model.parameters(), parameters, strict=True))
