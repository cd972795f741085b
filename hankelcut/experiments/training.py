"""Run a recipe: train, cut, measure, leave everything in a folder."""

import dataclasses
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

from hankelcut._errors import CheckpointMismatchError, ConvergenceError
from hankelcut.adapters import ReductionEvent, state_sizes
from hankelcut.experiments.checkpoint import (
    load_checkpoint,
    save_checkpoint,
    save_model,
)
from hankelcut.experiments.recipe import Recipe
from hankelcut.experiments.run_folder import RunFolder
from hankelcut.experiments.tasks import Task
from hankelcut.experiments.training_state import (
    Batches,
    Measurement,
    Spectra,
    TrainingState,
    accuracy,
    hankel_spectra,
)
from hankelcut.nn import SequenceClassifier

__all__ = ["Progress", "ProgressCallback", "RunResult", "train"]

# Steps between calls of the progress callback: each reads the loss off the device.
_REPORT_EVERY = 5

_CHECKPOINT = "checkpoint.pt"
_MODEL = "model.safetensors"


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


@dataclass(frozen=True, eq=False)
class RunResult:
    """What a finished run gave.

    Parameters
    ----------
    recipe : Recipe
        What was run.
    states : dict of str to int
        Stored states of each layer at the end.
    parameters : int
        Number of scalars in the model's parameters at the end.
    test_accuracy, validation_accuracy : float
        Of the model after the last step, in [0, 1]. No step is selected, and the test
        part is looked at once.
    train_seconds : float
        Wall-clock time of the training steps, cuts included; without evaluations and
        files.
    history : tuple of Measurement
        Loss and validation accuracy over training.
    spectra : tuple of Spectra
        Hankel singular values over training.
    events : tuple of ReductionEvent
        Every attempted cut.
    model : SequenceClassifier
        The trained model, in evaluation mode.
    """

    recipe: Recipe
    states: dict[str, int]
    parameters: int
    test_accuracy: float
    validation_accuracy: float
    train_seconds: float
    history: tuple[Measurement, ...]
    spectra: tuple[Spectra, ...]
    events: tuple[ReductionEvent, ...]
    model: SequenceClassifier

    @property
    def total_states(self) -> int:
        """Stored states of all layers together."""
        return sum(self.states.values())

    def to_dict(self) -> dict[str, Any]:
        """Return the figures of the run in plain values."""
        return {
            "states": self.total_states,
            "parameters": self.parameters,
            "test_accuracy": self.test_accuracy,
            "validation_accuracy": self.validation_accuracy,
            "train_seconds": self.train_seconds,
            "states_by_layer": self.states,
        }


def train(
    recipe: Recipe,
    task: Task,
    *,
    folder: Path | str | None = None,
    resume: bool = False,
    device: str = "cpu",
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
    progress : callable, optional
        Takes a `Progress` every few steps.

    Returns
    -------
    RunResult
        Figures, records and the model.

    Raises
    ------
    ValueError
        If the recipe is of another task or does not fit it, or `resume` is given
        without a folder.
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
    batches = Batches(len(task.train_inputs), recipe.batch_size, seed=recipe.seed)
    task = _on_device(task, device)
    run_folder = _prepare_folder(recipe, folder, resume=resume)
    gpus = [task.train_inputs.device] if task.train_inputs.is_cuda else []
    with torch.random.fork_rng(devices=gpus):
        torch.manual_seed(recipe.seed)
        state = TrainingState.begin(recipe, task)
        if resume and run_folder is not None:
            load_checkpoint(run_folder.path / _CHECKPOINT, state)
        else:
            state.spectra.append(Spectra(0, hankel_spectra(state.model)))
        _Trainer(state, task, batches, run_folder, progress).run()
    result = _result(state, task)
    if run_folder is not None:
        run_folder.write_json("results.json", result.to_dict())
        save_model(run_folder.path / _MODEL, recipe, result.model)
        (run_folder.path / _CHECKPOINT).unlink(missing_ok=True)
    return result


class _Trainer:
    """The loop over a state's remaining steps."""

    def __init__(
        self,
        state: TrainingState,
        task: Task,
        batches: Batches,
        folder: RunFolder | None,
        progress: ProgressCallback | None,
    ) -> None:
        self._state, self._task, self._batches = state, task, batches
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
        state, task = self._state, self._task
        begun = time.perf_counter()
        state.step += 1
        factor = state.recipe.rate_factor(state.step)
        for group in state.optimizer.param_groups:
            group["lr"] = factor * group["initial_lr"]
        chosen = self._batches.indices(state.step).to(task.train_inputs.device)
        scores = state.model(task.train_inputs[chosen])
        loss = functional.cross_entropy(scores, task.train_targets[chosen])
        loss.backward()  # type: ignore[no-untyped-call]
        state.optimizer.step()
        state.optimizer.zero_grad()
        state.losses.append(loss.detach())
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
        state, task = self._state, self._task
        measurement = Measurement(
            step=state.step,
            loss=torch.stack(state.losses).double().mean().item(),
            accuracy=accuracy(
                state.model, task.validation_inputs, task.validation_targets
            ),
            states=state_sizes(state.model),
            seconds=state.seconds,
        )
        state.losses.clear()
        state.history.append(measurement)
        state.spectra.append(Spectra(state.step, hankel_spectra(state.model)))
        return measurement

    def _write(self) -> None:
        """Bring the folder's records and checkpoint up to date."""
        if self._folder is None:
            return
        for name, records in self._state.records().items():
            self._folder.write_records(name, records)
        save_checkpoint(self._folder.path / _CHECKPOINT, self._state)

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
    if (Path(folder) / _CHECKPOINT).exists():
        msg = (
            f"got the folder {folder}, which holds an unfinished run; resume it, or "
            f"remove its {_CHECKPOINT} to begin anew"
        )
        raise CheckpointMismatchError(msg)
    return RunFolder.create(folder, config)


def _on_device(task: Task, device: str) -> Task:
    """Copy the task with its data on a device."""
    tensors = {
        field.name: getattr(task, field.name).to(device)
        for field in dataclasses.fields(task)
        if isinstance(getattr(task, field.name), torch.Tensor)
    }
    return dataclasses.replace(task, **tensors)


def _result(state: TrainingState, task: Task) -> RunResult:
    """Evaluate the final model; the only look at the test part."""
    model = state.model
    return RunResult(
        recipe=state.recipe,
        states=state_sizes(model),
        parameters=sum(item.numel() for item in model.parameters()),
        test_accuracy=accuracy(model, task.test_inputs, task.test_targets),
        validation_accuracy=state.history[-1].accuracy,
        train_seconds=state.seconds,
        history=tuple(state.history),
        spectra=tuple(state.spectra),
        events=tuple(state.events),
        model=model.eval(),
    )
