"""Systems in NumPy's ``.npz`` files, without pickled objects.

A file holds the arrays of the system by field name (``A, B, C, D`` or ``exponents, B,
C, D``) and ``header``, a string in JSON with everything else.
"""

import io
import json
import zipfile
import zlib
from typing import Any

import numpy as np

from hankelcut.lti.exchange._document import System, header_of, system_from
from hankelcut.lti.exchange._host_arrays import DTYPES, HostArray, host_arrays

__all__ = ["decode_npz", "encode_npz"]

_HEADER = "header"
_DAMAGE = (
    EOFError,
    KeyError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)


def encode_npz(system: System) -> bytes:
    """Return the content of an ``.npz`` file of a system, or of a stack of systems.

    Parameters
    ----------
    system : StateSpace or DiagonalStateSpace
        Systems of any dtype and batch axes; NaN and infinity are kept.

    Raises
    ------
    InvalidSystemError
        If an array lives on an accelerator or has a precision of its library alone.
    """
    entries: dict[str, Any] = dict(host_arrays("save", system))
    entries[_HEADER] = np.array(json.dumps(header_of(system)))
    buffer = io.BytesIO()
    np.savez(buffer, **entries)
    return buffer.getvalue()


def decode_npz(content: bytes) -> System:
    """Return the system of the content of an ``.npz`` file.

    Parameters
    ----------
    content : bytes
        What `encode_npz` gave; objects are never unpickled.

    Raises
    ------
    ValueError
        If it is damaged, or of other content.
    """
    arrays = _read(content)
    header = arrays.pop(_HEADER, None)
    if header is None or header.shape != () or header.dtype.kind != "U":
        msg = (
            f"got an .npz file without the string {_HEADER!r}, need one that "
            "hankelcut.save wrote; build a StateSpace from your arrays"
        )
        raise ValueError(msg)
    for name, array in arrays.items():
        if array.dtype.name not in DTYPES:
            msg = f"got {name} of dtype {array.dtype}, need one of {', '.join(DTYPES)}"
            raise ValueError(msg)
    return system_from(json.loads(str(header)), arrays)


def _read(content: bytes) -> dict[str, HostArray]:
    """All arrays of the file, in the byte order of this machine."""
    try:
        loaded = np.load(io.BytesIO(content), allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            msg = "a single array"
            raise ValueError(msg)
        with loaded:
            arrays = {name: loaded[name] for name in loaded.files}
    except _DAMAGE as error:
        msg = (
            f"got a file that is no complete .npz file of plain arrays ({error}), need "
            "one that hankelcut.save wrote; save it again"
        )
        raise ValueError(msg) from error
    return {
        k: v.astype(v.dtype.newbyteorder("="), copy=False) for k, v in arrays.items()
    }
