"""Independent pieces of host work side by side on the processor's cores."""

import functools
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import TypeVar

from threadpoolctl import ThreadpoolController

__all__ = ["map_in_threads", "one_blas_thread"]

_Item = TypeVar("_Item")
_Value = TypeVar("_Value")


def one_blas_thread() -> AbstractContextManager[object]:
    """Hold NumPy's BLAS to one thread; the process's setting comes back at the end.

    At the sizes of layers a second thread gains little and, where the other cores are
    busy, its barriers cost much: 37 s instead of 1 s for one cut were measured.
    """
    limits: AbstractContextManager[object] = _libraries().limit(
        limits=1, user_api="blas"
    )
    return limits


@functools.cache
def _libraries() -> ThreadpoolController:
    """Look up the loaded libraries once: it takes a millisecond."""
    return ThreadpoolController()


def map_in_threads(
    function: Callable[[_Item], _Value], items: Sequence[_Item]
) -> list[_Value]:
    """Apply a function of NumPy work to each item, one core each.

    LAPACK gains little from a second core at the sizes of layers, and much from a
    second matrix: the BLAS is held to one thread while several items run.

    Parameters
    ----------
    function : callable
        Spends its time in NumPy calls, which release the interpreter lock.
    items : sequence
        Its arguments.

    Returns
    -------
    list
        The values in the order of the items; the first exception is raised.
    """
    workers = min(len(items), _n_cores())
    if workers <= 1:
        return [function(item) for item in items]
    with one_blas_thread(), ThreadPoolExecutor(workers) as executor:
        return list(executor.map(function, items))


def _n_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
