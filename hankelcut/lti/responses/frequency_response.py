"""Frequency response of a system."""

import numpy as np

from hankelcut import _array
from hankelcut._errors import InvalidSystemError
from hankelcut._typing import Array
from hankelcut.lti.gramians._structured_cholesky import displacement
from hankelcut.lti.responses._sparse_response import sparse_response
from hankelcut.lti.systems.conversions import conjugate_closure
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.sparse_state_space import SparseStateSpace
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.lti.systems.time_domain import Continuous

__all__ = ["frequency_response"]


def frequency_response(
    system: StateSpace | DiagonalStateSpace | SparseStateSpace, frequencies: Array
) -> Array:
    r"""Transfer function :math:`G = C(zI - A)^{-1}B + D` on the stability boundary.

    Parameters
    ----------
    system : StateSpace, DiagonalStateSpace or SparseStateSpace
        The system; a diagonal one with a real readout is taken as the real map it is.
    frequencies : (F,) real array
        Frequencies w: z = i w with w in rad/s (continuous), z = exp(i w) with w in
        radians per sample (discrete). Negative frequencies are allowed.

    Returns
    -------
    response : (..., F, p, m) complex array
        The response at each frequency; infinite entries exactly at a pole.

    Raises
    ------
    InvalidSystemError
        If the frequencies are no vector, or not finite.

    Notes
    -----
    **Method.** Diagonal systems: O(F n p m) by elementwise reciprocals of
    :math:`-\mathrm{expm1}(\ell - iw)`, accurate next to the unit circle. Dense: one
    linear solve per frequency. Sparse: one sparse LU factorization per frequency.
    """
    xp, (_, w) = _array.as_arrays([system.B, frequencies])
    if w.ndim != 1:
        msg = f"frequency_response: got frequencies of shape {tuple(w.shape)}, need "
        raise InvalidSystemError(msg + "a vector (F,)")
    _array.require_finite("frequency_response", frequencies=w)
    w = xp.astype(_array.to_real(w), _array.real_dtype(system.B), copy=False)
    if isinstance(system, SparseStateSpace):
        return sparse_response(system, boundary_points(w, system))
    D = _array.to_complex(system.D)[..., None, :, :]
    if isinstance(system, DiagonalStateSpace):
        if system.readout != "complex":
            system = conjugate_closure(system)
        gains = resolvent(system, w)
        weighted = gains[..., :, None] * system.B[..., None, :, :]
        return system.C[..., None, :, :] @ weighted + D
    return _dense_response(system, boundary_points(w, system)) + D


def _dense_response(system: StateSpace, points: Array) -> Array:
    A = _array.to_complex(system.A)[..., None, :, :]
    pencil = points[:, None, None] * _array.eye(system.n_states, A) - A
    B = _array.to_complex(system.B)[..., None, :, :]
    xp = _array.namespace(pencil)
    right = xp.broadcast_to(B, (*pencil.shape[:-2], *B.shape[-2:]))
    C = _array.to_complex(system.C)[..., None, :, :]
    try:
        return C @ xp.linalg.solve(pencil, right)
    except (np.linalg.LinAlgError, RuntimeError):  # the latter is PyTorch's
        _, logarithm = xp.linalg.slogdet(pencil)
        pole = ~xp.isfinite(logarithm)[..., None, None]
        regular = xp.where(pole, _array.eye(system.n_states, pencil), pencil)
        response = C @ xp.linalg.solve(regular, right)
        return xp.where(pole, xp.full_like(response, xp.inf), response)


def resolvent(system: DiagonalStateSpace, frequencies: Array) -> Array:
    """Factors 1 / (z - lambda_i) at each frequency, (..., F, n)."""
    xp = _array.namespace(system.exponents, frequencies)
    iw = 1j * xp.astype(frequencies, system.exponents.dtype)[:, None]
    exponents = system.exponents[..., None, :]
    if isinstance(system.time, Continuous):
        return 1 / (iw - exponents)
    return xp.exp(-iw) / displacement(exponents, iw, system.time)


def boundary_points(frequencies: Array, system: StateSpace | SparseStateSpace) -> Array:
    """Points z = i w or exp(i w) of the stability boundary."""
    iw = 1j * _array.to_complex(frequencies)
    if isinstance(system.time, Continuous):
        return iw
    return _array.namespace(iw).exp(iw)
