r"""The bilinear map :math:`s = (z - 1) / (h (z + 1))` between continuous and discrete.

**Method.** With the half step h: :math:`A_d = (I - hA)^{-1}(I + hA)`,
:math:`B_d = \sqrt{2h}\,(I - hA)^{-1}B`, :math:`C_d = \sqrt{2h}\,C(I - hA)^{-1}`,
:math:`D_d = D + h\,C(I - hA)^{-1}B`; back: :math:`A = (A_d + I)^{-1}(A_d - I) / h`,
:math:`B = \sqrt{2/h}\,(A_d + I)^{-1}B_d`, :math:`C = \sqrt{2/h}\,C_d(A_d + I)^{-1}`,
:math:`D = D_d - C_d(A_d + I)^{-1}B_d` (Glover, Int. J. Control 39, 1984). Sharing the
factor between B and C leaves both Gramians as they are.

**Numerical aspects.** The poles of diagonal systems are mapped in log form, so that
:math:`-\mathrm{Re}\,\lambda` and :math:`1 - |\lambda|` keep their digits.
"""

from dataclasses import replace

from hankelcut import _array
from hankelcut._errors import IllConditionedError
from hankelcut._typing import Array
from hankelcut.lti.structure.stability import poles_of
from hankelcut.lti.systems._complex_functions import complex_from_parts
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.lti.systems.time_domain import Continuous, Discrete

__all__ = [
    "continuous_dense",
    "continuous_diagonal",
    "discrete_dense",
    "discrete_diagonal",
    "exponents_of_points",
    "points_of_exponents",
]

# A defective pole at the singular point is computed up to eps^(1/k) beside it.
_CLOSE_IF_SINGULAR = 0.1


def discrete_dense(
    caller: str, system: StateSpace, half: float, time: Discrete
) -> StateSpace:
    """Map a continuous dense system with a half step of `half` seconds."""
    identity = _array.eye(system.n_states, system.A)
    pencil = identity - half * system.A
    _require_regular(caller, pencil, poles_of(system), 1 / half)
    solved, C = _solved(system, pencil, identity + half * system.A)
    A, B = solved[..., : system.n_states], solved[..., system.n_states :]
    root = (2 * half) ** 0.5
    D = system.D + half * (system.C @ B)
    return replace(system, A=A, B=root * B, C=root * C, D=D, time=time)


def continuous_dense(caller: str, system: StateSpace, half: float) -> StateSpace:
    """Map a discrete dense system back."""
    identity = _array.eye(system.n_states, system.A)
    pencil = identity + system.A
    _require_regular(caller, pencil, poles_of(system), -1.0)
    solved, C = _solved(system, pencil, system.A - identity)
    A, B = solved[..., : system.n_states] / half, solved[..., system.n_states :]
    root = (2 / half) ** 0.5
    D = system.D - system.C @ B
    return replace(system, A=A, B=root * B, C=root * C, D=D, time=Continuous())


def _solved(system: StateSpace, pencil: Array, numerator: Array) -> tuple[Array, Array]:
    """E^-1 [N, B] and C E^-1 of a pencil E and a numerator N."""
    xp = _array.namespace(pencil)
    right = xp.concat([numerator, system.B], axis=-1)
    left = xp.linalg.solve(_array.adjoint(pencil), _array.adjoint(system.C))
    return xp.linalg.solve(pencil, right), _array.adjoint(left)


def _require_regular(caller: str, pencil: Array, poles: Array, point: float) -> None:
    """Raise where a pole is at the singular point, to half of the digits."""
    if 0 in poles.shape:
        return
    xp = _array.namespace(pencil)
    singular = xp.linalg.svdvals(_array.detach(pencil))
    eps = _array.eps(pencil)
    lost = singular[..., -1] <= pencil.shape[-1] * eps * singular[..., 0]
    close = xp.full_like(singular[..., 0], _CLOSE_IF_SINGULAR)
    limit = xp.where(lost, close, xp.full_like(close, eps**0.5))
    _require_apart(caller, poles, point, limit)


def _require_apart(
    caller: str, poles: Array, point: float, limit: Array | float
) -> None:
    """Raise unless all poles keep a relative distance of a limit from a point."""
    xp = _array.namespace(poles)
    if 0 in poles.shape:
        return
    distances = xp.abs(poles - point) / (xp.abs(poles) + abs(point))
    nearest = xp.min(distances, axis=-1)
    if bool(xp.all(nearest > limit)):
        return
    position = int(xp.argmin(xp.reshape(distances, (-1,))))
    pole = complex(xp.reshape(poles, (-1,))[position])
    item, state = divmod(position, poles.shape[-1])
    where = f" of batch item {item}" if poles.ndim > 1 else ""
    msg = (
        f"{caller}: pole {pole:.6g} (state {state}{where}) is at the singular point "
        f"{point:.6g} of the bilinear map, need more than half of the digits between "
        'them; use method="zoh" or another step'
    )
    raise IllConditionedError(msg)


def discrete_diagonal(
    caller: str, system: DiagonalStateSpace, half: float, time: Discrete
) -> DiagonalStateSpace:
    """Map a continuous diagonal system, its poles straight to log form."""
    _require_apart(caller, system.exponents, 1 / half, _array.eps(system.B) ** 0.5)
    point = half * system.exponents
    exponents = exponents_of_points(point)
    gains = 1 / (1 - point)
    change = half * _read(system, gains)
    return _rescaled(system, exponents, (2 * half) ** 0.5 * gains, change, time)


def continuous_diagonal(
    caller: str, system: DiagonalStateSpace, half: float
) -> DiagonalStateSpace:
    """Map a discrete diagonal system back, its poles straight from log form."""
    _require_apart(caller, system.poles, -1.0, _array.eps(system.B) ** 0.5)
    poles = points_of_exponents(system.exponents) / half
    gains = 1 / (1 + system.poles)
    change = -_read(system, gains)
    return _rescaled(system, poles, (2 / half) ** 0.5 * gains, change, Continuous())


def exponents_of_points(points: Array) -> Array:
    """Discrete poles in log form, log((1 + x) / (1 - x)), of points x = h lambda.

    Parameters
    ----------
    points : (..., n) complex array
        Half a step times the continuous poles; none of them 1.
    """
    xp = _array.namespace(points)
    x, y = xp.real(points), xp.imag(points)
    distance = xp.abs(1 - points)
    # |(1 + point) / (1 - point)|^2 = 1 + 4 x / |1 - point|^2, without overflow.
    excess = 4 * (x / distance) / distance
    small = excess < -0.5
    tiny = float(xp.finfo(x.dtype).smallest_normal)
    ratio = xp.where(small, xp.abs(1 + points) / distance, xp.ones_like(x))
    ratio = xp.where(ratio < tiny, xp.full_like(x, tiny), ratio)
    near = xp.log1p(xp.where(small, xp.zeros_like(x), excess)) / 2
    decay = xp.where(small, xp.log(ratio), near)
    return complex_from_parts(decay, xp.atan2(y, 1 + x) + xp.atan2(y, 1 - x))


def points_of_exponents(exponents: Array) -> Array:
    """Half a step times the continuous poles, tanh(l / 2), of discrete exponents l.

    Parameters
    ----------
    exponents : (..., n) complex array
        Discrete poles in log form; none of them -1.
    """
    xp = _array.namespace(exponents)
    # tanh(l / 2) = (sinh u + i sin v) / (cosh u + cos v), times 2 exp(-|u|) twice.
    u, v = xp.real(exponents), xp.imag(exponents)
    shrunk = xp.exp(-xp.abs(u))
    below = xp.expm1(-xp.abs(u)) ** 2 + 4 * shrunk * xp.cos(v / 2) ** 2
    real = -xp.sign(u) * xp.expm1(-2 * xp.abs(u)) / below
    return complex_from_parts(real, 2 * shrunk * xp.sin(v) / below)


def _read(system: DiagonalStateSpace, gains: Array) -> Array:
    """C diag(gains) B as the readout shows it."""
    xp = _array.namespace(system.B)
    through = system.C @ _array.diagonal_rows(gains, system.B)
    if system.readout == "complex":
        return through
    return 2 * system.readout_gain * xp.real(through)


def _rescaled(
    system: DiagonalStateSpace,
    exponents: Array,
    gains: Array,
    change: Array,
    time: Continuous | Discrete,
) -> DiagonalStateSpace:
    return replace(
        system,
        exponents=exponents,
        B=_array.diagonal_rows(gains, system.B),
        C=_array.diagonal_columns(system.C, gains),
        D=system.D + change,
        time=time,
    )
