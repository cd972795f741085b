"""Complex functions without the cancellation that array libraries leave in theirs."""

from hankelcut import _array
from hankelcut._typing import Array

__all__ = ["complex_from_parts", "expm1", "log1p", "principal"]

_TURN = 6.283185307179586


def complex_from_parts(real: Array, imag: Array) -> Array:
    """Complex array of real and imaginary parts."""
    return _array.to_complex(real) + 1j * _array.to_complex(imag)


def expm1(z: Array) -> Array:
    """exp(z) - 1 without cancellation for complex z near 2 pi i k."""
    xp = _array.namespace(z)
    x, y = xp.real(z), xp.imag(z)
    half = xp.sin(y / 2)
    real = xp.expm1(x) * xp.cos(y) - 2 * half * half
    return complex_from_parts(real, xp.exp(x) * xp.sin(y))


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
