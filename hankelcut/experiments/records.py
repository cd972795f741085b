"""What a run leaves behind: measurements, singular values, cuts, and its figures."""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from hankelcut._errors import DataError
from hankelcut.adapters import ReductionEvent
from hankelcut.experiments.recipe import Recipe
from hankelcut.experiments.run_folder import RunFolder, read_config
from hankelcut.nn import SequenceClassifier

__all__ = ["Measurement", "RunRecord", "RunResult", "Spectra", "lines_of"]

_RESULTS = "results.json"
_LOSSES = "losses.npy"


@dataclass(frozen=True)
class Measurement:
    """One line of ``metrics.jsonl``.

    Parameters
    ----------
    step : int
        Optimizer steps done.
    loss : float
        Mean cross-entropy of the training batches since the measurement before.
    accuracy : float
        Share of the validation part, or of what is monitored of it, classified
        correctly.
    states : dict of str to int
        Stored states of each layer.
    seconds : float
        Training time so far, cuts included and evaluations not.
    """

    step: int
    loss: float
    accuracy: float
    states: dict[str, int]
    seconds: float


@dataclass(frozen=True)
class Spectra:
    """One line of ``spectra.jsonl``.

    Parameters
    ----------
    step : int
        Optimizer steps done.
    layers : dict of str to list of float
        Hankel singular values of each layer, descending.
    """

    step: int
    layers: dict[str, list[float]]


@dataclass(frozen=True, eq=False)
class RunRecord:
    """What a finished run gave, but for its model.

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
    losses : (steps,) float32 array
        Cross-entropy of every training batch, in nats.
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
    losses: Float[np.ndarray, " steps"]

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

    def write(self, folder: RunFolder) -> None:
        """Write the record; its figures, which say that the run is finished, last.

        Parameters
        ----------
        folder : RunFolder
            The folder of the run.
        """
        lines = lines_of(self.history, self.spectra, self.events)
        for name, items in lines.items():
            folder.write_records(name, items)
        with io.BytesIO() as file:
            np.save(file, self.losses)
            folder.write_bytes(_LOSSES, file.getvalue())
        folder.write_json(_RESULTS, self.to_dict())

    @classmethod
    def read(cls, path: Path | str) -> "RunRecord | None":
        """Read the record of a finished run.

        Parameters
        ----------
        path : path
            The folder of the run.

        Returns
        -------
        RunRecord or None
            None where the run is not finished.

        Raises
        ------
        DataError
            If a file is missing or damaged.
        """
        path = Path(path)
        if not (path / _RESULTS).is_file():
            return None
        try:
            figures = json.loads((path / _RESULTS).read_text(encoding="utf-8"))
            history, spectra, events = (
                _read_lines(path / name)
                for name in ("metrics.jsonl", "spectra.jsonl", "reductions.jsonl")
            )
            record = cls(
                recipe=Recipe.from_dict(read_config(path)["recipe"]),
                states=figures["states_by_layer"],
                parameters=figures["parameters"],
                test_accuracy=figures["test_accuracy"],
                validation_accuracy=figures["validation_accuracy"],
                train_seconds=figures["train_seconds"],
                history=tuple(Measurement(**item) for item in history),
                spectra=tuple(Spectra(**item) for item in spectra),
                events=tuple(ReductionEvent.from_dict(item) for item in events),
                losses=np.load(path / _LOSSES, allow_pickle=False),
            )
            steps = record.recipe.steps
            if record.history[-1].step != steps or len(record.losses) != steps:
                msg = f"records of other than {steps} steps"
                raise ValueError(msg)
        except (OSError, EOFError, ValueError, LookupError, TypeError) as error:
            msg = (
                f"{path}: got '{error}', need the files of a finished run; remove the "
                "folder to run it again"
            )
            raise DataError(msg) from error
        return record


@dataclass(frozen=True, eq=False)
class RunResult(RunRecord):
    """What a finished run gave.

    Parameters
    ----------
    model : SequenceClassifier
        The trained model, in evaluation mode.
    """

    model: SequenceClassifier


def lines_of(
    history: Sequence[Measurement],
    spectra: Sequence[Spectra],
    events: Sequence[ReductionEvent],
) -> Mapping[str, list[dict[str, Any]]]:
    """Return the lines of the run folder's files, by file name.

    Parameters
    ----------
    history, spectra, events : sequences
        The records.
    """
    return {
        "metrics.jsonl": [asdict(item) for item in history],
        "spectra.jsonl": [asdict(item) for item in spectra],
        "reductions.jsonl": [event.to_dict() for event in events],
    }


def _read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
