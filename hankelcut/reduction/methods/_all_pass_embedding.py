r"""Glover's all-pass embedding: the construction behind Hankel-norm approximation.

**Method.** A stable continuous system is balanced, :math:`\Sigma = \mathrm{diag}
(\Sigma_1, \sigma I_q)`, and :math:`U` is a partial isometry with :math:`B_2 = -C_2^HU`.
With :math:`\Gamma = \Sigma_1^2 - \sigma^2I` the system

.. math::

   \hat A &= \Gamma^{-1}(\sigma^2A_{11}^H + \Sigma_1A_{11}\Sigma_1
             - \sigma C_1^HUB_1^H), \\
   \hat B &= \Gamma^{-1}(\Sigma_1B_1 + \sigma C_1^HU), \quad
   \hat C = C_1\Sigma_1 + \sigma UB_1^H, \quad \hat D = D - \sigma U

has the distance :math:`\sigma` from G at every frequency (Glover, Int. J. Control 39,
1984, p. 1115, theorem 6.3); as many of its poles are stable as there are values above
:math:`\sigma`, the others are antistable.

**Numerical aspects.** :math:`\Gamma` is formed as :math:`(\Sigma_1 - \sigma I)(\Sigma_1
+ \sigma I)` and shared by both sides, :math:`|\Gamma|^{-1/2}`: in these coordinates
both Gramians are :math:`\mathrm{sign}(\Gamma)\Sigma_1`, whatever is close to
:math:`\sigma`.
"""

from dataclasses import replace

import numpy as np

from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.reduction.reduction_method import Matrix

__all__ = [
    "all_pass_embedding",
    "constant_approximation",
    "partial_isometry",
    "tied",
    "unitary_completion",
]

# Values closer than this count as one of a higher multiplicity.
_TIE = 1e-8
# Singular values of C_2 B_2, squares of those of B_2, below this are rounding.
_RANK_TOLERANCE = 1e-10
# Weight of the identity among the directions in which a completion turns.
_SHARE_OF_IDENTITY = 1e-3


def tied(values: Matrix, sigma: float) -> Matrix:
    """Return which values are equal to sigma, up to 1e-8 of it.

    Parameters
    ----------
    values : (N,) array
        Hankel singular values.
    sigma : float
        One of them.
    """
    mask: Matrix = np.abs(values - sigma) <= _TIE * sigma
    return mask


def partial_isometry(B: Matrix, C: Matrix) -> Matrix:
    """Return U with B = -C^H U, for B and C with B B^H = C^H C.

    Parameters
    ----------
    B : (q, m) array
        Input matrix of the states with one and the same value.
    C : (p, q) array
        Their output matrix.
    """
    left, sizes, right = np.linalg.svd(C @ B, full_matrices=False)
    kept = sizes > _RANK_TOLERANCE * np.max(sizes, initial=0.0)
    isometry: Matrix = -left[:, kept] @ right[kept]
    return isometry


def all_pass_embedding(
    system: StateSpace, values: Matrix, sigma: float, U: Matrix
) -> StateSpace:
    """Return the system with the distance sigma at all frequencies.

    Parameters
    ----------
    system : StateSpace
        Continuous balanced system of NumPy arrays, without the states of sigma.
    values : (N,) array
        Its Hankel singular values.
    sigma : float
        The value of the states left out.
    U : (p, m) array
        `partial_isometry` of the states left out, or a contraction that extends it.
    """
    signs, roots = _signs_and_roots(values, sigma)
    Ah, Ch, Bh = (matrix.conj().T for matrix in (system.A, system.C, system.B))
    middle = sigma**2 * Ah + values[:, None] * system.A * values
    middle = middle - sigma * Ch @ U @ Bh
    A = signs[:, None] * middle / roots[:, None] / roots
    B, C = _gains(system.B, system.C, values, sigma, U)
    return replace(system, A=A, B=B, C=C, D=system.D - sigma * U)


def unitary_completion(U: Matrix, gain: Matrix) -> Matrix:
    """Extend a square partial isometry to a unitary matrix.

    Any extension serves. The one taken turns against a gain, and against the identity
    where that gain is small, so that rounding does not decide.

    Parameters
    ----------
    U : (k, k) array
        The partial isometry.
    gain : (k, k) array
        The gain.
    """
    left, sizes, right = np.linalg.svd(U)
    empty = sizes < 0.5
    left, right = left[:, empty], right[empty]
    against = gain + _SHARE_OF_IDENTITY * np.linalg.norm(gain) * np.eye(len(gain))
    inner, _, outer = np.linalg.svd(left.conj().T @ against @ right.conj().T)
    completed: Matrix = U - left @ inner @ outer @ right
    return completed


def constant_approximation(B: Matrix, C: Matrix, values: Matrix) -> Matrix:
    r"""Return the constant within :math:`\sum_k\sigma_k` of a strictly proper system.

    The states of the smallest value are embedded away, one value after the other: with
    unitary U, of a system with zero inputs or outputs added to make it square, each
    embedding is stable, balanced with the values that are left, and at the distance of
    the value that is not. State matrices are not needed for it.

    Parameters
    ----------
    B, C : (N, m) and (p, N) arrays
        Input and output matrix of a stable continuous balanced system.
    values : (N,) array
        Its Hankel singular values, descending.
    """
    m, p = B.shape[1], C.shape[0]
    size = max(m, p)
    B, C = np.pad(B, ((0, 0), (0, size - m))), np.pad(C, ((0, size - p), (0, 0)))
    D: Matrix = np.zeros((size, size), dtype=B.dtype)
    while len(values):
        sigma = float(values[-1])
        last = tied(values, sigma)
        U = partial_isometry(B[last], C[:, last])
        B, C, values = B[~last], C[:, ~last], values[~last]
        if len(values):
            U = unitary_completion(U, C @ B)
        D = D - sigma * U
        B, C = _gains(B, C, values, sigma, U)
    return D[:p, :m]


def _signs_and_roots(values: Matrix, sigma: float) -> tuple[Matrix, Matrix]:
    """Signs of Gamma, and the square roots of its sizes."""
    gamma = (values - sigma) * (values + sigma)
    return np.sign(gamma), np.sqrt(np.abs(gamma))


def _gains(
    B: Matrix, C: Matrix, values: Matrix, sigma: float, U: Matrix
) -> tuple[Matrix, Matrix]:
    """Input and output matrix of the embedding."""
    signs, roots = _signs_and_roots(values, sigma)
    inputs = (signs / roots)[:, None] * (values[:, None] * B + sigma * C.conj().T @ U)
    outputs = (C * values + sigma * U @ B.conj().T) / roots
    return inputs, outputs
