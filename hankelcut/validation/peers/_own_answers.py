"""The answers of hankelcut to what the peers are asked."""

import dataclasses

import numpy as np

from hankelcut._errors import HankelcutError
from hankelcut.lti.equations.lyapunov_equation import LyapunovEquation
from hankelcut.lti.gramians.gramian_factors import (
    controllability_gramian,
    observability_gramian,
)
from hankelcut.lti.norms.h2_norm import h2_norm
from hankelcut.lti.norms.hinf_norm import hinf_norm
from hankelcut.lti.responses.frequency_response import frequency_response
from hankelcut.lti.structure.stability import poles_of
from hankelcut.lti.systems.conversions import to_dense
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.lti.systems.time_domain import Discrete
from hankelcut.reduction.balancing.balancing import balance
from hankelcut.reduction.methods.balanced_truncation import balanced_truncation
from hankelcut.validation.peers.peer import (
    Answer,
    Matrix,
    NotAvailableError,
    Problem,
    Quantity,
)

__all__ = ["own_answer", "posed"]

# Where no order is given: the least whose error is at most this share of the norm.
_DEFAULT_ERROR = 0.01
_N_FREQUENCIES = 16


def own_answer(quantity: Quantity, problem: Problem) -> Answer:
    """Compute a quantity with hankelcut.

    Raises
    ------
    HankelcutError
        If the system does not have it.
    """
    system = problem.system
    match quantity:
        case "poles":
            return np.asarray(poles_of(system))
        case "frequency response":
            return np.asarray(frequency_response(system, problem.frequencies))
        case "Lyapunov solution":
            identity = np.eye(system.n_states, dtype=system.A.dtype)
            return np.asarray(LyapunovEquation(system.A, system.time).solve(identity))
        case "Gramians":
            both = (controllability_gramian(system), observability_gramian(system))
            return np.stack(both)
        case "Hankel singular values":
            return _certain_values(problem)
        case "H2 norm":
            return float(h2_norm(system))
        case "H-infinity norm":
            return float(hinf_norm(system).lower)
        case _:
            return _reduced(problem)


def posed(system: StateSpace, order: int | None, rtol: float) -> Problem:
    """Return what peers are asked about a system.

    Parameters
    ----------
    system : StateSpace
        One dense system of NumPy arrays in double precision.
    order : int or None
        Number of states to keep; by default the least for a relative error of 1%, but
        no more than half of them.
    rtol : float
        The relative difference that still is agreement.
    """
    problem = Problem(system, order or 0, _frequencies(system), rtol)
    return problem if order is not None else _with_default_order(problem)


def _with_default_order(problem: Problem) -> Problem:
    system = problem.system
    most = (system.n_states + 1) // 2
    try:
        result = balanced_truncation(
            system, error_tol=_DEFAULT_ERROR, relative=True, max_order=most
        )
    except (HankelcutError, ValueError):
        # The reason is that of the row of balanced truncation.
        return dataclasses.replace(problem, order=most)
    return dataclasses.replace(problem, order=result.order)


def _frequencies(system: StateSpace) -> Matrix:
    """Return positive frequencies from below the slowest to above the fastest pole."""
    if isinstance(system.time, Discrete):
        return np.linspace(0.0, np.pi, _N_FREQUENCIES + 1)[1:]
    speeds = np.abs(np.asarray(poles_of(system)))
    speeds = speeds[speeds > 0] if np.any(speeds > 0) else np.ones(1)
    return np.geomspace(speeds.min() / 10, speeds.max() * 10, _N_FREQUENCIES)


def _certain_values(problem: Problem) -> Matrix:
    """Return the Hankel singular values that rounding leaves enough digits."""
    balancing = balance(problem.system)
    values, uncertainty = (
        np.asarray(part) for part in (balancing.values, balancing.uncertainty)
    )
    return np.asarray(values[uncertainty <= problem.rtol * values])


def _reduced(problem: Problem) -> StateSpace:
    """Reduce the system, unless a tie at the cut leaves the model open."""
    system = problem.system
    result = balanced_truncation(system, order=problem.order)
    if result.order != problem.order:
        msg = f"the system has {result.order} states to rounding"
        raise NotAvailableError(msg)
    values = np.asarray(result.characteristic_values)
    kept = problem.order - (system.n_states - len(values))
    if 0 < kept < len(values):
        gap = values[kept - 1] - values[kept]
        eps = float(np.finfo(np.float64).eps)
        if gap <= 100 * len(values) * eps / problem.rtol * values[0]:
            msg = f"the values {kept} and {kept + 1} are tied: there are many models"
            raise NotAvailableError(msg)
    return to_dense(result.system)
