"""Checks and broadcasting of the matrices of a system."""

from typing import Any

import array_api_compat

from hankelcut import _array
from hankelcut._errors import InvalidSystemError
from hankelcut._typing import Array
from hankelcut.lti.systems.time_domain import Continuous, Discrete

__all__ = [
    "broadcast_batches",
    "require_matrices",
    "require_time_domain",
    "zero_feedthrough",
]


def require_time_domain(owner: str, time: object) -> None:
    """Raise unless `time` is `Continuous()` or `Discrete(dt)`."""
    if not isinstance(time, Continuous | Discrete):
        msg = f"{owner}: got time={time!r}, need Continuous() or Discrete(dt)"
        raise InvalidSystemError(msg)


def require_matrices(owner: str, n: int, B: Array, C: Array, D: Array | None) -> None:
    """Raise unless B is (..., n, m), C is (..., p, n) and D is (..., p, m)."""
    shapes = {"B": B.shape, "C": C.shape, **({} if D is None else {"D": D.shape})}
    got = ", ".join(f"{name} of shape {tuple(s)}" for name, s in shapes.items())
    if any(len(shape) < 2 for shape in shapes.values()):
        msg = f"{owner}: got {got}; need matrices (..., n, m), (..., p, n), (..., p, m)"
        raise InvalidSystemError(msg)
    fits = B.shape[-2] == n and C.shape[-1] == n
    if D is not None:
        fits = fits and tuple(D.shape[-2:]) == (C.shape[-2], B.shape[-1])
    if not fits:
        msg = (
            f"{owner}: got {n} states with {got}; need B (..., {n}, m), C (..., p, {n})"
            " and D (..., p, m)"
        )
        raise InvalidSystemError(msg)


def broadcast_batches(
    owner: str, arrays: list[Array], core_ndims: list[int]
) -> list[Array]:
    """Broadcast the leading (batch) axes of arrays with the given core ranks."""
    batches = [a.shape[: a.ndim - k] for a, k in zip(arrays, core_ndims, strict=True)]
    batch = _common_batch(owner, batches)
    xp: Any = array_api_compat.array_namespace(*arrays)
    return [
        a
        if tuple(a.shape[: a.ndim - k]) == batch
        else xp.broadcast_to(a, (*batch, *a.shape[a.ndim - k :]))
        for a, k in zip(arrays, core_ndims, strict=True)
    ]


def _common_batch(owner: str, batches: list[Any]) -> tuple[int, ...]:
    rank = max(len(batch) for batch in batches)
    padded = [(1,) * (rank - len(batch)) + tuple(batch) for batch in batches]
    common = []
    for sizes in zip(*padded, strict=True):
        lengths = {size for size in sizes if size != 1}
        if len(lengths) > 1:
            shown = ", ".join(str(tuple(batch)) for batch in batches)
            msg = f"{owner}: the batch axes {shown} do not broadcast together"
            raise InvalidSystemError(msg)
        common.append(lengths.pop() if lengths else 1)
    return tuple(common)


def zero_feedthrough(B: Array, C: Array) -> Array:
    """Return the zero (p, m) feedthrough that belongs to B and C."""
    return _array.zeros((C.shape[-2], B.shape[-1]), B)
