"""Classification tasks over sequences, split into train, validation and test."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from hankelcut._errors import DataError, MissingDependencyError
from hankelcut.experiments.idx import read_idx

__all__ = ["TASKS", "Task", "load_digits_task", "load_smnist_task", "load_task"]

_MNIST_CLASSES = 10
_MNIST_IMAGE = (28, 28)
_MNIST_ADVICE = (
    "give the folder of the four original MNIST files (train-images-idx3-ubyte, "
    "train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte, each "
    "with or without .gz)"
)


@dataclass(frozen=True, eq=False)
class Task:
    """Labelled sequences in three disjoint parts.

    Parameters
    ----------
    name : str
        Name in `TASKS`.
    train_inputs, validation_inputs, test_inputs : (n, length, d_input) tensor
        Sequences in float32, dimensionless, with mean 0 and standard deviation 1 over
        the training part. Nothing may be chosen by the test part.
    train_targets, validation_targets, test_targets : (n,) tensor
        Classes from 0 in int64.
    n_classes : int
        Number of classes.
    d_input : int
        Number of channels of the sequences.
    """

    name: str
    train_inputs: Float[Tensor, "train length channels"]
    train_targets: Int[Tensor, " train"]
    validation_inputs: Float[Tensor, "validation length channels"]
    validation_targets: Int[Tensor, " validation"]
    test_inputs: Float[Tensor, "test length channels"]
    test_targets: Int[Tensor, " test"]
    n_classes: int
    d_input: int


def load_digits_task(seed: int = 0) -> Task:
    """Handwritten digits of 8 x 8 pixels as sequences of 64, shipped in scikit-learn.

    Parameters
    ----------
    seed : int
        Fixes the split: 60 % train, 20 % validation, 20 % test of the 1797 images, the
        classes in equal shares.

    Returns
    -------
    Task
        The task ``digits``.

    Raises
    ------
    MissingDependencyError
        If scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split
    except ImportError as error:
        msg = (
            "the task 'digits' needs scikit-learn, which is not installed; run "
            "`pip install 'hankelcut[experiments]'`"
        )
        raise MissingDependencyError(msg) from error
    digits = load_digits()
    rest, test = train_test_split(
        range(len(digits.target)),
        test_size=0.2,
        stratify=digits.target,
        random_state=seed,
    )
    train, validation = train_test_split(
        rest, test_size=0.25, stratify=digits.target[rest], random_state=seed
    )
    pixels = torch.tensor(digits.data, dtype=torch.float32) / 16
    targets = torch.tensor(digits.target, dtype=torch.int64)
    parts = [(pixels[part], targets[part]) for part in (train, validation, test)]
    return _task("digits", parts, n_classes=len(digits.target_names))


def load_smnist_task(folder: Path | str, *, seed: int = 0) -> Task:
    """Sequential MNIST: every image as the sequence of its 784 pixels.

    Parameters
    ----------
    folder : path
        Folder with the four files of MNIST in IDX format, compressed or not.
    seed : int
        Fixes which tenth of the training images is the validation part.

    Returns
    -------
    Task
        The task ``smnist``: 54,000 / 6,000 / 10,000 sequences from the original files.

    Raises
    ------
    DataError
        If the folder or a file is missing or damaged, or the files do not belong
        together; the message names the file.
    """
    folder = Path(folder)
    if not folder.is_dir():
        msg = f"got {folder}, which is not a folder; {_MNIST_ADVICE}"
        raise DataError(msg)
    images, labels = _read_mnist_part(folder, "train")
    test_images, test_labels = _read_mnist_part(folder, "t10k")
    n_validation = len(images) // 10
    if n_validation == 0:
        msg = (
            f"{folder}: got {len(images)} training images, need at least 10 to set "
            f"some apart for validation; {_MNIST_ADVICE}"
        )
        raise DataError(msg)
    generator = torch.Generator().manual_seed(seed)
    shuffled = torch.randperm(len(images), generator=generator)
    train, validation = shuffled[n_validation:], shuffled[:n_validation]
    parts = [
        (images[train], labels[train]),
        (images[validation], labels[validation]),
        (test_images, test_labels),
    ]
    return _task("smnist", parts, n_classes=_MNIST_CLASSES)


def load_task(name: str, *, data: Path | str | None = None, seed: int = 0) -> Task:
    """Load a task by its name.

    Parameters
    ----------
    name : str
        A key of `TASKS`.
    data : path, optional
        Folder of the task's files; tasks that come with their data do not read it.
    seed : int
        Fixes the split into parts.

    Returns
    -------
    Task
        The task.

    Raises
    ------
    ValueError
        If there is no task of that name.
    DataError
        If the task's data are missing or damaged.
    """
    if name not in TASKS:
        msg = f"got the task {name!r}, need one of {', '.join(sorted(TASKS))}"
        raise ValueError(msg)
    return TASKS[name](data, seed)


def _load_digits(_data: Path | str | None, seed: int) -> Task:
    return load_digits_task(seed)


def _load_smnist(data: Path | str | None, seed: int) -> Task:
    if data is None:
        msg = f"got no data folder for the task 'smnist'; {_MNIST_ADVICE}"
        raise DataError(msg)
    return load_smnist_task(data, seed=seed)


TASKS = MappingProxyType[str, Callable[[Path | str | None, int], Task]](
    {"digits": _load_digits, "smnist": _load_smnist}
)
"""Loaders by name, called with the data folder (or None) and the seed."""


def _read_mnist_part(
    folder: Path, prefix: str
) -> tuple[Float[Tensor, "n length"], Int[Tensor, " n"]]:
    """Pixels in [0, 1], row by row, and labels of ``train`` or ``t10k``."""
    images_path = _existing_file(folder, f"{prefix}-images-idx3-ubyte")
    labels_path = _existing_file(folder, f"{prefix}-labels-idx1-ubyte")
    images = read_idx(images_path, n_axes=3)
    labels = read_idx(labels_path, n_axes=1)
    if images.shape[1:] != _MNIST_IMAGE:
        msg = (
            f"{images_path}: got images of {tuple(images.shape[1:])} pixels, need "
            f"{_MNIST_IMAGE}; {_MNIST_ADVICE}"
        )
        raise DataError(msg)
    if len(images) != len(labels):
        msg = (
            f"{labels_path}: got {len(labels)} labels, need {len(images)}, one for "
            f"each image in {images_path.name}; {_MNIST_ADVICE}"
        )
        raise DataError(msg)
    if labels.max() >= _MNIST_CLASSES:
        msg = (
            f"{labels_path}: got the label {labels.max().item()}, need 0 to "
            f"{_MNIST_CLASSES - 1}; {_MNIST_ADVICE}"
        )
        raise DataError(msg)
    return images.flatten(1).float() / 255, labels.long()


def _existing_file(folder: Path, name: str) -> Path:
    """Path of the file, compressed or not; DataError if there is neither."""
    for path in (folder / f"{name}.gz", folder / name):
        if path.is_file():
            return path
    msg = f"got no file {name} or {name}.gz in {folder}; {_MNIST_ADVICE}"
    raise DataError(msg)


def _task(
    name: str,
    parts: Sequence[tuple[Shaped[Tensor, "..."], Shaped[Tensor, "..."]]],
    *,
    n_classes: int,
) -> Task:
    """Standardise pixels by the training part and give them a channel axis."""
    (train, train_targets), (validation, validation_targets), (test, test_targets) = (
        parts
    )
    deviation, mean = torch.std_mean(train)
    if deviation == 0:
        msg = f"the task {name!r} got training pixels that are all equal, need images"
        raise DataError(msg)
    train, validation, test = (
        ((pixels - mean) / deviation).unsqueeze(-1)
        for pixels in (train, validation, test)
    )
    return Task(
        name=name,
        train_inputs=train,
        train_targets=train_targets,
        validation_inputs=validation,
        validation_targets=validation_targets,
        test_inputs=test,
        test_targets=test_targets,
        n_classes=n_classes,
        d_input=train.shape[-1],
    )
