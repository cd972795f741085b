"""Unstable poles that no feedback moves, or that no output shows."""

from typing import Any, TypeAlias

import numpy as np

from hankelcut._errors import UnstableSystemError
from hankelcut.lti.structure.stability import pole_margins, poles_of
from hankelcut.lti.systems._unit_scaling import state_units
from hankelcut.lti.systems.state_space import StateSpace

__all__ = ["require_stabilizable_and_detectable"]

_Matrix: TypeAlias = np.ndarray[Any, np.dtype[Any]]

# Computed eigenvalues are those of a matrix within a few n eps; 10 leaves slack.
_ROUNDINGS = 10.0


def require_stabilizable_and_detectable(caller: str, system: StateSpace) -> None:
    r"""Raise `UnstableSystemError` naming an unstable pole that stays hidden.

    Parameters
    ----------
    caller : str
        Name of the public function, for messages.
    system : StateSpace
        One system of NumPy arrays.

    Raises
    ------
    UnstableSystemError
        If a pole on or outside the stability boundary is not controllable or not
        observable.

    Notes
    -----
    **Method.** The smallest singular value of :math:`[A - \lambda I, B]` at each
    unstable pole (Popov, Belevitch and Hautus: Kailath, Linear Systems, 1980, section
    2.4.3), states scaled evenly, B scaled to the size of A.
    """
    poles = np.asarray(poles_of(system))
    unstable = poles[np.asarray(pole_margins(system)) <= 0]
    if unstable.size == 0:
        return
    units = state_units(system.A, system.B, system.C)
    A = system.A / units[:, None] * units
    B, C = system.B / units[:, None], system.C * units
    for pole in unstable:
        if _hides(A, B, pole):
            fault, remedy = "not controllable: no feedback stabilizes it", "an input"
        elif _hides(A.conj().T, C.conj().T, np.conj(pole)):
            fault, remedy = "not observable: no output shows it", "an output"
        else:
            continue
        msg = (
            f"{caller}: the unstable pole {complex(pole):.6g} is {fault}; remove its "
            f"state (minimal_realization) or add {remedy}"
        )
        raise UnstableSystemError(msg)


def _hides(A: _Matrix, B: _Matrix, pole: complex) -> bool:
    """Whether [A - pole I, B] is singular to rounding, B scaled to the size of A."""
    n, size = A.shape[0], float(np.linalg.norm(B))
    shifted = A - pole * np.eye(n)
    scale = float(np.linalg.norm(A) + abs(pole)) or 1.0
    inputs = B * (scale / size) if size > 0 else B
    smallest = np.linalg.svd(np.hstack([shifted, inputs]), compute_uv=False)[-1]
    return bool(smallest <= _ROUNDINGS * n * np.finfo(float).eps * scale)
