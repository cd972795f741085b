"""Properties of balanced truncation and of its relatives."""

import numpy as np

from hankelcut.lti.norms.hankel_norm import hankel_norm
from hankelcut.lti.responses.frequency_response import frequency_response
from hankelcut.lti.responses.peak_gain import peak_gain
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.interconnection import error_system
from hankelcut.lti.systems.time_domain import Continuous
from hankelcut.reduction.result import ReductionResult
from hankelcut.validation.invariants._host import (
    System,
    host,
    host_array,
    precision,
    spectrum,
)
from hankelcut.validation.invariants.reductions import (
    Reduction,
    check_reduced_stability,
    model_of,
    slack_of,
)
from hankelcut.validation.invariants.violation import Property

__all__ = [
    "check_claimed_tail",
    "check_feedthrough",
    "check_hankel_norm_error",
    "check_reduced_order",
    "check_reduced_values",
    "check_static_gain",
    "check_truncation_bound",
]


def check_truncation_bound(system: System, reduction: Reduction) -> None:
    r"""Check :math:`\|G - G_r\|_\infty \le 2\,(\sigma_{r+1} + \dots + \sigma_n)`.

    Parameters
    ----------
    system : StateSpace or DiagonalStateSpace
        The stable full system.
    reduction : ReductionResult, StateSpace, DiagonalStateSpace or tuple
        Its balanced truncation, singular perturbation or Hankel-norm approximation.

    Raises
    ------
    InvariantViolationError
        If the model is not stable, or a gain of the error, on a refined grid, is larger
        by more than :math:`\sqrt\epsilon\,\sigma_1`.
    """
    model = model_of(system, reduction)
    check_reduced_stability(system, model)
    full, dense = host(system), host(model)
    bound = 2 * float(np.sum(spectrum(full)[_degree(model) :]))
    gain, frequency = peak_gain(host(error_system(full, dense)))
    slack = slack_of(system, model)
    prop = Property(
        "check_truncation_bound",
        "Enns 1984, Glover 1984; discrete: Al-Saggaf & Franklin 1987",
    )
    fact = (
        f"the error of the model with {dense.n_states} states has the gain "
        f"{float(gain):.6g} at frequency {float(frequency):.4g}, above twice "
        f"the sum of the other Hankel singular values, {bound:.6g} (allowed excess "
        f"{slack:.3g})"
    )
    prop.require(float(gain) <= bound + slack, fact, {"system": system})


def check_claimed_tail(system: System, result: ReductionResult) -> None:
    r"""Check that a result claims no larger bound than twice the discarded values.

    Parameters
    ----------
    system : StateSpace or DiagonalStateSpace
        The stable full system.
    result : ReductionResult
        Its balanced truncation.

    Raises
    ------
    InvariantViolationError
        If the bound is larger by more than :math:`\sqrt\epsilon\,\sigma_1`.
    """
    if result.bound.value is None:
        return
    tail = 2 * float(np.sum(spectrum(host(system))[_degree(result.system) :]))
    claimed, slack = (
        float(host_array(result.bound.value)),
        slack_of(system, result.system),
    )
    prop = Property("check_claimed_tail", "Enns 1984, Glover 1984")
    fact = (
        f"the bound of order {result.order} is {claimed:.6g}, twice the discarded "
        f"values is {tail:.6g} (allowed excess {slack:.3g})"
    )
    prop.require(claimed <= tail + slack, fact, {"system": system})


def check_reduced_order(system: System, reduction: Reduction, *, order: int) -> None:
    r"""Check that the model has exactly the order that was asked for.

    Parameters
    ----------
    system : StateSpace or DiagonalStateSpace
        The full system, with :math:`\sigma_r > \sigma_{r+1}` for the order r.
    reduction : ReductionResult, StateSpace, DiagonalStateSpace or tuple
        Its reduction.
    order : int
        The order.

    Raises
    ------
    InvariantViolationError
        If it has fewer states or more.
    """
    found = model_of(system, reduction).n_states
    prop = Property("check_reduced_order", "order = number of kept values, Moore 1981")
    fact = f"the model has {found} states, asked for {order}"
    prop.require(found == order, fact, {"system": system})


def check_feedthrough(system: System, reduction: Reduction) -> None:
    """Check that direct truncation leaves the feedthrough as it is.

    Parameters
    ----------
    system : StateSpace or DiagonalStateSpace
        The full system.
    reduction : ReductionResult, StateSpace, DiagonalStateSpace or tuple
        Its balanced truncation.

    Raises
    ------
    InvariantViolationError
        If an entry of D differs (no tolerance).
    """
    model = model_of(system, reduction)
    prop = Property("check_feedthrough", "G_r(infinity) = G(infinity), Moore 1981")
    found, expected = host(model).D, host(system).D
    prop.require_close("D", found, expected, 0.0, {"system": system})


def check_reduced_values(system: System, reduction: Reduction) -> None:
    r"""Check the Hankel singular values of the model against those of the system.

    Continuous: :math:`\sigma_k(G_r) = \sigma_k(G)` for k up to r. Discrete: no larger.

    Parameters
    ----------
    system : StateSpace or DiagonalStateSpace
        The stable full system.
    reduction : ReductionResult, StateSpace, DiagonalStateSpace or tuple
        Its balanced truncation; or, continuous, its singular perturbation.

    Raises
    ------
    InvariantViolationError
        If the model is not stable, or a value is off by more than
        :math:`\sqrt\epsilon\,\sigma_1`.
    """
    model = model_of(system, reduction)
    check_reduced_stability(system, model)
    full, dense = host(system), host(model)
    expected, found = spectrum(full)[: dense.n_states], spectrum(dense)
    slack, case = slack_of(system, model), {"system": system}
    prop = Property(
        "check_reduced_values", "Pernebo & Silverman 1982; discrete: Hinrichsen 1990"
    )
    if isinstance(system.time, Continuous):
        what = "the Hankel singular values of the model"
        prop.require_close(what, found, expected, slack, case)
        return
    growth = float(np.max(found - expected, initial=0.0))
    fact = (
        f"the Hankel singular values of the model, {found}, exceed those of the "
        f"system, {expected}, by {growth:.3g} (allowed {slack:.3g})"
    )
    prop.require(growth <= slack, fact, case)


def check_static_gain(system: System, reduction: Reduction) -> None:
    r"""Check that a model has the gain of the system at frequency 0.

    Parameters
    ----------
    system : StateSpace or DiagonalStateSpace
        The stable full system.
    reduction : ReductionResult, StateSpace, DiagonalStateSpace or tuple
        Its singular perturbation approximation.

    Raises
    ------
    InvariantViolationError
        If the responses at frequency 0 differ by more than
        :math:`\sqrt\epsilon\,\sigma_1`.
    """
    model = model_of(system, reduction)
    at = np.zeros(1)
    expected, found = (
        np.asarray(frequency_response(host(s), at))[0] for s in (system, model)
    )
    prop = Property("check_static_gain", "Liu & Anderson 1989")
    slack = slack_of(system, model)
    prop.require_close("the static gain", found, expected, slack, {"system": system})


def check_hankel_norm_error(system: System, reduction: Reduction) -> None:
    r"""Check :math:`\|G - G_r\|_H = \sigma_{r+1}`, of an optimal model of order r.

    Parameters
    ----------
    system : StateSpace or DiagonalStateSpace
        The stable full system.
    reduction : ReductionResult, StateSpace, DiagonalStateSpace or tuple
        Its optimal Hankel-norm approximation.

    Raises
    ------
    InvariantViolationError
        If the model is not stable, or the Hankel norm of the error is larger by more
        than a relative 1e-6, beside :math:`\sqrt\epsilon\,\sigma_1`.
    """
    model = model_of(system, reduction)
    check_reduced_stability(system, model)
    full, dense = host(system), host(model)
    values, r = spectrum(full), dense.n_states
    expected = float(values[r]) if r < values.size else 0.0
    found = float(hankel_norm(host(error_system(full, dense))))
    allowed = 1e-6 * expected + slack_of(system, model)
    prop = Property("check_hankel_norm_error", "Glover 1984, theorem 6.3")
    what = f"the Hankel norm of the error of order {r}"
    prop.require_close(what, found, expected, allowed, {"system": system})


def _degree(model: System) -> int:
    """Return the number of states: of a layer, of its real map without silent ones."""
    dense = host(model)
    if not isinstance(model, DiagonalStateSpace):
        return dense.n_states
    # A real pole takes a stored complex state, of which only one real state counts.
    values = spectrum(dense)
    return int(np.sum(values > precision(model) ** 0.75 * np.max(values, initial=0.0)))
