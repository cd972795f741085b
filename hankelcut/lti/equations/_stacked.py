"""Equations of stacks of host matrices: small ones iterated together, others in turn.

A loop over Schur forms of small matrices spends its time in calls; matrix products of
whole stacks do not. Items whose iteration fails, such as those with slow poles, are
solved by their Schur forms.
"""

import itertools
import logging
import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from hankelcut._parallel import map_in_threads
from hankelcut.lti.equations._direct import DirectSolver, Index
from hankelcut.lti.equations._iterated import iterated_factors, iterated_solution
from hankelcut.lti.equations._schur_sylvester import Matrix
from hankelcut.lti.systems.time_domain import TimeDomain

__all__ = ["stacked_factors", "stacked_solution"]

_LOGGER = logging.getLogger(__name__)

_FEWEST_ITEMS = 16
_MOST_STATES = 64
# Poles within about 1e-3 of the boundary (relative to the fastest) take more steps.
_DOUBLINGS = 14
# Size in bytes of one matrix of all items iterated together: a few stay in the cache.
_CHUNK = 2**20

_Results: TypeAlias = tuple[Matrix, ...]


def stacked_solution(
    direct: DirectSolver, A: Matrix, Q: Matrix, time: TimeDomain, *, dual: bool
) -> Matrix:
    """Solve the equations of a stack, unfactored.

    Parameters
    ----------
    direct : DirectSolver
        Solver of the items that fail.
    A, Q : (..., n, n) arrays
        State matrices and right-hand sides with equal batch axes.
    time : Continuous or Discrete
        The time domain.
    dual : bool
        Solve the dual equations.
    """

    def iterate(A: Matrix, Q: Matrix) -> _Results:
        state = A.conj().swapaxes(-1, -2) if dual else A
        X, good = iterated_solution(state, Q, time, _DOUBLINGS)
        return X, good

    def solve(index: Index) -> _Results:
        return (direct.solution(index, Q[index], dual=dual),)

    return _run(iterate, solve, [A, Q], [A.shape])[0]


def stacked_factors(
    direct: DirectSolver, A: Matrix, B: Matrix, C: Matrix, time: TimeDomain
) -> tuple[Matrix, Matrix]:
    """Square factors of both Gramians of a stack of systems.

    Parameters
    ----------
    direct : DirectSolver
        Solver of the items that fail.
    A, B, C : (..., n, n), (..., n, m), (..., p, n) arrays
        The systems, with equal batch axes.
    time : Continuous or Discrete
        The time domain.
    """
    n = A.shape[-1]

    def iterate(A: Matrix, B: Matrix, C: Matrix) -> _Results:
        return iterated_factors(A, B, C, time, _DOUBLINGS)

    def solve(index: Index) -> _Results:
        factors = direct.factors(index, B[index], C[index])
        return tuple(_squared(factor, n) for factor in factors)

    Lc, Lo = _run(iterate, solve, [A, B, C], [A.shape, A.shape])
    return Lc, Lo


def _squared(factor: Matrix, n: int) -> Matrix:
    """Square factor, with columns of zeros in front."""
    nothing = np.zeros((n, n - factor.shape[1]), dtype=factor.dtype)
    return np.concatenate([nothing, factor], axis=1)


def _pays_to_iterate(A: Matrix) -> bool:
    n = int(A.shape[-1])
    return 0 < n <= _MOST_STATES and A.size >= _FEWEST_ITEMS * n * n


def _run(
    iterate: Callable[..., _Results],
    solve: Callable[[Index], _Results],
    arrays: list[Matrix],
    shapes: list[tuple[int, ...]],
) -> list[Matrix]:
    """Iterate chunks of a stack in threads where that pays, solve the other items."""
    batch = arrays[0].shape[:-2]
    count = math.prod(batch)
    step = max(1, _CHUNK // max(1, arrays[0].shape[-1] ** 2 * arrays[0].itemsize))
    flat = [array.reshape(count, *array.shape[-2:]) for array in arrays]
    results = [np.empty(shape, dtype=arrays[0].dtype) for shape in shapes]

    def run_chunk(start: int) -> list[int]:
        chunk = slice(start, min(start + step, count))
        with np.errstate(all="ignore"):
            *values, good = iterate(*(array[chunk] for array in flat))
        for result, value in zip(results, values, strict=True):
            result.reshape(count, *result.shape[-2:])[chunk] = value
        return [start + int(item) for item in np.flatnonzero(~good)]

    left = list(range(count))
    if _pays_to_iterate(arrays[0]):
        starts = range(0, count, step)
        left = list(itertools.chain(*map_in_threads(run_chunk, starts)))
        if left:
            _LOGGER.info("batch items %s are solved by their Schur forms", left)
    indices = [tuple(int(k) for k in np.unravel_index(i, batch)) for i in left]
    solved = map_in_threads(solve, indices)
    for index, values in zip(indices, solved, strict=True):
        for result, value in zip(results, values, strict=True):
            result[index] = value
    return results
