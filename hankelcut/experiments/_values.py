"""Checks of plain values, and the way from JSON to typed fields."""

import dataclasses
from collections.abc import Mapping
from typing import Any, get_args

__all__ = ["require", "typed"]


def require(condition: bool, name: str, value: object, need: str) -> None:
    """Raise ValueError with the value's name unless the condition holds."""
    if not condition:
        msg = f"recipe: got {name}={value!r}, need {need}"
        raise ValueError(msg)


def typed(owner: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values as JSON gives them in the types of a dataclass's fields.

    Mappings become the dataclass that stands in the type of their field.

    Parameters
    ----------
    owner : dataclass
        The class whose fields the values are for.
    values : mapping of str to object
        The values by name.

    Raises
    ------
    ValueError
        If a name is unknown or a value of another type.
    """
    fields = {item.name: item.type for item in dataclasses.fields(owner)}
    result = {}
    for name, value in values.items():
        require(name in fields, "the field", name, f"one of {', '.join(fields)}")
        choices = get_args(fields[name]) or (fields[name],)
        nested: list[Any] = [c for c in choices if dataclasses.is_dataclass(c)]
        if nested and isinstance(value, Mapping):
            value = nested[0](**typed(nested[0], value))
        if float in choices and type(value) is int:
            value = float(value)
        need = " or ".join(
            choice.__name__ if isinstance(choice, type) else repr(choice)
            for choice in choices
        )
        # By type and not by isinstance: a truth is no whole number.
        require(value in choices or type(value) in choices, name, value, need)
        result[name] = value
    return result
