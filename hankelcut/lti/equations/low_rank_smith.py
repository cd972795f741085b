"""Stein equations of large sparse pencils, by a low-rank Smith method with shifts."""

from collections.abc import Sequence

from hankelcut._typing import Array
from hankelcut.lti.equations._adi_iteration import solve_together
from hankelcut.lti.equations._adi_settings import AdiSettings, Progress, checked_pencil
from hankelcut.lti.equations.low_rank_factor import LowRankFactor
from hankelcut.lti.systems import _sparse_lu
from hankelcut.lti.systems._sparse_lu import SparseMatrix

__all__ = ["low_rank_smith"]


def low_rank_smith(
    A: SparseMatrix,
    B: Array,
    *,
    E: SparseMatrix | None = None,
    tol: float = 1e-12,
    max_iterations: int = 500,
    shifts: Sequence[complex | float] | None = None,
    progress: Progress | None = None,
) -> LowRankFactor:
    r"""Solve :math:`AXA^H - EXE^H + BB^H = 0` for a low-rank factor of X.

    For the observability equation :math:`A^HXA - E^HXE + C^HC = 0` pass
    :math:`A^H, C^H, E^H`.

    Parameters
    ----------
    A : (n, n) sparse matrix
        Stable state matrix, real or complex; it may be singular.
    B : (n, m) array or sparse matrix
        Factor of the right-hand side, with few columns.
    E : (n, n) sparse matrix, optional
        Nonsingular matrix; the identity by default.
    tol : float
        Relative residual to reach, in the spectral norm.
    max_iterations : int
        Largest number of sparse factorizations.
    shifts : sequence of complex, optional
        Shifts a with negative real part, used in turn; projection shifts by default. A
        shift suits the pole (1 + a) / (1 - a); -1 alone is Smith's own iteration.
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
        If a pole on or outside the unit circle is met. Unstable poles that B does not
        excite are not met.
    ConvergenceError
        If the tolerance is not reached in `max_iterations`, or the factor does not
        have it.

    Notes
    -----
    **Method.** :math:`(A-E)X(A+E)^H + (A+E)X(A-E)^H + 2BB^H = 0` is the same equation:
    low-rank ADI for the pencil A - E, A + E, of which no matrix is ever inverted but
    (1 + a) A - (1 - a) E. Poles at 0 and next to -1 are as good as others, and every
    step is a step of the Smith iteration when a = -1.
    **Numerical aspects.** As `low_rank_adi`; the residual is that of either equation.

    Examples
    --------
    >>> import numpy as np
    >>> import scipy.sparse
    >>> from hankelcut.lti import low_rank_smith
    >>> A = scipy.sparse.diags_array([0.0, 0.5, -0.5])
    >>> Z = low_rank_smith(A, np.ones((3, 1))).factor
    >>> [round(float(value), 6) for value in (Z @ Z.T)[1]]
    [1.0, 1.333333, 0.8]
    """
    caller = "low_rank_smith"
    settings = AdiSettings(caller, tol, max_iterations, shifts, progress, discrete=True)
    A, B, E = checked_pencil(caller, A, _sparse_lu.dense(B), E)
    return solve_together(A, E, [(B, False)], settings)[0]
