"""Cuts of finished models: sizes, and what each kind keeps of a layer."""

import copy

import pytest
import torch

from hankelcut import UnsupportedLayerError, hankel_singular_values
from hankelcut.adapters import extract
from hankelcut.experiments.cut_afterwards import LRUWithFeedthrough, cut_afterwards
from hankelcut.nn import SequenceClassifier
from tests.helpers import unchecked_types

NAMES = ("blocks.0.layer", "blocks.1.layer")


@pytest.fixture
def model() -> SequenceClassifier:
    torch.manual_seed(4)
    return (
        SequenceClassifier(
            1, 3, d_model=4, d_state=20, n_blocks=2, r_min=0.2, r_max=0.9
        )
        .double()
        .eval()
    )


def sizes(model: SequenceClassifier) -> list[int]:
    return [
        (b.layer.lru if isinstance(b.layer, LRUWithFeedthrough) else b.layer).d_state
        for b in model.blocks
    ]


def test_balanced_truncation_leaves_each_layer_its_order(model) -> None:
    cut = copy.deepcopy(model)
    events = cut_afterwards(cut, "largest", dict(zip(NAMES, (5, 9), strict=True)))
    # One less where poles come out real.
    assert sizes(cut)[0] in (4, 5)
    assert sizes(cut)[1] in (8, 9)
    assert len(events) == 2
    inputs = torch.randn(2, 200, 4, dtype=torch.float64)
    for block, other, event in zip(model.blocks, cut.blocks, events, strict=True):
        change = block.layer(inputs) - other.layer(inputs)
        gain = change.norm() / inputs.norm()
        assert gain <= event.layers[0].error_bound


def test_singular_perturbation_of_another_layer_is_refused() -> None:
    model = SequenceClassifier(1, 3, d_model=4, d_state=6, layer="s5")
    with pytest.raises(
        UnsupportedLayerError, match=r"0\.layer: got an S5 for .*an LRU"
    ):
        cut_afterwards(model, "perturbed", {NAMES[0]: 3})


@pytest.mark.parametrize("kind", ["hinf", "energy"])
def test_pruning_distributes_the_states_over_the_layers(model, kind: str) -> None:
    with torch.no_grad():
        model.blocks[1].layer.C_re[:, :15] *= 1e-4
        model.blocks[1].layer.C_im[:, :15] *= 1e-4
    (event,) = cut_afterwards(model, kind, dict.fromkeys(NAMES, 10))
    assert sum(sizes(model)) == 20
    assert sizes(model)[1] <= 6
    assert event.is_cut


def test_singular_perturbation_keeps_the_static_gain(model) -> None:
    """And is causal: what comes later changes nothing before."""
    perturbed, truncated = copy.deepcopy(model), copy.deepcopy(model)
    assert cut_afterwards(perturbed, "perturbed", dict.fromkeys(NAMES, 5)) == ()
    cut_afterwards(truncated, "largest", dict.fromkeys(NAMES, 5))
    steps = torch.eye(4, dtype=torch.float64)[:, None, :].expand(4, 400, 4)
    impulses = torch.zeros(4, 60, 4, dtype=torch.float64)
    impulses[:, 7] = torch.eye(4)
    for layer, other, balanced in zip(
        model.blocks, perturbed.blocks, truncated.blocks, strict=True
    ):
        gains = [item.layer(steps)[:, -1] for item in (layer, other, balanced)]
        assert (gains[1] - gains[0]).abs().max() < 1e-9
        assert (gains[2] - gains[0]).abs().max() > 1e-3
        assert other.layer(impulses)[:, :7].abs().max() == 0
        assert other.layer.lru.d_state <= 5
        # Its error is bounded as that of balanced truncation is.
        inputs = torch.randn(2, 400, 4, dtype=torch.float64)
        change = layer.layer(inputs) - other.layer(inputs)
        values = hankel_singular_values(extract(layer.layer))
        kept = 2 * other.layer.lru.d_state
        assert change.norm() <= 2 * values[kept - 1 :].sum() * inputs.norm()


def test_an_order_that_leaves_nothing_out_changes_nothing(model) -> None:
    perturbed = copy.deepcopy(model)
    cut_afterwards(perturbed, "perturbed", dict.fromkeys(NAMES, 20))
    inputs = torch.randn(2, 50, 1, dtype=torch.float64)
    torch.testing.assert_close(perturbed(inputs), model(inputs), rtol=1e-6, atol=1e-8)


def test_an_unknown_kind_is_refused(model) -> None:
    with unchecked_types(), pytest.raises(ValueError, match="selection='best'"):
        cut_afterwards(model, "best", dict.fromkeys(NAMES, 5))
