r"""One Lyapunov equation on its way through the low-rank ADI iteration.

**Method.** Benner, Kuerschner & Saak, Numer. Algorithms 62, 2013, p. 225. The residual
of :math:`AXE^H + EXA^H + BB^H = 0` stays the low-rank :math:`WW^H`. From W = B, each
shift a with Re(a) < 0 takes :math:`V = (A + aE)^{-1}W`, appends
:math:`\sqrt{-2\mathrm{Re}\,a}\,V` to Z and subtracts :math:`2\mathrm{Re}(a)EV` from
W. A complex shift of a real equation stands for itself and its conjugate: both steps
cost one complex solve and keep Z and W real.
"""

import numpy as np

from hankelcut.lti.systems import _sparse_lu
from hankelcut.lti.systems._sparse_lu import Dense, Factorization, SparseMatrix

__all__ = ["AdiEquation", "spectral_norm"]

# Columns of the factor that are gathered before they are compressed.
_GATHERED_COLUMNS = 200
# Share of the residual tolerance that compression may use up.
_COMPRESSION_SHARE = 0.1
_POWER_STEPS = 30
# Columns kept for projections, as they were before compression.
_TRAILING_COLUMNS = 100


class AdiEquation:
    """State of one equation: residual factor W and solution factor Z, X ~ Z Z^H.

    Parameters
    ----------
    A, E : (n, n) sparse matrices
        The pencil, as CSC arrays.
    B : (n, m) array
        Factor of the right-hand side, of the dtype of the pencil.
    adjoint : bool
        Solve the equation of A^H and E^H.
    tol : float
        Relative residual wanted; says how much may be dropped from Z.
    """

    def __init__(
        self, A: SparseMatrix, E: SparseMatrix, B: Dense, *, adjoint: bool, tol: float
    ) -> None:
        self.adjoint = adjoint
        self.A, self.E = (A.conj().T, E.conj().T) if adjoint else (A, E)
        largest = float(np.abs(B).max(initial=0.0))
        self._scale = float(2.0 ** np.round(np.log2(largest))) if largest > 0 else 1.0
        self._source = B / self._scale
        self._residual = self._source
        self._squared_norm = spectral_norm(self._source) ** 2
        self._sizes = 2 * _sparse_lu.norm_estimate(A) * _sparse_lu.norm_estimate(E)
        self._tol = tol
        self._compressed = B[:, :0]
        self._blocks: list[Dense] = []
        self._trailing: list[Dense] = []
        self.history: list[float] = [1.0 if self._squared_norm > 0 else 0.0]

    @property
    def relative_residual(self) -> float:
        """Spectral norm of W W^H relative to that of B B^H."""
        return self.history[-1]

    @property
    def converged(self) -> bool:
        """Whether the relative residual is at most the tolerance."""
        return self.relative_residual <= self._tol

    @property
    def residual_factor(self) -> Dense:
        """W, in the scale of B."""
        return self._residual * self._scale

    def trailing_columns(self, count: int) -> Dense:
        """Return the last blocks of Z with at least `count` columns, or all; else W."""
        if not self._trailing:
            return self._residual
        return np.concatenate(_last_blocks(self._trailing, count), axis=1)

    def step(self, shift: complex, lu: Factorization) -> None:
        """Take the step of a shift, or of it and its conjugate for real equations.

        Parameters
        ----------
        shift : complex
            Of the equation that is not adjoint, with a negative real part.
        lu : factorization
            Of A + shift E.
        """
        a = complex(shift).conjugate() if self.adjoint else complex(shift)
        paired = a.imag != 0 and not np.iscomplexobj(self._residual)
        dtype = complex if a.imag != 0 else self._residual.dtype
        right = self._residual.astype(dtype, copy=False)
        with np.errstate(over="ignore", invalid="ignore"):
            V = lu.solve(right, "H" if self.adjoint else "N")
            if paired:
                ratio, gain = a.real / a.imag, 2 * np.sqrt(-a.real)
                direction = V.real + ratio * V.imag
                second = np.sqrt(ratio**2 + 1) * V.imag
                block = gain * np.concatenate([direction, second], axis=1)
                self._residual = self._residual + gain**2 * (self.E @ direction)
            else:
                block = np.sqrt(-2 * a.real) * V
                self._residual = self._residual - 2 * a.real * (self.E @ V)
            norm = spectral_norm(self._residual)
        self.history.append(norm**2 / self._squared_norm)
        self._append(block)

    def factor(self) -> Dense:
        """Z, compressed, in the scale of B."""
        self._compress()
        return self._compressed * self._scale

    def measured_residual(self) -> float:
        """Return the relative residual of the factor itself, by power iteration."""
        if self._squared_norm == 0:
            return 0.0
        Z = self._compressed
        EZ, AZ, B = self.E @ Z, self.A @ Z, self._source
        vector = np.random.default_rng(0).standard_normal((B.shape[0], 1))
        size = 0.0
        for _ in range(_POWER_STEPS):
            norm = float(np.linalg.norm(vector))
            if norm == 0:
                break
            vector = vector / norm
            vector = (
                AZ @ (EZ.conj().T @ vector)
                + EZ @ (AZ.conj().T @ vector)
                + B @ (B.conj().T @ vector)
            )
            size = float(np.linalg.norm(vector))
        return size / self._squared_norm

    def rounding(self) -> float:
        """Relative residual that rounding alone leaves."""
        if self._squared_norm == 0:
            return 0.0
        size = self._sizes * spectral_norm(self._compressed) ** 2
        return float(np.finfo(np.float64).eps * size / self._squared_norm)

    def _append(self, block: Dense) -> None:
        self._blocks.append(block)
        self._trailing = _last_blocks([*self._trailing, block], _TRAILING_COLUMNS)
        gathered = sum(block.shape[1] for block in self._blocks)
        if gathered >= max(_GATHERED_COLUMNS, self._compressed.shape[1]):
            self._compress()

    def _compress(self) -> None:
        """Merge the gathered blocks into Z and drop what the tolerance allows.

        Dropping singular values up to s changes the residual by 2 |A| |E| s^2 at most.
        """
        columns = np.concatenate([self._compressed, *self._blocks], axis=1)
        self._blocks = []
        if 0 in columns.shape or not np.isfinite(columns).all():
            return
        Q, R = np.linalg.qr(columns)
        U, values, _ = np.linalg.svd(R, full_matrices=False)
        allowed = _COMPRESSION_SHARE * self._tol * self._squared_norm
        limit = np.sqrt(allowed / self._sizes) if self._sizes > 0 else 0.0
        limit = max(float(limit), float(np.finfo(np.float64).eps) * float(values[0]))
        kept = values > limit
        self._compressed = Q @ (U[:, kept] * values[kept])


def _last_blocks(blocks: list[Dense], count: int) -> list[Dense]:
    """Fewest last blocks that have `count` columns together, or all."""
    columns = 0
    for k in range(len(blocks) - 1, -1, -1):
        columns += blocks[k].shape[1]
        if columns >= count:
            return blocks[k:]
    return blocks


def spectral_norm(matrix: Dense) -> float:
    """Spectral norm of a matrix with few columns; infinite when an entry is not finite.

    Parameters
    ----------
    matrix : (n, k) array
        The matrix.
    """
    if 0 in matrix.shape:
        return 0.0
    gram = matrix.conj().T @ matrix
    if not np.isfinite(gram).all():
        return float("inf")
    return float(np.sqrt(max(np.linalg.eigvalsh(gram)[-1], 0.0)))
