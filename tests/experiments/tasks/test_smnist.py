"""Sequential MNIST: splits, scaling, and what a missing or damaged file leads to."""

import gzip
from pathlib import Path

import numpy as np
import pytest
import torch

from hankelcut._errors import DataError
from hankelcut.experiments.tasks import TASKS, load_smnist_task, load_task
from hankelcut.experiments.tasks.idx import read_idx
from tests.experiments.tasks.reading import (
    all_values,
    assert_standardised,
    idx_bytes,
    values_of,
    write,
)

IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


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


def test_smnist_reads_what_was_written(
    folder: Path, arrays: dict[str, np.ndarray]
) -> None:
    task = load_task("smnist", data=folder)
    assert [len(part) for part in all_values(task)] == [27, 3, 7]
    assert (task.name, task.n_classes, task.d_input) == ("smnist", 10, 1)
    assert_standardised(task)
    # The test part keeps its order; pixels come back by one affine map.
    pixels = arrays["t10k-images-idx3-ubyte"].reshape(7, 784) / 255
    scale, shift = np.polyfit(pixels.ravel(), values_of(task.test).numpy().ravel(), 1)
    np.testing.assert_allclose(
        values_of(task.test).squeeze(-1), scale * pixels + shift, atol=1e-5
    )
    assert task.test.targets.tolist() == arrays["t10k-labels-idx1-ubyte"].tolist()
    # Train and validation are the training images with their labels, each once.
    found = torch.cat([values_of(task.train), values_of(task.validation)]).squeeze(-1)
    found = np.rint(255 * (found.numpy() - shift) / scale).astype(int)
    labels = torch.cat([task.train.targets, task.validation.targets]).numpy()
    images = arrays[IMAGES].reshape(30, 784).astype(int)
    assert sorted(np.column_stack([labels, found]).tolist()) == sorted(
        np.column_stack([arrays[LABELS], images]).tolist()
    )


def test_smnist_seed_fixes_the_validation_part(folder: Path) -> None:
    first, again, other = (load_smnist_task(str(folder), seed=s) for s in (3, 3, 4))
    assert torch.equal(values_of(first.validation), values_of(again.validation))
    assert not torch.equal(first.train.targets, other.train.targets)


def test_smnist_of_the_original_files(data_folder: Path) -> None:
    folder = data_folder / "mnist"
    images = read_idx(folder / f"{IMAGES}.gz", n_axes=3)
    labels = read_idx(folder / f"{LABELS}.gz", n_axes=1)
    assert images.shape == (60_000, 28, 28)
    assert labels[:5].tolist() == [5, 0, 4, 1, 9]
    # The mean and deviation by which MNIST is usually normalised.
    assert images.float().mean().item() / 255 == pytest.approx(0.1307, abs=1e-4)
    assert images.float().std().item() / 255 == pytest.approx(0.3081, abs=1e-4)
    task = load_smnist_task(data_folder)
    assert [tuple(part.shape) for part in all_values(task)] == [
        (54_000, 784, 1),
        (6_000, 784, 1),
        (10_000, 784, 1),
    ]
    assert_standardised(task)


def test_squares_of_pixels_can_be_averaged(
    folder: Path, arrays: dict[str, np.ndarray]
) -> None:
    task = load_task("smnist", data=folder, pooling=4)
    found = task.test.sequences.values
    assert found.shape == (7, 49, 1)
    images = arrays["t10k-images-idx3-ubyte"].astype(float)
    squares = images.reshape(7, 7, 4, 7, 4).mean((2, 4)).reshape(7, 49)
    assert np.abs(found[..., 0].numpy() - squares).max() <= 0.5
    assert_standardised(task)
    with pytest.raises(ValueError, match=r"pooling=3, need the side of squares that"):
        load_task("smnist", data=folder, pooling=3)
    with pytest.raises(ValueError, match=r"pooling=2 for the task 'imdb'; only images"):
        load_task("imdb", data=folder, pooling=2)


def test_the_folder_may_lie_in_the_one_that_is_given(folder: Path) -> None:
    inner = folder / "data" / "MNIST" / "raw"
    inner.mkdir(parents=True)
    for path in [item for item in folder.iterdir() if item.is_file()]:
        path.rename(inner / path.name)
    task = load_task("smnist", data=folder / "data")
    assert len(task.train) == 27
    with pytest.raises(DataError, match=r"no train-images-idx3-ubyte or .*its folder"):
        load_task("smnist", data=folder)


def test_an_unknown_task_lists_the_names() -> None:
    with pytest.raises(
        ValueError, match=r"got the task 'mnist', need one of aan, digits, "
    ):
        load_task("mnist")
    assert {"digits", "smnist", "scifar", "listops", "imdb", "aan"} < set(TASKS)


def test_a_missing_folder_or_file_says_where_to_put_what(folder: Path) -> None:
    with pytest.raises(DataError, match=r"no data folder.*train-images-idx3-ubyte"):
        load_task("smnist")
    with pytest.raises(DataError, match=r"nowhere, which is not a folder; give the"):
        load_task("smnist", data=folder / "nowhere")
    (folder / f"{LABELS}.gz").unlink()
    with pytest.raises(DataError, match=rf"no file {LABELS} or {LABELS}.gz in .*four"):
        load_task("smnist", data=folder)


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
