"""Sequential MNIST: every image as the sequence of its 784 pixels."""

from pathlib import Path

import torch
from jaxtyping import Int, UInt8
from torch import Tensor

from hankelcut._errors import DataError
from hankelcut.experiments.tasks.folders import find_folder
from hankelcut.experiments.tasks.idx import read_idx
from hankelcut.experiments.tasks.images import image_task, pixels
from hankelcut.experiments.tasks.task import Task

__all__ = ["load_smnist_task"]

_CLASSES = 10
_IMAGE = (28, 28)
_ADVICE = (
    "give the folder of the four original MNIST files (train-images-idx3-ubyte, "
    "train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte, each "
    "with or without .gz), or one that holds it as mnist or MNIST/raw"
)


def load_smnist_task(
    data: Path | str | None, *, seed: int = 0, pooling: int = 1
) -> Task:
    """Sequential MNIST: every image as the sequence of its 784 pixels.

    Parameters
    ----------
    data : path
        Folder with the four files of MNIST in IDX format, compressed or not.
    seed : int
        Fixes which tenth of the training images is the validation part.
    pooling : int
        Side of the squares of pixels that are averaged: 2 gives 196 steps.

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
    marks = ("train-images-idx3-ubyte", "train-images-idx3-ubyte.gz")
    folder = find_folder(
        "smnist", data, subfolders=("mnist", "MNIST/raw"), marks=marks, advice=_ADVICE
    )
    images, labels = _read_part(folder, "train")
    test_images, test_labels = _read_part(folder, "t10k")
    n_validation = len(images) // 10
    if n_validation == 0:
        msg = (
            f"{folder}: got {len(images)} training images, need at least 10 to set "
            f"some apart for validation; {_ADVICE}"
        )
        raise DataError(msg)
    values, test = (
        pixels(part[..., None], pooling=pooling) for part in (images, test_images)
    )
    generator = torch.Generator().manual_seed(seed)
    shuffled = torch.randperm(len(images), generator=generator)
    train, validation = shuffled[n_validation:], shuffled[:n_validation]
    parts = [
        (values[train], labels[train]),
        (values[validation], labels[validation]),
        (test, test_labels),
    ]
    return image_task("smnist", parts, n_classes=_CLASSES)


def _read_part(
    folder: Path, prefix: str
) -> tuple[UInt8[Tensor, "n height width"], Int[Tensor, " n"]]:
    """Images and labels of ``train`` or ``t10k``."""
    images_path = _existing_file(folder, f"{prefix}-images-idx3-ubyte")
    labels_path = _existing_file(folder, f"{prefix}-labels-idx1-ubyte")
    images = read_idx(images_path, n_axes=3)
    labels = read_idx(labels_path, n_axes=1)
    if images.shape[1:] != _IMAGE:
        msg = (
            f"{images_path}: got images of {tuple(images.shape[1:])} pixels, need "
            f"{_IMAGE}; {_ADVICE}"
        )
        raise DataError(msg)
    if len(images) != len(labels):
        msg = (
            f"{labels_path}: got {len(labels)} labels, need {len(images)}, one for "
            f"each image in {images_path.name}; {_ADVICE}"
        )
        raise DataError(msg)
    if labels.max() >= _CLASSES:
        msg = (
            f"{labels_path}: got the label {labels.max().item()}, need 0 to "
            f"{_CLASSES - 1}; {_ADVICE}"
        )
        raise DataError(msg)
    return images, labels.long()


def _existing_file(folder: Path, name: str) -> Path:
    """Path of the file, compressed or not; DataError if there is neither."""
    for path in (folder / f"{name}.gz", folder / name):
        if path.is_file():
            return path
    msg = f"got no file {name} or {name}.gz in {folder}; {_ADVICE}"
    raise DataError(msg)
