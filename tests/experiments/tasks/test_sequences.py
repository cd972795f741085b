"""Stored sequences: batches, parts and padding."""

import pytest
import torch

from hankelcut.experiments.tasks import ChannelSequences, Examples, TokenSequences
from hankelcut.experiments.tasks.task import split_at_random
from tests.experiments.tasks.reading import texts_of

TEXTS = [b"abc", b"d", b"efgh", b"ij", b"k", b"lmnop"]


def test_channels_are_standardised_as_they_are_taken() -> None:
    values = torch.arange(24, dtype=torch.uint8).reshape(3, 4, 2)
    sequences = ChannelSequences(
        values, torch.tensor([1.0, 2.0]), torch.tensor([0.5, 4.0])
    )
    assert len(sequences) == 3
    batch = sequences.take(torch.tensor([2, 0]))
    expected = (values[[2, 0]].float() - torch.tensor([1.0, 2.0])) / torch.tensor(
        [0.5, 4.0]
    )
    assert torch.equal(batch.inputs, expected)
    assert batch.lengths is None
    assert torch.equal(
        sequences.part(torch.tensor([2])).take(torch.tensor([0])).inputs, expected[:1]
    )


def test_texts_are_padded_to_the_longest_of_the_batch() -> None:
    sequences = TokenSequences.of_texts(TEXTS)
    batch = sequences.take(torch.tensor([3, 0, 1]))
    assert batch.inputs.tolist() == [[105, 106, 0], [97, 98, 99], [100, 0, 0]]
    assert batch.lengths is not None
    assert batch.lengths.tolist() == [2, 3, 1]
    assert batch.inputs.dtype == torch.int64


def test_documents_of_an_example_stay_together() -> None:
    sequences = TokenSequences.of_texts(TEXTS, n_documents=2)
    assert len(sequences) == 3
    batch = sequences.take(torch.tensor([2, 0]))
    assert batch.inputs.shape == (2, 2, 5)
    assert batch.lengths is not None
    assert batch.lengths.tolist() == [[1, 5], [3, 1]]
    assert bytes(batch.inputs[0, 1].tolist()) == b"lmnop"
    part = sequences.part(torch.tensor([2, 0])).take(torch.tensor([0, 1]))
    assert torch.equal(part.inputs, batch.inputs)


@pytest.mark.parametrize("n_documents", [1, 2])
def test_a_random_split_keeps_every_example_with_its_class(n_documents: int) -> None:
    texts = [bytes([65 + k] * (k + 1)) for k in range(20 * n_documents)]
    sequences = TokenSequences.of_texts(texts, n_documents=n_documents)
    examples = Examples(sequences, torch.arange(20))
    parts = split_at_random(examples, (0.5, 0.2), seed=3)
    assert [len(part) for part in parts] == [10, 4, 6]
    found = {}
    for part in parts:
        read = texts_of(part)
        for k, target in enumerate(part.targets.tolist()):
            found[target] = read[n_documents * k : n_documents * (k + 1)]
    expected = [list(text) for text in texts]
    assert found == {
        k: expected[n_documents * k : n_documents * (k + 1)] for k in range(20)
    }
    again = split_at_random(examples, (0.5, 0.2), seed=3)
    other = split_at_random(examples, (0.5, 0.2), seed=4)
    assert torch.equal(again[0].targets, parts[0].targets)
    assert not torch.equal(other[0].targets, parts[0].targets)


def test_the_first_examples_are_a_part() -> None:
    examples = Examples(TokenSequences.of_texts(TEXTS), torch.arange(6))
    assert texts_of(examples.first(2)) == [list(b"abc"), list(b"d")]
    assert len(examples.first(9)) == 6
