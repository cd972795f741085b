"""The pytest plugin of hankelcut: an option and a line of the report's header.

It lies outside the package, so that pytest can load it in every project without
importing hankelcut, which would defeat tools that must be there before an import.
"""

from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import pytest

_OPTION = "--hankelcut-examples"
# Where the checks live, by name: nothing of the package is imported here.
_CHECKS = "hankelcut.validation.composites.check"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--hankelcut-examples N``."""
    parser.getgroup("hankelcut").addoption(
        _OPTION,
        type=_positive,
        default=None,
        metavar="N",
        help="number of systems that each check of hankelcut.validation draws",
    )


def pytest_report_header(config: pytest.Config) -> str:
    """Say which hankelcut is tested with, and how many systems are drawn."""
    try:
        number = version("hankelcut")
    except PackageNotFoundError:
        number = "(not installed)"
    count = config.getoption(_OPTION)
    return f"hankelcut {number}" + (f": {count} systems per check" if count else "")


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> None:
    """Give the checks of a test the number of systems that the option says."""
    count = pyfuncitem.config.getoption(_OPTION)
    if count is None:
        return
    arguments: dict[str, Any] = pyfuncitem.funcargs
    for name, value in arguments.items():
        if _is_check(value):
            arguments[name] = replace(value, max_examples=count)


def pytest_make_parametrize_id(
    config: pytest.Config, val: Any, argname: str
) -> str | None:
    """Name a check by its property in the ids of tests."""
    return str(val.check.name) if _is_check(val) else None


def _is_check(value: Any) -> bool:
    kind = type(value)
    return kind.__module__ == _CHECKS and kind.__name__ == "BoundCheck"


def _positive(text: str) -> int:
    count = int(text)
    if count < 1:
        msg = f"{_OPTION}: got {count}, need at least 1"
        raise pytest.UsageError(msg)
    return count
