"""One check of somebody's function: what it is called with, and how it is run."""

import importlib
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hankelcut._errors import MissingDependencyError, NumericalWarning
from hankelcut.validation.invariants.violation import InvariantViolationError, Property

__all__ = [
    "DEFAULT_EXAMPLES",
    "REFUSED",
    "BoundCheck",
    "Check",
    "call",
    "call_or_refuse",
    "explained",
    "run_check",
    "selected",
]

DEFAULT_EXAMPLES = 100
# Examples that are tried after the first failure, to find a smaller one.
_MOST_ATTEMPTS = 500
# How a function may refuse: LinAlgError and the errors of this package are among them.
_REFUSALS = (ValueError, ArithmeticError, RuntimeError)
_RAISED = "see the error of the function above"
_UNFIT = "numbers too large to compute with, or matrices of other sizes than needed"
REFUSED = object()
"""What `call_or_refuse` returns for a function that refused."""


@dataclass(frozen=True)
class Check:
    """One property of a kind of functions, and the systems it is tried on.

    Parameters
    ----------
    name : str
        Its name in the registry.
    function : callable
        Given the subject and an example, calls the subject's function and checks.
    examples : callable
        Of the subject, the hypothesis strategy of examples.
    summary : str
        What must hold, in one line.
    usual_cause : str
        What is wrong with most functions that fail it.
    """

    name: str
    function: Callable[[Any, Any], None]
    examples: Callable[[Any], Any]
    summary: str
    usual_cause: str


@dataclass(frozen=True)
class BoundCheck:
    """A check with the function that it is to try: call it to run it.

    Parameters
    ----------
    check : Check
        The check.
    subject : object
        The function, as its kind of checks calls it.
    max_examples : int
        Number of examples.
    seed : int, optional
        Start of the random numbers; always the same ones by default.
    """

    check: Check
    subject: Any
    max_examples: int = DEFAULT_EXAMPLES
    seed: int | None = None

    def __repr__(self) -> str:
        return f"<check {self.check.name!r} of {self.subject.name}>"

    def __call__(self) -> None:
        """Run the check; raise `InvariantViolationError` when it fails."""
        __tracebackhide__ = True
        run_check(
            self.check, self.subject, max_examples=self.max_examples, seed=self.seed
        )


def call(function: Callable[[], Any], check: str, case: Mapping[str, Any]) -> Any:
    """Call somebody's function; any error of it is a violation with its case.

    Parameters
    ----------
    function : callable
        The call, without arguments. Its warnings are not shown.
    check : str
        Name of the check, for the message.
    case : mapping
        What it was called with.

    Raises
    ------
    InvariantViolationError
        If it raises; the error itself is the cause.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return function()
    except InvariantViolationError:
        raise
    except Exception as error:  # whatever somebody's function raises is a finding
        if _is_of_hypothesis(error):
            raise
        prop = Property(check, "it works for every system of these checks")
        fact = f"the function raised {type(error).__name__}: {error}"
        raise prop.violation(fact, case, _RAISED) from error


def call_or_refuse(
    function: Callable[[], Any], check: str, case: Mapping[str, Any]
) -> Any:
    """Call somebody's function, which may refuse by an error; else as `call`.

    Parameters
    ----------
    function : callable
        The call, without arguments. Its warnings are not shown.
    check : str
        Name of the check, for the message.
    case : mapping
        What it was called with.

    Returns
    -------
    object
        What the function returned, or `REFUSED`.

    Raises
    ------
    InvariantViolationError
        If it raises an error that is no refusal.
    """

    def attempt() -> Any:
        try:
            return function()
        except InvariantViolationError:
            raise
        except _REFUSALS:
            return REFUSED

    return call(attempt, check, case)


def run_check(
    check: Check,
    subject: Any,
    *,
    max_examples: int = DEFAULT_EXAMPLES,
    seed: int | None = None,
) -> None:
    """Try a check on many examples, and raise for the smallest that fails.

    Parameters
    ----------
    check : Check
        The check.
    subject : object
        The function, as its kind of checks calls it.
    max_examples : int
        Number of examples.
    seed : int, optional
        Start of the random numbers; always the same ones by default.

    Raises
    ------
    InvariantViolationError
        If an example fails: the message has its shrunk system.
    MissingDependencyError
        If hypothesis is not installed.
    """
    __tracebackhide__ = True
    hypothesis = _hypothesis()
    phases = (hypothesis.Phase.generate, hypothesis.Phase.shrink)

    shrinking = _Shrinking()

    def examine(example: Any) -> None:
        shrinking.examine(lambda: _completed(check, subject, example))

    test = hypothesis.settings(
        max_examples=max_examples,
        deadline=None,
        database=None,
        derandomize=seed is None,
        phases=phases,
        suppress_health_check=list(hypothesis.HealthCheck),
        report_multiple_bugs=False,
        print_blob=False,
    )(hypothesis.given(check.examples(subject))(examine))
    if seed is not None:
        test = hypothesis.seed(seed)(test)
    failure = shrinking.run(test, hypothesis)
    if failure is not None:
        # Without the frames of hypothesis, which say nothing about the function.
        raise explained(check, subject, failure) from failure.__cause__


def explained(
    check: Check, subject: Any, failure: InvariantViolationError
) -> InvariantViolationError:
    """Return a failure with what was tried, what must hold, and the usual cause.

    Parameters
    ----------
    check : Check
        The check that failed.
    subject : object
        The function, as its kind of checks calls it.
    failure : InvariantViolationError
        What the check found.
    """
    lines = [f"{subject.name} fails the check {check.name!r}: {check.summary}"]
    cause = failure.usual_cause or check.usual_cause
    lines += [str(failure), f"usual cause: {cause}"]
    return InvariantViolationError("\n".join(lines))


def selected(
    registry: Mapping[str, Check],
    groups: Mapping[str, tuple[str, ...]],
    checks: str | Iterable[str],
    caller: str,
) -> list[Check]:
    """Return checks by their names and those of groups, each once.

    Parameters
    ----------
    registry, groups : mapping
        All checks, and the names in each group.
    checks : str or iterable of str
        Names of either kind.
    caller : str
        Name of the public function, for the message.

    Raises
    ------
    ValueError
        If a name is unknown.
    """
    names: dict[str, None] = {}
    for name in [checks] if isinstance(checks, str) else checks:
        if name not in registry and name not in groups:
            known = ", ".join([*groups, *registry])
            msg = f"{caller}: got check {name!r}, need one of {known}"
            raise ValueError(msg)
        names.update(dict.fromkeys(groups.get(name, (name,))))
    return [registry[name] for name in names]


def _completed(check: Check, subject: Any, example: Any) -> None:
    """Run a check; what breaks it off is a violation by what the function returned."""
    try:
        check.function(subject, example)
    except (InvariantViolationError, MissingDependencyError):
        raise
    except Exception as error:
        case = _case(example)
        if case is None or _is_of_hypothesis(error):
            raise
        prop = Property(check.name, "what a function returns can be checked")
        fact = f"the check broke off with {type(error).__name__}: {error}"
        raise prop.violation(fact, case, _UNFIT) from error


def _case(example: Any) -> dict[str, Any] | None:
    """Return the systems of an example by their names, if it has any."""
    if isinstance(example, tuple):
        return dict(zip(("first", "second"), example, strict=True))
    system = getattr(example, "system", None)
    return None if system is None else {"system": system}


def _is_of_hypothesis(error: Exception) -> bool:
    return type(error).__module__.partition(".")[0] == "hypothesis"


class _EnoughError(BaseException):
    """Ends the search for a smaller example; no `Exception`, which would be tried."""


@dataclass
class _Shrinking:
    """The search for a small example, after so many attempts ended."""

    smallest: InvariantViolationError | None = None
    attempts: int = 0

    def examine(self, check: Callable[[], None]) -> None:
        """Check one example, and remember the failure with the shortest message."""
        if self.smallest is not None:
            self.attempts += 1
            if self.attempts > _MOST_ATTEMPTS:
                raise _EnoughError
        try:
            check()
        except InvariantViolationError as error:
            if self.smallest is None or len(str(error)) <= len(str(self.smallest)):
                self.smallest = error
            raise

    def run(
        self, test: Callable[[], None], hypothesis: Any
    ) -> InvariantViolationError | None:
        """Run a hypothesis test; return the failure with the smallest example."""
        try:
            with warnings.catch_warnings():
                # Type checkers that look at random items of lists are no danger here.
                warnings.filterwarnings("ignore", "Do not use the `random` module")
                warnings.simplefilter("ignore", NumericalWarning)
                test()
        except (InvariantViolationError, _EnoughError):
            return self.smallest
        except hypothesis.errors.Flaky as error:
            fact = "the same example failed once and passed once: the function is not "
            failure = InvariantViolationError(fact + "deterministic")
            failure.__cause__ = error
            return failure
        return None


def _hypothesis() -> Any:
    try:
        return importlib.import_module("hypothesis")
    except ImportError as error:
        msg = (
            "the checks of hankelcut.validation need hypothesis, which is not "
            "installed; pip install 'hankelcut[validation]'"
        )
        raise MissingDependencyError(msg) from error
