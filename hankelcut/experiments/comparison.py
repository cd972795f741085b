"""Figures of a comparison: means and deviations over all seeds, paired differences."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from hankelcut.experiments.methods import METHODS, RunId
from hankelcut.experiments.records import RunRecord

__all__ = [
    "CutEffect",
    "Estimate",
    "Figures",
    "compare_runs",
    "cut_effects",
    "label_of",
]

# Steps over which the loss behind a cut is averaged, if the next one is no nearer.
_STEPS_BEHIND = 200


@dataclass(frozen=True)
class Estimate:
    """A mean and how far single values lie from it.

    Parameters
    ----------
    mean : float
        Over the seeds.
    deviation : float
        Sample standard deviation; 0 with one seed.
    """

    mean: float
    deviation: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Estimate":
        """Estimate from one value per seed."""
        deviation = statistics.stdev(values) if len(values) > 1 else 0.0
        return cls(statistics.fmean(values), deviation)


def label_of(method: str, tau: float | None) -> str:
    """Return what tables call runs of a method.

    Parameters
    ----------
    method : str
        Key of `METHODS`.
    tau : float or None
        Share that cuts may discard.
    """
    label = METHODS[method].label
    return label if tau is None else f"{label}, τ = {tau:g}"


@dataclass(frozen=True)
class Figures:
    """What the runs of one kind gave.

    Parameters
    ----------
    kind, method : str
        What the runs have in common, and their method.
    tau : float or None
        Share that cuts may discard.
    seeds : tuple of int
        The seeds.
    layer_states : tuple of tuple of int
        Stored states of each layer at the end, for every seed.
    test_accuracies : tuple of float
        Of every seed, in [0, 1].
    states, test, validation : Estimate
        Stored states of all layers together; accuracies, in [0, 1].
    seconds : Estimate
        Training time of the run itself, cuts included.
    total_seconds : Estimate
        The same with the training of a teacher.
    cut_share : float
        Largest share of the training time that the cuts of a run took.
    difference : Estimate or None
        Test accuracy less that of the reference with the same seed; None for the
        reference itself.
    speedup : float or None
        Mean total time of the full-size runs over this one's; None without those.
    """

    kind: str
    method: str
    tau: float | None
    seeds: tuple[int, ...]
    layer_states: tuple[tuple[int, ...], ...]
    test_accuracies: tuple[float, ...]
    states: Estimate
    test: Estimate
    validation: Estimate
    seconds: Estimate
    total_seconds: Estimate
    cut_share: float
    difference: Estimate | None = None
    speedup: float | None = None

    @property
    def label(self) -> str:
        """What tables call it."""
        return label_of(self.method, self.tau)

    @property
    def has_teacher(self) -> bool:
        """Whether a teacher's training counts in the total time."""
        return METHODS[self.method].teacher is not None

    @property
    def by_seed(self) -> list[tuple[int, tuple[int, ...], float]]:
        """Seed, states of each layer, and test accuracy, of every run."""
        columns = (self.seeds, self.layer_states, self.test_accuracies)
        return list(zip(*columns, strict=True))

    @property
    def standard_error(self) -> float | None:
        """Standard error of the mean difference; None with fewer than two seeds."""
        if self.difference is None or len(self.seeds) < 2:
            return None
        return self.difference.deviation / math.sqrt(len(self.seeds))

    def to_dict(self) -> dict[str, Any]:
        """Return the figures in plain values."""
        return {"label": self.label, **asdict(self)}


def compare_runs(
    records: Mapping[RunId, RunRecord], reference: str | None
) -> list[Figures]:
    """Put the runs of each kind together.

    Parameters
    ----------
    records : mapping of RunId to RunRecord
        Finished runs.
    reference : str or None
        Kind that accuracies are compared with, by seed.

    Returns
    -------
    list of Figures
        One for each kind, in the order of their first appearance.
    """
    kinds: dict[str, list[RunId]] = {}
    for run in records:
        kinds.setdefault(run.kind, []).append(run)
    full = [records[run].train_seconds for run in records if run.method == "full"]
    compared = kinds.get(reference or "", [])
    own = {run.seed: records[run].test_accuracy for run in compared}
    return [
        _figures(
            sorted(runs),
            records,
            {} if kind == reference else own,
            statistics.fmean(full) if full else None,
        )
        for kind, runs in kinds.items()
    ]


def _figures(
    runs: Sequence[RunId],
    records: Mapping[RunId, RunRecord],
    reference: Mapping[int, float],
    full_seconds: float | None,
) -> Figures:
    own = [records[run] for run in runs]
    tests = [record.test_accuracy for record in own]
    totals = [_total_seconds(run, records) for run in runs]
    paired = [
        record.test_accuracy - reference[run.seed]
        for run, record in zip(runs, own, strict=True)
        if run.seed in reference
    ]
    total = Estimate.of(totals)
    return Figures(
        kind=runs[0].kind,
        method=runs[0].method,
        tau=runs[0].tau,
        seeds=tuple(run.seed for run in runs),
        layer_states=tuple(tuple(record.states.values()) for record in own),
        test_accuracies=tuple(tests),
        states=Estimate.of([float(record.total_states) for record in own]),
        test=Estimate.of(tests),
        validation=Estimate.of([record.validation_accuracy for record in own]),
        seconds=Estimate.of([record.train_seconds for record in own]),
        total_seconds=total,
        cut_share=max(_cut_share(record) for record in own),
        difference=Estimate.of(paired) if len(paired) == len(runs) else None,
        speedup=None if full_seconds is None else full_seconds / total.mean,
    )


def _total_seconds(run: RunId, records: Mapping[RunId, RunRecord]) -> float:
    """Training time of a run and of its teacher."""
    seconds = records[run].train_seconds
    teacher = METHODS[run.method].teacher
    taught = [other for other in run.needs if other.method == teacher]
    return seconds + sum(records[other].train_seconds for other in taught)


def _cut_share(record: RunRecord) -> float:
    return sum(event.seconds for event in record.events) / record.train_seconds


@dataclass(frozen=True)
class CutEffect:
    """Training loss around the cuts of the runs of one kind.

    Parameters
    ----------
    kind, method : str
        What the runs have in common, and their method.
    tau : float
        Share that cuts may discard.
    n_cuts : int
        Cuts that were made, over all seeds.
    steps : int
        Steps on each side of a cut that the losses are means over, at most.
    before, behind : Estimate
        Mean loss right before and right behind a cut, in nats; over all cuts.
    difference : Estimate or None
        Loss behind the cuts of a seed less that of the reference's, means over the
        cuts of a seed; None for the reference.
    """

    kind: str
    method: str
    tau: float
    n_cuts: int
    steps: int
    before: Estimate
    behind: Estimate
    difference: Estimate | None

    @property
    def label(self) -> str:
        """What tables call it."""
        return label_of(self.method, self.tau)


def cut_effects(records: Mapping[RunId, RunRecord], reference: str) -> list[CutEffect]:
    """Compare the training loss right behind cuts.

    Parameters
    ----------
    records : mapping of RunId to RunRecord
        Finished runs.
    reference : str
        Kind that others are compared with, by seed.

    Returns
    -------
    list of CutEffect
        One for each kind with cuts in training.
    """
    losses = {
        run: _losses_around_cuts(record)
        for run, record in records.items()
        if METHODS[run.method].cuts is not None
    }
    own = {run.seed: pairs for run, pairs in losses.items() if run.kind == reference}
    effects = []
    for kind in dict.fromkeys(run.kind for run in losses):
        runs = sorted(run for run in losses if run.kind == kind and losses[run])
        pairs = [pair for run in runs for pair in losses[run]]
        if not pairs or runs[0].tau is None:
            continue
        differences = [
            _mean_behind(losses[run]) - _mean_behind(own[run.seed])
            for run in runs
            if kind != reference and own.get(run.seed)
        ]
        effects.append(
            CutEffect(
                kind,
                runs[0].method,
                runs[0].tau,
                len(pairs),
                max(pair[2] for pair in pairs),
                Estimate.of([pair[0] for pair in pairs]),
                Estimate.of([pair[1] for pair in pairs]),
                Estimate.of(differences) if differences else None,
            )
        )
    return effects


def _losses_around_cuts(record: RunRecord) -> list[tuple[float, float, int]]:
    """Mean losses before and behind each cut, and over how many steps."""
    steps = [event.step for event in record.events if event.is_cut]
    ends = [*steps[1:], record.recipe.steps][: len(steps)]
    around = []
    for step, end in zip(steps, ends, strict=True):
        width = min(_STEPS_BEHIND, end - step, step)
        if width > 0:
            before = record.losses[step - width : step]
            behind = record.losses[step : step + width]
            around.append((float(before.mean()), float(behind.mean()), width))
    return around


def _mean_behind(pairs: Sequence[tuple[float, float, int]]) -> float:
    return statistics.fmean(pair[1] for pair in pairs)
