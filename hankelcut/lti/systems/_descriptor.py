"""Descriptor systems E x' = A x + B u with a nonsingular E, in standard form."""

import warnings

from hankelcut import _array
from hankelcut._errors import InvalidSystemError, NumericalWarning
from hankelcut._typing import Array
from hankelcut.lti.systems import _shapes

__all__ = ["standard_form"]


def standard_form(caller: str, E: Array, A: Array, B: Array) -> tuple[Array, Array]:
    r"""Return :math:`E^{-1}A` and :math:`E^{-1}B`; batch axes broadcast.

    Rows and columns of E are scaled by powers of two before anything is decided or
    solved, so that badly scaled equations or states are not taken for singular ones.

    Raises
    ------
    InvalidSystemError
        If E does not fit to A, an entry is NaN or infinite, or E is singular to the
        precision of the arithmetic.

    Warns
    -----
    NumericalWarning
        If the condition of E costs more than half of the digits.
    """
    xp, (E, A, B) = _array.as_arrays([E, A, B])
    n = A.shape[-1]
    if E.ndim < 2 or tuple(E.shape[-2:]) != (n, n):
        msg = f"{caller}: got E of shape {tuple(E.shape)}, need (..., {n}, {n})"
        raise InvalidSystemError(msg)
    _array.require_finite(caller, E=E, A=A, B=B)
    E, A, B = _shapes.broadcast_batches(caller, [E, A, B], [2, 2, 2])
    if 0 in E.shape:
        return A, B
    rows = _power_of_two_scales(E, axis=-1)
    columns = _power_of_two_scales(E / rows, axis=-2)
    scaled = E / rows / columns
    _require_regular(caller, scaled)
    right = xp.concat([A, B], axis=-1) / rows
    solution = xp.linalg.solve(scaled, right) / xp.matrix_transpose(columns)
    return solution[..., :n], solution[..., n:]


def _power_of_two_scales(matrix: Array, *, axis: int) -> Array:
    """Powers of two near the largest magnitudes along an axis, which is kept."""
    xp = _array.namespace(matrix)
    largest = xp.max(xp.abs(_array.detach(matrix)), axis=axis, keepdims=True)
    return xp.astype(_array.nearest_power_of_two(largest), matrix.dtype)


def _require_regular(caller: str, E: Array) -> None:
    """Raise where E is numerically singular, warn where it is nearly so."""
    xp = _array.namespace(E)
    singular = xp.linalg.svdvals(_array.detach(E))
    smallest, largest = singular[..., -1], singular[..., 0]
    limit = E.shape[-1] * _array.eps(E)
    # A product, not a quotient: of a zero matrix it is false as well.
    regular = xp.reshape(smallest > limit * largest, (-1,))
    if not bool(xp.all(regular)):
        item = int(xp.argmin(xp.astype(regular, xp.int64)))
        where = f" of batch item {item}" if E.ndim > 2 else ""
        msg = (
            f"{caller}: got E{where} with a reciprocal condition number of at most "
            f"{limit:.2g}, need a nonsingular one: such a system has algebraic "
            "equations; eliminate them first"
        )
        raise InvalidSystemError(msg)
    if not bool(xp.all(smallest > _array.eps(E) ** 0.5 * largest)):
        condition = float(xp.max(largest / smallest))
        msg = (
            f"{caller}: E has condition number {condition:.2g}, which may cost "
            "more than half of the digits of the standard form"
        )
        warnings.warn(msg, NumericalWarning, stacklevel=4)
