"""Pathfinder in the layout of the Long Range Arena: PNG images and text metadata."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from hankelcut._errors import DataError
from hankelcut.experiments.tasks import load_pathfinder_task, load_task
from tests.experiments.tasks.reading import all_values, assert_standardised

N_IMAGES = 21


def png_bytes(image: np.ndarray) -> bytes:
    """A grey PNG image of 8 bits, written independently of the reader."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + checksum

    height, width = image.shape
    rows = b"".join(b"\0" + row.tobytes() for row in image)
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (N_IMAGES, 32, 32), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path: Path, images: np.ndarray) -> Path:
    """Two metadata files, and one more image whose file is empty."""
    level = tmp_path / "pathfinder32" / "curv_baseline"
    (level / "metadata").mkdir(parents=True)
    for number in (0, 1):
        (level / "imgs" / str(number)).mkdir(parents=True)
        lines = []
        for k in range(number, N_IMAGES, 2):
            name = f"sample_{k}.png"
            (level / "imgs" / str(number) / name).write_bytes(png_bytes(images[k]))
            lines.append(f"imgs/{number} {name} {k} {k % 3 % 2} 1.5 9 2 0.1")
        if number:
            (level / "imgs" / "1" / "empty.png").write_bytes(b"")
            lines.append("imgs/1 empty.png 99 1 1.5 9 2 0.1")
        (level / "metadata" / f"{number}.npy").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_it_reads_what_was_written(folder: Path, images: np.ndarray) -> None:
    task = load_task("pathfinder", data=folder)
    assert [tuple(part.shape) for part in all_values(task)] == [
        (16, 1024, 1),
        (2, 1024, 1),
        (3, 1024, 1),
    ]
    assert (task.name, task.n_classes, task.d_input) == ("pathfinder", 2, 1)
    assert_standardised(task)
    found = sorted(
        (image.flatten().tolist(), int(target))
        for part in (task.train, task.validation, task.test)
        for image, target in zip(part.sequences.values, part.targets, strict=True)
    )
    written = sorted(
        (image.flatten().tolist(), k % 3 % 2) for k, image in enumerate(images)
    )
    assert found == written


def test_the_seed_fixes_the_split(folder: Path) -> None:
    level = folder / "pathfinder32" / "curv_baseline"
    first, again, other = (load_pathfinder_task(level, seed=s) for s in (1, 1, 2))
    assert (first.train.sequences.values == again.train.sequences.values).all()
    assert (first.train.sequences.values != other.train.sequences.values).any()


def test_harder_levels_are_read_where_they_are_given(folder: Path) -> None:
    level = folder / "pathfinder32" / "curv_baseline"
    hard = level.rename(level.with_name("curv_contour_length_14"))
    assert len(load_task("pathfinder", data=hard).train) == 16
    with pytest.raises(DataError, match=r"no metadata in .*curv_contour_length_9 and"):
        load_task("pathfinder", data=folder)


@pytest.mark.parametrize("damage", ["text", "truncated", "small"])
def test_a_damaged_image_is_a_data_error(
    folder: Path, images: np.ndarray, damage: str
) -> None:
    path = folder / "pathfinder32/curv_baseline/imgs/0/sample_4.png"
    content = {
        "text": b"no image",
        "truncated": png_bytes(images[4])[:200],
        "small": png_bytes(images[4][:16]),
    }[damage]
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"sample_4.png: got .*need ") as caught:
        load_task("pathfinder", data=folder)
    assert "long-range-arena" in str(caught.value)


def test_metadata_that_are_none_are_data_errors(folder: Path) -> None:
    metadata = folder / "pathfinder32/curv_baseline/metadata"
    file = metadata / "1.npy"
    before = file.read_text()
    file.write_text(before + "imgs/1 sample_1.png 3 2\n")
    with pytest.raises(
        DataError, match=r"1.npy, line 12: got 'imgs/1 sample_1.png 3 2"
    ):
        load_task("pathfinder", data=folder)
    file.write_text("imgs/1 sample_100.png 3 1\n")
    with pytest.raises(DataError, match=r"need the file .*sample_100.png"):
        load_task("pathfinder", data=folder)
    file.unlink()
    (metadata / "0.npy").unlink()
    with pytest.raises(DataError, match=r"got 0 images, need at least 10 to split"):
        load_task("pathfinder", data=folder)
