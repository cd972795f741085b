"""Modules of the weights of a file, where the code of the model is not at hand."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from hankelcut._errors import UnsupportedLayerError

__all__ = ["Skeleton", "skeleton"]


class Skeleton(nn.Module):
    """A module of weights without code: layers in it can be found and read.

    What an adapter must know of a layer besides its parameters is not in a file of
    weights; asking for it raises `UnsupportedLayerError`.
    """

    def forward(self, *_: Any) -> Any:
        """Refuse: there is no code to run.

        Raises
        ------
        UnsupportedLayerError
            Always.
        """
        msg = "a skeleton of weights cannot be run; load them into the model itself"
        raise UnsupportedLayerError(msg)


def skeleton(weights: Mapping[str, Tensor]) -> Skeleton:
    """Return modules and parameters as the names of weights say.

    Parameters
    ----------
    weights : mapping of str to tensor
        What `state_dict` gives; numbers that are no floating-point ones are buffers.

    Returns
    -------
    Skeleton
        Its `state_dict` is the weights.

    Raises
    ------
    UnsupportedLayerError
        If the names do not form a tree.
    """
    root = Skeleton()
    for path, tensor in weights.items():
        *heads, name = path.split(".")
        owner: nn.Module = root
        for head in heads:
            if head not in owner._modules:
                _require_free(owner, head, path)
                owner.add_module(head, Skeleton())
            owner = owner.get_submodule(head)
        _require_free(owner, name, path)
        if tensor.is_floating_point() or tensor.is_complex():
            owner.register_parameter(name, nn.Parameter(tensor, requires_grad=False))
        else:
            owner.register_buffer(name, tensor)
    return root


def _require_free(owner: nn.Module, name: str, path: str) -> None:
    if hasattr(owner, name) or not name:
        msg = f"got weights called {path!r}, a name that no module can have; need what "
        raise UnsupportedLayerError(msg + "`state_dict` of a PyTorch model gives")
