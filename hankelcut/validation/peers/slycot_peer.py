"""Slycot, the Python wrapper of SLICOT."""

from typing import Any

import numpy as np

from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.validation.peers.peer import (
    Answer,
    Fault,
    Matrix,
    NotAvailableError,
    Problem,
    Quantity,
    imported,
)

__all__ = ["SlycotPeer"]


class SlycotPeer:
    """Answers of Slycot 0.7.

    Of its reductions only the routines ab09ad and ab09md, with balancing, are called:
    ab09bd, and ab09ad without balancing, write past their arrays.
    """

    title = "Slycot"

    def answer(self, quantity: Quantity, problem: Problem) -> Answer:
        """Compute a quantity of a real system."""
        slycot = imported("slycot")
        if problem.is_complex:
            raise NotAvailableError("Slycot has real systems only")
        match quantity:
            case "poles":
                raise NotAvailableError("Slycot has no poles of its own")
            case "frequency response":
                return _frequency_response(slycot, problem)
            case "Lyapunov solution":
                A = problem.system.A
                return _lyapunov(slycot, A, np.eye(A.shape[0]), problem)
            case "Gramians":
                A, B, C = _arrays(problem)[:3]
                pairs = ((A, B @ B.T), (A.T, C.T @ C))
                return np.stack([_lyapunov(slycot, M, Q, problem) for M, Q in pairs])
            case "Hankel singular values":
                return _reduced(slycot, problem)[1]
            case "H2 norm":
                arguments = (*_sizes(problem), *_arrays(problem))
                return float(slycot.ab13bd(_dico(problem), "H", *arguments))
            case "H-infinity norm":
                return _hinf_norm(slycot, problem)
            case _:
                return _reduced(slycot, problem)[0]

    def fault(self, quantity: Quantity, problem: Problem) -> Fault | None:
        """Return None: what is called here is not known to be wrong."""
        return None


def _dico(problem: Problem) -> str:
    return "D" if problem.discrete else "C"


def _sizes(problem: Problem) -> tuple[int, int, int]:
    system = problem.system
    return system.n_states, system.n_inputs, system.n_outputs


def _arrays(problem: Problem) -> list[Matrix]:
    """Copy A, B, C, D to the layout of Slycot, which overwrites its arguments."""
    system = problem.system
    matrices = (system.A, system.B, system.C, system.D)
    return [np.array(matrix, order="F") for matrix in matrices]


def _frequency_response(slycot: Any, problem: Problem) -> Matrix:
    D = problem.system.D
    values = []
    for point in problem.points:
        A, B, C, _ = _arrays(problem)
        values.append(slycot.tb05ad(*_sizes(problem), point, A, B, C)[3] + D)
    return np.stack(values)


def _lyapunov(slycot: Any, A: Matrix, Q: Matrix, problem: Problem) -> Matrix:
    """Solve A X + X A^T + Q = 0, or A X A^T - X + Q = 0."""
    _, _, X, scale, *_ = slycot.sb03md57(
        np.array(A, order="F"), C=-Q, dico=_dico(problem), trana="T"
    )
    return np.asarray(X / scale)


def _reduced(slycot: Any, problem: Problem) -> tuple[StateSpace, Matrix]:
    """Return the reduced model, and the values of the stable part."""
    system = problem.system
    A, B, C, D = _arrays(problem)
    sizes = _sizes(problem)
    *_, A, B, C, n_stable, values = slycot.ab09md(
        _dico(problem), "B", "N", *sizes, A, B, C, nr=problem.order
    )
    return StateSpace(A, B, C, D, system.time), np.asarray(values[:n_stable])


def _hinf_norm(slycot: Any, problem: Problem) -> float:
    n = problem.system.n_states
    A, B, C, D = _arrays(problem)
    identity = np.eye(n, order="F")
    norm, _ = slycot.ab13dd(
        _dico(problem), "I", "N", "D", *_sizes(problem), A, identity, B, C, D
    )
    return float(norm)
