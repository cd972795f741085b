"""Cuts on a schedule, inside a training loop."""

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from hankelcut._errors import CheckpointMismatchError
from hankelcut.adapters.optimizer_state import OptimizerStateMode
from hankelcut.adapters.policies import Policy
from hankelcut.adapters.reduction_event import ReductionEvent
from hankelcut.adapters.registry import LayerFilter
from hankelcut.adapters.transaction import CutSettings, cut_model, require_ready
from hankelcut.lti import GramianMethod
from hankelcut.reduction import StateMap

__all__ = ["InTrainingReducer"]


class InTrainingReducer:
    """Cut the state of a model's layers while it trains.

    Call `step()` once after every `optimizer.step()`. At the scheduled counts all
    supported layers are measured and cut as one transaction: parameters, optimizer
    groups and moments change together, or nothing does.

    Parameters
    ----------
    model : torch.nn.Module
        The model in training.
    optimizer : torch.optim.Optimizer
        The optimizer that holds its parameters (Adam, AdamW, SGD and their kin).
    policy : Policy
        `EnergyTolerance`, `ErrorTolerance`, `FixedFraction` or `TargetOrder`.
    every : int
        Steps between attempts.
    start : int
        Attempts are made at start, start + every, ...; never before the first step.
    until : int, optional
        Last count at which one is made; no limit by default.
    minimum_saving : float
        A layer is cut only if it loses at least this share of its states.
    map : {"real", "complex"}
        Balance the real input-output map (default) or the complex states (ablation).
    gramians : {"structured", "closed_form"}
        ``"structured"`` computes Hankel singular values to rounding; with
        hundreds of inputs ``"closed_form"`` is many times faster, with the rounding
        that it costs included in every bound.
    optimizer_state : {"transport", "reset", "slice"}
        Moments follow the change of coordinates (default), start anew, or keep their
        first entries (ablation: what others do).
    probe : callable, optional
        Takes nothing and returns a loss; called before and after each attempt, it must
        not change the model (use `torch.no_grad()` and evaluation mode).
    filter_fn : callable, optional
        Called with name and layer; False leaves the layer alone.

    Raises
    ------
    ValueError
        If the schedule or another option is out of range.
    TypeError
        If `policy` is none.
    UnsupportedLayerError
        If the model has no supported layer.
    OptimizerMismatchError
        If the optimizer does not hold a layer's parameters.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        policy: Policy,
        *,
        every: int,
        start: int = 0,
        until: int | None = None,
        minimum_saving: float = 0.05,
        map: StateMap = "real",
        gramians: GramianMethod = "structured",
        optimizer_state: OptimizerStateMode = "transport",
        probe: Callable[[], float] | None = None,
        filter_fn: LayerFilter | None = None,
    ) -> None:
        if every < 1 or start < 0 or (until is not None and until < start):
            msg = f"got every={every}, start={start}, until={until}; need every >= 1 "
            raise ValueError(msg + "and 0 <= start <= until")
        if not isinstance(policy, Policy):
            msg = f"got policy={policy!r}, need a policy such as EnergyTolerance(0.02)"
            raise TypeError(msg)
        self._model, self._optimizer, self._policy = model, optimizer, policy
        self._every, self._start = every, start
        self._until = math.inf if until is None else until
        self._settings = CutSettings(minimum_saving, map, gramians, optimizer_state)
        self._probe, self._filter_fn = probe, filter_fn
        self._count = 0
        self.events: list[ReductionEvent] = []
        require_ready(model, optimizer, self._settings, filter_fn)

    def step(self) -> ReductionEvent | None:
        """Count one optimizer step and cut if this is a scheduled one.

        Returns
        -------
        ReductionEvent or None
            What happened to each layer at a scheduled count, also when none was worth
            cutting; None otherwise.

        Raises
        ------
        HankelcutError
            Of the kind that says why (NaN parameters, a policy that would remove every
            state, ...); the model, the optimizer and the count are then as before, so
            that the next call attempts the same cut again.
        """
        count = self._count + 1
        if not self._is_scheduled(count):
            self._count = count
            return None
        before = None if self._probe is None else float(self._probe())
        event = cut_model(
            self._model,
            self._policy,
            self._optimizer,
            self._settings,
            self._filter_fn,
            count,
        )
        self._count = count
        event = dataclasses.replace(event, loss_before=before, loss_after=before)
        # On record before the probe, which is the caller's and may fail.
        self.events.append(event)
        if self._probe is not None and event.is_cut:
            after = float(self._probe())
            event = dataclasses.replace(event, loss_after=after)
            self.events[-1] = event
        return event

    def _is_scheduled(self, count: int) -> bool:
        in_window = self._start <= count <= self._until
        return in_window and (count - self._start) % self._every == 0

    def state_dict(self) -> dict[str, Any]:
        """Return the count, the schedule and all events as plain types."""
        return {
            "count": self._count,
            "schedule": self._schedule(),
            "events": [event.to_dict() for event in self.events],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue where a saved reducer stopped.

        Parameters
        ----------
        state : mapping
            What `state_dict` returned. Load the model with `load_reduced` and the
            optimizer with its own `load_state_dict` beside it.

        Raises
        ------
        CheckpointMismatchError
            If it is no such state, or one of another schedule; nothing is changed.
        """
        missing = {"count", "schedule", "events"} - set(state)
        if missing:
            msg = f"reducer state lacks {sorted(missing)}; pass what state_dict() gave"
            raise CheckpointMismatchError(msg)
        if state["schedule"] != self._schedule():
            msg = (
                f"reducer state has the schedule {state['schedule']}, this reducer has "
                f"{self._schedule()}; build it with the same options to resume"
            )
            raise CheckpointMismatchError(msg)
        try:
            events = [ReductionEvent.from_dict(event) for event in state["events"]]
            count = int(state["count"])
        except (KeyError, TypeError, ValueError) as error:
            msg = f"reducer state is damaged ({error}); pass what state_dict() gave"
            raise CheckpointMismatchError(msg) from error
        self._count, self.events = count, events

    def _schedule(self) -> dict[str, Any]:
        until = None if self._until == math.inf else int(self._until)
        return {
            "policy": repr(self._policy),
            "every": self._every,
            "start": self._start,
            "until": until,
            **dataclasses.asdict(self._settings),
        }
