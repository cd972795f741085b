r"""Completions of orthonormal rows to unitary matrices, block by block.

Of k states in the coordinates of their Gramian factor, [M, b] has orthonormal rows
(`_schur_blocks`); with N^H below it is unitary. **Method.** N is a product of
Householder reflectors, one for each row, kept as :math:`N = [S;\ I - WZ^H]`.
"""

from dataclasses import dataclass

import numpy as np
import scipy.linalg

from hankelcut.lti.equations._schur_blocks import GramianBlock, Matrix

__all__ = ["Completion"]

_geqrf = {
    np.dtype(dtype): scipy.linalg.get_lapack_funcs("geqrf", dtype=dtype)
    for dtype in (np.float32, np.float64)
}


@dataclass(frozen=True, eq=False)
class Completion:
    r"""The matrix :math:`N = [S;\ I - WZ^H]` of a range of k states.

    Parameters
    ----------
    S : (k, m) array
        The part that acts on the states.
    W, Z : (m, r) arrays
        The others, r <= k.
    """

    S: Matrix
    W: Matrix
    Z: Matrix

    @classmethod
    def of_silent_states(cls, k: int, like: Matrix) -> "Completion":
        """Complete states that the inputs, of like's columns, do not reach."""
        m = like.shape[1]
        nothing = np.zeros((m, 0), like.dtype)
        return cls(np.zeros((k, m), like.dtype), nothing, nothing)

    @classmethod
    def of_block(cls, block: GramianBlock) -> "Completion":
        """Complete the rows of one pole or of a pair."""
        M, b = block.M, block.b
        if M.shape[0] == 1:
            column = b.conj().T / np.linalg.norm(b)
            return cls(b, (1 + M[0, 0]) * column, column)
        rows = np.concatenate([M, b], axis=1)
        V, (first, second), _, _ = _geqrf[rows.dtype](rows.T)
        V[0] = 1, 0
        V[1, 1] = 1
        # I - V T V^H is the product of both reflectors.
        T = np.array([[first, -first * second * (V[:, 0] @ V[:, 1])], [0, second]])
        VT, Z = V @ T, V[2:]
        return cls(-VT[:2] @ Z.T, VT[2:], Z)

    def apply(self, image: Matrix, B: Matrix) -> Matrix:
        """Return [image, B] N."""
        applied: Matrix = image @ self.S + B - (B @ self.W) @ self.Z.conj().T
        return applied

    def after(self, lower: "Completion") -> "Completion":
        """Return the N of both ranges, where this one began with that of the lower."""
        S = lower.S - (lower.S @ self.W) @ self.Z.conj().T
        W = self.W - lower.W @ (lower.Z.conj().T @ self.W)
        return Completion(
            np.concatenate([self.S, S]),
            np.concatenate([lower.W, W], axis=1),
            np.concatenate([lower.Z, self.Z], axis=1),
        )
