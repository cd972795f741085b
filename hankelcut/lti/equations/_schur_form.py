r"""The Schur form of a state matrix, which serves an equation and its dual.

:math:`D^{-1}AD = UTU^H` with a diagonal D of powers of two that balances A: what is
computed does not depend on the units of the states. With the reversal J,
:math:`DA^HD^{-1} = (UJ)(JT^HJ)(UJ)^H` is the Schur form of the adjoint, so that it is
never computed a second time. States that are not coupled, as the modes of a modal
model, are taken part by part, which costs no more than the largest part.
"""

from dataclasses import dataclass

import numpy as np
import scipy.linalg

from hankelcut.lti.equations._schur_sylvester import Matrix
from hankelcut.lti.systems._uncoupled_states import uncoupled_states

__all__ = ["SchurForm", "schur_form"]

# LAPACK's workspace, as large as its blocked reduction to Hessenberg form can use.
_WORK_PER_STATE = 40


@dataclass(frozen=True, eq=False)
class SchurForm:
    """A = V T V^-1 with T upper triangular, or quasi-triangular for real A, V = D U.

    Parameters
    ----------
    T : (n, n) array
        Upper (quasi-) triangular.
    U : (n, n) array
        Unitary, real for real A.
    scales : (n,) array
        Diagonal of D: powers of two.
    """

    T: Matrix
    U: Matrix
    scales: Matrix

    @property
    def poles(self) -> Matrix:
        """Eigenvalues, (n,) complex, in the order of the diagonal of T."""
        poles = np.diagonal(self.T).astype(np.result_type(self.T, np.complex64))
        if self.T.shape[0] > 1 and not np.iscomplexobj(self.T):
            below, above = np.diagonal(self.T, -1), np.diagonal(self.T, 1)
            # LAPACK standardises 2 x 2 blocks: equal diagonals, opposite signs beside.
            pairs = np.flatnonzero(below)
            imaginary = 1j * np.sqrt(np.abs(below[pairs])) * np.sqrt(abs(above[pairs]))
            poles[pairs] += imaginary
            poles[pairs + 1] -= imaginary
        return poles

    @property
    def basis(self) -> Matrix:
        """Basis V = D U, (n, n)."""
        return self._scaled(self.scales)

    @property
    def dual_basis(self) -> Matrix:
        """Basis of the adjoint, V^-H = D^-1 U, (n, n)."""
        return self._scaled(1 / self.scales)

    def _scaled(self, scales: Matrix) -> Matrix:
        if np.all(scales == 1):
            return self.U
        scaled: Matrix = scales[:, None] * self.U
        return scaled

    def dual(self) -> "SchurForm":
        """Return the Schur form of A^H."""
        T = self.T.conj().T[::-1, ::-1]
        return SchurForm(T, self.U[:, ::-1], 1 / self.scales)

    def enter(self, B: Matrix) -> Matrix:
        """Return V^-1 B."""
        if np.any(self.scales != 1):
            B = B / self.scales[:, None]
        entered: Matrix = self.U.conj().T @ B
        return entered

    def leave(self, R: Matrix) -> Matrix:
        """Return V R."""
        left: Matrix = self.U @ R
        if np.any(self.scales != 1):
            left *= self.scales[:, None]
        return left


def schur_form(A: Matrix) -> SchurForm:
    """Schur form of a square matrix with finite entries; real for real data.

    Parameters
    ----------
    A : (n, n) array
        Not modified.
    """
    if A.shape[0] == 0:
        return SchurForm(A, A, A.real.reshape(0))
    gebal = scipy.linalg.get_lapack_funcs("gebal", (A,))
    balanced, _, _, scales, _ = gebal(A, scale=1, permute=0)
    parts = uncoupled_states(balanced)
    if parts[0].size == A.shape[0] and len(parts[0]) == 1:
        T, U = scipy.linalg.schur(balanced, overwrite_a=True, check_finite=False)
    else:
        T, U = _schur_form_of_parts(balanced, parts)
    return SchurForm(T, U, scales)


def _schur_form_of_parts(A: Matrix, parts: list[Matrix]) -> tuple[Matrix, Matrix]:
    """Put together the Schur forms of parts that are not coupled, (g, k) states."""
    T, U, start = np.zeros_like(A), np.zeros_like(A), 0
    gees = scipy.linalg.get_lapack_funcs("gees", (A,))
    for group in parts:
        blocks, k = A[group[:, :, None], group[:, None, :]], group.shape[1]
        for states, block in zip(group, blocks, strict=True):
            own = slice(start, start + k)
            found = gees(_unsorted, block, lwork=_WORK_PER_STATE * k, sort_t=0)
            if found[-1] != 0:
                msg = "the eigenvalues of a part of the state matrix did not converge"
                raise np.linalg.LinAlgError(msg)
            T[own, own], U[states, own] = found[0], found[-3]
            start += k
    return T, U


def _unsorted(*eigenvalue: float) -> None:
    """Stand in for the selection of eigenvalues that LAPACK does not ask for."""
