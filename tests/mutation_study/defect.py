"""One change to a reference that is right, and the copy that has it."""

import ast
import inspect
from dataclasses import dataclass
from types import ModuleType

__all__ = ["FIELD", "Defect", "mutant", "mutated_source"]

FIELD = "a mistake of the field"


@dataclass(frozen=True)
class Defect:
    """One seeded defect.

    Parameters
    ----------
    title : str
        What is wrong.
    seen : str
        Where this kind of defect was found.
    subject : str
        What is checked: a key of `SUBJECTS`.
    function : str
        Function, or method, of the references that is changed.
    old, new : str
        A piece of its source that occurs once, and what takes its place.
    """

    title: str
    seen: str
    subject: str
    function: str
    old: str
    new: str


def mutant(module: ModuleType, defect: Defect | None) -> ModuleType:
    """Copy of a module with one defect, or without any."""
    copy = ModuleType(f"{module.__name__}_copy")
    source = mutated_source(module, defect)
    exec(compile(source, str(module.__file__), "exec"), copy.__dict__)
    return copy


def mutated_source(module: ModuleType, defect: Defect | None) -> str:
    """Source of a module with one defect, or without any.

    Raises
    ------
    ValueError
        If the piece of source does not occur once in its function.
    """
    source = inspect.getsource(module)
    if defect is None:
        return source
    start, stop = _extent(source, defect.function)
    body = source[start:stop]
    if body.count(defect.old) != 1:
        msg = f"{defect.title}: {defect.old!r} is not once in {defect.function}"
        raise ValueError(msg)
    return source[:start] + body.replace(defect.old, defect.new) + source[stop:]


def _extent(source: str, function: str) -> tuple[int, int]:
    """Return where the source of a function or method starts and ends."""
    lines = source.splitlines(keepends=True)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and node.name == function:
            start = sum(len(line) for line in lines[: node.lineno - 1])
            return start, sum(len(line) for line in lines[: node.end_lineno])
    msg = f"there is no function {function}"
    raise ValueError(msg)
