r"""The Schur form of a state matrix, which serves an equation and its dual.

:math:`D^{-1}AD = UTU^H` with a diagonal D of powers of two that balances A: what is
computed does not depend on the units of the states. With the reversal J,
:math:`DA^HD^{-1} = (UJ)(JT^HJ)(UJ)^H` is the Schur form of the adjoint, so that it is
never computed a second time.
"""

from dataclasses import dataclass

import numpy as np
import scipy.linalg

from hankelcut.lti.equations._schur_sylvester import Matrix

__all__ = ["SchurForm", "schur_form"]


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
    T, U = scipy.linalg.schur(balanced, overwrite_a=True, check_finite=False)
    return SchurForm(T, U, scales)
