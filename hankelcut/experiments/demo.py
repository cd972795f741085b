"""The demonstration: full size, cut in training, and trained directly at that size."""

import dataclasses
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hankelcut.experiments.checkpoint import save_model
from hankelcut.experiments.recipe import Recipe
from hankelcut.experiments.records import RunResult
from hankelcut.experiments.report import write_report
from hankelcut.experiments.run_folder import RunFolder
from hankelcut.experiments.summary import LabelledRun, Summary, summarise
from hankelcut.experiments.tasks import load_task
from hankelcut.experiments.training import MODEL, ProgressCallback, train
from hankelcut.nn import SequenceClassifier

__all__ = ["KINDS", "DemoResult", "demo_config", "demo_recipe", "run_demo"]

KINDS = {
    "full": "full size",
    "reduced": "cut in training",
    "direct": "small from the start",
}
"""Short names of the three kinds of run, and how tables call them."""

_INTRODUCTION = (
    "The same model with {states} states in each of {layers} layers, trained on the "
    "task {task!r} for {steps} steps: at full size, cut by balanced truncation while "
    "it trains, and trained from the start at the size that the cuts led to."
)


@dataclass(frozen=True, eq=False)
class DemoResult:
    """The runs of the demonstration.

    Parameters
    ----------
    runs : tuple of LabelledRun
        Three per seed, labelled as in `KINDS`.
    """

    runs: tuple[LabelledRun, ...]

    def summaries(self) -> list[Summary]:
        """Return the figures of each kind of run, in the order of `KINDS`."""
        return summarise(self.runs)

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Return the table's figures by short name, means over the seeds."""
        return {
            kind: summary.to_dict()
            for kind, summary in zip(KINDS, self.summaries(), strict=True)
        }


def demo_recipe(*, quick: bool = False) -> Recipe:
    """Return the recipe of the demonstration.

    Parameters
    ----------
    quick : bool
        A run of seconds that shows that everything works, and nothing else.

    Returns
    -------
    Recipe
        Of the run that is cut.
    """
    if quick:
        return Recipe(
            d_model=16, d_state=96, steps=100, learning_rate=2e-2, evaluate_every=20
        )
    return Recipe(evaluate_every=60)


def demo_config(recipe: Recipe, seeds: Sequence[int]) -> dict[str, Any]:
    """Return the configuration by which the demonstration's folder is known."""
    return {"demo": {"seeds": list(seeds)}, "recipe": recipe.to_dict()}


def run_demo(
    recipe: Recipe,
    *,
    seeds: Sequence[int],
    folder: Path | str,
    progress: Callable[[str], ProgressCallback] | None = None,
) -> DemoResult:
    """Train all kinds of run with every seed, and write the run folder.

    Parameters
    ----------
    recipe : Recipe
        Of the run that is cut; the others differ in cuts and sizes only.
    seeds : sequence of int
        Seeds of initialisation, batches and dropout; the split of the data is one.
    folder : path
        Run folder, with a folder of its own for each run. Its ``metrics.jsonl`` and
        ``reductions.jsonl`` hold those of all runs, its ``model.safetensors`` the model
        of the first seed that was cut.
    progress : callable, optional
        Takes the name of each run before it begins and returns its callback.

    Returns
    -------
    DemoResult
        The runs.

    Raises
    ------
    ValueError
        If there are no seeds, or the recipe has no cuts.
    CheckpointMismatchError
        If the folder holds a run of another configuration.
    HankelcutError
        As `train`.

    Notes
    -----
    Where the cuts left layers of different sizes, the direct run gives all of them the
    rounded mean.
    """
    if not seeds or recipe.cuts is None:
        msg = f"got seeds={list(seeds)} and cuts={recipe.cuts}, need some of both"
        raise ValueError(msg)
    run_folder = RunFolder.create(folder, demo_config(recipe, seeds))
    task = load_task(recipe.task)

    def run(kind: str, recipe: Recipe) -> RunResult:
        name = _run_name(kind, recipe)
        callback = None if progress is None else progress(name)
        return train(recipe, task, folder=run_folder.path / name, progress=callback)

    runs, models = [], []
    for seed in seeds:
        cut = dataclasses.replace(recipe, seed=seed)
        full = dataclasses.replace(cut, cuts=None)
        results = {"full": run("full", full), "reduced": run("reduced", cut)}
        size = round(statistics.fmean(results["reduced"].states.values()))
        results["direct"] = run("direct", dataclasses.replace(full, d_state=size))
        models.append(results["reduced"].model)
        runs += [LabelledRun(KINDS[kind], results[kind]) for kind in KINDS]
    result = DemoResult(tuple(runs))
    _write(run_folder, result, models[0])
    return result


def _run_name(kind: str, recipe: Recipe) -> str:
    """Name of a run's folder."""
    return f"{kind}-seed-{recipe.seed}"


def _write(folder: RunFolder, result: DemoResult, model: SequenceClassifier) -> None:
    """Write the records of all runs together, a cut model, and the report."""
    kinds = {label: kind for kind, label in KINDS.items()}
    names = [_run_name(kinds[run.label], run.result.recipe) for run in result.runs]
    results = [run.result for run in result.runs]
    named = list(zip(names, results, strict=True))
    folder.write_records(
        "metrics.jsonl",
        [{"run": name} | asdict(item) for name, run in named for item in run.history],
    )
    folder.write_records(
        "reductions.jsonl",
        [{"run": name} | item.to_dict() for name, run in named for item in run.events],
    )
    folder.write_json("results.json", result.to_dict())
    recipe, reduced = results[0].recipe, results[1]
    save_model(folder.path / MODEL, reduced.recipe, model)
    write_report(
        folder.path / "report.html",
        result.runs,
        title="A state-space model that shrinks while it trains",
        introduction=_INTRODUCTION.format(
            states=recipe.d_state,
            layers=recipe.n_blocks,
            task=recipe.task,
            steps=recipe.steps,
        ),
    )
