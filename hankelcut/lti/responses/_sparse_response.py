"""Frequency response of a sparse system: one sparse LU per frequency."""

import numpy as np

from hankelcut._parallel import map_in_threads
from hankelcut.lti.systems import _sparse_lu
from hankelcut.lti.systems._sparse_lu import Dense
from hankelcut.lti.systems.sparse_state_space import SparseStateSpace

__all__ = ["sparse_response"]

# Factorizations held in memory at the same time.
_MAX_WORKERS = 4


def sparse_response(system: SparseStateSpace, points: Dense) -> Dense:
    """Transfer function C (z E - A)^-1 B + D at points of the complex plane.

    Parameters
    ----------
    system : SparseStateSpace
        The system.
    points : (F,) complex array
        Where; infinite entries result exactly at a pole.

    Returns
    -------
    response : (F, p, m) complex array
        The transfer function.
    """
    shape = (points.shape[0], system.n_outputs, system.n_inputs)
    response = np.broadcast_to(system.D.astype(complex), shape).copy()
    if 0 in shape or system.n_states == 0:
        return response

    def add(first: int) -> None:
        for k in range(first, len(points), _MAX_WORKERS):
            response[k] += _at_point(system, complex(points[k]))

    map_in_threads(add, range(min(_MAX_WORKERS, len(points))))
    return response


def _at_point(system: SparseStateSpace, point: complex) -> Dense:
    pencil = _sparse_lu.csc(point * system.E - system.A, np.complex128)
    try:
        lu = _sparse_lu.factorize(pencil)
    except _sparse_lu.SingularMatrixError:
        return np.full((system.n_outputs, system.n_inputs), np.inf + 0j)
    if system.n_inputs <= system.n_outputs:
        states: Dense = lu.solve(system.B.astype(complex))
        return np.asarray(system.C @ states)
    costates: Dense = lu.solve(system.C.conj().T.astype(complex), "H")
    return np.asarray(costates.conj().T @ system.B)
