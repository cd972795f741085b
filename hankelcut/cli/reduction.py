"""The command `hankelcut reduce`: from a file to a smaller one, with a certificate."""

import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hankelcut.cli.console import (
    print_facts,
    print_table,
    require_writable,
    usage_errors,
    working,
    write_json,
)
from hankelcut.cli.method_options import (
    Band,
    Gamma,
    Horizon,
    InputWeight,
    Match,
    Options,
    OutputWeight,
    accepted,
    gathered,
    method_arguments,
    require_method,
)
from hankelcut.cli.systems import (
    JsonFile,
    System,
    SystemFile,
    load_one,
    norm_if_stable,
    require_picture,
    require_system_file,
)
from hankelcut.lti import HinfBracket, SparseStateSpace, save
from hankelcut.reduction import ReductionResult
from hankelcut.reduction.comparison import METHODS

if TYPE_CHECKING:
    from hankelcut.reports import ReductionSummary, ValueRow

__all__ = ["reduce"]

_DEFAULT_TOLERANCE = 1e-3
_VALUES_AROUND_THE_CUT = 4


def reduce(
    file: SystemFile,
    method: Annotated[
        str, typer.Option(help="How to reduce: one of the methods below.")
    ] = "balanced_truncation",
    order: Annotated[
        int | None, typer.Option(min=0, help="Number of states to keep.")
    ] = None,
    error_tol: Annotated[
        float | None, typer.Option(min=0, help="Instead: largest H-infinity error.")
    ] = None,
    relative: Annotated[
        bool,
        typer.Option(
            "--relative", help="Of --error-tol: a share of the norm of the system."
        ),
    ] = False,
    energy_tol: Annotated[
        float | None,
        typer.Option(min=0, help="Instead: largest discarded share of the values."),
    ] = None,
    max_order: Annotated[
        int | None, typer.Option(min=0, help="Largest order that a tolerance may get.")
    ] = None,
    band: Band = None,
    horizon: Horizon = None,
    gamma: Gamma = None,
    match: Match = None,
    input_weight: InputWeight = None,
    output_weight: OutputWeight = None,
    option: Options = None,
    output: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="Save the model: .mat, .npz or .json."),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="Write an HTML page with all pictures."),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            dir_okay=False, help="Draw both frequency responses, the error, the bound."
        ),
    ] = None,
    json_file: JsonFile = None,
    certify: Annotated[
        bool, typer.Option(help="Measure the error of the reduced model.")
    ] = True,
) -> None:
    """Reduce the system in a file, and say by how much the model is wrong.

    Without --order and the tolerances: the smallest model whose error is at most 0.001
    of the H-infinity norm of the system.

    [bold]Examples[/bold]

    hankelcut reduce plant.mat --order 12 --output small.mat

    hankelcut reduce plant.mat --error-tol 0.01 --relative --report plant.html

    hankelcut reduce plant.mat --method frequency_limited_truncation --band 0 10
    --order 8
    """
    method = require_method(method)
    _require_files(output, report, plot, json_file)
    target = _target(order, error_tol, energy_tol, relative, max_order)
    given = gathered(
        {"band": band, "horizon": horizon, "gamma": gamma, "match": match},
        {"input_weight": input_weight, "output_weight": output_weight},
        option,
    )
    arguments = method_arguments(method, given)
    system = load_one(file)
    method = _method_for(system, method)
    begun = time.perf_counter()
    with working(f"{METHODS[method].title} of {file.name}") as show:
        result = _reduced(system, method, {**target, **arguments}, show)
        seconds = time.perf_counter() - begun
        show("measuring the error")
        summary = _summary(result, target, seconds, certify)
        show("writing files")
        written = _write_files(summary, file, output, report, plot, json_file)
    if order is error_tol is energy_tol is None:
        print(
            f"no target was given: relative error {_DEFAULT_TOLERANCE:g} "
            "(--error-tol 0.001 --relative)"
        )
    _print_summary(summary)
    for what, path in written.items():
        print(f"{what}: {path}")


def _require_files(
    output: Path | None,
    report: Path | None,
    plot: Path | None,
    json_file: Path | None,
) -> None:
    """Raise before any work if a file cannot be written."""
    if output is not None:
        require_system_file(output)
    if plot is not None:
        require_picture(plot)
    for path in (report, json_file):
        if path is not None:
            require_writable(path)


def _target(
    order: int | None,
    error_tol: float | None,
    energy_tol: float | None,
    relative: bool,
    max_order: int | None,
) -> dict[str, Any]:
    """Return arguments that decide the order, the default ones if there are none."""
    named = {"order": order, "error_tol": error_tol, "energy_tol": energy_tol}
    target: dict[str, Any] = {k: v for k, v in named.items() if v is not None}
    if len(target) > 1:
        shown = " and ".join(f"--{name.replace('_', '-')}" for name in target)
        raise typer.BadParameter(f"got {shown}, need one of them")
    if relative and error_tol is None:
        raise typer.BadParameter("--relative says what --error-tol means: give both")
    if not target:
        target, relative = {"error_tol": _DEFAULT_TOLERANCE}, True
    if "error_tol" in target:
        target["relative"] = relative
    return target if max_order is None else {**target, "max_order": max_order}


def _method_for(system: System, method: str) -> str:
    """Return the method, for a sparse system the low-rank form of the default."""
    if isinstance(system, SparseStateSpace) and method == "balanced_truncation":
        return "low_rank_balanced_truncation"
    return method


def _reduced(
    system: System, method: str, arguments: dict[str, Any], show: Any
) -> ReductionResult:
    """Reduce, with progress where the method reports it."""
    title = METHODS[method].title

    def progress(iteration: int, change: float) -> None:
        show(f"{title}: iteration {iteration}, {change:.1e}")

    if accepted(method, "progress"):
        arguments = {**arguments, "progress": progress}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with usage_errors():
            result = METHODS[method].function(system, **arguments)
    for item in caught:
        # What is in the result is printed with it.
        if not any(note in str(item.message) for note in result.warnings):
            warnings.warn(item.message, stacklevel=2)
    return result


def _summary(
    result: ReductionResult, target: dict[str, Any], seconds: float, certify: bool
) -> "ReductionSummary":
    """Measure what was reduced."""
    from hankelcut.reports import ReductionSummary

    norm = norm_if_stable(result.full) if certify or target.get("relative") else None
    certificate = result.certify() if certify else None
    reason = _reason(result, target, norm)
    return ReductionSummary(result, certificate, norm, reason, seconds)


def _reason(
    result: ReductionResult, target: dict[str, Any], norm: HinfBracket | None
) -> str:
    """Say why the order is what it is."""
    what = "error" if result.error_bound is None else "error bound"
    if "order" in target:
        asked = target["order"]
        return "asked for" if asked == result.order else f"{asked} was asked for"
    if result.order == target.get("max_order"):
        return "the largest that --max-order allows, or enough for the tolerance"
    if "energy_tol" in target:
        share = target["energy_tol"]
        return f"the smallest that discards at most {share:g} of the sum of the values"
    tolerance = target["error_tol"]
    if not target["relative"]:
        return f"the smallest whose {what} is at most {tolerance:g}"
    reason = f"the smallest whose {what} is at most {tolerance:g} of the norm"
    if norm is None:
        return reason
    return f"{reason}, {tolerance * float(norm.lower):.4g}"


def _print_summary(summary: "ReductionSummary") -> None:
    """Print the facts, the values around the cut, and the notes."""
    print_facts(summary.facts())
    rows = summary.values(around=_VALUES_AROUND_THE_CUT)
    if rows:
        print(f"\n{summary.result.values_name} around the cut:")
        columns, cells = ["k", "value", ""], [_cells(row) for row in rows]
        if rows[0].bound is not None:
            columns.insert(2, "bound if the first k are kept")
        print_table(columns, cells)
    for note in summary.result.warnings:
        print(f"note: {note}")


def _cells(row: "ValueRow") -> list[str]:
    bound = [] if row.bound is None else [f"{row.bound:.4g}"]
    status = "kept" if row.kept else "discarded"
    return [str(row.number), f"{row.value:.4g}", *bound, status]


def _write_files(
    summary: "ReductionSummary",
    file: Path,
    output: Path | None,
    report: Path | None,
    plot: Path | None,
    json_file: Path | None,
) -> dict[str, Path]:
    """Write what was asked for; return where it is by what it is."""
    result = summary.result
    if output is not None:
        save(result.system, output)
    if report is not None:
        from hankelcut.reports import write_reduction_report

        write_reduction_report(report, summary, title=f"Reduction of {file.name}")
    if plot is not None:
        from hankelcut.plotting import plot_singular_value_response

        figure = plot_singular_value_response(
            result.full, result.system, bound=summary.plain_bound
        )
        figure.savefig(plot)
    if json_file is not None:
        write_json(json_file, {"file": str(file), **summary.to_dict()})
    paths = {"model": output, "report": report, "picture": plot, "numbers": json_file}
    return {what: path for what, path in paths.items() if path is not None}
