"""The commands about whole comparisons: `hankelcut reproduce` and its data.

Everything that needs torch is imported inside the commands, as in `cli.training`.
"""

import dataclasses
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from hankelcut.cli.console import require_writable, say, usage_errors, working
from hankelcut.cli.training_display import (
    TrainingDisplay,
    print_figures,
    require_experiments,
)

if TYPE_CHECKING:
    from hankelcut.experiments.protocols import Protocol

__all__ = ["listops", "reproduce"]

# Expressions between two updates of what is shown.
_SHOWN_EVERY = 500
# Options whose values say where things are on this machine, and what stands for them.
_PLACES = {"--data": "DATA", "--folder": None, "--page": None}


def reproduce(
    task: Annotated[
        Literal["smnist", "digits", "scifar", "listops", "imdb", "aan", "pathfinder"],
        typer.Argument(help="What is learnt."),
    ],
    protocol: Annotated[
        Literal["paper", "cpu"] | None,
        typer.Option(
            help="The paper's hyper-parameters, or a training short enough for two "
            "processor cores with all methods. [default: cpu for smnist on a CPU]"
        ),
    ] = None,
    methods: Annotated[
        str | None,
        typer.Option(
            help="Methods, between commas, some with a tau of their own: "
            "full,cut,cut:0.04,direct:0.04. [default: the protocol's]"
        ),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(min=1, help="Number of seeds. [default: the protocol's]"),
    ] = None,
    tau: Annotated[
        float | None, typer.Option(help="Tau of methods that name none.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Optimizer steps.")] = None,
    length: Annotated[
        int | None,
        typer.Option(help="Steps of a sequence, by averages over squares of pixels."),
    ] = None,
    batch_size: Annotated[int | None, typer.Option(help="Sequences a step.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Largest rate.")] = None,
    layer: Annotated[
        Literal["lru", "s4d", "s5"] | None,
        typer.Option(help="State-space layer of the blocks. [default: lru]"),
    ] = None,
    d_model: Annotated[int | None, typer.Option(help="Channels.")] = None,
    d_state: Annotated[int | None, typer.Option(help="States of each layer.")] = None,
    evaluate_every: Annotated[
        int | None, typer.Option(help="Steps between evaluations and checkpoints.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Folder of the task's data files.")
    ] = None,
    device: Annotated[
        Literal["cpu", "cuda"], typer.Option(help="Where to train.")
    ] = "cpu",
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Runs at once, each in a process of one thread. [default: one for "
            "each core, and 1 on a GPU]",
        ),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the runs; where it holds runs of another recipe, the first "
            "free one of DIR-2, DIR-3, ... [default: runs/TASK-PROTOCOL]"
        ),
    ] = None,
    page: Annotated[
        Path | None,
        typer.Option(
            help="Page of results, with its pictures beside it. [default: in the "
            "folder]"
        ),
    ] = None,
) -> None:
    """Compare methods on a task, with all seeds; start again to go on.

    Finished runs are kept, interrupted ones go on from their last checkpoint, and a
    folder can be given more methods and seeds later.

    Example: hankelcut reproduce smnist --data ../data --page docs/results/smnist.md
    """
    require_experiments()
    import torch

    from hankelcut.experiments.reproduction import planned_runs, reproduction_config
    from hankelcut.experiments.reproduction import reproduce as run
    from hankelcut.experiments.run_folder import free_folder

    if device == "cuda" and not torch.cuda.is_available():
        raise typer.BadParameter("--device cuda: torch finds no GPU here")
    changes = {
        "steps": steps,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "layer": layer,
        "d_model": d_model,
        "d_state": d_state,
        "evaluate_every": evaluate_every,
    }
    with usage_errors():
        plan = _protocol(task, protocol or _default(task, device), changes, length, tau)
        plan = dataclasses.replace(
            plan,
            seeds=seeds or plan.seeds,
            methods=tuple(methods.split(",")) if methods else plan.methods,
        )
        runs = planned_runs(plan)
    if page is not None:
        require_writable(page)
    wanted = folder or Path("runs") / f"{task}-{plan.name}"
    chosen = free_folder(wanted, reproduction_config(plan))
    at_once = workers or (1 if device == "cuda" else os.cpu_count() or 1)
    with TrainingDisplay(len(runs)) as display:
        results = run(
            plan,
            folder=chosen,
            data=data,
            device=device,
            n_workers=at_once,
            command=_command(),
            page=page,
            progress=display.show,
        )
    print_figures(results.figures)
    for failure in results.failures:
        say(f"not finished: {failure.run.name}: {failure.reason}", style="yellow")
    print(f"results: {page or chosen / f'{task}.md'}")


def _default(task: str, device: str) -> str:
    """Name of the protocol where none is given."""
    return "cpu" if task == "smnist" and device == "cpu" else "paper"


def _protocol(
    task: str,
    name: str,
    changes: dict[str, Any],
    length: int | None,
    tau: float | None,
) -> "Protocol":
    """Change a protocol by the options that were given."""
    from hankelcut.experiments.protocols import protocol_for
    from hankelcut.experiments.tasks import pooling_for

    plan = protocol_for(task, name)
    given = {key: value for key, value in changes.items() if value is not None}
    if length is not None:
        given["pooling"] = pooling_for(task, length)
    if tau is not None and plan.recipe.cuts is not None:
        given["cuts"] = dataclasses.replace(plan.recipe.cuts, value=tau)
    recipe = dataclasses.replace(plan.recipe, **given)
    return dataclasses.replace(plan, recipe=recipe)


def _command() -> str:
    """Return the command that was called, without places on this machine."""
    words = ["hankelcut"]
    rest = iter(sys.argv[1:])
    for word in rest:
        name, equals, _ = word.partition("=")
        if name not in _PLACES:
            words.append(shlex.quote(word))
            continue
        if not equals:
            next(rest, None)
        if _PLACES[name] is not None:
            words += [name, _PLACES[name] or ""]
    return " ".join(words)


def listops(
    folder: Annotated[Path, typer.Argument(help="Where the three files go.")],
    train: Annotated[int, typer.Option(help="Training expressions.")] = 96_000,
    validation: Annotated[int, typer.Option(help="Validation expressions.")] = 2_000,
    test: Annotated[int, typer.Option(help="Test expressions.")] = 2_000,
    min_length: Annotated[int, typer.Option(help="All have more tokens.")] = 500,
    max_length: Annotated[int, typer.Option(help="All have fewer tokens.")] = 2_000,
    max_depth: Annotated[int, typer.Option(help="Largest depth.")] = 10,
    max_arguments: Annotated[int, typer.Option(help="Most arguments.")] = 10,
    seed: Annotated[int, typer.Option(help="Decides all of them.")] = 0,
) -> None:
    """Write the files of the task ListOps; the defaults are the Long Range Arena's."""
    require_experiments()
    from hankelcut.experiments.tasks import ListOps, generate_listops

    with usage_errors():
        settings = ListOps(
            train,
            validation,
            test,
            min_length,
            max_length,
            max_depth,
            max_arguments,
            seed,
        )
    with working("drawing expressions") as update:

        def show(done: int, total: int) -> None:
            if done % _SHOWN_EVERY == 0:
                update(f"drawing expressions: {done:,} of {total:,}")

        generate_listops(folder, settings, progress=show)
    print(folder)
