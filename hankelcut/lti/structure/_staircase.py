r"""Controllable states by orthogonal transformations, for poles anywhere.

**Method.** Staircase algorithm (Van Dooren, IEEE Trans. Autom. Control 26, 1981, p.
111; SLICOT TB01UD): the range of B is controllable; what A maps from the states found
last into the states left is controllable too; each step decides a rank by singular
values. **Numerical aspects.** Backward stable: what counts as uncontrollable is so for
matrices changed by the tolerance. O(n^3) per step.
"""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

__all__ = ["Staircase", "controllable_states"]

_Matrix: TypeAlias = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, eq=False)
class Staircase:
    """Controllable subspace of a pair (A, B).

    Parameters
    ----------
    basis : (n, r) array
        Orthonormal columns.
    kept, neglected : float
        Least singular value that counted for the rank and largest that did not, in
        units of the norm of its matrix; infinity and 0 where there is none.
    """

    basis: _Matrix
    kept: float
    neglected: float


def controllable_states(
    A: _Matrix, B: _Matrix, rtol: float, *, size_A: float, size_B: float
) -> Staircase:
    """Find the controllable subspace.

    Parameters
    ----------
    A, B : (n, n) and (n, m) arrays
        State and input matrix.
    rtol : float
        Singular values up to this times the size count as zero.
    size_A, size_B : float
        Norms of what A and B were computed from: the measure of their rounding.
    """
    n = A.shape[0]
    A, basis = A.copy(), np.eye(n, dtype=A.dtype)
    block, size = B, size_B
    kept, neglected, found = np.inf, 0.0, 0
    while found < n and size > 0:
        U, values, _ = np.linalg.svd(block)
        relative = values / size
        rank = int(np.sum(relative > rtol))
        neglected = max(neglected, float(np.max(relative[rank:], initial=0.0)))
        if rank == 0:
            break
        kept = min(kept, float(relative[rank - 1]))
        A[found:] = U.conj().T @ A[found:]
        A[:, found:] = A[:, found:] @ U
        basis[:, found:] = basis[:, found:] @ U
        block = A[found + rank :, found : found + rank]
        found, size = found + rank, size_A
    return Staircase(basis[:, :found], kept, neglected)
