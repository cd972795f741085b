"""The form of what an adapter says and makes, and what it must refuse."""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from hankelcut._errors import HankelcutError
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.time_domain import Continuous, Discrete
from hankelcut.validation.adapter_properties._tensors import identical, named_tensors
from hankelcut.validation.adapter_properties.layer_subject import Layer, LayerSubject
from hankelcut.validation.invariants._host import host_array
from hankelcut.validation.invariants.violation import Property

__all__ = ["check_declaration", "check_refusals"]

# What wrong shapes and numbers raise where nobody looks at them.
_UNTYPED = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)


def check_declaration(subject: LayerSubject) -> None:
    """Check the form of what an adapter says and makes of a layer.

    Parameters
    ----------
    subject : LayerSubject
        The layer.

    Raises
    ------
    InvariantViolationError
        If the adapter is no `Adapter` or does not match its layer; its system is not
        discrete, complex128, detached and on the layer's device; a declared parameter
        is missing or has another number of states; a tensor with that many states is
        not declared; a written value has another name, shape, dtype or device; the
        gauge or the input scale is no finite number other than 0 for each state; or
        the layer is changed. All of it exact.
    """
    from hankelcut.adapters import Adapter

    prop = Property("check_declaration", "the protocol Adapter, hankelcut.adapters")
    layer = subject.build()
    adapter = subject.adapter_of(layer)
    kind = type(adapter).__name__
    subject.require(prop, isinstance(adapter, Adapter), f"{kind} is no Adapter")
    matches = adapter.matches(layer)
    subject.require(prop, matches, f"{kind} does not match {type(layer).__name__}")
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    system = adapter.extract(layer)
    _require_system(subject, prop, layer, system)
    replacement = adapter.write(layer, system)
    for name, value in layer.state_dict().items():
        same = identical(value, before[name])
        subject.require(prop, same, f"extract or write changed {name} of the layer")
    _require_state_axes(subject, prop, layer, system)
    declared = {p.name for p in adapter.state_parameters(layer)}
    written = set(replacement.values)
    fact = f"write gives values of {sorted(written)}, declared are {sorted(declared)}"
    subject.require(prop, written == declared, fact)
    for name, value in replacement.values.items():
        old = layer.get_parameter(name)
        forms = [(tuple(t.shape), t.dtype, t.device) for t in (value, old)]
        fact = f"write makes {name} {forms[0]}, the layer has {forms[1]}"
        subject.require(prop, forms[0] == forms[1], fact)
    for what, scale in (
        ("the gauge", host_array(replacement.gauge)),
        ("the input scale", host_array(adapter.input_scale(replacement.values))),
    ):
        right = scale.shape == (system.n_states,) and np.isfinite(scale).all()
        fact = f"{what} is {scale}, need {system.n_states} finite numbers, none 0"
        subject.require(prop, bool(right and scale.all()), fact)


def check_refusals(subject: LayerSubject) -> None:
    """Check that what an adapter cannot hold is refused by a typed error.

    Parameters
    ----------
    subject : LayerSubject
        The layer.

    Raises
    ------
    InvariantViolationError
        If the adapter matches a module without parameters or a linear one; or makes
        something, instead of raising a `HankelcutError`, of a parameter of another
        size or with a NaN, of one more tensor with a state axis, or of a system that
        is unstable, continuous or complex, or has other inputs or feedthrough.
    """
    from torch import nn

    prop = Property("check_refusals", "never silently wrong: refusals are typed errors")
    layer = subject.build()
    adapter = subject.adapter_of(layer)
    for module in (nn.Module(), nn.Linear(2, 3)):
        fact = f"the adapter matches a plain {type(module).__name__}"
        subject.require(prop, not adapter.matches(module), fact)
    for what, damage in _damages(subject, layer).items():
        damaged = subject.build()
        damage(damaged)
        if adapter.matches(damaged):
            attempt: Callable[[], object] = partial(adapter.extract, damaged)
            _require_refused(subject, prop, f"extract: {what}", attempt)
    for what, system in _foreign(adapter.extract(layer)).items():
        attempt = partial(subject.write, subject.build(), system)
        _require_refused(subject, prop, f"write: a system {what}", attempt)


def _require_system(
    subject: LayerSubject, prop: Property, layer: Layer, system: Any
) -> None:
    import torch

    kind = type(system).__name__
    is_diagonal = isinstance(system, DiagonalStateSpace)
    subject.require(prop, is_diagonal, f"extract made a {kind}")
    discrete = isinstance(system.time, Discrete)
    subject.require(prop, discrete, f"extract made a system in {system.time}")
    device = next(layer.parameters()).device
    for name in ("exponents", "B", "C"):
        value = getattr(system, name)
        found = (value.dtype, value.device, value.requires_grad)
        need = (torch.complex128, device, False)
        fact = f"(dtype, device, requires_grad) of {name} is {found}, need {need}"
        subject.require(prop, found == need, fact)


def _require_state_axes(
    subject: LayerSubject, prop: Property, layer: Layer, system: DiagonalStateSpace
) -> None:
    n = system.n_states
    declared = subject.adapter_of(layer).state_parameters(layer)
    tensors = named_tensors(layer)
    for p in declared:
        shape = tuple(tensors[p.name].shape) if p.name in tensors else None
        holds = shape is not None and p.axis < len(shape) and shape[p.axis] == n
        fact = f"{p.name} is declared to have {n} states on axis {p.axis}"
        subject.require(prop, holds, f"{fact}, its shape is {shape}")
    # Where the number of states is no other size, it tells a state axis.
    if n not in (1, system.n_inputs, system.n_outputs):
        named = {p.name for p in declared}
        for name, tensor in tensors.items():
            fact = f"{name} of shape {tuple(tensor.shape)} has {n} states, undeclared"
            subject.require(prop, name in named or n not in tensor.shape, fact)


def _damages(subject: LayerSubject, layer: Layer) -> dict[str, Callable[[Layer], None]]:
    """List changes that make a layer another kind, or none that holds numbers."""
    import torch
    from torch import nn

    def lengthen(name: str, axis: int) -> Callable[[Layer], None]:
        def damage(damaged: Layer) -> None:
            old = damaged.get_parameter(name).detach()
            more = torch.cat([old, old.narrow(axis, 0, 1)], dim=axis)
            setattr(damaged, name, nn.Parameter(more))

        return damage

    def spoil(name: str) -> Callable[[Layer], None]:
        def damage(damaged: Layer) -> None:
            damaged.get_parameter(name).detach().view(-1)[0] = math.nan

        return damage

    def add(damaged: Layer) -> None:
        damaged.one_state_more = nn.Parameter(torch.zeros(n))

    declared = subject.adapter_of(layer).state_parameters(layer)
    n = layer.get_parameter(declared[0].name).shape[declared[0].axis]
    damages = {
        f"{p.name} with one state more": lengthen(p.name, p.axis) for p in declared
    }
    for name, parameter in layer.named_parameters(recurse=False):
        if parameter.numel():
            damages[f"{name} with a NaN"] = spoil(name)
    damages[f"one more parameter of {n} states"] = add
    return damages


def _foreign(system: DiagonalStateSpace) -> dict[str, DiagonalStateSpace]:
    """Systems that a layer cannot be."""
    unstable = system.exponents.clone()
    unstable[0] += 1e-3 - unstable[0].real
    foreign = {
        "with a pole outside the unit circle": replace(system, exponents=unstable),
        "in continuous time": replace(system, time=Continuous()),
        "with one input more": replace(
            system, B=_longer(system.B, 1), D=_longer(system.D, 1)
        ),
        "with another feedthrough": replace(system, D=system.D + 1),
    }
    if system.readout != "complex":
        foreign["with a complex readout"] = replace(system, readout="complex")
    return foreign


def _require_refused(
    subject: LayerSubject, prop: Property, what: str, attempt: Callable[[], object]
) -> None:
    try:
        attempt()
    except HankelcutError:
        return
    except _UNTYPED as error:
        fact = f"{what}: raised {type(error).__name__}({error}), need a HankelcutError"
        subject.require(prop, False, fact)
    subject.require(prop, False, f"{what}: was taken, need a HankelcutError")


def _longer(matrix: Any, axis: int) -> Any:
    import torch

    return torch.cat([matrix, matrix.narrow(axis, 0, 1)], dim=axis)
