"""pyMOR, of which dense models are used."""

from typing import Any

import numpy as np

from hankelcut.lti.gramians.hankel_singular_values import hankel_singular_values
from hankelcut.lti.structure.stability import is_stable
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.lti.systems.time_domain import Discrete
from hankelcut.validation.peers.peer import (
    Answer,
    Fault,
    Matrix,
    Problem,
    Quantity,
    imported,
    roots_of_gramians_fault,
)

__all__ = ["PymorPeer"]

_RIGHT_FOR_COMPLEX = ("poles", "frequency response")
_COMPLEX = "pyMOR 2026.1 hands complex matrices to Slycot, which drops imaginary parts"
_FEEDTHROUGH = "h2_norm of pyMOR 2026.1 leaves out D, with which the norm is infinite"
_UNSTABLE = "BTReductor of pyMOR 2026.1 does not refuse unstable systems"


class PymorPeer:
    """Answers of pyMOR, known faults as of version 2026.1."""

    title = "pyMOR"

    def answer(self, quantity: Quantity, problem: Problem) -> Answer:
        """Compute a quantity."""
        logger = imported("pymor.core.logger")
        with logger.log_levels({"pymor": "ERROR", "slycot": "ERROR"}):
            if quantity == "Lyapunov solution":
                identity = np.eye(problem.system.n_states)
                return np.asarray(_model(problem, identity).gramian("c_dense"))
            return _of_model(_model(problem, problem.system.B), quantity, problem)

    def fault(self, quantity: Quantity, problem: Problem) -> Fault | None:
        """Return the faults of complex and unstable systems, D, and small values."""
        if problem.is_complex and quantity not in _RIGHT_FOR_COMPLEX:
            return Fault(_COMPLEX)
        if quantity == "H2 norm" and not problem.discrete and problem.system.D.any():
            return Fault(_FEEDTHROUGH)
        if quantity == "balanced truncation" and not is_stable(problem.system):
            return Fault(_UNSTABLE)
        if quantity == "Hankel singular values":
            return roots_of_gramians_fault("hsv of pyMOR 2026.1", problem)
        if quantity == "balanced truncation" and problem.order > 0:
            fault = roots_of_gramians_fault("BTReductor of pyMOR 2026.1", problem)
            values = np.asarray(hankel_singular_values(problem.system))
            if values[problem.order - 1] < fault.floor * values[0]:
                return Fault(fault.reason)
        return None


def _model(problem: Problem, B: Matrix) -> Any:
    """Return the system as one of pyMOR, with an input matrix."""
    system = problem.system
    period = system.time.dt if isinstance(system.time, Discrete) else 0
    D = system.D if B is system.B else None
    matrices = (system.A, B, system.C)
    models = imported("pymor.models.iosys")
    return models.LTIModel.from_matrices(*matrices, D=D, sampling_time=period)


def _of_model(model: Any, quantity: Quantity, problem: Problem) -> Answer:
    match quantity:
        case "poles":
            return np.asarray(model.poles())
        case "frequency response":
            transfer = model.transfer_function.eval_tf
            return np.stack([transfer(point) for point in problem.points])
        case "Gramians":
            return np.stack([model.gramian(kind) for kind in ("c_dense", "o_dense")])
        case "Hankel singular values":
            return np.asarray(model.hsv())
        case "H2 norm":
            return float(model.h2_norm())
        case "H-infinity norm":
            return float(model.hinf_norm())
        case _:
            return _reduced(model, problem)


def _reduced(model: Any, problem: Problem) -> StateSpace:
    reductors = imported("pymor.reductors.bt")
    reduced = reductors.BTReductor(model).reduce(problem.order)
    A, B, C, D, E = reduced.to_matrices()
    if E is not None:
        A, B = np.linalg.solve(E, A), np.linalg.solve(E, B)
    return StateSpace(A, B, C, D, problem.system.time)
