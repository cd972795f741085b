"""The digits of scikit-learn: splits and scaling."""

import dataclasses
import sys

import numpy as np
import pytest
import torch

from hankelcut._errors import MissingDependencyError
from hankelcut.experiments.tasks import load_digits_task, load_task
from tests.experiments.tasks.reading import all_values, assert_standardised


def test_digits_has_sizes_and_scale() -> None:
    task = load_digits_task()
    assert [tuple(part.shape) for part in all_values(task)] == [
        (1077, 64, 1),
        (360, 64, 1),
        (360, 64, 1),
    ]
    assert (task.name, task.n_classes, task.d_input) == ("digits", 10, 1)
    assert_standardised(task)


def test_digits_parts_are_all_the_images_with_their_labels() -> None:
    from sklearn.datasets import load_digits

    task = load_digits_task(seed=5)
    images = torch.cat(all_values(task)).squeeze(-1)
    targets = torch.cat(
        [task.train.targets, task.validation.targets, task.test.targets]
    )
    # Undo the standardisation: the lowest pixel is 0, the highest 16.
    images = 16 * (images - images.min()) / (images.max() - images.min())
    found = torch.cat([images.round().long(), targets[:, None]], dim=1)
    digits = load_digits()
    original = np.column_stack([digits.data, digits.target]).astype(int)
    assert sorted(map(tuple, found.tolist())) == sorted(map(tuple, original.tolist()))


def test_digits_classes_are_in_equal_shares() -> None:
    task = load_digits_task(seed=2)
    train, validation, test = (
        torch.bincount(targets, minlength=10) / len(targets)
        for targets in (task.train.targets, task.validation.targets, task.test.targets)
    )
    torch.testing.assert_close(train, validation, rtol=0, atol=0.005)
    torch.testing.assert_close(train, test, rtol=0, atol=0.005)


def test_the_seed_fixes_the_split() -> None:
    first, again, other = (load_task("digits", seed=seed) for seed in (3, 3, 4))
    for one, two in zip(all_values(first), all_values(again), strict=True):
        assert torch.equal(one, two)
    assert not torch.equal(first.test.targets, other.test.targets)


def test_digits_without_scikit_learn_names_the_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(MissingDependencyError, match=r"hankelcut\[experiments\]"):
        load_digits_task()


def test_a_task_is_frozen() -> None:
    task = load_digits_task()
    with pytest.raises(dataclasses.FrozenInstanceError):
        task.name = "other"  # type: ignore[misc]
