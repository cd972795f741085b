"""From options on the shell to the arguments that a method takes."""

import inspect
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin

import typer

from hankelcut.cli.systems import load_one
from hankelcut.reduction.comparison import METHODS

__all__ = [
    "Band",
    "Gamma",
    "Horizon",
    "InputWeight",
    "Match",
    "Options",
    "OutputWeight",
    "accepted",
    "gathered",
    "method_arguments",
    "require_method",
]

# Arguments of every method, which have options of their own, or are no business of it.
_COMMON = {
    "system",
    "order",
    "error_tol",
    "relative",
    "energy_tol",
    "max_order",
    "progress",
}

Band: TypeAlias = Annotated[
    tuple[float, float] | None,
    typer.Option(help="Frequency-limited: the band in rad/s, or radians per sample."),
]
Horizon: TypeAlias = Annotated[
    str | None, typer.Option(help="Time-limited: the horizon in s, or samples.")
]
Gamma: TypeAlias = Annotated[
    str | None, typer.Option(help="Bounded-real: a bound on the gain of the system.")
]
Match: TypeAlias = Annotated[
    str | None,
    typer.Option(help="Singular perturbation: where the responses agree."),
]
InputWeight: TypeAlias = Annotated[
    Path | None,
    typer.Option(dir_okay=False, help="Weighted: a file with a system at the input."),
]
OutputWeight: TypeAlias = Annotated[
    Path | None,
    typer.Option(dir_okay=False, help="Weighted: a file with a system at the output."),
]
Options: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--option",
        metavar="NAME=VALUE",
        help="Any other option of the method, as --option score=energy; repeatable.",
    ),
]


def gathered(
    values: Mapping[str, Any],
    weights: Mapping[str, Path | None],
    options: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Collect the options that were given; the files of weights are read.

    Parameters
    ----------
    values : mapping of str to object
        Options of their own by the names of the arguments, None for what was not given.
    weights : mapping of str to path
        Files of systems, in the same way.
    options : sequence of str
        Texts NAME=VALUE.

    Returns
    -------
    given : dict of str to object
        Values by the names of the arguments; text is still text.
    """
    given = dict(values)
    given |= {
        k: None if path is None else load_one(path) for k, path in weights.items()
    }
    for text in options or ():
        name, equals, value = text.partition("=")
        if not equals:
            msg = f"--option {text}: need NAME=VALUE, as in --option score=energy"
            raise typer.BadParameter(msg)
        given[name.strip().replace("-", "_")] = value.strip()
    return {name: value for name, value in given.items() if value is not None}


def require_method(name: str) -> str:
    """Return the name of a method as `METHODS` has it.

    Parameters
    ----------
    name : str
        The name; hyphens are underscores.
    """
    known = name.replace("-", "_")
    if known not in METHODS:
        msg = f"--method {name}: need one of {', '.join(METHODS)}"
        raise typer.BadParameter(msg)
    return known


def accepted(method: str, name: str) -> bool:
    """Whether a method takes an argument.

    Parameters
    ----------
    method : str
        Name in `METHODS`.
    name : str
        Name of the argument.
    """
    return name in inspect.signature(METHODS[method].function).parameters


def method_arguments(method: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return keyword arguments for a method, or say what it does not take or misses.

    Parameters
    ----------
    method : str
        Name in `METHODS`.
    given : mapping of str to object
        What `gathered` returned.

    Returns
    -------
    arguments : dict of str to object
        The values, text parsed as the method's signature wants it.
    """
    parameters = inspect.signature(METHODS[method].function).parameters
    own = [name for name in parameters if name not in _COMMON]
    for name in given:
        if name not in own:
            others = [m for m in METHODS if m != method and accepted(m, name)]
            where = f"; it is one of {', '.join(others)}" if others else ""
            msg = (
                f"{method} has no option {name}, but {', '.join(own) or 'none'}{where}"
            )
            raise typer.BadParameter(msg)
    missing = [name for name in METHODS[method].needs if name not in given]
    if missing:
        shown = ", ".join(_flag(name) for name in missing)
        raise typer.BadParameter(f"{method} needs {shown}")
    return {
        name: _parsed(value, parameters[name].annotation, name)
        if isinstance(value, str)
        else value
        for name, value in given.items()
    }


def _flag(name: str) -> str:
    named = {"band", "horizon", "gamma", "match", "input_weight", "output_weight"}
    return f"--{name.replace('_', '-')}" if name in named else f"--option {name}=..."


def _parsed(text: str, annotation: Any, name: str) -> Any:
    """Read a value as one of the types of an annotation."""
    union = get_origin(annotation) in (Union, types.UnionType)
    kinds = get_args(annotation) if union else (annotation,)
    choices = [c for k in kinds if get_origin(k) is Literal for c in get_args(k)]
    if text in choices:
        return text
    if bool in kinds and text.lower() in ("true", "false"):
        return text.lower() == "true"
    # The narrowest kind first: 3 is a whole number where one may be.
    for kind in (int, float, complex):
        if kind in kinds:
            try:
                return kind(text)
            except ValueError:
                continue
    wanted = ", ".join(choices) or " or ".join(
        "true or false" if kind is bool else getattr(kind, "__name__", str(kind))
        for kind in kinds
        if kind is not type(None)
    )
    raise typer.BadParameter(f"{name}={text}: need {wanted}")
