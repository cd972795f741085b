"""Texts and pairs of texts: trained, cut, saved and read again."""

import dataclasses
from pathlib import Path

import pytest
import torch

from hankelcut.experiments import CutPlan, Examples, Recipe, Task, load_model, train
from hankelcut.experiments.tasks import TokenSequences
from hankelcut.experiments.training_state import accuracy


def a_task(n_documents: int) -> Task:
    """Which of two letters a text has, or whether two texts have the same."""
    generator = torch.Generator().manual_seed(1)

    def part(size: int) -> Examples:
        letters = torch.randint(0, 2, (size, n_documents), generator=generator)
        lengths = torch.randint(3, 12, (size, n_documents), generator=generator)
        texts = [
            bytes([1, *[2 + letter] * (length - 2), 1])
            for letter, length in zip(
                letters.flatten().tolist(), lengths.flatten().tolist(), strict=True
            )
        ]
        sequences = TokenSequences.of_texts(texts, n_documents=n_documents)
        targets = letters.sum(1) % 2 if n_documents > 1 else letters[:, 0]
        return Examples(sequences, targets)

    name = "aan" if n_documents > 1 else "listops"
    return Task(
        name,
        part(64),
        part(20),
        part(31),
        n_classes=2,
        d_input=4,
        inputs="tokens",
        n_documents=n_documents,
    )


@pytest.mark.parametrize("n_documents", [1, 2])
def test_texts_are_learnt_and_layers_cut(n_documents: int, tmp_path: Path) -> None:
    task = a_task(n_documents)
    recipe = Recipe(
        task=task.name,
        d_model=8,
        d_state=10,
        n_blocks=1,
        dropout=0.0,
        steps=60,
        batch_size=16,
        learning_rate=2e-2,
        cuts=CutPlan("order", 4.0, every=10, until=10),
        evaluate_every=30,
    )
    result = train(recipe, task, folder=tmp_path)
    assert result.states == {"blocks.0.layer": 4}
    assert result.test_accuracy > 0.9
    read, model = load_model(tmp_path / "model.safetensors", task)
    assert read == recipe
    assert accuracy(model, task.test) == result.test_accuracy
    again = train(dataclasses.replace(recipe, steps=60), task)
    assert again.losses.tolist() == result.losses.tolist()
