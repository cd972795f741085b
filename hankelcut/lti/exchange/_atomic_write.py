"""Files that appear whole or not at all."""

import os
from pathlib import Path

from hankelcut._errors import DataError

__all__ = ["write_atomically"]


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file by new content in one step, or leave it as it is.

    Raises
    ------
    DataError
        If the file cannot be written.
    """
    partial = path.with_name(f"{path.name}.partial")
    try:
        try:
            partial.write_bytes(content)
            os.replace(partial, path)
        except OSError:
            partial.unlink(missing_ok=True)
            raise
    except OSError as error:
        msg = f"{path}: got '{error}', need a file that can be written; choose another"
        raise DataError(msg) from error
