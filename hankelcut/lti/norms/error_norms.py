"""H-infinity norm of the error of a model, and the H2 norm that comes with it."""

import math

from hankelcut import _array
from hankelcut._typing import Array
from hankelcut.lti.norms._dense_norms import DenseNorms, dense_norms
from hankelcut.lti.norms.hinf_norm import HinfBracket, bracket_of_items, hinf_norm
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.state_space import StateSpace

__all__ = ["error_norms"]

# Largest relative error of an H2 norm from a diagonal form, as a share of the width.
_SHARE = 0.01


def error_norms(
    error: StateSpace | DiagonalStateSpace, *, rtol: float
) -> tuple[HinfBracket, Array | None]:
    """Bracket the H-infinity norm of a system; its H2 norm where that comes with it.

    Parameters
    ----------
    error : StateSpace or DiagonalStateSpace
        As for `hinf_norm`, which also says what is raised and warned of.
    rtol : float
        Relative width wanted of the bracket.

    Returns
    -------
    hinf : HinfBracket
        One bracket per batch item.
    h2 : (...) real array or None
        H2 norm, right to a hundredth of `rtol`, of dense systems whose brackets come
        from their diagonal forms, if these are proven to have the digits: it saves the
        Schur form and the Gramian factor of `h2_norm`.
    """
    if isinstance(error, DiagonalStateSpace):
        return hinf_norm(error, rtol=rtol), None
    items = dense_norms("error_norms", error, rtol)
    bracket = bracket_of_items(error, [item.bracket for item in items], rtol)
    return bracket, _h2_of_items(error, items, _SHARE * rtol)


def _h2_of_items(
    error: StateSpace, items: list[DenseNorms], rtol: float
) -> Array | None:
    xp, norms = _array.namespace(error.B), []
    largest = float(xp.finfo(_array.real_dtype(error.B)).max)
    for item in items:
        norm = None if item.modal is None else item.modal.h2_norm(rtol)
        if norm is None or largest < norm < math.inf:
            return None
        norms.append(norm)
    return _array.from_list(norms, error.batch_shape, error.B)
