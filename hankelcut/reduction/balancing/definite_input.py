r"""Definite right-hand sides in place of indefinite ones, and what that bounds.

Limited and weighted Gramians solve Lyapunov equations whose right-hand side
:math:`X = MN^H + NM^H` is indefinite, so that models balanced by them need not be
stable. With the eigenvalues of X made positive, :math:`B_wB_w^H = V|W|V^H`, and
likewise for the outputs, what is truncated is the stable system
:math:`H = C_w(sI - A)^{-1}B_w`. Where the columns of B lie in the range of
:math:`B_w`, :math:`B = B_wK`, and :math:`C = LC_w`, the system is L H K, and twice the
tail sum of H bounds its error too, times the gains L and K (Wang, Sreeram & Liu, IEEE
Trans. Autom. Control 44, 1999, p. 1734; Gugercin & Antoulas, Int. J. Control 77, 2004,
p. 748).

The eigenvectors V depend on the coordinates of the states. In units in which states are
as controllable as they are observable, they at least do not depend on the given units.
"""

from dataclasses import dataclass, replace

import numpy as np

from hankelcut import _array
from hankelcut.lti.systems._scaling import row_norms
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.reduction.balancing.balancing import balance
from hankelcut.reduction.balancing.generalized_balancing import (
    GeneralizedBalancing,
    Promise,
)
from hankelcut.reduction.reduction_method import Matrix

__all__ = ["DefiniteInput", "balance_definite", "definite_input", "state_sizes"]

# Roundings of B_w K, of which n u are seen.
_ROUNDINGS = 10.0


@dataclass(frozen=True, eq=False)
class DefiniteInput:
    """Input matrix of a definite right-hand side.

    Parameters
    ----------
    matrix : (n, k) array
        B_w.
    gain : (k, m) array
        K, for which B_w K is B, or as near to it as possible.
    complete : bool
        Whether B_w K is B up to rounding, in the directions that inputs can have.
    """

    matrix: Matrix
    gain: Matrix
    complete: bool


def state_sizes(Lc: Matrix, Lo: Matrix) -> Matrix:
    """Sizes of states that are as controllable as they are observable, (n,).

    Parameters
    ----------
    Lc, Lo : (n, k) arrays
        Factors of two Gramians. States in which one has a row of zeros get size 1.
    """
    rows_c, rows_o = row_norms(Lc), row_norms(Lo)
    known = (rows_c > 0) & (rows_o > 0)
    ratio = np.where(known, rows_c, 1.0) / np.where(known, rows_o, 1.0)
    sizes: Matrix = np.sqrt(ratio)
    return sizes


def definite_input(
    B: Matrix,
    M: Matrix,
    N: Matrix,
    sizes: Matrix,
    directions: Matrix | None = None,
) -> DefiniteInput:
    """Factor the right-hand side M N^H + N M^H with its eigenvalues made positive.

    Parameters
    ----------
    B : (n, m) array
        Input matrix of the system.
    M, N : (n, q) arrays
        What the indefinite right-hand side is made of.
    sizes : (n,) array
        Positive units of the states in which its eigenvalues are taken.
    directions : (m, k) array, optional
        Whose columns span the inputs that the system can get; all by default.

    Notes
    -----
    **Method.** Eigenvalues of the right-hand side in an orthonormal basis of the range
    of [M, N], not of the right-hand side itself, most of whose eigenvalues would be
    rounding.
    """
    eps, columns = _array.eps(M), 2 * M.shape[1]
    B, M, N = (matrix / sizes[:, None] for matrix in (B, M, N))
    U, s, _ = np.linalg.svd(
        np.concatenate([_unit(M), _unit(N)], 1), full_matrices=False
    )
    basis = U[:, s > columns * eps * np.max(s, initial=0.0)]
    half = (basis.conj().T @ M) @ (basis.conj().T @ N).conj().T
    w, Z = np.linalg.eigh(half + half.conj().T)
    size = np.abs(w)
    kept = size > columns * eps * np.max(size, initial=0.0)
    root = np.sqrt(size[kept])
    basis = basis @ Z[:, kept]
    gain = (basis.conj().T @ B) / root[:, None]
    matrix = basis * root
    seen = np.eye(B.shape[1]) if directions is None else _unit(directions)
    missed = np.linalg.norm((B - matrix @ gain) @ seen)
    allowed = _ROUNDINGS * B.shape[0] * eps * np.linalg.norm(B)
    return DefiniteInput(sizes[:, None] * matrix, gain, bool(missed <= allowed))


def _unit(matrix: Matrix) -> Matrix:
    """Return a matrix in units of its norm, or zeros as they are."""
    unit: Matrix = matrix / (np.linalg.norm(matrix) or 1.0)
    return unit


def balance_definite(
    system: StateSpace,
    units: Matrix,
    sides: tuple[DefiniteInput, DefiniteInput],
    gain: float,
    promises: tuple[Promise, Promise],
    values_name: str,
    caller: str,
) -> GeneralizedBalancing:
    """Balance the system H, and bound the errors of every order.

    Parameters
    ----------
    system : StateSpace
        Stable system of NumPy arrays, evenly scaled.
    units : (n,) array
        Units of its states.
    sides : tuple of two DefiniteInput
        B_w, and the adjoint of C_w.
    gain : float
        What the bounds of H are multiplied by.
    promises : tuple of two Promise
        Of the method where B and C are in the ranges, and where they are not: the first
        gets the bounds.
    values_name : str
        What the values are.
    caller : str
        Name for messages.
    """
    B, Ch = (side.matrix for side in sides)
    definite = StateSpace(system.A, B, Ch.conj().T, time=system.time)
    balancing = balance(definite, caller=caller)
    promise = promises[1]
    if all(side.complete for side in sides):
        bounds = tuple(gain * b for b in balancing.spectrum().error_bounds())
        promise = replace(promises[0], bounds=bounds)
    right_sides = (B @ B.conj().T, Ch @ Ch.conj().T)
    return GeneralizedBalancing(
        system, units, balancing, right_sides, values_name, promise, caller
    )
