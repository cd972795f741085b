"""Properties of every reduced model, whatever the method.

A reduction may be a `ReductionResult`, a `StateSpace` or `DiagonalStateSpace`, or a
tuple (A, B, C, D) of arrays in the time domain of the full system.
"""

from typing import Any, TypeAlias

import numpy as np

from hankelcut.lti.norms.hankel_norm import hankel_norm
from hankelcut.lti.responses.frequency_response import frequency_response
from hankelcut.lti.structure.stability import stability_margin
from hankelcut.lti.structure.stable_unstable_decomposition import (
    stable_unstable_decomposition,
)
from hankelcut.lti.systems.conversions import to_dense
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.interconnection import error_system
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.lti.systems.time_domain import Continuous
from hankelcut.reduction.result import ReductionResult
from hankelcut.validation.invariants._host import (
    ROUNDING,
    Matrix,
    System,
    hankel_size,
    host,
    precision,
    spectrum,
)
from hankelcut.validation.invariants.violation import Property

__all__ = [
    "Reduction",
    "check_full_order",
    "check_hankel_lower_bound",
    "check_reduced_form",
    "check_reduced_stability",
    "check_same_map",
    "check_unstable_part",
    "model_of",
    "slack_of",
]

Reduction: TypeAlias = Any
"""`ReductionResult`, `StateSpace`, `DiagonalStateSpace`, or a tuple (A, B, C, D)."""


def model_of(system: System, reduction: Reduction) -> System:
    """Return the reduced model that a reduction holds.

    Parameters
    ----------
    system : StateSpace or DiagonalStateSpace
        The full system, whose time domain a tuple has.
    reduction : ReductionResult, StateSpace, DiagonalStateSpace or tuple
        The reduction.

    Raises
    ------
    InvariantViolationError
        If it is nothing of these.
    """
    if isinstance(reduction, ReductionResult):
        return reduction.system
    if isinstance(reduction, StateSpace | DiagonalStateSpace):
        return reduction
    fits = isinstance(reduction, tuple | list) and len(reduction) == 4
    Property("model_of", "what a reduction may return").require(
        fits,
        f"got a {type(reduction).__name__}, need a ReductionResult, a StateSpace, a "
        "DiagonalStateSpace or a tuple (A, B, C, D)",
        {"system": system},
    )
    A, B, C, D = reduction
    return StateSpace(A, B, C, D, system.time)


def slack_of(system: System, *models: System) -> float:
    """Return the rounding allowed in responses: sqrt(eps) times the largest value.

    And what rounding leaves where the terms of the map cancel: 100 eps times the
    product of the norms of the factors of both Gramians.

    Parameters
    ----------
    system : StateSpace or DiagonalStateSpace
        The full system, whose Hankel singular values these are.
    *models : StateSpace or DiagonalStateSpace
        Further systems; the coarsest dtype counts.
    """
    dense = host(system)
    largest = float(np.max(spectrum(dense), initial=0.0))
    slack = float(precision(system, *models) ** 0.5) * largest
    return slack + ROUNDING * hankel_size(dense)


def check_reduced_form(system: System, reduction: Reduction, *, order: int) -> None:
    """Check that a reduced model has the sizes, the time domain and the kind of G.

    Parameters
    ----------
    system : StateSpace or DiagonalStateSpace
        The full system.
    reduction : ReductionResult, StateSpace, DiagonalStateSpace or tuple
        Its reduction.
    order : int
        The order that was asked for.

    Raises
    ------
    InvariantViolationError
        If inputs, outputs or the time domain differ, there are more than `order`
        states, an entry is not finite, or is complex where the map is real.
    """
    model = model_of(system, reduction)
    prop = Property("check_reduced_form", "a model is of its system's kind")
    case = {"system": system}
    facts = [(s.time, s.n_inputs, s.n_outputs) for s in (system, model)]
    fact = f"(time, m, p) went from {facts[0]} to {facts[1]}"
    prop.require(facts[0] == facts[1], fact, case)
    fact = f"the model has {model.n_states} states, asked for {order}"
    prop.require(model.n_states <= order, fact, case)
    full, dense = host(system), host(model)
    for name in "ABCD":
        matrix = getattr(dense, name)
        fact = f"{name} of the reduced model has entries that are not finite: {matrix}"
        prop.require(np.isfinite(matrix).all(), fact, case)
    fact = "the system is real, the reduced model is complex"
    prop.require(np.iscomplexobj(full.B) or np.isrealobj(dense.B), fact, case)


def check_reduced_stability(system: System, reduction: Reduction) -> None:
    """Check that the reduced model of a stable system is stable.

    Parameters
    ----------
    system : StateSpace or DiagonalStateSpace
        The stable full system.
    reduction : ReductionResult, StateSpace, DiagonalStateSpace or tuple
        Its reduction.

    Raises
    ------
    InvariantViolationError
        If its stability margin is not positive (no tolerance).
    """
    margin = float(stability_margin(host(model_of(system, reduction))))
    prop = Property(
        "check_reduced_stability", "stability is kept, Pernebo & Silverman 1982"
    )
    fact = f"the reduced model has the stability margin {margin:.3g}, need > 0"
    prop.require(margin > 0, fact, {"system": system})


def check_hankel_lower_bound(system: System, reduction: Reduction) -> None:
    r"""Check :math:`\sigma_{r+1}(G) \le \|G - G_r\|_H`, true of every stable model.

    Parameters
    ----------
    system : StateSpace or DiagonalStateSpace
        The stable full system.
    reduction : ReductionResult, StateSpace, DiagonalStateSpace or tuple
        A stable model with r states.

    Raises
    ------
    InvariantViolationError
        If the model is not stable, or the error is smaller by more than
        :math:`\sqrt\epsilon\,\sigma_1`: the model has more states than it says.
    """
    model = model_of(system, reduction)
    check_reduced_stability(system, model)
    full, dense = host(system), host(model)
    values = spectrum(full)
    kept = dense.n_states
    least = float(values[kept]) if kept < values.size else 0.0
    error = float(hankel_norm(host(error_system(full, dense))))
    slack = slack_of(system, model)
    prop = Property(
        "check_hankel_lower_bound", "Adamyan, Arov & Krein 1971, Glover 1984"
    )
    fact = (
        f"the Hankel norm of the error is {error:.6g}, below value {kept + 1}, "
        f"{least:.6g} (allowed {slack:.3g})"
    )
    prop.require(least <= error + slack, fact, {"system": system})


def check_full_order(system: System, reduction: Reduction) -> None:
    r"""Check that a model with all n states is the system.

    Parameters
    ----------
    system : StateSpace or DiagonalStateSpace
        A minimal stable system.
    reduction : ReductionResult, StateSpace, DiagonalStateSpace or tuple
        Its reduction to order n.

    Raises
    ------
    InvariantViolationError
        If the responses differ by more than :math:`\sqrt\epsilon\,\sigma_1` at some
        frequency: the two projections are not inverse to each other, or a matrix is
        transposed, conjugated or scaled.
    """
    model = model_of(system, reduction)
    check_same_map(
        system,
        model,
        name="check_full_order",
        source="nothing is cut at order n, Moore 1981",
        tolerance=slack_of(system, model),
    )


def check_same_map(
    first: System,
    second: System,
    *,
    name: str = "check_same_map",
    source: str = "equal transfer functions",
    tolerance: float | None = None,
) -> None:
    r"""Check that two systems have one transfer function.

    Parameters
    ----------
    first, second : StateSpace or DiagonalStateSpace
        Systems of one time domain, stable or not.
    name, source : str
        How the message speaks of the check.
    tolerance : float, optional
        Largest gain of the difference, :math:`\sqrt\epsilon\,\sigma_1` of `first` by
        default, at 40 frequencies.

    Raises
    ------
    InvariantViolationError
        If the difference has a larger gain.
    """
    allowed = slack_of(first, second) if tolerance is None else tolerance
    grid = _frequencies(first)
    one, two = (np.asarray(frequency_response(host(s), grid)) for s in (first, second))
    with np.errstate(invalid="ignore"):
        difference = one - two
    finite = np.isfinite(difference).all(axis=(-2, -1))
    difference[~finite] = 0.0
    gains = np.linalg.norm(difference, ord=2, axis=(-2, -1))
    gains[~finite] = np.inf
    k = int(np.argmax(gains))
    fact = (
        f"at frequency {grid[k]:.4g} the responses differ by {gains[k]:.6g}, allowed "
        f"{allowed:.3g}:\n{one[k]} expected,\n{two[k]} found"
    )
    prop = Property(name, source)
    prop.require(bool(gains[k] <= allowed), fact, {"system": first, "found": second})


def check_unstable_part(system: System, reduction: Reduction) -> None:
    r"""Check that a model that was made of an unstable system kept its unstable part.

    Parameters
    ----------
    system : StateSpace or DiagonalStateSpace
        A system with unstable poles.
    reduction : ReductionResult, StateSpace, DiagonalStateSpace or tuple
        Its reduction.

    Raises
    ------
    InvariantViolationError
        If the unstable parts differ by more than :math:`10^{-6}` of their gain: no norm
        of the error is finite then.
    """
    model = model_of(system, reduction)
    parts = [stable_unstable_decomposition(host(s)).unstable for s in (system, model)]
    counts = [part.n_states for part in parts]
    prop = Property("check_unstable_part", "Glover 1984, Zhou, Salomon & Wu 1999")
    fact = f"{counts[0]} unstable poles became {counts[1]}, without an error"
    prop.require(counts[0] == counts[1], fact, {"system": system})
    dense = [to_dense(part) for part in parts]
    gains = frequency_response(dense[0], _frequencies(dense[0]))
    allowed = float(precision(system, model) ** 0.375 * np.max(np.abs(gains)))
    check_same_map(
        dense[0],
        dense[1],
        name=prop.check,
        source=prop.source,
        tolerance=allowed,
    )


def _frequencies(system: System) -> Matrix:
    """Return a grid on the stability boundary; both signs, for complex systems."""
    if isinstance(system.time, Continuous):
        positive = np.geomspace(1e-3, 1e3, 20)
        return np.concatenate([-positive[::-1], [0.0], positive])
    return np.linspace(-np.pi, np.pi, 41)
