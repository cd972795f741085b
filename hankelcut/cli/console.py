"""What the commands share: output, errors, progress, and files to write."""

import json
import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import typer
from rich.console import Console
from rich.table import Table

from hankelcut._errors import DataError, HankelcutError, NumericalWarning

__all__ = [
    "print_error",
    "print_facts",
    "print_table",
    "print_warning",
    "require_writable",
    "say",
    "usage_errors",
    "working",
    "write_json",
]


# Columns of text in a file or a pipe.
_WIDE = 160
# Least width of the first column of a table.
_NARROW = 16


def print_error(error: Exception) -> None:
    """Print an error as one line on stderr, red on a terminal.

    Parameters
    ----------
    error : Exception
        The error.
    """
    say(" ".join(f"error: {error}".split()), style="red")


def print_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Print a warning on stderr: those of hankelcut as one line, others as Python does.

    Parameters
    ----------
    message, category, filename, lineno, file, line
        As in `warnings.showwarning`.
    """
    if issubclass(category, NumericalWarning):
        say(" ".join(f"warning: {message}".split()), style="yellow")
    else:
        say(warnings.formatwarning(message, category, filename, lineno, line).rstrip())


def say(text: str, *, style: str | None = None) -> None:
    """Print a line on stderr.

    Parameters
    ----------
    text : str
        The line.
    style : str, optional
        Colour on a terminal.
    """
    console = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    console.print(text, style=style)


def print_facts(facts: Iterable[tuple[str, str]]) -> None:
    """Print names and values on stdout, one pair under the other.

    Parameters
    ----------
    facts : iterable of pairs of str
        Names and values; long values are broken into lines.
    """
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for name, value in facts:
        table.add_row(name, value)
    Console(highlight=False, markup=False).print(table)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table on stdout: the first column left, others right, numbers whole.

    Parameters
    ----------
    columns : sequence of str
        Names of the columns.
    rows : iterable of sequences of str
        The cells; those of the first column are broken on a narrow terminal.
    """
    cells = list(rows)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(columns[0], min_width=min(_NARROW, len(columns[0])))
    for k, name in enumerate(columns[1:], start=1):
        width = max(len(text) for text in (name, *(row[k] for row in cells)))
        table.add_column(name, justify="right", no_wrap=True, min_width=width)
    for row in cells:
        table.add_row(*row)
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = _WIDE
    console.print(table)


@contextmanager
def usage_errors() -> Iterator[None]:
    """Make a ValueError of the library, as of a number out of range, one of usage."""
    try:
        yield
    except HankelcutError:
        raise
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


@contextmanager
def working(text: str) -> Iterator[Callable[[str], None]]:
    """Show on stderr, if it is a terminal, that something is being worked on.

    Parameters
    ----------
    text : str
        What is done.

    Yields
    ------
    update : callable
        Replaces the text.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    with console.status(text) as status:
        yield lambda new: status.update(new)


def require_writable(path: Path) -> None:
    """Make the folder of a file, and raise now if the file cannot be written.

    Parameters
    ----------
    path : path
        The file; it is not made by this.

    Raises
    ------
    DataError
        If it cannot be written.
    """
    try:
        existed = path.exists()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("a", encoding="utf-8").close()
        if not existed:
            path.unlink()
    except OSError as error:
        msg = f"got {path}, which cannot be written ({error.strerror}); choose another"
        raise DataError(msg) from error


def write_json(path: Path, document: Any) -> None:
    """Write a document as JSON; NaN and infinity, which JSON has not, become null.

    Parameters
    ----------
    path : path
        The file.
    document : object
        Mappings, sequences, strings and numbers.
    """
    text = json.dumps(_strict(document), indent=2, allow_nan=False) + "\n"
    path.write_text(text, encoding="utf-8")


def _strict(item: Any) -> Any:
    if isinstance(item, dict):
        return {key: _strict(value) for key, value in item.items()}
    if isinstance(item, list | tuple):
        return [_strict(value) for value in item]
    return None if isinstance(item, float) and not math.isfinite(item) else item
