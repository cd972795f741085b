"""The command `hankelcut survey`: the state-space layers of a saved model."""

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hankelcut._errors import MissingDependencyError, UnsupportedLayerError
from hankelcut.cli.console import (
    print_table,
    require_writable,
    say,
    usage_errors,
    working,
    write_json,
)
from hankelcut.cli.systems import JsonFile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hankelcut.adapters import ModelPolicy, Policy

__all__ = ["survey"]


def survey(
    checkpoint: Annotated[
        Path,
        typer.Argument(
            metavar="CHECKPOINT",
            help="A .safetensors file, one of torch.save (.pt, .pth, .ckpt, .bin), or "
            "a folder with one.",
        ),
    ],
    tau: Annotated[
        list[float] | None,
        typer.Option(help="Discarded share of the Hankel singular values; repeatable."),
    ] = None,
    error_tol: Annotated[
        list[float] | None,
        typer.Option(help="Error bound of each layer, absolute; repeatable."),
    ] = None,
    budget: Annotated[
        list[int] | None,
        typer.Option(help="States of all layers together; repeatable."),
    ] = None,
    multiple_of: Annotated[
        int, typer.Option(min=1, help="Round numbers of states up to a multiple.")
    ] = 1,
    json_file: JsonFile = None,
) -> None:
    """Print the state-space layers of a saved model, and what cuts would leave of them.

    Layers are recognised by the names and shapes of their weights; the model's own
    code is not needed. The columns are the stored states that are left, with the bound
    on the H-infinity error of the layer. Nothing is changed.

    [bold]Examples[/bold]

    hankelcut survey runs/demo/model.safetensors

    hankelcut survey checkpoint.pt --tau 0.01 --tau 0.05 --budget 64
    """
    if importlib.util.find_spec("torch") is None:
        msg = "surveys need torch, not installed; run `pip install 'hankelcut[torch]'`"
        raise MissingDependencyError(msg)
    from hankelcut.adapters import CutSettings, load_weights, skeleton
    from hankelcut.adapters import survey as survey_model

    if json_file is not None:
        require_writable(json_file)
    policies = _policies(tau or [], error_tol or [], budget or [])
    with working(f"reading {checkpoint.name}") as show:
        model = skeleton(load_weights(checkpoint))
        show("measuring")
        settings = CutSettings(minimum_saving=0.0, multiple_of=multiple_of)
        found = survey_model(model, policies, settings=settings)
    if not found.layers:
        msg = (
            f"{checkpoint}: got weights without a state-space layer that is known; "
            "`hankelcut.adapters.survey(model)` looks at the live model"
        )
        raise UnsupportedLayerError(msg)
    columns, rows = found.columns(), found.rows()
    # Without the model's code all classes are the same.
    kept = [k for k, name in enumerate(columns) if name != "class"]
    print_table([columns[k] for k in kept], [[row[k] for k in kept] for row in rows])
    for note in found.notes():
        say(note)
    if json_file is not None:
        write_json(json_file, {"checkpoint": str(checkpoint), **found.to_dict()})
        print(f"numbers: {json_file}")


def _policies(
    tau: "Sequence[float]", error_tol: "Sequence[float]", budget: "Sequence[int]"
) -> "list[Policy | ModelPolicy]":
    """Return what the options ask for; a few discarded shares by default."""
    from hankelcut.adapters import EnergyTolerance, ErrorTolerance, GlobalBudget
    from hankelcut.adapters.survey import DEFAULT_POLICIES

    asked: list[Policy | ModelPolicy] = []
    with usage_errors():
        asked += [EnergyTolerance(share) for share in tau]
        asked += [ErrorTolerance(error) for error in error_tol]
        asked += [GlobalBudget(states) for states in budget]
    return asked or list(DEFAULT_POLICIES)
