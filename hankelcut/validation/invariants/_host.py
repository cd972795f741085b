"""What is checked, as NumPy arrays in double precision, and plain reference values."""

from typing import Any, TypeAlias

import numpy as np

from hankelcut import _array
from hankelcut.lti.gramians.gramian_factors import gramian_factors
from hankelcut.lti.gramians.hankel_singular_values import hankel_singular_values
from hankelcut.lti.systems.conversions import detached, to_dense
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.lti.systems.time_domain import Continuous, TimeDomain

__all__ = [
    "ROUNDING",
    "Matrix",
    "System",
    "energy_size",
    "gramians",
    "hankel_size",
    "host",
    "host_array",
    "lyapunov_operator",
    "precision",
    "spectrum",
    "with_state",
]

Matrix: TypeAlias = np.ndarray[Any, np.dtype[Any]]
System: TypeAlias = StateSpace | DiagonalStateSpace

# What rounding may leave of a map whose terms cancel, relative to their size.
# Where the gain is 0, no error is small relative to it.
ROUNDING = 100 * float(np.finfo(np.float64).eps)


def host_array(values: Any) -> Matrix:
    """Return an array of any library, or a sequence, as NumPy in double precision."""
    if not isinstance(values, np.ndarray):
        _, (values,) = _array.as_arrays([values])
        values = _array.to_numpy(_array.detach(values))
    wide = np.complex128 if np.iscomplexobj(values) else np.float64
    return np.asarray(values, dtype=wide)


def host(system: System) -> StateSpace:
    """Return one system as a dense one of NumPy arrays in double precision."""
    dense = to_dense(detached(system))
    A, B, C, D = (host_array(getattr(dense, name)) for name in "ABCD")
    return StateSpace(A, B, C, D, dense.time)


def precision(*systems: System) -> float:
    """Machine epsilon of the coarsest dtype of several systems."""
    return max(_array.eps(system.B) for system in systems)


def spectrum(system: StateSpace) -> Matrix:
    """Hankel singular values of a NumPy system, as NumPy."""
    return np.asarray(hankel_singular_values(system), dtype=float)


def lyapunov_operator(A: Matrix, time: TimeDomain) -> Matrix:
    """Matrix of X -> A X + X A^H, or X -> A X A^H - X, on the rows of X in a row."""
    identity = np.eye(A.shape[0])
    if isinstance(time, Continuous):
        return np.asarray(np.kron(A, identity) + np.kron(identity, A.conj()))
    return np.asarray(np.kron(A, A.conj()) - np.eye(A.size))


def gramians(system: StateSpace) -> tuple[Matrix, Matrix]:
    """Both Gramians by Kronecker products: slow, and without any factorization."""
    A, shape = system.A, system.A.shape
    P, Q = (
        np.linalg.solve(
            lyapunov_operator(matrix, system.time), -(right @ right.conj().T).ravel()
        ).reshape(shape)
        for matrix, right in ((A, system.B), (A.conj().T, system.C.conj().T))
    )
    return P, Q


def hankel_size(system: StateSpace) -> float:
    """Size |Lc| |Lo| of the factors whose product has the Hankel singular values.

    It is an upper bound of their sum, and stays where that cancels to 0.
    """
    factors = gramian_factors(system)
    both = (factors.controllability, factors.observability)
    return float(np.prod([np.linalg.norm(np.asarray(factor)) for factor in both]))


def energy_size(system: StateSpace) -> float:
    """Size of the products C Lc and B^H Lo whose norm the H2 norm is."""
    factors = gramian_factors(system)
    norm = np.linalg.norm
    return float(
        max(
            norm(system.C) * norm(np.asarray(factors.controllability)),
            norm(system.B) * norm(np.asarray(factors.observability)),
        )
    )


def with_state(system: StateSpace, pole: float, *, driven: bool) -> StateSpace:
    """Return the system with one more state, which all outputs read."""
    n, m, p = system.n_states, system.n_inputs, system.n_outputs
    A = np.block(
        [[system.A, np.zeros((n, 1))], [np.zeros((1, n)), np.full((1, 1), pole)]]
    )
    B = np.concatenate([system.B, np.full((1, m), float(driven))])
    C = np.concatenate([system.C, np.ones((p, 1))], axis=1)
    return StateSpace(A, B, C, system.D, system.time)
