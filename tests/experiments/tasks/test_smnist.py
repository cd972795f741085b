"""Tasks: their splits and scaling, and what a missing or damaged file leads to."""

import dataclasses
import gzip
import os
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from hankelcut._errors import DataError, MissingDependencyError
from hankelcut.experiments.idx import read_idx
from hankelcut.experiments.tasks import (
    TASKS,
    Task,
    load_digits_task,
    load_smnist_task,
    load_task,
)

DATA = Path(
    os.environ.get(
        "HANKELCUT_DATA", Path(__file__).parents[2].parent / "shared" / "data"
    )
)
IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


def idx_bytes(array: np.ndarray, *, code: int = 8) -> bytes:
    """The IDX format, written independently of the reader."""
    header = bytes([0, 0, code, array.ndim])
    lengths = struct.pack(f">{array.ndim}i", *array.shape)
    return header + lengths + array.tobytes()


def write(path: Path, content: bytes) -> None:
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        IMAGES: rng.integers(0, 256, (30, 28, 28), dtype=np.uint8),
        LABELS: rng.integers(0, 10, 30, dtype=np.uint8),
        "t10k-images-idx3-ubyte": rng.integers(0, 256, (7, 28, 28), dtype=np.uint8),
        "t10k-labels-idx1-ubyte": rng.integers(0, 10, 7, dtype=np.uint8),
    }


@pytest.fixture
def folder(tmp_path: Path, arrays: dict[str, np.ndarray]) -> Path:
    """A tiny MNIST, two of its files compressed."""
    for index, (name, array) in enumerate(arrays.items()):
        write(tmp_path / (name + ".gz" * (index % 2)), idx_bytes(array))
    return tmp_path


def assert_standardised(task: Task) -> None:
    assert task.train_inputs.mean().item() == pytest.approx(0, abs=1e-4)
    assert task.train_inputs.std().item() == pytest.approx(1, abs=1e-4)
    for part in ("train", "validation", "test"):
        inputs = getattr(task, f"{part}_inputs")
        targets = getattr(task, f"{part}_targets")
        assert inputs.dtype == torch.float32
        assert targets.dtype == torch.int64
        assert len(inputs) == len(targets)


def parts(task: Task) -> list[torch.Tensor]:
    return [task.train_inputs, task.validation_inputs, task.test_inputs]


def test_digits_has_sizes_and_scale() -> None:
    task = load_digits_task()
    assert [tuple(part.shape) for part in parts(task)] == [
        (1077, 64, 1),
        (360, 64, 1),
        (360, 64, 1),
    ]
    assert (task.name, task.n_classes, task.d_input) == ("digits", 10, 1)
    assert_standardised(task)


def test_digits_parts_are_all_the_images_with_their_labels() -> None:
    from sklearn.datasets import load_digits

    task = load_digits_task(seed=5)
    images = torch.cat(parts(task)).squeeze(-1)
    targets = torch.cat(
        [task.train_targets, task.validation_targets, task.test_targets]
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
        for targets in (task.train_targets, task.validation_targets, task.test_targets)
    )
    torch.testing.assert_close(train, validation, rtol=0, atol=0.005)
    torch.testing.assert_close(train, test, rtol=0, atol=0.005)


def test_the_seed_fixes_the_split() -> None:
    first, again, other = (load_task("digits", seed=seed) for seed in (3, 3, 4))
    for one, two in zip(parts(first), parts(again), strict=True):
        assert torch.equal(one, two)
    assert not torch.equal(first.test_targets, other.test_targets)


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


def test_smnist_reads_what_was_written(
    folder: Path, arrays: dict[str, np.ndarray]
) -> None:
    task = load_task("smnist", data=folder)
    assert [len(part) for part in parts(task)] == [27, 3, 7]
    assert (task.name, task.n_classes, task.d_input) == ("smnist", 10, 1)
    assert_standardised(task)
    # The test part keeps its order; pixels come back by one affine map.
    pixels = arrays["t10k-images-idx3-ubyte"].reshape(7, 784) / 255
    scale, shift = np.polyfit(pixels.ravel(), task.test_inputs.numpy().ravel(), 1)
    np.testing.assert_allclose(
        task.test_inputs.squeeze(-1), scale * pixels + shift, atol=1e-5
    )
    assert task.test_targets.tolist() == arrays["t10k-labels-idx1-ubyte"].tolist()
    # Train and validation are the training images with their labels, each once.
    found = torch.cat([task.train_inputs, task.validation_inputs]).squeeze(-1)
    found = np.rint(255 * (found.numpy() - shift) / scale).astype(int)
    labels = torch.cat([task.train_targets, task.validation_targets]).numpy()
    images = arrays[IMAGES].reshape(30, 784).astype(int)
    assert sorted(np.column_stack([labels, found]).tolist()) == sorted(
        np.column_stack([arrays[LABELS], images]).tolist()
    )


def test_smnist_seed_fixes_the_validation_part(folder: Path) -> None:
    first, again, other = (load_smnist_task(str(folder), seed=s) for s in (3, 3, 4))
    assert torch.equal(first.validation_inputs, again.validation_inputs)
    assert not torch.equal(first.train_targets, other.train_targets)


@pytest.mark.skipif(
    not (DATA / "mnist").is_dir(), reason=f"needs MNIST in {DATA / 'mnist'}"
)
def test_smnist_of_the_original_files() -> None:
    images = read_idx(DATA / "mnist" / f"{IMAGES}.gz", n_axes=3)
    labels = read_idx(DATA / "mnist" / f"{LABELS}.gz", n_axes=1)
    assert images.shape == (60_000, 28, 28)
    assert labels[:5].tolist() == [5, 0, 4, 1, 9]
    # The mean and deviation by which MNIST is usually normalised.
    assert images.float().mean().item() / 255 == pytest.approx(0.1307, abs=1e-4)
    assert images.float().std().item() / 255 == pytest.approx(0.3081, abs=1e-4)
    task = load_smnist_task(DATA / "mnist")
    assert [tuple(part.shape) for part in parts(task)] == [
        (54_000, 784, 1),
        (6_000, 784, 1),
        (10_000, 784, 1),
    ]
    assert_standardised(task)


def test_an_unknown_task_lists_the_names() -> None:
    with pytest.raises(ValueError, match=r"got the task 'mnist', need one of digits, "):
        load_task("mnist")
    assert set(TASKS) == {"digits", "smnist"}


def test_a_missing_folder_or_file_says_where_to_put_what(folder: Path) -> None:
    with pytest.raises(DataError, match=r"no data folder.*train-images-idx3-ubyte"):
        load_task("smnist")
    with pytest.raises(DataError, match=r"nowhere, which is not a folder; give the"):
        load_task("smnist", data=folder / "nowhere")
    (folder / f"{LABELS}.gz").unlink()
    with pytest.raises(DataError, match=rf"no file {LABELS} or {LABELS}.gz in .*four"):
        load_task("smnist", data=folder)


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"begins with the bytes '', need '00 00 08 03'"),
        (b"\x00\x00\x08", r"begins with the bytes '00 00 08', need"),
        (b"\x50\x4b\x03\x04" + bytes(40), r"begins with the bytes '50 4b 03 04'"),
        (b"\x00\x00\x0d\x03" + bytes(40), r"'00 00 0d 03', need '00 00 08 03'"),
        (b"\x00\x00\x08\x01" + bytes(40), r"'00 00 08 01', need .*3 axes"),
        (b"\x00\x00\x08\x03" + bytes(11), r"got 15 bytes, need a header of 16"),
        (b"\x00\x00\x08\x03" + bytes(12), r"got 0 bytes of elements, need 0 \(at"),
        (
            b"\x00\x00\x08\x03" + struct.pack(">3i", 2, 3, 4) + bytes(23),
            r"got 23 bytes of elements, need 24 .*shape \(2, 3, 4\)",
        ),
        (
            b"\x00\x00\x08\x03" + struct.pack(">3i", 2, 3, 4) + bytes(25),
            r"got 25 bytes of elements, need 24 ",
        ),
        (
            b"\x00\x00\x08\x03" + b"\xff" * 12 + bytes(9),
            r"got 9 bytes of elements, need 7922816",
        ),
    ],
)
def test_a_wrong_idx_file_is_a_data_error_naming_it(
    tmp_path: Path, suffix: str, content: bytes, message: str
) -> None:
    path = tmp_path / f"images{suffix}"
    write(path, content)
    with pytest.raises(DataError, match=message) as caught:
        read_idx(path, n_axes=3)
    assert str(path) in str(caught.value)
    assert isinstance(caught.value, OSError)


def test_an_unreadable_file_is_a_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone.gz: got .*No such file"):
        read_idx(tmp_path / "gone.gz", n_axes=1)
    with pytest.raises(DataError, match=r"need a file that can be read"):
        read_idx(tmp_path, n_axes=1)


def damage(content: bytes, kind: str) -> bytes:
    middle = len(content) // 2
    return {
        "truncated": content[:middle],
        "flipped": content[:middle]
        + bytes(byte ^ 0xFF for byte in content[middle : middle + 8])
        + content[middle + 8 :],
        "checksum": content[:-8] + bytes(4) + content[-4:],
        "not gzip": gzip.decompress(content),
        "empty header": content[:5],
    }[kind]


@pytest.mark.parametrize(
    "kind", ["truncated", "flipped", "checksum", "not gzip", "empty header"]
)
def test_damaged_gzip_is_a_data_error_naming_it(folder: Path, kind: str) -> None:
    path = folder / f"{LABELS}.gz"
    path.write_bytes(damage(path.read_bytes(), kind))
    with pytest.raises(DataError, match=r"got damaged gzip data .*fetch it") as caught:
        load_task("smnist", data=folder)
    assert str(path) in str(caught.value)


def test_files_that_do_not_belong_together(
    folder: Path, arrays: dict[str, np.ndarray]
) -> None:
    def load_with(name: str, array: np.ndarray) -> None:
        before = (folder / name).read_bytes()
        write(folder / name, idx_bytes(array))
        try:
            load_task("smnist", data=folder)
        finally:
            (folder / name).write_bytes(before)

    images, labels = arrays[IMAGES], arrays[LABELS]
    with pytest.raises(DataError, match=rf"{LABELS}.gz: got 29 labels, need 30"):
        load_with(f"{LABELS}.gz", labels[:-1])
    with pytest.raises(DataError, match=r"got the label 10, need 0 to 9"):
        load_with(f"{LABELS}.gz", np.full(30, 10, dtype=np.uint8))
    with pytest.raises(DataError, match=r"got images of \(28, 27\) pixels, need"):
        load_with(IMAGES, images[:, :, :-1].copy())
    with pytest.raises(DataError, match=r"training pixels that are all equal"):
        load_with(IMAGES, np.zeros_like(images))
    load_task("smnist", data=folder)
    write(folder / IMAGES, idx_bytes(images[:9]))
    write(folder / f"{LABELS}.gz", idx_bytes(labels[:9]))
    with pytest.raises(DataError, match=r"got 9 training images, need at least 10"):
        load_task("smnist", data=folder)
