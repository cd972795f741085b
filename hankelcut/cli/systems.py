"""Systems and files of the commands that reduce and analyse."""

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from hankelcut._errors import DataError, InvalidSystemError, UnstableSystemError
from hankelcut.cli.console import require_writable
from hankelcut.lti import (
    DiagonalStateSpace,
    HinfBracket,
    SparseStateSpace,
    StateSpace,
    hinf_norm,
    load,
)

__all__ = [
    "JsonFile",
    "System",
    "SystemFile",
    "load_one",
    "norm_if_stable",
    "require_picture",
    "require_system_file",
]

System: TypeAlias = StateSpace | DiagonalStateSpace | SparseStateSpace

SystemFile: TypeAlias = Annotated[
    Path,
    typer.Argument(
        metavar="FILE", help="The system: a .mat, .npz or .json file.", dir_okay=False
    ),
]
JsonFile: TypeAlias = Annotated[
    Path | None,
    typer.Option("--json", dir_okay=False, help="Write all numbers to this file."),
]

_SYSTEM_SUFFIXES = (".mat", ".npz", ".json")


def load_one(path: Path) -> System:
    """Read the single system of a file.

    Parameters
    ----------
    path : path
        The file.

    Raises
    ------
    DataError
        If it cannot be read.
    InvalidSystemError
        If it holds a stack of systems.
    """
    system = load(path)
    if system.batch_shape:
        msg = (
            f"{path}: got a stack of systems of shape {system.batch_shape}, need one; "
            "save one of them to a file of its own"
        )
        raise InvalidSystemError(msg)
    return system


def norm_if_stable(system: System) -> HinfBracket | None:
    """Bracket the H-infinity norm of a stable dense or diagonal system.

    Parameters
    ----------
    system : StateSpace, DiagonalStateSpace or SparseStateSpace
        The system.

    Returns
    -------
    norm : HinfBracket or None
        None for sparse systems and for unstable ones.
    """
    if isinstance(system, SparseStateSpace):
        return None
    try:
        return hinf_norm(system, rtol=1e-3)
    except UnstableSystemError:
        return None


def require_system_file(path: Path) -> None:
    """Raise unless a system can be saved to a path.

    Parameters
    ----------
    path : path
        The file.

    Raises
    ------
    DataError
        If it is of an unknown kind or cannot be written.
    """
    _require_suffix(path, _SYSTEM_SUFFIXES)
    require_writable(path)


def require_picture(path: Path) -> None:
    """Raise unless a picture can be saved to a path.

    Parameters
    ----------
    path : path
        The file.

    Raises
    ------
    DataError
        If it is of an unknown kind or cannot be written.
    """
    from matplotlib.figure import Figure

    known = Figure().canvas.get_supported_filetypes()
    _require_suffix(path, tuple(f".{kind}" for kind in sorted(known)))
    require_writable(path)


def _require_suffix(path: Path, known: tuple[str, ...]) -> None:
    if path.suffix.lower() not in known:
        msg = (
            f"{path}: got the suffix {path.suffix!r}, need one of {', '.join(known)}; "
            "rename the file"
        )
        raise DataError(msg)
