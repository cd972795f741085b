"""Tensors and attributes of a layer, by their paths."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from hankelcut._errors import UnsupportedLayerError

__all__ = ["find_tensor", "has_tensors", "held_sizes", "owner_of", "setting"]


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
    for path in paths:
        *heads, name = path.split(".")
        owner: nn.Module | None = layer
        for head in heads:
            owner = None if owner is None else owner._modules.get(head)
        if owner is None:
            return False
        if owner._parameters.get(name) is None and owner._buffers.get(name) is None:
            return False
    return True


def held_sizes(layer: nn.Module, sizes: Mapping[str, Any]) -> dict[str, Any]:
    """Return sizes of those paths that are attributes of a layer or its submodules.

    Parameters
    ----------
    layer : torch.nn.Module
        The layer.
    sizes : mapping of str to int or tuple
        What plain attributes must be, by path.
    """
    found = {}
    for path, size in sizes.items():
        owner, name = owner_of(layer, path)
        if name in vars(owner):
            found[path] = size
    return found


def setting(layer: nn.Module, name: str) -> Any:
    """Return what a layer holds under a name beside its tensors.

    Parameters
    ----------
    layer : torch.nn.Module
        The layer.
    name : str
        Name of an attribute.

    Raises
    ------
    UnsupportedLayerError
        If there is none, as in modules made of a file of weights.
    """
    try:
        return getattr(layer, name)
    except AttributeError:
        msg = (
            f"{type(layer).__name__} has no attribute {name!r}, without which nobody "
            "knows what the layer computes; load the weights into the model itself"
        )
        raise UnsupportedLayerError(msg) from None
