"""What a reduction of stable systems must do, by what it promises."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.lti.systems.time_domain import Continuous
from hankelcut.validation.composites import _reduction_runs as runs
from hankelcut.validation.composites._examples import (
    Example,
    examples,
    symmetric_systems,
)
from hankelcut.validation.composites._reduction_runs import ReductionSubject
from hankelcut.validation.composites.check import (
    DEFAULT_EXAMPLES,
    Check,
    run_check,
    selected,
)
from hankelcut.validation.invariants._host import host, with_state
from hankelcut.validation.invariants.claims import check_claims, check_projections
from hankelcut.validation.invariants.reductions import (
    Reduction,
    check_full_order,
    check_hankel_lower_bound,
    check_reduced_form,
    check_reduced_stability,
)
from hankelcut.validation.invariants.truncation import (
    check_claimed_tail,
    check_feedthrough,
    check_hankel_norm_error,
    check_reduced_order,
    check_reduced_values,
    check_static_gain,
    check_truncation_bound,
)
from hankelcut.validation.strategies import stable_systems, unstable_systems
from hankelcut.validation.strategies._lattice import hypothesis_strategies

__all__ = [
    "REDUCTION_CHECKS",
    "REDUCTION_GROUPS",
    "ReductionSubject",
    "check_reduction",
    "reduction_checks",
]


def check_reduction(
    function: Callable[..., Reduction],
    *,
    checks: str | Iterable[str] | None = None,
    systems: Any = None,
    max_examples: int = DEFAULT_EXAMPLES,
    seed: int | None = None,
) -> None:
    """Try to break a reduction.

    Parameters
    ----------
    function : callable
        Called as function(system, order=r) with a dense stable `StateSpace` of NumPy
        arrays in double precision, continuous or discrete, real or complex, and an
        order between clearly different Hankel singular values. It returns a
        `ReductionResult`, a `StateSpace` or `DiagonalStateSpace`, or a tuple
        (A, B, C, D). What a result claims (values, bound, projections) is checked too.
    checks : str or iterable of str, optional
        Names in `REDUCTION_CHECKS` or `REDUCTION_GROUPS`: "balanced_truncation" by
        default; "any" has only what every method must do.
    systems : hypothesis.strategies.SearchStrategy, optional
        Other stable systems, such as ``stable_systems(real=True)`` for a reduction of
        real ones, or ``diagonal_systems(readout="real")``.
    max_examples : int
        Number of examples of each check.
    seed : int, optional
        Start of the random numbers; always the same ones by default.

    Raises
    ------
    InvariantViolationError
        If a check fails: its message has the smallest example that was found.
    MissingDependencyError
        If hypothesis is not installed.
    ValueError
        If a check is unknown.

    Examples
    --------
    >>> import hankelcut as hc
    >>> check_reduction(hc.balanced_truncation, max_examples=5)
    """
    __tracebackhide__ = True
    subject = ReductionSubject(function, systems)
    for check in reduction_checks(checks):
        run_check(check, subject, max_examples=max_examples, seed=seed)


def reduction_checks(checks: str | Iterable[str] | None) -> list[Check]:
    """Return the checks of a reduction, by default those of balanced truncation.

    Parameters
    ----------
    checks : str or iterable of str, optional
        Names in `REDUCTION_CHECKS` or `REDUCTION_GROUPS`.
    """
    names = "balanced_truncation" if checks is None else checks
    return selected(REDUCTION_CHECKS, REDUCTION_GROUPS, names, "check_reduction")


def _systems(subject: ReductionSubject) -> Any:
    """Examples of any stable system, with an order."""
    own = subject.systems
    return examples(stable_systems(min_states=2) if own is None else own)


def _full(subject: ReductionSubject) -> Any:
    """Minimal systems with their full order."""
    systems = (
        stable_systems(max_states=4) if subject.systems is None else subject.systems
    )
    return examples(systems, full=True)


def _tight(subject: ReductionSubject) -> Any:
    """Also systems whose errors attain the bounds, and systems with ties."""
    if subject.systems is not None:
        return _systems(subject)
    twice = stable_systems(max_states=2, copies=2)
    return hypothesis_strategies().one_of(
        examples(symmetric_systems()), _systems(subject), examples(twice)
    )


def _silent(subject: ReductionSubject) -> Any:
    """Systems with states that do not count, and their full order."""
    if subject.systems is None:
        systems = stable_systems(min_states=2, max_states=4, silent=1)
    else:
        systems = subject.systems.map(_with_silent_state)
    return systems.filter(lambda s: s.B.any() and s.C.any()).map(
        lambda s: Example(s, s.n_states)
    )


def _with_silent_state(system: Any) -> StateSpace:
    return with_state(host(system), -0.5, driven=False)


def _unstable(subject: ReductionSubject) -> Any:
    """Systems with unstable poles, and any order below the full one."""
    if subject.systems is None:
        systems = unstable_systems(min_states=3, max_states=5, max_unstable=2)
        systems = systems.filter(_has_stable_poles)
    else:
        systems = subject.systems.map(_with_unstable_states)
    strategies = hypothesis_strategies()

    def with_order(system: StateSpace) -> Any:
        # Shrinks to the largest order.
        cut = strategies.integers(1, max(system.n_states - 1, 1))
        return strategies.builds(
            lambda k: Example(system, max(system.n_states - k, 1)), cut
        )

    return systems.flatmap(with_order)


def _with_unstable_states(system: Any) -> StateSpace:
    poles = (0.5, 1.0) if isinstance(system.time, Continuous) else (1.5, 2.0)
    first = with_state(host(system), poles[0], driven=True)
    return with_state(first, poles[1], driven=True)


def _has_stable_poles(system: StateSpace) -> bool:
    poles = np.linalg.eigvals(system.A)
    if isinstance(system.time, Continuous):
        return bool((poles.real < 0).any())
    return bool((abs(poles) < 1).any())


def _check(
    name: str,
    function: Callable[[Any, Any], None],
    summary: str,
    usual_cause: str,
    drawn: Callable[[Any], Any] = _systems,
) -> Check:
    return Check(name, function, drawn, summary, usual_cause)


REDUCTION_CHECKS: Mapping[str, Check] = {
    check.name: check
    for check in (
        _check(
            "reduced_form",
            runs.ordered(check_reduced_form),
            "the model has the sizes, the time domain and the kind of the system",
            "an order off by one, a lost time domain, a complex form of a real system",
        ),
        _check(
            "reduced_order",
            runs.ordered(check_reduced_order),
            "the model has the order that was asked for",
            "an order off by one, or values counted against a wrong tolerance",
        ),
        _check(
            "reduced_stability",
            runs.plain(check_reduced_stability),
            "the model of a stable system is stable",
            "a projection that is not the balancing one: the wrong factor transposed, "
            "T^T for W^H, or a square root of an indefinite matrix",
        ),
        _check(
            "full_order",
            runs.plain(check_full_order),
            "the model with all states is the system",
            "W^H T is not the identity, a wrong power of the singular values, a plain "
            "transpose where an adjoint is needed, a feedthrough that is dropped, or "
            "single precision on the way",
            _full,
        ),
        _check(
            "truncation_bound",
            runs.plain(check_truncation_bound),
            "the error is at most twice the sum of the discarded values",
            "states kept that are not the leading ones, or B and C from other "
            "coordinates than A",
            _tight,
        ),
        _check(
            "hankel_lower_bound",
            runs.plain(check_hankel_lower_bound),
            "no model of that order is closer in the Hankel norm than the next value",
            "a model with more states than it says",
        ),
        _check(
            "feedthrough",
            runs.plain(check_feedthrough),
            "D is kept",
            "D dropped, or changed as by a singular perturbation",
        ),
        _check(
            "reduced_values",
            runs.plain(check_reduced_values),
            "the values of the model are the leading ones of the system",
            "coordinates that are not balanced: a wrong power of the singular values, "
            "or a lambda for its conjugate",
        ),
        _check(
            "static_gain",
            runs.plain(check_static_gain),
            "the gain at frequency 0 is kept",
            "the formulas of the other time domain: -A22 for I - A22",
        ),
        _check(
            "hankel_norm_error",
            runs.plain(check_hankel_norm_error),
            "the Hankel norm of the error is the first discarded value",
            "the values of the unstable part, or a multiplicity counted as one",
        ),
        _check(
            "duality",
            runs.duality,
            "the dual of a system is reduced to the dual of its model",
            "a plain transpose where an adjoint is needed, or P and Q exchanged",
        ),
        _check(
            "similarity",
            runs.changed_basis,
            "a change of the states' basis does not change the model",
            "states ranked or cut before they are balanced",
        ),
        _check(
            "scaling",
            runs.scaling,
            "B and C times powers of two give that multiple of the model",
            "jitter added to Gramians, or tolerances that are absolute numbers",
        ),
        _check(
            "claims",
            runs.claimed(check_claims),
            "order, values and error bound of a result are true",
            "a missing factor 2, a tail sum off by one, or values that were cut off",
            _tight,
        ),
        _check(
            "claimed_tail",
            runs.claimed(check_claimed_tail),
            "the error bound is not more than twice the discarded values",
            "a tail sum off by one",
            _tight,
        ),
        _check(
            "projections",
            runs.claimed(check_projections),
            "the projections of a result make its model",
            "W returned where W^H is meant, or projections of other coordinates",
        ),
        _check(
            "inputs_untouched",
            runs.inputs_untouched,
            "the system is not written into",
            "an in-place operation, or overwrite_a=True",
        ),
        _check(
            "repeatable",
            runs.repeatable,
            "equal systems have equal reductions",
            "a start that is random, or state kept between calls",
        ),
        _check(
            "beyond_rank",
            runs.beyond_rank,
            "an order above the rank is refused, or met by an exact model",
            "a division by a singular value that is zero or rounding",
            _silent,
        ),
        _check(
            "unstable_systems",
            runs.unstable_systems,
            "an unstable system is refused, or its unstable part kept",
            "the Lyapunov equation has a solution there too, but it is no Gramian",
            _unstable,
        ),
    )
}
"""Every check of a reduction by name."""

_ANY = (
    "reduced_form",
    "reduced_stability",
    "hankel_lower_bound",
    "claims",
    "projections",
    "inputs_untouched",
    "repeatable",
    "beyond_rank",
    "unstable_systems",
)
_BALANCED = (
    "reduced_form",
    "reduced_order",
    "full_order",
    "reduced_stability",
    "duality",
    "similarity",
    "scaling",
    "truncation_bound",
    "reduced_values",
    *_ANY[2:],
    "claimed_tail",
)
REDUCTION_GROUPS: Mapping[str, tuple[str, ...]] = {
    "any": _ANY,
    "balanced_truncation": (*_BALANCED, "feedthrough"),
    "singular_perturbation": (*_BALANCED, "static_gain"),
    "hankel_norm": (
        "reduced_form",
        "full_order",
        "scaling",
        "truncation_bound",
        "hankel_norm_error",
        *_ANY[1:],
    ),
}
"""What methods promise: names of checks by the kind of the method."""
