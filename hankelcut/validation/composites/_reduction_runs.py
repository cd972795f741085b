"""How the checks of a reduction call it, and what they then check."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from hankelcut._errors import InvalidSystemError
from hankelcut.lti.structure.stability import is_stable
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.reduction.result import ReductionResult
from hankelcut.validation.composites._examples import Example, similarity
from hankelcut.validation.composites.check import REFUSED, call, call_or_refuse
from hankelcut.validation.invariants._host import System, host, spectrum
from hankelcut.validation.invariants.reductions import (
    Reduction,
    check_reduced_form,
    check_reduced_stability,
    check_same_map,
    check_unstable_part,
    model_of,
    slack_of,
)
from hankelcut.validation.invariants.violation import Property

__all__ = [
    "ReductionSubject",
    "beyond_rank",
    "changed_basis",
    "claimed",
    "duality",
    "inputs_untouched",
    "ordered",
    "plain",
    "repeatable",
    "scaling",
    "unstable_systems",
]

# A state counts for a hint if its Hankel singular value is above this share.
_NEGLIGIBLE = 1e-12
_NOT_FINITE = (
    "a division by a singular value that is zero, the inverse of a Gramian that is "
    "singular, or the root of a negative number; where fewer states count than there "
    "are, Gramians are singular"
)


@dataclass(frozen=True)
class ReductionSubject:
    """A reduction, and the systems it is for.

    Parameters
    ----------
    function : callable
        (system, order=r) -> result, system, or tuple (A, B, C, D).
    systems : hypothesis.strategies.SearchStrategy, optional
        The systems; all dense stable ones by default.
    """

    function: Callable[..., Reduction]
    systems: Any = None

    @property
    def name(self) -> str:
        """Name of the function."""
        return getattr(self.function, "__name__", type(self.function).__name__)

    def reduce(self, system: System, order: int, check: str) -> Reduction:
        """Return the reduction; any error of the function is a violation."""
        case = _case(system, order)
        reduced = call(partial(self.function, system, order=order), check, case)
        return self._model_checked(reduced, check, case)

    def reduce_or_refuse(self, system: System, order: int, check: str) -> Reduction:
        """Return the reduction, or None where the function refuses the system."""
        case = _case(system, order)
        attempt = partial(self.function, system, order=order)
        reduced = call_or_refuse(attempt, check, case)
        if reduced is REFUSED:
            return None
        return self._model_checked(reduced, check, case)

    def _model_checked(
        self, reduced: Reduction, check: str, case: dict[str, Any]
    ) -> Reduction:
        """Require that what the function returned is a model with finite numbers."""
        prop = Property(check, "a model has matrices that fit together")
        try:
            model = host(model_of(case["system"], reduced))
        except InvalidSystemError as error:
            fact = f"what the function returned is no model: {error}"
            cause = "matrices of other sizes than needed, or of another order"
            raise prop.violation(fact, case, cause) from None
        for name in "ABCD":
            matrix = getattr(model, name)
            if not np.isfinite(matrix).all():
                fact = f"{name} of the model has entries that are not finite: {matrix}"
                raise prop.violation(fact, case, _NOT_FINITE)
        return reduced


def _case(system: System, order: int) -> dict[str, Any]:
    """Return what the function is called with, and whether all states count."""
    case: dict[str, Any] = {"system": system, "order": order}
    dense = host(system)
    if is_stable(dense):
        values = spectrum(dense)
        rank = int(np.sum(values > _NEGLIGIBLE * np.max(values, initial=0.0)))
        if rank < dense.n_states:
            case["states_that_count"] = rank
    return case


def plain(check: Callable[[System, Reduction], None]) -> Callable[[Any, Any], None]:
    """Reduce the example and check the reduction."""

    def run(subject: ReductionSubject, example: Example) -> None:
        name = check.__name__
        check(example.system, subject.reduce(example.system, example.order, name))

    return run


def ordered(check: Callable[..., None]) -> Callable[[Any, Any], None]:
    """Reduce the example and check the reduction with its order."""

    def run(subject: ReductionSubject, example: Example) -> None:
        reduced = subject.reduce(example.system, example.order, check.__name__)
        check(example.system, reduced, order=example.order)

    return run


def claimed(
    check: Callable[[System, ReductionResult], None],
) -> Callable[[Any, Any], None]:
    """Reduce the example and check what a result claims, where there is one."""

    def run(subject: ReductionSubject, example: Example) -> None:
        reduced = subject.reduce(example.system, example.order, check.__name__)
        if isinstance(reduced, ReductionResult):
            check(example.system, reduced)

    return run


def duality(subject: ReductionSubject, example: Example) -> None:
    system, order = host(example.system), example.order
    one, two = (
        host(model_of(s, subject.reduce(s, order, "duality")))
        for s in (system, _dual(system))
    )
    source = "the dual is reduced to the dual, Moore 1981"
    tolerance = slack_of(system)
    check_same_map(one, _dual(two), name="duality", source=source, tolerance=tolerance)


def changed_basis(subject: ReductionSubject, example: Example) -> None:
    system, order, name = host(example.system), example.order, "similarity"
    real = bool(np.isrealobj(system.A))
    T = similarity(example.rng, system.n_states, real=real)
    inverse = np.linalg.inv(T)
    A, B, C = inverse @ system.A @ T, inverse @ system.B, system.C @ T
    other = replace(system, A=A, B=B, C=C)
    one, two = (model_of(s, subject.reduce(s, order, name)) for s in (system, other))
    source = "balanced coordinates do not depend on the given ones, Moore 1981"
    tolerance = 10 * slack_of(system)
    check_same_map(one, two, name=name, source=source, tolerance=tolerance)


def scaling(subject: ReductionSubject, example: Example) -> None:
    system, order, name = host(example.system), example.order, "scaling"
    one = host(model_of(system, subject.reduce(system, order, name)))
    for i, o in ((-40, 0), (0, 60)):
        left, right = float(2.0**i), float(2.0**o)
        B, C, D = left * system.B, right * system.C, left * right * system.D
        other = replace(system, B=B, C=C, D=D)
        two = host(model_of(other, subject.reduce(other, order, name)))
        back = replace(two, C=two.C / (left * right), D=two.D / (left * right))
        source = "the transfer function is linear in B, C and D"
        tolerance = slack_of(system)
        check_same_map(one, back, name=name, source=source, tolerance=tolerance)


def inputs_untouched(subject: ReductionSubject, example: Example) -> None:
    system = host(example.system)
    A, B, C, D = (getattr(system, name).copy() for name in "ABCD")
    before = StateSpace(A, B, C, D, system.time)
    subject.reduce(system, example.order, "inputs_untouched")
    prop = Property("inputs_untouched", "inputs are never written into")
    for name in "ABCD":
        same = np.array_equal(getattr(system, name), getattr(before, name))
        prop.require(same, f"{name} was changed", {"system": before})


def repeatable(subject: ReductionSubject, example: Example) -> None:
    system, name = example.system, "repeatable"
    one, two = (
        model_of(system, subject.reduce(system, example.order, name)) for _ in range(2)
    )
    source = "equal systems have equal reductions"
    check_same_map(one, two, name=name, source=source, tolerance=slack_of(system))


def beyond_rank(subject: ReductionSubject, example: Example) -> None:
    """Refuse, or keep fewer states, where the order is above the rank."""
    system, order = host(example.system), example.order
    reduced = subject.reduce_or_refuse(system, order, "beyond_rank")
    if reduced is None:
        return
    check_reduced_form(system, reduced, order=order)
    check_reduced_stability(system, reduced)
    check_same_map(
        system,
        model_of(system, reduced),
        name="beyond_rank",
        source="nothing is cut above the rank, Tombs & Postlethwaite 1987",
        tolerance=1e2 * slack_of(system),
    )


def unstable_systems(subject: ReductionSubject, example: Example) -> None:
    system, order = host(example.system), example.order
    reduced = subject.reduce_or_refuse(system, order, "unstable_systems")
    if reduced is None:
        return
    check_reduced_form(system, reduced, order=order)
    check_unstable_part(system, reduced)


def _dual(system: StateSpace) -> StateSpace:
    A, B, C, D = (getattr(system, name).conj().T for name in "ABCD")
    return StateSpace(A, C, B, D, system.time)
