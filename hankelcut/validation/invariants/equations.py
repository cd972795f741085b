"""Properties of solutions of Lyapunov and Stein equations.

Continuous: A X + X A^H + Q = 0. Discrete: A X A^H - X + Q = 0.
"""

from typing import Any

import numpy as np

from hankelcut.lti.systems.time_domain import Continuous, TimeDomain
from hankelcut.validation.invariants._host import Matrix, host_array, lyapunov_operator
from hankelcut.validation.invariants.violation import Property

__all__ = [
    "check_lyapunov_accuracy",
    "check_lyapunov_definiteness",
    "check_lyapunov_duality",
    "check_lyapunov_factor",
    "check_lyapunov_homogeneity",
    "check_lyapunov_residual",
]

# Units of rounding that a residual may have per state.
_RESIDUAL = 100.0
# The same for the error of a solution, times the condition of the equation.
_FORWARD = 1e3
_EPS = float(np.finfo(np.float64).eps)


def check_lyapunov_residual(
    A: Any, Q: Any, X: Any, *, time: TimeDomain, eps: float = _EPS
) -> None:
    r"""Check that X solves the equation, and is Hermitian where Q is.

    Parameters
    ----------
    A, Q, X : (n, n) arrays
        The equation and the solution to check.
    time : Continuous or Discrete
        Which equation.
    eps : float
        Precision of the arithmetic that solved it.

    Raises
    ------
    InvariantViolationError
        If the residual is above :math:`100\,n\,\epsilon\,(s \|X\| + \|Q\|)`, with
        :math:`s = 2\|A\|` (continuous) or :math:`\|A\|^2 + 1` (Frobenius norms); or the
        skew part of X is above :math:`10^3 n\,\epsilon\,\kappa\|X\|`, with the
        condition number :math:`\kappa` of the equation.

    Examples
    --------
    >>> from hankelcut.lti import Continuous
    >>> check_lyapunov_residual([[-1.0]], [[2.0]], [[1.0]], time=Continuous())
    """
    A, Q, X = (host_array(matrix) for matrix in (A, Q, X))
    prop = Property(
        "check_lyapunov_residual",
        "normalised residual of a backward stable solver, Bartels & Stewart 1972, "
        "Higham 2002 (section 16.2)",
    )
    case = {"A": A, "Q": Q, "X": X}
    prop.require(X.shape == A.shape, f"X has shape {X.shape}, need {A.shape}", case)
    residual = float(np.linalg.norm(_image(A, X, time) + Q))
    size = _operator_size(A, time) * np.linalg.norm(X) + np.linalg.norm(Q)
    allowed = _RESIDUAL * max(A.shape[0], 1) * eps * float(size)
    fact = f"the residual of X is {residual:.3g}, allowed {allowed:.3g}"
    prop.require(residual <= allowed, fact, case)
    if np.array_equal(Q, Q.conj().T):
        skew = float(np.linalg.norm(X - X.conj().T))
        allowed = _forward_tolerance(A, X, time, eps)
        fact = f"X differs from its adjoint by {skew:.3g}, allowed {allowed:.3g}"
        prop.require(skew <= allowed, fact, case)


def check_lyapunov_accuracy(
    A: Any, Q: Any, X: Any, *, time: TimeDomain, eps: float = _EPS
) -> None:
    r"""Check X against the solution by Kronecker products (small n only).

    Parameters
    ----------
    A, Q, X, time, eps
        As of `check_lyapunov_residual`.

    Raises
    ------
    InvariantViolationError
        If X is further from it than :math:`10^3 n\,\epsilon\,\kappa\|X\|`, with
        :math:`\kappa` the condition number of the equation; or is complex where A and Q
        are real.
    """
    A, Q, X = (host_array(matrix) for matrix in (A, Q, X))
    prop = Property(
        "check_lyapunov_accuracy",
        "forward error of a backward stable solver, Hammarling 1982, Higham 2002 "
        "(section 16.3)",
    )
    case = {"A": A, "Q": Q, "X": X}
    real = np.isrealobj(A) and np.isrealobj(Q)
    prop.require(not real or np.isrealobj(X), "X is complex, A and Q are real", case)
    exact = np.linalg.solve(lyapunov_operator(A, time), -Q.ravel()).reshape(A.shape)
    tolerance = _forward_tolerance(A, exact, time, eps)
    prop.require_close("X", X, exact, tolerance, case)


def check_lyapunov_definiteness(
    A: Any, Q: Any, X: Any, *, time: TimeDomain, eps: float = _EPS
) -> None:
    r"""Check that X is positive semidefinite, for a stable A and such a Q.

    Parameters
    ----------
    A, Q, X, time, eps
        As of `check_lyapunov_residual`.

    Raises
    ------
    InvariantViolationError
        If an eigenvalue of X is below :math:`-10^3 n\,\epsilon\,\kappa\|X\|`, with
        :math:`\kappa` the condition number of the equation.
    """
    A, Q, X = (host_array(matrix) for matrix in (A, Q, X))
    prop = Property(
        "check_lyapunov_definiteness", "Lyapunov's theorem, Lyapunov 1892, Stein 1952"
    )
    case = {"A": A, "Q": Q, "X": X}
    prop.require(np.isfinite(X).all(), "X has entries that are not finite", case)
    smallest = float(np.min(np.linalg.eigvalsh((X + X.conj().T) / 2), initial=0.0))
    allowed = _forward_tolerance(A, X, time, eps)
    fact = f"X has the eigenvalue {smallest:.3g}, allowed {-allowed:.3g}"
    prop.require(smallest >= -allowed, fact, case)


def check_lyapunov_factor(
    A: Any,
    B: Any,
    L: Any,
    *,
    time: TimeDomain,
    eps: float = _EPS,
    unique: bool = True,
) -> None:
    r"""Check that L L^H solves the equation with Q = B B^H.

    Parameters
    ----------
    A : (n, n) array
        State matrix.
    B : (n, m) array
        Factor of the right side.
    L : (n, k) array
        The factor to check.
    time : Continuous or Discrete
        Which equation.
    eps : float
        Precision of the arithmetic that solved it.
    unique : bool
        Whether the equation has one solution, as for every stable A; without, only the
        residual is checked.

    Raises
    ------
    InvariantViolationError
        If L has not n rows, is complex where A and B are real, or L L^H does not pass
        `check_lyapunov_residual` and `check_lyapunov_accuracy`.
    """
    A, B, L = (host_array(matrix) for matrix in (A, B, L))
    prop = Property("check_lyapunov_factor", "factored solutions, Hammarling 1982")
    case = {"A": A, "B": B, "L": L}
    fits = L.ndim == 2 and L.shape[0] == A.shape[0]
    prop.require(fits, f"L has shape {L.shape}, need ({A.shape[0]}, k)", case)
    real = np.isrealobj(A) and np.isrealobj(B)
    prop.require(not real or np.isrealobj(L), "L is complex, A and B are real", case)
    Q, X = B @ B.conj().T, L @ L.conj().T
    check_lyapunov_residual(A, Q, X, time=time, eps=eps)
    if unique:
        check_lyapunov_accuracy(A, Q, X, time=time, eps=eps)


def check_lyapunov_duality(
    A: Any, Q: Any, X: Any, W: Any, Y: Any, *, time: TimeDomain, eps: float = _EPS
) -> None:
    r"""Check trace(W X) = trace(Q Y) of an equation and its adjoint.

    Parameters
    ----------
    A, Q, X : (n, n) arrays
        The equation with A and its solution.
    W, Y : (n, n) arrays
        The equation with :math:`A^H`, right side W, and its solution.
    time : Continuous or Discrete
        Which equation.
    eps : float
        Precision of the arithmetic that solved them.

    Raises
    ------
    InvariantViolationError
        If the traces differ by more than :math:`10^3 n\,\epsilon\,\kappa (\|W\|\|X\| +
        \|Q\|\|Y\|)`, with the condition number :math:`\kappa` of the equation.
    """
    A, Q, X, W, Y = (host_array(matrix) for matrix in (A, Q, X, W, Y))
    prop = Property(
        "check_lyapunov_duality",
        "adjoint of the operator, Horn & Johnson 1991",
    )
    norm = np.linalg.norm
    size = norm(W) * norm(X) + norm(Q) * norm(Y)
    allowed = _FORWARD * max(A.shape[0], 1) * eps * _condition(A, time) * float(size)
    case = {"A": A, "Q": Q, "X": X, "W": W, "Y": Y}
    traces = (np.trace(W @ X), np.trace(Q @ Y))
    prop.require_close("trace(W X) against trace(Q Y)", *traces, allowed, case)


def check_lyapunov_homogeneity(
    A: Any, Q: Any, X: Any, scaled: Any, *, exponent: int, eps: float = _EPS
) -> None:
    r"""Check that a right side times a power of two gives that multiple of X.

    Parameters
    ----------
    A, Q, X : (n, n) arrays
        The equation and its solution.
    scaled : (n, n) array
        The solution for :math:`2^{\text{exponent}} Q`.
    exponent : int
        The power.
    eps : float
        Precision of the arithmetic that solved them.

    Raises
    ------
    InvariantViolationError
        If an entry differs by more than :math:`10^3 n\,\epsilon \max|X|`: something was
        added to the equation, or compared with an absolute number.
    """
    A, Q, X, scaled = (host_array(matrix) for matrix in (A, Q, X, scaled))
    prop = Property(
        "check_lyapunov_homogeneity",
        "X is linear in Q, and powers of two scale without rounding",
    )
    allowed = _FORWARD * max(X.shape[0], 1) * eps * float(np.max(np.abs(X), initial=0))
    back = np.ldexp(1.0, -exponent) * scaled
    what = f"2^{-exponent} X(2^{exponent} Q) against X(Q)"
    case = {"A": A, "Q": Q, "exponent": exponent}
    prop.require_close(what, back, X, allowed, case)


def _image(A: Matrix, X: Matrix, time: TimeDomain) -> Matrix:
    """Lyapunov or Stein operator of X."""
    adjoint = A.conj().T
    if isinstance(time, Continuous):
        return np.asarray(A @ X + X @ adjoint)
    return np.asarray(A @ X @ adjoint - X)


def _operator_size(A: Matrix, time: TimeDomain) -> float:
    norm = float(np.linalg.norm(A))
    return 2 * norm if isinstance(time, Continuous) else norm * norm + 1


def _condition(A: Matrix, time: TimeDomain) -> float:
    """Condition number of the equation: the size of its operator over its gap."""
    if A.size == 0:
        return 1.0
    gap = float(np.linalg.svd(lyapunov_operator(A, time), compute_uv=False)[-1])
    return float(max(_operator_size(A, time) / gap, 1.0))


def _forward_tolerance(A: Matrix, X: Matrix, time: TimeDomain, eps: float) -> float:
    states = max(A.shape[0], 1)
    return float(_FORWARD * states * eps * _condition(A, time) * np.linalg.norm(X))
