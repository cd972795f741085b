"""The command `hankelcut compare`: every method side by side."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from hankelcut.cli.console import (
    print_facts,
    print_table,
    require_writable,
    working,
    write_json,
)
from hankelcut.cli.method_options import (
    Band,
    Gamma,
    Horizon,
    InputWeight,
    Match,
    OutputWeight,
    accepted,
    gathered,
    method_arguments,
    require_method,
)
from hankelcut.cli.systems import JsonFile, SystemFile, load_one, norm_if_stable
from hankelcut.lti import SparseStateSpace
from hankelcut.reduction.comparison import METHODS
from hankelcut.reduction.comparison import compare as compare_methods
from hankelcut.reduction.result import ErrorBound

__all__ = ["compare"]


def compare(
    file: SystemFile,
    order: Annotated[
        list[int], typer.Option(min=0, help="Number of states to keep; repeatable.")
    ],
    methods: Annotated[
        list[str] | None,
        typer.Option(
            "--method",
            "--methods",
            help="Only these; repeatable, or with commas. [default: all that apply]",
        ),
    ] = None,
    band: Band = None,
    horizon: Horizon = None,
    gamma: Gamma = None,
    match: Match = None,
    input_weight: InputWeight = None,
    output_weight: OutputWeight = None,
    json_file: JsonFile = None,
    certify: Annotated[
        bool, typer.Option(help="Measure the errors of the reduced models.")
    ] = True,
) -> None:
    """Reduce the system in a file by all methods, and print orders, errors and times.

    Methods that need an option, as --band, take part when it is given.

    [bold]Examples[/bold]

    hankelcut compare plant.mat --order 8 --order 16

    hankelcut compare plant.mat --order 8 --methods balanced_truncation,irka
    """
    from hankelcut.plotting._drawable import seconds_per_sample
    from hankelcut.reports.wording import in_bracket, system_in_words

    if json_file is not None:
        require_writable(json_file)
    given = gathered(
        {"band": band, "horizon": horizon, "gamma": gamma, "match": match},
        {"input_weight": input_weight, "output_weight": output_weight},
    )
    system = load_one(file)
    listed = [name for text in methods or () for name in text.split(",")]
    names = [require_method(name) for name in listed] or None
    options = _options(names, given)
    with working(f"comparing methods on {file.name}") as show:
        table = compare_methods(
            system,
            orders=order,
            methods=names,
            options=options,
            certify=certify,
            progress=lambda name, r: show(f"{METHODS[name].title}, order {r}"),
        )
        norm = norm_if_stable(system)
    records = table.records()
    for record in records:
        if record["peak_frequency"] is not None:
            record["peak_frequency"] /= seconds_per_sample(system.time)
    facts = [("system", system_in_words(system))]
    if norm is not None:
        facts.append(("H-infinity norm", in_bracket(norm, system.time)))
    print_facts(facts)
    _print_records(records, None if norm is None else float(norm.lower))
    if names is None and not isinstance(system, SparseStateSpace):
        _print_left_out(options)
    if json_file is not None:
        known = None if norm is None else float(norm.lower)
        write_json(json_file, {"file": str(file), "norm": known, "rows": records})
        print(f"numbers: {json_file}")


def _options(
    names: Sequence[str] | None, given: dict[str, Any]
) -> dict[str, dict[str, Any]]:
    """Return the options of each method that takes some of what was given."""
    for name in given:
        if not any(accepted(method, name) for method in names or METHODS):
            msg = f"--{name.replace('_', '-')}: no method that is compared takes it"
            raise typer.BadParameter(msg)
    options = {}
    for method in names or METHODS:
        own = {name: given[name] for name in given if accepted(method, name)}
        # Of all methods, those that miss something stay away; named ones say so.
        if names is not None or (own and own.keys() >= set(METHODS[method].needs)):
            options[method] = method_arguments(method, own)
    return options


def _print_left_out(options: Mapping[str, Mapping[str, Any]]) -> None:
    """Say which methods would take part with which option."""
    for name, method in METHODS.items():
        missing = [need for need in method.needs if need not in options.get(name, {})]
        if missing:
            flags = " and ".join(f"--{need.replace('_', '-')}" for need in missing)
            print(f"left out: {method.title} (needs {flags})")


def _print_records(records: list[dict[str, Any]], norm: float | None) -> None:
    """Print a table of what was reduced, and a line for what was refused."""
    columns = ("method", "order", "bound", "error", "relative", "H2 error", "seconds")
    usual = ErrorBound(None).quantity
    rows, others = [], []
    for record in records:
        if record["refusal"] is not None:
            continue
        error, bound = record["hinf_error_upper"], record["error_bound"]
        relative = error / norm if error is not None and norm else None
        numbers = (bound, error, relative, record["h2_error"], record["seconds"])
        shown = ["-" if number is None else f"{number:.3g}" for number in numbers]
        if bound is not None and record["bounded_quantity"] != usual:
            shown[0] = f"*{shown[0]}"
            others.append(f"* {record['title']}: {record['bounded_quantity']}")
        title = record["title"]
        if (record["stability_margin"] or 0.0) < 0:
            title += " (unstable)"
        rows.append([title, str(record["reached"]), *shown])
    if rows:
        print_table(columns, rows)
        print(f"bound, error: {usual}")
    for line in dict.fromkeys(others):
        print(line)
    for record in records:
        if record["refusal"] is not None:
            reason = " ".join(record["refusal"].split())
            print(f"refused: {record['title']}, order {record['order']}: {reason}")
