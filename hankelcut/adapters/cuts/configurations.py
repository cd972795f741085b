"""Configurations that layers share: one number of states for all of them.

A model built from a configuration can be saved and built again only if the numbers of
states of its layers are the one that the configuration holds. Such layers are cut to a
common number, and the configuration is exchanged for a copy that holds it.
"""

import copy
from collections.abc import Iterable, Mapping
from dataclasses import FrozenInstanceError, dataclass, field
from typing import Any

from torch import nn

from hankelcut._errors import PolicyError, UnsupportedLayerError
from hankelcut.adapters.cuts.settings import CutSettings
from hankelcut.adapters.protocol import SelectiveAdapter
from hankelcut.adapters.registry import find_adapter, find_layers, n_states

__all__ = [
    "SharedConfiguration",
    "common_orders",
    "find_configurations",
    "new_configurations",
    "require_whole",
]


@dataclass(frozen=True, eq=False)
class SharedConfiguration:
    """A configuration that tells the number of states of layers.

    Parameters
    ----------
    value : object
        The configuration.
    states : int
        The number that it holds.
    fields : set of str
        What it calls that number.
    layers : list of str
        Names of the layers.
    """

    value: Any
    states: int
    fields: set[str] = field(default_factory=set)
    layers: list[str] = field(default_factory=list)


def find_configurations(
    model: nn.Module, settings: CutSettings | None = None
) -> list[SharedConfiguration]:
    """Return the configurations of the layers of a model that have one.

    That of a layer is the nearest one: its own, or that of a module around it, which
    has a field of its kind.

    Parameters
    ----------
    model : torch.nn.Module
        The model.
    settings : CutSettings, optional
        How it will be cut: projections leave what a configuration tells as it is.

    Raises
    ------
    UnsupportedLayerError
        If a configuration tells another number of states than the layer has.
    """
    if settings is not None and settings.selective == "project":
        return []
    modules = dict(model.named_modules())
    found: dict[int, SharedConfiguration] = {}
    for name, layer in find_layers(model).items():
        adapter = find_adapter(layer)
        if not isinstance(adapter, SelectiveAdapter):
            continue
        value, fields = _nearest(modules, name, adapter.configuration_fields)
        if not fields:
            continue
        n = n_states(layer)
        told = {key: getattr(value, key) for key in fields}
        if set(told.values()) != {n}:
            msg = (
                f"{name or 'the layer'} has {n} states, its configuration "
                f"{type(value).__name__} says {told}: they must agree, or the model "
                "could not be built again; give the layer a configuration of its own"
            )
            raise UnsupportedLayerError(msg)
        one = found.setdefault(id(value), SharedConfiguration(value, n))
        one.fields.update(fields)
        one.layers.append(name)
    return list(found.values())


def _nearest(
    modules: Mapping[str, nn.Module], name: str, fields: Iterable[str]
) -> tuple[Any, list[str]]:
    """Return the nearest configuration around a layer, and its fields of those."""
    while True:
        value = getattr(modules[name], "config", None)
        held = [key for key in fields if isinstance(getattr(value, key, None), int)]
        if held or not name:
            return value, held
        name = name.rpartition(".")[0]


def require_whole(
    configurations: Iterable[SharedConfiguration], names: Iterable[str]
) -> None:
    """Raise when only some of the layers of a configuration are to be cut.

    Parameters
    ----------
    configurations : iterable of SharedConfiguration
        Those of the model.
    names : iterable of str
        Names of the layers that a filter admits.

    Raises
    ------
    UnsupportedLayerError
        Names the layers that are missing.
    """
    admitted = set(names)
    for one in configurations:
        missing = [name for name in one.layers if name not in admitted]
        if missing and len(missing) < len(one.layers):
            msg = (
                f"{', '.join(missing)} would keep {one.states} states while other "
                f"layers of one configuration ({type(one.value).__name__}) are cut: it "
                f"holds one number ({', '.join(sorted(one.fields))}) for all of them, "
                "without which the model cannot be built again; admit all of them by "
                "filter_fn, or none"
            )
            raise UnsupportedLayerError(msg)


def common_orders(
    configurations: Iterable[SharedConfiguration],
    orders: Mapping[str, int],
    *,
    for_all: bool,
    policy: object,
) -> dict[str, int]:
    """Return orders that are one number for the layers of each configuration.

    Parameters
    ----------
    configurations : iterable of SharedConfiguration
        Those of the model.
    orders : mapping of str to int
        What a policy leaves of each layer.
    for_all : bool
        Whether the policy decides on all layers together.
    policy : object
        The policy, for messages.

    Returns
    -------
    dict of str to int
        The largest of the orders that share a configuration: each layer keeps what the
        policy wants it to keep, or more.

    Raises
    ------
    PolicyError
        If a policy for all layers together wants different orders.
    """
    common = dict(orders)
    for one in configurations:
        wanted = {name: orders[name] for name in one.layers if name in orders}
        if for_all and len(set(wanted.values())) > 1:
            msg = (
                f"{policy} leaves {wanted} states, and these layers share one "
                f"configuration ({type(one.value).__name__}) with one number of states "
                "for all; use a policy for each layer, such as EnergyTolerance"
            )
            raise PolicyError(msg)
        if wanted:
            common.update(dict.fromkeys(wanted, max(wanted.values())))
    return common


def new_configurations(
    model: nn.Module,
    configurations: Iterable[SharedConfiguration],
    states: Mapping[str, int],
) -> list[tuple[Any, Any]]:
    """Return configurations that change, each with a copy that holds the new number.

    Configurations of modules that hold one of these, as those of models of text and
    images do, change with it: their copies hold its copy.

    Parameters
    ----------
    model : torch.nn.Module
        The model.
    configurations : iterable of SharedConfiguration
        Those of the model.
    states : mapping of str to int
        Numbers of states after a cut, by layer.

    Returns
    -------
    list of (object, object)
        Old and new.
    """
    changed: dict[int, tuple[Any, Any]] = {}
    for one in configurations:
        numbers = {states[name] for name in one.layers if name in states}
        if len(numbers) != 1 or numbers == {one.states}:
            continue
        new = copy.copy(one.value)
        for key in one.fields:
            _assign(new, key, next(iter(numbers)))
        changed[id(one.value)] = (one.value, new)
    held = [vars(module).get("config") for module in model.modules()]
    while any([_follow(value, changed) for value in held]):
        pass
    return list(changed.values())


def _follow(value: Any, changed: dict[int, tuple[Any, Any]]) -> bool:
    """Let the copy of a configuration hold copies; return whether it held an old one.

    It is made where there is none yet.
    """
    _, new = changed.get(id(value), (value, value))
    stale = [k for k, v in getattr(new, "__dict__", {}).items() if id(v) in changed]
    if stale and new is value:
        new = copy.copy(value)
        changed[id(value)] = (value, new)
    for key in stale:
        _assign(new, key, changed[id(getattr(new, key))][1])
    return bool(stale)


def _assign(new: Any, name: str, value: Any) -> None:
    """Set an attribute of a copy that nobody else holds yet, frozen or not."""
    try:
        setattr(new, name, value)
    except FrozenInstanceError:
        object.__setattr__(new, name, value)
