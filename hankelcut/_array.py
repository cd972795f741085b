"""The few array operations that the array API standard leaves to its users."""

import itertools
from collections.abc import Sequence
from typing import Any

import array_api_compat
import array_api_compat.numpy
import numpy as np

from hankelcut._errors import IllConditionedError, InvalidSystemError
from hankelcut._typing import Array, Namespace

__all__ = [
    "adjoint",
    "as_arrays",
    "batch_indices",
    "block_diagonal",
    "complex_dtype",
    "detach",
    "diagonal_columns",
    "diagonal_rows",
    "eps",
    "eye",
    "from_list",
    "indices",
    "is_complex",
    "is_numpy",
    "namespace",
    "nearest_power_of_two",
    "on_host",
    "real_dtype",
    "require_finite",
    "require_in_range",
    "take_columns",
    "take_items",
    "take_rows",
    "to_complex",
    "to_list",
    "to_numpy",
    "to_real",
    "zeros",
]


def is_numpy(array: Array) -> bool:
    """Whether the array is a NumPy array."""
    return bool(array_api_compat.is_numpy_array(array))


def namespace(*arrays: Array) -> Namespace:
    """Array API namespace of the arrays (NumPy, PyTorch, array-api-strict, ...)."""
    if arrays and all(type(array) is np.ndarray for array in arrays):
        # The general way takes as long as an operation on a thousand numbers.
        return array_api_compat.numpy
    return array_api_compat.array_namespace(*arrays)


def as_arrays(arrays: Sequence[Any]) -> tuple[Namespace, list[Array]]:
    """Bring arrays to one library and one inexact dtype; sequences become NumPy.

    Raises
    ------
    InvalidSystemError
        If the arrays live on different devices.
    """
    items = [
        item if array_api_compat.is_array_api_obj(item) else np.asarray(item)
        for item in arrays
    ]
    xp = namespace(*items)
    devices = {str(array_api_compat.device(item)) for item in items}
    if len(devices) > 1:
        msg = (
            f"got arrays on the devices {sorted(devices)}, need one device; move them "
            "explicitly, hankelcut never does it silently"
        )
        raise InvalidSystemError(msg)
    dtype = xp.result_type(*items)
    if not xp.isdtype(dtype, ("real floating", "complex floating")):
        dtype = xp.float64
    return xp, [xp.astype(item, dtype, copy=False) for item in items]


def from_list(values: list[float], shape: tuple[int, ...], like: Array) -> Array:
    """Real array of a shape from floats, with the precision and device of `like`."""
    xp = namespace(like)
    device = array_api_compat.device(like)
    flat = xp.asarray(values, dtype=real_dtype(like), device=device)
    return xp.reshape(flat, shape)


def is_complex(array: Array) -> bool:
    """Whether the array has a complex dtype."""
    return bool(namespace(array).isdtype(array.dtype, "complex floating"))


def real_dtype(array: Array) -> Any:
    """Real dtype of the same precision as the array's."""
    xp = namespace(array)
    if array.dtype in (xp.complex64, xp.float32):
        return xp.float32
    return xp.float64


def complex_dtype(array: Array) -> Any:
    """Complex dtype of the same precision as the array's."""
    xp = namespace(array)
    return xp.complex64 if real_dtype(array) == xp.float32 else xp.complex128


def to_complex(array: Array) -> Array:
    """Return the array in the complex dtype of its precision."""
    return namespace(array).astype(array, complex_dtype(array), copy=False)


def to_real(array: Array) -> Array:
    """Real part of the array (the array itself when it is real)."""
    return namespace(array).real(array) if is_complex(array) else array


def eps(array: Array) -> float:
    """Machine epsilon of the array's dtype (twice the unit roundoff)."""
    xp = namespace(array)
    return float(xp.finfo(real_dtype(array)).eps)


def adjoint(matrix: Array) -> Array:
    """Conjugate transpose of the last two axes."""
    xp = namespace(matrix)
    transposed = xp.matrix_transpose(matrix)
    return xp.conj(transposed) if is_complex(matrix) else transposed


def eye(n: int, like: Array, *, columns: int | None = None) -> Array:
    """Identity with the dtype and device of another array."""
    xp = namespace(like)
    device = array_api_compat.device(like)
    return xp.eye(n, columns, dtype=like.dtype, device=device)


def zeros(shape: tuple[int, ...], like: Array) -> Array:
    """Zeros with the dtype and device of another array."""
    xp = namespace(like)
    return xp.zeros(shape, dtype=like.dtype, device=array_api_compat.device(like))


def diagonal_rows(diagonal: Array, matrix: Array) -> Array:
    """``diag(diagonal) @ matrix``."""
    return diagonal[..., :, None] * matrix


def diagonal_columns(matrix: Array, diagonal: Array) -> Array:
    """``matrix @ diag(diagonal)``."""
    return matrix * diagonal[..., None, :]


def indices(positions: Sequence[int], like: Array) -> Array:
    """Whole numbers as an index array on the device of another array."""
    xp = namespace(like)
    device = array_api_compat.device(like)
    return xp.asarray(positions, dtype=xp.int64, device=device)


def take_items(array: Array, index: Array) -> Array:
    """Return items of an array along its first axis."""
    return namespace(array).take(array, index, axis=0)


def take_rows(matrix: Array, index: Array) -> Array:
    """Rows of (..., n, m), in the order of (..., k) indices of their own."""
    xp = namespace(matrix)
    shape = (*index.shape, matrix.shape[-1])
    return xp.take_along_axis(matrix, xp.broadcast_to(index[..., None], shape), axis=-2)


def take_columns(matrix: Array, index: Array) -> Array:
    """Columns of (..., p, n), in the order of (..., k) indices of their own."""
    xp = namespace(matrix)
    shape = (*matrix.shape[:-1], index.shape[-1])
    return xp.take_along_axis(
        matrix, xp.broadcast_to(index[..., None, :], shape), axis=-1
    )


def block_diagonal(first: Array, second: Array) -> Array:
    """Block-diagonal matrix of two stacks of matrices with equal batch axes."""
    xp = namespace(first, second)
    upper = zeros((*first.shape[:-1], second.shape[-1]), first)
    lower = zeros((*second.shape[:-1], first.shape[-1]), second)
    return xp.concat(
        [xp.concat([first, upper], axis=-1), xp.concat([lower, second], axis=-1)],
        axis=-2,
    )


def batch_indices(system: Any) -> list[tuple[int, ...]]:
    """All indices of the batch axes of a system, in row-major order."""
    return list(itertools.product(*(range(size) for size in system.batch_shape)))


def nearest_power_of_two(values: Array) -> Array:
    """Powers of two nearest to positive values; 1 where a value is 0."""
    xp = namespace(values)
    positive = xp.where(values > 0, values, xp.ones_like(values))
    return 2.0 ** xp.round(xp.log2(positive))


def on_host(array: Array) -> bool:
    """Whether the array lives in the host's memory."""
    return "cpu" in str(array_api_compat.device(array)).lower()


def detach(array: Array) -> Array:
    """Return the array cut off from what a library recorded for its gradients."""
    return array.detach() if array_api_compat.is_torch_array(array) else array


def require_finite(caller: str, **arrays: Array) -> None:
    """Raise `InvalidSystemError` when an array holds NaN or infinity.

    Parameters
    ----------
    caller : str
        Name of the public function, for the message.
    **arrays : array
        The arrays to check, by their names in the message.
    """
    for name, array in arrays.items():
        xp = namespace(array)
        finite = xp.isfinite(array)
        if not bool(xp.all(finite)):
            count = int(xp.sum(xp.astype(~finite, xp.int64)))
            msg = (
                f"{caller}: {name} of shape {tuple(array.shape)} holds {count} NaN or "
                "infinite entries; every entry must be finite"
            )
            raise InvalidSystemError(msg)


def require_in_range(caller: str, **results: Array) -> None:
    """Raise `IllConditionedError` when a result left the range of its dtype.

    Parameters
    ----------
    caller : str
        Name of the public function, for the message.
    **results : array
        The results to check, by their names in the message.
    """
    for name, array in results.items():
        xp = namespace(array)
        if not bool(xp.all(xp.isfinite(array))):
            msg = f"{caller}: {name} leaves the range of {array.dtype}; rescale the "
            raise IllConditionedError(msg + "system, or convert it to a wider dtype")


def to_list(array: Array) -> list[float]:
    """Values of a (N,) real array as Python floats, from any device."""
    if not hasattr(array, "tolist"):
        array = np.asarray(array)
    return [float(value) for value in array.tolist()]


def to_numpy(array: Array) -> np.ndarray[Any, np.dtype[Any]]:
    """Return a host array as NumPy, without copying where the library allows it.

    Raises
    ------
    InvalidSystemError
        If the array lives on an accelerator.
    """
    if array_api_compat.is_torch_array(array):
        if array.device.type != "cpu":
            msg = (
                f"got a tensor on {array.device}, need one on the CPU: this step uses "
                "the host's linear algebra; call .cpu() first"
            )
            raise InvalidSystemError(msg)
        array = array.detach().resolve_conj()
    return np.asarray(array)
