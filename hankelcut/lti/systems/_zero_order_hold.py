r"""Zero-order hold: what one sampling period of a constant input does to the states.

**Method.** Dense: the exponential of the block matrix [[A, B], [0, 0]] times the period
(Van Loan, IEEE Trans. Autom. Control 23, 1978, p. 395), and its principal logarithm for
the way back. Diagonal: :math:`\int_0^h e^{\lambda t} dt = h\,(e^{h\lambda} - 1) /
(h\lambda)`, element by element.
"""

from hankelcut import _array
from hankelcut._typing import Array
from hankelcut.lti.systems._complex_functions import expm1
from hankelcut.lti.systems._matrix_exponential import matrix_exponential
from hankelcut.lti.systems._matrix_logarithm import matrix_logarithm

__all__ = ["hold_dense", "hold_gains", "release_dense"]


def hold_dense(A: Array, B: Array, period: float) -> tuple[Array, Array]:
    """Transition and input matrix of one period.

    Parameters
    ----------
    A : (..., n, n) array
        Continuous state matrix, in host memory.
    B : (..., n, m) array
        Continuous input matrix.
    period : float
        Sampling period in seconds.
    """
    n, m = B.shape[-2:]
    xp = _array.namespace(A, B)
    top = xp.concat([A, B], axis=-1) * period
    bottom = _array.zeros((*B.shape[:-2], m, n + m), B)
    grown = matrix_exponential(xp.concat([top, bottom], axis=-2))
    return grown[..., :n, :n], grown[..., :n, n:]


def release_dense(A: Array, B: Array, period: float) -> tuple[Array, Array]:
    """Continuous state and input matrix whose hold over one period is A and B.

    Parameters
    ----------
    A : (..., n, n) array
        Discrete state matrix without eigenvalues on the closed negative real axis.
    B : (..., n, m) array
        Discrete input matrix.
    period : float
        Sampling period in seconds.
    """
    n, m = B.shape[-2:]
    xp = _array.namespace(A, B)
    constant = xp.concat([_array.zeros((m, n), B), _array.eye(m, B)], axis=-1)
    bottom = xp.broadcast_to(constant, (*B.shape[:-2], m, n + m))
    whole = xp.concat([xp.concat([A, B], axis=-1), bottom], axis=-2)
    grown = matrix_logarithm(whole) / period
    return grown[..., :n, :n], grown[..., :n, n:]


def hold_gains(exponents: Array, period: float) -> Array:
    """Integral of e^(lambda t) over one period, for exponents lambda per second."""
    xp = _array.namespace(exponents)
    growth = exponents * period
    one = xp.ones_like(growth)
    zero = growth == 0
    safe = xp.where(zero, one, growth)
    return period * xp.where(zero, one, expm1(safe) / safe)
