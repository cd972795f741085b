r"""Closed-form Gramians of diagonal systems, and their factors by Cholesky.

**Method.** Entrywise formulas of the Gramians in the coordinates of the readout: the
complex states themselves, or [Re x; Im x] of the real map. The factor is the Cholesky
factor of the Gramian scaled by the sizes of its diagonal, shifted by a few units of
rounding so that it always exists.

**Numerical aspects.** A few matrix products of size n: the fast route for many inputs,
batches and accelerators. The rounding and the shift move P by at most
:math:`s D_P^2`, with the sizes :math:`D_P^2 \ge \mathrm{diag}(P)` and s of a few n u,
Q likewise, so that every :math:`\sigma_k^2` moves by at most
:math:`2 s\,\mathrm{tr}(D_P^2 D_Q^2)`.
Singular values below the root of that are lost; the bound is returned, never hidden.
"""

from hankelcut import _array
from hankelcut._typing import Array, Namespace
from hankelcut.lti.gramians._structured_cholesky import displacement
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace

__all__ = ["closed_form_factors", "closed_form_gramians"]

# The entries carry about 4 rounding errors each (products, expm1, quotient), Cholesky
# adds at most n + 1; the shift of the same size makes up the other half.
_ROUNDINGS_PER_STATE = 4.0


def closed_form_gramians(system: DiagonalStateSpace) -> tuple[Array, Array]:
    """Return both Gramians in the coordinates of the readout.

    Parameters
    ----------
    system : DiagonalStateSpace
        Stable system with n stored states.

    Returns
    -------
    P, Q : (..., N, N) arrays
        Complex with N = n for the readout "complex"; real with N = 2 n, for the states
        [Re x; Im x] of `real_form(system)`, for the real readouts.
    """
    xp = _array.namespace(system.B)
    exponents, C = system.exponents, _array.adjoint(system.C)
    rows, columns = exponents[..., :, None], exponents[..., None, :]
    direct = displacement(rows, columns, system.time)
    if system.readout == "complex":
        P = (system.B @ _array.adjoint(system.B)) / direct
        return P, (C @ _array.adjoint(C)) / xp.conj(direct)
    mirrored = displacement(rows, xp.conj(columns), system.time)
    gain = 2 * system.readout_gain**2
    P = _real_gramian(xp, system.B, direct, mirrored)
    return 0.5 * P, gain * _real_gramian(xp, C, xp.conj(direct), xp.conj(mirrored))


def _real_gramian(
    xp: Namespace, generator: Array, direct: Array, mirrored: Array
) -> Array:
    """[[Re S, -Im D], [Im S, Re D]] of S = X1 + X2, D = X1 - X2.

    X1 = g g^H / direct and X2 = g g^T / mirrored; one real product of [Re g; Im g]
    with its transpose holds both numerators.
    """
    n = generator.shape[-2]
    parts = xp.concat([xp.real(generator), xp.imag(generator)], axis=-2)
    product = parts @ xp.matrix_transpose(parts)
    rr, ri = product[..., :n, :n], product[..., :n, n:]
    ir, ii = product[..., n:, :n], product[..., n:, n:]
    first = ((rr + ii) + 1j * (ir - ri)) / direct
    second = ((rr - ii) + 1j * (ir + ri)) / mirrored
    total, difference = first + second, first - second
    upper = xp.concat([xp.real(total), -xp.imag(difference)], axis=-1)
    lower = xp.concat([xp.imag(total), xp.real(difference)], axis=-1)
    return xp.concat([upper, lower], axis=-2)


def closed_form_factors(system: DiagonalStateSpace) -> tuple[Array, Array, Array]:
    """Factors of the closed-form Gramians and the uncertainty they leave.

    Parameters
    ----------
    system : DiagonalStateSpace
        Stable system.

    Returns
    -------
    Lc, Lo : (..., N, N) arrays
        Factors with P = Lc Lc^H and Q = Lo Lo^H up to the uncertainty.
    of_squares : (...) real array
        Bound on the absolute perturbation of the squared Hankel singular values.
    """
    P, Q = closed_form_gramians(system)
    xp = _array.namespace(P, Q)
    size_P, size_Q = _diagonal_sizes(system)
    Lc, Lo = _scaled_cholesky(xp, P, size_P), _scaled_cholesky(xp, Q, size_Q)
    return Lc, Lo, 4 * _level(P) * xp.sum(size_P * size_Q, axis=-1)


def _diagonal_sizes(system: DiagonalStateSpace) -> tuple[Array, Array]:
    """Sizes of what the diagonals are computed from; of their rounding, therefore.

    For real readouts |P1_ii| + |P2_ii| <= 2 P1_ii bounds both coordinates of a state,
    also where the sum P1 + P2 or the difference cancels.
    """
    xp = _array.namespace(system.B)
    own = xp.real(displacement(system.exponents, system.exponents, system.time))
    P = xp.sum(xp.abs(system.B) ** 2, axis=-1) / own
    Q = xp.sum(xp.abs(system.C) ** 2, axis=-2) / own
    if system.readout == "complex":
        return P, Q
    gain = 4 * system.readout_gain**2
    return xp.concat([P, P], axis=-1), gain * xp.concat([Q, Q], axis=-1)


def _level(gramian: Array) -> float:
    n = max(int(gramian.shape[-1]), 1)
    return _ROUNDINGS_PER_STATE * n * _array.eps(gramian) / 2


def _scaled_cholesky(xp: Namespace, gramian: Array, sizes: Array) -> Array:
    """Return the Cholesky factor of a Gramian, shifted where rows have unit size."""
    silent = sizes == 0
    root = xp.sqrt(xp.where(silent, xp.ones_like(sizes), sizes))
    scale = xp.astype(root, gramian.dtype)
    scaled = gramian / (scale[..., :, None] * scale[..., None, :])
    shift = _level(gramian) * _array.eye(gramian.shape[-1], gramian)
    factor = xp.linalg.cholesky((scaled + _array.adjoint(scaled)) / 2 + shift)
    # A state without input (output) has an exactly zero row.
    rows = xp.astype(xp.where(silent, xp.zeros_like(root), root), gramian.dtype)
    return rows[..., :, None] * factor
