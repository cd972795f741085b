"""What becomes of one system of NumPy arrays: projected, scaled, or its adjoint."""

from dataclasses import replace

import numpy as np

from hankelcut.lti.systems._unit_scaling import state_units
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.reduction.reduction_method import Matrix

__all__ = ["adjoint_system", "evenly_scaled", "projected"]


def projected(system: StateSpace, T: Matrix, W: Matrix) -> StateSpace:
    """Project a system onto the states x = T x_r.

    Parameters
    ----------
    system : StateSpace
        System of n states.
    T, W : (n, r) arrays
        Projections with W^H T = I.
    """
    Wh = W.conj().T
    return replace(system, A=Wh @ system.A @ T, B=Wh @ system.B, C=system.C @ T)


def evenly_scaled(system: StateSpace) -> tuple[StateSpace, Matrix]:
    """Scale the states evenly, by powers of two.

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
