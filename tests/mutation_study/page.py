"""The study as a page of the documentation."""

import statistics
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from tests.mutation_study.defect import Defect
from tests.mutation_study.ledger import Trials
from tests.mutation_study.subjects import FEW, LAYERS

__all__ = ["PAGE", "page", "row"]

PAGE = Path(__file__).parents[2] / "docs" / "validation.md"

INTRODUCTION = """# Do the checks find bugs?

`hankelcut.validation` tries to break what others write;
[the guide](validation_guide.md) shows how. This page says how well that works, and
`make mutation-study` writes it.

Each of {count} defects, of kinds that were found in code that people rely on, is put
into a copy of a short implementation that is right (`tests/mutation_study`), and the
copy goes through the checks of its kind with {seeds} seeds and up to {most} examples
per check (layers of adapters: {layers}).

- **{caught} of {count} defects are caught with every seed**, {some} with at least one.
- **Median number of examples that the catching check needs: {median:g}.** The most is
  {largest:g}, for: {hardest}.
- The implementations without a defect pass all checks with the same seeds and numbers
  of examples.

A defect is caught if a check raises `InvariantViolationError`. Every check gets {few}
examples before any check gets more. *Examples* are those that the named check drew
until it failed, the median over the seeds.

| checked as | defect | seen in | caught by | examples | caught |
|---|---|---|---|---:|---|
"""


def page(results: Iterable[tuple[Defect, Trials]], *, seeds: int, most: int) -> str:
    """Text of the page: the counts, and a line for every defect."""
    found = list(results)
    needed = {defect: _examples(trials) for defect, trials in found if any(trials)}
    hardest = max(needed, key=needed.__getitem__)
    text = INTRODUCTION.format(
        count=len(found),
        seeds=seeds,
        most=most,
        few=FEW,
        layers=LAYERS,
        caught=sum(all(trials) for _, trials in found),
        some=len(needed),
        median=statistics.median(needed.values()),
        largest=needed[hardest],
        hardest=hardest.title,
    )
    lines = "\n".join(row(defect, trials) for defect, trials in found)
    return f"{text}{lines}\n"


def row(defect: Defect, trials: Trials) -> str:
    """Return the line of a defect in the table."""
    caught = [finding for finding in trials if finding is not None]
    cells = [defect.subject, defect.title, defect.seen]
    if caught:
        ((check, _),) = Counter(finding.check for finding in caught).most_common(1)
        cells += [f"`{check}`", f"{_examples(trials):g}"]
    else:
        cells += ["-", "-"]
    share = "yes" if len(caught) == len(trials) else f"{len(caught)}/{len(trials)}"
    cells.append(share if caught else "**no**")
    return f"| {' | '.join(cells)} |"


def _examples(trials: Trials) -> float:
    """Median number of examples of the runs that caught a defect; 0 for none."""
    drawn = [finding.examples for finding in trials if finding is not None]
    return statistics.median(drawn) if drawn else 0.0
