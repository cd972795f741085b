"""Sequential CIFAR-10: every image as the sequence of its 1024 coloured pixels."""

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int, Integer, UInt8
from torch import Tensor

from hankelcut._errors import DataError
from hankelcut.experiments.tasks.folders import find_folder, read_file
from hankelcut.experiments.tasks.images import image_task, pixels
from hankelcut.experiments.tasks.task import Task

__all__ = ["load_scifar_task"]

_CLASSES = 10
_SIDE, _CHANNELS = 32, 3
_VALUES = _SIDE * _SIDE * _CHANNELS
_TRAIN_FILES = tuple(f"data_batch_{k}" for k in range(1, 6))
_ADVICE = (
    "give the unpacked folder cifar-10-batches-py (data_batch_1 to 5 and test_batch) "
    "or cifar-10-batches-bin (the same names with .bin) of CIFAR-10, "
    "https://www.cs.toronto.edu/~kriz/cifar.html, or one that holds it"
)


def load_scifar_task(
    data: Path | str | None, *, seed: int = 0, pooling: int = 1
) -> Task:
    """Sequential CIFAR-10: every image as the sequence of its pixels, in colour.

    Parameters
    ----------
    data : path
        Folder of the files, of the version for Python or of the binary one.
    seed : int
        Fixes which tenth of the training images is the validation part.
    pooling : int
        Side of the squares of pixels that are averaged.

    Returns
    -------
    Task
        The task ``scifar``: 45,000 / 5,000 / 10,000 sequences of 1024 steps with 3
        channels from the original files, as in Chahine et al. (the task "image" of the
        Long Range Arena has the grey values of the same images).

    Raises
    ------
    DataError
        If the folder or a file is missing, damaged, or of another format.

    Notes
    -----
    The files for Python are pickles. They are read without running what a pickle may
    call: only arrays, lists, numbers and texts can come out.
    """
    folder = find_folder(
        "scifar",
        data,
        subfolders=("cifar-10-batches-py", "cifar-10-batches-bin"),
        marks=("data_batch_1", "data_batch_1.bin"),
        advice=_ADVICE,
    )
    suffix = "" if (folder / "data_batch_1").exists() else ".bin"
    read = _read_binary if suffix else _read_pickle
    batches = [read(folder / f"{name}{suffix}") for name in _TRAIN_FILES]
    images, labels = (torch.cat(items) for items in zip(*batches, strict=True))
    test_images, test_labels = read(folder / f"test_batch{suffix}")
    n_validation = len(images) // 10
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
    validation, train = order[:n_validation], order[n_validation:]
    values, test = (pixels(part, pooling=pooling) for part in (images, test_images))
    parts = [
        (values[train], labels[train]),
        (values[validation], labels[validation]),
        (test, test_labels),
    ]
    return image_task("scifar", parts, n_classes=_CLASSES)


def _read_binary(path: Path) -> tuple[UInt8[Tensor, "n h w c"], Int[Tensor, " n"]]:
    """Read records of one byte of label and three planes of pixels."""
    content = read_file(path, _ADVICE)
    if not content or len(content) % (1 + _VALUES):
        msg = f"{path}: got {len(content)} bytes, need records of {1 + _VALUES}; "
        raise DataError(msg + _ADVICE)
    records = np.frombuffer(content, np.uint8).reshape(-1, 1 + _VALUES)
    return _checked(path, records[:, 1:], records[:, 0])


def _read_pickle(path: Path) -> tuple[UInt8[Tensor, "n h w c"], Int[Tensor, " n"]]:
    """Read a pickled dictionary of pixels and labels."""
    try:
        content = _ArraysOnly(
            io.BytesIO(read_file(path, _ADVICE)), encoding="bytes"
        ).load()
        data, labels = content[b"data"], np.asarray(content[b"labels"])
    except (
        # What pickle's reader raises on damaged files.
        pickle.UnpicklingError,
        EOFError,
        LookupError,
        ValueError,
        TypeError,
        AttributeError,
        ImportError,
    ) as error:
        msg = f"{path}: got '{error}', need a batch of CIFAR-10; {_ADVICE}"
        raise DataError(msg) from error
    if (
        not isinstance(data, np.ndarray)
        or data.dtype != np.uint8
        or data.shape != (len(labels), _VALUES)
        or not np.issubdtype(labels.dtype, np.integer)
    ):
        msg = f"{path}: got other content, need bytes of shape (n, {_VALUES}) with n "
        raise DataError(f"{msg}labels; {_ADVICE}")
    return _checked(path, data, labels)


class _ArraysOnly(pickle.Unpickler):
    """Reads a pickle of arrays, and refuses every other class or function."""

    def find_class(self, module: str, name: str) -> Any:
        """Return one of the three things of which an array is made."""
        reconstruct = np.empty(0).__reduce__()[0]
        known = {
            ("numpy", "ndarray"): np.ndarray,
            ("numpy", "dtype"): np.dtype,
            ("numpy.core.multiarray", "_reconstruct"): reconstruct,
            ("numpy._core.multiarray", "_reconstruct"): reconstruct,
        }
        if (module, name) not in known:
            msg = f"{module}.{name} inside, which is no part of an array"
            raise pickle.UnpicklingError(msg)
        return known[module, name]


def _checked(
    path: Path, data: UInt8[np.ndarray, "n values"], labels: Integer[np.ndarray, " n"]
) -> tuple[UInt8[Tensor, "n h w c"], Int[Tensor, " n"]]:
    """Images with the channels last, and labels within their range."""
    if len(labels) == 0 or labels.min() < 0 or labels.max() >= _CLASSES:
        msg = f"{path}: got labels outside 0 to {_CLASSES - 1}, or none; {_ADVICE}"
        raise DataError(msg)
    planes = torch.from_numpy(data.copy()).view(-1, _CHANNELS, _SIDE, _SIDE)
    images = planes.permute(0, 2, 3, 1).contiguous()
    return images, torch.from_numpy(labels.astype(np.int64))
