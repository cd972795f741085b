"""Texts and pairs of texts: padding changes nothing, and every part is used."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from hankelcut.nn import SequenceClassifier
from tests.helpers import unchecked_types

LENGTHS = torch.tensor([9, 1, 4, 6, 9])


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(3)


def a_classifier(**options: object) -> SequenceClassifier:
    sizes = {"d_model": 6, "d_state": 5, "n_blocks": 2}
    return SequenceClassifier(7, 4, **{**sizes, **options}).double()


def tokens(*shape: int) -> Tensor:
    return torch.randint(7, shape)


def test_tokens_are_embedded_before_the_blocks() -> None:
    model = a_classifier(inputs="tokens").eval()
    inputs = tokens(5, 9)
    hidden = model.encoder.weight[inputs]
    for block in model.blocks:
        hidden = block(hidden)
    torch.testing.assert_close(model(inputs), model.head(hidden.mean(1)))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("inputs", ["tokens", "channels"])
def test_padding_changes_nothing(inputs: str, training: bool) -> None:
    """Neither the scores, nor the norm's statistics, nor a gradient."""
    model = a_classifier(inputs=inputs, dropout=0.0).train(training)
    sequences = tokens(5, 9)
    if inputs == "channels":
        sequences = torch.randn(5, 9, 7, dtype=torch.float64)
    padding = torch.arange(9) >= LENGTHS[:, None]
    found = []
    for filling, extra in ((0, 0), (5, 0), (3, 4)):
        filled = sequences.clone()
        filled[padding] = filling
        behind = torch.full((5, extra, *filled.shape[2:]), filling, dtype=filled.dtype)
        for block in model.blocks:
            block.norm.reset_running_stats()
        model.zero_grad()
        scores = model(torch.cat([filled, behind], dim=1), LENGTHS)
        scores.square().sum().backward()
        found.append(
            [scores.detach()]
            + [p.grad.clone() for p in model.parameters()]
            + [block.norm.running_var.clone() for block in model.blocks]
        )
    for other in found[1:]:
        for one, two in zip(found[0], other, strict=True):
            torch.testing.assert_close(one, two)


def test_masked_sequences_are_what_they_are_alone() -> None:
    model = a_classifier(inputs="tokens").eval()
    inputs = tokens(5, 9)
    together = model(inputs, LENGTHS)
    alone = [
        model(sequence[None, :length])
        for sequence, length in zip(inputs, LENGTHS, strict=True)
    ]
    torch.testing.assert_close(together, torch.cat(alone))


def test_statistics_of_the_norm_are_over_the_sequences() -> None:
    model = a_classifier(n_blocks=1)
    inputs = torch.randn(5, 9, 7, dtype=torch.float64)
    model(inputs, LENGTHS)
    hidden = model.encoder(inputs)
    inside = torch.cat([h[:n] for h, n in zip(hidden, LENGTHS, strict=True)])
    norm = model.blocks[0].norm
    torch.testing.assert_close(norm.running_mean, 0.1 * inside.mean(0))
    torch.testing.assert_close(norm.running_var, 0.9 + 0.1 * inside.var(0))


def test_full_lengths_are_no_lengths() -> None:
    model = a_classifier(inputs="tokens")
    inputs = tokens(5, 9)
    full = torch.full((5,), 9)
    torch.testing.assert_close(model(inputs, full), model(inputs))


def test_documents_are_read_alone_and_judged_together() -> None:
    model = a_classifier(inputs="tokens", n_documents=2).eval()
    inputs, lengths = tokens(5, 2, 9), LENGTHS[:, None].expand(5, 2)
    first, second = (
        _features(model, inputs[:, k], lengths[:, k].contiguous()) for k in (0, 1)
    )
    expected = model.head(torch.cat([first, second], dim=1))
    assert expected.shape == (5, 4)
    torch.testing.assert_close(model(inputs, lengths), expected)
    assert not torch.allclose(model(inputs.flip(1), lengths.flip(1)), expected)


def _features(model: SequenceClassifier, inputs: Tensor, lengths: Tensor) -> Tensor:
    """What the head gets of one document."""
    head, documents = model.head, model.n_documents
    model.head, model.n_documents = nn.Identity(), 1
    features = model(inputs, lengths)
    model.head, model.n_documents = head, documents
    return features


def test_every_parameter_of_the_pair_classifier_gets_a_gradient() -> None:
    model = a_classifier(inputs="tokens", n_documents=2, d_model=12)
    inputs = torch.arange(90).reshape(5, 2, 9) % 7
    targets = torch.tensor([0, 1, 2, 3, 0])
    functional.cross_entropy(model(inputs), targets).backward()
    for name, value in model.named_parameters():
        assert value.grad is not None, name
        assert value.grad.abs().sum() > 0, name


def test_wrong_inputs_say_what_is_needed() -> None:
    message = r"inputs='words', need one of channels, tokens"
    with unchecked_types(), pytest.raises(ValueError, match=message):
        a_classifier(inputs="words")
    with pytest.raises(ValueError, match=r"n_documents=0, need all at least 1"):
        a_classifier(n_documents=0)
    model = a_classifier(inputs="tokens")
    with pytest.raises(ValueError, match=r"torch.float64, need \(batch, length\) toke"):
        model(torch.zeros(5, 9, dtype=torch.float64))
    with pytest.raises(ValueError, match=r"got lengths of shape \(4,\), need \(5,\)"):
        model(tokens(5, 9), LENGTHS[:4])
    with pytest.raises(ValueError, match=r"lengths from 0 to 8, need 1 to 9"):
        model(tokens(5, 9), LENGTHS - 1)
    with pytest.raises(ValueError, match=r"lengths from 1 to 9, need 1 to 8"):
        model(tokens(5, 8), LENGTHS)
    pairs = a_classifier(inputs="tokens", n_documents=2)
    with pytest.raises(ValueError, match=r"shape \(5, 9\).*n_documents=2"):
        pairs(tokens(5, 9))
    with pytest.raises(ValueError, match=r"\(5, 2, 9\) and \(5,\), need"):
        pairs(tokens(5, 2, 9), LENGTHS)
