"""Figures of several runs of a kind: means and deviations over seeds."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hankelcut.experiments.records import RunRecord

__all__ = ["LabelledRun", "Summary", "summarise"]


@dataclass(frozen=True, eq=False)
class LabelledRun:
    """A run and what it stands for in a comparison.

    Parameters
    ----------
    label : str
        Kind of run; runs of one label differ in their seeds.
    result : RunRecord
        What the run gave.
    """

    label: str
    result: RunRecord


@dataclass(frozen=True)
class Summary:
    """Figures of one kind of run, means over its seeds.

    Parameters
    ----------
    label : str
        Kind of run.
    n_runs : int
        Number of seeds.
    states, parameters : float
        Stored states of all layers together, and trainable scalars, at the end.
    layer_states : tuple of tuple of int
        Stored states of each layer, for every seed.
    test_accuracy : float
        In [0, 1].
    test_deviation : float
        Sample standard deviation of the test accuracy; 0 with one seed.
    train_seconds : float
        Training time in s.
    speedup : float
        Training time of the first kind relative to this one's.
    """

    label: str
    n_runs: int
    states: float
    parameters: float
    layer_states: tuple[tuple[int, ...], ...]
    test_accuracy: float
    test_deviation: float
    train_seconds: float
    speedup: float

    def to_dict(self) -> dict[str, Any]:
        """Return the means in plain values."""
        return {
            "states": self.states,
            "parameters": self.parameters,
            "test_accuracy": self.test_accuracy,
            "train_seconds": self.train_seconds,
        }


def summarise(runs: Sequence[LabelledRun]) -> list[Summary]:
    """Average runs of equal labels.

    Parameters
    ----------
    runs : sequence of LabelledRun
        The runs; the kind of the first is what the others' speed is compared with.

    Returns
    -------
    list of Summary
        One per label, in the order of their first appearance.
    """
    results: dict[str, list[RunRecord]] = {}
    for run in runs:
        results.setdefault(run.label, []).append(run.result)
    seconds = {
        label: statistics.fmean(item.train_seconds for item in group)
        for label, group in results.items()
    }
    reference = seconds[runs[0].label] if runs else 0.0
    return [
        _summary(label, group, reference / seconds[label])
        for label, group in results.items()
    ]


def _summary(label: str, group: Sequence[RunRecord], speedup: float) -> Summary:
    accuracies = [item.test_accuracy for item in group]
    return Summary(
        label=label,
        n_runs=len(group),
        states=statistics.fmean(item.total_states for item in group),
        parameters=statistics.fmean(item.parameters for item in group),
        layer_states=tuple(tuple(item.states.values()) for item in group),
        test_accuracy=statistics.fmean(accuracies),
        test_deviation=statistics.stdev(accuracies) if len(group) > 1 else 0.0,
        train_seconds=statistics.fmean(item.train_seconds for item in group),
        speedup=speedup,
    )
