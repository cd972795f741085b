"""The block and the classifier: what they compute, and that they learn."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from hankelcut.nn import LRU, S4D, S5, ResidualBlock, SequenceClassifier
from tests.helpers import unchecked_types


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(3)


def a_block(dropout: float) -> ResidualBlock:
    return ResidualBlock(LRU(6, 5), 6, dropout=dropout)


def small_classifier(**options: object) -> SequenceClassifier:
    sizes = {"d_model": 6, "d_state": 5, "n_blocks": 3}
    return SequenceClassifier(2, 4, **{**sizes, **options}).double()


def test_block_is_norm_layer_gelu_gate_and_residual() -> None:
    block = a_block(0.4).double()
    inputs = 3 + 2 * torch.randn(4, 7, 6, dtype=torch.float64)
    with torch.no_grad():
        block.norm.weight.uniform_(0.5, 2)
        block.norm.bias.uniform_(-1, 1)
        block.dropout.p = 0.0
        outputs = block(inputs)

        mean = inputs.mean((0, 1))
        deviation = torch.sqrt(inputs.var((0, 1), correction=0) + block.norm.eps)
        normalised = (inputs - mean) / deviation * block.norm.weight + block.norm.bias
        hidden = functional.gelu(block.layer(normalised))
        value, gate = block.gate(hidden).chunk(2, dim=-1)
        expected = inputs + value * torch.sigmoid(gate)
    torch.testing.assert_close(outputs, expected)


def test_dropout_acts_in_training_only() -> None:
    block = a_block(0.4)
    inputs = torch.randn(4, 7, 6)
    dropped = []
    block.dropout.register_forward_hook(
        lambda _module, _arguments, outputs: dropped.append(outputs == 0)
    )
    outputs = block(inputs)
    # Once before the gate and once after it, where the residual path stays whole.
    assert [part.float().mean().item() for part in dropped] == [
        pytest.approx(0.4, abs=0.15)
    ] * 2
    assert torch.equal(outputs[dropped[1]], inputs[dropped[1]])
    block.eval()
    assert torch.equal(block(inputs), block(inputs))


def test_evaluation_treats_each_sequence_alone() -> None:
    model = small_classifier(dropout=0.1)
    inputs = torch.randn(5, 9, 2, dtype=torch.float64)
    model(inputs)
    model.eval()
    together = model(inputs)
    alone = torch.cat([model(sequence[None]) for sequence in inputs])
    torch.testing.assert_close(together, alone)


def test_classifier_is_encoder_blocks_mean_and_head() -> None:
    model = small_classifier().eval()
    inputs = torch.randn(5, 9, 2, dtype=torch.float64)
    hidden = model.encoder(inputs)
    for block in model.blocks:
        hidden = block(hidden)
    expected = model.head(hidden.sum(1) / 9)
    assert expected.shape == (5, 4)
    torch.testing.assert_close(model(inputs), expected)


@pytest.mark.parametrize("layer", ["lru", "s4d", "s5"])
def test_every_parameter_gets_a_gradient(layer: str) -> None:
    model = small_classifier(layer=layer, r_min=0.5, r_max=0.9, max_phase=1.0)
    inputs = torch.randn(5, 9, 2, dtype=torch.float64)
    functional.cross_entropy(model(inputs), torch.tensor([0, 1, 2, 3, 0])).backward()
    for name, value in model.named_parameters():
        assert value.grad is not None, name
        assert value.grad.abs().sum() > 0, name


def test_options_reach_the_layers() -> None:
    model = SequenceClassifier(
        2, 4, d_model=6, d_state=50, n_blocks=3, dropout=0.3, r_min=0.7, r_max=0.8
    )
    layers = [module for module in model.modules() if isinstance(module, LRU)]
    assert [(layer.d_model, layer.d_state) for layer in layers] == [(6, 50)] * 3
    for layer in layers:
        radius = torch.exp(-torch.exp(layer.nu_log))
        assert ((radius > 0.69) & (radius < 0.81)).all()
    assert all(m.p == 0.3 for m in model.modules() if isinstance(m, nn.Dropout))
    slow = SequenceClassifier(2, 4, d_model=6, d_state=50, max_phase=0.1)
    assert (slow.blocks[0].layer.theta_log.exp() <= 0.1 + 1e-6).all()


@pytest.mark.parametrize(("kind", "layer"), [("lru", LRU), ("s4d", S4D), ("s5", S5)])
def test_blocks_have_the_layer_that_is_named(kind: str, layer: type) -> None:
    model = small_classifier(layer=kind)
    assert [type(block.layer) for block in model.blocks] == [layer] * 3
    assert [(b.layer.d_model, b.layer.d_state) for b in model.blocks] == [(6, 5)] * 3


def test_it_learns_what_only_a_memory_can_know() -> None:
    """The class is the sign of the first sample; the others are noise."""

    def batch(size: int) -> tuple[Tensor, Tensor]:
        inputs = 0.1 * torch.randn(size, 12, 1)
        targets = torch.randint(2, (size,))
        inputs[:, 0, 0] = 2.0 * targets - 1
        inputs[:, -1, 0] = torch.randn(size)
        return inputs, targets

    model = SequenceClassifier(1, 2, d_model=6, d_state=5, r_min=0.8)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(60):
        inputs, targets = batch(32)
        functional.cross_entropy(model(inputs), targets).backward()
        optimizer.step()
        optimizer.zero_grad()
    inputs, targets = batch(200)
    accuracy = (model.eval()(inputs).argmax(1) == targets).float().mean()
    assert accuracy > 0.95


def test_bad_arguments_say_what_is_needed() -> None:
    with pytest.raises(ValueError, match=r"got dropout=1.0, need 0 <= dropout < 1"):
        a_block(1.0)
    with pytest.raises(ValueError, match=r"got d_model=6, d_state=0"):
        small_classifier(d_state=0)
    with (
        unchecked_types(),
        pytest.raises(ValueError, match="got layer='gru', need one of lru, s4d, s5"),
    ):
        small_classifier(layer="gru")
    with pytest.raises(ValueError, match=r"n_blocks=0, .*need all at least 1"):
        SequenceClassifier(2, 4, d_model=6, d_state=5, n_blocks=0)
    model = small_classifier()
    with pytest.raises(ValueError, match=r"got inputs of shape \(5, 9, 3\).*d_input=2"):
        model(torch.zeros(5, 9, 3, dtype=torch.float64))
    with pytest.raises(ValueError, match=r"need \(batch, length, d_model\)"):
        model.blocks[0](torch.zeros(5, 6, dtype=torch.float64))
    with pytest.raises(ValueError, match="length 0, need at least one step"):
        model(torch.zeros(5, 0, 2, dtype=torch.float64))
    with pytest.raises(ValueError, match=r"mask of shape \(5, 8\), need \(5, 9\)"):
        model.blocks[0](
            torch.zeros(5, 9, 6, dtype=torch.float64),
            torch.ones(5, 8, dtype=torch.bool),
        )
