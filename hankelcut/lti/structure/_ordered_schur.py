r"""Block diagonalization by the ordered Schur form.

**Method.** :math:`A = Z [T_1, T_{12}; 0, T_2] Z^H` with the selected eigenvalues in
:math:`T_1` (LAPACK's trsen) and the coupling X of the Sylvester equation
:math:`T_1 X - X T_2 + T_{12} = 0`: :math:`T = Z [I, X; 0, I]` makes
:math:`T^{-1} A T` block diagonal. Real for real data.
"""

import math
from dataclasses import dataclass

import numpy as np
import scipy.linalg

from hankelcut._errors import IllConditionedError
from hankelcut.lti.equations._schur_form import SchurForm
from hankelcut.lti.equations._schur_sylvester import Matrix, solve_sylvester
from hankelcut.lti.systems.time_domain import Continuous, TimeDomain

__all__ = [
    "BlockDiagonalization",
    "block_diagonalized",
    "default_margin",
    "plain_schur_form",
    "stable_block_first",
]


@dataclass(frozen=True, eq=False)
class BlockDiagonalization:
    """T^-1 A T = diag(first, second).

    Parameters
    ----------
    first, second : (k, k) and (n - k, n - k) arrays
        The blocks, upper (quasi-) triangular.
    T, T_inverse : (n, n) arrays
        The transformation and its inverse.
    coupling : float
        Norm of X; the condition number of T is about its square where it is large.
    """

    first: Matrix
    second: Matrix
    T: Matrix
    T_inverse: Matrix
    coupling: float


def plain_schur_form(A: Matrix) -> SchurForm:
    """Schur form of a matrix as it is, whose scaling is the caller's business."""
    if A.shape[0] == 0:
        return SchurForm(A, A, A.real[0:0].reshape(0))
    T, U = scipy.linalg.schur(A, check_finite=False)
    return SchurForm(T, U, np.ones(A.shape[0], dtype=A.real.dtype))


def block_diagonalized(form: SchurForm, selected: Matrix) -> BlockDiagonalization:
    """Decouple the selected eigenvalues of a matrix from the others.

    Parameters
    ----------
    form : SchurForm
        The plain one of the matrix, with n states.
    selected : (n,) array of bool
        Which eigenvalues, in the order of the diagonal, come first; of a conjugate pair
        of a real form both or none.

    Raises
    ------
    IllConditionedError
        If eigenvalues of both sides are too close to be told apart.
    """
    k = int(np.sum(selected))
    reorder = scipy.linalg.get_lapack_funcs("trsen", (form.T,))
    T, Z, *_, info = reorder(selected.astype(np.int32), form.T, form.U, job="N")
    # The solver takes X J and the Schur form -J T2^H J of -T2^H, J the reversal.
    mirrored = -T[k:, k:].conj().T[::-1, ::-1]
    X = np.array(T[:k, k:][:, ::-1])
    coupling = _solved(T[:k, :k], mirrored, X)
    X = X[:, ::-1]
    if info != 0 or coupling >= 1 / np.finfo(X.dtype).eps:
        msg = (
            "block_diagonalized: eigenvalues of both blocks coincide to rounding and "
            "cannot be separated; choose a margin with a gap around it"
        )
        raise IllConditionedError(msg)
    transformation = np.concatenate([Z[:, :k], Z[:, :k] @ X + Z[:, k:]], axis=1)
    rows = Z.conj().T
    inverse = np.concatenate([rows[:k] - X @ rows[k:], rows[k:]], axis=0)
    return BlockDiagonalization(T[:k, :k], T[k:, k:], transformation, inverse, coupling)


def _solved(S: Matrix, T: Matrix, F: Matrix) -> float:
    """Solve S X + X T^H + F = 0 in place; the norm of X, infinite if there is none."""
    if F.size == 0:
        return 0.0
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            solve_sylvester(S, T, F)
    except (np.linalg.LinAlgError, OverflowError):
        return math.inf
    return float(np.linalg.norm(F, 2)) if np.isfinite(F).all() else math.inf


def default_margin(form: SchurForm, time: TimeDomain) -> float:
    """Distance from the stability boundary by which rounding may move a double pole."""
    largest = float(np.max(np.abs(form.poles), initial=0.0))
    scale = largest if isinstance(time, Continuous) else 1.0
    return scale * math.sqrt(float(np.finfo(form.T.dtype).eps))


def stable_block_first(
    A: Matrix,
    form: SchurForm,
    time: TimeDomain,
    margin: float,
    *,
    reverse: bool = False,
) -> BlockDiagonalization:
    """Decouple the stable from the other eigenvalues.

    Parameters
    ----------
    A : (n, n) array
        State matrix; a block that holds all of its eigenvalues is A itself.
    form : SchurForm
        The plain one of A.
    time : Continuous or Discrete
        The time domain.
    margin : float
        Eigenvalues up to this distance from the stability boundary are not stable.
    reverse : bool
        In reversed time: those that are unstable by more than the margin come first.

    Raises
    ------
    IllConditionedError
        As `block_diagonalized`.
    """
    poles = form.poles
    distances = -poles.real if isinstance(time, Continuous) else 1 - np.abs(poles)
    stable = (-distances if reverse else distances) > margin
    if 0 < np.sum(stable) < A.shape[0]:
        return block_diagonalized(form, stable)
    identity = np.eye(A.shape[0], dtype=A.dtype)
    first, second = (A, A[:0, :0]) if stable.all() else (A[:0, :0], A)
    return BlockDiagonalization(first, second, identity, identity, 0.0)
