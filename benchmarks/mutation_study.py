"""Count the seeded defects that the checks of hankelcut.validation catch.

Every defect of seeded_defects.py is put into a copy of a plain implementation
(reference_functions.py, reference_adapter.py), which goes through the checks of its
kind. The same checks must pass the copy without a defect. Writes docs/validation.md.

Run: python benchmarks/mutation_study.py [--seeds 5] [--examples 100] [--only TEXT]
"""

import argparse
import statistics
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import hypothesis
import reference_adapter
import reference_functions
import torch
from seeded_defects import DEFECTS, Defect, mutant

import hankelcut as hc
from hankelcut.nn import LRU
from hankelcut.validation.adapter_checks import ADAPTER_CHECKS
from hankelcut.validation.adapter_properties import LayerSubject
from hankelcut.validation.composites.check import Check
from hankelcut.validation.composites.hankel_value_checks import (
    HankelValueSubject,
    hankel_value_checks,
)
from hankelcut.validation.composites.lyapunov_checks import (
    LyapunovSubject,
    lyapunov_checks,
)
from hankelcut.validation.composites.norm_checks import NormSubject, norm_checks
from hankelcut.validation.composites.reduction_checks import (
    ReductionSubject,
    reduction_checks,
)

PAGE = Path(__file__).parents[1] / "docs" / "validation.md"
# Every check gets a few examples before any gets many.
FEW = 5
LAYERS = 3


class CaughtError(BaseException):
    """A check failed; no hypothesis engine holds it back to shrink the example."""


@dataclass(frozen=True)
class Trial:
    """One check of one subject.

    Parameters
    ----------
    check : str
        Its name.
    run : callable
        Given a seed and a number of examples, tries the subject; returns the number of
        the first example that fails, or None.
    """

    check: str
    run: Callable[[int, int], int | None]


@dataclass(frozen=True)
class Finding:
    """What caught a defect with one seed."""

    check: str
    examples: int


def first_failure(check: Check, subject: Any, seed: int, most: int) -> int | None:
    """Draw examples until a check fails, and return their number, or None."""
    count = 0

    def examine(example: Any) -> None:
        nonlocal count
        count += 1
        try:
            check.function(subject, example)
        except Exception as error:
            if isinstance(error, hypothesis.errors.HypothesisException):
                raise
            raise CaughtError from error

    test = hypothesis.settings(
        max_examples=most,
        deadline=None,
        database=None,
        phases=(hypothesis.Phase.generate,),
        suppress_health_check=list(hypothesis.HealthCheck),
    )(hypothesis.given(check.examples(subject))(examine))
    try:
        hypothesis.seed(seed)(test)()
    except CaughtError:
        return count
    return None


def drawn_trials(checks: list[Check], subject: Any) -> Iterator[Trial]:
    """Trials of checks that draw systems."""
    for check in checks:
        yield Trial(check.name, partial(first_failure, check, subject))


def lyapunov_trials(
    name: str, period: hc.Continuous | hc.Discrete, factored: bool, module: ModuleType
) -> Iterator[Trial]:
    """Trials of a solver of the references."""
    subject = LyapunovSubject(getattr(module, name), period, factored)
    return drawn_trials(lyapunov_checks(subject, None), subject)


def reduction_trials(name: str, group: str, module: ModuleType) -> Iterator[Trial]:
    """Trials of a reduction of the references."""
    subject = ReductionSubject(getattr(module, name))
    return drawn_trials(reduction_checks(group), subject)


def value_trials(module: ModuleType) -> Iterator[Trial]:
    """Trials of the Hankel singular values of the references."""
    subject = HankelValueSubject(module.hankel_singular_values)
    return drawn_trials(hankel_value_checks(None), subject)


def norm_trials(name: str, norm: Any, module: ModuleType) -> Iterator[Trial]:
    """Trials of a norm of the references."""
    subject = NormSubject(getattr(module, name), norm)
    return drawn_trials(norm_checks(subject, None), subject)


def adapter_trials(module: ModuleType) -> Iterator[Trial]:
    """Trials of the adapter, and of the cut, of the references."""
    first = LayerSubject(
        lambda: LRU(3, 8, 0.3, 0.95), adapter=module.PlainLRUAdapter(), cut=module.cut
    )

    def run(check: Callable[[Any], None], seed: int, most: int) -> int | None:
        for k in range(min(LAYERS, most)):
            try:
                check(replaced(first, 1000 * seed + k))
            except Exception:
                return k + 1
        return None

    for name, check in ADAPTER_CHECKS.items():
        yield Trial(name, partial(run, check))


def replaced(subject: Any, seed: int) -> Any:
    """Return the subject with another seed."""
    return LayerSubject(
        subject.factory, subject.adapter, subject.run, subject.reads, subject.cut, seed
    )


SUBJECTS: Mapping[str, tuple[ModuleType, Callable[[ModuleType], Iterator[Trial]]]] = {
    "continuous Lyapunov": (
        reference_functions,
        partial(lyapunov_trials, "continuous_lyapunov", hc.Continuous(), False),
    ),
    "discrete Lyapunov": (
        reference_functions,
        partial(lyapunov_trials, "discrete_lyapunov", hc.Discrete(), False),
    ),
    "continuous factor": (
        reference_functions,
        partial(lyapunov_trials, "continuous_factor", hc.Continuous(), True),
    ),
    "discrete factor": (
        reference_functions,
        partial(lyapunov_trials, "discrete_factor", hc.Discrete(), True),
    ),
    "Hankel singular values": (reference_functions, value_trials),
    "balanced truncation": (
        reference_functions,
        partial(reduction_trials, "balanced_truncation", "balanced_truncation"),
    ),
    "singular perturbation approximation": (
        reference_functions,
        partial(
            reduction_trials,
            "singular_perturbation",
            "singular_perturbation",
        ),
    ),
    "H2 norm": (reference_functions, partial(norm_trials, "h2_norm", "h2")),
    "Hankel norm": (reference_functions, partial(norm_trials, "hankel_norm", "hankel")),
    "H-infinity norm": (reference_functions, partial(norm_trials, "hinf_norm", "hinf")),
    "adapter": (reference_adapter, adapter_trials),
    "cut in training": (reference_adapter, adapter_trials),
}
"""What is checked: where the references are, and the trials of a copy of them."""


def found(
    subject: str, defect: Defect | None, seed: int, most: int, few: int = FEW
) -> Finding | None:
    """Return what catches a defect with a seed, or None.

    Parameters
    ----------
    subject : str
        What is checked: a key of `SUBJECTS`.
    defect : Defect or None
        The defect; None for the references themselves.
    seed : int
        Start of the random numbers.
    most : int
        Examples per check.
    few : int
        Examples that every check gets before any gets more.
    """
    module, trials = SUBJECTS[subject]
    copy = mutant(module, defect)
    for limit in sorted({min(few, most), most}):
        for trial in trials(copy):
            count = trial.run(seed, limit)
            if count is not None:
                return Finding(trial.check, count)
    return None


def study(
    defects: list[Defect], seeds: range, most: int
) -> Iterator[tuple[Defect, list[Finding | None]]]:
    """Yield the findings of every defect, one per seed."""
    for defect in defects:
        begun = time.perf_counter()
        findings = [found(defect.subject, defect, seed, most) for seed in seeds]
        caught = sum(finding is not None for finding in findings)
        seconds = time.perf_counter() - begun
        checks = Counter(finding.check for finding in findings if finding)
        text = f"{caught}/{len(findings)} in {seconds:5.1f} s  {defect.title}"
        print(f"{text} {dict(checks)}", flush=True)
        yield defect, findings


def row(defect: Defect, findings: list[Finding | None]) -> str:
    """Return the line of a defect in the table of the page."""
    caught = [finding for finding in findings if finding is not None]
    cells = [defect.subject, defect.title, defect.seen]
    if caught:
        ((check, _),) = Counter(finding.check for finding in caught).most_common(1)
        median = statistics.median(finding.examples for finding in caught)
        cells += [f"`{check}`", f"{median:g}"]
    else:
        cells += ["-", "-"]
    share = "yes" if len(caught) == len(findings) else f"{len(caught)}/{len(findings)}"
    cells.append(share if caught else "**no**")
    return f"| {' | '.join(cells)} |"


INTRODUCTION = """# Validation

`hankelcut.validation` tries to break what others write: a reduction, a solver of
Lyapunov equations, a norm, an adapter of a layer.

```python
import hankelcut as hc
from hankelcut.validation import check_reduction

check_reduction(my_reduction)  # called as my_reduction(system, order=r)
```

A failure is an `InvariantViolationError` whose message has the numbers, the source of
the property, and the smallest system that was found, as Python to paste into a test.
`cross_check` compares hankelcut with python-control, Slycot and pyMOR on one system,
and `hankelcut validate` does so on the shell.

## Do the checks catch defects?

`make mutation-study` writes this page. Each of {count} defects, of kinds that were
found in code that people rely on, is put into a copy of a plain implementation that is
right, and the copy goes through the checks of its kind, with {seeds} seeds and up to
{most} examples per check. The implementations without a defect pass all of them.
**{caught} of {count} are caught with every seed.** Examples are those that the named
check drew until it failed: the median over the seeds.

| checked as | defect | seen in | caught by | examples | caught |
|---|---|---|---|---:|---|
"""


def arguments() -> argparse.Namespace:
    """Read the options."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--examples", type=int, default=100)
    parser.add_argument("--only", default="", help="part of a title or subject")
    return parser.parse_args()


def main() -> None:
    """Try the references, then every defect, and write the page."""
    options = arguments()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    seeds = range(options.seeds)
    chosen = [d for d in DEFECTS if options.only in f"{d.subject}: {d.title}"]
    blamed = []
    for subject in dict.fromkeys(defect.subject for defect in chosen):
        for seed in seeds:
            finding = found(subject, None, seed, options.examples, options.examples)
            if finding is not None:
                blamed.append(f"{subject}: {finding.check}, seed {seed}")
                print(f"WRONGLY BLAMED  {blamed[-1]}", flush=True)
    rows = list(study(chosen, seeds, options.examples))
    caught = sum(all(findings) for _, findings in rows)
    print(f"{caught} of {len(rows)} defects caught with every seed")
    if not options.only and not blamed:
        text = INTRODUCTION.format(
            count=len(rows), seeds=len(seeds), most=options.examples, caught=caught
        )
        lines = "\n".join(row(defect, findings) for defect, findings in rows)
        PAGE.write_text(f"{text}{lines}\n", encoding="utf-8")
    sys.exit(bool(blamed))


if __name__ == "__main__":
    main()
