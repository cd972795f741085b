"""What tests of tasks read and write."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from hankelcut.experiments.tasks import Examples, Task


def idx_bytes(array: np.ndarray, *, code: int = 8) -> bytes:
    """The IDX format, written independently of the reader."""
    header = bytes([0, 0, code, array.ndim])
    lengths = struct.pack(f">{array.ndim}i", *array.shape)
    return header + lengths + array.tobytes()


def write(path: Path, content: bytes) -> None:
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def values_of(part: Examples) -> torch.Tensor:
    """All sequences of a part, as a model takes them."""
    batch, targets = part.batch(torch.arange(len(part)))
    assert batch.lengths is None
    assert torch.equal(targets, part.targets)
    return batch.inputs


def all_values(task: Task) -> list[torch.Tensor]:
    """Sequences of the three parts."""
    return [values_of(part) for part in (task.train, task.validation, task.test)]


def sizes_of(task: Task) -> list[int]:
    """Numbers of examples in the three parts."""
    return [len(part) for part in (task.train, task.validation, task.test)]


def texts_of(part: Examples) -> list[list[int]]:
    """All texts of a part, without their padding, documents one after the other."""
    batch, _ = part.batch(torch.arange(len(part)))
    inputs = batch.inputs.reshape(-1, batch.inputs.shape[-1])
    assert batch.lengths is not None
    lengths = batch.lengths.flatten().tolist()
    assert inputs.shape[1] == max(lengths)
    for text, length in zip(inputs, lengths, strict=True):
        assert (text[length:] == 0).all()
    return [t[:n].tolist() for t, n in zip(inputs, lengths, strict=True)]


def assert_standardised(task: Task) -> None:
    """Mean 0 and deviation 1 of every channel of the training part."""
    train = values_of(task.train)
    assert train.mean((0, 1)).tolist() == pytest.approx([0] * task.d_input, abs=1e-4)
    assert train.std((0, 1)).tolist() == pytest.approx([1] * task.d_input, abs=1e-4)
    for part in (task.train, task.validation, task.test):
        assert values_of(part).dtype == torch.float32
        assert part.targets.dtype == torch.int64
