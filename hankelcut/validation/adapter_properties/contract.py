"""The form of what an adapter says and makes, and what it must refuse."""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from hankelcut._errors import HankelcutError
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.state_space import StateSpace
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
        If the adapter is no `LinearAdapter` or does not match its layer; its system is
        not discrete, in double precision, detached and on the layer's device; a
        declared parameter is missing or has another number of states; a tensor with
        that many states is not declared; a written value has another name, shape, dtype
        (but for real matrices that become complex) or device; the gauge or a scale is
        no finite number other than 0 for each state; or the layer is changed. All of it
        exact.
    """
    from hankelcut.adapters import LinearAdapter

    prop = Property("check_declaration", "the protocol LinearAdapter")
    layer = subject.build()
    adapter = subject.adapter_of(layer)
    kind = type(adapter).__name__
    subject.require(prop, isinstance(adapter, LinearAdapter), f"{kind} is none")
    matches = adapter.matches(layer)
    subject.require(prop, matches, f"{kind} does not match {type(layer).__name__}")
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    reading = adapter.read(layer)
    _require_system(subject, prop, layer, reading.system)
    form = reading.form
    replacement = adapter.write(layer, form)
    for name, value in layer.state_dict().items():
        same = identical(value, before[name])
        subject.require(prop, same, f"read or write changed {name} of the layer")
    _require_state_axes(subject, prop, layer, form)
    declared = {p.name for p in adapter.state_parameters(layer)}
    written = set(replacement.values)
    fact = f"write gives values of {sorted(written)}, declared are {sorted(declared)}"
    subject.require(prop, written == declared, fact)
    for name, value in replacement.values.items():
        old = named_tensors(layer)[name]
        dtype = old.dtype.to_complex() if value.is_complex() else old.dtype
        forms = [(tuple(t.shape), t.dtype, t.device) for t in (value, old)]
        fact = f"write makes {name} {forms[0]}, the layer has {forms[1]}"
        right = forms[0] == (*forms[1][:1], dtype, *forms[1][2:])
        subject.require(prop, right, fact)
    scales = {"the gauge": replacement.gauge}
    for what, stored in (("input", reading.inputs), ("output", reading.outputs)):
        if stored is not None:
            scales[f"the {what} scale"] = stored.scale
    for what, scale in scales.items():
        found = host_array(scale)
        # A scale of C may also have an entry for each of its own.
        rows = found.ndim == form.C.ndim and what == "the output scale"
        values = np.broadcast_to(found, (form.C if rows else form.exponents).shape)
        right = bool(np.isfinite(values).all() and values.all())
        fact = f"{what} is {values}, need {form.n_states} finite numbers, none 0"
        subject.require(prop, right, fact)


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
            attempt: Callable[[], object] = partial(adapter.read, damaged)
            _require_refused(subject, prop, f"read: {what}", attempt)
    for what, system in _foreign(adapter.read(layer).form).items():
        attempt = partial(subject.write, subject.build(), system)
        _require_refused(subject, prop, f"write: a system {what}", attempt)


def _require_system(
    subject: LayerSubject, prop: Property, layer: Layer, system: Any
) -> None:
    import torch

    kind = type(system).__name__
    known = isinstance(system, DiagonalStateSpace | StateSpace)
    subject.require(prop, known, f"read made a {kind}")
    discrete = isinstance(system.time, Discrete)
    subject.require(prop, discrete, f"read made a system in {system.time}")
    device = next(layer.parameters()).device
    dtype = torch.complex128
    names = ("exponents", "B", "C")
    if isinstance(system, StateSpace):
        dtype, names = torch.float64, ("A", "B", "C")
    for name in names:
        value = getattr(system, name)
        found = (value.dtype, value.device, value.requires_grad)
        need = (dtype, device, False)
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
        holds = shape is not None and p.axis < len(shape)
        holds = holds and p.n_states(tensors[p.name]) == n
        fact = f"{p.name} is declared to have {n} states on axis {p.axis}"
        subject.require(prop, holds, f"{fact}, its shape is {shape}")
    # Where the number of states is no other size, it tells a state axis.
    if n not in (1, system.n_inputs, system.n_outputs, *system.batch_shape):
        known = {id(tensors[p.name]) for p in declared}
        for name, tensor in tensors.items():
            fact = f"{name} of shape {tuple(tensor.shape)} has {n} states, undeclared"
            named = id(tensor) in known
            subject.require(prop, named or n not in tensor.shape, fact)


def _damages(subject: LayerSubject, layer: Layer) -> dict[str, Callable[[Layer], None]]:
    """List changes that make a layer another kind, or none that holds numbers."""
    import torch
    from torch import nn

    from hankelcut.adapters.tensors import find_tensor, owner_of

    def lengthen(path: str, axis: int) -> Callable[[Layer], None]:
        def damage(damaged: Layer) -> None:
            owner, name = owner_of(damaged, path)
            old = find_tensor(damaged, path)
            longer = old.detach()
            longer = torch.cat([longer, longer.narrow(axis, 0, 1)], dim=axis)
            setattr(owner, name, nn.Parameter(longer) if old.requires_grad else longer)

        return damage

    def spoil(path: str) -> Callable[[Layer], None]:
        def damage(damaged: Layer) -> None:
            find_tensor(damaged, path).detach().view(-1)[0] = math.nan

        return damage

    def add(damaged: Layer) -> None:
        owner, _ = owner_of(damaged, declared[0].name)
        owner.one_state_more = nn.Parameter(torch.zeros(n))

    declared = subject.adapter_of(layer).state_parameters(layer)
    n = declared[0].n_states(find_tensor(layer, declared[0].name))
    damages = {
        f"{p.name} with one state more": lengthen(p.name, p.axis) for p in declared
    }
    for p in declared:
        head = p.name.rpartition(".")[0]
        for name, tensor in owner_of(layer, p.name)[0].named_parameters(recurse=False):
            if tensor.numel():
                path = f"{head}.{name}" if head else name
                damages[f"{path} with a NaN"] = spoil(path)
    damages[f"one more parameter of {n} states"] = add
    return damages


def _foreign(system: DiagonalStateSpace) -> dict[str, DiagonalStateSpace]:
    """Systems that a layer cannot be."""
    unstable = system.exponents.clone()
    unstable[..., 0] += 1e-3 - unstable[..., 0].real
    other = Continuous() if isinstance(system.time, Discrete) else Discrete()
    foreign = {
        "with a pole outside the stability region": replace(system, exponents=unstable),
        "in the other time domain": replace(system, time=other),
        "with one input more": replace(
            system, B=_longer(system.B), D=_longer(system.D)
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


def _longer(matrix: Any) -> Any:
    import torch

    return torch.cat([matrix, matrix.narrow(-1, 0, 1)], dim=-1)
