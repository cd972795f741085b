"""Cuts on a schedule, inside a training loop."""

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from hankelcut._errors import CheckpointMismatchError
from hankelcut.adapters.cuts.optimizer_state import OptimizerStateMode
from hankelcut.adapters.cuts.plan import CutContext
from hankelcut.adapters.cuts.selective_measurement import require_no_calibration
from hankelcut.adapters.cuts.settings import CutSettings, SelectiveCut
from hankelcut.adapters.cuts.transaction import cut_model, require_ready
from hankelcut.adapters.policies import ModelPolicy, Policy
from hankelcut.adapters.reduction_event import ReductionEvent
from hankelcut.adapters.registry import LayerFilter
from hankelcut.adapters.selective.calibration import Calibration
from hankelcut.lti import GramianMethod
from hankelcut.reduction import StateMap, StateSelection

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
    policy : Policy or ModelPolicy
        `EnergyTolerance`, `ErrorTolerance`, `FixedFraction` or `TargetOrder` for each
        layer, or `GlobalBudget` for all of them together.
    every : int
        Steps between attempts.
    start : int
        Attempts are made at start, start + every, ...; never before the first step.
    until : int, optional
        Last count at which one is made; no limit by default.
    minimum_saving : float
        A layer is cut only if it loses at least this share of its states.
    multiple_of : int
        Numbers of states are rounded up to a multiple of this one, for hardware that
        works in tiles.
    map : {"real", "complex"}
        Balance the real input-output map (default) or the complex states (ablation).
    gramians : {"structured", "closed_form"}
        ``"structured"`` computes Hankel singular values to rounding; with
        hundreds of inputs ``"closed_form"`` is many times faster, with the rounding
        that it costs included in every bound.
    optimizer_state : {"transport", "reset", "slice"}
        Moments follow the change of coordinates (default), start anew, or keep their
        first entries (ablation: what others do).
    selection : {"largest", "smallest", "random", "hinf", "energy"}
        Keep the states of the largest Hankel singular values (default); as ablations
        the smallest or random ones, or single states by their scores ("hinf": LAST,
        "energy": AIRE-Prune).
    seed : int
        Decides random ones.
    probe : callable, optional
        Takes nothing and returns a loss; called before and after each attempt, it must
        not change the model (use `torch.no_grad()` and evaluation mode).
    rollback_tolerance : float, optional
        Undo a cut that raises the loss on the probe by more than this share of it: the
        very parameters, optimizer state and buffers from before are put back.
    filter_fn : callable, optional
        Called with name and layer; False leaves the layer alone.
    calibration : callable, optional
        Takes nothing and returns what `calibrate` makes of the model as it is; called
        before each attempt. Models with selective layers need it.
    selective : {"select", "project"}
        Selective layers keep some of their states (default), or a subspace of them,
        which Mamba-2 layers can: `ProjectedMamba2` then takes the layer's place.

    Raises
    ------
    ValueError
        If the schedule or another option is out of range, or a `rollback_tolerance`
        comes without a `probe`.
    TypeError
        If `policy` is none.
    UnsupportedLayerError
        If the model has no supported layer.
    OptimizerMismatchError
        If the optimizer does not hold a layer's parameters.
    CalibrationError
        If the model has a selective layer, and there is no `calibration`.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        policy: Policy | ModelPolicy,
        *,
        every: int,
        start: int = 0,
        until: int | None = None,
        minimum_saving: float = 0.05,
        multiple_of: int = 1,
        map: StateMap = "real",
        gramians: GramianMethod = "structured",
        optimizer_state: OptimizerStateMode = "transport",
        selection: StateSelection = "largest",
        seed: int = 0,
        probe: Callable[[], float] | None = None,
        rollback_tolerance: float | None = None,
        filter_fn: LayerFilter | None = None,
        calibration: Callable[[], Calibration] | None = None,
        selective: SelectiveCut = "select",
    ) -> None:
        if every < 1 or start < 0 or (until is not None and until < start):
            msg = f"got every={every}, start={start}, until={until}; need every >= 1 "
            raise ValueError(msg + "and 0 <= start <= until")
        if not isinstance(policy, Policy | ModelPolicy):
            msg = f"got policy={policy!r}, need a policy such as EnergyTolerance(0.02)"
            raise TypeError(msg)
        if rollback_tolerance is not None and (probe is None or rollback_tolerance < 0):
            msg = f"got rollback_tolerance={rollback_tolerance!r} and probe={probe!r}, "
            raise ValueError(msg + "need a share >= 0 and a probe that returns a loss")
        if calibration is not None and not callable(calibration):
            msg = f"got calibration={calibration!r}, need a function that calibrates "
            raise TypeError(msg + "anew before each cut: lambda: calibrate(...)")
        settings = CutSettings(
            minimum_saving,
            multiple_of,
            map,
            gramians,
            optimizer_state,
            selection,
            seed,
            selective,
        )
        self._model = model
        self._context = CutContext(policy, optimizer, settings)
        self._every, self._start = every, start
        self._until = math.inf if until is None else until
        self._probe, self._filter_fn = probe, filter_fn
        self._calibration = calibration
        self._rollback_tolerance = rollback_tolerance
        self._count = 0
        self.events: list[ReductionEvent] = []
        layers = require_ready(model, self._context, filter_fn)
        if calibration is None:
            require_no_calibration(layers)

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
        context = self._context
        if self._calibration is not None:
            context = dataclasses.replace(context, calibration=self._calibration())
        done = cut_model(self._model, context, self._filter_fn, count)
        self._count = count
        event = dataclasses.replace(done.event, loss_before=before, loss_after=before)
        # On record before the probe, which is the caller's and may fail.
        self.events.append(event)
        if self._probe is not None and event.is_cut:
            event = dataclasses.replace(event, loss_after=float(self._probe()))
            if self._is_too_costly(event):
                done.exchanged.undo()
                event = dataclasses.replace(event, rolled_back=True)
            self.events[-1] = event
        return event

    def _is_too_costly(self, event: ReductionEvent) -> bool:
        """Whether a cut raised the loss by more than is tolerated."""
        before, after = event.loss_before, event.loss_after
        if self._rollback_tolerance is None or before is None or after is None:
            return False
        # A loss that is no number is above every limit.
        return not after <= before + self._rollback_tolerance * abs(before)

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
            "policy": repr(self._context.policy),
            "every": self._every,
            "start": self._start,
            "until": until,
            "rollback_tolerance": self._rollback_tolerance,
            **dataclasses.asdict(self._context.settings),
        }
