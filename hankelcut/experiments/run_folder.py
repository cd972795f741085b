"""Run folders: what a run writes, and never over a run of another configuration."""

import itertools
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from hankelcut import reports
from hankelcut._errors import CheckpointMismatchError, DataError

__all__ = ["RunFolder", "environment", "free_folder", "read_config"]

_CONFIG = "config.json"
_FILES = (
    _CONFIG,
    "metrics.jsonl",
    "spectra.jsonl",
    "reductions.jsonl",
    "losses.npy",
    "results.json",
    "model.safetensors",
    "checkpoint.pt",
    "report.html",
)
_PACKAGES = ("torch", "numpy", "scipy")


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run; every file in it appears whole or not at all.

    Parameters
    ----------
    path : Path
        The folder.
    """

    path: Path

    @classmethod
    def create(cls, path: Path | str, config: Mapping[str, Any]) -> "RunFolder":
        """Make the folder ready for a run from its beginning.

        Files of an earlier run of the same configuration are removed, with those of the
        runs in its sub-folders; everything else stays.

        Parameters
        ----------
        path : path
            The folder; made with its parents if there is none.
        config : mapping
            What decides the run, in plain values; written to ``config.json``.

        Returns
        -------
        RunFolder
            The folder, with its ``config.json``.

        Raises
        ------
        CheckpointMismatchError
            If the folder holds a run of another configuration, or files of a run
            without a configuration; nothing is changed.
        DataError
            If the folder or its ``config.json`` cannot be read.
        """
        folder = cls(Path(path))
        difference = folder._difference(config)
        if difference:
            msg = (
                f"got the folder {path}, which holds {difference}; choose another "
                "folder, or remove this one"
            )
            raise CheckpointMismatchError(msg)
        try:
            folder.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            msg = f"got '{error}', need a folder that can be made or written to"
            raise DataError(msg) from error
        folder._clear()
        folder.write_json(_CONFIG, {**config, "environment": environment()})
        return folder

    @classmethod
    def open(cls, path: Path | str, config: Mapping[str, Any]) -> "RunFolder":
        """Take up a folder that `create` made, to go on with its run.

        Parameters
        ----------
        path : path
            The folder.
        config : mapping
            The configuration of the run.

        Returns
        -------
        RunFolder
            The folder, as it is.

        Raises
        ------
        CheckpointMismatchError
            If the folder holds a run of another configuration.
        DataError
            If the folder holds no run or cannot be read.
        """
        folder = cls(Path(path))
        if not (folder.path / _CONFIG).is_file():
            msg = f"got the folder {path} without a {_CONFIG}, need one of a run"
            raise DataError(msg)
        difference = folder._difference(config)
        if difference:
            msg = f"got the folder {path}, which holds {difference}"
            raise CheckpointMismatchError(msg)
        return folder

    @classmethod
    def enter(cls, path: Path | str, config: Mapping[str, Any]) -> "RunFolder":
        """Take up a folder of this configuration, or make it ready as `create` does.

        Parameters
        ----------
        path : path
            The folder.
        config : mapping
            What decides the run.

        Returns
        -------
        RunFolder
            The folder; what is in it stays.

        Raises
        ------
        CheckpointMismatchError
            If the folder holds a run of another configuration.
        DataError
            If the folder cannot be read or made.
        """
        known = (Path(path) / _CONFIG).is_file()
        return cls.open(path, config) if known else cls.create(path, config)

    def write_json(self, name: str, value: Mapping[str, Any]) -> None:
        """Write one JSON object to a file, replacing the file as a whole."""
        text = json.dumps(value, indent=2, allow_nan=False) + "\n"
        self.write_bytes(name, text.encode())

    def write_records(self, name: str, records: Iterable[Mapping[str, Any]]) -> None:
        """Write one JSON object per line to a file, replacing the file as a whole."""
        lines = (json.dumps(record, allow_nan=False) + "\n" for record in records)
        self.write_bytes(name, "".join(lines).encode())

    def write_bytes(self, name: str, content: bytes) -> None:
        """Write bytes to a file, replacing the file as a whole."""
        partial = self.path / f"{name}.partial"
        partial.write_bytes(content)
        os.replace(partial, self.path / name)

    def _clear(self) -> None:
        """Remove what runs write, here and in sub-folders that hold a run."""
        for config in self.path.glob(f"*/{_CONFIG}"):
            RunFolder(config.parent)._clear()
        for name in _FILES:
            (self.path / name).unlink(missing_ok=True)

    def _difference(self, config: Mapping[str, Any]) -> str:
        """Name what the folder holds that this configuration must not replace."""
        if not (self.path / _CONFIG).exists():
            others = [name for name in _FILES if (self.path / name).exists()]
            # A folder of other runs is not one of this configuration's.
            runs = sorted(self.path.glob(f"*/{_CONFIG}"))
            others += [str(run.relative_to(self.path)) for run in runs]
            return f"{others[0]} but no {_CONFIG}" if others else ""
        found = read_config(self.path)
        # As JSON would give it back: tuples are lists there.
        wanted = json.loads(json.dumps(config))
        names = [
            name
            for name in sorted({**_flat(found), **_flat(wanted)})
            if _flat(found).get(name) != _flat(wanted).get(name)
        ]
        if not names:
            return ""
        differences = ", ".join(
            f"{name}={_flat(found).get(name)!r} (here {_flat(wanted).get(name)!r})"
            for name in names
        )
        return f"a run of another configuration: {differences}"


def read_config(path: Path | str) -> dict[str, Any]:
    """Read the configuration of the run in a folder.

    Parameters
    ----------
    path : path
        The folder.

    Returns
    -------
    dict
        What decided the run, without the environment it ran in.

    Raises
    ------
    DataError
        If there is no ``config.json`` that can be read.
    """
    file = Path(path) / _CONFIG
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        msg = f"{file}: got '{error}', need the configuration of a run"
        raise DataError(msg) from error
    if not isinstance(config, dict):
        msg = f"{file}: got a {type(config).__name__}, need the object of a run"
        raise DataError(msg)
    config.pop("environment", None)
    return config


def free_folder(path: Path | str, config: Mapping[str, Any]) -> Path:
    """Find the folder for a run: this one, or the first numbered one beside it.

    Parameters
    ----------
    path : path
        The folder that is wanted.
    config : mapping
        The configuration of the run.

    Returns
    -------
    Path
        The first of ``path``, ``path-2``, ``path-3``, ... that holds no run of another
        configuration; nothing is written.

    Raises
    ------
    DataError
        If the ``config.json`` of one of them cannot be read.
    """
    path = Path(path)
    numbered = (path.with_name(f"{path.name}-{k}") for k in itertools.count(2))
    candidates = itertools.chain([path], numbered)
    return next(item for item in candidates if not RunFolder(item)._difference(config))


def environment() -> dict[str, str]:
    """Return what figures depend on besides the recipe: versions and the machine."""
    return {
        **reports.environment(_PACKAGES),
        "cores": str(os.cpu_count()),
        "torch threads": str(torch.get_num_threads()),
    }


def _flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Values of nested mappings by dotted names."""
    flat: dict[str, Any] = {}
    for name, value in config.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat
