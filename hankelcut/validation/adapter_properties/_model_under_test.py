"""A model in training around a layer: what it holds, and one cut of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from hankelcut.validation.adapter_properties._tensors import (
    flat,
    identical,
    named_tensors,
)
from hankelcut.validation.adapter_properties.layer_subject import (
    Layer,
    LayerSubject,
    seeded,
)
from hankelcut.validation.invariants.violation import Property

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import Optimizer

    from hankelcut.adapters import LayerCut, Policy
else:
    LayerCut = Optimizer = Policy = Tensor = Any

__all__ = [
    "Require",
    "Snapshot",
    "adam",
    "cut_once",
    "loss_of",
    "require_held",
    "require_moments",
    "trained_model",
]

Require: TypeAlias = Callable[[bool, str], None]
"""Raises unless a fact, which is then said, holds."""

# Shares of the states that a cut removes, the first that is possible.
_FRACTIONS = (0.5, 0.25, 0.75)


@dataclass(frozen=True, eq=False)
class Snapshot:
    """All tensors of a model and its optimizer: the objects, and copies of them.

    Parameters
    ----------
    tensors : list of (str, tensor, tensor)
        What it is, the object, and its copy.
    """

    tensors: list[tuple[str, Tensor, Tensor]]

    @classmethod
    def of(cls, model: Layer, optimizer: Optimizer) -> "Snapshot":
        """Return what a model and the optimizer's share of it are.

        Parameters
        ----------
        model : torch.nn.Module
            The model.
        optimizer : torch.optim.Optimizer
            Holds its parameters, perhaps among others.
        """
        found = _all_tensors(model, optimizer)
        return cls([(what, tensor, tensor.detach().clone()) for what, tensor in found])

    def require_same(
        self,
        subject: LayerSubject,
        prop: Property,
        model: Layer,
        optimizer: Optimizer,
        when: str = "",
    ) -> None:
        """Require the same objects with the same bits.

        Parameters
        ----------
        subject : LayerSubject
            The layer's kind.
        prop : Property
            What is checked.
        model : torch.nn.Module
            The model.
        optimizer : torch.optim.Optimizer
            As of `of`.
        when : str
            When this must hold, for the message.
        """
        found = _all_tensors(model, optimizer)
        names = ([what for what, _ in found], [what for what, _, _ in self.tensors])
        fact = f"there are {names[0]}{when}, before {names[1]}"
        subject.require(prop, names[0] == names[1], fact)
        for (what, now), (_, then, value) in zip(found, self.tensors, strict=True):
            same = now is then and identical(now, value)
            subject.require(prop, same, f"{what} is not what it was{when}")


def cut_once(
    subject: LayerSubject,
    prop: Property,
    model: Layer,
    optimizer: Optimizer | None = None,
    *,
    states: int | None = None,
) -> LayerCut:
    """Cut until a layer is smaller; return what the event says of the first one.

    Parameters
    ----------
    subject : LayerSubject
        The layer's kind.
    prop : Property
        What is checked.
    model : torch.nn.Module
        The layer, or a model that holds it.
    optimizer : torch.optim.Optimizer, optional
        Holds the parameters.
    states : int, optional
        How many states are left; half of them, or what is possible, by default.
    """
    from hankelcut.adapters import FixedFraction, TargetOrder

    fractions: list[Policy] = [FixedFraction(share) for share in _FRACTIONS]
    cuts: list[LayerCut] = []
    notes: list[str] = []
    for policy in fractions if states is None else [TargetOrder(states)]:
        event = subject.reduce(model, policy, optimizer)
        cuts = [cut for cut in event.layers if cut.is_cut]
        if cuts:
            break
        notes += [f"{policy}: {note}" for cut in event.layers for note in cut.notes]
    fact = f"no layer was cut ({'; '.join(notes) or 'no reason given'})"
    subject.require(prop, bool(cuts), fact)
    return cuts[0]


def trained_model(subject: LayerSubject) -> tuple[Layer, Optimizer]:
    """Return two layers and a linear one, and an optimizer that has made a step."""
    import torch
    from torch import nn

    second = replace(subject, seed=subject.seed + 1)
    with seeded(subject.seed):
        linear = nn.Linear(3, 2)
    layers = {"first": subject.build(), "linear": linear, "second": second.build()}
    model = nn.ModuleDict(layers)
    optimizer = adam(
        [
            {"params": list(layers["first"].parameters()), "weight_decay": 0.0},
            {"params": list(layers["linear"].parameters()), "lr": 1e-4},
            {"params": list(layers["second"].parameters()), "betas": (0.5, 0.7)},
        ]
    )
    loss = linear(torch.ones(3)).square().sum().cpu()
    for name in ("first", "second"):
        loss = loss + loss_of(subject, layers[name]).cpu()
    torch.autograd.backward(loss)
    optimizer.step()
    optimizer.zero_grad()
    return model, optimizer


def adam(
    groups: list[dict[str, Any]], *, lr: float = 1e-3, beta: float = 0.9
) -> Optimizer:
    import torch

    return torch.optim.Adam(groups, lr=lr, betas=(beta, 0.99))


def loss_of(subject: LayerSubject, layer: Layer) -> Tensor:
    """Return a loss that every sample of every output enters, not by its square."""
    inputs = subject.inputs(layer, subject.noise(2, 24, subject.n_inputs(layer)))
    outputs = subject.outputs(layer.eval(), inputs)
    return outputs.abs().cos().sum() + outputs.abs().square().sum()


def require_held(require: Require, model: Layer, optimizer: Optimizer) -> None:
    """Require an optimizer to hold a model's parameters, with state of their shapes.

    Parameters
    ----------
    require : callable
        Called with each fact.
    model : torch.nn.Module
        The model.
    optimizer : torch.optim.Optimizer
        Built on all of its parameters.
    """
    names = {id(p): name for name, p in model.named_parameters()}
    held = [p for group in optimizer.param_groups for p in group["params"]]
    missing = sorted(set(names.values()) - {names.get(id(p), "") for p in held})
    left = sum(id(p) not in names for p in held)
    fact = f"the optimizer lacks {missing} and holds {left} that the model has not"
    require(not missing and not left, fact)
    for parameter, state in optimizer.state.items():
        name = names.get(id(parameter), "")
        fact = f"the optimizer keeps a state of shape {tuple(parameter.shape)}, gone"
        require(bool(name), fact)
        require_moments(require, name, parameter, state)


def require_moments(
    require: Require, name: str, parameter: Tensor, state: Mapping[str, Any]
) -> None:
    """Require moments of their parameter's shape: finite, and squares not negative.

    Parameters
    ----------
    require : callable
        Called with each fact.
    name : str
        Name of the parameter.
    parameter : tensor
        The parameter.
    state : mapping
        The optimizer's state of it.
    """
    import torch

    for key, value in state.items():
        if not isinstance(value, torch.Tensor) or not value.ndim:
            continue
        fact = f"{key} of {name} has shape {tuple(value.shape)}, need "
        require(value.shape == parameter.shape, f"{fact}{tuple(parameter.shape)}")
        require(bool(torch.isfinite(value).all()), f"{key} of {name} is not finite")
        if key.endswith("_sq") and value.numel():
            least = float(flat(value).min())
            fact = f"{key} of {name} has the entry {least:.3g}, need none below 0"
            require(least >= 0, fact)


def _all_tensors(model: Layer, optimizer: Optimizer) -> list[tuple[str, Tensor]]:
    """Tensors of a model, then of the optimizer's groups and states, with names."""
    import torch

    found = list(named_tensors(model).items())
    names = {id(tensor): name for name, tensor in found}
    for k, group in enumerate(optimizer.param_groups):
        for p in group["params"]:
            if id(p) in names:
                found.append((f"{names[id(p)]} in group {k}", p))
    for p, state in optimizer.state.items():
        for key, value in state.items():
            if id(p) in names and isinstance(value, torch.Tensor):
                found.append((f"{key} of {names[id(p)]}", value))
    return found
