"""What a function of a norm must do."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from hankelcut.lti.systems.time_domain import Continuous
from hankelcut.validation.composites import _norm_runs as runs
from hankelcut.validation.composites._examples import Example, pairs
from hankelcut.validation.composites._norm_runs import NormSubject
from hankelcut.validation.composites.check import (
    DEFAULT_EXAMPLES,
    Check,
    run_check,
    selected,
)
from hankelcut.validation.invariants.norms import Norm
from hankelcut.validation.strategies._lattice import hypothesis_strategies
from hankelcut.validation.strategies.stable_systems import stable_systems

__all__ = ["NORM_CHECKS", "NormSubject", "check_norm", "norm_checks"]


def check_norm(
    function: Callable[[Any], Any],
    *,
    norm: Norm,
    rtol: float = 1e-6,
    checks: Iterable[str] | None = None,
    max_examples: int = DEFAULT_EXAMPLES,
    seed: int | None = None,
) -> None:
    """Try to break a function of a norm.

    Parameters
    ----------
    function : callable
        Of a dense stable `StateSpace` of NumPy arrays in double precision, a number or
        an `HinfBracket`. The H2 norm of a continuous system with D != 0 is infinite:
        it may be refused.
    norm : {"hinf", "h2", "hankel"}
        Which norm it is.
    rtol : float
        Relative accuracy that it promises.
    checks : iterable of str, optional
        Names in `NORM_CHECKS`; all that apply to the norm by default.
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
    >>> from hankelcut.lti import h2_norm
    >>> check_norm(h2_norm, norm="h2", max_examples=5)
    """
    __tracebackhide__ = True
    subject = NormSubject(function, norm, rtol)
    for check in norm_checks(subject, checks):
        run_check(check, subject, max_examples=max_examples, seed=seed)


def norm_checks(subject: NormSubject, checks: Iterable[str] | None) -> list[Check]:
    """Return the checks of a norm by name, by default all that apply to it.

    Parameters
    ----------
    subject : NormSubject
        The function.
    checks : iterable of str, optional
        Names in `NORM_CHECKS`.
    """
    if checks is not None:
        return selected(NORM_CHECKS, {}, checks, "check_norm")
    others = {
        "hinf": ("infinite",),
        "h2": ("direct_sum", "cascade", "grid", "chain"),
        "hankel": ("cascade", "grid", "infinite"),
    }
    left_out = others[subject.norm]
    return [check for name, check in NORM_CHECKS.items() if name not in left_out]


def _systems(subject: NormSubject) -> Any:
    strategies = hypothesis_strategies()
    return strategies.builds(Example, stable_systems(), seed=strategies.integers(0, 9))


def _continuous(subject: NormSubject) -> Any:
    systems = stable_systems(max_states=3, time=Continuous())
    return hypothesis_strategies().builds(Example, systems)


def _first(subject: NormSubject) -> Any:
    return hypothesis_strategies().builds(Example, stable_systems(max_states=1))


def _pairs(subject: NormSubject) -> Any:
    return pairs()


NORM_CHECKS: Mapping[str, Check] = {
    check.name: check
    for check in (
        Check(
            "first_order",
            runs.first_order,
            _first,
            "the norm of one state has its formula",
            "a missing factor 2, or the formula of the other time domain",
        ),
        Check(
            "value",
            runs.value,
            _systems,
            "the norm agrees with its definition",
            "a peak between grid points, negative frequencies of complex systems, D "
            "left out, or an adjoint missing in the trace",
        ),
        Check(
            "infinite",
            runs.infinite,
            _continuous,
            "the H2 norm of a continuous system with D != 0 is infinite, or refused",
            "D left out",
        ),
        Check(
            "grid",
            runs.grid,
            _systems,
            "no gain is above the norm",
            "a peak between grid points, or a Hamiltonian without its feedthrough",
        ),
        Check(
            "chain",
            runs.chain,
            _systems,
            "Hankel norm <= H-infinity norm <= |D| + twice the sum of the values",
            "D left out of the H-infinity norm, or counted in the Hankel norm",
        ),
        Check(
            "similarity",
            runs.changed_basis,
            _systems,
            "a change of the states' basis changes nothing",
            "a Gramian of other coordinates than B and C",
        ),
        Check(
            "duality",
            runs.duality,
            _systems,
            "the dual system has the same norm",
            "a plain transpose where an adjoint is needed, or P and Q exchanged",
        ),
        Check(
            "conjugation",
            runs.conjugation,
            _systems,
            "the conjugate system has the same norm",
            "frequencies of one sign only, as of real systems",
        ),
        Check(
            "frequency_shift",
            runs.frequency_shift,
            _systems,
            "a shift of all frequencies, A + i w or e^(i w) (A, B), changes nothing",
            "an imaginary part that is dropped, or frequencies of one sign only",
        ),
        Check(
            "unitary",
            runs.turned_channels,
            _systems,
            "unitary matrices at the inputs and outputs change nothing",
            "a norm of entries, rows or columns for one of matrices",
        ),
        Check(
            "scaling",
            runs.scaling,
            _systems,
            "B and C times powers of two give that multiple of the norm",
            "jitter added to Gramians, or tolerances that are absolute numbers",
        ),
        Check(
            "padding",
            runs.padding,
            _systems,
            "a state that nothing drives changes nothing",
            "an equation solved for minimal systems only",
        ),
        Check(
            "direct_sum",
            runs.direct_sum,
            _pairs,
            "two uncoupled systems have the larger norm of both",
            "a Frobenius norm for the largest singular value",
        ),
        Check(
            "triangle",
            runs.triangle,
            _pairs,
            "a sum has at most the sum of the norms",
            "a square where a root is meant",
        ),
        Check(
            "cascade",
            runs.cascade,
            _pairs,
            "a series connection has at most the product of the norms",
            "a norm that is not the largest gain",
        ),
    )
}
"""Every check of a norm by name."""
