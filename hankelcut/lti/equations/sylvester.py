"""Sylvester equations."""

import numpy as np

from hankelcut import _array
from hankelcut._errors import IllConditionedError, InvalidSystemError
from hankelcut._parallel import map_in_threads
from hankelcut._typing import Array
from hankelcut.lti.equations._direct import require_range
from hankelcut.lti.equations._pole_checks import warn_if_close
from hankelcut.lti.equations._schur_form import SchurForm, schur_form
from hankelcut.lti.equations._schur_sylvester import Matrix, solve_sylvester
from hankelcut.lti.systems import _shapes

__all__ = ["sylvester"]


def sylvester(A: Array, B: Array, Q: Array) -> Array:
    r"""Solve :math:`AX + XB + Q = 0` for X.

    Parameters
    ----------
    A : (..., n, n) array
        Real or complex; batch axes broadcast.
    B : (..., k, k) array
        Without an eigenvalue that is the negative of one of A.
    Q : (..., n, k) array
        Right-hand side.

    Returns
    -------
    X : (..., n, k) array
        Of the library and dtype of the arguments; real for real data.

    Raises
    ------
    InvalidSystemError
        If shapes, devices or values do not fit, an array is on an accelerator, or the
        equation is singular: A and -B have a common eigenvalue to rounding.
    IllConditionedError
        If the solution leaves the range of its dtype, or A or B is so non-normal that
        the equation is singular to rounding.

    Warns
    -----
    NumericalWarning
        If the equation is nearly singular; names the eigenvalues.

    Notes
    -----
    **Method.** Bartels & Stewart (Comm. ACM 15, 1972, p. 820): Schur forms of A and B,
    and the recursion of Jonsson & Kagstrom (ACM Trans. Math. Softw. 28, 2002, p. 392).

    Examples
    --------
    >>> from hankelcut.lti import sylvester
    >>> float(sylvester([[-1.0]], [[-2.0]], [[6.0]])[0, 0])
    2.0
    """
    xp, arrays = _array.as_arrays([A, B, Q])
    A, B, Q = arrays
    shapes = [tuple(matrix.shape) for matrix in arrays]
    square = all(len(s) >= 2 for s in shapes) and A.shape[-2] == A.shape[-1]
    if (
        not square
        or shapes[1][-2:] != (shapes[2][-1],) * 2
        or (shapes[2][-2] != shapes[0][-1])
    ):
        shown = ", ".join(str(shape) for shape in shapes)
        msg = f"sylvester: got A, B, Q of shapes {shown}; need (..., n, n), (..., k, k)"
        raise InvalidSystemError(msg + " and (..., n, k)")
    _array.require_finite("sylvester", A=A, B=B, Q=Q)
    arrays = _shapes.broadcast_batches("sylvester", arrays, [2, 2, 2])
    left, right, constant = (_array.to_numpy(matrix) for matrix in arrays)
    indices = list(np.ndindex(*left.shape[:-2]))
    solutions = map_in_threads(
        lambda index: _solve_one(left[index], right[index], constant[index]), indices
    )
    X = np.zeros_like(constant)
    for index, solution in zip(indices, solutions, strict=True):
        X[index] = solution
    return xp.asarray(X)


def _solve_one(A: Matrix, B: Matrix, Q: Matrix) -> Matrix:
    first, second = schur_form(A), schur_form(B.conj().T)
    _require_regular(first, second)
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            X = first.enter(second.enter(Q.conj().T).conj().T)
            solve_sylvester(first.T, second.T, X)
            X = first.leave(second.leave(X.conj().T).conj().T)
        require_range(X)
    except (np.linalg.LinAlgError, OverflowError) as error:
        msg = (
            f"sylvester: {error} (strongly non-normal A or B, or data of extreme "
            "size); rescale the equation or convert it to double precision"
        )
        raise IllConditionedError(msg) from error
    return X


def _require_regular(first: SchurForm, second: SchurForm) -> None:
    """Raise where an eigenvalue of A is the negative of one of B, warn where nearly."""
    poles, others = first.poles, second.poles.conj()
    if poles.shape[0] == 0 or others.shape[0] == 0:
        return
    size = float(np.max(np.abs(poles))) + float(np.max(np.abs(others)))
    gaps = np.abs(poles[:, None] + others[None, :])
    row, column = (int(k) for k in np.unravel_index(np.argmin(gaps), gaps.shape))
    gap = float(gaps[row, column])
    one, other = complex(poles[row]), complex(others[column])
    pair = f"the eigenvalue {one:.6g} of A and {other:.6g} of B"
    if gap > np.finfo(gaps.dtype).eps / 2 * size:
        warn_if_close("sylvester", pair, gap / size, gaps.dtype)
        return
    msg = (
        f"sylvester: the equation is singular: {pair} are negatives of each "
        "other; need disjoint spectra of A and -B"
    )
    raise InvalidSystemError(msg)
