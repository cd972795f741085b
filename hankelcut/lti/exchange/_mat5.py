"""Reader of Level 5 MAT-files (MATLAB 5 to 7) that survives damaged ones.

It knows what a system is made of: numeric matrices, full and sparse, text, and cells of
text. Every length, type and index is checked before it is used.

**Source.** MathWorks, "MAT-File Format" (Level 5 MAT-file format): a header of 128
bytes, then elements of a type, a length and data, each variable an element of elements.
"""

import math
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from scipy import sparse

__all__ = ["MatValue", "Unsupported", "read_variables", "variable_names"]

_HEADER_SIZE = 128
_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
# MATLAB's own header stands before that of HDF5.
_HDF5_OFFSETS = (0, 512)
_MATRIX, _COMPRESSED = 14, 15
_NUMBERS = {
    1: "i1",
    2: "u1",
    3: "i2",
    4: "u2",
    5: "i4",
    6: "u4",
    7: "f4",
    9: "f8",
    12: "i8",
    13: "u8",
}
_INTEGERS = {1, 2, 3, 4, 5, 6, 12, 13}
_UINT16 = 4
_UTF = {16: "utf-8", 17: "utf-16", 18: "utf-32"}
_CELL, _CHAR, _SPARSE, _SINGLE, _OPAQUE = 1, 4, 5, 7, 17
_NUMERIC = range(6, 16)
_CLASSES = {2: "struct", 3: "object", 16: "function handle", _OPAQUE: "object"}
_COMPLEX_FLAG = 0x800


@dataclass(frozen=True)
class Unsupported:
    """A variable that is no matrix of numbers and no text: the kind it is of."""

    kind: str


MatValue: TypeAlias = Any
"""An array, a sparse array, a tuple of strings, or `Unsupported`."""


@dataclass(frozen=True)
class _Data:
    """Bytes in the byte order of a file."""

    content: memoryview
    order: str

    def elements(self) -> Iterator[tuple[int, "_Data"]]:
        """Yield the type and the data of one element after the other."""
        start = 0
        while start < len(self.content):
            kind, size, begin = self._tag(start)
            if begin + size > len(self.content):
                msg = f"an element of {size} bytes is cut off"
                raise ValueError(msg)
            yield kind, _Data(self.content[begin : begin + size], self.order)
            if begin == start + 4:
                start += 8
            else:
                start = begin + size + (0 if kind == _COMPRESSED else -size % 8)

    def _tag(self, start: int) -> tuple[int, int, int]:
        """Type, size and first byte of the data of an element."""
        if start + 8 > len(self.content):
            msg = "the tag of an element is cut off"
            raise ValueError(msg)
        kind, size = struct.unpack_from(f"{self.order}2I", self.content, start)
        if kind >> 16 == 0:
            return kind, size, start + 8
        if kind >> 16 > 4:
            msg = f"a small element of {kind >> 16} bytes"
            raise ValueError(msg)
        return kind & 0xFFFF, kind >> 16, start + 4

    def numbers(self, kind: int) -> np.ndarray[Any, np.dtype[Any]]:
        """Return the data as an array of the type of its element."""
        if kind not in _NUMBERS:
            msg = f"numbers of the unknown type {kind}"
            raise ValueError(msg)
        # A length that is no multiple of the item's size is a ValueError of NumPy.
        stored = np.frombuffer(self.content, f"{self.order}{_NUMBERS[kind]}")
        return stored.astype(stored.dtype.newbyteorder("="))

    def integers(self, kind: int) -> np.ndarray[Any, np.dtype[Any]]:
        """Return the data as integers."""
        if kind not in _INTEGERS:
            msg = f"integers of the type {kind}"
            raise ValueError(msg)
        return self.numbers(kind).astype(np.int64)


@dataclass(frozen=True)
class _Matrix:
    """A variable whose head has been read, and the elements that follow."""

    name: str
    kind: int
    is_complex: bool
    shape: tuple[int, ...]
    rest: Iterator[tuple[int, _Data]]

    @classmethod
    def read(cls, data: _Data) -> "_Matrix":
        """Read the flags, the shape and the name."""
        if not len(data.content):
            return cls("", 6, is_complex=False, shape=(0, 0), rest=iter(()))
        rest = data.elements()
        flags = _next(rest, _Data.integers)
        if flags.size != 2:
            msg = "flags of an array are missing"
            raise ValueError(msg)
        kind = int(flags[0]) & 0xFF
        shape: tuple[int, ...] = ()
        if kind != _OPAQUE:
            shape = tuple(int(size) for size in _next(rest, _Data.integers))
            if len(shape) < 2 or min(shape) < 0:
                msg = f"an array of shape {shape}"
                raise ValueError(msg)
        name = bytes(_next(rest, lambda part, _: part.content)).decode("latin-1")
        return cls(name, kind, bool(int(flags[0]) & _COMPLEX_FLAG), shape, rest)

    def value(self) -> MatValue:
        """Read what follows the head."""
        if self.kind == _SPARSE:
            return self._sparse()
        if self.kind in _NUMERIC:
            numbers = self._numbers(math.prod(self.shape))
            return numbers.reshape(self.shape, order="F")
        if self.kind == _CHAR:
            return self._rows_of_text()
        if self.kind == _CELL:
            return self._cell()
        return Unsupported(_CLASSES.get(self.kind, f"class {self.kind}"))

    def _numbers(self, count: int) -> np.ndarray[Any, np.dtype[Any]]:
        """Read numbers in floating point: single of class single, else double."""
        real = np.float32 if self.kind == _SINGLE else np.float64
        parts = [_next(self.rest, _Data.numbers) for _ in range(1 + self.is_complex)]
        for part in parts:
            if part.size < count or (part.size != count and self.kind != _SPARSE):
                msg = f"{part.size} numbers for {count} entries"
                raise ValueError(msg)
        if not self.is_complex:
            return np.asarray(parts[0][:count], real)
        values = np.empty(count, np.result_type(real, np.complex64))
        values.real, values.imag = (part[:count] for part in parts)
        return values

    def _sparse(self) -> MatValue:
        """Read a matrix by columns; MATLAB may have room for more entries than used."""
        rows, starts = (_next(self.rest, _Data.integers) for _ in range(2))
        n_rows, n_columns = self.shape[0], math.prod(self.shape[1:])
        if (
            starts.size != n_columns + 1
            or starts[0] != 0
            or (np.diff(starts) < 0).any()
        ):
            msg = "the columns of a sparse matrix do not follow each other"
            raise ValueError(msg)
        count = int(starts[-1])
        rows = rows[:count]
        if rows.size < count or (count and not 0 <= rows.min() <= rows.max() < n_rows):
            msg = "a sparse matrix has entries outside its shape"
            raise ValueError(msg)
        shape = (n_rows, n_columns)
        return sparse.csc_array((self._numbers(count), rows, starts), shape=shape)

    def _rows_of_text(self) -> tuple[str, ...]:
        count, columns = math.prod(self.shape), math.prod(self.shape[1:])
        kind, data = next(self.rest, (_UINT16, _Data(memoryview(b""), "<")))
        if kind in _UTF:
            encoding = _UTF[kind]
            suffix = (
                "" if encoding == "utf-8" else "-le" if data.order == "<" else "-be"
            )
            text = bytes(data.content).decode(encoding + suffix)
        else:
            codes = data.integers(kind).astype("<u2").tobytes()
            text = codes.decode("utf-16-le")
        if self.shape[0] == 1 or count == 0:
            return (text,)
        if len(text) != count:
            msg = f"{len(text)} characters for {count}"
            raise ValueError(msg)
        # Stored by columns; rows are padded with blanks to one length.
        n_rows = self.shape[0]
        return tuple(text[row::n_rows][:columns].rstrip() for row in range(n_rows))

    def _cell(self) -> MatValue:
        texts: list[str] = []
        for _ in range(math.prod(self.shape)):
            kind, data = next(self.rest, (0, None))
            if kind != _MATRIX or data is None:
                msg = "an entry of a cell array is missing"
                raise ValueError(msg)
            item = _Matrix.read(data)
            # MATLAB writes an empty text as an empty matrix, too.
            if item.kind != _CHAR and 0 not in item.shape:
                return Unsupported("cell array of other things than text")
            texts.extend(item._rows_of_text() if item.kind == _CHAR else [""])
        return tuple(texts)


def variable_names(content: bytes) -> list[str]:
    """Names of the variables of a file, in its order.

    Raises
    ------
    ValueError
        If the file is of another format, or damaged.
    """
    return [matrix.name for matrix in _matrices(content) if matrix.name]


def read_variables(content: bytes, names: set[str]) -> dict[str, MatValue]:
    """Return the variables of a file that have one of the names.

    Raises
    ------
    ValueError
        If the file is of another format, or damaged.
    """
    values: dict[str, MatValue] = {}
    for matrix in _matrices(content):
        if matrix.name in values:
            msg = f"two variables are called {matrix.name!r}"
            raise ValueError(msg)
        if matrix.name in names:
            values[matrix.name] = matrix.value()
    return values


def _matrices(content: bytes) -> Iterator[_Matrix]:
    order = _byte_order(content)
    data = _Data(memoryview(content)[_HEADER_SIZE:], order)
    for outer, part in data.elements():
        kind, inner = _inflated(part) if outer == _COMPRESSED else (outer, part)
        if kind != _MATRIX:
            msg = f"an element of the type {kind} where a variable should be"
            raise ValueError(msg)
        yield _Matrix.read(inner)


def _inflated(data: _Data) -> tuple[int, _Data]:
    """Decompress one element, and not more than it says that it holds."""
    stream = zlib.decompressobj()
    try:
        tag = stream.decompress(data.content, 8)
        kind, size = struct.unpack(f"{data.order}2I", tag)
        content = stream.decompress(stream.unconsumed_tail, size) if size else b""
        surplus = stream.decompress(stream.unconsumed_tail, 1)  # reads the checksum
    except (zlib.error, struct.error) as error:
        msg = f"a compressed variable is damaged: {error}"
        raise ValueError(msg) from error
    if len(content) != size or surplus or not stream.eof:
        msg = f"a compressed variable does not end after {size} bytes"
        raise ValueError(msg)
    return kind, _Data(memoryview(content), data.order)


def _byte_order(content: bytes) -> str:
    for offset in _HDF5_OFFSETS:
        if content[offset : offset + len(_HDF5_SIGNATURE)] == _HDF5_SIGNATURE:
            msg = "it is of version 7.3 (HDF5)"
            raise ValueError(msg)
    orders = {b"IM": "<", b"MI": ">"}
    if content[126:128] not in orders or len(content) < _HEADER_SIZE:
        msg = "it has no header of a Level 5 MAT-file"
        raise ValueError(msg)
    return orders[content[126:128]]


def _next(
    elements: Iterator[tuple[int, _Data]], read: Callable[[_Data, int], Any]
) -> Any:
    """Read the next element of an array."""
    kind, data = next(elements, (0, None))
    if data is None:
        msg = "a part of an array is missing"
        raise ValueError(msg)
    return read(data, kind)
