"""Hankel singular values, from the SVD of a product of Gramian factors."""

from hankelcut import _array
from hankelcut._typing import Array
from hankelcut.lti.gramians._graded_singular_values import graded_singular_values
from hankelcut.lti.gramians.gramian_factors import (
    GramianMethod,
    gramian_factors,
    require_solvable,
)
from hankelcut.lti.gramians.low_rank_gramians import sparse_hankel_values
from hankelcut.lti.systems.conversions import conjugate_closure
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.sparse_state_space import SparseStateSpace
from hankelcut.lti.systems.state_space import StateSpace

__all__ = ["hankel_singular_values"]


def hankel_singular_values(
    system: StateSpace | DiagonalStateSpace | SparseStateSpace,
    *,
    gramians: GramianMethod = "structured",
) -> Array:
    r"""Hankel singular values :math:`\sigma_k = \sqrt{\lambda_k(PQ)}`.

    Parameters
    ----------
    system : StateSpace, DiagonalStateSpace or SparseStateSpace
        Stable system with n states.
    gramians : {"structured", "closed_form"}
        How the factors of a diagonal system are computed; the default keeps the
        accuracy of small values. See `gramian_factors`.

    Returns
    -------
    values : (..., N) real array
        Descending; N = n, or N = 2 n for a diagonal system with a real readout, whose
        input-output map has 2 n real states. Of a sparse system only the leading values
        that low-rank Gramian factors of relative residual 1e-12 hold, each at most the
        true one; `low_rank_gramian_factors` takes other tolerances.

    Raises
    ------
    InvalidSystemError
        If an entry is NaN or infinite.
    UnstableSystemError
        If a pole is on or outside the stability boundary.

    Notes
    -----
    **Method.** Singular values of :math:`L_o^H L_c` (Tombs & Postlethwaite, Int. J.
    Control 46, 1987, p. 1319), never eigenvalues of PQ; their decomposition keeps the
    digits of small values.
    **Numerical aspects.** Every value of a graded dense system, with poles, states or
    channels over many decades, was right to 1e-8 of itself down to 1e-14 of the
    largest (12 states, 60-digit arithmetic). What is promised for any system is the
    uncertainty of `GramianFactors`.

    Examples
    --------
    >>> import hankelcut as hc
    >>> plant = hc.StateSpace([[0.5]], [[1.0]], [[3.0]], time=hc.Discrete())
    >>> round(float(hc.hankel_singular_values(plant)[0]), 12)  # |c b| / (1 - a^2)
    4.0
    """
    caller = "hankel_singular_values"
    if isinstance(system, SparseStateSpace):
        return sparse_hankel_values(system, caller)
    if (
        isinstance(system, DiagonalStateSpace)
        and system.readout != "complex"
        and gramians == "structured"
    ):
        require_solvable(caller, system)
        # Making its graded factors real would cost the smallest values their digits.
        system = conjugate_closure(system)
    factors = gramian_factors(system, gramians=gramians, caller=caller)
    product = _array.adjoint(factors.observability) @ factors.controllability
    _array.require_in_range(caller, values=product)
    return factors.with_zeros(graded_singular_values(product))
