"""Bound on the difference of two diagonal systems, mode by mode."""

from hankelcut import _array
from hankelcut._errors import InvalidSystemError
from hankelcut._typing import Array
from hankelcut.lti.gramians._structured_cholesky import displacement
from hankelcut.lti.structure.stability import pole_margins, require_stable
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.time_domain import Continuous, Discrete

__all__ = ["modal_difference_bound"]


def modal_difference_bound(
    first: DiagonalStateSpace, second: DiagonalStateSpace
) -> Array:
    r"""Bound the H-infinity norm of G - G' when the modes correspond one to one.

    Parameters
    ----------
    first, second : DiagonalStateSpace
        Stable systems with the same sizes, time domain, readout and feedthrough; mode i
        of one belongs to mode i of the other (rounded, or one training step later).

    Returns
    -------
    bound : (...) real array
        Sum over the modes of :math:`\|\delta c\|\|b\| / m + \|c'\|\|\delta b\| / m +
        \|c'\|\|b'\||\delta\lambda| / (m m')` with the stability margins m, m' of the
        mode, times the readout's gain. Small for small changes, loose for large ones.

    Raises
    ------
    InvalidSystemError
        If sizes, time domains or readouts differ.
    UnstableSystemError
        If a pole is on or outside the stability boundary.
    """
    facts = [
        (s.time, s.readout, tuple(s.B.shape), tuple(s.C.shape)) for s in (first, second)
    ]
    if facts[0] != facts[1]:
        msg = f"modal_difference_bound: got {facts[0]} and {facts[1]}, need equal time "
        raise InvalidSystemError(msg + "domains, readouts and shapes")
    require_stable("modal_difference_bound", first)
    require_stable("modal_difference_bound", second)
    xp = _array.namespace(first.B, second.B)
    norm = xp.linalg.vector_norm
    margin, other_margin = pole_margins(first), pole_margins(second)
    dB = norm(second.B - first.B, axis=-1)
    dC = norm(second.C - first.C, axis=-2)
    b, b2 = norm(first.B, axis=-1), norm(second.B, axis=-1)
    c2 = norm(second.C, axis=-2)
    terms = (dC * b + c2 * dB) / margin
    terms = terms + c2 * b2 * _pole_distance(first, second) / (margin * other_margin)
    gain = 1.0 if first.readout == "complex" else 2 * first.readout_gain
    return gain * xp.sum(terms, axis=-1)


def _pole_distance(first: DiagonalStateSpace, second: DiagonalStateSpace) -> Array:
    xp = _array.namespace(first.exponents)
    if isinstance(first.time, Continuous):
        return xp.abs(first.exponents - second.exponents)
    # |lambda - lambda'| = |lambda'| |expm1(l - l')|, exact for close exponents.
    ratio = displacement(first.exponents, -xp.conj(second.exponents), Discrete())
    return xp.exp(xp.real(second.exponents)) * xp.abs(ratio)
