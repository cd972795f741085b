"""H-infinity norms of the single modes of a diagonal system."""

from hankelcut import _array
from hankelcut._typing import Array
from hankelcut.lti.structure.stability import pole_margins
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace

__all__ = ["modal_norms"]


def modal_norms(system: DiagonalStateSpace) -> Array:
    r"""H-infinity norm of every complex mode, the readout's gain included.

    Parameters
    ----------
    system : DiagonalStateSpace
        Stable system with n modes.

    Returns
    -------
    norms : (..., n) real array
        :math:`\|c_i\|\|b_i\| / m_i` with the stability margin :math:`m_i` of the pole;
        their sum bounds the norm of the system without its feedthrough.
    """
    xp = _array.namespace(system.B)
    norms = xp.linalg.vector_norm(system.B, axis=-1)
    norms = norms * xp.linalg.vector_norm(system.C, axis=-2)
    if system.readout != "complex":
        norms = 2 * system.readout_gain * norms
    return norms / pole_margins(system)
