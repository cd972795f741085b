"""Lyapunov and Stein equations, their solutions and the factors of those."""

from hankelcut._typing import Array
from hankelcut.lti.equations.lyapunov_equation import LyapunovEquation
from hankelcut.lti.systems.time_domain import Continuous, Discrete

__all__ = [
    "continuous_lyapunov",
    "continuous_lyapunov_factor",
    "discrete_lyapunov",
    "discrete_lyapunov_factor",
]


def continuous_lyapunov(A: Array, Q: Array, *, E: Array = None) -> Array:
    r"""Solve :math:`AX + XA^H + Q = 0`, or :math:`AXE^H + EXA^H + Q = 0`, for X.

    Parameters
    ----------
    A : (..., n, n) array
        State matrix, real or complex, stable or not; batch axes broadcast.
    Q : (..., n, n) array
        Hermitian, definite or not.
    E : (..., n, n) array, optional
        Nonsingular matrix; the identity by default.

    Returns
    -------
    X : (..., n, n) array
        Hermitian, of the library, dtype and device of A; real for real data.

    Raises
    ------
    InvalidSystemError
        If shapes, devices or values do not fit, Q is not Hermitian, or E is singular.
    UnstableSystemError
        If the equation is singular: two poles are mirror images in the imaginary axis.
    IllConditionedError
        If the solution leaves the range of its dtype.
    ConvergenceError
        On an accelerator, if an iteration fails; names the batch items.

    Warns
    -----
    NumericalWarning
        If the equation is nearly singular; names the pole.

    Notes
    -----
    **Method.** Bartels & Stewart (Comm. ACM 15, 1972, p. 820) with the recursion of
    Jonsson & Kagstrom (ACM Trans. Math. Softw. 28, 2002, p. 392). Stacks of 16 and more
    systems of up to 64 states, and arrays on accelerators, are solved by a squared
    Smith iteration, whose residuals are checked. `LyapunovEquation` solves the dual
    equation with the same Schur form, and gives residuals and condition numbers.
    **Numerical aspects.** 25 n^3 flops for the Schur form, 9 n^3 for the rest.

    Examples
    --------
    >>> from hankelcut.lti import continuous_lyapunov
    >>> X = continuous_lyapunov([[-2.0]], [[8.0]])
    >>> float(X[0, 0])
    2.0
    """
    equation = LyapunovEquation(A, Continuous(), E=E, caller="continuous_lyapunov")
    return equation.solve(Q)


def discrete_lyapunov(A: Array, Q: Array, *, E: Array = None) -> Array:
    r"""Solve :math:`AXA^H - X + Q = 0`, or :math:`AXA^H - EXE^H + Q = 0`, for X.

    Parameters
    ----------
    A : (..., n, n) array
        State matrix, real or complex, stable or not; batch axes broadcast.
    Q : (..., n, n) array
        Hermitian, definite or not.
    E : (..., n, n) array, optional
        Nonsingular matrix; the identity by default.

    Returns
    -------
    X : (..., n, n) array
        Hermitian, of the library, dtype and device of A; real for real data.

    Raises
    ------
    InvalidSystemError
        If shapes, devices or values do not fit, Q is not Hermitian, or E is singular.
    UnstableSystemError
        If the equation is singular: two poles are mirror images in the unit circle.
    IllConditionedError
        If the solution leaves the range of its dtype.
    ConvergenceError
        On an accelerator, if an iteration fails; names the batch items.

    Warns
    -----
    NumericalWarning
        If the equation is nearly singular; names the pole.

    Notes
    -----
    **Method.** As `continuous_lyapunov`, without a bilinear map: poles near 1 and -1
    are as good as others.

    Examples
    --------
    >>> from hankelcut.lti import discrete_lyapunov
    >>> float(discrete_lyapunov([[0.5]], [[3.0]])[0, 0])
    4.0
    """
    equation = LyapunovEquation(A, Discrete(), E=E, caller="discrete_lyapunov")
    return equation.solve(Q)


def continuous_lyapunov_factor(A: Array, B: Array, *, E: Array = None) -> Array:
    r"""Factor L of the solution :math:`X = LL^H` of `continuous_lyapunov`, Q = B B^H.

    Parameters
    ----------
    A : (..., n, n) array
        Stable state matrix, real or complex; batch axes broadcast.
    B : (..., n, m) array
        Factor of the right-hand side.
    E : (..., n, n) array, optional
        Nonsingular matrix; the identity by default.

    Returns
    -------
    L : (..., n, k) array
        k <= n: of one system on the host, columns that are zero to rounding are left
        out. Of the library, dtype and device of A; real for real data.

    Raises
    ------
    InvalidSystemError
        If shapes, devices or values do not fit, or E is singular.
    UnstableSystemError
        If a pole is on or outside the stability boundary; names it.
    IllConditionedError
        If the factor leaves the range of its dtype.
    ConvergenceError
        On an accelerator, if an iteration fails; names the batch items.

    Warns
    -----
    NumericalWarning
        If a pole is so close to the boundary that few digits are left; names it.

    Notes
    -----
    **Method.** Hammarling (IMA J. Numer. Anal. 2, 1982, p. 303) as a recursion of
    matrix products: X itself, which would lose singular values of L below 1e-8 of the
    largest, is never formed. Stacks and accelerators as in `continuous_lyapunov`, with
    the sign iteration of Benner & Quintana-Orti (Numer. Algorithms 20, 1999, p. 75).

    Examples
    --------
    >>> from hankelcut.lti import continuous_lyapunov_factor
    >>> L = continuous_lyapunov_factor([[-2.0]], [[4.0]])
    >>> float(L[0, 0])
    2.0
    """
    caller = "continuous_lyapunov_factor"
    return LyapunovEquation(A, Continuous(), E=E, caller=caller).factor(B)


def discrete_lyapunov_factor(A: Array, B: Array, *, E: Array = None) -> Array:
    r"""Factor L of the solution :math:`X = LL^H` of `discrete_lyapunov`, Q = B B^H.

    Parameters
    ----------
    A : (..., n, n) array
        Stable state matrix, real or complex; batch axes broadcast.
    B : (..., n, m) array
        Factor of the right-hand side.
    E : (..., n, n) array, optional
        Nonsingular matrix; the identity by default.

    Returns
    -------
    L : (..., n, k) array
        As `continuous_lyapunov_factor`, which also says what is raised.

    Notes
    -----
    **Method.** Hammarling (Systems & Control Letters 17, 1991, p. 137) as a recursion
    of matrix products and unitary updates. Stacks and accelerators: squared Smith
    iteration with compression.

    Examples
    --------
    >>> from hankelcut.lti import discrete_lyapunov_factor
    >>> round(float(discrete_lyapunov_factor([[0.6]], [[0.8]])[0, 0]), 12)
    1.0
    """
    caller = "discrete_lyapunov_factor"
    return LyapunovEquation(A, Discrete(), E=E, caller=caller).factor(B)
