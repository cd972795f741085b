"""The IDX format: what is no such file is an error that names it."""

import struct
from pathlib import Path

import pytest

from hankelcut._errors import DataError
from hankelcut.experiments.tasks.idx import read_idx
from tests.experiments.tasks.reading import write


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
