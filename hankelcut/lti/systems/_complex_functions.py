"""Complex functions without the cancellation that array libraries leave in theirs."""

from hankelcut import _array
from hankelcut._typing import Array

__all__ = ["complex_from_parts", "expm1", "log1p", "principal"]

_TURN = 6.283185307179586


def complex_from_parts(real: Array, imag: Array) -> Array:
    """Complex array of real and imaginary parts, which broadcast."""
    xp = _array.namespace(real, imag)
    if not _array.is_numpy(real):
        return _array.to_complex(real) + 1j * _array.to_complex(imag)
    # The product above takes several times the time of this.
    shape = xp.broadcast_shapes(real.shape, imag.shape)
    joined = xp.empty(shape, dtype=_array.complex_dtype(real))
    joined.real, joined.imag = real, imag
    return joined


def expm1(z: Array) -> Array:
    """exp(z) - 1 without cancellation for complex z near 2 pi i k."""
    xp = _array.namespace(z)
    x, half = xp.real(z), xp.tan(xp.imag(z) / 2)
    # Libraries compute one tangent several times faster than a sine and a cosine:
    # sin y = 2 t / (1 + t^2) and 1 - cos y = 2 t^2 / (1 + t^2) for t = tan(y / 2).
    sine = 2 * half / (1 + half * half)
    versine = half * sine
    real = xp.expm1(x) * (1 - versine) - versine
    return complex_from_parts(real, xp.exp(x) * sine)


def log1p(z: Array) -> Array:
    """Principal log(1 + z) without cancellation for complex z near 0."""
    xp = _array.namespace(z)
    x, y = xp.real(z), xp.imag(z)
    large = xp.abs(z) > 0.5
    excess = xp.where(large, xp.zeros_like(x), x * (2 + x) + y * y)
    modulus = xp.where(large, xp.abs(1 + z), xp.ones_like(x))
    real = xp.where(large, xp.log(modulus), xp.log1p(excess) / 2)
    return complex_from_parts(real, xp.atan2(y, 1 + x))


def principal(exponents: Array) -> Array:
    """Exponents of the same exp(exponents), imaginary parts within [-pi, pi]."""
    xp = _array.namespace(exponents)
    phase = xp.imag(exponents)
    return complex_from_parts(
        xp.real(exponents), phase - _TURN * xp.round(phase / _TURN)
    )
