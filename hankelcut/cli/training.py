"""The commands that train: `hankelcut demo` and `hankelcut train`.

Everything that needs torch is imported inside the commands, so that help is fast and
appears without the optional dependencies.
"""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from hankelcut.cli.console import require_writable, write_json
from hankelcut.cli.training_display import (
    TrainingDisplay,
    print_summaries,
    require_experiments,
)

if TYPE_CHECKING:
    from hankelcut.experiments.recipe import Recipe

__all__ = ["demo", "train"]


def demo(
    quick: Annotated[
        bool, typer.Option("--quick", help="Seconds, to see that everything works.")
    ] = False,
    folder: Annotated[
        Path,
        typer.Option(
            help="Run folder; where it holds another configuration, the first free one "
            "of DIR-2, DIR-3, ..."
        ),
    ] = Path("runs/demo"),
    seeds: Annotated[int, typer.Option(min=1, help="Number of seeds.")] = 2,
    threads: Annotated[
        int,
        typer.Option(
            min=1,
            help="Threads of torch and of the cuts, for all runs alike; one is the "
            "least disturbed by other work on the machine.",
        ),
    ] = 1,
    json_file: Annotated[
        Path | None,
        typer.Option(
            "--json",
            dir_okay=False,
            help="Write the figures of the table to this file.",
        ),
    ] = None,
) -> None:
    """Train on digits at full size, cut in training, and small from the start."""
    require_experiments()
    import torch

    from hankelcut.experiments.demo import demo_config, demo_recipe, run_demo
    from hankelcut.experiments.run_folder import free_folder

    torch.set_num_threads(threads)
    recipe = demo_recipe(quick=quick)
    numbers = range(seeds)
    if json_file is not None:
        require_writable(json_file)
    chosen = free_folder(folder, demo_config(recipe, numbers))
    with TrainingDisplay() as display:
        result = run_demo(recipe, seeds=numbers, folder=chosen, progress=display.begin)
    print_summaries(result.summaries())
    print(f"report: {chosen / 'report.html'}")
    if json_file is not None:
        write_json(json_file, result.to_dict())


def train(
    task: Annotated[
        Literal["digits", "smnist", "scifar", "listops", "imdb", "aan", "pathfinder"],
        typer.Option(help="What to learn."),
    ] = "digits",
    tau: Annotated[
        float | None,
        typer.Option(
            help="Cut in training: share of the sum of the Hankel singular values that "
            "each cut may discard. Without --tau or --policy nothing is cut."
        ),
    ] = None,
    policy: Annotated[
        Literal["energy", "error", "fraction", "order"] | None,
        typer.Option(help="Instead of --tau: another policy, with its --value."),
    ] = None,
    value: Annotated[float | None, typer.Option(help="Number of the policy.")] = None,
    every: Annotated[
        int | None,
        typer.Option(help="Steps between cuts. [default: four cuts in the warm-up]"),
    ] = None,
    until: Annotated[int | None, typer.Option(help="Last step of a cut.")] = None,
    map_: Annotated[
        Literal["real", "complex"] | None,
        typer.Option("--map", help="What is balanced. [default: real]"),
    ] = None,
    gramians: Annotated[
        Literal["structured", "closed_form"] | None,
        typer.Option(help="How Gramians are computed. [default: structured]"),
    ] = None,
    optimizer_state: Annotated[
        Literal["transport", "reset", "slice"] | None,
        typer.Option(help="What becomes of the moments. [default: transport]"),
    ] = None,
    selection: Annotated[
        Literal["largest", "smallest", "random", "hinf", "energy"] | None,
        typer.Option(help="Which states are kept. [default: largest]"),
    ] = None,
    rollback_tolerance: Annotated[
        float | None,
        typer.Option(help="Undo cuts that raise the validation loss by this share."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed. [default: 0]")] = None,
    steps: Annotated[int | None, typer.Option(help="Optimizer steps.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Sequences a step.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Largest rate.")] = None,
    layer: Annotated[
        Literal["lru", "s4d", "s5"] | None,
        typer.Option(help="State-space layer of the blocks. [default: lru]"),
    ] = None,
    d_model: Annotated[int | None, typer.Option(help="Channels.")] = None,
    d_state: Annotated[int | None, typer.Option(help="States of each layer.")] = None,
    blocks: Annotated[int | None, typer.Option(help="Blocks.")] = None,
    evaluate_every: Annotated[
        int | None, typer.Option(help="Steps between evaluations and checkpoints.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Folder of the task's data files.")
    ] = None,
    folder: Annotated[
        Path,
        typer.Option(
            help="Run folder; where it holds another configuration, the first free one "
            "of DIR-2, DIR-3, ..."
        ),
    ] = Path("runs/train"),
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the folder's unfinished run.")
    ] = False,
    device: Annotated[
        Literal["cpu", "cuda"], typer.Option(help="Where to train.")
    ] = "cpu",
) -> None:
    """Train one model; options that are left out are those of the task's recipe."""
    require_experiments()
    cuts = {
        "every": every,
        "until": until,
        "map": map_,
        "gramians": gramians,
        "optimizer_state": optimizer_state,
        "selection": selection,
        "rollback_tolerance": rollback_tolerance,
    }
    values = {
        "seed": seed,
        "steps": steps,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "layer": layer,
        "d_model": d_model,
        "d_state": d_state,
        "n_blocks": blocks,
        "evaluate_every": evaluate_every,
    }
    recipe = _recipe(task, values, _target(tau, policy, value), cuts)
    _train(recipe, data=data, folder=folder, resume=resume, device=device)


def _train(
    recipe: "Recipe", *, data: Path | None, folder: Path, resume: bool, device: str
) -> None:
    """Run a recipe in a folder of its own, and report."""
    import torch

    from hankelcut.experiments.report import write_report
    from hankelcut.experiments.run_folder import free_folder
    from hankelcut.experiments.summary import LabelledRun, summarise
    from hankelcut.experiments.tasks import load_task
    from hankelcut.experiments.training import train as run
    from hankelcut.experiments.training_state import Batches

    if device == "cuda" and not torch.cuda.is_available():
        raise typer.BadParameter("--device cuda: torch finds no GPU here")
    config = {"recipe": recipe.to_dict()}
    chosen = folder if resume else free_folder(folder, config)
    task = load_task(recipe.task, data=data)
    try:
        Batches(len(task.train), recipe.batch_size, seed=recipe.seed)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    with TrainingDisplay() as display:
        result = run(
            recipe,
            task,
            folder=chosen,
            resume=resume,
            device=device,
            progress=display.begin(chosen.name),
        )
    label = "full size" if recipe.cuts is None else "cut in training"
    runs = [LabelledRun(label, result)]
    write_report(
        chosen / "report.html",
        runs,
        title=f"Training on {recipe.task}",
        introduction=f"One run of {recipe.steps} steps, seed {recipe.seed}.",
    )
    print_summaries(summarise(runs))
    print(f"report: {chosen / 'report.html'}")


def _target(
    tau: float | None, policy: str | None, value: float | None
) -> dict[str, Any] | None:
    """Policy and value of the cuts; None without cuts."""
    if tau is not None:
        if policy is not None or value is not None:
            raise typer.BadParameter("give --tau, or --policy with --value, not both")
        return {"policy": "energy", "value": tau}
    if (policy is None) != (value is None):
        raise typer.BadParameter("--policy and --value need each other")
    return None if policy is None else {"policy": policy, "value": value}


def _recipe(
    task: str,
    values: dict[str, Any],
    target: dict[str, Any] | None,
    cuts: dict[str, Any],
) -> "Recipe":
    """Change the task's recipe by the options that were given."""
    from hankelcut.experiments.cut_plan import CutPlan
    from hankelcut.experiments.recipes import recipe_for

    given = {name: value for name, value in cuts.items() if value is not None}
    if given and target is None:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise typer.BadParameter(f"{names} needs cuts: give --tau or --policy")
    try:
        plan = None if target is None else CutPlan(**target, **given)
        changes = {name: item for name, item in values.items() if item is not None}
        return dataclasses.replace(recipe_for(task), cuts=plan, **changes)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
