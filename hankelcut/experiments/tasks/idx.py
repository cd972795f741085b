"""Files in the IDX format, in which MNIST is distributed."""

import gzip
import math
import struct
import zlib
from pathlib import Path

import torch
from jaxtyping import UInt8
from torch import Tensor

from hankelcut._errors import DataError

__all__ = ["read_idx"]

# Code of the only element type that MNIST and its relatives use.
_UNSIGNED_BYTE = 0x08


def read_idx(path: Path, *, n_axes: int) -> UInt8[Tensor, "..."]:
    """Read an IDX file of unsigned bytes, compressed by gzip or not.

    Parameters
    ----------
    path : Path
        The file; it is taken as compressed if its name ends in ``.gz``.
    n_axes : int
        Number of axes it must have: 1 for labels, 3 for images.

    Returns
    -------
    (...) uint8 tensor
        The elements, in the shape that the file's header gives.

    Raises
    ------
    DataError
        If the file is missing, damaged, truncated, longer than its header says, or of
        another format, element type or number of axes.

    Notes
    -----
    The header is two zero bytes, the code of the element type, the number of axes, and
    the length of each axis as a big-endian 32-bit integer; the elements follow, the
    last axis fastest.
    """
    content = _read_bytes(path)
    magic = content[:4]
    need = bytes((0, 0, _UNSIGNED_BYTE, n_axes))
    if magic != need:
        msg = (
            f"{path}: got a file that begins with the bytes '{magic.hex(' ')}', need "
            f"'{need.hex(' ')}' (IDX, unsigned bytes, {n_axes} axes); put the original "
            "file there"
        )
        raise DataError(msg)
    header_size = 4 + 4 * n_axes
    if len(content) < header_size:
        msg = (
            f"{path}: got {len(content)} bytes, need a header of {header_size}; the "
            "file is truncated, fetch it again"
        )
        raise DataError(msg)
    shape = struct.unpack(f">{n_axes}I", content[4:header_size])
    n_found, n_need = len(content) - header_size, math.prod(shape)
    if n_found != n_need or n_need == 0:
        msg = (
            f"{path}: got {n_found} bytes of elements, need {n_need} (at least 1) for "
            f"the shape {shape} in its header; the file is damaged, fetch it again"
        )
        raise DataError(msg)
    elements = bytearray(memoryview(content)[header_size:])
    return torch.frombuffer(elements, dtype=torch.uint8).reshape(shape)


def _read_bytes(path: Path) -> bytes:
    """Return the whole content, decompressed; every failure is a `DataError`."""
    try:
        if path.suffix != ".gz":
            return path.read_bytes()
        with gzip.open(path) as file:
            return file.read()
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        msg = (
            f"{path}: got damaged gzip data ({error}), need the complete original "
            "file; fetch it again"
        )
        raise DataError(msg) from error
    except OSError as error:
        msg = f"{path}: got '{error}', need a file that can be read"
        raise DataError(msg) from error
