"""Where the files of a task are, and what is said when they are not there."""

from collections.abc import Sequence
from pathlib import Path

from hankelcut._errors import DataError

__all__ = ["find_folder", "read_file"]


def find_folder(
    task: str,
    data: Path | str | None,
    *,
    subfolders: Sequence[str],
    marks: Sequence[str],
    advice: str,
) -> Path:
    """Find the folder with the files of a task.

    Parameters
    ----------
    task : str
        Name of the task, for messages.
    data : path or None
        What was given: the folder itself, or one that holds it under its usual name.
    subfolders : sequence of str
        The usual names.
    marks : sequence of str
        Files or folders, one of which is there in the right folder.
    advice : str
        Which files are needed and where they come from, for messages.

    Raises
    ------
    DataError
        If no folder is given or there is none with the files.
    """
    if data is None:
        msg = f"got no data folder for the task {task!r}; {advice}"
        raise DataError(msg)
    data = Path(data)
    if not data.is_dir():
        msg = f"got {data}, which is not a folder; {advice}"
        raise DataError(msg)
    for name in (".", *subfolders):
        folder = data / name
        if any((folder / mark).exists() for mark in marks):
            return folder
    places = " or ".join([str(data), *(f"its folder {name}" for name in subfolders)])
    msg = f"got no {' or '.join(marks)} in {places}; {advice}"
    raise DataError(msg)


def read_file(path: Path, advice: str) -> bytes:
    """Return the content of a file; every failure is a DataError with the advice."""
    try:
        return path.read_bytes()
    except OSError as error:
        msg = f"got '{error}', need the file {path}; {advice}"
        raise DataError(msg) from error
