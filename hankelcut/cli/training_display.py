"""What the commands that train show: progress, tables, and what is missing."""

import functools
import importlib.util
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from hankelcut._errors import MissingDependencyError
from hankelcut.cli.console import print_table

if TYPE_CHECKING:
    from hankelcut.adapters import ReductionEvent
    from hankelcut.experiments.comparison import Figures
    from hankelcut.experiments.summary import Summary
    from hankelcut.experiments.training import Progress as TrainingProgress

__all__ = [
    "TrainingDisplay",
    "print_figures",
    "print_summaries",
    "require_experiments",
]

_NEEDED = ("torch", "sklearn", "safetensors")
_EXTRAS = "hankelcut[torch,experiments]"


def require_experiments() -> None:
    """Raise MissingDependencyError, naming what to install, if anything is missing."""
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        msg = f"training needs {', '.join(missing)}, not installed; run "
        raise MissingDependencyError(f"{msg}`pip install '{_EXTRAS}'`")


class TrainingDisplay:
    """Progress bars on a terminal, lines of text elsewhere; both on stderr.

    Parameters
    ----------
    n_runs : int, optional
        Number of runs of a comparison, for a bar of them all; bars of runs that are
        over then disappear.
    """

    def __init__(self, n_runs: int | None = None) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=10),
            TextColumn("{task.completed}/{task.total}"),
            TextColumn("{task.fields[details]}"),
            TimeElapsedColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._runs: dict[str, TaskID] = {}
        self._all: TaskID | None = None
        if n_runs is not None:
            self._all = self._bars.add_task("runs", total=n_runs, details="")

    def __enter__(self) -> "TrainingDisplay":
        self._bars.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bars.stop()

    def begin(self, name: str) -> "Callable[[TrainingProgress], None]":
        """Return what takes the progress of a run."""
        return functools.partial(self.show, name)

    def show(self, name: str, progress: "TrainingProgress | None") -> None:
        """Show where a run is; None once it is over.

        Parameters
        ----------
        name : str
            Name of the run.
        progress : Progress or None
            Where it is.
        """
        if progress is None:
            self._end(name)
            return
        if name not in self._runs:
            self._runs[name] = self._bars.add_task(name, total=None, details="")
        loss, accuracy = f"{progress.loss:.3f}", "-"
        if progress.accuracy is not None:
            accuracy = f"{100 * progress.accuracy:.1f} %"
        states = "+".join(str(size) for size in progress.states.values())
        self._bars.update(
            self._runs[name],
            total=progress.steps,
            completed=progress.step,
            details=f"loss {loss} acc {accuracy} {states} states",
        )
        if progress.event is not None:
            self._tell_cuts(name, progress.step, progress.event)
        if progress.measurement is not None and not self._console.is_terminal:
            self._say(
                f"{name}, step {progress.step}/{progress.steps}: loss {loss}, "
                f"accuracy {accuracy}, {states} states"
            )

    def _end(self, name: str) -> None:
        """Take the bar of a run away and move that of all runs."""
        if self._all is not None:
            self._bars.advance(self._all)
            if name in self._runs:
                self._bars.remove_task(self._runs.pop(name))
        if not self._console.is_terminal:
            self._say(f"{name}: done")

    def _tell_cuts(self, name: str, step: int, event: "ReductionEvent") -> None:
        """Tell what a cut did to each layer."""
        undone = ", undone: the loss rose too much" if event.rolled_back else ""
        for layer in filter(lambda layer: layer.is_cut, event.layers):
            self._say(
                f"{name}, step {step}: {layer.name} {layer.states_before} → "
                f"{layer.states_after} states, error {_number(layer.measured_error)} "
                f"(bound {_number(layer.error_bound)}){undone}"
            )

    def _say(self, line: str) -> None:
        self._console.print(line, markup=False, soft_wrap=True)


def print_summaries(summaries: "Sequence[Summary]") -> None:
    """Print the figures of every kind of run on stdout."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("model", no_wrap=True)
    for name in ("states", "parameters", "test accuracy", "training", "speed-up"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in summaries:
        accuracy = f"{100 * row.test_accuracy:.2f}"
        if row.n_runs > 1:
            accuracy += f" ± {100 * row.test_deviation:.2f}"
        table.add_row(
            row.label,
            f"{round(row.states, 1):g}",
            f"{row.parameters:,.0f}",
            f"{accuracy} %",
            f"{row.train_seconds:.1f} s",
            f"{row.speedup:.2f}x",
        )
    Console(highlight=False).print(table)


def print_figures(figures: "Sequence[Figures]") -> None:
    """Print the figures of a comparison on stdout."""
    print_table(
        ("method", "states", "test accuracy", "training", "speed-up"),
        [
            (
                row.label,
                f"{row.states.mean:.1f} ± {row.states.deviation:.1f}",
                f"{100 * row.test.mean:.2f} ± {100 * row.test.deviation:.2f} %",
                f"{row.total_seconds.mean:.0f} s",
                "" if row.speedup is None else f"{row.speedup:.2f}x",
            )
            for row in figures
        ],
    )


def _number(value: float | None) -> str:
    """Return a number that there may not be."""
    return "unknown" if value is None else f"{value:.3g}"
