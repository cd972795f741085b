"""Hankel norm: the largest Hankel singular value."""

from hankelcut import _array
from hankelcut._typing import Array
from hankelcut.lti.gramians.gramian_factors import GramianMethod
from hankelcut.lti.gramians.hankel_singular_values import hankel_singular_values
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.state_space import StateSpace

__all__ = ["hankel_norm"]


def hankel_norm(
    system: StateSpace | DiagonalStateSpace, *, gramians: GramianMethod = "structured"
) -> Array:
    r"""Hankel norm :math:`\sigma_1`, the gain from past inputs to future outputs.

    It is part of the chain :math:`\sigma_1 \le \|G\|_\infty \le \|D\| + 2 \sum_k
    \sigma_k`, and no stable model of r states is closer to G in it than
    :math:`\sigma_{r+1}`.

    Parameters
    ----------
    system : StateSpace or DiagonalStateSpace
        Stable system; its feedthrough does not matter.
    gramians : {"structured", "closed_form"}
        How the factors of a diagonal system are computed; see `gramian_factors`.

    Returns
    -------
    norm : (...) real array
        Zero without states, inputs or outputs.

    Raises
    ------
    InvalidSystemError, UnstableSystemError
        As `hankel_singular_values`.

    Examples
    --------
    >>> import hankelcut as hc
    >>> plant = hc.StateSpace([[-2.0]], [[1.0]], [[3.0]])
    >>> round(float(hc.hankel_norm(plant)), 12)  # |c b| / (2 abs(a))
    0.75
    """
    values = hankel_singular_values(system, gramians=gramians)
    if values.shape[-1] == 0:
        return _array.to_real(_array.zeros(system.batch_shape, system.B))
    return values[..., 0]
