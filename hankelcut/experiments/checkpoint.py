"""Files that a run can be resumed from, and the file of a finished model."""

import json
import os
import pickle
import struct
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hankelcut._errors import (
    CheckpointMismatchError,
    DataError,
    MissingDependencyError,
)
from hankelcut.adapters import load_reduced
from hankelcut.experiments.recipe import Recipe
from hankelcut.experiments.records import Measurement, Spectra
from hankelcut.experiments.tasks import Task
from hankelcut.experiments.training_state import TrainingState, build_model
from hankelcut.nn import SequenceClassifier

__all__ = ["load_checkpoint", "load_model", "save_checkpoint", "save_model"]

# Raised when the layout of the file changes.
_FORMAT = 2
_ENTRIES = {
    "format",
    "recipe",
    "model",
    "optimizer",
    "reducer",
    "random_states",
    "step",
    "seconds",
    "losses",
    "step_losses",
    "history",
    "spectra",
}


def save_checkpoint(path: Path | str, state: TrainingState) -> None:
    """Write everything that a run needs to go on exactly where it is.

    Parameters
    ----------
    path : path
        The file; replaced as a whole, so that an interruption leaves the one before.
    state : TrainingState
        The run.

    Notes
    -----
    Model, optimizer, reducer, records, the step, and torch's random states; batches
    and learning rates follow from the recipe and the step.
    """
    path = Path(path)
    content = {
        "format": _FORMAT,
        "recipe": state.recipe.to_dict(),
        "model": state.model.state_dict(),
        "optimizer": state.optimizer.state_dict(),
        "reducer": None if state.reducer is None else state.reducer.state_dict(),
        "random_states": _random_states(state),
        "step": state.step,
        "seconds": state.seconds,
        "losses": state.losses,
        "step_losses": torch.tensor(state.step_losses),
        "history": [asdict(item) for item in state.history],
        "spectra": [asdict(item) for item in state.spectra],
    }
    partial = path.with_name(f"{path.name}.partial")
    torch.save(content, partial)
    os.replace(partial, path)


def load_checkpoint(path: Path | str, state: TrainingState) -> None:
    """Bring a run that has just begun to where a checkpoint was written.

    Parameters
    ----------
    path : path
        What `save_checkpoint` wrote.
    state : TrainingState
        Built from the same recipe; its layers are resized to the checkpoint's. torch's
        random state becomes the checkpoint's too.

    Raises
    ------
    DataError
        If the file is missing or damaged.
    CheckpointMismatchError
        If it is of another recipe or another version of the format.
    """
    content = _read(Path(path), state.model.device)
    if content["recipe"] != state.recipe.to_dict():
        msg = (
            f"{path}: got a checkpoint of another recipe, {content['recipe']}; need "
            f"{state.recipe.to_dict()}"
        )
        raise CheckpointMismatchError(msg)
    load_reduced(state.model, content["model"], optimizer=state.optimizer)
    state.optimizer.load_state_dict(content["optimizer"])
    if state.reducer is not None:
        state.reducer.load_state_dict(content["reducer"])
    state.step, state.seconds = content["step"], content["seconds"]
    state.losses = list(content["losses"])
    state.step_losses = content["step_losses"].tolist()
    state.history = [Measurement(**item) for item in content["history"]]
    state.spectra = [Spectra(**item) for item in content["spectra"]]
    cpu, *cuda = (item.cpu() for item in content["random_states"])
    torch.set_rng_state(cpu)
    if cuda:
        torch.cuda.set_rng_state(cuda[0], state.model.device)


def save_model(path: Path | str, recipe: Recipe, model: SequenceClassifier) -> None:
    """Write a model's weights in the safetensors format, with its recipe.

    Parameters
    ----------
    path : path
        The file; replaced as a whole.
    recipe : Recipe
        Of the run, for `load_model`.
    model : SequenceClassifier
        The model, of any state sizes.

    Raises
    ------
    MissingDependencyError
        If safetensors is not installed.
    """
    try:
        from safetensors.torch import save_file
    except ImportError as error:
        raise MissingDependencyError(_SAFETENSORS_ADVICE) from error
    path = Path(path)
    tensors = {name: item.contiguous() for name, item in model.state_dict().items()}
    partial = path.with_name(f"{path.name}.partial")
    save_file(tensors, partial, metadata={"recipe": json.dumps(recipe.to_dict())})
    os.replace(partial, path)


def load_model(path: Path | str, task: Task) -> tuple[Recipe, SequenceClassifier]:
    """Read a model that `save_model` wrote.

    Parameters
    ----------
    path : path
        The file.
    task : Task
        The task that it was trained on.

    Returns
    -------
    Recipe
        Of its run.
    SequenceClassifier
        The model with its reduced state sizes, in evaluation mode, on the CPU.

    Raises
    ------
    DataError
        If the file is missing, damaged, or of something else.
    CheckpointMismatchError
        If its weights do not fit the task.
    MissingDependencyError
        If safetensors is not installed.
    """
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError as error:
        raise MissingDependencyError(_SAFETENSORS_ADVICE) from error
    try:
        with safe_open(path, framework="pt") as file:
            recipe = Recipe.from_dict(json.loads((file.metadata() or {})["recipe"]))
            tensors: dict[str, Tensor] = {
                name: file.get_tensor(name)
                for name in file.keys()  # noqa: SIM118 - no mapping
            }
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        msg = f"{path}: got '{error!r}', need the model file of a run"
        raise DataError(msg) from error
    with torch.random.fork_rng(devices=[]):
        model = build_model(recipe, task)
    load_reduced(model, tensors)
    return recipe, model.eval()


_SAFETENSORS_ADVICE = (
    "model files need safetensors, which is not installed; run "
    "`pip install 'hankelcut[experiments]'`"
)


def _read(path: Path, device: torch.device) -> dict[str, Any]:
    """Content of a checkpoint, with its format checked."""
    try:
        content = torch.load(path, map_location=device, weights_only=True)
    except (
        # What torch's reader raises on damaged files, found by flipping bits.
        OSError,
        EOFError,
        RuntimeError,
        ValueError,
        LookupError,
        AttributeError,
        TypeError,
        struct.error,
        pickle.UnpicklingError,
        zipfile.BadZipFile,
    ) as error:
        reason = str(error).partition("\n")[0]
        msg = f"{path}: got '{reason}', need the whole checkpoint of a run"
        raise DataError(msg) from error
    if not isinstance(content, dict) or not content.keys() >= _ENTRIES:
        msg = f"{path}: got a file without the entries of a checkpoint of a run"
        raise DataError(msg)
    if content["format"] != _FORMAT:
        msg = f"{path}: got format {content['format']}, need {_FORMAT}; begin anew"
        raise CheckpointMismatchError(msg)
    return content


def _random_states(state: TrainingState) -> list[Tensor]:
    """Of the CPU and, where the model is on one, of its GPU."""
    device = state.model.device
    states = [torch.get_rng_state()]
    if device.type == "cuda":
        states.append(torch.cuda.get_rng_state(device))
    return states
