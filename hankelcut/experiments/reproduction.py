"""A comparison from its protocol to its page, resumable at any point."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hankelcut.experiments.comparison import compare_runs, cut_effects, label_of
from hankelcut.experiments.methods import RunId, plan_runs, run_ids
from hankelcut.experiments.perform_run import Workplace
from hankelcut.experiments.protocols import Protocol
from hankelcut.experiments.results_page import Results, write_results_page
from hankelcut.experiments.run_folder import RunFolder
from hankelcut.experiments.workers import RunProgress, perform_runs

__all__ = ["planned_runs", "reproduce", "reproduction_config"]


def reproduction_config(protocol: Protocol) -> dict[str, Any]:
    """Return the configuration by which the folder of a comparison is known.

    Methods and seeds are no part of it: a folder can be given more of them.
    """
    return {"reproduction": {"recipe": protocol.recipe.to_dict()}}


def planned_runs(protocol: Protocol) -> list[RunId]:
    """Return all runs of a protocol, each behind what it needs.

    Parameters
    ----------
    protocol : Protocol
        The protocol.

    Raises
    ------
    ValueError
        If a method is none, or the recipe has no tau.
    """
    cuts = protocol.recipe.cuts
    if cuts is None or cuts.policy != "energy" or protocol.seeds < 1:
        msg = (
            f"got cuts={cuts} and seeds={protocol.seeds}, need cuts by the policy "
            "'energy' and at least one seed"
        )
        raise ValueError(msg)
    return plan_runs(
        [
            run
            for method in protocol.methods
            for run in run_ids(method, cuts.value, protocol.seeds)
        ]
    )


def reproduce(
    protocol: Protocol,
    *,
    folder: Path,
    data: Path | None = None,
    device: str = "cpu",
    n_workers: int = 1,
    command: str = "",
    page: Path | None = None,
    progress: RunProgress | None = None,
) -> Results:
    """Finish all runs of a protocol and write what came of them.

    Parameters
    ----------
    protocol : Protocol
        What is compared.
    folder : Path
        Where the runs are and go; finished ones are read, interrupted ones taken up.
    data : Path, optional
        Folder of the task's files.
    device : str
        Where to train.
    n_workers : int
        Runs at once, each in a process with one thread; 1 stays in this process.
    command : str
        What repeats the comparison, for the page.
    page : Path, optional
        The page of results; in the folder by default.
    progress : callable, optional
        Takes the name of a run and its `Progress`.

    Returns
    -------
    Results
        Records, figures and failures; ``results.json`` in the folder holds the figures.

    Raises
    ------
    ValueError
        If the protocol is none.
    CheckpointMismatchError
        If the folder holds runs of another recipe.
    DataError
        If the task's data are missing, or files of runs are damaged.
    WorkerError
        If a process dies. Start again to go on.
    """
    runs = planned_runs(protocol)
    run_folder = RunFolder.enter(folder, reproduction_config(protocol))
    place = Workplace(folder, protocol.recipe, data, device)
    failures = perform_runs(runs, place, n_workers=n_workers, progress=progress)
    failed = {failure.run for failure in failures}
    finished = [run for run in _as_asked(runs, protocol) if run not in failed]
    records = {run: place.record_of(run) for run in finished}
    tau = _tau(protocol)
    results = Results(
        protocol,
        command,
        records,
        compare_runs(records, tau),
        cut_effects(records, tau),
        failures,
        label_of("cut", tau),
        n_workers,
    )
    run_folder.write_json("results.json", _as_json(results))
    write_results_page(page or folder / f"{protocol.recipe.task}.md", results)
    return results


def _tau(protocol: Protocol) -> float:
    """Tau of the methods that name none."""
    assert protocol.recipe.cuts is not None  # noqa: S101 - planned_runs has checked it
    return protocol.recipe.cuts.value


def _as_asked(runs: Sequence[RunId], protocol: Protocol) -> list[RunId]:
    """Return runs in the order in which the protocol names their methods."""
    named = [run_ids(text, _tau(protocol), 1)[0].kind for text in protocol.methods]
    places = {kind: place for place, kind in enumerate(named)}
    return sorted(runs, key=lambda run: (places.get(run.kind, len(named)), run.seed))


def _as_json(results: Results) -> dict[str, Any]:
    protocol = results.protocol
    return {
        "protocol": protocol.name,
        "command": results.command,
        "recipe": protocol.recipe.to_dict(),
        "methods": {item.kind: item.to_dict() for item in results.figures},
        "runs": {run.name: record.to_dict() for run, record in results.records.items()},
        "loss_behind_cuts": {
            item.kind: dataclasses.asdict(item) for item in results.effects
        },
        "failures": {item.run.name: item.reason for item in results.failures},
    }
