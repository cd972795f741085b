"""One host system in states of even size, whose eigenvectors mean something."""

import numpy as np

from hankelcut.lti.systems._unit_scaling import state_units
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.reduction.reduction_method import Matrix

__all__ = ["adjoint_system", "evenly_scaled"]


def evenly_scaled(system: StateSpace) -> tuple[StateSpace, Matrix]:
    """Scale the states of a NumPy system evenly, by powers of two.

    Eigenvectors of a Gramian, and which of its eigenvalues are small, depend on the
    units of the states; in even units they hardly do.

    Parameters
    ----------
    system : StateSpace
        One system of finite NumPy arrays.

    Returns
    -------
    even : StateSpace
        The same system in the states x / units.
    units : (n,) array
        Powers of two.
    """
    units = state_units(system.A, system.B, system.C)
    A = system.A / units[:, None] * units
    B, C = system.B / units[:, None], system.C * units
    return StateSpace(A, B, C, system.D, system.time), units


def adjoint_system(system: StateSpace) -> StateSpace:
    """Return the system (A^H, C^H, B^H, D^H), which swaps inputs and outputs.

    Parameters
    ----------
    system : StateSpace
        One system of NumPy arrays.
    """
    A, B, C, D = (np.conj(m.T) for m in (system.A, system.C, system.B, system.D))
    return StateSpace(A, B, C, D, system.time)
