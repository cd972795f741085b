"""Discretization of continuous systems, and the way back."""

import math
from dataclasses import replace
from typing import Literal, TypeAlias, TypeVar, get_args

from hankelcut import _array
from hankelcut._errors import IllConditionedError, InvalidSystemError
from hankelcut._typing import Array
from hankelcut.lti.structure.stability import poles_of
from hankelcut.lti.systems._bilinear import (
    continuous_dense,
    continuous_diagonal,
    discrete_dense,
    discrete_diagonal,
)
from hankelcut.lti.systems._complex_functions import principal
from hankelcut.lti.systems._kinds import require_dense_or_diagonal
from hankelcut.lti.systems._zero_order_hold import hold_dense, hold_gains, release_dense
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.lti.systems.time_domain import Continuous, Discrete

__all__ = ["DiscretizationMethod", "discretize", "undiscretize"]

_System = TypeVar("_System", StateSpace, DiagonalStateSpace)

DiscretizationMethod: TypeAlias = Literal["zoh", "bilinear"]
"""How a continuous and a discrete system belong together: see `discretize`."""


def discretize(
    system: _System,
    dt: float,
    *,
    method: DiscretizationMethod = "zoh",
    frequency: float | None = None,
) -> _System:
    r"""Return the discrete system that belongs to a continuous one.

    Parameters
    ----------
    system : StateSpace or DiagonalStateSpace
        Continuous system, stable or not; a diagonal one stays diagonal.
    dt : float
        Sampling period in seconds.
    method : {"zoh", "bilinear"}
        ``"zoh"``: inputs held constant over each period; the outputs agree exactly at
        the samples. ``"bilinear"`` (Tustin): :math:`s = (z - 1) / (h(z + 1))` with
        h = dt / 2; stability, both Gramians, the Hankel singular values and the
        H-infinity norm stay the same, frequencies are bent:
        the discrete response at w dt radians per sample is the continuous one at
        tan(w dt / 2) / h rad/s.
    frequency : float, optional
        For ``"bilinear"``: the frequency w in rad/s, 0 < w < pi / dt, at which both
        responses shall agree exactly: h = tan(w dt / 2) / w. By default they agree at
        frequency 0.

    Returns
    -------
    StateSpace or DiagonalStateSpace
        The system in `Discrete(dt)`, of the kind of `system`.

    Raises
    ------
    InvalidSystemError
        If the system is discrete, an entry is NaN or infinite, or `dt`, `method` or
        `frequency` is out of range.
    IllConditionedError
        If a pole is at 1 / h, the singular point of the bilinear map.

    Notes
    -----
    **Method.** Zero-order hold: the exponential of a block matrix (Van Loan, IEEE
    Trans. Autom. Control 23, 1978, p. 395) on the host. Bilinear: B and C share the
    factor (Glover, Int. J. Control 39, 1984). Poles of diagonal systems are mapped in
    log form, by elementary functions.

    Examples
    --------
    >>> import hankelcut as hc
    >>> plant = hc.StateSpace([[-2.0]], [[1.0]], [[3.0]])
    >>> round(float(hc.discretize(plant, 0.5).A[0, 0]), 12)  # e^(-2 * 0.5)
    0.367879441171
    """
    caller = "discretize"
    require_dense_or_diagonal(caller, system)
    if not isinstance(system.time, Continuous):
        msg = f"{caller}: got a system in {system.time}, need a continuous one"
        raise InvalidSystemError(msg)
    time = Discrete(dt)
    half = _half_step(caller, dt, method, frequency)
    _require_finite(caller, system)
    if isinstance(system, DiagonalStateSpace):
        if method == "bilinear":
            return discrete_diagonal(caller, system, half, time)
        gains = hold_gains(system.exponents, dt)
        B = _array.diagonal_rows(gains, system.B)
        return replace(system, exponents=dt * system.exponents, B=B, time=time)
    if method == "bilinear":
        return discrete_dense(caller, system, half, time)
    A, B = hold_dense(system.A, system.B, dt)
    _array.require_in_range(caller, A=A, B=B)
    return replace(system, A=A, B=B, time=time)


def undiscretize(
    system: _System,
    *,
    method: DiscretizationMethod = "zoh",
    frequency: float | None = None,
) -> _System:
    r"""Return the continuous system of which a discrete one is the discretization.

    Parameters
    ----------
    system : StateSpace or DiagonalStateSpace
        Discrete system, stable or not; a diagonal one stays diagonal.
    method : {"zoh", "bilinear"}
        The method of `discretize` that is undone. Samples do not tell frequencies a
        turn apart: of all continuous systems with the same held samples, ``"zoh"``
        gives the one whose poles satisfy :math:`|\mathrm{Im}\,\lambda| < \pi / dt`.
    frequency : float, optional
        As in `discretize`.

    Returns
    -------
    StateSpace or DiagonalStateSpace
        The system in `Continuous()`, of the kind of `system`.

    Raises
    ------
    InvalidSystemError
        If the system is continuous, an entry is NaN or infinite, or `method` or
        `frequency` is out of range.
    IllConditionedError
        If a pole has no unique counterpart: on the closed negative real axis
        (``"zoh"``) or at -1 (``"bilinear"``); or if the logarithm lost its accuracy.

    Notes
    -----
    **Method.** Zero-order hold: the principal logarithm of a block matrix, on the host,
    in double precision, checked by its exponential.
    """
    caller = "undiscretize"
    require_dense_or_diagonal(caller, system)
    if not isinstance(system.time, Discrete):
        msg = f"{caller}: got a system in {system.time}, need a discrete one"
        raise InvalidSystemError(msg)
    dt = system.time.dt
    half = _half_step(caller, dt, method, frequency)
    _require_finite(caller, system)
    if isinstance(system, DiagonalStateSpace):
        if method == "bilinear":
            return continuous_diagonal(caller, system, half)
        exponents = principal(system.exponents)
        _require_logarithm(caller, exponents)
        B = _array.diagonal_rows(1 / hold_gains(exponents, 1.0), system.B) / dt
        return replace(system, exponents=exponents / dt, B=B, time=Continuous())
    if method == "bilinear":
        return continuous_dense(caller, system, half)
    _require_logarithm(caller, _exponents(system))
    A, B = release_dense(system.A, system.B, dt)
    return replace(system, A=A, B=B, time=Continuous())


def _half_step(
    caller: str, dt: float, method: DiscretizationMethod, frequency: float | None
) -> float:
    """Half step h of the bilinear map, after a check of the arguments."""
    if method not in get_args(DiscretizationMethod):
        msg = f"{caller}: got method={method!r}, need one of "
        raise InvalidSystemError(msg + ", ".join(get_args(DiscretizationMethod)))
    if frequency is None:
        return dt / 2
    if method != "bilinear":
        msg = (
            f'{caller}: got `frequency` with method={method!r}, need method="bilinear"'
        )
        raise InvalidSystemError(msg)
    if not 0 < frequency * dt < math.pi:
        msg = f"{caller}: got frequency={frequency!r} rad/s, need 0 < frequency < pi / "
        raise InvalidSystemError(msg + f"dt = {math.pi / dt:.6g}")
    return math.tan(frequency * dt / 2) / frequency


def _require_finite(caller: str, system: StateSpace | DiagonalStateSpace) -> None:
    first = "A" if isinstance(system, StateSpace) else "exponents"
    fields = {field: getattr(system, field) for field in (first, "B", "C", "D")}
    _array.require_finite(caller, **fields)


def _exponents(system: StateSpace) -> Array:
    """Principal logarithms of the poles, of numerically zero ones that of tiny."""
    xp = _array.namespace(system.A)
    poles = poles_of(system)
    if poles.shape[-1] == 0:
        return poles
    size = xp.max(xp.abs(poles), axis=-1, keepdims=True)
    zero = xp.abs(poles) <= system.n_states * _array.eps(poles) * size
    tiny = float(xp.finfo(_array.real_dtype(poles)).smallest_normal)
    return xp.log(xp.where(zero, xp.full_like(poles, tiny), poles))


def _require_logarithm(caller: str, exponents: Array) -> None:
    """Raise where a pole, given as exponent, is on the closed negative real axis."""
    xp = _array.namespace(exponents)
    limits = xp.finfo(_array.real_dtype(exponents))
    lowest = math.log(float(limits.smallest_normal))
    rounding = 4 * float(limits.eps)
    vanished = xp.real(exponents) <= lowest * (1 - rounding)
    negative = xp.abs(xp.imag(exponents)) >= math.pi * (1 - rounding)
    bad = xp.reshape(vanished | negative, (-1,))
    if not bool(xp.any(bad)):
        return
    position = int(xp.argmax(xp.astype(bad, xp.int64)))
    pole = complex(xp.exp(xp.reshape(exponents, (-1,))[position]))
    item, state = divmod(position, exponents.shape[-1])
    where = f" of batch item {item}" if exponents.ndim > 1 else ""
    msg = (
        f"{caller}: pole {pole:.6g} (state {state}{where}) is on the closed negative "
        "real axis, where no (unique) continuous system has these held samples; "
        'remove it or use method="bilinear"'
    )
    raise IllConditionedError(msg)
