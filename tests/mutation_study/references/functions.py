"""Short, plain implementations of what hankelcut computes, for the mutation study.

They are right for systems of a few states, and written so that one small change makes
each of them wrong in a way that has been seen in published code. Nothing here is fast.
"""

from typing import Any

import numpy as np
import scipy.linalg

import hankelcut as hc

Matrix = Any
System = hc.StateSpace | hc.DiagonalStateSpace

# The square of a transition matrix is taken this often at most: poles up to 1 - 1e-16.
MAX_DOUBLINGS = 60
# Points of the grid on the boundary, and peaks of it that are searched.
GRID = 1024
HIGHEST_PEAKS = 8


def adjoint(M: Matrix) -> Matrix:
    """Conjugate transpose."""
    return M.conj().T


def require_stable(A: Matrix, *, discrete: bool) -> None:
    """Raise unless every eigenvalue is stable."""
    poles = np.linalg.eigvals(A)
    margins = 1 - np.abs(poles) if discrete else -poles.real
    if np.any(margins <= 0):
        msg = f"got the pole {poles[np.argmin(margins)]}, need a stable system"
        raise hc.UnstableSystemError(msg)


def continuous_lyapunov(A: Matrix, Q: Matrix) -> Matrix:
    """Solve A X + X A^H + Q = 0."""
    require_stable(A, discrete=False)
    if A.size == 0:
        return Q.copy()
    X = scipy.linalg.solve_sylvester(A, adjoint(A), -Q)
    return (X + adjoint(X)) / 2


def discrete_lyapunov(A: Matrix, Q: Matrix) -> Matrix:
    """Solve A X A^H - X + Q = 0."""
    require_stable(A, discrete=True)
    n = A.shape[0]
    equation = np.kron(A, A.conj()) - np.eye(n * n)
    X = np.linalg.solve(equation, -Q.reshape(n * n)).reshape(n, n)
    return (X + adjoint(X)) / 2


def continuous_factor(A: Matrix, B: Matrix) -> Matrix:
    """L with A L L^H + L L^H A^H + B B^H = 0: that of the bilinear image."""
    require_stable(A, discrete=False)
    A, B, _, _ = bilinear_image(A, B, np.zeros((1, A.shape[0])), np.zeros((1, 1)))
    return discrete_factor(A, B)


def discrete_factor(A: Matrix, B: Matrix) -> Matrix:
    """L with A L L^H A^H - L L^H + B B^H = 0, by doubling."""
    require_stable(A, discrete=True)
    L, power = compressed(B), A
    for _ in range(MAX_DOUBLINGS):
        L = compressed(np.hstack([L, power @ L]))
        power = power @ power
        if not np.any(power):
            break
    return L


def compressed(L: Matrix) -> Matrix:
    """Square factor, or a narrower one, of the same L L^H."""
    return adjoint(np.linalg.qr(adjoint(L), mode="r"))


def bilinear_image(
    A: Matrix, B: Matrix, C: Matrix, D: Matrix
) -> tuple[Matrix, Matrix, Matrix, Matrix]:
    """Discrete system with the Gramians of a continuous one: s = (z - 1) / (z + 1)."""
    identity = np.eye(A.shape[0])
    R = np.linalg.inv(identity - A)
    return (
        R @ (identity + A),
        np.sqrt(2) * R @ B,
        np.sqrt(2) * C @ R,
        D + C @ R @ B,
    )


def gramian_factors(system: System) -> tuple[Matrix, Matrix]:
    """Lc and Lo with P = Lc Lc^H and Q = Lo Lo^H."""
    dense = hc.to_dense(system)
    discrete = isinstance(dense.time, hc.Discrete)
    factor = discrete_factor if discrete else continuous_factor
    Lc = factor(dense.A, dense.B)
    Lo = factor(adjoint(dense.A), adjoint(dense.C))
    return Lc, Lo


def hankel_singular_values(system: System) -> Matrix:
    """Hankel singular values, descending, one per state."""
    Lc, Lo = gramian_factors(system)
    values = np.linalg.svd(adjoint(Lo) @ Lc, compute_uv=False)
    missing = hc.to_dense(system).n_states - len(values)
    return np.concatenate([values, np.zeros(missing)])


def balancing(system: System) -> tuple[Matrix, Matrix, Matrix]:
    """Hankel singular values, T and W with W^H T = 1, for the numerical rank."""
    Lc, Lo = gramian_factors(system)
    U, values, Vh = np.linalg.svd(adjoint(Lo) @ Lc)
    small = values <= 1e-13 * max(values, default=0.0)
    rank = len(values) - np.count_nonzero(small)
    roots = np.sqrt(values[:rank])
    T = Lc @ adjoint(Vh)[:, :rank] / roots
    W = Lo @ U[:, :rank] / roots
    padding = np.zeros(hc.to_dense(system).n_states - len(values))
    return np.concatenate([values, padding]), T, W


def balanced_truncation(system: System, *, order: int) -> hc.ReductionResult:
    """Square-root balanced truncation, with its bound."""
    dense = hc.to_dense(system)
    values, T, W = balancing(system)
    order = min(order, T.shape[1])
    T, W = T[:, :order], W[:, :order]
    A = adjoint(W) @ dense.A @ T
    B = adjoint(W) @ dense.B
    C = dense.C @ T
    reduced = hc.StateSpace(A, B, C, dense.D, dense.time)
    bound = hc.ErrorBound(2 * np.sum(values[order:]))
    return hc.ReductionResult(
        reduced, order, values, bound, "balanced truncation", system
    )


def singular_perturbation(system: System, *, order: int) -> hc.StateSpace:
    """Singular perturbation approximation: exact at frequency 0."""
    dense = hc.to_dense(system)
    _, T, W = balancing(system)
    order = min(order, T.shape[1])
    A = adjoint(W) @ dense.A @ T
    B = adjoint(W) @ dense.B
    C = dense.C @ T
    kept, cut = slice(None, order), slice(order, None)
    at_rest = 1.0 if isinstance(dense.time, hc.Discrete) else 0.0
    K = np.linalg.inv(at_rest * np.eye(A.shape[0] - order) - A[cut, cut])
    return hc.StateSpace(
        A[kept, kept] + A[kept, cut] @ K @ A[cut, kept],
        B[kept] + A[kept, cut] @ K @ B[cut],
        C[:, kept] + C[:, cut] @ K @ A[cut, kept],
        dense.D + C[:, cut] @ K @ B[cut],
        dense.time,
    )


def h2_norm(system: System) -> float:
    """H2 norm by the controllability Gramian."""
    dense = hc.to_dense(system)
    Lc, _ = gramian_factors(system)
    energy = np.linalg.norm(dense.C @ Lc) ** 2
    feedthrough = np.linalg.norm(dense.D) ** 2
    if isinstance(dense.time, hc.Discrete):
        return float(np.sqrt(energy + feedthrough))
    return float(np.sqrt(energy)) if feedthrough == 0 else float("inf")


def hankel_norm(system: System) -> float:
    """Largest Hankel singular value."""
    Lc, Lo = gramian_factors(system)
    return float(np.linalg.norm(adjoint(Lo) @ Lc, 2)) if Lc.size and Lo.size else 0.0


def hinf_norm(system: System) -> float:
    """H-infinity norm: a fine grid on the whole boundary, and a search at its peaks."""
    dense = hc.to_dense(system)
    require_stable(dense.A, discrete=isinstance(dense.time, hc.Discrete))
    angles = np.linspace(-np.pi, np.pi, GRID, endpoint=False)
    gains = response_gains(dense, angles)
    peaks = (gains >= np.roll(gains, 1)) & (gains >= np.roll(gains, -1))
    highest = sorted(zip(gains[peaks], angles[peaks], strict=True))[-HIGHEST_PEAKS:]
    return max(refined_peak(dense, angle) for _, angle in highest)


def refined_peak(dense: hc.StateSpace, angle: float) -> float:
    """Largest gain near a point of the grid."""
    width, best = 2 * np.pi / GRID, 0.0
    while width > 1e-9:
        near = angle + width * np.linspace(-1, 1, 9)
        gains = response_gains(dense, near)
        angle, best = near[np.argmax(gains)], max(best, np.max(gains))
        width = width / 3
    return float(best)


def response_gains(dense: hc.StateSpace, angles: Matrix) -> Matrix:
    """Largest singular values of the response at e^(i a), or at i tan(a / 2)."""
    if isinstance(dense.time, hc.Discrete):
        points = np.exp(1j * angles)
    else:
        points = 1j * np.tan(angles / 2)
    identity = np.eye(dense.n_states)
    resolvents = np.linalg.inv(points[:, None, None] * identity - dense.A)
    responses = dense.C @ resolvents @ dense.B + dense.D
    return np.linalg.norm(responses, 2, axis=(-2, -1))
