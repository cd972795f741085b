r"""Units of states, inputs and outputs in which a system is evenly scaled.

**Method.** Inputs and outputs get columns of B and rows of C of magnitude one. States
are scaled in turn until what flows into each and out of it, through A, B and C but for
the state itself, has equal norms (Osborne, J. ACM 7, 1960, p. 338; for systems: SLICOT
TB01ID). All factors are powers of two, so that nothing is rounded.
"""

from typing import Any, TypeAlias

import numpy as np

from hankelcut import _array

__all__ = ["signal_units", "state_units"]

_Matrix: TypeAlias = np.ndarray[Any, np.dtype[Any]]

# Each sweep moves the scale of a state by what its neighbours ask for; chains of badly
# scaled states take a few.
_MAX_SWEEPS = 30


def signal_units(matrix: _Matrix, *, axis: int) -> _Matrix:
    """Powers of two nearest to the largest magnitudes along an axis; 1 for zeros."""
    largest = np.max(np.abs(matrix), axis=axis, initial=0.0)
    units: _Matrix = _array.nearest_power_of_two(largest)
    return units


def state_units(A: _Matrix, B: _Matrix, C: _Matrix) -> _Matrix:
    """Powers of two t for which t^-1 A t, t^-1 B, C t are evenly scaled.

    Parameters
    ----------
    A, B, C : (n, n), (n, m) and (p, n) arrays
        Finite matrices of one system.

    Returns
    -------
    units : (n,) array
        Of states that nothing flows into or nothing flows out of, 1.
    """
    n = A.shape[0]
    flow = np.abs(A)
    np.fill_diagonal(flow, 0)
    inflow = np.max(np.abs(B), axis=1, initial=0.0)
    outflow = np.max(np.abs(C), axis=0, initial=0.0)
    units = np.ones(n, dtype=A.real.dtype)
    for _ in range(_MAX_SWEEPS):
        changed = False
        for i in range(n):
            # Maximum norms, which cannot overflow.
            into = max(float(np.max(flow[i] * units, initial=0.0)), float(inflow[i]))
            into /= float(units[i])
            out = max(float(np.max(flow[:, i] / units, initial=0.0)), float(outflow[i]))
            out *= float(units[i])
            if into == 0 or out == 0:
                continue
            factor = 2.0 ** round((np.log2(into) - np.log2(out)) / 2)
            if factor != 1:
                units[i] *= factor
                changed = True
        if not changed:
            break
    return units
