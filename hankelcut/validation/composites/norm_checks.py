"""What a function of a norm must do."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hankelcut.lti.systems.conversions import to_dense
from hankelcut.lti.systems.interconnection import parallel, series
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.lti.systems.time_domain import Continuous
from hankelcut.validation.composites._examples import (
    Example,
    pairs,
    similarity,
    unitary,
)
from hankelcut.validation.composites.check import (
    DEFAULT_EXAMPLES,
    Check,
    call,
    run_check,
    selected,
)
from hankelcut.validation.invariants._host import host, spectrum
from hankelcut.validation.invariants.invariances import (
    check_direct_sum,
    check_duality,
    check_padding,
    check_scaling,
    check_similarity,
    check_unitary_invariance,
)
from hankelcut.validation.invariants.norms import (
    Norm,
    check_norm_chain,
    check_norm_first_order,
    check_norm_grid,
    check_norm_inequality,
    check_norm_value,
    norm_interval,
)
from hankelcut.validation.strategies._lattice import hypothesis_strategies
from hankelcut.validation.strategies.stable_systems import stable_systems

__all__ = ["NORM_CHECKS", "NormSubject", "check_norm", "norm_checks"]


@dataclass(frozen=True)
class NormSubject:
    """A function of a norm, and which norm it is.

    Parameters
    ----------
    function : callable
        system -> number or HinfBracket.
    norm : {"hinf", "h2", "hankel"}
        Which one.
    rtol : float
        Relative accuracy that it promises.
    """

    function: Callable[[Any], Any]
    norm: Norm
    rtol: float = 1e-6

    @property
    def name(self) -> str:
        """Name of the function."""
        return getattr(self.function, "__name__", type(self.function).__name__)

    def value(self, system: StateSpace) -> Any:
        """Return the norm; any error of the function is a violation."""
        case = {"system": system}

        def found() -> Any:
            value = self.function(system)
            norm_interval(value)
            return value

        return call(found, f"{self.norm} norm", case)

    def middle(self, system: StateSpace) -> Any:
        """Return one number for the norm."""
        return np.asarray(sum(norm_interval(self.value(system))) / 2)


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


def _first_order(subject: NormSubject, example: Example) -> None:
    system = _strict(host(example.system))
    found = subject.value(system)
    check_norm_first_order(system, found, norm=subject.norm, rtol=subject.rtol)


def _value(subject: NormSubject, example: Example) -> None:
    system = _of_kind(subject, example)
    found = subject.value(system)
    check_norm_value(system, found, norm=subject.norm, rtol=subject.rtol)


def _infinite(subject: NormSubject, example: Example) -> None:
    system = host(example.system)
    system = replace(system, D=np.ones_like(system.D))
    try:
        found = subject.function(system)
    except (ValueError, ArithmeticError, RuntimeError):
        return
    check_norm_value(system, found, norm=subject.norm, rtol=subject.rtol)


def _grid(subject: NormSubject, example: Example) -> None:
    system = host(example.system)
    found, rng = subject.value(system), example.rng
    grid = rng.uniform(-np.pi, np.pi, 50)
    check_norm_grid(system, found, np.append(grid, 0.0), rtol=subject.rtol)


def _chain(subject: NormSubject, example: Example) -> None:
    system = host(example.system)
    found = subject.value(system)
    if subject.norm == "hinf":
        hankel = float(np.max(spectrum(system), initial=0.0))
        check_norm_chain(system, hankel=hankel, hinf=found, rtol=subject.rtol)
        return
    strict = _strict(system)
    check_norm_value(system, subject.value(strict), norm="hankel", rtol=subject.rtol)


def _similarity(subject: NormSubject, example: Example) -> None:
    system = _of_kind(subject, example)
    T = similarity(example.rng, system.n_states, real=bool(np.isrealobj(system.A)))
    check_similarity(system, subject.middle, T, rtol=_squares(subject))


def _duality(subject: NormSubject, example: Example) -> None:
    system = _of_kind(subject, example)
    check_duality(system, subject.middle, rtol=_squares(subject))


def _scaling(subject: NormSubject, example: Example) -> None:
    system = _of_kind(subject, example)
    for inputs, outputs in ((-60, 10), (40, 30)):
        check_scaling(
            system,
            subject.middle,
            inputs=inputs,
            outputs=outputs,
            rtol=_squares(subject),
        )


def _unitary(subject: NormSubject, example: Example) -> None:
    system, rng = _of_kind(subject, example), example.rng
    real = bool(np.isrealobj(system.A))
    U, V = (unitary(rng, k, real=real) for k in (system.n_inputs, system.n_outputs))
    check_unitary_invariance(system, subject.middle, U, V, rtol=_squares(subject))


def _padding(subject: NormSubject, example: Example) -> None:
    system = _of_kind(subject, example)
    check_padding(system, subject.middle, rtol=_squares(subject))


def _direct_sum(subject: NormSubject, example: tuple[StateSpace, StateSpace]) -> None:
    check_direct_sum(*example, subject.middle, rtol=_squares(subject))


def _triangle(subject: NormSubject, example: tuple[StateSpace, StateSpace]) -> None:
    first, second = (_of_kind(subject, Example(system)) for system in example)
    limit = sum(norm_interval(subject.value(part))[1] for part in (first, second))
    combined = subject.value(to_dense(parallel(first, second)))
    rule = "triangle inequality of a sum"
    check_norm_inequality(
        (first, second), combined, limit, rule=rule, rtol=2 * subject.rtol
    )


def _cascade(subject: NormSubject, example: tuple[StateSpace, StateSpace]) -> None:
    first, other = example
    A, B, C, D = (getattr(other, name).conj().T for name in "ABCD")
    second = StateSpace(A, C, B, D, other.time)
    ends = [norm_interval(subject.value(part))[1] for part in (first, second)]
    combined = subject.value(series(first, second))
    rule = "a series connection has at most the product of the norms"
    check_norm_inequality(
        (first, second),
        combined,
        ends[0] * ends[1],
        rule=rule,
        rtol=2 * subject.rtol,
    )


def _of_kind(subject: NormSubject, example: Example) -> StateSpace:
    """Return the system, strictly proper where its H2 norm would be infinite."""
    system = host(example.system)
    infinite = subject.norm == "h2" and isinstance(system.time, Continuous)
    return _strict(system) if infinite else system


def _strict(system: StateSpace) -> StateSpace:
    return replace(system, D=0 * system.D)


def _squares(subject: NormSubject) -> float:
    """Tolerance of squares."""
    return max(2 * subject.rtol, 1e-10)


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
            _first_order,
            _first,
            "the norm of one state has its formula",
            "a missing factor 2, or the formula of the other time domain",
        ),
        Check(
            "value",
            _value,
            _systems,
            "the norm agrees with its definition",
            "a peak between grid points, negative frequencies of complex systems, D "
            "left out, or an adjoint missing in the trace",
        ),
        Check(
            "infinite",
            _infinite,
            _continuous,
            "the H2 norm of a continuous system with D != 0 is infinite, or refused",
            "D left out",
        ),
        Check(
            "grid",
            _grid,
            _systems,
            "no gain is above the norm",
            "a peak between grid points, or a Hamiltonian without its feedthrough",
        ),
        Check(
            "chain",
            _chain,
            _systems,
            "Hankel norm <= H-infinity norm <= |D| + twice the sum of the values",
            "D left out of the H-infinity norm, or counted in the Hankel norm",
        ),
        Check(
            "similarity",
            _similarity,
            _systems,
            "a change of the states' basis changes nothing",
            "a Gramian of other coordinates than B and C",
        ),
        Check(
            "duality",
            _duality,
            _systems,
            "the dual system has the same norm",
            "a plain transpose where an adjoint is needed, or P and Q exchanged",
        ),
        Check(
            "unitary",
            _unitary,
            _systems,
            "unitary matrices at the inputs and outputs change nothing",
            "a norm of entries, rows or columns for one of matrices",
        ),
        Check(
            "scaling",
            _scaling,
            _systems,
            "B and C times powers of two give that multiple of the norm",
            "jitter added to Gramians, or tolerances that are absolute numbers",
        ),
        Check(
            "padding",
            _padding,
            _systems,
            "a state that nothing drives changes nothing",
            "an equation solved for minimal systems only",
        ),
        Check(
            "direct_sum",
            _direct_sum,
            _pairs,
            "two uncoupled systems have the larger norm of both",
            "a Frobenius norm for the largest singular value",
        ),
        Check(
            "triangle",
            _triangle,
            _pairs,
            "a sum has at most the sum of the norms",
            "a square where a root is meant",
        ),
        Check(
            "cascade",
            _cascade,
            _pairs,
            "a series connection has at most the product of the norms",
            "a norm that is not the largest gain",
        ),
    )
}
"""Every check of a norm by name."""
