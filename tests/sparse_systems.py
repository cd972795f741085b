"""Sparse systems that several test modules share."""

from typing import Any

import numpy as np
import scipy.sparse

from hankelcut.lti import Continuous, SparseStateSpace, TimeDomain

CONTINUOUS = Continuous()
N_INPUTS, N_OUTPUTS = 3, 2


def grid_laplacian(side: int, wind: tuple[float, float] = (0.0, 0.0)) -> Any:
    """Five-point diffusion, and central-difference convection, on the unit square."""
    step = 1 / (side + 1)
    shape, offsets = (side, side), [-1, 0, 1]
    second = scipy.sparse.diags_array([1.0, -2.0, 1.0], offsets=offsets, shape=shape)
    first = scipy.sparse.diags_array([-0.5, 0.0, 0.5], offsets=offsets, shape=shape)
    one = scipy.sparse.eye_array(side)
    along, across = (second / step**2 + speed * first / step for speed in wind)
    return scipy.sparse.kron(along, one) + scipy.sparse.kron(one, across)


def mass_matrix(rng: np.random.Generator, n: int) -> Any:
    """Nonsymmetric, diagonally dominant sparse matrix."""
    noise = scipy.sparse.random_array((n, n), density=3 / n, rng=rng)
    return scipy.sparse.eye_array(n) + 0.05 * noise


def grid_system(
    rng: np.random.Generator,
    *,
    side: int = 12,
    wind: tuple[float, float] = (0.0, 0.0),
    mass: bool = False,
    dtype: Any = float,
    time: TimeDomain = CONTINUOUS,
) -> SparseStateSpace:
    """Heat conduction or convection with 3 inputs and 2 outputs; complex with a phase.

    Discrete time: one step of the implicit Euler method, E x[k+1] = A x[k] + B u[k].
    """
    n = side**2
    A = grid_laplacian(side, wind).astype(dtype)
    if dtype is complex:
        A = A + 40j * scipy.sparse.diags_array(rng.standard_normal(n))
    E = mass_matrix(rng, n) if mass else scipy.sparse.eye_array(n)
    B = (rng.random((n, N_INPUTS)) < 0.1).astype(dtype)
    C = (rng.random((N_OUTPUTS, n)) < 0.05).astype(dtype)
    D = rng.standard_normal((N_OUTPUTS, N_INPUTS)).astype(dtype)
    if dtype is complex:
        B, C = B * np.exp(1j * np.arange(n))[:, None], C * np.exp(0.3j * np.arange(n))
    if isinstance(time, Continuous):
        # M (d/dt) x = M A x + M B u is as stable as A, whatever the matrix M.
        return SparseStateSpace(E @ A, E @ B, C, D, E if mass else None, time)
    step = 0.01
    implicit = scipy.sparse.eye_array(n) - step * A
    return SparseStateSpace(E, step * E @ B, C, D, E @ implicit, time)


def penzl_system() -> SparseStateSpace:
    """System "fom" of Penzl, n = 1006: three resonances and a thousand real poles."""
    pairs = [np.array([[-1.0, w], [-w, -1.0]]) for w in (100.0, 200.0, 400.0)]
    real = scipy.sparse.diags_array(-np.arange(1.0, 1001.0))
    A = scipy.sparse.block_diag([*pairs, real], format="csc")
    B = np.ones((1006, 1))
    B[:6] = 10.0
    return SparseStateSpace(A, B, B.T)


def structure(side: int, damping: float) -> SparseStateSpace:
    """Lightly damped membrane, driven and measured at one point: 2 side^2 states."""
    stiffness = -grid_laplacian(side)
    n = side**2
    one = scipy.sparse.eye_array(n)
    A = scipy.sparse.block_array([[None, one], [-stiffness, -damping * one]])
    B, C = np.zeros((2 * n, 1)), np.zeros((1, 2 * n))
    B[n + 1], C[0, n + 1] = 1.0, 1.0
    return SparseStateSpace(A, B, C)
