"""Weights of models from files, whatever wrote them."""

import pickle
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hankelcut._errors import DataError, MissingDependencyError

__all__ = ["load_weights"]

_SAFETENSORS = ".safetensors"
_PICKLED = (".pt", ".pth", ".ckpt", ".bin")
# Where training programs keep the weights in their checkpoints.
_ENTRIES = ("state_dict", "model_state_dict", "model", "module", "weights")
# What the readers raise on files that are damaged or of something else.
_DAMAGES = (
    OSError,
    EOFError,
    RuntimeError,
    ValueError,
    LookupError,
    AttributeError,
    TypeError,
    struct.error,
    pickle.UnpicklingError,
    zipfile.BadZipFile,
)


def load_weights(path: Path | str) -> dict[str, Tensor]:
    """Read the weights of a model from a file, or a folder that holds one.

    Parameters
    ----------
    path : path
        A ``.safetensors`` file, or one of `torch.save`: weights by name, or a
        checkpoint that holds them as ``state_dict``, ``model_state_dict`` or ``model``.
        Of a folder, its file of weights; of parts, all of them.

    Returns
    -------
    dict of str to tensor
        Weights by name, on the host.

    Raises
    ------
    DataError
        If there is no such file, or it is damaged or holds no weights.
    MissingDependencyError
        If safetensors is not installed.
    """
    path = Path(path)
    if path.is_dir():
        return _from_folder(path)
    if path.suffix not in (_SAFETENSORS, *_PICKLED):
        known = ", ".join((_SAFETENSORS, *_PICKLED))
        msg = f"{path}: got the suffix {path.suffix!r}, need one of {known}"
        raise DataError(msg)
    if not path.is_file():
        raise DataError(f"{path}: there is no such file")
    try:
        content = _read(path)
    except MissingDependencyError:
        raise
    except _DAMAGES as error:
        reason = str(error).partition("\n")[0]
        raise DataError(f"{path}: got '{reason}', need a file of weights") from error
    return _weights_in(path, content)


def _from_folder(folder: Path) -> dict[str, Tensor]:
    for suffix in (_SAFETENSORS, *_PICKLED):
        files = sorted(folder.glob(f"*{suffix}"))
        if files:
            parts = [load_weights(file) for file in files]
            return {name: tensor for part in parts for name, tensor in part.items()}
    msg = f"{folder}: got a folder without weights, need a file of {_SAFETENSORS} or "
    raise DataError(msg + ", ".join(_PICKLED))


def _read(path: Path) -> Any:
    if path.suffix != _SAFETENSORS:
        return torch.load(path, map_location="cpu", weights_only=True)
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError as error:
        msg = "files of safetensors need the package: pip install safetensors"
        raise MissingDependencyError(msg) from error
    try:
        return load_file(path)
    except SafetensorError as error:
        raise ValueError(str(error)) from error


def _weights_in(path: Path, content: Any) -> dict[str, Tensor]:
    """Weights of a file's content, or of the entry that holds them."""
    inner = [content.get(name) for name in _ENTRIES] if _is_mapping(content) else []
    for candidate in (content, *inner):
        if _is_mapping(candidate):
            tensors = {k: v for k, v in candidate.items() if isinstance(v, Tensor)}
            if tensors and len(tensors) == len(candidate):
                return tensors
    names = (
        sorted(map(str, content)) if _is_mapping(content) else type(content).__name__
    )
    msg = f"{path}: got {names}, need weights by name, or a checkpoint with them as "
    raise DataError(msg + ", ".join(_ENTRIES))


def _is_mapping(item: Any) -> bool:
    return isinstance(item, Mapping)
