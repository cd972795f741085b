"""Systems of every kind and array library, as what pictures are drawn from."""

from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np

from hankelcut import _array
from hankelcut._errors import InvalidSystemError
from hankelcut.lti.structure.stability import poles_of
from hankelcut.lti.systems.conversions import to_dense
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.sparse_state_space import SparseStateSpace
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.lti.systems.time_domain import Continuous, TimeDomain

__all__ = [
    "Drawable",
    "Matrix",
    "System",
    "drawable_pair",
    "exponents_of",
    "is_complex",
    "seconds_per_sample",
]

Matrix: TypeAlias = np.ndarray[Any, np.dtype[Any]]
System: TypeAlias = StateSpace | DiagonalStateSpace | SparseStateSpace
Drawable: TypeAlias = StateSpace | SparseStateSpace
"""A sparse system, or a dense one of NumPy arrays in double precision."""


def drawable_pair(caller: str, full: System, reduced: System) -> list[Drawable]:
    """Bring two systems to NumPy and double precision; raise unless they are alike.

    Parameters
    ----------
    caller : str
        Name of the public function, for messages.
    full, reduced : StateSpace, DiagonalStateSpace or SparseStateSpace
        Two single systems with the same time domain, inputs and outputs.

    Raises
    ------
    InvalidSystemError
        If one is a stack of systems, or they are not alike.
    """
    for system in (full, reduced):
        if system.batch_shape:
            msg = f"{caller}: got a stack of systems of shape {system.batch_shape}, "
            raise InvalidSystemError(msg + "need one system; draw system[index]")
    facts = [(s.time, s.n_inputs, s.n_outputs) for s in (full, reduced)]
    if facts[0] != facts[1]:
        msg = f"{caller}: got (time, inputs, outputs) = {facts[0]} and {facts[1]}, need"
        raise InvalidSystemError(msg + " equal ones")
    return [_drawable(system) for system in (full, reduced)]


def exponents_of(system: StateSpace) -> Matrix:
    """Poles, those of a discrete system as logarithms in 1/sample; none for z = 0."""
    poles = np.asarray(poles_of(system))
    return poles if isinstance(system.time, Continuous) else np.log(poles[poles != 0])


def is_complex(system: Drawable) -> bool:
    """Whether the response at -w is not the conjugate of that at w."""
    matrices = [system.A, system.B, system.C, system.D]
    if isinstance(system, SparseStateSpace):
        matrices.append(system.E)
    return any(np.iscomplexobj(matrix) for matrix in matrices)


def seconds_per_sample(time: TimeDomain) -> float:
    """Return the sampling period of discrete time; 1 in continuous time."""
    return 1.0 if isinstance(time, Continuous) else time.dt


def _drawable(system: System) -> Drawable:
    if isinstance(system, SparseStateSpace):
        return system
    dense = to_dense(system)
    dtype = np.complex128 if _array.is_complex(dense.A) else np.float64
    matrices = (dense.A, dense.B, dense.C, dense.D)
    A, B, C, D = (_array.to_numpy(matrix).astype(dtype) for matrix in matrices)
    return replace(dense, A=A, B=B, C=C, D=D)
