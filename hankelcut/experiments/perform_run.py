"""One run of a comparison: from what it needs to its finished folder."""

import dataclasses
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hankelcut._errors import DataError
from hankelcut.adapters import state_sizes
from hankelcut.experiments.checkpoint import load_model
from hankelcut.experiments.cut_afterwards import cut_afterwards
from hankelcut.experiments.methods import METHODS, RunId
from hankelcut.experiments.recipe import Recipe
from hankelcut.experiments.records import RunRecord
from hankelcut.experiments.run_folder import RunFolder
from hankelcut.experiments.tasks import Task
from hankelcut.experiments.training import CHECKPOINT, MODEL, ProgressCallback, train
from hankelcut.experiments.training_state import accuracy
from hankelcut.nn import SequenceClassifier

__all__ = ["Workplace", "perform_run", "recipe_of"]


@dataclass(frozen=True)
class Workplace:
    """What all runs of a comparison have in common.

    Parameters
    ----------
    folder : Path
        Holds a folder for each run.
    recipe : Recipe
        Of the protocol.
    data : Path, optional
        Folder of the task's files.
    device : str
        Where to train.
    """

    folder: Path
    recipe: Recipe
    data: Path | None = None
    device: str = "cpu"

    def folder_of(self, run: RunId) -> Path:
        """Return the folder of a run."""
        return self.folder / run.name

    def record_of(self, run: RunId) -> RunRecord:
        """Read the record of a run that must be finished.

        Raises
        ------
        DataError
            If it is not.
        """
        record = RunRecord.read(self.folder_of(run))
        if record is None:
            msg = f"{self.folder_of(run)}: got no finished run, need that of {run.name}"
            raise DataError(msg)
        return record

    def model_of(self, run: RunId, task: Task) -> SequenceClassifier:
        """Read the final model of a finished run, onto the device."""
        _, model = load_model(self.folder_of(run) / MODEL, task)
        return model.to(self.device)


def recipe_of(run: RunId, place: Workplace) -> Recipe:
    """Return the recipe of a run, from the protocol and from the runs it needs.

    Parameters
    ----------
    run : RunId
        Which run; of one that is cut afterwards, the recipe of its source.
    place : Workplace
        Where the runs are.

    Raises
    ------
    DataError
        If a run whose size it takes is not finished.
    """
    method, recipe = METHODS[run.method], place.recipe
    needed = dict(zip(method.needs, run.needs, strict=True))
    if method.source is not None:
        return recipe_of(needed[method.source], place)
    changes: dict[str, Any] = {"seed": run.seed, "cuts": None, **method.recipe}
    value = run.tau
    if method.size_of is not None:
        sizes = place.record_of(needed[method.size_of]).states.values()
        value = round(statistics.fmean(sizes))
        changes["d_state"] = value
    if method.cuts is not None and recipe.cuts is not None:
        changes["d_state"] = recipe.d_state
        own = {**method.cuts, "value": None if value is None else float(value)}
        changes["cuts"] = dataclasses.replace(recipe.cuts, **own)
    return dataclasses.replace(recipe, **changes)


def perform_run(
    run: RunId, place: Workplace, task: Task, progress: ProgressCallback | None = None
) -> RunRecord:
    """Finish a run: read it, take it up where it was interrupted, or begin it.

    Parameters
    ----------
    run : RunId
        Which run; those that it needs are finished.
    place : Workplace
        Where the runs are.
    task : Task
        The data.
    progress : callable, optional
        As in `train`.

    Returns
    -------
    RunRecord
        What the run gave.

    Raises
    ------
    CheckpointMismatchError
        If the folder holds a run of another configuration.
    HankelcutError
        As `train` and `cut_afterwards`.
    """
    folder, method = place.folder_of(run), METHODS[run.method]
    recipe = recipe_of(run, place)
    config: dict[str, Any] = {"recipe": recipe.to_dict()}
    if method.afterwards is not None:
        config["afterwards"] = {"kind": method.afterwards, "source": method.source}
    record = RunRecord.read(folder)
    if record is not None:
        RunFolder.open(folder, config)
        (folder / CHECKPOINT).unlink(missing_ok=True)
        return record
    if method.afterwards is not None:
        return _cut_afterwards(run, place, task, RunFolder.create(folder, config))
    teacher = None
    if method.teacher is not None:
        needed = dict(zip(method.needs, run.needs, strict=True))
        teacher = place.model_of(needed[method.teacher], task)
    return train(
        recipe,
        task,
        folder=folder,
        resume=(folder / CHECKPOINT).exists(),
        device=place.device,
        teacher=teacher,
        progress=progress,
    )


def _cut_afterwards(
    run: RunId, place: Workplace, task: Task, folder: RunFolder
) -> RunRecord:
    """Cut the final model of another run, and judge it."""
    method = METHODS[run.method]
    needed = dict(zip(method.needs, run.needs, strict=True))
    assert method.source is not None  # noqa: S101 - of methods that cut afterwards
    assert method.size_of is not None  # noqa: S101 - the same
    assert method.afterwards is not None  # noqa: S101 - the same
    source = place.record_of(needed[method.source])
    model = place.model_of(needed[method.source], task)
    orders = place.record_of(needed[method.size_of]).states
    begun = time.perf_counter()
    events = cut_afterwards(model, method.afterwards, orders)
    seconds = source.train_seconds + time.perf_counter() - begun
    examples = task.to(place.device)
    validation = accuracy(model, examples.validation)
    last = dataclasses.replace(
        source.history[-1],
        accuracy=validation,
        states=state_sizes(model),
        seconds=seconds,
    )
    steps = source.recipe.steps
    record = RunRecord(
        recipe=source.recipe,
        states=state_sizes(model),
        parameters=sum(item.numel() for item in model.parameters()),
        test_accuracy=accuracy(model, examples.test),
        validation_accuracy=validation,
        train_seconds=seconds,
        history=(*source.history[:-1], last),
        spectra=source.spectra,
        events=tuple(dataclasses.replace(event, step=steps) for event in events),
        losses=source.losses,
    )
    record.write(folder)
    return record
