"""Run a recipe: train, cut, measure, leave everything in a folder."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from hankelcut._errors import CheckpointMismatchError, ConvergenceError
from hankelcut.adapters import ReductionEvent, state_sizes
from hankelcut.experiments.checkpoint import (
    load_checkpoint,
    save_checkpoint,
    save_model,
)
from hankelcut.experiments.objective import Objective
from hankelcut.experiments.recipe import Recipe
from hankelcut.experiments.records import Measurement, RunResult, Spectra, lines_of
from hankelcut.experiments.run_folder import RunFolder
from hankelcut.experiments.tasks import Task
from hankelcut.experiments.training_state import (
    Batches,
    TrainingState,
    accuracy,
    hankel_spectra,
)

__all__ = ["CHECKPOINT", "MODEL", "Progress", "ProgressCallback", "train"]

# Steps between calls of the progress callback: each reads the loss off the device.
_REPORT_EVERY = 5

CHECKPOINT, MODEL = "checkpoint.pt", "model.safetensors"
"""Names of the files of an unfinished run, and of the model of a finished one."""


@dataclass(frozen=True, eq=False)
class Progress:
    """Where a run is.

    Parameters
    ----------
    step, steps : int
        Optimizer steps done and to do.
    loss : float
        Cross-entropy of the last training batch.
    accuracy : float, optional
        Last validation accuracy, in [0, 1]; None before the first evaluation.
    states : dict of str to int
        Stored states of each layer.
    event : ReductionEvent, optional
        The cut attempted after this step, if there was one.
    measurement : Measurement, optional
        The evaluation after this step, if there was one.
    """

    step: int
    steps: int
    loss: float
    accuracy: float | None
    states: dict[str, int]
    event: ReductionEvent | None = None
    measurement: Measurement | None = None


ProgressCallback = Callable[[Progress], None]
"""Called every few steps, after every cut and after every evaluation."""


def train(
    recipe: Recipe,
    task: Task,
    *,
    folder: Path | str | None = None,
    resume: bool = False,
    device: str = "cpu",
    teacher: nn.Module | None = None,
    progress: ProgressCallback | None = None,
) -> RunResult:
    """Run a recipe from its beginning, or from where it was interrupted.

    Parameters
    ----------
    recipe : Recipe
        What to run.
    task : Task
        The data; of the recipe's task.
    folder : path, optional
        Run folder: configuration, metrics, cuts, and the model at the end; while the
        run lasts a checkpoint too, written at every evaluation and after every cut.
        Nothing is written by default.
    resume : bool
        Go on from the checkpoint in the folder.
    device : str
        Where to train, "cpu" or a GPU such as "cuda".
    teacher : torch.nn.Module, optional
        Whom the model learns from, on the same device, where the recipe has a
        distillation.
    progress : callable, optional
        Takes a `Progress` every few steps.

    Returns
    -------
    RunResult
        Figures, records and the model.

    Raises
    ------
    ValueError
        If the recipe is of another task or does not fit it, `resume` is given without a
        folder, or a teacher without a distillation.
    CheckpointMismatchError
        If the folder holds a run of another configuration, or an unfinished run of
        this one that is not to be resumed.
    DataError
        If there is no checkpoint to resume from, or it is damaged.
    ConvergenceError
        If the loss becomes NaN or infinite.
    HankelcutError
        Where a cut is refused for a reason that training cannot mend.

    Notes
    -----
    Torch's global random state is put back afterwards; the number of its threads is
    the caller's. On the CPU a resumed run repeats the uninterrupted one bit by bit.
    """
    if recipe.task != task.name:
        msg = f"got a recipe for {recipe.task!r} and the task {task.name!r}"
        raise ValueError(msg)
    batches = Batches(len(task.train), recipe.batch_size, seed=recipe.seed)
    task = task.to(device)
    run_folder = _prepare_folder(recipe, folder, resume=resume)
    gpus = [task.train.device] if task.train.device.type == "cuda" else []
    with torch.random.fork_rng(devices=gpus):
        torch.manual_seed(recipe.seed)
        state = TrainingState.begin(recipe, task)
        begun = time.perf_counter()
        objective = Objective(recipe, task.train, teacher)
        if resume and run_folder is not None:
            load_checkpoint(run_folder.path / CHECKPOINT, state)
        else:
            state.seconds = time.perf_counter() - begun
            state.spectra.append(Spectra(0, hankel_spectra(state.model)))
        _Trainer(state, task, batches, objective, run_folder, progress).run()
    result = _result(state, task)
    if run_folder is not None:
        save_model(run_folder.path / MODEL, recipe, result.model)
        result.write(run_folder)
        (run_folder.path / CHECKPOINT).unlink(missing_ok=True)
    return result


class _Trainer:
    """The loop over a state's remaining steps."""

    def __init__(
        self,
        state: TrainingState,
        task: Task,
        batches: Batches,
        objective: Objective,
        folder: RunFolder | None,
        progress: ProgressCallback | None,
    ) -> None:
        self._state, self._batches, self._objective = state, batches, objective
        monitored = state.recipe.monitored
        self._monitored = task.validation
        if monitored is not None:
            self._monitored = task.validation.first(monitored)
        self._folder, self._progress = folder, progress

    def run(self) -> None:
        """Do the steps that are left."""
        state, steps = self._state, self._state.recipe.steps
        state.model.train()
        while state.step < steps:
            event = self._timed_step()
            due = state.step % state.recipe.evaluate_every == 0 or state.step == steps
            reported = due or event is not None or state.step % _REPORT_EVERY == 0
            if reported:
                loss = self._finite_loss()
            measurement = self._measure() if due else None
            if due or event is not None:
                self._write()
            if reported and self._progress is not None:
                self._progress(self._describe(loss, event, measurement))

    def _timed_step(self) -> ReductionEvent | None:
        """One optimizer step and, where scheduled, a cut."""
        state = self._state
        begun = time.perf_counter()
        state.step += 1
        factor = state.recipe.rate_factor(state.step)
        for group in state.optimizer.param_groups:
            group["lr"] = factor * group["initial_lr"]
        chosen = self._batches.indices(state.step)
        objective, loss = self._objective(state.model, chosen, state.step)
        objective.backward()  # type: ignore[no-untyped-call]
        state.optimizer.step()
        state.optimizer.zero_grad()
        state.losses.append(loss)
        event = None if state.reducer is None else state.reducer.step()
        if loss.is_cuda:
            torch.cuda.synchronize(loss.device)
        state.seconds += time.perf_counter() - begun
        return event

    def _finite_loss(self) -> float:
        """Return the last loss; ConvergenceError if it is no number."""
        loss = self._state.losses[-1].item()
        if not math.isfinite(loss):
            msg = (
                f"training has diverged: got the loss {loss} at step "
                f"{self._state.step}; lower the learning rate"
            )
            raise ConvergenceError(msg)
        return loss

    def _measure(self) -> Measurement:
        """Evaluate on the validation part and record it."""
        state = self._state
        losses = torch.stack(state.losses)
        measurement = Measurement(
            step=state.step,
            loss=losses.double().mean().item(),
            accuracy=accuracy(state.model, self._monitored),
            states=state_sizes(state.model),
            seconds=state.seconds,
        )
        state.step_losses += losses.tolist()
        state.losses.clear()
        state.history.append(measurement)
        state.spectra.append(Spectra(state.step, hankel_spectra(state.model)))
        return measurement

    def _write(self) -> None:
        """Bring the folder's records and checkpoint up to date."""
        if self._folder is None:
            return
        state = self._state
        lines = lines_of(state.history, state.spectra, state.events)
        for name, items in lines.items():
            self._folder.write_records(name, items)
        save_checkpoint(self._folder.path / CHECKPOINT, self._state)

    def _describe(
        self,
        loss: float,
        event: ReductionEvent | None,
        measurement: Measurement | None,
    ) -> Progress:
        state = self._state
        return Progress(
            state.step,
            state.recipe.steps,
            loss,
            state.history[-1].accuracy if state.history else None,
            state_sizes(state.model),
            event,
            measurement,
        )


def _prepare_folder(
    recipe: Recipe, folder: Path | str | None, *, resume: bool
) -> RunFolder | None:
    """Make the run folder ready, or take it up again; None where there is none."""
    if folder is None:
        if resume:
            msg = "got resume=True without a folder, need the folder of the run"
            raise ValueError(msg)
        return None
    config = {"recipe": recipe.to_dict()}
    if resume:
        return RunFolder.open(folder, config)
    if (Path(folder) / CHECKPOINT).exists():
        msg = (
            f"got the folder {folder}, which holds an unfinished run; resume it, or "
            f"remove its {CHECKPOINT} to begin anew"
        )
        raise CheckpointMismatchError(msg)
    return RunFolder.create(folder, config)


def _result(state: TrainingState, task: Task) -> RunResult:
    """Evaluate the final model; the only look at the test part."""
    model = state.model
    return RunResult(
        recipe=state.recipe,
        states=state_sizes(model),
        parameters=sum(item.numel() for item in model.parameters()),
        test_accuracy=accuracy(model, task.test),
        validation_accuracy=(
            state.history[-1].accuracy
            if state.recipe.monitored is None
            else accuracy(model, task.validation)
        ),
        train_seconds=state.seconds,
        history=tuple(state.history),
        spectra=tuple(state.spectra),
        events=tuple(state.events),
        losses=np.array(state.step_losses, dtype=np.float32),
        model=model.eval(),
    )
