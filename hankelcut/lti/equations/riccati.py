"""Riccati equations of continuous time."""

import numpy as np

from hankelcut import _array
from hankelcut._errors import InvalidSystemError
from hankelcut._typing import Array
from hankelcut.lti.equations._schur_riccati import RiccatiTerms, solve_riccati
from hankelcut.lti.equations._schur_sylvester import Matrix

__all__ = ["continuous_riccati"]

# Products of matrices are Hermitian up to n u; 10 leaves slack for sums of them.
_ASYMMETRY = 10.0


def continuous_riccati(
    A: Array, B: Array, Q: Array, R: Array, S: Array = None
) -> Array:
    r"""Solve :math:`A^HX + XA + Q - (XB + S)R^{-1}(XB + S)^H = 0` for X.

    The solution is the stabilizing one, for which all eigenvalues of
    :math:`A - BR^{-1}(XB + S)^H` have negative real parts: unique where it exists.

    Parameters
    ----------
    A : (n, n) array
        State matrix, real or complex, stable or not.
    B : (n, m) array
        Input matrix.
    Q : (n, n) array
        Hermitian, definite or not.
    R : (m, m) array
        Hermitian and nonsingular: positive definite, negative definite or indefinite.
    S : (n, m) array, optional
        Zero by default.

    Returns
    -------
    X : (n, n) array
        Hermitian, of the library and dtype of the arguments; real for real data.

    Raises
    ------
    InvalidSystemError
        If shapes or values do not fit, Q or R is not Hermitian, R is singular, or there
        is no stabilizing solution: the Hamiltonian matrix has eigenvalues on the
        imaginary axis. Names one of them.
    IllConditionedError
        If (A, B) is not stabilizable, or the solution is too large for its dtype.
    ConvergenceError
        If the relative residual of what was computed is above 1e-10, or its closed loop
        not stable.

    Warns
    -----
    NumericalWarning
        If a pole of the closed loop is so close to the imaginary axis that few digits
        are left; names it.

    Notes
    -----
    **Method.** Stable subspace of the Hamiltonian matrix from an ordered Schur form
    (Laub, IEEE Trans. Automat. Control 24, 1979, p. 913), or of the extended pencil
    (Van Dooren, SIAM J. Sci. Stat. Comput. 2, 1981, p. 121) where R is badly
    conditioned, in scaled states and inputs; then steps of Newton's method with
    Lyapunov equations while they lower the residual. **Numerical aspects.** 200 n^3
    flops for the Schur form, 25 n^3 for each Newton step, in double precision. An X
    that is definite is only so up to its rounding: for factors, solve the Lyapunov
    equation of the closed loop, whose right-hand side is definite.

    Examples
    --------
    >>> from hankelcut.lti import continuous_riccati
    >>> X = continuous_riccati([[1.0]], [[1.0]], [[3.0]], [[1.0]])
    >>> round(float(X[0, 0]), 12)  # 2 X + 3 - X^2 = 0
    3.0
    """
    caller = "continuous_riccati"
    given = [A, B, Q, R] if S is None else [A, B, Q, R, S]
    xp, arrays = _array.as_arrays(given)
    matrices = [_array.to_numpy(matrix) for matrix in arrays]
    if S is None:
        matrices.append(np.zeros_like(matrices[1]))
    _require_shapes(caller, matrices)
    names = ("A", "B", "Q", "R", "S")
    _array.require_finite(caller, **dict(zip(names, matrices, strict=True)))
    single = _array.eps(matrices[0])
    wide = np.complex128 if np.iscomplexobj(matrices[0]) else np.float64
    A, B, Q, R, S = (matrix.astype(wide) for matrix in matrices)
    terms = RiccatiTerms(
        A, B, _hermitian(caller, "Q", Q, single), _hermitian(caller, "R", R, single), S
    )
    solution = solve_riccati(caller, terms)
    with np.errstate(over="ignore"):
        X = solution.X.astype(matrices[0].dtype)
    _array.require_in_range(caller, X=X)
    return xp.asarray(X)


def _require_shapes(caller: str, matrices: list[Matrix]) -> None:
    A, B = matrices[:2]
    shapes = [matrix.shape for matrix in matrices]
    if A.ndim == 2 and B.ndim == 2:
        n, m = B.shape
        if shapes == [(n, n), (n, m), (n, n), (m, m), (n, m)]:
            return
    shown = ", ".join(str(shape) for shape in shapes)
    msg = (
        f"{caller}: got A, B, Q, R, S of shapes {shown}; need (n, n), (n, m), (n, n), "
        "(m, m) and (n, m)"
    )
    raise InvalidSystemError(msg)


def _hermitian(caller: str, name: str, matrix: Matrix, eps: float) -> Matrix:
    """Hermitian part of a matrix that is Hermitian to rounding."""
    skew = float(np.max(np.abs(matrix - matrix.conj().T), initial=0.0))
    largest = float(np.max(np.abs(matrix), initial=0.0))
    if skew > _ASYMMETRY * max(matrix.shape[0], 1) * eps * largest:
        msg = (
            f"{caller}: got {name} with entries up to {skew:.3g} away from its "
            f"adjoint, need a Hermitian {name}: take ({name} + {name}^H) / 2"
        )
        raise InvalidSystemError(msg)
    return (matrix + matrix.conj().T) / 2
