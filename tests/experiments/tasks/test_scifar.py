"""CIFAR-10 in both of its layouts, and what is no such file."""

import pickle
import pickletools
from pathlib import Path

import numpy as np
import pytest

from hankelcut._errors import DataError
from hankelcut.experiments.tasks import load_scifar_task, load_task
from tests.experiments.tasks.reading import all_values, assert_standardised

NAMES = [*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"]


@pytest.fixture(scope="module")
def batches() -> dict[str, tuple[np.ndarray, list[int]]]:
    """Rows of 3 planes of 32 x 32 pixels, and labels: 4 images to a file."""
    rng = np.random.default_rng(0)
    return {
        name: (
            rng.integers(0, 256, (4, 3072), dtype=np.uint8),
            rng.integers(0, 10, 4).tolist(),
        )
        for name in NAMES
    }


@pytest.fixture
def pickled(tmp_path: Path, batches: dict) -> Path:
    """As Python 2 wrote them: byte strings as keys, NumPy's old module names."""
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for name, (data, labels) in batches.items():
        content = {b"batch_label": b"one", b"labels": labels, b"data": data}
        (folder / name).write_bytes(as_python_2(content))
    return tmp_path


def as_python_2(content: dict) -> bytes:
    """A pickle of the second protocol, all of whose texts are byte strings."""
    text = bytearray(pickle.dumps(content, protocol=3))
    kinds = {"BINBYTES": b"T", "SHORT_BINBYTES": b"U", "BINUNICODE": b"T"}
    for operation, _, place in pickletools.genops(bytes(text)):
        if operation.name == "PROTO":
            text[place + 1] = 2
        elif operation.name in kinds:
            text[place : place + 1] = kinds[operation.name]
    return bytes(text).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")


@pytest.fixture
def binary(tmp_path: Path, batches: dict) -> Path:
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    for name, (data, labels) in batches.items():
        rows = np.column_stack([np.array(labels, np.uint8), data])
        (folder / f"{name}.bin").write_bytes(rows.tobytes())
    return folder


@pytest.mark.parametrize("layout", ["pickled", "binary"])
def test_it_reads_what_was_written(
    layout: str, batches: dict, request: pytest.FixtureRequest
) -> None:
    task = load_task("scifar", data=request.getfixturevalue(layout))
    assert [tuple(part.shape) for part in all_values(task)] == [
        (18, 1024, 3),
        (2, 1024, 3),
        (4, 1024, 3),
    ]
    assert (task.name, task.n_classes, task.d_input) == ("scifar", 10, 3)
    assert_standardised(task)
    data, labels = batches["test_batch"]
    # Row by row, the three colours of a pixel side by side.
    expected = data.reshape(4, 3, 1024).transpose(0, 2, 1)
    np.testing.assert_array_equal(task.test.sequences.values, expected)
    assert task.test.targets.tolist() == labels
    found = sorted(
        (int(target), image.flatten().tolist())
        for part in (task.train, task.validation)
        for image, target in zip(part.sequences.values, part.targets, strict=True)
    )
    written = sorted(
        (label, row.reshape(3, 1024).T.flatten().tolist())
        for name in NAMES[:5]
        for row, label in zip(*batches[name], strict=True)
    )
    assert found == written


def test_the_seed_fixes_the_validation_part(binary: Path) -> None:
    first, again, other = (load_scifar_task(binary, seed=s) for s in (1, 1, 2))
    assert (first.train.sequences.values == again.train.sequences.values).all()
    assert (first.train.sequences.values != other.train.sequences.values).any()


class Harmful:
    """Pickled as a call of a function that must not run."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (Path("harmed"),)


def test_a_pickle_cannot_call_anything(
    pickled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = pickled / "cifar-10-batches-py" / "data_batch_3"
    path.write_bytes(pickle.dumps({b"data": Harmful(), b"labels": [0]}))
    with pytest.raises(DataError, match=r"data_batch_3: got .*pathlib.*no part of an"):
        load_task("scifar", data=pickled)
    assert not (tmp_path / "harmed").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "need a batch of CIFAR-10"),
        (b"\x80\x02}q\x00", "need a batch of CIFAR-10"),
        (b"text", "need a batch of CIFAR-10"),
        (pickle.dumps({b"labels": [0]}), "need a batch of CIFAR-10"),
        (pickle.dumps([1, 2]), "need a batch of CIFAR-10"),
        (
            pickle.dumps({b"data": np.zeros((2, 3072)), b"labels": [0, 1]}),
            r"need bytes of shape \(n, 3072\)",
        ),
        (
            pickle.dumps({b"data": np.zeros((2, 3072), np.uint8), b"labels": [0]}),
            r"need bytes of shape \(n, 3072\)",
        ),
        (
            pickle.dumps({b"data": np.zeros((2, 3072), np.uint8), b"labels": [0, 10]}),
            "labels outside 0 to 9",
        ),
    ],
)
def test_damaged_pickles_are_data_errors(
    pickled: Path, content: bytes, message: str
) -> None:
    path = pickled / "cifar-10-batches-py" / "test_batch"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        load_task("scifar", data=pickled)
    assert str(path) in str(caught.value)
    assert "https://www.cs.toronto.edu/~kriz/cifar.html" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "got 0 bytes, need records of 3073"),
        (bytes(3072), "got 3072 bytes, need records of 3073"),
        (b"\x0a" + bytes(3072), "labels outside 0 to 9"),
    ],
)
def test_damaged_binaries_are_data_errors(
    binary: Path, content: bytes, message: str
) -> None:
    (binary / "data_batch_2.bin").write_bytes(content)
    with pytest.raises(DataError, match=rf"data_batch_2.bin: got .*{message[4:]}"):
        load_task("scifar", data=binary)


def test_missing_files_say_what_is_needed_and_where_from(
    binary: Path, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=r"no data folder for the task 'scifar'; give"):
        load_task("scifar")
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        DataError, match=r"no data_batch_1 or data_batch_1.bin in .*kriz"
    ):
        load_task("scifar", data=tmp_path / "empty")
    (binary / "data_batch_5.bin").unlink()
    with pytest.raises(DataError, match=r"need the file .*data_batch_5.bin; give the"):
        load_task("scifar", data=binary)
