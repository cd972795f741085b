"""Stability of a system, with the offending pole named."""

from typing import Any

from hankelcut import _array
from hankelcut._errors import UnstableSystemError
from hankelcut._typing import Array
from hankelcut.lti.systems._kinds import require_dense_or_diagonal
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.lti.systems.time_domain import Continuous

__all__ = [
    "is_stable",
    "pole_margins",
    "poles_of",
    "require_stable",
    "stability_margin",
]


def stability_margin(system: StateSpace | DiagonalStateSpace) -> Array:
    r"""Distance of the poles from the stability boundary, per batch item.

    Parameters
    ----------
    system : StateSpace or DiagonalStateSpace
        The system, with n >= 0 states.

    Returns
    -------
    margin : (...) array
        Continuous: :math:`\min(-\mathrm{Re}\,\lambda)` in rad/s. Discrete:
        :math:`\min(1 - |\lambda|)`. Infinite without states, negative when unstable.

    Raises
    ------
    InvalidSystemError
        If A of a dense system has NaN or infinite entries.
    """
    require_dense_or_diagonal("stability_margin", system)
    if isinstance(system, StateSpace):
        _array.require_finite("stability_margin", A=system.A)
    return _minimum(pole_margins(system))


def is_stable(system: StateSpace | DiagonalStateSpace) -> Array:
    """Whether every pole is strictly inside the stability region, per batch item."""
    return stability_margin(system) > 0


def require_stable(caller: str, system: StateSpace | DiagonalStateSpace) -> None:
    """Raise `UnstableSystemError` naming the worst pole and its batch index.

    Raises
    ------
    UnstableSystemError
        If a pole lies on or outside the stability boundary.
    """
    margins = _array.detach(pole_margins(system))
    xp = _array.namespace(margins)
    if bool(xp.all(margins > 0)):
        return
    flat = xp.reshape(margins, (-1,))
    position = int(xp.argmin(flat))
    item, state = divmod(position, system.n_states)
    continuous = isinstance(system.time, Continuous)
    pole = _flat_pole(system, position)
    where = f" of batch item {item}" if system.batch_shape else ""
    shown = (
        f"Re(pole) = {-float(flat[position]):.3g} rad/s, need Re(pole) < 0"
        if continuous
        else f"1 - abs(pole) = {float(flat[position]):.3g}, need abs(pole) < 1"
    )
    msg = (
        f"{caller}: pole {pole:.6g} (state {state}{where}) is not stable: {shown}; "
        "remove or stabilise that state first"
    )
    raise UnstableSystemError(msg)


def pole_margins(system: StateSpace | DiagonalStateSpace) -> Array:
    """Distance of each pole from the stability boundary, (..., n), without rounding.

    Parameters
    ----------
    system : StateSpace or DiagonalStateSpace
        The system; exponents of a diagonal one keep margins below 1e-16 exact.
    """
    if isinstance(system, DiagonalStateSpace):
        xp = _array.namespace(system.exponents)
        real = xp.real(system.exponents)
        if isinstance(system.time, Continuous):
            return -real
        return -xp.expm1(real)
    poles = poles_of(system)
    xp = _array.namespace(poles)
    if isinstance(system.time, Continuous):
        return -xp.real(poles)
    return 1.0 - xp.abs(poles)


def poles_of(system: StateSpace | DiagonalStateSpace) -> Array:
    """Poles of a system, (..., n) complex; of a diagonal one, those that it stores.

    Parameters
    ----------
    system : StateSpace or DiagonalStateSpace
        The system.
    """
    if isinstance(system, DiagonalStateSpace):
        return system.poles
    return _array.namespace(system.A).linalg.eigvals(system.A)


def _flat_pole(system: StateSpace | DiagonalStateSpace, position: int) -> complex:
    poles = _array.detach(poles_of(system))
    xp = _array.namespace(poles)
    return complex(xp.reshape(poles, (-1,))[position])


def _minimum(margins: Array) -> Any:
    xp = _array.namespace(margins)
    if margins.shape[-1] == 0:
        return xp.full(margins.shape[:-1], xp.inf, dtype=margins.dtype)
    return xp.min(margins, axis=-1)
