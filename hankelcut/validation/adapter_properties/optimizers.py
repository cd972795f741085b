"""The optimizer and all that hangs on a parameter follow a cut."""

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from hankelcut.validation.adapter_properties._model_under_test import (
    Snapshot,
    adam,
    cut_once,
    loss_of,
    require_held,
    require_moments,
    trained_model,
)
from hankelcut.validation.adapter_properties._tensors import flat, rounding_unit
from hankelcut.validation.adapter_properties.layer_subject import Layer, LayerSubject
from hankelcut.validation.invariants.violation import Property

if TYPE_CHECKING:
    from torch.optim import Optimizer

    from hankelcut.adapters import StateParameter
else:
    Optimizer = StateParameter = Any

__all__ = [
    "check_moment_transport",
    "check_optimizer_groups",
    "check_parameter_attributes",
]

# Units of rounding of the layer's dtype by which moments may be off: 10 (float32) and
# 150 (float64) were measured, on layers of up to 24 states.
_MOMENT_UNITS = 1e4


def check_moment_transport(subject: LayerSubject) -> None:
    r"""Check that Adam's first moments follow the states.

    Some states are made silent, by zeros in the rows of B or the columns of C, so that
    a cut discards nothing. With first moments that are the gradient, those of B and C
    after the cut must be the gradient after the cut: then a step from moments is the
    same step in other coordinates.

    Parameters
    ----------
    subject : LayerSubject
        The layer.

    Raises
    ------
    InvariantViolationError
        If the first moments, of parameters that stay real or complex, differ from the
        gradient by more than :math:`10^4\epsilon` of its norm; a moment has the wrong
        shape or is not finite, a second one is negative; or a count of steps changes.
    """
    import torch

    from hankelcut.adapters.tensors import find_tensor

    prop = Property("check_moment_transport", "chain rule: m_B = T^H m_B, m_C = m_C W")
    layer = subject.build()
    adapter = subject.adapter_of(layer)
    n = subject.read(layer).form.n_states
    silent = max(1, n // 3)
    _silence(adapter.state_parameters(layer), layer, silent)
    optimizer = adam([{"params": list(layer.parameters())}], lr=0.0, beta=0.0)
    torch.autograd.backward(loss_of(subject, layer))
    optimizer.step()
    optimizer.zero_grad()
    declared = adapter.state_parameters(layer)
    were_complex = {p.name: find_tensor(layer, p.name).is_complex() for p in declared}
    steps = _steps(optimizer)
    cut_once(subject, prop, layer, optimizer, states=n - silent)
    subject.require(
        prop,
        _steps(optimizer) == steps,
        f"the steps counted are {_steps(optimizer)}, before {steps}",
    )
    torch.autograd.backward(loss_of(subject, layer))
    moments, gradients = [], []
    for p in declared:
        parameter = find_tensor(layer, p.name)
        state = optimizer.state.get(parameter, {})
        subject.require(prop, "exp_avg" in state, f"{p.name} has lost its moments")
        require_moments(partial(subject.require, prop), p.name, parameter, state)
        # A real parameter that becomes a complex one had no moments of its new part.
        widened = parameter.is_complex() and not were_complex[p.name]
        if p.role in ("input", "output") and not widened:
            moments.append(flat(state["exp_avg"]))
            gradients.append(flat(parameter.grad))
    # Layers of which no parameter is linear in the states have nothing to compare.
    moment, gradient = (
        np.concatenate([np.zeros(0), *pieces]) for pieces in (moments, gradients)
    )
    size, off = np.linalg.norm(gradient), np.linalg.norm(moment - gradient)
    allowed = _MOMENT_UNITS * rounding_unit(layer) * size
    fact = (
        f"the first moments of B and C differ by {off:.6g} from the gradient, whose "
        f"norm is {size:.6g}, allowed {allowed:.3g}"
    )
    subject.require(prop, off <= allowed, fact)


def check_optimizer_groups(subject: LayerSubject) -> None:
    """Check that an optimizer goes on with the new parameters and nothing else.

    Parameters
    ----------
    subject : LayerSubject
        The layer; it is cut in a model with a second one and a linear layer, each in a
        parameter group of its own.

    Raises
    ------
    InvariantViolationError
        If the groups hold other parameters than the model, in another order, or with
        other settings; a state is left over or has another shape than its parameter;
        or the linear layer, or its state, is not the same object with the same values.
    """
    prop = Property("check_optimizer_groups", "a cut changes layer and optimizer alike")
    model, optimizer = trained_model(subject)
    settings = [_settings(group) for group in optimizer.param_groups]
    places = _places(model, optimizer)
    linear = Snapshot.of(model.get_submodule("linear"), optimizer)
    cut_once(subject, prop, model, optimizer)
    require_held(partial(subject.require, prop), model, optimizer)
    found = _places(model, optimizer)
    fact = f"the groups hold {found}, before {places}"
    subject.require(prop, found == places, fact)
    now = [_settings(group) for group in optimizer.param_groups]
    subject.require(prop, now == settings, f"settings {settings} became {now}")
    linear.require_same(subject, prop, model.get_submodule("linear"), optimizer)


def check_parameter_attributes(subject: LayerSubject) -> None:
    """Check what new parameters take over from the old.

    Parameters
    ----------
    subject : LayerSubject
        The layer.

    Raises
    ------
    InvariantViolationError
        If `_optim`, `_no_weight_decay`, `requires_grad`, a gradient hook, the sharing
        of a parameter with another module, or a key of the state dictionary is lost.
    """
    import torch
    from torch import nn

    prop = Property("check_parameter_attributes", "conventions of S4, S5 and Mamba")
    layer = subject.build()
    names = [p.name for p in subject.adapter_of(layer).state_parameters(layer)]
    mirror = nn.Module()
    calls: list[tuple[str, tuple[int, ...]]] = []
    layer.get_parameter(names[-1]).requires_grad_(False)
    for name in names:
        parameter = layer.get_parameter(name)
        vars(parameter).update(_optim={"lr": 1e-4}, _no_weight_decay=True)
        mirror.register_parameter(name.replace(".", "_"), parameter)
        if parameter.requires_grad:
            parameter.register_hook(  # type: ignore[no-untyped-call]
                lambda gradient, name=name: calls.append((name, tuple(gradient.shape)))
            )
    model = nn.ModuleDict({"layer": layer, "mirror": mirror})
    keys = sorted(model.state_dict())
    cut_once(subject, prop, model)
    found = sorted(model.state_dict())
    fact = f"the state dictionary has the keys {found}, before {keys}"
    subject.require(prop, found == keys, fact)
    for name in names:
        new = layer.get_parameter(name)
        carried = (getattr(new, "_optim", None), getattr(new, "_no_weight_decay", None))
        fact = f"(_optim, _no_weight_decay) of {name} became {carried}"
        subject.require(prop, carried == ({"lr": 1e-4}, True), fact)
        trained = name != names[-1]
        fact = f"requires_grad of {name} is {new.requires_grad}, before {trained}"
        subject.require(prop, new.requires_grad == trained, fact)
        shared = mirror.get_parameter(name.replace(".", "_")) is new
        subject.require(prop, shared, f"{name} is no longer shared")
    torch.autograd.backward(loss_of(subject, layer))
    expected = {(name, tuple(layer.get_parameter(name).shape)) for name in names[:-1]}
    fact = f"gradient hooks were called with {sorted(set(calls))}, need "
    subject.require(prop, set(calls) == expected, f"{fact}{sorted(expected)}")


def _silence(declared: tuple[StateParameter, ...], layer: Layer, count: int) -> None:
    """Let the inputs not reach some states, and others not reach the outputs.

    Neither through others: states that a layer couples are cut loose.
    """
    from hankelcut.adapters.tensors import find_tensor

    half = (count + 1) // 2 if any(p.role == "input" for p in declared) else 0
    places = {
        "input": (0, half),
        "output": (half, count - half),
        "coupling": (0, count),
    }
    for p in declared:
        if p.role in places:
            values = find_tensor(layer, p.name).detach()
            for block in values.chunk(p.blocks, dim=p.axis):
                block.narrow(p.axis, *places[p.role]).zero_()


def _steps(optimizer: Optimizer) -> list[float]:
    """List the counts of steps of all parameters, in order of size."""
    return sorted(float(state["step"]) for state in optimizer.state.values())


def _places(model: Layer, optimizer: Optimizer) -> list[list[str]]:
    """Names of the parameters in each group."""
    names = {id(p): name for name, p in model.named_parameters()}
    return [
        [names.get(id(p), "?") for p in group["params"]]
        for group in optimizer.param_groups
    ]


def _settings(group: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in group.items() if key != "params"}
