"""Projections onto the dominant states, from factors of both Gramians."""

from hankelcut import _array
from hankelcut._typing import Array

__all__ = ["square_root_projections"]


def square_root_projections(
    controllability: Array,
    observability: Array,
    left_vectors: Array,
    values: Array,
    right_vectors: Array,
) -> tuple[Array, Array]:
    r"""Balancing projections (Tombs & Postlethwaite, IJC 46, 1987, p. 1319).

    With the decomposition :math:`L_o^H L_c = U S V^H`.

    Parameters
    ----------
    controllability, observability : (..., N, N) arrays
        Factors Lc, Lo of the Gramians.
    left_vectors, right_vectors : (..., N, r) arrays
        Leading columns of U and V.
    values : (..., r) real array
        Leading singular values; states of a value 0 mean nothing.

    Returns
    -------
    T, W : (..., N, r) arrays
        :math:`T = L_c V S^{-1/2}`, :math:`W = L_o U S^{-1/2}` with :math:`W^H T = I`;
        the reduced state matrix is :math:`W^H A T`.
    """
    xp = _array.namespace(values)
    scale = 1 / xp.sqrt(xp.where(values > 0, values, xp.ones_like(values)))
    scale = xp.astype(scale, controllability.dtype)
    T = _array.diagonal_columns(controllability @ right_vectors, scale)
    W = _array.diagonal_columns(observability @ left_vectors, scale)
    return T, W
