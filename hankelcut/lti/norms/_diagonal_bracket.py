r"""Certified bracket of the H-infinity norm of diagonal systems.

**Method.** Branch and bound on the unit circle. With :math:`z = z_0(1+iq)/(1-iq)`, q
real, the transfer function on an arc around :math:`z_0` is a polynomial
:math:`Y(q) = \sum_k q^k Y_k` up to a remainder bounded by the poles' distances;
then :math:`\|G\| \le \sqrt{\|Y_0\|^2 + \sum_j |q|^j \|H_j\|} + \text{remainder}`
with the coefficients :math:`H_j` of :math:`Y^H Y`, in which rotating phases cancel.
Arcs whose bound exceeds the best evaluation by more than the tolerance are halved.
Continuous systems are mapped to the circle by a Cayley transform, pole by pole.

**Numerical aspects.** Certified up to the rounding of the evaluations, a bound of which
is part of the upper end. No eigenvalue problem, no iteration that can miss a peak.
"""

import math
import warnings
from dataclasses import dataclass

from hankelcut import _array
from hankelcut._errors import NumericalWarning
from hankelcut._typing import Array, Namespace
from hankelcut.lti.gramians._structured_cholesky import displacement
from hankelcut.lti.systems._scaling import magnitude, state_gauge
from hankelcut.lti.systems.conversions import conjugate_closure, detached
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.time_domain import Continuous, Discrete

__all__ = ["bracket_diagonal"]

# Order of the expansion on an arc: remainders fall like (arc / distance)^(order).
_EXPANSION_ORDER = 6
# Beyond this ratio of arc and distance the expansion says nothing, and may overflow.
_WIDEST_RATIO = 1e3
_FIRST_ARCS = 64
# Arcs are evaluated in slices of about this many matrix entries, to bound the memory.
_ENTRIES_PER_SLICE = 2**21
_MAX_EVALUATIONS = 200_000
_ROUNDINGS_PER_TERM = 8.0


@dataclass(frozen=True, eq=False)
class _Circle:
    """One system on the unit circle: poles exp(exponents), gains and feedthrough.

    The gains are divided by `scale`, a power of two, so that none of their squares can
    leave the range; `offset` is the sum of the norms of what was added up in D.
    """

    exponents: Array
    B: Array
    C: Array
    D: Array
    residue_norms: Array
    scale: float
    offset: float


def bracket_diagonal(
    system: DiagonalStateSpace, rtol: float
) -> tuple[Array, Array, Array]:
    """Bracket the H-infinity norm of a stable diagonal system with finite entries.

    Parameters
    ----------
    system : DiagonalStateSpace
        A real readout is taken as the real map it is.
    rtol : float
        Width wanted: upper <= (1 + rtol) lower, rounding apart.

    Returns
    -------
    lower, upper, frequency : (...) arrays
        As in `HinfBracket`, in double precision.

    Warns
    -----
    NumericalWarning
        If the work limit is met first; the bracket is then wider, and still valid.
    """
    system = detached(system)
    symmetric = system.readout != "complex"
    closed = _in_double(conjugate_closure(system) if symmetric else system)
    mapped, scale = _to_circle(closed)
    brackets = [
        _bracket_one(
            _compress(mapped[index], mapped=scale is not None),
            rtol,
            symmetric=symmetric,
        )
        for index in _array.batch_indices(system)
    ]
    lower, upper, frequency = (
        _array.from_list([item[k] for item in brackets], system.batch_shape, mapped.B)
        for k in range(3)
    )
    if scale is not None:
        frequency = scale * _array.namespace(frequency).tan(frequency / 2)
    return lower, upper, frequency


def _in_double(system: DiagonalStateSpace) -> DiagonalStateSpace:
    """Widen a system to double precision, for the range of powers of distances."""
    xp = _array.namespace(system.B)
    fields = (system.exponents, system.B, system.C, system.D)
    exponents, B, C, D = (xp.astype(field, xp.complex128) for field in fields)
    return DiagonalStateSpace(exponents, B, C, D, system.time)


def _to_circle(
    system: DiagonalStateSpace,
) -> tuple[DiagonalStateSpace, Array | None]:
    r"""Cayley transform :math:`s = a(z-1)/(z+1)` of continuous systems."""
    if not isinstance(system.time, Continuous):
        return system, None
    xp = _array.namespace(system.B)
    poles = system.exponents
    scale = _array.to_real(_array.zeros(system.batch_shape, system.B)) + 1
    if system.n_states > 0:
        scale = xp.exp(xp.mean(xp.log(xp.abs(poles)), axis=-1))
    a = xp.astype(scale, poles.dtype)[..., None]
    gain = xp.sqrt(2 * a) / (a - poles)
    inner = system.C @ (system.B / (a - poles)[..., None])
    mapped = DiagonalStateSpace(
        _mapped_exponents(xp, poles / a),
        gain[..., None] * system.B,
        system.C * gain[..., None, :],
        system.D + inner,
        Discrete(),
    )
    return mapped, scale


def _mapped_exponents(xp: Namespace, poles: Array) -> Array:
    """Exponents of (1 + p) / (1 - p), with moduli accurate next to the circle."""
    real, imag = xp.real(poles), xp.imag(poles)
    distance = xp.abs(1 - poles)
    # |1 + p|^2 / |1 - p|^2 = 1 + 4 Re p / |1 - p|^2; a quotient where that cancels.
    shift = 4 * (real / distance) / distance
    near = shift > -0.5
    above = xp.abs(1 + poles)
    tiny = xp.full_like(above, float(xp.finfo(above.dtype).smallest_normal))
    quotient = xp.log(xp.maximum(above, tiny)) - xp.log(distance)
    accurate = xp.log1p(xp.where(near, shift, xp.zeros_like(shift))) / 2
    modulus = xp.where(near, accurate, quotient)
    magnitude = xp.abs(poles)
    angle = xp.atan2(2 * imag / (1 + magnitude), 1 - magnitude)
    return xp.astype(modulus, poles.dtype) + 1j * xp.astype(angle, poles.dtype)


def _compress(system: DiagonalStateSpace, *, mapped: bool) -> _Circle:
    """One system with its gains compressed to at most n rows and columns."""
    xp = _array.namespace(system.B)
    n, (B, C, D, scale) = system.n_states, _scaled(system)
    if not bool(xp.any(D != 0)):
        if B.shape[1] > n:
            B = _array.adjoint(xp.linalg.qr(_array.adjoint(B)).R)
        if C.shape[0] > n:
            C = xp.linalg.qr(C).R
        D = _array.zeros((C.shape[0], B.shape[1]), D)
    norms = xp.linalg.vector_norm(B, axis=1) * xp.linalg.vector_norm(C, axis=0)
    if C.shape[0] < B.shape[1]:
        B, C, D = (xp.matrix_transpose(matrix) for matrix in (C, B, D))
    offset = float(xp.linalg.matrix_norm(D, ord="fro"))
    if mapped:
        # The map adds C diag(1 / (a - p)) B to D: the gains over the distance from -1.
        minus_one = _array.zeros((1,), system.exponents) + 1j * xp.pi
        distance = displacement(system.exponents, minus_one, Discrete())
        offset += float(xp.sum(norms / xp.abs(distance)))
    return _Circle(system.exponents, B, C, D, norms, scale, offset)


def _scaled(system: DiagonalStateSpace) -> tuple[Array, Array, Array, float]:
    """B, C and D with entries of about 1, and the power of two taken out of them."""
    xp = _array.namespace(system.B)
    gauge = _array.to_complex(state_gauge(system.B, system.C))
    B = _array.diagonal_rows(gauge, system.B)
    C = _array.diagonal_columns(system.C, 1 / gauge)
    D = _array.to_complex(system.D)
    b, c, d = (float(magnitude(matrix)) for matrix in (B, C, D))
    B, C = B / b, C / c
    if not bool(xp.any(D != 0)):
        return B, C, D, b * c
    gain = b * c if bool(xp.any(B != 0)) and bool(xp.any(C != 0)) else 0.0
    scale = max(gain, d)
    return B, C * (gain / scale), D / scale, scale


def _bracket_one(
    circle: _Circle, rtol: float, *, symmetric: bool
) -> tuple[float, float, float]:
    """(lower, upper, angle) of one system."""
    xp = _array.namespace(circle.B)
    if circle.B.shape[1] == 0 or circle.C.shape[0] == 0:
        return 0.0, 0.0, 0.0
    angles = _wrap_angle(xp, xp.imag(circle.exponents))
    start = 0.0 if symmetric else -math.pi
    width = (math.pi - start) / _FIRST_ARCS
    steps = _array.to_real(_array.zeros((_FIRST_ARCS,), circle.B)) + 1
    centres = start + (xp.cumulative_sum(steps) - 0.5) * width
    halves = steps * (width / 2)
    lower, angle = 0.0, 0.0
    if angles.shape[0] > 0:
        lower, angle = _best(xp, angles, _evaluate(circle, angles, 0 * angles)[0])
    upper, evaluations = 0.0, 0
    while centres.shape[0] > 0:
        values, bounds, roundings = _evaluate(circle, centres, halves)
        evaluations += int(centres.shape[0])
        best, where = _best(xp, centres, values)
        if best > lower:
            lower, angle = best, where
        floor = xp.maximum(roundings, 0 * roundings + lower)
        open_arcs = bounds - roundings > (1 + rtol) * floor
        closed = xp.where(open_arcs, xp.zeros_like(bounds), bounds)
        upper = max(upper, float(xp.max(closed)))
        if evaluations > _MAX_EVALUATIONS:
            upper = max(upper, float(xp.max(bounds)))
            msg = f"hinf_norm: stopped after {evaluations} evaluations with the "
            shown = ", ".join(f"{circle.scale * end:.6g}" for end in (lower, upper))
            msg += f"bracket [{shown}]; it is valid but wider than rtol={rtol:g}"
            warnings.warn(msg, NumericalWarning, stacklevel=4)
            break
        centres, halves = centres[open_arcs], halves[open_arcs] / 2
        centres = xp.concat([centres - halves, centres + halves])
        halves = xp.concat([halves, halves])
    return circle.scale * lower, circle.scale * max(lower, upper), angle


def _best(xp: Namespace, angles: Array, values: Array) -> tuple[float, float]:
    k = int(xp.argmax(values))
    return float(values[k]), float(angles[k])


def _wrap_angle(xp: Namespace, angles: Array) -> Array:
    return angles - 2 * xp.pi * xp.round(angles / (2 * xp.pi))


def _evaluate(
    circle: _Circle, centres: Array, halves: Array
) -> tuple[Array, Array, Array]:
    """Norms at the centres, bounds on the arcs, and the rounding in both."""
    xp = _array.namespace(circle.B)
    entries = circle.C.shape[0] * circle.B.shape[1] + circle.B.shape[0]
    size = max(1, _ENTRIES_PER_SLICE // (entries * (3 * _EXPANSION_ORDER)))
    count = int(centres.shape[0])
    cuts = [(k, min(k + size, count)) for k in range(0, count, size)]
    parts = [_evaluate_slice(circle, centres[k:end], halves[k:end]) for k, end in cuts]
    values, bounds, roundings = (
        xp.concat([part[k] for part in parts]) for k in range(3)
    )
    return values, bounds, roundings


def _evaluate_slice(
    circle: _Circle, centres: Array, halves: Array
) -> tuple[Array, Array, Array]:
    xp = _array.namespace(circle.B)
    exponents = circle.exponents
    points = 1j * xp.astype(centres, exponents.dtype)[:, None]
    # z0 - lambda = -z0 expm1(l - i t0), and gamma = (z0 + lambda) / (z0 - lambda).
    distance = displacement(exponents[None, :], points, Discrete())
    gamma = (2 - distance) / distance
    # Neighbouring arcs overlap by the rounding of their ends.
    halves = halves + _ROUNDINGS_PER_TERM * _array.eps(circle.B)
    q = xp.tan(halves / 2)
    # Where the expansion diverges by far, only the trivial bound below is of use.
    ratios = q[:, None] * xp.abs(gamma)
    converging = ~xp.any(ratios > _WIDEST_RATIO, axis=-1)
    q = xp.where(converging, q, xp.zeros_like(q))
    coefficients = _coefficients(circle, xp.exp(-points) / distance, gamma, q)
    value = xp.linalg.svdvals(coefficients[0])[..., 0]
    square = value * value
    for j in range(1, 2 * _EXPANSION_ORDER + 1):
        low, high = max(0, j - _EXPANSION_ORDER), min(j, _EXPANSION_ORDER)
        product = sum(
            _array.adjoint(coefficients[k]) @ coefficients[j - k]
            for k in range(low, high + 1)
        )
        square = square + xp.linalg.matrix_norm(product, ord="fro")
    nearest = _arc_distance(circle, centres, halves)
    weights = circle.residue_norms[None, :] / nearest
    ratios = xp.where(converging[:, None], ratios, xp.zeros_like(ratios))
    powers = ratios**_EXPANSION_ORDER
    remainder = xp.hypot(xp.ones_like(q), q) * xp.sum(weights * powers, axis=-1)
    terms = xp.sum(weights, axis=-1) + circle.offset
    bound = xp.where(converging, xp.sqrt(square) + remainder, terms)
    rounding = _ROUNDINGS_PER_TERM * _array.eps(circle.B) * terms
    return value, xp.minimum(bound, terms) + rounding, rounding


def _coefficients(circle: _Circle, gains: Array, gamma: Array, q: Array) -> list[Array]:
    """Terms q^k Y_k of (1 - iq) sum_k q^k C diag(gains (-i gamma)^k) B + D."""
    series = []
    iq = 1j * _array.to_complex(q)[:, None]
    step = -iq * gamma
    for _ in range(_EXPANSION_ORDER):
        series.append(circle.C @ (gains[..., None] * circle.B))
        gains = gains * step
    first = series[0] + circle.D
    iq = iq[:, :, None]
    inner = [series[k] - iq * series[k - 1] for k in range(1, _EXPANSION_ORDER)]
    return [first, *inner, -iq * series[-1]]


def _arc_distance(circle: _Circle, centres: Array, halves: Array) -> Array:
    """Distances from the poles to the arcs."""
    xp = _array.namespace(circle.B)
    real = xp.real(circle.exponents)[None, :]
    angles = xp.imag(circle.exponents)[None, :]
    apart = xp.abs(_wrap_angle(xp, angles - centres[:, None])) - halves[:, None]
    sine = xp.sin(xp.maximum(apart, 0 * apart) / 2)
    return xp.hypot(-xp.expm1(real), 2 * xp.exp(real / 2) * sine)
