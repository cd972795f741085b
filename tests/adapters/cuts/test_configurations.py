"""Configurations inside others, and frozen ones, follow a cut and its undoing."""

from dataclasses import FrozenInstanceError, dataclass
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from hankelcut.adapters import (
    InTrainingReducer,
    TargetOrder,
    calibrate,
    load_reduced,
    state_sizes,
)
from tests.adapters.selective.cutting import INPUTS, cut, stack


@dataclass(frozen=True)
class Text:
    width: int = 4
    state_size: int = 6


def nested():
    """A language model in a model of text and images in another one."""
    text = stack()
    text.config = Text()
    middle = nn.Sequential(text)
    middle.config = SimpleNamespace(text_config=text.config, width=4)
    model = nn.Sequential(middle)
    model.config = SimpleNamespace(state_size=6, thinker=middle.config)
    return model, text


def told(model):
    thinker = model.config.thinker
    assert model[0].config is thinker
    assert model[0][0].config is thinker.text_config
    return thinker.text_config.state_size


def test_configurations_that_hold_a_changed_one_change_with_it():
    model, text = nested()
    outer, middle, inner = model.config, model[0].config, text.config
    cut(model, TargetOrder(3), [INPUTS])
    assert told(model) == 3
    assert model.config.state_size == 6  # not that of the layers
    assert (outer.thinker, middle.text_config, inner.state_size) == (middle, inner, 6)
    with pytest.raises(FrozenInstanceError):
        text.config.state_size = 5
    fresh, _ = nested()
    load_reduced(fresh, model.state_dict())
    assert told(fresh) == 3
    cut(model, TargetOrder(2), [INPUTS])
    assert told(model) == 2


def test_a_rollback_brings_back_all_of_them():
    model, text = nested()
    before = (model.config, model[0].config, text.config)
    losses = iter([1.0, 3.0])
    reducer = InTrainingReducer(
        model,
        torch.optim.SGD(model.parameters()),
        TargetOrder(2),
        every=1,
        probe=lambda: next(losses),
        rollback_tolerance=0.5,
        calibration=lambda: calibrate(model, [INPUTS]),
    )
    assert reducer.step().rolled_back
    now = (model.config, model[0].config, text.config)
    assert all(a is b for a, b in zip(now, before, strict=True))
    assert told(model) == 6
    assert set(state_sizes(model).values()) == {6}
