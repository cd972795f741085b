"""H2 norm from a Gramian factor."""

from hankelcut import _array
from hankelcut._typing import Array
from hankelcut.lti.equations.lyapunov_equation import LyapunovEquation
from hankelcut.lti.gramians.gramian_factors import GramianMethod, gramian_factors
from hankelcut.lti.gramians.low_rank_gramians import sparse_h2_norm
from hankelcut.lti.systems._scaling import frobenius_norm
from hankelcut.lti.systems.conversions import to_dense
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.sparse_state_space import SparseStateSpace
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.lti.systems.time_domain import Continuous

__all__ = ["h2_norm"]


def h2_norm(
    system: StateSpace | DiagonalStateSpace | SparseStateSpace,
    *,
    gramians: GramianMethod = "structured",
) -> Array:
    r"""H2 norm: the energy of the impulse response, summed over all channels.

    Parameters
    ----------
    system : StateSpace, DiagonalStateSpace or SparseStateSpace
        Stable system. The norm of a sparse one comes from a low-rank Gramian factor of
        relative residual 1e-12: a small difference of two systems is right to about
        1e-6 of their norms.
    gramians : {"structured", "closed_form"}
        How the factors of a diagonal system are computed; see `gramian_factors`. The
        norm of a small difference of two systems needs the default.

    Returns
    -------
    norm : (...) real array
        :math:`\|C L_c\|_F` (and the feedthrough in discrete time, whose norm is
        :math:`\sqrt{\|CL_c\|_F^2 + \|D\|_F^2}`); infinite for a continuous system with
        a feedthrough.

    Raises
    ------
    InvalidSystemError
        If an entry is NaN or infinite.
    UnstableSystemError
        If a pole is on or outside the stability boundary.
    """
    if isinstance(system, SparseStateSpace):
        return sparse_h2_norm(system, "h2_norm")
    xp = _array.namespace(system.B)
    gains = _readout_matrix(system) @ _controllability_factor(system, gramians)
    _array.require_in_range("h2_norm", norm=gains)
    strictly_proper = frobenius_norm(gains)
    feedthrough = frobenius_norm(system.D)
    if isinstance(system.time, Continuous):
        infinite = xp.full_like(strictly_proper, xp.inf)
        return xp.where(feedthrough > 0, infinite, strictly_proper)
    return xp.hypot(strictly_proper, feedthrough)


def _controllability_factor(
    system: StateSpace | DiagonalStateSpace, gramians: GramianMethod
) -> Array:
    """Factor of the one Gramian that the norm needs."""
    if isinstance(system, DiagonalStateSpace):
        factors = gramian_factors(system, gramians=gramians, caller="h2_norm")
        return factors.controllability
    _array.require_finite("h2_norm", C=system.C, D=system.D)
    equation = LyapunovEquation(system.A, system.time, caller="h2_norm")
    return equation.factor(system.B)


def _readout_matrix(system: StateSpace | DiagonalStateSpace) -> Array:
    """C in the coordinates of the Gramian factors."""
    if isinstance(system, DiagonalStateSpace) and system.readout == "complex":
        return system.C
    return to_dense(system).C
