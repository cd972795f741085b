"""Balancing by the definite modifications of limited Gramians."""

import numpy as np

from hankelcut.lti.gramians.gramian_factors import gramian_factors
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.reduction.balancing.definite_input import (
    balance_definite,
    definite_input,
    state_sizes,
)
from hankelcut.reduction.balancing.generalized_balancing import (
    GeneralizedBalancing,
    Promise,
)
from hankelcut.reduction.reduction_method import Matrix

__all__ = ["balance_modified"]

_PROVEN = (
    "G stable, B in the range of B_m and C in that of C_m, which was checked (Gugercin "
    "& Antoulas, Int. J. Control 77, 2004, p. 748)"
)
_INCOMPLETE = (
    "no bound: B is not in the range of B_m, or C not in that of C_m, as the proof of "
    "Gugercin & Antoulas (Int. J. Control 77, 2004, p. 748) needs"
)


def balance_modified(
    system: StateSpace,
    units: Matrix,
    inputs: tuple[Matrix, Matrix],
    outputs: tuple[Matrix, Matrix],
    values_name: str,
    caller: str,
) -> GeneralizedBalancing:
    """Balance the definite modifications of limited Gramians.

    Parameters
    ----------
    system : StateSpace
        Stable system of NumPy arrays, evenly scaled.
    units : (n,) array
        Units of its states.
    inputs, outputs : tuples of two arrays
        M and N of the right-hand sides M N^H + N M^H.
    values_name : str
        What the values are.
    caller : str
        Name for messages.
    """
    factors = gramian_factors(system, caller=caller)
    sizes = state_sizes(factors.controllability, factors.observability)
    sides = (
        definite_input(system.B, *inputs, sizes),
        definite_input(system.C.conj().T, *outputs, 1 / sizes),
    )
    gain = float(np.prod([_spectral_norm(side.gain) for side in sides]))
    promises = (Promise(_PROVEN), Promise(_INCOMPLETE))
    return balance_definite(system, units, sides, gain, promises, values_name, caller)


def _spectral_norm(matrix: Matrix) -> float:
    return float(np.max(np.linalg.svd(matrix, compute_uv=False), initial=0.0))
