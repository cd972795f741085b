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
    "reference_of",
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
        Test accuracy less that of the cut in training with the same seed and tau; None
        for that itself.
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


def reference_of(run: RunId, tau: float) -> RunId:
    """Return what a run is compared with: the cut of its tau, with its seed.

    Parameters
    ----------
    run : RunId
        The run.
    tau : float
        That of the reference where the run has none.
    """
    return RunId("cut", tau if run.tau is None else run.tau, run.seed)


def compare_runs(records: Mapping[RunId, RunRecord], tau: float) -> list[Figures]:
    """Put the runs of each kind together.

    Parameters
    ----------
    records : mapping of RunId to RunRecord
        Finished runs.
    tau : float
        Of the cuts that methods without a tau are compared with.

    Returns
    -------
    list of Figures
        One for each kind, in the order of their first appearance.
    """
    kinds: dict[str, list[RunId]] = {}
    for run in records:
        kinds.setdefault(run.kind, []).append(run)
    full = [records[run].train_seconds for run in records if run.method == "full"]
    full_seconds = statistics.fmean(full) if full else None
    return [
        _figures(sorted(runs), records, tau, full_seconds) for runs in kinds.values()
    ]


def _figures(
    runs: Sequence[RunId],
    records: Mapping[RunId, RunRecord],
    tau: float,
    full_seconds: float | None,
) -> Figures:
    own = [records[run] for run in runs]
    tests = [record.test_accuracy for record in own]
    totals = [_total_seconds(run, records) for run in runs]
    references = {run: reference_of(run, tau) for run in runs}
    paired = [
        records[run].test_accuracy - records[reference].test_accuracy
        for run, reference in references.items()
        if reference in records and reference != run
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
        Loss behind the cuts of a seed less that of the cut in training with the same
        seed and tau in the same steps, means over the cuts of a seed; None for that
        itself.
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


def cut_effects(records: Mapping[RunId, RunRecord], tau: float) -> list[CutEffect]:
    """Compare the training loss right behind cuts.

    Parameters
    ----------
    records : mapping of RunId to RunRecord
        Finished runs.
    tau : float
        As in `compare_runs`.

    Returns
    -------
    list of CutEffect
        One for each kind with cuts in training.
    """
    windows = {
        run: _windows_around_cuts(record)
        for run, record in records.items()
        if METHODS[run.method].cuts is not None
    }
    effects = []
    for kind in dict.fromkeys(run.kind for run in windows):
        runs = sorted(run for run in windows if run.kind == kind and windows[run])
        if not runs or runs[0].tau is None:
            continue
        places = [(records[run], *window) for run in runs for window in windows[run]]
        differences = [
            _mean_behind(records[run], windows[run])
            - _mean_behind(records[reference], windows[run])
            for run in runs
            if (reference := reference_of(run, tau)) in records and reference != run
        ]
        effects.append(
            CutEffect(
                kind,
                runs[0].method,
                runs[0].tau,
                len(places),
                max(width for _, _, width in places),
                Estimate.of(
                    [_loss(r, step - width, step) for r, step, width in places]
                ),
                Estimate.of(
                    [_loss(r, step, step + width) for r, step, width in places]
                ),
                Estimate.of(differences) if differences else None,
            )
        )
    return effects


def _windows_around_cuts(record: RunRecord) -> list[tuple[int, int]]:
    """Step of each cut, and how many on both sides are nearer to it than to others."""
    steps = [event.step for event in record.events if event.is_cut]
    borders = [0, *steps, record.recipe.steps]
    widths = (
        min(_STEPS_BEHIND, step - before, behind - step)
        for before, step, behind in zip(borders, steps, borders[2:], strict=False)
    )
    return [pair for pair in zip(steps, widths, strict=True) if pair[1] > 0]


def _loss(record: RunRecord, begin: int, end: int) -> float:
    """Mean training loss of some steps."""
    return float(record.losses[begin:end].mean())


def _mean_behind(record: RunRecord, windows: Sequence[tuple[int, int]]) -> float:
    return statistics.fmean(
        _loss(record, step, step + width) for step, width in windows
    )
