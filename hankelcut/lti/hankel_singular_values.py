"""Hankel singular values, from the SVD of a product of Gramian factors."""

from hankelcut import _array
from hankelcut._typing import Array
from hankelcut.lti.conversions import conjugate_closure
from hankelcut.lti.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.gramians import (
    GramianMethod,
    gramian_factors,
    require_solvable,
)
from hankelcut.lti.state_space import StateSpace

__all__ = ["hankel_singular_values"]


def hankel_singular_values(
    system: StateSpace | DiagonalStateSpace, *, gramians: GramianMethod = "structured"
) -> Array:
    r"""Hankel singular values :math:`\sigma_k = \sqrt{\lambda_k(PQ)}`, all of them.

    Parameters
    ----------
    system : StateSpace or DiagonalStateSpace
        Stable system with n states.
    gramians : {"structured", "closed_form"}
        How the factors of a diagonal system are computed; the default keeps the
        accuracy of small values. See `gramian_factors`.

    Returns
    -------
    values : (..., N) real array
        Descending; N = n, or N = 2 n for a diagonal system with a real readout, whose
        input-output map has 2 n real states.

    Raises
    ------
    InvalidSystemError
        If an entry is NaN or infinite.
    UnstableSystemError
        If a pole is on or outside the stability boundary.

    Notes
    -----
    **Method.** Singular values of :math:`L_o^H L_c` (Tombs & Postlethwaite, Int. J.
    Control 46, 1987, p. 1319), never eigenvalues of PQ.

    Examples
    --------
    >>> import hankelcut as hc
    >>> plant = hc.StateSpace([[0.5]], [[1.0]], [[3.0]], time=hc.Discrete())
    >>> round(float(hc.hankel_singular_values(plant)[0]), 12)  # |c b| / (1 - a^2)
    4.0
    """
    caller = "hankel_singular_values"
    if (
        isinstance(system, DiagonalStateSpace)
        and system.readout != "complex"
        and gramians == "structured"
    ):
        require_solvable(caller, system)
        # Making its graded factors real would cost the smallest values their digits.
        system = conjugate_closure(system)
    factors = gramian_factors(system, gramians=gramians, caller=caller)
    xp = _array.namespace(factors.controllability)
    product = _array.adjoint(factors.observability) @ factors.controllability
    return xp.linalg.svdvals(product)
