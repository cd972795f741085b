"""The command line: what `hankelcut --help` lists."""

import sys
import warnings
from typing import Annotated

import typer

from hankelcut import __version__
from hankelcut._errors import HankelcutError, NumericalWarning
from hankelcut.cli.analysis import analyze
from hankelcut.cli.comparison import compare
from hankelcut.cli.console import print_error, print_warning
from hankelcut.cli.reduction import reduce
from hankelcut.cli.reproduction import listops, reproduce
from hankelcut.cli.survey import survey
from hankelcut.cli.training import demo, train
from hankelcut.cli.validation import validate
from hankelcut.reduction.comparison import METHODS

__all__ = ["app", "main"]

_EXIT_CODE = 2

app = typer.Typer(
    help="Reduce linear state-space models with certified errors, from files or while "
    "they train.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
_METHODS = f"[bold]Methods[/bold]: {', '.join(METHODS)}."
for _command, _epilog in (
    (reduce, _METHODS),
    (analyze, None),
    (compare, _METHODS),
    (validate, None),
    (survey, None),
    (demo, None),
    (train, None),
    (reproduce, None),
    (listops, None),
):
    app.command(epilog=_epilog)(_command)


def main() -> None:
    """Run the command line; errors of hankelcut are one line and exit code 2."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always", NumericalWarning)
            warnings.showwarning = print_warning
            app()
    except HankelcutError as error:
        print_error(error)
        sys.exit(_EXIT_CODE)


def _print_version(wanted: bool | None) -> None:
    if wanted:
        print(f"hankelcut {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool | None,
        typer.Option(
            "--version",
            callback=_print_version,
            is_eager=True,
            help="Show the version.",
        ),
    ] = None,
) -> None:
    """Reduce state-space models by balanced truncation and its relatives."""
