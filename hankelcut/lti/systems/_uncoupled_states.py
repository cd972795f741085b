"""States of a matrix that are coupled with each other only."""

from typing import Any, TypeAlias

import numpy as np
import scipy.sparse

__all__ = ["uncoupled_states"]

Matrix: TypeAlias = np.ndarray[Any, np.dtype[Any]]


def uncoupled_states(A: Matrix) -> list[Matrix]:
    """States in parts that entries of A, in either direction, couple within only.

    Parameters
    ----------
    A : (n, n) array
        State matrix, n > 0.

    Returns
    -------
    parts : list of (g, k) int arrays
        One array for each size k of parts, g parts of that size, small ones first.
    """
    n, coupled = A.shape[0], A != 0
    if coupled[0].all() or coupled[:, 0].all():
        return [np.arange(n)[None]]
    rows, columns = np.divmod(np.flatnonzero(coupled), n)
    starts = np.searchsorted(rows, np.arange(n + 1))
    graph = scipy.sparse.csr_array(
        (np.ones(len(rows)), columns.astype(np.int32), starts.astype(np.int32)),
        shape=(n, n),
    )
    count, labels = scipy.sparse.csgraph.connected_components(graph, directed=False)
    if count == 1:
        return [np.arange(n)[None]]
    sizes = np.bincount(labels)[labels]
    order = np.lexsort((labels, sizes))
    groups = np.split(order, np.flatnonzero(np.diff(sizes[order])) + 1)
    return [group.reshape(-1, sizes[group[0]]) for group in groups]
