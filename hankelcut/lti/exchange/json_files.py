"""Systems in JSON, for people and other programs to read.

A file is one object: ``format`` ("hankelcut-system"), ``version`` (1), ``kind``
("dense" or "diagonal"), ``time``, ``names`` or ``readout``, and an object for each
array with its ``dtype``, ``shape`` and ``values``: nested lists, one level for each
axis. A complex number is a pair [real part, imaginary part], one level more. Numbers
are written so that they are read back exactly; NaN and infinity are refused.
"""

import json
from typing import Any

import numpy as np

from hankelcut import _array
from hankelcut.lti.exchange._document import System, header_of, system_from
from hankelcut.lti.exchange._host_arrays import DTYPES, HostArray, host_arrays

__all__ = ["decode_json", "encode_json"]

_ARRAYS = ("A", "exponents", "B", "C", "D")
_ARRAY_KEYS = {"dtype", "shape", "values"}


def encode_json(system: System) -> bytes:
    """Return the content of a JSON file of a system, or of a stack of systems.

    Parameters
    ----------
    system : StateSpace or DiagonalStateSpace
        Systems of any dtype and batch axes, with finite entries.

    Raises
    ------
    InvalidSystemError
        If an entry is NaN or infinite, or an array lives on an accelerator or has a
        precision of its library alone.
    """
    arrays = host_arrays("save", system)
    _array.require_finite("save", **arrays)
    entries = {
        k: json.dumps(v, ensure_ascii=False) for k, v in header_of(system).items()
    }
    entries |= {name: _array_text(array) for name, array in arrays.items()}
    lines = [f'  "{name}": {text}' for name, text in entries.items()]
    text = "{\n" + ",\n".join(lines) + "\n}\n"
    # A name may hold half of a surrogate pair, which JSON can only hold escaped.
    return text.encode("utf-8", errors="backslashreplace")


def decode_json(content: bytes) -> System:
    """Return the system of the content of a JSON file.

    Parameters
    ----------
    content : bytes
        What `encode_json` gave, or another program in its format.

    Raises
    ------
    ValueError
        If it is no JSON or not in the format of this module.
    """
    try:
        document = json.loads(content.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        msg = (
            f"got a file that is no complete JSON in UTF-8 ({error}), need one that "
            "hankelcut.save wrote; save it again"
        )
        raise ValueError(msg) from error
    if not isinstance(document, dict):
        return system_from(document, {})
    arrays = {k: _array_from(k, document[k]) for k in _ARRAYS if k in document}
    return system_from({k: v for k, v in document.items() if k not in arrays}, arrays)


def _array_text(array: HostArray) -> str:
    """One line for each entry of the first axis: a row of a matrix."""
    values = _real_view(array).tolist()
    rows = ",\n".join(f"    {json.dumps(row)}" for row in values)
    head = f'"dtype": "{array.dtype.name}", "shape": {list(array.shape)}'
    return f'{{{head}, "values": [' + (f"\n{rows}\n  " if rows else "") + "]}"


def _real_view(array: HostArray) -> HostArray:
    """Complex numbers as pairs along a new last axis; real arrays as they are."""
    if array.dtype.kind != "c":
        return array
    parts = np.ascontiguousarray(array)[..., None]
    return parts.view(array.real.dtype)


def _array_from(name: str, entry: Any) -> HostArray:
    if not isinstance(entry, dict) or set(entry) != _ARRAY_KEYS:
        msg = f"got {name} without exactly the entries {sorted(_ARRAY_KEYS)}"
        raise ValueError(msg)
    if entry["dtype"] not in DTYPES:
        msg = f"got {name} of dtype {entry['dtype']!r}, need one of {', '.join(DTYPES)}"
        raise ValueError(msg)
    dtype, shape = np.dtype(entry["dtype"]), entry["shape"]
    if not isinstance(shape, list) or not all(type(k) is int and k >= 0 for k in shape):
        msg = f"got {name} of shape {shape!r}, need a list of lengths"
        raise ValueError(msg)
    stored = [*shape, 2] if dtype.kind == "c" else shape
    # Of other numbers than floats, only integers are what somebody may have written.
    values = np.asarray(entry["values"])
    fits = values.size == 0 if 0 in stored else list(values.shape) == stored
    if not fits or values.dtype.kind not in "fiu":
        msg = (
            f"got values of {name} of shape {values.shape} and dtype {values.dtype}, "
            f"need numbers of shape {tuple(stored)}"
        )
        raise ValueError(msg)
    with np.errstate(over="ignore"):
        real = values.astype(np.zeros(0, dtype).real.dtype).reshape(stored)
    if not np.isfinite(real).all():
        msg = f"got a number in {name} that is too large for {dtype}"
        raise ValueError(msg)
    return real.view(dtype)[..., 0] if dtype.kind == "c" else real


def _refuse_constant(text: str) -> float:
    msg = f"{text} is not a number of JSON"
    raise ValueError(msg)
