"""A reduction in training, tried on a small model."""

import io
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from hankelcut._errors import UnsupportedLayerError
from hankelcut.validation.adapter_properties._model_under_test import require_held
from hankelcut.validation.adapter_properties.layer_subject import seeded
from hankelcut.validation.invariants.violation import Property

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer

    from hankelcut.adapters import InTrainingReducer, Policy, ReductionEvent

    Model: TypeAlias = nn.Module
else:
    InTrainingReducer = Model = Optimizer = Policy = ReductionEvent = Tensor = Any

__all__ = ["check_in_training_reduction"]

# Steps taken by a loaded model and the original side by side.
_RESUMED_STEPS = 3
# Step size, and shape of the default loss's inputs but for their channels.
_LEARNING_RATE = 1e-2
_BATCH, _LENGTH = 4, 24


def check_in_training_reduction(
    model_factory: Callable[[], Model],
    *,
    policy: Policy,
    loss: Callable[[Model], Tensor] | None = None,
    optimizer_factory: Callable[[Any], Optimizer] | None = None,
    reducer_factory: Callable[..., InTrainingReducer] | None = None,
    steps: int = 8,
    every: int = 4,
    loss_tol: float = 0.1,
    seed: int = 0,
) -> None:
    """Try to break a reduction in training, on a model that a factory builds.

    Parameters
    ----------
    model_factory : callable
        Takes nothing and returns a model, with random numbers from torch's generator.
    policy : Policy
        Decides the orders; it must cut in the given steps.
    loss : callable, optional
        Called with the model, returns its loss on data that is always the same. By
        default the mean square distance of the outputs to random ones, for random
        (4, 24, m) inputs, with the m of the first layer that an adapter recognises.
    optimizer_factory : callable, optional
        Called with the model's parameters; Adam by default.
    reducer_factory : callable, optional
        Called as `InTrainingReducer(model, optimizer, policy, every=..., probe=...)`,
        which is the default.
    steps, every : int
        Steps of training, and steps between cuts.
    loss_tol : float
        Share of itself by which the loss may move in a cut: what the policy gives away.
    seed : int
        Of torch's generator, for the model, the data and the training.

    Raises
    ------
    InvariantViolationError
        If nothing is cut; the loss, with the model in evaluation mode, moves by more
        than `loss_tol` in a cut, or is not what the event says, exactly; a loss or a
        gradient is not finite, or a module that was trained is trained no more; the
        optimizer lacks a parameter, or has state of another shape; a saved and loaded
        run goes on with other losses; or a second run from the same seed differs.
    ValueError
        If an argument is out of range.
    UnsupportedLayerError
        If no adapter recognises a layer of the model.
    MissingDependencyError
        If PyTorch is not installed.

    Examples
    --------
    >>> from hankelcut.adapters import EnergyTolerance
    >>> from hankelcut.nn import LRU
    >>> check_in_training_reduction(
    ...     lambda: LRU(3, 12, 0.3, 0.9), policy=EnergyTolerance(0.05)
    ... )
    """
    from hankelcut.adapters import InTrainingReducer

    if not 1 <= every <= steps or not loss_tol > 0:
        msg = f"check_in_training_reduction: got steps={steps}, every={every}, "
        msg += f"loss_tol={loss_tol}; need 1 <= every <= steps and loss_tol > 0"
        raise ValueError(msg)
    trial = _Trial(
        model_factory,
        policy,
        loss or _default_loss(model_factory, seed),
        optimizer_factory or _adam,
        reducer_factory or InTrainingReducer,
        steps,
        every,
        seed,
    )
    run = trial.started(seed)
    trial.train(run, steps)
    _check_loss(trial, run, loss_tol)
    _check_training(trial, run)
    again = trial.started(seed)
    trial.train(again, steps)
    _check_same(trial, "a second run from one seed", run, again)
    _check_resumed(trial, run)


@dataclass(frozen=True, eq=False)
class _Run:
    """One training run, as far as it went."""

    model: Model
    optimizer: Optimizer
    reducer: InTrainingReducer
    losses: list[float]
    trained: list[set[str]]
    cuts: list[tuple[float, float, ReductionEvent]]


@dataclass(frozen=True, eq=False)
class _Trial:
    """What is tried."""

    model_factory: Callable[[], Model]
    policy: Policy
    loss: Callable[[Model], Tensor]
    optimizer_factory: Callable[[Any], Optimizer]
    reducer_factory: Callable[..., InTrainingReducer]
    steps: int
    every: int
    seed: int

    def require(self, name: str, holds: bool, fact: str) -> None:
        """Raise `InvariantViolationError` unless a fact of a property holds."""
        prop = Property("check_in_training_reduction", f"{name}; Chahine et al. 2026")
        factory = getattr(self.model_factory, "__qualname__", repr(self.model_factory))
        case = {"model_factory": factory, "policy": self.policy, "seed": self.seed}
        prop.require(holds, fact, case)

    def started(self, seed: int) -> _Run:
        """Return a run of no steps, of the model that the factory builds for a seed."""
        with seeded(seed):
            model = self.model_factory()
        optimizer = self.optimizer_factory(model.parameters())
        reducer = self.reducer_factory(
            model,
            optimizer,
            self.policy,
            every=self.every,
            probe=partial(self.probed, model),
        )
        return _Run(model, optimizer, reducer, [], [], [])

    def train(self, run: _Run, steps: int) -> None:
        """Go on for some steps; the draws depend on the number of the step only."""
        import torch

        for _ in range(steps):
            with seeded(self.seed + len(run.losses)):
                run.optimizer.zero_grad()
                loss = self.loss(run.model.train())
                torch.autograd.backward(loss)
                run.losses.append(float(loss.detach()))
                run.trained.append(_stepped(run.model, run.optimizer))
                before = self.probed(run.model)
                event = run.reducer.step()
                if event is not None and event.is_cut:
                    run.cuts.append((before, self.probed(run.model), event))

    def probed(self, model: Model) -> float:
        """Return the loss in evaluation mode; the model stays as it is."""
        import torch

        training = model.training
        with torch.no_grad(), seeded(self.seed):
            value = float(self.loss(model.eval()))
        model.train(training)
        return value


def _check_loss(trial: _Trial, run: _Run, loss_tol: float) -> None:
    """Check that there were cuts, and that they hardly moved the loss."""
    require = partial(trial.require, "a cut moves the loss by what the policy allows")
    notes = [
        note
        for event in run.reducer.events
        for cut in event.layers
        for note in cut.notes
    ]
    fact = f"no cut in {trial.steps} steps ({'; '.join(notes) or 'no reason given'})"
    require(bool(run.cuts), fact)
    for before, after, event in run.cuts:
        told = (event.loss_before, event.loss_after)
        fact = f"the event says the loss went from {told[0]} to {told[1]}, it went from"
        require(told == (before, after), f"{fact} {before} to {after}")
        moved, allowed = abs(after - before), loss_tol * abs(before)
        fact = (
            f"the cut at step {event.step} moved the loss from {before:.6g} to "
            f"{after:.6g}, by {moved:.3g}, allowed {allowed:.3g}"
        )
        require(moved <= allowed, fact)


def _check_training(trial: _Trial, run: _Run) -> None:
    """Check that the model went on learning, with the optimizer that it has."""
    require = partial(trial.require, "training goes on after a cut")
    fact = f"the losses {run.losses} are not all finite"
    require(bool(np.isfinite(run.losses).all()), fact)
    for k, names in enumerate(run.trained):
        lost = sorted(run.trained[0] - names)
        fact = f"step {k + 1} moves no parameter of {lost}, or a gradient is not finite"
        require(not lost, fact)
    require_held(require, run.model, run.optimizer)


def _check_same(trial: _Trial, what: str, run: _Run, again: _Run) -> None:
    """Check that two runs of as many steps are one."""
    count = len(again.losses)
    require = partial(trial.require, f"{what} is the same run")
    fact = f"the losses are {again.losses}, they were {run.losses[:count]}"
    require(again.losses == run.losses[:count], fact)
    events = [
        [replace(event, seconds=0.0).to_dict() for event in one.reducer.events]
        for one in (again, run)
    ]
    require(events[0] == events[1], f"the events are {events[0]}, were {events[1]}")


def _check_resumed(trial: _Trial, run: _Run) -> None:
    """Check that a saved run, loaded into a new model, goes on in the same way."""
    import torch

    from hankelcut.adapters import load_reduced

    saved = io.BytesIO()
    parts: dict[str, Any] = {
        "model": run.model,
        "optimizer": run.optimizer,
        "reducer": run.reducer,
    }
    torch.save({name: part.state_dict() for name, part in parts.items()}, saved)
    saved.seek(0)
    state: Mapping[str, Any] = torch.load(saved, weights_only=True)
    fresh = trial.started(trial.seed + 1)
    load_reduced(fresh.model, state["model"], optimizer=fresh.optimizer)
    fresh.optimizer.load_state_dict(state["optimizer"])
    fresh.reducer.load_state_dict(state["reducer"])
    losses = (trial.probed(fresh.model), trial.probed(run.model))
    require = partial(trial.require, "a loaded model is the saved one")
    require(losses[0] == losses[1], f"the loss is {losses[0]}, was {losses[1]}")
    resumed = replace(fresh, losses=list(run.losses))
    for one in (run, resumed):
        trial.train(one, _RESUMED_STEPS)
    _check_same(trial, "a run that is saved and loaded", run, resumed)


def _stepped(model: Model, optimizer: Optimizer) -> set[str]:
    """Make a step; return the modules that it moves, with all gradients finite.

    Not the parameters: the phase of a mode on the real axis has no gradient.
    """
    import torch

    before = {p: p.detach().clone() for p in model.parameters()}
    optimizer.step()
    moved = set()
    for name, module in model.named_modules():
        own = [p for p in module.parameters(recurse=False) if p.requires_grad]
        finite = all(p.grad is not None and bool(p.grad.isfinite().all()) for p in own)
        if finite and not all(torch.equal(p, before[p]) for p in own):
            moved.add(f"module {name!r}")
    return moved


def _default_loss(
    model_factory: Callable[[], Model], seed: int
) -> Callable[[Model], Tensor]:
    """Return the distance, for inputs as wide as those of the first layer."""
    from hankelcut.adapters import extract, find_layers

    with seeded(seed):
        layers = list(find_layers(model_factory()).values())
    if not layers:
        msg = "check_in_training_reduction: no adapter recognises a layer of the model"
        raise UnsupportedLayerError(f"{msg}; need one to reduce")
    system = extract(layers[0])
    m = system.n_inputs * math.prod(system.batch_shape)
    return partial(_distance, m=m, seed=seed)


def _distance(model: Model, *, m: int, seed: int) -> Tensor:
    """Mean square distance of a model's outputs to random ones."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    like = next(model.parameters())
    inputs = torch.randn(_BATCH, _LENGTH, m, generator=generator)
    inputs = inputs.to(like.device, like.dtype.to_real())
    outputs: Tensor = model(inputs)
    targets = torch.randn(outputs.shape, generator=generator).to(outputs)
    return (outputs - targets).abs().square().mean()


def _adam(parameters: Any) -> Optimizer:
    import torch

    return torch.optim.Adam(parameters, lr=_LEARNING_RATE)
