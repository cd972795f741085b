"""Lyapunov equations of large sparse pencils, by low-rank ADI."""

from collections.abc import Sequence

from hankelcut._typing import Array
from hankelcut.lti.equations._adi_iteration import solve_together
from hankelcut.lti.equations._adi_settings import AdiSettings, Progress, checked_pencil
from hankelcut.lti.equations.low_rank_factor import LowRankFactor
from hankelcut.lti.systems import _sparse_lu
from hankelcut.lti.systems._sparse_lu import SparseMatrix

__all__ = ["low_rank_adi"]


def low_rank_adi(
    A: SparseMatrix,
    B: Array,
    *,
    E: SparseMatrix | None = None,
    tol: float = 1e-12,
    max_iterations: int = 500,
    shifts: Sequence[complex | float] | None = None,
    progress: Progress | None = None,
) -> LowRankFactor:
    r"""Solve :math:`AXE^H + EXA^H + BB^H = 0` for a low-rank factor of X.

    For the observability equation :math:`A^HXE + E^HXA + C^HC = 0` pass
    :math:`A^H, C^H, E^H`.

    Parameters
    ----------
    A : (n, n) sparse matrix
        Stable state matrix, real or complex.
    B : (n, m) array or sparse matrix
        Factor of the right-hand side, with few columns.
    E : (n, n) sparse matrix, optional
        Nonsingular mass matrix; the identity by default.
    tol : float
        Relative residual to reach, in the spectral norm.
    max_iterations : int
        Largest number of sparse factorizations.
    shifts : sequence of complex, optional
        Shifts with negative real part, used in turn; projection shifts by default. For
        real data a complex shift stands for itself and its conjugate.
    progress : callable, optional
        Called as progress(iteration, relative_residual).

    Returns
    -------
    LowRankFactor
        Z with :math:`X \approx ZZ^H`, its measured residual and the history; Z is real
        for real data.

    Raises
    ------
    InvalidSystemError
        If A or E is not sparse, shapes do not fit, or an entry is NaN or infinite.
    UnstableSystemError
        If a pole on or outside the stability boundary is met. Unstable poles that B
        does not excite are not met.
    ConvergenceError
        If the tolerance is not reached in `max_iterations`, or the factor does not
        have it.

    Notes
    -----
    **Method.** Benner, Kuerschner & Saak, Numer. Algorithms 62, 2013, p. 225, with
    projection shifts (ETNA 43, 2014, p. 142) in Penzl's greedy order; two steps with
    conjugate shifts of a real equation in one. Columns of Z are compressed by QR and
    SVD as far as the tolerance allows.
    **Numerical aspects.** One sparse LU and m solves per shift; some tens of shifts for
    parabolic problems. The residual is carried along as a factor and measured again
    from Z at the end.

    Examples
    --------
    >>> import numpy as np
    >>> import scipy.sparse
    >>> from hankelcut.lti import low_rank_adi
    >>> A = scipy.sparse.diags_array([-1.0, -2.0, -4.0])
    >>> Z = low_rank_adi(A, np.ones((3, 1))).factor
    >>> [round(float(value), 6) for value in (Z @ Z.T)[0]]
    [0.5, 0.333333, 0.2]
    """
    caller = "low_rank_adi"
    settings = AdiSettings(caller, tol, max_iterations, shifts, progress)
    A, B, E = checked_pencil(caller, A, _sparse_lu.dense(B), E)
    return solve_together(A, E, [(B, False)], settings)[0]
