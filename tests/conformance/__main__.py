"""Write docs/conformance.md: every method against every oracle that it has."""

import warnings
from collections.abc import Iterator
from pathlib import Path

from hankelcut import NumericalWarning
from tests.conformance import Comparison, modules

PAGE = Path(__file__).parents[2] / "docs" / "conformance.md"

INTRODUCTION = """# Conformance

Every method of reduction against independent oracles: other toolboxes, printed
examples, and the definitions of what it computes. `make conformance` writes this page;
the tests assert that no difference is above its tolerance. Differences are relative.

## Worst difference of each method to each oracle

| method | oracle | comparisons | worst difference |
|---|---|---:|---:|
"""

DETAILS = """
## Every comparison

| method | oracle | quantity | difference | tolerance |
|---|---|---|---:|---:|
"""


def page(found: list[Comparison]) -> str:
    """Both tables, in the order of the methods' names."""
    groups: dict[tuple[str, str], list[Comparison]] = {}
    for item in found:
        groups.setdefault((item.method, item.oracle), []).append(item)
    summary = [
        f"| {method} | {oracle} | {len(items)} | "
        f"{max(item.difference for item in items):.1e} |"
        for (method, oracle), items in groups.items()
    ]
    details = [
        f"| {item.method} | {item.oracle} | {item.quantity} | "
        f"{item.difference:.1e} | {item.tolerance:.1e} |"
        for item in found
    ]
    tables = INTRODUCTION + "\n".join(summary) + "\n" + DETAILS + "\n".join(details)
    return f"{tables}\n"


def collected() -> Iterator[Comparison]:
    """All comparisons, module by module."""
    for _, comparisons in sorted(modules().items()):
        yield from comparisons


def main() -> None:
    """Compute everything and write the page."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NumericalWarning)
        found = list(collected())
    PAGE.write_text(page(found), encoding="utf-8")


if __name__ == "__main__":
    main()
