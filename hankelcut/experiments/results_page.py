"""The page of a comparison: tables in Markdown, and pictures beside it."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from hankelcut import plotting
from hankelcut.experiments.comparison import CutEffect, Estimate, Figures
from hankelcut.experiments.methods import METHODS, RunId
from hankelcut.experiments.protocols import Protocol
from hankelcut.experiments.recipe import Recipe
from hankelcut.experiments.records import RunRecord
from hankelcut.experiments.run_folder import environment
from hankelcut.experiments.workers import Failure
from hankelcut.lti.exchange._atomic_write import write_atomically
from hankelcut.reports.page import write_page

__all__ = ["Results", "write_results_page"]

_TEMPLATE = "results.md"
_TEMPLATES = Path(__file__).parent / "templates"
_DOTS_PER_INCH = 130
_STEPS_IN_WORDS = 6
# Times in seconds from here on are told without decimals.
_LONG = 100
# Methods whose sizes and times are drawn beside each other.
_DRAWN = ("full", "cut", "direct", "distilled", "nuclear", "after")
_CURVES = ("full", "cut", "direct", "distilled")


@dataclass(frozen=True, eq=False)
class Results:
    """Everything that a page of results tells.

    Parameters
    ----------
    protocol : Protocol
        What was compared.
    command : str
        The command that repeats it.
    records : mapping of RunId to RunRecord
        The finished runs.
    figures : sequence of Figures
        Of each kind of run.
    effects : sequence of CutEffect
        Losses behind cuts.
    failures : sequence of Failure
        Runs that could not be finished.
    reference : str
        Label of what accuracies and losses are compared with.
    n_workers : int
        Runs at once.
    """

    protocol: Protocol
    command: str
    records: Mapping[RunId, RunRecord]
    figures: Sequence[Figures]
    effects: Sequence[CutEffect]
    failures: Sequence[Failure]
    reference: str
    n_workers: int


def write_results_page(path: Path, results: Results) -> None:
    """Write a page in Markdown, and its pictures as PNG files beside it.

    Parameters
    ----------
    path : Path
        The page; its pictures are named after it.
    results : Results
        What it tells.

    Raises
    ------
    DataError
        If a file cannot be written.
    """
    pictures = {}
    for name, (figure, caption) in _pictures(results).items():
        file = path.with_name(f"{path.stem}-{name}.png")
        with io.BytesIO() as content:
            figure.savefig(content, format="png", dpi=_DOTS_PER_INCH)
            write_atomically(file, content.getvalue())
        pictures[file.name] = caption
    used = dict.fromkeys(item.method for item in results.figures)
    values = {
        "task": results.protocol.recipe.task,
        "summary": results.protocol.summary,
        "command": results.command,
        "recipe": results.protocol.recipe,
        "n_seeds": max((len(item.seeds) for item in results.figures), default=0),
        "n_workers": results.n_workers,
        "cut_steps": _cut_steps(results.protocol.recipe),
        "reference": results.reference,
        "figures": results.figures,
        "cut_share": max((item.cut_share for item in results.figures), default=0.0),
        "pictures": pictures,
        "effects": results.effects,
        "failures": results.failures,
        "methods": {name: METHODS[name] for name in used},
        "environment": environment(),
        "seconds": _seconds,
        "pair": _pair,
        "percent": _percent,
    }
    write_page(path, _TEMPLATE, values, templates=_TEMPLATES)


def _cut_steps(recipe: Recipe) -> str:
    """Return the steps after which cuts are attempted, in words."""
    schedule = recipe.cut_schedule()
    if schedule is None:
        return "none"
    first = schedule.start or schedule.every
    steps = [f"{step:,}" for step in range(first, schedule.until + 1, schedule.every)]
    if len(steps) > _STEPS_IN_WORDS:
        return f"{steps[0]}, {steps[1]}, ..., {steps[-1]}"
    return " and ".join([*([", ".join(steps[:-1])] if steps[:-1] else []), steps[-1]])


def _seconds(estimate: Estimate) -> str:
    """Return mean and deviation of times, in s, to three digits or so."""
    return _pair(estimate, 0 if estimate.mean >= _LONG else 1)


def _percent(estimate: Estimate) -> str:
    """Return mean and deviation of shares, in percent."""
    return _pair(Estimate(100 * estimate.mean, 100 * estimate.deviation), 2)


def _pair(estimate: Estimate, digits: int) -> str:
    """Return mean and deviation with some decimals."""
    return f"{estimate.mean:.{digits}f} ± {estimate.deviation:.{digits}f}"


def _pictures(results: Results) -> dict[str, tuple[Figure, str]]:
    """Draw what there is to draw, by name, with captions."""
    drawn = [item for item in results.figures if item.method in _DRAWN]
    pictures = {}
    if drawn:
        pictures["size-and-time"] = (
            plotting.plot_accuracy_against_size_and_time(
                [
                    plotting.MethodPoint(
                        METHODS[item.method].label,
                        item.states.mean,
                        item.total_seconds.mean,
                        item.test.mean,
                        item.test.deviation,
                    )
                    for item in drawn
                ]
            ),
            "Test accuracy against the states at the end and against the training "
            "time, that of a teacher included.",
        )
    if results.figures:
        pictures["methods"] = (
            plotting.plot_accuracies(
                [
                    plotting.AccuracyRow(item.label, item.test_accuracies)
                    for item in sorted(results.figures, key=lambda i: i.method != "cut")
                ]
            ),
            "Test accuracy of every method and seed; the grey line is the mean of the "
            "first row.",
        )
    curves = _curves(results)
    if curves:
        pictures["training"] = (
            plotting.plot_training_curves(curves),
            "Training loss and validation accuracy against training time; a dot is the "
            "end of a run.",
        )
    spectra = _spectra(results)
    if spectra is not None:
        pictures["values"] = spectra
    return pictures


def _curves(results: Results) -> list[plotting.TrainingCurve]:
    """Curves of the main methods, at the tau of the protocol."""
    cuts = results.protocol.recipe.cuts
    tau = None if cuts is None else cuts.value
    return [
        plotting.TrainingCurve(
            METHODS[run.method].label,
            steps=[item.step for item in record.history],
            seconds=[item.seconds for item in record.history],
            losses=[item.loss for item in record.history],
            accuracies=[item.accuracy for item in record.history],
        )
        for run, record in results.records.items()
        if run.method in _CURVES and run.tau in (None, tau)
    ]


def _spectra(results: Results) -> tuple[Figure, str] | None:
    """Hankel singular values of the first run that was cut, over its training."""
    cut = (
        (run, record)
        for run, record in results.records.items()
        if run.method == "cut" and any(event.is_cut for event in record.events)
    )
    found = next(cut, None)
    if found is None:
        return None
    run, record = found
    layers: dict[str, dict[int, Sequence[float]]] = {}
    for item in record.spectra:
        for name, values in item.layers.items():
            layers.setdefault(name, {})[item.step] = values
    events = [event for event in record.events if event.is_cut]
    for event in events:
        for layer in event.layers:
            lines = layers.setdefault(layer.name, {})
            lines[event.step] = layer.hankel_singular_values
    caption = f"Hankel singular values over training ({run.name})."
    steps = [event.step for event in events]
    return plotting.plot_hankel_singular_values(layers, cuts=steps), caption
