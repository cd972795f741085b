"""What a function of the Hankel singular values must do."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.lti.systems.time_domain import Discrete
from hankelcut.validation.composites._examples import (
    Example,
    graded_systems,
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
from hankelcut.validation.invariants._host import Matrix, host, host_array
from hankelcut.validation.invariants.enlargements import check_direct_sum, check_padding
from hankelcut.validation.invariants.hankel_values import (
    check_bilinear_values,
    check_first_order_value,
    check_relative_accuracy,
    check_value_monotonicity,
    check_value_perturbation,
    check_values_energy,
    check_values_form,
)
from hankelcut.validation.invariants.invariances import (
    check_conjugation,
    check_duality,
    check_frequency_shift,
    check_scaling,
    check_similarity,
    check_unitary_invariance,
)
from hankelcut.validation.strategies._lattice import hypothesis_strategies
from hankelcut.validation.strategies.stable_systems import stable_systems

__all__ = [
    "HANKEL_VALUE_CHECKS",
    "HankelValueSubject",
    "check_hankel_singular_values",
    "hankel_value_checks",
]


@dataclass(frozen=True)
class HankelValueSubject:
    """A function of the Hankel singular values.

    Parameters
    ----------
    function : callable
        system -> (n,) array.
    """

    function: Callable[[Any], Any]

    @property
    def name(self) -> str:
        """Name of the function."""
        return getattr(self.function, "__name__", type(self.function).__name__)

    def values(self, system: StateSpace) -> Matrix:
        """Return the values; any error of the function is a violation."""
        found: Matrix = call(
            lambda: host_array(self.function(system)),
            "Hankel singular values",
            {"system": system},
        )
        check_values_form(system, found)
        return found


def check_hankel_singular_values(
    function: Callable[[Any], Any],
    *,
    checks: Iterable[str] | None = None,
    max_examples: int = DEFAULT_EXAMPLES,
    seed: int | None = None,
) -> None:
    """Try to break a function of the Hankel singular values.

    Parameters
    ----------
    function : callable
        Of a dense stable `StateSpace` of NumPy arrays in double precision, its n values
        in descending order.
    checks : iterable of str, optional
        Names in `HANKEL_VALUE_CHECKS`; all by default.
    max_examples : int
        Number of examples of each check.
    seed : int, optional
        Start of the random numbers; always the same ones by default.

    Raises
    ------
    InvariantViolationError
        If a check fails: its message has the smallest example that was found.
    MissingDependencyError
        If hypothesis or mpmath is not installed.
    ValueError
        If a check is unknown.

    Examples
    --------
    >>> from hankelcut.lti import hankel_singular_values
    >>> check_hankel_singular_values(hankel_singular_values, max_examples=5)
    """
    __tracebackhide__ = True
    subject = HankelValueSubject(function)
    for check in hankel_value_checks(checks):
        run_check(check, subject, max_examples=max_examples, seed=seed)


def hankel_value_checks(checks: Iterable[str] | None) -> list[Check]:
    """Return checks of Hankel singular values by name, by default all.

    Parameters
    ----------
    checks : iterable of str, optional
        Names in `HANKEL_VALUE_CHECKS`.
    """
    names = HANKEL_VALUE_CHECKS if checks is None else checks
    return selected(HANKEL_VALUE_CHECKS, {}, names, "check_hankel_singular_values")


def _form(subject: HankelValueSubject, example: Example) -> None:
    subject.values(host(example.system))


def _first_order(subject: HankelValueSubject, example: Example) -> None:
    system = host(example.system)
    check_first_order_value(system, subject.values(system))


def _energy(subject: HankelValueSubject, example: Example) -> None:
    system = host(example.system)
    check_values_energy(system, subject.values(system))


def _accuracy(subject: HankelValueSubject, example: Example) -> None:
    system = host(example.system)
    check_relative_accuracy(system, subject.values(system))


def _similarity(subject: HankelValueSubject, example: Example) -> None:
    system = host(example.system)
    T = similarity(example.rng, system.n_states, real=bool(np.isrealobj(system.A)))
    check_similarity(system, subject.values, T)


def _duality(subject: HankelValueSubject, example: Example) -> None:
    check_duality(host(example.system), subject.values)


def _unitary(subject: HankelValueSubject, example: Example) -> None:
    system, rng = host(example.system), example.rng
    real = bool(np.isrealobj(system.A))
    U, V = (unitary(rng, k, real=real) for k in (system.n_inputs, system.n_outputs))
    check_unitary_invariance(system, subject.values, U, V)


def _conjugation(subject: HankelValueSubject, example: Example) -> None:
    check_conjugation(host(example.system), subject.values)


def _frequency_shift(subject: HankelValueSubject, example: Example) -> None:
    shift = float(example.rng.uniform(-np.pi, np.pi))
    check_frequency_shift(host(example.system), subject.values, shift=shift)


def _scaling(subject: HankelValueSubject, example: Example) -> None:
    for inputs, outputs in ((-60, 10), (40, 30)):
        system = host(example.system)
        check_scaling(system, subject.values, inputs=inputs, outputs=outputs)


def _padding(subject: HankelValueSubject, example: Example) -> None:
    check_padding(host(example.system), subject.values)


def _direct_sum(
    subject: HankelValueSubject, example: tuple[StateSpace, StateSpace]
) -> None:
    check_direct_sum(*example, subject.values)


def _monotonicity(subject: HankelValueSubject, example: Example) -> None:
    check_value_monotonicity(host(example.system), subject.values)


def _perturbation(
    subject: HankelValueSubject, example: tuple[StateSpace, StateSpace]
) -> None:
    check_value_perturbation(*example, subject.values)


def _bilinear(subject: HankelValueSubject, example: Example) -> None:
    check_bilinear_values(host(example.system), subject.values)


def _systems(subject: HankelValueSubject) -> Any:
    strategies = hypothesis_strategies()
    return strategies.builds(Example, stable_systems(), seed=strategies.integers(0, 9))


def _first(subject: HankelValueSubject) -> Any:
    return hypothesis_strategies().builds(Example, stable_systems(max_states=1))


def _graded(subject: HankelValueSubject) -> Any:
    return hypothesis_strategies().builds(Example, graded_systems())


def _discrete(subject: HankelValueSubject) -> Any:
    return hypothesis_strategies().builds(Example, stable_systems(time=Discrete()))


def _pairs(subject: HankelValueSubject) -> Any:
    return pairs()


def _pairs_and_twins(subject: HankelValueSubject) -> Any:
    """Two systems, or one twice, which makes every value a tie."""
    twins = stable_systems(max_states=3).map(lambda system: (system, system))
    return hypothesis_strategies().one_of(pairs(), twins)


HANKEL_VALUE_CHECKS: Mapping[str, Check] = {
    check.name: check
    for check in (
        Check(
            "form",
            _form,
            _systems,
            "there are n values, real, not negative and descending",
            "values left unsorted or cut off, or roots of negative eigenvalues",
        ),
        Check(
            "first_order",
            _first_order,
            _first,
            "the value of one state has its formula",
            "a missing factor 2, a missing root, or the other time domain",
        ),
        Check(
            "energy",
            _energy,
            _systems,
            "the squares add up to trace(P Q)",
            "a plain transpose where an adjoint is needed, or lambda for its conjugate",
        ),
        Check(
            "accuracy",
            _accuracy,
            _graded,
            "small values keep their digits",
            "roots of eigenvalues of P Q, or factors taken from Gramians",
        ),
        Check(
            "similarity",
            _similarity,
            _systems,
            "a change of the states' basis changes nothing",
            "the values of one Gramian, which depend on the basis",
        ),
        Check(
            "duality",
            _duality,
            _systems,
            "the dual system has the same values",
            "a plain transpose where an adjoint is needed",
        ),
        Check(
            "unitary",
            _unitary,
            _systems,
            "unitary matrices at the inputs and outputs change nothing",
            "a plain transpose where an adjoint is needed",
        ),
        Check(
            "conjugation",
            _conjugation,
            _systems,
            "the conjugate system has the same values",
            "real and imaginary parts that are treated in different ways",
        ),
        Check(
            "frequency_shift",
            _frequency_shift,
            _systems,
            "a shift of all frequencies, A + i w or e^(i w) (A, B), changes nothing",
            "an imaginary part that is dropped",
        ),
        Check(
            "scaling",
            _scaling,
            _systems,
            "B and C times powers of two give that multiple of the values",
            "jitter added to Gramians, or tolerances that are absolute numbers",
        ),
        Check(
            "padding",
            _padding,
            _systems,
            "a state that nothing drives adds a zero",
            "a Cholesky factorization of a singular Gramian",
        ),
        Check(
            "direct_sum",
            _direct_sum,
            _pairs_and_twins,
            "two uncoupled systems have the values of both",
            "values left unsorted, or equal ones dropped",
        ),
        Check(
            "monotonicity",
            _monotonicity,
            _systems,
            "fewer inputs, outputs or samples make no value larger",
            "a normalization by the sizes",
        ),
        Check(
            "perturbation",
            _perturbation,
            _pairs,
            "values move by no more than those of the difference are",
            "a missing root",
        ),
        Check(
            "bilinear",
            _bilinear,
            _discrete,
            "the bilinear map keeps the values",
            "a Stein equation with the sign or the adjoint of the other side",
        ),
    )
}
"""Every check of Hankel singular values by name."""
