"""The command `hankelcut analyze`: what a system is like, and how small it may get."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hankelcut.cli.console import (
    print_facts,
    print_table,
    require_writable,
    working,
    write_json,
)
from hankelcut.cli.systems import (
    JsonFile,
    System,
    SystemFile,
    load_one,
    require_picture,
)
from hankelcut.reduction import balanced_truncation

if TYPE_CHECKING:
    from hankelcut.reports import SystemAnalysis

__all__ = ["analyze"]

_TOLERANCES = ",".join(f"1e-{k}" for k in range(1, 9))
# The picture shows what this share of the norm keeps.
_DRAWN_TOLERANCE = 1e-3


def analyze(
    file: SystemFile,
    tolerances: Annotated[
        str, typer.Option(help="Relative errors to find orders for, with commas.")
    ] = _TOLERANCES,
    plot: Annotated[
        Path | None,
        typer.Option(
            dir_okay=False,
            help="Draw the values, and the bound, with the order for a relative error "
            f"of {_DRAWN_TOLERANCE:g}.",
        ),
    ] = None,
    json_file: JsonFile = None,
) -> None:
    """Print poles, norms and Hankel singular values of the system in a file.

    The orders are those of balanced truncation: the smallest whose error bound is at
    most so much of the H-infinity norm of the system.

    [bold]Examples[/bold]

    hankelcut analyze plant.mat

    hankelcut analyze plant.mat --tolerances 0.05,0.01 --plot values.svg
    """
    from hankelcut.reports import analyze_system

    wanted = _numbers(tolerances)
    if plot is not None:
        require_picture(plot)
    if json_file is not None:
        require_writable(json_file)
    system = load_one(file)
    with working(f"analysing {file.name}") as show:
        analysis = analyze_system(
            system,
            tolerances=wanted,
            progress=lambda k, residual: show(
                f"iteration {k}, residual {residual:.1e}"
            ),
        )
        if plot is not None:
            show("drawing")
            _draw(system, plot)
    _print_analysis(analysis)
    if plot is not None:
        print(f"picture: {plot}")
    if json_file is not None:
        write_json(json_file, {"file": str(file), **analysis.to_dict()})
        print(f"numbers: {json_file}")


def _numbers(text: str) -> list[float]:
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError as error:
        msg = f"--tolerances {text}: need numbers with commas between them"
        raise typer.BadParameter(msg) from error
    if not all(0 < number < float("inf") for number in numbers):
        raise typer.BadParameter(f"--tolerances {text}: need positive numbers")
    return numbers


def _draw(system: System, path: Path) -> None:
    from hankelcut.plotting import plot_reduction_values

    result = balanced_truncation(system, error_tol=_DRAWN_TOLERANCE, relative=True)
    plot_reduction_values(result).savefig(path)


def _print_analysis(analysis: "SystemAnalysis") -> None:
    print_facts(analysis.facts())
    print("\nSmallest orders of balanced truncation:")
    columns = ("relative error", "order", "error bound", "")
    rows = []
    for advice in analysis.orders:
        reached = advice.order is not None and advice.bound is not None
        cells = [str(advice.order), f"{advice.bound:.4g}"] if reached else ["-", "-"]
        rows.append([f"{advice.tolerance:g}", *cells, advice.refusal or ""])
    print_table(columns, rows)
