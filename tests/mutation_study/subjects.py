"""What the study tries: copies of the references, and the checks of their kind."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any

import hypothesis

import hankelcut as hc
from hankelcut.nn import LRU
from hankelcut.validation import InvariantViolationError, LayerSubject
from hankelcut.validation.composites.adapter_checks import (
    DEFAULT_LAYERS,
    AdapterSubject,
    adapter_checks,
)
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
from tests.mutation_study.defect import Defect, mutant
from tests.mutation_study.references import adapter, functions

__all__ = ["FEW", "LAYERS", "SUBJECTS", "Finding", "found"]

# Every check gets a few examples before any gets many.
FEW = 5
# An adapter is tried on so many layers at most.
LAYERS = DEFAULT_LAYERS


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


def found(
    subject: str, defect: Defect | None, seed: int, most: int, few: int = FEW
) -> Finding | None:
    """Return what catches a defect with a seed, or None.

    Only an `InvariantViolationError` counts: any other error is one of the checks, and
    comes through.

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


def first_failure(
    check: Check, subject: Any, limit: int | None, seed: int, most: int
) -> int | None:
    """Draw examples until a check fails, and return their number, or None."""
    count = 0

    def examine(example: Any) -> None:
        nonlocal count
        count += 1
        try:
            check.function(subject, example)
        except InvariantViolationError as error:
            raise CaughtError from error

    test = hypothesis.settings(
        max_examples=most if limit is None else min(limit, most),
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


def drawn_trials(
    checks: list[Check], subject: Any, limit: int | None = None
) -> Iterator[Trial]:
    """Trials of checks, of at most so many examples."""
    for check in checks:
        yield Trial(check.name, partial(first_failure, check, subject, limit))


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
    layers = LayerSubject(
        lambda: LRU(3, 8, 0.3, 0.95), adapter=module.PlainLRUAdapter(), cut=module.cut
    )
    subject = AdapterSubject(layers)
    return drawn_trials(adapter_checks(None), subject, LAYERS)


SUBJECTS: Mapping[str, tuple[ModuleType, Callable[[ModuleType], Iterator[Trial]]]] = {
    "continuous Lyapunov": (
        functions,
        partial(lyapunov_trials, "continuous_lyapunov", hc.Continuous(), False),
    ),
    "discrete Lyapunov": (
        functions,
        partial(lyapunov_trials, "discrete_lyapunov", hc.Discrete(), False),
    ),
    "continuous factor": (
        functions,
        partial(lyapunov_trials, "continuous_factor", hc.Continuous(), True),
    ),
    "discrete factor": (
        functions,
        partial(lyapunov_trials, "discrete_factor", hc.Discrete(), True),
    ),
    "Hankel singular values": (functions, value_trials),
    "balanced truncation": (
        functions,
        partial(reduction_trials, "balanced_truncation", "balanced_truncation"),
    ),
    "singular perturbation approximation": (
        functions,
        partial(reduction_trials, "singular_perturbation", "singular_perturbation"),
    ),
    "H2 norm": (functions, partial(norm_trials, "h2_norm", "h2")),
    "Hankel norm": (functions, partial(norm_trials, "hankel_norm", "hankel")),
    "H-infinity norm": (functions, partial(norm_trials, "hinf_norm", "hinf")),
    "adapter": (adapter, adapter_trials),
    "cut in training": (adapter, adapter_trials),
}
"""What is checked: where the references are, and the trials of a copy of them."""
