"""How the checks of a norm call it, and what they then check."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from hankelcut.lti.systems.conversions import to_dense
from hankelcut.lti.systems.interconnection import parallel, series
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.lti.systems.time_domain import Continuous
from hankelcut.validation.composites._examples import Example, similarity, unitary
from hankelcut.validation.composites.check import REFUSED, call, call_or_refuse
from hankelcut.validation.invariants._host import host, spectrum
from hankelcut.validation.invariants.enlargements import check_direct_sum, check_padding
from hankelcut.validation.invariants.invariances import (
    check_conjugation,
    check_duality,
    check_frequency_shift,
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
    norm_size,
)

__all__ = [
    "NormSubject",
    "cascade",
    "chain",
    "changed_basis",
    "conjugation",
    "direct_sum",
    "duality",
    "first_order",
    "frequency_shift",
    "grid",
    "infinite",
    "padding",
    "scaling",
    "triangle",
    "turned_channels",
    "value",
]


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
        return call(partial(self._found, system), *self._case(system))

    def value_or_refusal(self, system: StateSpace) -> Any:
        """Return the norm, or `REFUSED`."""
        return call_or_refuse(partial(self._found, system), *self._case(system))

    def size(self, system: StateSpace) -> float:
        """Return the size of the terms that add up to the norm."""
        return norm_size(system, self.norm)

    def middle(self, system: StateSpace) -> Any:
        """Return one number for the norm."""
        return np.asarray(sum(norm_interval(self.value(system))) / 2)

    def _found(self, system: StateSpace) -> Any:
        value = self.function(system)
        norm_interval(value)
        return value

    def _case(self, system: StateSpace) -> tuple[str, dict[str, Any]]:
        return f"{self.norm} norm", {"system": system}


def first_order(subject: NormSubject, example: Example) -> None:
    system = _strict(host(example.system))
    found = subject.value(system)
    check_norm_first_order(system, found, norm=subject.norm, rtol=subject.rtol)


def value(subject: NormSubject, example: Example) -> None:
    system = _of_kind(subject, example)
    found = subject.value(system)
    check_norm_value(system, found, norm=subject.norm, rtol=subject.rtol)


def infinite(subject: NormSubject, example: Example) -> None:
    system = host(example.system)
    system = replace(system, D=np.ones_like(system.D))
    found = subject.value_or_refusal(system)
    if found is not REFUSED:
        check_norm_value(system, found, norm=subject.norm, rtol=subject.rtol)


def grid(subject: NormSubject, example: Example) -> None:
    system = host(example.system)
    found, rng = subject.value(system), example.rng
    grid = rng.uniform(-np.pi, np.pi, 50)
    check_norm_grid(system, found, np.append(grid, 0.0), rtol=subject.rtol)


def chain(subject: NormSubject, example: Example) -> None:
    system = host(example.system)
    found = subject.value(system)
    if subject.norm == "hinf":
        hankel = float(np.max(spectrum(system), initial=0.0))
        check_norm_chain(system, hankel=hankel, hinf=found, rtol=subject.rtol)
        return
    strict = _strict(system)
    check_norm_value(system, subject.value(strict), norm="hankel", rtol=subject.rtol)


def changed_basis(subject: NormSubject, example: Example) -> None:
    system = _of_kind(subject, example)
    T = similarity(example.rng, system.n_states, real=bool(np.isrealobj(system.A)))
    check_similarity(system, subject.middle, T, **_tolerances(subject))


def duality(subject: NormSubject, example: Example) -> None:
    system = _of_kind(subject, example)
    check_duality(system, subject.middle, **_tolerances(subject))


def conjugation(subject: NormSubject, example: Example) -> None:
    check_conjugation(
        _of_kind(subject, example), subject.middle, **_tolerances(subject)
    )


def frequency_shift(subject: NormSubject, example: Example) -> None:
    system, shift = _of_kind(subject, example), float(example.rng.uniform(-3, 3))
    options = _tolerances(subject)
    check_frequency_shift(system, subject.middle, shift=shift, **options)


def scaling(subject: NormSubject, example: Example) -> None:
    system = _of_kind(subject, example)
    for inputs, outputs in ((-60, 10), (40, 30)):
        check_scaling(
            system,
            subject.middle,
            inputs=inputs,
            outputs=outputs,
            **_tolerances(subject),
        )


def turned_channels(subject: NormSubject, example: Example) -> None:
    system, rng = _of_kind(subject, example), example.rng
    real = bool(np.isrealobj(system.A))
    U, V = (unitary(rng, k, real=real) for k in (system.n_inputs, system.n_outputs))
    check_unitary_invariance(system, subject.middle, U, V, **_tolerances(subject))


def padding(subject: NormSubject, example: Example) -> None:
    system = _of_kind(subject, example)
    check_padding(system, subject.middle, **_tolerances(subject))


def direct_sum(subject: NormSubject, example: tuple[StateSpace, StateSpace]) -> None:
    check_direct_sum(*example, subject.middle, **_tolerances(subject))


def triangle(subject: NormSubject, example: tuple[StateSpace, StateSpace]) -> None:
    first, second = (_of_kind(subject, Example(system)) for system in example)
    limit = sum(norm_interval(subject.value(part))[1] for part in (first, second))
    combined = subject.value(to_dense(parallel(first, second)))
    rule = "triangle inequality of a sum"
    check_norm_inequality(
        (first, second),
        combined,
        limit,
        rule=rule,
        rtol=2 * subject.rtol,
        size=subject.size(first) + subject.size(second),
    )


def cascade(subject: NormSubject, example: tuple[StateSpace, StateSpace]) -> None:
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
        size=math.prod(_gain_size(part) for part in (first, second)),
    )


def _of_kind(subject: NormSubject, example: Example) -> StateSpace:
    """Return the system, strictly proper where its H2 norm would be infinite."""
    system = host(example.system)
    infinite = subject.norm == "h2" and isinstance(system.time, Continuous)
    return _strict(system) if infinite else system


def _gain_size(system: StateSpace) -> float:
    """Size of the terms of the response, with the feedthrough."""
    return float(np.linalg.norm(system.D)) + norm_size(system, "hinf")


def _strict(system: StateSpace) -> StateSpace:
    return replace(system, D=0 * system.D)


def _tolerances(subject: NormSubject) -> dict[str, Any]:
    """Tolerance of squares, and the size of what may cancel."""
    return {"rtol": max(2 * subject.rtol, 1e-10), "size": subject.size}
