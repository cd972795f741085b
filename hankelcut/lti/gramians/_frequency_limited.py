r"""Weights of a frequency band.

**Method.** With :math:`F = \frac{1}{2\pi}\int (i\omega I - A)^{-1} d\omega` (discrete:
:math:`\frac{1}{2\pi}\int (\frac{1}{2} I + \sum_{k \ge 1} A^k e^{-ik\omega}) d\omega`)
over the band, the limited Gramians solve the Lyapunov equations with the right-hand
sides :math:`FBB^H + BB^HF^H` and :math:`F^HC^HC + C^HCF` (Gawronski & Juang, Int. J.
Systems Sci. 21, 1990, p. 349). F is a difference of principal logarithms.
"""

import math

from hankelcut import _array
from hankelcut._errors import InvalidSystemError
from hankelcut._typing import Array
from hankelcut.lti.systems._complex_functions import expm1, log1p
from hankelcut.lti.systems._matrix_logarithm import matrix_logarithm
from hankelcut.lti.systems.time_domain import Continuous, TimeDomain

__all__ = ["band_matrix", "band_weights", "require_band"]

_Band = tuple[float, float]


def require_band(caller: str, band: _Band, time: TimeDomain, *, mirrored: bool) -> None:
    """Raise unless a band is within the frequencies of a time domain.

    Parameters
    ----------
    caller : str
        Name of the public function, for the message.
    band : tuple of float
        Its ends.
    time : Continuous or Discrete
        The time domain.
    mirrored : bool
        Whether the mirrored band belongs to it, as it does for real systems.

    Raises
    ------
    InvalidSystemError
        If it is out of range.
    """
    low, high = band
    continuous = isinstance(time, Continuous)
    unit = "rad/s" if continuous else "radians per sample"
    if mirrored:
        need = f"0 <= w1 < w2{'' if continuous else ' <= pi'} in {unit}"
        fits = 0 <= low < high and (continuous or high <= math.pi)
    else:
        need = f"w1 < w2{'' if continuous else ' <= w1 + 2 pi'} in {unit}"
        fits = low < high and (continuous or high - low <= 2 * math.pi)
    if not (fits and (continuous or math.isfinite(high - low))):
        msg = f"{caller}: got band={band!r}, need {need}"
        raise InvalidSystemError(msg)


def band_matrix(A: Array, time: TimeDomain, band: _Band) -> Array:
    """F of a dense stable state matrix in host memory, (..., n, n) complex.

    Parameters
    ----------
    A : (..., n, n) array
        State matrix.
    time : Continuous or Discrete
        The time domain.
    band : tuple of float
        Ends of the band in rad/s or radians per sample; continuous ends may be
        infinite.
    """
    low, high = (_logarithm(_array.to_complex(A), time, end) for end in band)
    F = -0.5j / math.pi * (high - low)
    if isinstance(time, Continuous):
        return F
    share = (band[1] - band[0]) / (4 * math.pi)
    return F + share * _array.eye(A.shape[-1], F)


def _logarithm(A: Array, time: TimeDomain, end: float) -> Array:
    """log(i w I - A) or log(I - e^{-iw} A); at infinity without the real multiple of I.

    That multiple adds to F an imaginary multiple of I, which no right-hand side shows.
    """
    identity = _array.eye(A.shape[-1], A)
    if math.isinf(end):
        return 0 * A + math.copysign(math.pi / 2, end) * 1j * identity
    if isinstance(time, Continuous):
        return matrix_logarithm(1j * end * identity - A)
    return matrix_logarithm(identity - complex(math.cos(end), -math.sin(end)) * A)


def band_weights(exponents: Array, time: TimeDomain, band: _Band) -> Array:
    """Diagonal of F for a diagonal stable system, (..., n).

    Parameters
    ----------
    exponents : (..., n) complex array
        Exponents of the system.
    time : Continuous or Discrete
        The time domain.
    band : tuple of float
        As in `band_matrix`.
    """
    xp = _array.namespace(exponents)
    low, high = band
    if not isinstance(time, Continuous):
        # 1 - e^{-iw} lambda at the lower end, and the change up to the upper one.
        first = -expm1(exponents - 1j * low)
        turned = expm1(0 * exponents - 1j * (high - low))
        change = -xp.exp(exponents - 1j * low) * turned
        share = (high - low) / (4 * math.pi)
        return share - 0.5j / math.pi * log1p(change / first)
    if math.isfinite(low) and math.isfinite(high):
        ratio = 1j * (high - low) / (1j * low - exponents)
        return -0.5j / math.pi * log1p(ratio)
    ends = [
        0 * exponents + math.copysign(math.pi / 2, end) * 1j
        if math.isinf(end)
        else xp.log(1j * end - exponents)
        for end in band
    ]
    return -0.5j / math.pi * (ends[1] - ends[0])
