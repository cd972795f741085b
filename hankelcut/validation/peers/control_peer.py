"""python-control, whose numerical work is SciPy's and Slycot's."""

from typing import Any

import numpy as np

from hankelcut.lti.exchange.control_systems import to_control
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.lti.systems.time_domain import Continuous
from hankelcut.validation.peers.peer import (
    Answer,
    Fault,
    NotAvailableError,
    Problem,
    Quantity,
    imported,
    roots_of_gramians_fault,
)

__all__ = ["ControlPeer"]

_COMPLEX = "python-control 0.10.2 drops the imaginary part of complex systems"
_DISCRETE = "balred of python-control 0.10.2 takes discrete systems for continuous ones"


class ControlPeer:
    """Answers of python-control, known faults as of version 0.10.2."""

    title = "python-control"

    def answer(self, quantity: Quantity, problem: Problem) -> Answer:
        """Compute a quantity; complex systems have Lyapunov equations only."""
        control = imported("control")
        if quantity == "Lyapunov solution":
            solve = control.dlyap if problem.discrete else control.lyap
            A = problem.system.A
            return np.asarray(solve(A, np.eye(A.shape[0]), method="scipy"))
        if problem.is_complex:
            raise NotAvailableError(_COMPLEX)
        return _of_real_system(control, quantity, problem)

    def fault(self, quantity: Quantity, problem: Problem) -> Fault | None:
        """Return the fault of complex systems, discrete reductions, or small values."""
        if problem.is_complex and quantity != "Lyapunov solution":
            return Fault(_COMPLEX)
        if quantity == "balanced truncation" and problem.discrete:
            return Fault(_DISCRETE)
        if quantity == "Hankel singular values":
            title = "hankel_singular_values of python-control 0.10.2"
            return roots_of_gramians_fault(title, problem)
        return None


def _of_real_system(control: Any, quantity: Quantity, problem: Problem) -> Answer:
    plant = to_control(problem.system)
    match quantity:
        case "poles":
            return np.asarray(plant.poles())
        case "frequency response":
            values = [plant(point, squeeze=False) for point in problem.points]
            return np.stack([np.reshape(value, plant.D.shape) for value in values])
        case "Gramians":
            return np.stack([control.gram(plant, kind) for kind in ("c", "o")])
        case "Hankel singular values":
            return np.asarray(control.hankel_singular_values(plant))
        case "H2 norm":
            return float(control.system_norm(plant, 2, print_warning=False))
        case "H-infinity norm":
            return float(control.linfnorm(plant)[0])
        case _:
            reduced = control.balanced_reduction(plant, problem.order)
            matrices = (reduced.A, reduced.B, reduced.C, reduced.D)
            A, B, C, D = (np.array(matrix) for matrix in matrices)
            time = problem.system.time if reduced.dt else Continuous()
            return StateSpace(A, B, C, D, time)
