"""Gramians limited to a time horizon or to a frequency band."""

import numpy as np

from hankelcut import _array
from hankelcut._errors import IllConditionedError
from hankelcut._typing import Array
from hankelcut.lti.equations.lyapunov_equation import LyapunovEquation
from hankelcut.lti.gramians._frequency_limited import (
    band_matrix,
    band_weights,
    require_band,
)
from hankelcut.lti.gramians._structured_cholesky import displacement
from hankelcut.lti.gramians._time_limited import (
    horizon_gramian,
    horizon_weights,
    require_horizon,
)
from hankelcut.lti.gramians.gramian_factors import require_solvable
from hankelcut.lti.systems._kinds import require_dense_or_diagonal
from hankelcut.lti.systems.conversions import conjugate_closure
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.state_space import StateSpace

__all__ = [
    "frequency_limited_controllability_gramian",
    "frequency_limited_observability_gramian",
    "time_limited_controllability_gramian",
    "time_limited_observability_gramian",
]


def time_limited_controllability_gramian(
    system: StateSpace | DiagonalStateSpace, horizon: float | int
) -> Array:
    r"""Return the controllability Gramian of a finite horizon.

    Continuous: :math:`P_T = \int_0^T e^{At}BB^He^{A^Ht}\,dt`; discrete:
    :math:`P_N = \sum_{k<N} A^kBB^HA^{kH}`. It grows with the horizon, up to
    `controllability_gramian` for stable systems.

    Parameters
    ----------
    system : StateSpace or DiagonalStateSpace
        System with any poles. A diagonal one with a real readout is taken in the real
        states of `real_form`.
    horizon : float or int
        T in seconds, or a whole number N of samples.

    Returns
    -------
    P : (..., N, N) array
        Hermitian and positive semidefinite; real for real systems and real readouts.

    Raises
    ------
    InvalidSystemError
        If an entry is NaN or infinite, or the horizon is negative, not finite, or not
        whole in discrete time.
    IllConditionedError
        If the Gramian leaves the range of the dtype (unstable poles, long horizon).

    Notes
    -----
    **Method.** Block exponential (Van Loan, IEEE Trans. Autom. Control 23, 1978, p.
    395) of a short step and doubling; closed form for diagonal systems.

    Examples
    --------
    >>> import hankelcut as hc
    >>> integrator = hc.StateSpace([[0.0]], [[2.0]], [[1.0]])
    >>> float(hc.time_limited_controllability_gramian(integrator, 3.0)[0, 0])
    12.0
    """
    caller = "time_limited_controllability_gramian"
    return _time_limited(caller, system, horizon, dual=False)


def time_limited_observability_gramian(
    system: StateSpace | DiagonalStateSpace, horizon: float | int
) -> Array:
    r"""Return the observability Gramian of a finite horizon.

    Continuous: :math:`Q_T = \int_0^T e^{A^Ht}C^HCe^{At}\,dt`; discrete:
    :math:`Q_N = \sum_{k<N} A^{kH}C^HCA^k`.

    Parameters
    ----------
    system : StateSpace or DiagonalStateSpace
        As in `time_limited_controllability_gramian`.
    horizon : float or int
        T in seconds, or a whole number N of samples.

    Returns
    -------
    Q : (..., N, N) array
        Hermitian and positive semidefinite; real for real systems and real readouts.

    Raises
    ------
    InvalidSystemError, IllConditionedError
        As `time_limited_controllability_gramian`.
    """
    caller = "time_limited_observability_gramian"
    return _time_limited(caller, system, horizon, dual=True)


def frequency_limited_controllability_gramian(
    system: StateSpace | DiagonalStateSpace, band: tuple[float, float]
) -> Array:
    r"""Return the controllability Gramian of a frequency band.

    :math:`P = \frac{1}{2\pi}\int (zI - A)^{-1}BB^H(zI - A)^{-H}\,d\omega` over the
    band, :math:`z = i\omega` or :math:`e^{i\omega}`. Gramians of bands that make up the
    axis, or the circle, add up to `controllability_gramian`.

    Parameters
    ----------
    system : StateSpace or DiagonalStateSpace
        Stable system. A diagonal one with a real readout is taken in the real states of
        `real_form`.
    band : tuple of float
        Its ends w1 < w2 in rad/s (w2 may be infinite) or in radians per sample. For
        real systems and real readouts w1 >= 0 (and w2 <= pi in discrete time), and the
        mirrored band [-w2, -w1] belongs to it, which makes the Gramian real. For
        complex systems the band is taken as it is: any w1 (-infinity too), and
        w2 <= w1 + 2 pi in discrete time.

    Returns
    -------
    P : (..., N, N) array
        Hermitian and, but for rounding, positive semidefinite.

    Raises
    ------
    InvalidSystemError
        If an entry is NaN or infinite, or the band is out of range.
    UnstableSystemError
        If a pole is on or outside the stability boundary.
    IllConditionedError
        If a logarithm lost its accuracy, with a pole very close to an end of the band.

    Notes
    -----
    **Method.** A Lyapunov equation with a right-hand side from matrix logarithms, on
    the host (Gawronski & Juang, Int. J. Systems Sci. 21, 1990, p. 349; Benner,
    Kuerschner & Saak, SIAM J. Sci. Comput. 38, 2016, p. A471); closed form for diagonal
    systems. **Numerical aspects.** Rounding is that of a Gramian of the size of the
    unlimited one: a narrow band far from all poles keeps fewer digits.

    Examples
    --------
    >>> import hankelcut as hc
    >>> plant = hc.StateSpace([[-1.0]], [[2.0]], [[1.0]])
    >>> P = hc.frequency_limited_controllability_gramian(plant, (0.0, 1.0))
    >>> round(float(P[0, 0]), 12)  # half of the unlimited 2.0 lies below 1 rad/s
    1.0
    """
    caller = "frequency_limited_controllability_gramian"
    return _frequency_limited(caller, system, band, dual=False)


def frequency_limited_observability_gramian(
    system: StateSpace | DiagonalStateSpace, band: tuple[float, float]
) -> Array:
    r"""Return the observability Gramian of a frequency band.

    :math:`Q = \frac{1}{2\pi}\int (zI - A)^{-H}C^HC(zI - A)^{-1}\,d\omega` over the
    band.

    Parameters
    ----------
    system : StateSpace or DiagonalStateSpace
        As in `frequency_limited_controllability_gramian`.
    band : tuple of float
        As in `frequency_limited_controllability_gramian`.

    Returns
    -------
    Q : (..., N, N) array
        Hermitian and, but for rounding, positive semidefinite.

    Raises
    ------
    InvalidSystemError, UnstableSystemError, IllConditionedError
        As `frequency_limited_controllability_gramian`.
    """
    caller = "frequency_limited_observability_gramian"
    return _frequency_limited(caller, system, band, dual=True)


def _time_limited(
    caller: str,
    system: StateSpace | DiagonalStateSpace,
    horizon: float | int,
    *,
    dual: bool,
) -> Array:
    require_dense_or_diagonal(caller, system)
    require_horizon(caller, horizon, system.time)
    first = "exponents" if isinstance(system, DiagonalStateSpace) else "A"
    fields = {field: getattr(system, field) for field in (first, "B", "C", "D")}
    _array.require_finite(caller, **fields)
    # An overflow becomes an error below.
    with np.errstate(over="ignore", invalid="ignore"):
        if isinstance(system, DiagonalStateSpace):
            closed = _complex_states(system)
            weights = horizon_weights(closed.exponents, closed.time, float(horizon))
            gramian = _weighted(system, closed, weights, dual=dual)
        else:
            A, B = system.A, system.B
            if dual:
                A, B = _array.adjoint(A), _array.adjoint(system.C)
            gramian = horizon_gramian(A, B, system.time, float(horizon))
    xp = _array.namespace(gramian)
    if not bool(xp.all(xp.isfinite(gramian))):
        msg = (
            f"{caller}: the Gramian of horizon {horizon:.6g} leaves the range of "
            f"{gramian.dtype} (unstable poles); choose a shorter horizon"
        )
        raise IllConditionedError(msg)
    return gramian


def _frequency_limited(
    caller: str,
    system: StateSpace | DiagonalStateSpace,
    band: tuple[float, float],
    *,
    dual: bool,
) -> Array:
    require_dense_or_diagonal(caller, system)
    mirrored = (
        system.readout != "complex"
        if isinstance(system, DiagonalStateSpace)
        else not _array.is_complex(system.A)
    )
    require_band(caller, band, system.time, mirrored=mirrored)
    require_solvable(caller, system)
    if isinstance(system, DiagonalStateSpace):
        closed = _complex_states(system)
        F = band_weights(closed.exponents, closed.time, band)
        if mirrored:
            F = F + band_weights(closed.exponents, closed.time, (-band[1], -band[0]))
        xp = _array.namespace(F)
        rows, columns = closed.exponents[..., :, None], closed.exponents[..., None, :]
        weights = F[..., :, None] + xp.conj(F)[..., None, :]
        weights = weights / displacement(rows, columns, closed.time)
        return _weighted(system, closed, weights, dual=dual)
    F = band_matrix(system.A, system.time, band)
    F = 2 * _array.to_real(F) if mirrored else F
    if dual:
        half = _array.adjoint(system.C) @ system.C @ F
    else:
        half = F @ system.B @ _array.adjoint(system.B)
    equation = LyapunovEquation(system.A, system.time, caller=caller)
    return equation.solve(half + _array.adjoint(half), dual=dual)


def _complex_states(system: DiagonalStateSpace) -> DiagonalStateSpace:
    """Return the system whose complex states make up the input-output map."""
    return system if system.readout == "complex" else conjugate_closure(system)


def _weighted(
    system: DiagonalStateSpace,
    closed: DiagonalStateSpace,
    weights: Array,
    *,
    dual: bool,
) -> Array:
    """Entries of B B^H times weights (of C^H C times their conjugates).

    For real readouts in the states [Re x; Im x], of which [x; conj x] is a multiple.
    """
    xp = _array.namespace(weights)
    if dual:
        gramian = (_array.adjoint(closed.C) @ closed.C) * xp.conj(weights)
    else:
        gramian = (closed.B @ _array.adjoint(closed.B)) * weights
    if system.readout == "complex":
        return gramian
    identity = _array.eye(system.n_states, closed.B)
    upper = xp.concat([identity, 1j * identity], axis=-1)
    to_closed = xp.concat([upper, xp.conj(upper)], axis=-2)
    back = to_closed if dual else to_closed / 2
    return xp.real(_array.adjoint(back) @ gramian @ back)
