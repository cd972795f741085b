r"""Riccati equations by the stable subspace of their Hamiltonian matrices.

**Method.** With :math:`F = A - BR^{-1}S^H` the columns of [X_1; X_2] that span the
stable invariant subspace of

.. math::
    H = \begin{bmatrix} F & -BR^{-1}B^H \\ SR^{-1}S^H - Q & -F^H \end{bmatrix}

give :math:`X = X_2X_1^{-1}` (Laub, IEEE Trans. Automat. Control 24, 1979, p. 913).
Where R is badly conditioned, or the subspace is lost in rounding, it is not inverted:
the pencil of the states, the costates and the inputs is compressed by a QR
decomposition instead (Van Dooren, SIAM J. Sci. Stat. Comput. 2, 1981, p. 121). States
and costates are scaled by reciprocal powers of two, which keeps the structure (Benner,
Computing 66, 2001, p. 29). Steps of Newton's method (Kleinman, IEEE Trans. Automat.
Control 13, 1968, p. 114) take X to the rounding of its residual.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import scipy.linalg

from hankelcut._errors import ConvergenceError, IllConditionedError, InvalidSystemError
from hankelcut.lti.equations._pole_checks import warn_if_close
from hankelcut.lti.equations._schur_form import SchurForm, schur_form
from hankelcut.lti.equations._schur_lyapunov import solve_in_schur_form
from hankelcut.lti.equations._schur_sylvester import Matrix
from hankelcut.lti.systems._scaling import frobenius_norm
from hankelcut.lti.systems.time_domain import Continuous

__all__ = [
    "RiccatiSolution",
    "RiccatiTerms",
    "StableSubspace",
    "crossing_frequencies",
    "solve_riccati",
    "stable_subspace",
]

_EPS = float(np.finfo(float).eps)
# R is inverted up to this condition number, which costs as many digits of H.
_INVERTED = 1e4
# The first takes most of the error, which may be large where X is.
_NEWTON_STEPS = 4
# Largest relative residual of a solution; a few n u is usual.
_LARGEST_RESIDUAL = 1e-10
# Eigenvalues of H on the imaginary axis are double and found to half of the digits.
_ON_AXIS = 1e-7


@dataclass(frozen=True, eq=False)
class RiccatiTerms:
    r"""The equation :math:`A^HX + XA + Q - (XB + S)R^{-1}(XB + S)^H = 0`.

    Parameters
    ----------
    A, B, Q, R, S : (n, n), (n, m), (n, n), (m, m) and (n, m) arrays
        In double precision, all real or all complex; Q and R Hermitian, R regular.
    """

    A: Matrix
    B: Matrix
    Q: Matrix
    R: Matrix
    S: Matrix

    def gain(self, X: Matrix) -> Matrix:
        r"""Gain :math:`K = R^{-1}(XB + S)^H`, (m, n); the closed loop is A - B K."""
        return _solved(self.R, (X @ self.B + self.S).conj().T)

    def residual(self, X: Matrix) -> tuple[Matrix, float]:
        """Left-hand side, (n, n), and its norm over the sum of those of the terms."""
        K, image, mixed = self.gain(X), self.A.conj().T @ X, X @ self.B + self.S
        left = image + image.conj().T + self.Q - mixed @ K
        size = 2 * _norm(self.A) * _norm(X) + _norm(self.Q) + _norm(mixed) * _norm(K)
        relative = _norm(left) / size if size > 0 else 0.0
        return (left + left.conj().T) / 2, relative

    def in_units(self, states: Matrix, inputs: Matrix) -> "RiccatiTerms":
        """Return the equation with states t x and inputs s u; X becomes t X t."""
        rows, columns = 1 / states[:, None], 1 / states
        return RiccatiTerms(
            rows * self.A / columns,
            rows * self.B * inputs,
            self.Q / rows / columns,
            inputs[:, None] * self.R * inputs,
            self.S / rows * inputs,
        )

    def hamiltonian(self) -> Matrix:
        """Hamiltonian matrix, (2 n, 2 n)."""
        n = self.A.shape[0]
        both = np.hstack([self.S.conj().T, self.B.conj().T])
        solved = _solved(self.R, both)
        F, inner = self.A - self.B @ solved[:, :n], self.B @ solved[:, n:]
        outer = self.Q - self.S @ solved[:, :n]
        inner, outer = (inner + inner.conj().T) / 2, (outer + outer.conj().T) / 2
        return np.block([[F, -inner], [-outer, -F.conj().T]])

    def pencil(self) -> tuple[Matrix, Matrix]:
        """Matrices M, N with the eigenvalues of H, (2 n, 2 n), without the inverse."""
        n, m = self.B.shape
        states = np.block([[self.A, np.zeros((n, n))], [-self.Q, -self.A.conj().T]])
        last = np.hstack([self.S.conj().T, self.B.conj().T])
        inputs = np.vstack([self.B, -self.S, self.R])
        U = scipy.linalg.qr(inputs, check_finite=False)[0][:, m:].conj().T
        return U @ np.vstack([states, last]), U[:, : 2 * n].copy()


@dataclass(frozen=True, eq=False)
class StableSubspace:
    """Stable invariant subspace of a Hamiltonian matrix or pencil.

    Parameters
    ----------
    basis : (2 n, n) array or None
        Orthonormal columns; None where the stable eigenvalues are not n in number, or
        too close to the others to be told apart.
    eigenvalues : (2 n,) complex array
        All eigenvalues.
    size : float
        Norm of the matrix, to which the eigenvalues are rounded.
    """

    basis: Matrix | None
    eigenvalues: Matrix
    size: float

    def is_lagrangian(self) -> bool:
        """Whether there is a basis [X_1; X_2], and X_1^H X_2 is Hermitian."""
        if self.basis is None:
            return False
        n = self.basis.shape[1]
        product = self.basis[:n].conj().T @ self.basis[n:]
        return _norm(product - product.conj().T) <= math.sqrt(_EPS * n)

    def graph(self) -> Matrix | None:
        """Hermitian X of the basis [I; X], or None without one."""
        if self.basis is None:
            return None
        n = self.basis.shape[1]
        first, second = self.basis[:n].conj().T, self.basis[n:].conj().T
        try:
            X = np.linalg.solve(first, second)
        except np.linalg.LinAlgError:
            return None
        return (X + X.conj().T) / 2 if np.all(np.isfinite(X)) else None


@dataclass(frozen=True, eq=False)
class RiccatiSolution:
    """Stabilizing solution of a Riccati equation.

    Parameters
    ----------
    X : (n, n) array
        Hermitian; real for real data.
    residual : float
        Relative residual.
    """

    X: Matrix
    residual: float


def solve_riccati(caller: str, terms: RiccatiTerms) -> RiccatiSolution:
    """Solve for the stabilizing solution; see `continuous_riccati`.

    Parameters
    ----------
    caller : str
        Name of the public function, for messages.
    terms : RiccatiTerms
        The equation.

    Raises
    ------
    InvalidSystemError
        If R is singular, or there is no stabilizing solution.
    IllConditionedError
        If the stable subspace has no basis [I; X], or numbers leave their range.
    ConvergenceError
        If the residual stays large, or the closed loop is not stable.
    """
    if terms.A.shape[0] == 0:
        return RiccatiSolution(terms.Q.copy(), 0.0)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        return _solve_scaled(caller, terms)


def _solve_scaled(caller: str, terms: RiccatiTerms) -> RiccatiSolution:
    n, m = terms.B.shape
    inputs = _input_units(terms.R)
    even = terms.in_units(np.ones(n), inputs)
    invertible = _condition_of_inputs(caller, even.R) <= _INVERTED
    # The pencil has the sizes of R itself, not those of its inverse.
    sizes = even if invertible else replace(even, R=np.eye(m, dtype=even.R.dtype))
    states = _state_units(_hamiltonian_in_range(caller, sizes))
    even = terms.in_units(states, inputs)
    subspace = None
    if invertible:
        subspace = stable_subspace(_hamiltonian_in_range(caller, even))
        if not subspace.is_lagrangian():
            _require_off_axis(caller, subspace)
            subspace = None
    if subspace is None:
        subspace = _stable_deflating_subspace(*even.pencil())
    X = _graph(caller, subspace)
    X, residual, poles = _refined(even, X)
    _verify(caller, subspace, residual, poles)
    return RiccatiSolution(X / states[:, None] / states, residual)


def stable_subspace(hamiltonian: Matrix) -> StableSubspace:
    """Stable invariant subspace by an ordered Schur form.

    Parameters
    ----------
    hamiltonian : (2 n, 2 n) array
        Hamiltonian matrix with finite entries.
    """
    n, size = hamiltonian.shape[0] // 2, _norm(hamiltonian)
    try:
        T, U, count = scipy.linalg.schur(hamiltonian, sort="lhp", check_finite=False)
    except np.linalg.LinAlgError:
        # The order splits a 2 x 2 block, or is lost in rounding.
        return StableSubspace(None, np.linalg.eigvals(hamiltonian), size)
    eigenvalues = SchurForm(T, U, np.ones(2 * n)).poles
    return StableSubspace(U[:, :n] if count == n else None, eigenvalues, size)


def crossing_frequencies(terms: RiccatiTerms) -> Matrix:
    """Frequencies, (2 n,), of the eigenvalues of H: imaginary ones are among them."""
    frequencies: Matrix = np.linalg.eigvals(terms.hamiltonian()).imag
    return frequencies


def _stable_deflating_subspace(M: Matrix, N: Matrix) -> StableSubspace:
    """Stable deflating subspace of a pencil M - s N by an ordered QZ form."""
    n, size = M.shape[0] // 2, _norm(M)
    kind = "complex" if np.iscomplexobj(M) else "real"
    try:
        *_, alpha, beta, _, Z = scipy.linalg.ordqz(
            M, N, sort="lhp", output=kind, check_finite=False
        )
    except (np.linalg.LinAlgError, ValueError):
        alpha, beta = scipy.linalg.eigvals(M, N, homogeneous_eigvals=True)
        return StableSubspace(None, alpha / beta, size)
    eigenvalues = np.asarray(alpha / beta, dtype=complex)
    stable = int(np.sum(eigenvalues.real < 0)) == n
    return StableSubspace(Z[:, :n] if stable else None, eigenvalues, size)


def _graph(caller: str, subspace: StableSubspace) -> Matrix:
    """X of a stable subspace, or the error that says why there is none."""
    basis, X = subspace.basis, subspace.graph()
    if basis is None or not subspace.is_lagrangian():
        _require_off_axis(caller, subspace)
        msg = f"{caller}: the stable subspace is lost in rounding; rescale the data"
        raise IllConditionedError(msg)
    n = basis.shape[1]
    values = np.linalg.svd(basis[:n], compute_uv=False)
    if X is None or values[-1] <= n * _EPS * values[0]:
        msg = (
            f"{caller}: the stable subspace of the Hamiltonian matrix has no basis "
            f"[I; X] (smallest singular value {values[-1]:.2g}): the stabilizing "
            "solution does not exist or is too large to be computed; need (A, B) "
            "stabilizable"
        )
        raise IllConditionedError(msg)
    return X


def _refined(terms: RiccatiTerms, X: Matrix) -> tuple[Matrix, float, Matrix]:
    """X after Newton steps, its relative residual, and the closed-loop poles."""
    left, residual = terms.residual(X)
    form = schur_form(terms.A - terms.B @ terms.gain(X))
    best = X, residual, form.poles
    for _ in range(_NEWTON_STEPS):
        if residual <= X.shape[0] * _EPS:
            break
        try:
            step = solve_in_schur_form(form.dual(), left, Continuous())
        except np.linalg.LinAlgError:
            break
        X = X + (step + step.conj().T) / 2
        if not np.all(np.isfinite(X)):
            break
        left, residual = terms.residual(X)
        form = schur_form(terms.A - terms.B @ terms.gain(X))
        if residual < best[1]:
            best = X, residual, form.poles
    return best


def _verify(
    caller: str, subspace: StableSubspace, residual: float, poles: Matrix
) -> None:
    """Raise unless a solution solves its equation and stabilizes."""
    rightmost = complex(poles[np.argmax(poles.real)])
    if not rightmost.real < 0:
        _require_off_axis(caller, subspace)
        msg = (
            f"{caller}: the closed loop of the computed solution has the pole "
            f"{rightmost:.6g}, need a stable one; rescale the data"
        )
        raise ConvergenceError(msg)
    if not residual <= _LARGEST_RESIDUAL:
        msg = (
            f"{caller}: the computed solution has the relative residual "
            f"{residual:.2g}, need {_LARGEST_RESIDUAL:g}; rescale the data, or change "
            "weights that nearly have no stabilizing solution"
        )
        raise ConvergenceError(msg)
    relative = -rightmost.real / float(np.max(np.abs(poles)))
    warn_if_close(caller, f"closed-loop pole {rightmost:.6g}", relative, poles.dtype)


def _require_off_axis(caller: str, subspace: StableSubspace) -> None:
    """Raise if an eigenvalue of H is on the imaginary axis to half of the digits."""
    finite = subspace.eigenvalues[np.isfinite(subspace.eigenvalues)]
    sizes, limit = np.abs(finite), math.sqrt(_EPS) * subspace.size
    on_axis = (np.abs(finite.real) <= _ON_AXIS * sizes) | (sizes <= limit)
    if not np.any(on_axis):
        return
    suspects = finite[on_axis]
    nearest = complex(suspects[np.argmin(np.abs(suspects.real))])
    msg = (
        f"{caller}: the Hamiltonian matrix has the eigenvalue {nearest:.6g}, to "
        "rounding on the imaginary axis: there is no stabilizing solution; change the "
        "weights Q, R and S, or check what the equation presupposes"
    )
    raise InvalidSystemError(msg)


def _condition_of_inputs(caller: str, R: Matrix) -> float:
    """Condition number of R; raise where it is singular."""
    values = np.linalg.svd(R, compute_uv=False)
    if values.size == 0:
        return 1.0
    if not values[-1] > R.shape[0] * _EPS * values[0]:
        msg = (
            f"{caller}: got R with singular values from {values[0]:.3g} to "
            f"{values[-1]:.3g}, need a nonsingular R"
        )
        raise InvalidSystemError(msg)
    return float(values[0] / values[-1])


def _input_units(R: Matrix) -> Matrix:
    """Powers of two s for which s R s has rows of magnitude near one."""
    largest = np.max(np.abs(R), axis=1, initial=0.0)
    positive = np.where(largest > 0, largest, 1.0)
    units: Matrix = 2.0 ** -np.round(np.log2(positive) / 2)
    return units


def _state_units(hamiltonian: Matrix) -> Matrix:
    """Powers of two t for which diag(1/t, t) H diag(t, 1/t) is balanced."""
    n = hamiltonian.shape[0] // 2
    gebal = scipy.linalg.get_lapack_funcs("gebal", (hamiltonian,))
    exponents = np.log2(gebal(hamiltonian, scale=1, permute=0)[3])
    units: Matrix = 2.0 ** np.round((exponents[:n] - exponents[n:]) / 2)
    return units


def _hamiltonian_in_range(caller: str, terms: RiccatiTerms) -> Matrix:
    hamiltonian = terms.hamiltonian()
    if not np.all(np.isfinite(hamiltonian)):
        msg = f"{caller}: data of extreme size leave the range of the numbers; rescale"
        raise IllConditionedError(msg + " the equation")
    return hamiltonian


def _solved(R: Matrix, right: Matrix) -> Matrix:
    """R^-1 times a matrix."""
    if R.shape[0] == 0:
        return right
    solved: Matrix = np.linalg.solve(R, right)
    return solved


def _norm(matrix: Matrix) -> float:
    return float(frobenius_norm(matrix))
