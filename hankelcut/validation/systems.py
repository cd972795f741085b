"""Seeded random systems whose condition is under control, as NumPy arrays."""

import math
from typing import Any, TypeAlias

import numpy as np

from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace, Readout
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.lti.systems.time_domain import Continuous, Discrete, TimeDomain

__all__ = ["random_diagonal_system", "random_lru_system", "random_stable_system"]

_Values: TypeAlias = np.ndarray[Any, np.dtype[Any]]

# Continuous poles decay at up to this rate and turn at up to that frequency, rad/s.
_FASTEST_DECAY = 2.0
_HIGHEST_FREQUENCY = 3.0


def random_stable_system(
    rng: np.random.Generator,
    n_states: int,
    n_inputs: int,
    n_outputs: int,
    time: TimeDomain = Continuous(),
    *,
    dtype: Any = np.float64,
    batch: tuple[int, ...] = (),
    margin: float = 0.05,
    condition: float = 10.0,
) -> StateSpace:
    r"""Draw a dense stable system with well-conditioned eigenvectors.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of the numbers.
    n_states, n_inputs, n_outputs : int
        Sizes n, m and p, any of which may be 0.
    time : Continuous or Discrete
        The time domain.
    dtype : dtype
        float32, float64, complex64 or complex128; drawn in double precision.
    batch : tuple of int
        Leading axes.
    margin : float
        Least distance of the poles from the stability boundary: of abs(pole) from 1
        (discrete, at most 0.9), or of Re(pole) from 0 in rad/s (continuous, at most 2).
    condition : float
        Condition number, at least 1, of the similarity that fills the state matrix.

    Returns
    -------
    StateSpace
        :math:`A = X A_0 X^{-1}` with block-diagonal :math:`A_0`; B, C and D normal.
    """
    complex_states = np.dtype(dtype).kind == "c"
    wide = np.complex128 if complex_states else np.float64
    blocks = _complex_blocks if complex_states else _real_blocks
    A0 = blocks(rng, (*batch, n_states), time, margin)
    U, V = (np.linalg.qr(_normal(rng, A0.shape, wide))[0] for _ in range(2))
    scales = np.geomspace(1.0, condition, max(n_states, 1))[:n_states]
    A = (U * scales) @ (V @ A0 @ _adjoint(V)) @ _adjoint(U / scales)
    B = _normal(rng, (*batch, n_states, n_inputs), wide)
    C = _normal(rng, (*batch, n_outputs, n_states), wide)
    D = _normal(rng, (*batch, n_outputs, n_inputs), wide)
    A, B, C, D = (matrix.astype(dtype) for matrix in (A, B, C, D))
    return StateSpace(A, B, C, D, time)


def random_diagonal_system(
    rng: np.random.Generator,
    n_states: int,
    n_inputs: int,
    n_outputs: int,
    time: TimeDomain = Discrete(),
    readout: Readout = "complex",
    *,
    dtype: Any = np.complex128,
    batch: tuple[int, ...] = (),
    margin: float = 0.05,
) -> DiagonalStateSpace:
    """Draw a diagonal stable system, poles not in conjugate pairs.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of the numbers.
    n_states, n_inputs, n_outputs : int
        Sizes n, m and p, any of which may be 0.
    time : Continuous or Discrete
        The time domain.
    readout : {"complex", "real", "twice_real"}
        The readout; the feedthrough is real for the real ones.
    dtype : dtype
        complex64 or complex128; drawn in double precision.
    batch : tuple of int
        Leading axes.
    margin : float
        As in `random_stable_system`.
    """
    poles = _poles(rng, (*batch, n_states), time, margin)
    exponents = np.log(poles) if isinstance(time, Discrete) else poles
    B = _normal(rng, (*batch, n_states, n_inputs), np.complex128)
    C = _normal(rng, (*batch, n_outputs, n_states), np.complex128)
    D = _normal(rng, (*batch, n_outputs, n_inputs), np.complex128)
    exponents, B, C, D = (array.astype(dtype) for array in (exponents, B, C, D))
    feedthrough = D if readout == "complex" else D.real
    return DiagonalStateSpace(exponents, B, C, feedthrough, time, readout)


def random_lru_system(
    rng: np.random.Generator,
    n_states: int,
    n_inputs: int,
    n_outputs: int,
    *,
    r_min: float = 0.0,
    r_max: float = 1.0,
    max_phase: float = 6.28,
) -> DiagonalStateSpace:
    r"""Draw the linear map of a linear recurrent unit (LRU) at its initialisation.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of the numbers.
    n_states, n_inputs, n_outputs : int
        Sizes n, m and p.
    r_min, r_max : float
        The poles are uniform over the ring of these radii, 0 <= r_min < r_max <= 1.
    max_phase : float
        Largest phase of a pole, radians per sample.

    Returns
    -------
    DiagonalStateSpace
        Discrete, readout "real", no feedthrough; the rows of B are normal and scaled by
        :math:`\gamma = \sqrt{1 - |\lambda|^2}`.

    References
    ----------
    Orvieto et al., Resurrecting recurrent neural networks for long sequences, 2023,
    section 3 and appendix A.
    """
    # Uniform in (0, 1): a pole on the unit circle or at 0 has an infinite logarithm.
    tiny = float(np.finfo(np.float64).eps)
    share = rng.uniform(tiny, 1 - tiny, n_states)
    decay = -np.log(r_min**2 + share * (r_max**2 - r_min**2)) / 2
    phase = max_phase * rng.uniform(tiny, 1.0, n_states)
    gamma = np.sqrt(-np.expm1(-2 * decay))
    # Real and imaginary parts have the variances 1 / (2 m) and 1 / n.
    B = _normal(rng, (n_states, n_inputs), np.complex128) / math.sqrt(max(n_inputs, 1))
    C = _normal(rng, (n_outputs, n_states), np.complex128)
    C = C * math.sqrt(2 / max(n_states, 1))
    return DiagonalStateSpace(
        -decay + 1j * phase, gamma[:, None] * B, C, None, Discrete(), "real"
    )


def _poles(
    rng: np.random.Generator, shape: tuple[int, ...], time: TimeDomain, margin: float
) -> _Values:
    if isinstance(time, Discrete):
        modulus = rng.uniform(0.1, 1 - margin, shape)
        return np.asarray(modulus * np.exp(1j * rng.uniform(-np.pi, np.pi, shape)))
    decay = margin * np.exp(rng.uniform(0, np.log(_FASTEST_DECAY / margin), shape))
    return -decay + 1j * rng.uniform(-_HIGHEST_FREQUENCY, _HIGHEST_FREQUENCY, shape)


def _complex_blocks(
    rng: np.random.Generator, shape: tuple[int, ...], time: TimeDomain, margin: float
) -> _Values:
    """Diagonal matrices of random poles."""
    poles = _poles(rng, shape, time, margin)
    return np.asarray(poles[..., None] * np.eye(shape[-1]))


def _real_blocks(
    rng: np.random.Generator, shape: tuple[int, ...], time: TimeDomain, margin: float
) -> _Values:
    """Real matrices of 2 x 2 blocks of pole pairs, and one real pole if n is odd."""
    n = shape[-1]
    poles = _poles(rng, (*shape[:-1], (n + 1) // 2), time, margin)
    A = np.zeros((*shape, n))
    first = np.arange(0, n - 1, 2)
    pairs = poles[..., : n // 2]
    A[..., first, first] = A[..., first + 1, first + 1] = pairs.real
    A[..., first, first + 1], A[..., first + 1, first] = pairs.imag, -pairs.imag
    if n % 2:
        last = poles[..., -1]
        A[..., -1, -1] = last.real if isinstance(time, Continuous) else np.abs(last)
    return A


def _normal(rng: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> _Values:
    """Draw normal numbers of variance 1, real or complex."""
    if np.dtype(dtype).kind != "c":
        return rng.standard_normal(shape)
    real, imag = rng.standard_normal((2, *shape))
    return np.asarray((real + 1j * imag) / math.sqrt(2))


def _adjoint(matrix: _Values) -> _Values:
    return np.conj(np.swapaxes(matrix, -1, -2))
