"""The adapters there are, and which one serves a module."""

from collections.abc import Callable, Iterator

import torch
from torch import nn

from hankelcut._errors import UnsupportedLayerError
from hankelcut.adapters.layers.dynonet import DynonetAdapter
from hankelcut.adapters.layers.lru import LRUAdapter
from hankelcut.adapters.layers.lru_complex import ComplexLRUAdapter
from hankelcut.adapters.layers.lru_delayed import DelayedLRUAdapter
from hankelcut.adapters.layers.mamba import MambaAdapter
from hankelcut.adapters.layers.mamba2 import Mamba2Adapter
from hankelcut.adapters.layers.projected_mamba2 import ProjectedMamba2Adapter
from hankelcut.adapters.layers.refused import REFUSED, RefusedKind
from hankelcut.adapters.layers.s4_diagonal import DiagonalS4Adapter
from hankelcut.adapters.layers.s4_low_rank import LowRankS4Adapter
from hankelcut.adapters.layers.s4d import S4DAdapter
from hankelcut.adapters.layers.s5 import S5Adapter
from hankelcut.adapters.layers.s5_lrnnx import S5LrnnxAdapter
from hankelcut.adapters.layers.s5_lrnnx_ltv import S5LrnnxSteppedAdapter
from hankelcut.adapters.layers.s5_pytorch import S5PytorchAdapter
from hankelcut.adapters.layers.zamba import ZambaAdapter
from hankelcut.adapters.protocol import Adapter
from hankelcut.adapters.tensors import find_tensor

__all__ = [
    "ADAPTERS",
    "LayerFilter",
    "find_adapter",
    "find_layers",
    "find_refused",
    "n_states",
    "state_sizes",
    "storage_eps",
]

ADAPTERS: tuple[Adapter, ...] = (
    LRUAdapter(),
    ComplexLRUAdapter(),
    DelayedLRUAdapter(),
    S4DAdapter(),
    DiagonalS4Adapter(),
    LowRankS4Adapter(),
    S5Adapter(),
    S5PytorchAdapter(),
    S5LrnnxAdapter(),
    S5LrnnxSteppedAdapter(),
    DynonetAdapter(),
    MambaAdapter(),
    ProjectedMamba2Adapter(),
    Mamba2Adapter(),
    ZambaAdapter(),
)
"""All adapters; the first that matches a module serves it."""

LayerFilter = Callable[[str, nn.Module], bool]
"""Takes the qualified name of a layer and the layer; False leaves it alone."""

# Wrappers that hold copies of, or views into, the parameters they wrap.
_SHARDING_WRAPPERS = ("DistributedDataParallel", "FullyShardedDataParallel")


def find_adapter(layer: nn.Module) -> Adapter:
    """Return the adapter for a layer.

    Parameters
    ----------
    layer : torch.nn.Module
        The layer itself, not a model that contains it.

    Returns
    -------
    Adapter
        The first registered adapter that recognises its parameters.

    Raises
    ------
    UnsupportedLayerError
        If none does, with the reason for a kind that is refused; else names the
        parameters found and the kinds supported.
    """
    kind = _kind_of(layer)
    if isinstance(kind, RefusedKind):
        msg = f"{type(layer).__name__} is of a kind that cannot be cut, {kind.name}: "
        raise UnsupportedLayerError(msg + kind.reason)
    if kind is not None:
        return kind
    names = ", ".join(name for name, _ in layer.named_parameters(recurse=False))
    kinds = ", ".join(adapter.name for adapter in ADAPTERS)
    msg = (
        f"no adapter recognises {type(layer).__name__} with the parameters "
        f"[{names}]; supported kinds: {kinds}. Pass the state-space layer itself, or "
        "write an adapter (CONTRIBUTING.md)"
    )
    raise UnsupportedLayerError(msg)


def find_layers(
    model: nn.Module, filter_fn: LayerFilter | None = None
) -> dict[str, nn.Module]:
    """Return every supported layer of a model, each once, by qualified name.

    What lies inside a supported layer is part of it.

    Parameters
    ----------
    model : torch.nn.Module
        The model, or a layer (whose name is then empty).
    filter_fn : callable, optional
        Called with name and layer; layers for which it returns False are left out.

    Returns
    -------
    dict of str to torch.nn.Module
        In the order of `model.named_modules()`.

    Raises
    ------
    UnsupportedLayerError
        If the model is wrapped for distributed training.
    """
    recognised = _recognised(model, filter_fn)
    return {
        name: layer
        for name, layer, kind in recognised
        if not isinstance(kind, RefusedKind)
    }


def find_refused(
    model: nn.Module, filter_fn: LayerFilter | None = None
) -> dict[str, RefusedKind]:
    """Return the kind, with the reason, of every layer that cannot be cut, by name.

    Parameters
    ----------
    model : torch.nn.Module
        The model, or a layer (whose name is then empty).
    filter_fn : callable, optional
        Called with name and layer; layers for which it returns False are left out.

    Returns
    -------
    dict of str to RefusedKind
        In the order of `model.named_modules()`.

    Raises
    ------
    UnsupportedLayerError
        If the model is wrapped for distributed training.
    """
    recognised = _recognised(model, filter_fn)
    return {name: kind for name, _, kind in recognised if isinstance(kind, RefusedKind)}


def _recognised(
    model: nn.Module, filter_fn: LayerFilter | None
) -> Iterator[tuple[str, nn.Module, Adapter | RefusedKind]]:
    """Layers of a model with what serves or refuses each; none inside another."""
    inside: set[nn.Module] = set()
    for name, module in model.named_modules():
        if type(module).__name__ in _SHARDING_WRAPPERS:
            msg = (
                f"{type(module).__name__} keeps its own copies of the parameters; pass "
                "the wrapped module and wrap it again after each cut"
            )
            raise UnsupportedLayerError(msg)
        kind = None if module in inside else _kind_of(module)
        if kind is None:
            continue
        inside.update(module.modules())
        if filter_fn is None or filter_fn(name, module):
            yield name, module, kind


def _kind_of(module: nn.Module) -> Adapter | RefusedKind | None:
    """Return what refuses or serves a module; None where nothing recognises it."""
    kinds: tuple[Adapter | RefusedKind, ...] = (*REFUSED, *ADAPTERS)
    return next((kind for kind in kinds if kind.matches(module)), None)


def state_sizes(model: nn.Module) -> dict[str, int]:
    """Return the number of stored states of every supported layer, by name.

    Parameters
    ----------
    model : torch.nn.Module
        The model.
    """
    return {name: n_states(layer) for name, layer in find_layers(model).items()}


def n_states(layer: nn.Module) -> int:
    """Return the number of stored states of a layer, from its parameters' shapes."""
    first = find_adapter(layer).state_parameters(layer)[0]
    return first.n_states(find_tensor(layer, first.name))


def storage_eps(layer: nn.Module) -> float:
    """Return the machine epsilon of the arithmetic in which a layer's poles are kept.

    Parameters
    ----------
    layer : torch.nn.Module
        A supported layer.
    """
    first = find_adapter(layer).state_parameters(layer)[0]
    return float(torch.finfo(find_tensor(layer, first.name).dtype).eps)
