"""Tensors and attributes of a layer, by their paths."""

from typing import Any

from torch import Tensor, nn

from hankelcut._errors import UnsupportedLayerError

__all__ = ["find_tensor", "has_tensors", "owner_of"]


def owner_of(layer: nn.Module, path: str) -> tuple[nn.Module, str]:
    """Return the module that holds what a path names, and its name there.

    Parameters
    ----------
    layer : torch.nn.Module
        Where the path begins.
    path : str
        Names with dots between, such as ``"kernel.C"``.
    """
    head, _, name = path.rpartition(".")
    return layer.get_submodule(head), name


def find_tensor(layer: nn.Module, path: str) -> Tensor:
    """Return a parameter or a buffer of a layer.

    Parameters
    ----------
    layer : torch.nn.Module
        Where the path begins.
    path : str
        Names with dots between.

    Raises
    ------
    UnsupportedLayerError
        If there is none of that name.
    """
    owner, name = owner_of(layer, path)
    value: Tensor | None = owner._parameters.get(name)
    if value is None:
        value = owner._buffers.get(name)
    if value is None:
        msg = f"{type(layer).__name__} has no parameter or buffer {path}"
        raise UnsupportedLayerError(msg)
    return value


def has_tensors(layer: nn.Module, *paths: str) -> bool:
    """Whether a layer has parameters or buffers at all of some paths.

    Parameters
    ----------
    layer : torch.nn.Module
        Where the paths begin.
    *paths : str
        Names with dots between.
    """
    modules: dict[str, Any] = dict(layer.named_modules())
    for path in paths:
        head, _, name = path.rpartition(".")
        owner = modules.get(head)
        if owner is None:
            return False
        if owner._parameters.get(name) is None and owner._buffers.get(name) is None:
            return False
    return True
