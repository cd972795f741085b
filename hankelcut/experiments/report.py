"""The report of a run or a comparison: one HTML file that needs nothing else."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hankelcut import plotting
from hankelcut.adapters import LayerCut, ReductionEvent
from hankelcut.experiments.records import RunRecord
from hankelcut.experiments.run_folder import environment
from hankelcut.experiments.summary import LabelledRun, summarise
from hankelcut.reports.page import Picture, embed, write_page

__all__ = ["write_report"]

_TEMPLATE = "report.html"
_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class _CutRow:
    """One layer in one cut, for the table of cuts."""

    run: str
    event: ReductionEvent
    layer: LayerCut


def write_report(
    path: Path | str, runs: Sequence[LabelledRun], *, title: str, introduction: str
) -> None:
    """Write a self-contained HTML page about runs on one task.

    Parameters
    ----------
    path : path
        The file; replaced as a whole.
    runs : sequence of LabelledRun
        The runs, several seeds of a kind under one label; speed is compared with the
        first kind.
    title, introduction : str
        Heading, and what was done in a sentence or two.

    Raises
    ------
    ValueError
        If there are no runs.
    """
    if not runs:
        msg = "got no runs, need at least one to report on"
        raise ValueError(msg)
    # What is drawn of a single run is drawn of the first that was cut.
    shown = next((run for run in runs if _cuts(run.result)), runs[0])
    values = {
        "title": title,
        "introduction": introduction,
        "summaries": summarise(runs),
        "pictures": _pictures(runs, shown),
        "cuts": list(_cut_rows(runs)),
        "shown": shown,
        "recipe": _rows(shown.result.recipe.to_dict()),
        "environment": environment(),
    }
    write_page(path, _TEMPLATE, values, templates=_TEMPLATES)


def _pictures(runs: Sequence[LabelledRun], shown: LabelledRun) -> list[Picture]:
    """Draw all runs together, and one of them in detail."""
    seed = shown.result.recipe.seed
    pictures = [
        embed(
            plotting.plot_training_curves([_curve(run) for run in runs]),
            "Training",
            "Loss and validation accuracy against training time; a dot is the end of "
            "a run. All runs take the same number of steps.",
        ),
        embed(
            plotting.plot_state_sizes(list(_sizes(runs, seed))),
            "State sizes",
            f"Stored complex states of every layer, seed {seed}.",
        ),
        embed(
            plotting.plot_hankel_singular_values(
                _spectra(shown.result),
                cuts=[event.step for event in _cuts(shown.result)],
            ),
            "Hankel singular values",
            f"Of every layer over training ({shown.label}, seed {seed}). What lies to "
            "the right and far below contributes little to the layer's output.",
        ),
    ]
    errors = [
        plotting.CutErrors(
            f"step {event.step}, {layer.name}: {layer.states_before} → "
            f"{layer.states_after}",
            layer.error_bound,
            layer.measured_error,
            layer.hankel_singular_values[0],
        )
        for event in _cuts(shown.result)
        for layer in event.layers
        if layer.error_bound is not None and layer.measured_error is not None
        if layer.is_cut
    ]
    if errors:
        pictures.append(
            embed(
                plotting.plot_error_certificates(errors),
                "What the cuts changed",
                f"Certified bound and measured error of every cut ({shown.label}, "
                f"seed {seed}).",
            )
        )
    return pictures


def _curve(run: LabelledRun) -> plotting.TrainingCurve:
    history = run.result.history
    return plotting.TrainingCurve(
        run.label,
        steps=[item.step for item in history],
        seconds=[item.seconds for item in history],
        losses=[item.loss for item in history],
        accuracies=[item.accuracy for item in history],
    )


def _sizes(runs: Sequence[LabelledRun], seed: int) -> Iterable[plotting.StateSizes]:
    """Corner points of every layer's size, from the cuts."""
    for run in runs:
        recipe = run.result.recipe
        if recipe.seed != seed:
            continue
        for name, final in run.result.states.items():
            cuts = [
                (event.step, layer.states_after)
                for event in _cuts(run.result)
                for layer in event.layers
                if layer.name == name
            ]
            corners = [(0, recipe.d_state), *cuts, (recipe.steps, final)]
            steps, states = zip(*corners, strict=True)
            yield plotting.StateSizes(run.label, steps, states)


def _spectra(result: RunRecord) -> dict[str, dict[int, Sequence[float]]]:
    """Values by layer and step; at cuts, those right before."""
    spectra: dict[str, dict[int, Sequence[float]]] = {}
    for item in result.spectra:
        for name, values in item.layers.items():
            spectra.setdefault(name, {})[item.step] = values
    for event in _cuts(result):
        for layer in event.layers:
            lines = spectra.setdefault(layer.name, {})
            lines[event.step] = layer.hankel_singular_values
    return spectra


def _cut_rows(runs: Sequence[LabelledRun]) -> Iterable[_CutRow]:
    for run in runs:
        for event in run.result.events:
            for layer in event.layers:
                label = f"{run.label}, seed {run.result.recipe.seed}"
                yield _CutRow(label, event, layer)


def _cuts(result: RunRecord) -> list[ReductionEvent]:
    """Return the attempts in which a layer was cut."""
    return [event for event in result.events if event.is_cut]


def _rows(values: Mapping[str, Any]) -> dict[str, str]:
    """Names and values of a recipe, the plan of its cuts spread out."""
    rows: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            rows |= {f"{name}: {inner}": str(value[inner]) for inner in value}
        else:
            rows[name] = str(value)
    return rows
