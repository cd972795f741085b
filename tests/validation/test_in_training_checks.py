"""Right reductions in training pass; each defect is caught."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional

import hankelcut as hc
from hankelcut.adapters import (
    EnergyTolerance,
    FixedFraction,
    InTrainingReducer,
    TargetOrder,
)
from hankelcut.nn import LRU, SequenceClassifier
from hankelcut.validation import InvariantViolationError, check_in_training_reduction


def make_lru(dtype=torch.float64):
    return LRU(3, 12, 0.3, 0.9).to(dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("every", [1, 3])
def test_layers_pass(dtype, every):
    check_in_training_reduction(
        lambda: make_lru(dtype), policy=EnergyTolerance(0.05), every=every, steps=6
    )


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda parameters: torch.optim.SGD(parameters, lr=0.1, momentum=0.9),
        lambda parameters: torch.optim.AdamW(parameters, lr=1e-2, amsgrad=True),
    ],
    ids=["SGD", "AMSGrad"],
)
def test_models_with_dropout_and_batch_norm_pass(optimizer):
    inputs, targets = torch.randn(6, 10, 2), torch.randint(0, 3, (6,))
    check_in_training_reduction(
        lambda: SequenceClassifier(
            2, 3, d_model=4, d_state=12, n_blocks=2, dropout=0.2, r_min=0.2, r_max=0.95
        ),
        policy=FixedFraction(0.3),
        loss=lambda model: functional.cross_entropy(model(inputs), targets),
        optimizer_factory=optimizer,
        loss_tol=0.5,
    )


class Reducer(InTrainingReducer):
    """A reducer with a defect: what it does after, or instead of, a cut."""

    def __init__(self, model, optimizer, policy, *, every, probe):
        super().__init__(model, optimizer, policy, every=every, probe=probe)
        self.model, self.optimizer = model, optimizer

    def step(self):
        event = super().step()
        if event is not None and event.is_cut:
            event = self.events[-1] = self.after(event)
        return event

    def after(self, event):
        return event


class Never(Reducer):
    def __init__(self, model, optimizer, policy, *, every, probe):
        super().__init__(model, optimizer, policy, every=every, probe=probe)
        settings = replace(self._context.settings, minimum_saving=0.99)
        self._context = replace(self._context, settings=settings)


class ForgettingTheOptimizer(Reducer):
    def step(self):
        context = self._context
        self._context = replace(context, optimizer=None)
        event = super().step()
        self._context = context
        return event


class Freezing(Reducer):
    def after(self, event):
        for name in ("B_re", "B_im", "C_re", "C_im", "nu_log", "theta_log"):
            self.model.get_parameter(name).requires_grad_(False)
        for name in ("gamma_log", "D"):
            self.model.get_parameter(name).requires_grad_(False)
        self.model.register_parameter("more", torch.nn.Parameter(torch.zeros(1)))
        self.model.register_forward_hook(lambda m, i, out: out + 0 * m.more.double())
        return event


class Breaking(Reducer):
    def after(self, event):
        self.model.C_re.data.mul_(-3)
        return replace(event, loss_after=self._probe())


class Diverging(Reducer):
    def after(self, event):
        self.optimizer.param_groups[0]["lr"] = float("inf")
        return event


class Telling(Reducer):
    def after(self, event):
        return replace(event, loss_after=event.loss_before)


class Drawing(Reducer):
    count = 0

    def after(self, event):
        Drawing.count += 1
        self.model.D.data.mul_(1 + 1e-9 * Drawing.count)
        return replace(event, loss_after=self._probe())


class Overlooking(Reducer):
    """Does not restore its count: the next cut of a loaded run comes too late."""

    def load_state_dict(self, state):
        super().load_state_dict({**state, "count": 1})


class KeepingMoments(Reducer):
    def after(self, event):
        for state in self.optimizer.state.values():
            state["exp_avg"] = torch.zeros(7)
        return event


@pytest.mark.parametrize(
    ("reducer", "message"),
    [
        (Never, r"no cut in 7 steps \(.*too little to save"),
        (ForgettingTheOptimizer, r"moves no parameter of|the optimizer lacks"),
        (Freezing, r"step 5 moves no parameter of \[\"module ''\"\]"),
        (Breaking, r"the cut at step 4 moved the loss from .* allowed"),
        (Diverging, "losses .* not all finite|gradient is not finite"),
        (Telling, "the event says the loss went from"),
        (Drawing, "a second run from one seed is the same run"),
        (Overlooking, "a run that is saved and loaded is the same run"),
        (KeepingMoments, "exp_avg of D has shape \\(7,\\)"),
    ],
)
def test_defects_are_caught(reducer, message):
    # Moments of a wrong shape stop the optimizer itself in the next step.
    steps = 4 if reducer is KeepingMoments else 7
    with pytest.raises(InvariantViolationError, match=message) as caught:
        check_in_training_reduction(
            make_lru, policy=EnergyTolerance(0.05), reducer_factory=reducer, steps=steps
        )
    assert "model_factory = 'make_lru'" in str(caught.value)
    assert "EnergyTolerance(tau=0.05)" in str(caught.value)


def test_policies_that_give_away_more_than_allowed_are_caught():
    with pytest.raises(InvariantViolationError, match="the cut at step 4 moved the lo"):
        check_in_training_reduction(make_lru, policy=TargetOrder(1), loss_tol=1e-3)


def test_models_without_a_layer_are_refused():
    with pytest.raises(hc.UnsupportedLayerError, match="no adapter recognises a layer"):
        check_in_training_reduction(
            lambda: torch.nn.Linear(2, 3), policy=EnergyTolerance(0.1)
        )


@pytest.mark.parametrize("options", [{"steps": 3}, {"every": 0}, {"loss_tol": 0.0}])
def test_arguments_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match="check_in_training_reduction: got steps="):
        check_in_training_reduction(make_lru, policy=EnergyTolerance(0.1), **options)
