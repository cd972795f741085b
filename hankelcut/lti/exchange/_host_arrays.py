"""The arrays of a system as NumPy arrays that another format can hold exactly."""

from typing import Any, TypeAlias

import numpy as np

from hankelcut import _array
from hankelcut._errors import InvalidSystemError
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.state_space import StateSpace

__all__ = ["DTYPES", "HostArray", "array_names", "host_arrays", "require_one_system"]

HostArray: TypeAlias = np.ndarray[Any, np.dtype[Any]]

DTYPES = ("float32", "float64", "complex64", "complex128")


def array_names(*, diagonal: bool) -> tuple[str, ...]:
    """Names of the array fields of a diagonal or a dense system."""
    return ("exponents" if diagonal else "A", "B", "C", "D")


def host_arrays(
    caller: str, system: StateSpace | DiagonalStateSpace
) -> dict[str, HostArray]:
    """Copy the arrays of a system, by field name; tensors give their values.

    Raises
    ------
    InvalidSystemError
        If an array lives on an accelerator or has a precision of its library alone.
    """
    names = array_names(diagonal=isinstance(system, DiagonalStateSpace))
    arrays = {k: np.array(_array.to_numpy(getattr(system, k))) for k in names}
    for name, array in arrays.items():
        if array.dtype.name not in DTYPES:
            msg = (
                f"{caller}: got {name} of dtype {array.dtype}, need one of "
                f"{', '.join(DTYPES)}; convert the system first"
            )
            raise InvalidSystemError(msg)
    return arrays


def require_one_system(
    caller: str, system: StateSpace | DiagonalStateSpace, held_by: str
) -> None:
    """Raise `InvalidSystemError` for a stack of systems, which few formats can hold."""
    if system.batch_shape:
        msg = (
            f"{caller}: got a stack of systems of shape {system.batch_shape}, need one "
            f"system, all that {held_by} can hold; pass system[index]"
        )
        raise InvalidSystemError(msg)
