"""The command `hankelcut validate`: the same numbers from other toolboxes."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hankelcut._errors import InvalidSystemError
from hankelcut.cli.console import (
    print_table,
    require_writable,
    usage_errors,
    working,
    write_json,
)
from hankelcut.cli.systems import JsonFile, load_one
from hankelcut.lti import (
    DiagonalStateSpace,
    SparseStateSpace,
    StateSpace,
)

if TYPE_CHECKING:
    from hankelcut.validation import CrossCheck

__all__ = ["validate"]

_DISAGREEMENT = 1
_PEERS = ("control", "slycot", "pymor")


def validate(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]",
            help="The system: a .mat, .npz or .json file. [default: a collection of "
            "benchmark systems]",
            dir_okay=False,
        ),
    ] = None,
    peer: Annotated[
        list[str] | None,
        typer.Option(help=f"Only these of {', '.join(_PEERS)}; repeatable."),
    ] = None,
    order: Annotated[
        int | None,
        typer.Option(
            min=0, help="States that balanced truncation keeps. [default: for 1% error]"
        ),
    ] = None,
    rtol: Annotated[
        float, typer.Option(help="The relative difference that is agreement.")
    ] = 1e-6,
    json_file: JsonFile = None,
) -> None:
    """Compute what hankelcut and other toolboxes have in common, and compare.

    The exit status is 1 if an answer differs that the other toolbox is not known to get
    wrong.

    [bold]Examples[/bold]

    hankelcut validate

    hankelcut validate plant.mat --peer slycot --rtol 1e-8
    """
    from hankelcut.reports.wording import system_in_words

    if json_file is not None:
        require_writable(json_file)
    tables = {}
    for name, system in _systems(file).items():
        tables[name] = table = _checked(name, system, peer or _PEERS, order, rtol)
        print(f"{name}: {system_in_words(system)}")
        _print_check(table)
    if json_file is not None:
        checks = [_document(name, table) for name, table in tables.items()]
        write_json(json_file, {"rtol": rtol, "systems": checks})
        print(f"numbers: {json_file}")
    if not all(table.agrees for table in tables.values()):
        raise typer.Exit(_DISAGREEMENT)


def _systems(file: Path | None) -> dict[str, StateSpace | DiagonalStateSpace]:
    """Return the system of a file, or the collection, by name."""
    if file is not None:
        system = load_one(file)
        if isinstance(system, SparseStateSpace):
            msg = (
                f"validate: got a sparse system of {system.n_states} states, need a "
                "dense one, all that the other toolboxes take; reduce it first"
            )
            raise InvalidSystemError(msg)
        return {file.name: system}
    from hankelcut.validation import benchmark_systems

    return {
        benchmark.name: benchmark.system
        for benchmark in benchmark_systems()
        if not isinstance(benchmark.system, SparseStateSpace)
    }


def _checked(
    name: str,
    system: StateSpace | DiagonalStateSpace,
    peers: Sequence[str],
    order: int | None,
    rtol: float,
) -> "CrossCheck":
    from hankelcut.validation import cross_check

    with usage_errors(), working(f"checking {name}") as show:
        return cross_check(
            system,
            peers=peers,
            order=order,
            rtol=rtol,
            progress=lambda quantity, peer: show(f"{name}: {quantity}, {peer}"),
        )


def _print_check(table: "CrossCheck") -> None:
    """Print the rows, and under them the reasons, each once."""
    columns = ("quantity", "peer", "ours", "theirs", "difference", "verdict")
    rows = []
    reasons: dict[tuple[str, str, str], list[str]] = {}
    for row in table.rows:
        numbers = [row.ours, row.theirs]
        cells = ["-" if number is None else f"{number:.6g}" for number in numbers]
        cells.append("-" if row.difference is None else f"{row.difference:.1e}")
        rows.append([row.quantity, row.peer, *cells, row.verdict])
        if row.reason:
            key = (row.verdict, row.peer, row.reason)
            reasons.setdefault(key, []).append(row.quantity)
    print_table(columns, rows)
    for (verdict, peer, reason), quantities in reasons.items():
        print(f"{verdict}: {', '.join(quantities)} ({peer}): {reason}")
    print()


def _document(name: str, table: "CrossCheck") -> dict[str, Any]:
    records = {"order": table.order, "agrees": table.agrees, "rows": table.records()}
    return {"system": name, **records}
