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
from dataclasses import dataclass, replace

from hankelcut import _array
from hankelcut._errors import NumericalWarning
from hankelcut._typing import Array, Namespace
from hankelcut.lti.gramians._structured_cholesky import displacement
from hankelcut.lti.systems._complex_functions import complex_from_parts
from hankelcut.lti.systems._scaling import magnitude, state_gauge
from hankelcut.lti.systems.conversions import conjugate_closure, detached
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.time_domain import Continuous, Discrete

__all__ = ["DiagonalBracket", "bracket_diagonal", "bracket_on_circle"]

# Order of the expansion on an arc: remainders fall like (arc / distance)^(order).
_EXPANSION_ORDER = 6
# Beyond this ratio of arc and distance the expansion says nothing, and may overflow.
_WIDEST_RATIO = 1e3
_FIRST_ARCS = 64
# Arcs are evaluated in slices of about this many matrix entries, to bound the memory.
_ENTRIES_PER_SLICE = 2**21
# Up to so many entries all residues are kept: one matrix product serves all arcs.
_MOST_RESIDUES = 2**18
_MAX_EVALUATIONS = 200_000
# Parts of an arc whose bound is too large; halves take fewer evaluations, more rounds.
_PARTS = 4
_ROUNDINGS_PER_TERM = 8.0


@dataclass(frozen=True, eq=False)
class _Circle:
    """One system on the unit circle: poles exp(exponents), gains and feedthrough.

    The gains are divided by `scale`, a power of two, so that none of their squares can
    leave the range; `offset` is the sum of the norms of what was added up in D.
    `residues` are the products of the columns of C and the rows of B, (n, p m), where
    they are few.
    """

    exponents: Array
    B: Array
    C: Array
    D: Array
    residue_norms: Array
    scale: float
    offset: float
    residues: Array | None


@dataclass(frozen=True)
class DiagonalBracket:
    """Bracket of one norm.

    Parameters
    ----------
    lower, upper, frequency : float
        As in `HinfBracket`.
    finished : bool
        Whether the width was met before the work limit.
    evaluations : int
        Number of arcs evaluated.
    """

    lower: float
    upper: float
    frequency: float
    finished: bool
    evaluations: int


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
    found = [
        bracket_on_circle(closed[index], rtol, _MAX_EVALUATIONS, symmetric=symmetric)
        for index in _array.batch_indices(system)
    ]
    for item in found:
        if not item.finished:
            msg = f"hinf_norm: stopped after {item.evaluations} evaluations with the "
            msg += f"bracket [{item.lower:.6g}, {item.upper:.6g}]; it is valid but "
            msg += f"wider than rtol={rtol:g}"
            warnings.warn(msg, NumericalWarning, stacklevel=3)
    lower, upper, frequency = (
        _array.from_list(values, system.batch_shape, closed.B)
        for values in (
            [item.lower for item in found],
            [item.upper for item in found],
            [item.frequency for item in found],
        )
    )
    return lower, upper, frequency


def bracket_on_circle(
    system: DiagonalStateSpace, rtol: float, most_evaluations: int, *, symmetric: bool
) -> DiagonalBracket:
    """Bracket the H-infinity norm of one diagonal system in double precision.

    Parameters
    ----------
    system : DiagonalStateSpace
        Stable, with complex readout and finite entries.
    rtol : float
        Width wanted: upper <= (1 + rtol) lower, rounding apart.
    most_evaluations : int
        The work limit.
    symmetric : bool
        Whether the gains at negative frequencies are those at positive ones, which
        alone are then searched.
    """
    if min(system.n_inputs, system.n_outputs) == 0:
        return DiagonalBracket(0.0, 0.0, 0.0, True, 0)
    mapped, scale = _to_circle(system)
    circle = _compress(mapped, mapped=scale is not None)
    found = _bracket_one(circle, rtol, most_evaluations, symmetric=symmetric)
    if scale is None:
        return found
    return replace(found, frequency=scale * math.tan(found.frequency / 2))


def _in_double(system: DiagonalStateSpace) -> DiagonalStateSpace:
    """Widen a system to double precision, for the range of powers of distances."""
    xp = _array.namespace(system.B)
    fields = (system.exponents, system.B, system.C, system.D)
    exponents, B, C, D = (xp.astype(field, xp.complex128) for field in fields)
    return DiagonalStateSpace(exponents, B, C, D, system.time)


def _to_circle(
    system: DiagonalStateSpace,
) -> tuple[DiagonalStateSpace, float | None]:
    r"""Cayley transform :math:`s = a(z-1)/(z+1)` of a continuous system."""
    if not isinstance(system.time, Continuous):
        return system, None
    xp, poles, a = _array.namespace(system.B), system.exponents, 1.0
    if system.n_states > 0:
        a = float(xp.exp(xp.mean(xp.log(xp.abs(poles)))))
    away = a - poles
    gain = math.sqrt(2 * a) / away
    mapped = DiagonalStateSpace(
        _mapped_exponents(xp, poles / a),
        _array.diagonal_rows(gain, system.B),
        _array.diagonal_columns(system.C, gain),
        system.D + system.C @ _array.diagonal_rows(1 / away, system.B),
        Discrete(),
    )
    return mapped, a


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
    residues = None
    if n * C.shape[0] * B.shape[1] <= _MOST_RESIDUES:
        products = xp.matrix_transpose(C)[:, :, None] * B[:, None, :]
        residues = xp.reshape(products, (n, C.shape[0] * B.shape[1]))
    return _Circle(system.exponents, B, C, D, norms, scale, offset, residues)


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
    circle: _Circle, rtol: float, most_evaluations: int, *, symmetric: bool
) -> DiagonalBracket:
    """Bracket one system; its frequency is an angle."""
    xp = _array.namespace(circle.B)
    angles = _wrap_angle(xp, xp.imag(circle.exponents))
    start = 0.0 if symmetric else -math.pi
    width = (math.pi - start) / _FIRST_ARCS
    steps = _array.to_real(_array.zeros((_FIRST_ARCS,), circle.B)) + 1
    centres = start + (xp.cumulative_sum(steps) - 0.5) * width
    halves = steps * (width / 2)
    lower, angle = 0.0, 0.0
    if angles.shape[0] > 0:
        lower, angle = _best(xp, angles, _gains(circle, angles))
    upper, evaluations = 0.0, 0
    while centres.shape[0] > 0 and evaluations <= most_evaluations:
        values, bounds, roundings = _evaluate(circle, centres, halves)
        evaluations += int(centres.shape[0])
        best, where = _best(xp, centres, values)
        if best > lower:
            lower, angle = best, where
        floor = xp.maximum(roundings, 0 * roundings + lower)
        open_arcs = bounds - roundings > (1 + rtol) * floor
        left = float(xp.max(bounds))
        upper = max(upper, float(xp.max(xp.where(open_arcs, 0 * bounds, bounds))))
        centres, halves = centres[open_arcs], halves[open_arcs] / _PARTS
        offsets = [(2 * k + 1 - _PARTS) * halves for k in range(_PARTS)]
        centres = xp.concat([centres + offset for offset in offsets])
        halves = xp.concat([halves] * _PARTS)
    finished = centres.shape[0] == 0
    upper = circle.scale * max(lower, upper, 0.0 if finished else left)
    return DiagonalBracket(circle.scale * lower, upper, angle, finished, evaluations)


def _gains(circle: _Circle, angles: Array) -> Array:
    """Norms at single points."""
    xp = _array.namespace(circle.B)
    turns = xp.exp(-1j * _array.to_complex(angles))[:, None]
    parts = [
        _response(circle, turns[cut, :] / _distances(circle, angles[cut]))
        for cut in _slices(circle, int(angles.shape[0]), 1)
    ]
    return xp.linalg.svdvals(xp.concat(parts) + circle.D)[..., 0]


def _response(circle: _Circle, gains: Array) -> Array:
    """Return C diag(gains) B for each row of gains."""
    xp = _array.namespace(gains)
    if circle.residues is None:
        return circle.C @ (gains[..., None] * circle.B)
    return xp.reshape(gains @ circle.residues, (gains.shape[0], *circle.D.shape))


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
    parts = [
        _evaluate_slice(circle, centres[cut], halves[cut])
        for cut in _slices(circle, int(centres.shape[0]), 3 * _EXPANSION_ORDER)
    ]
    values, bounds, roundings = (
        xp.concat([part[k] for part in parts]) for k in range(3)
    )
    return values, bounds, roundings


def _slices(circle: _Circle, count: int, terms: int) -> list[slice]:
    """Slices of so many arcs that their terms fit into the memory."""
    entries = circle.C.shape[0] * circle.B.shape[1] + circle.B.shape[0]
    size = max(1, _ENTRIES_PER_SLICE // (entries * terms))
    return [slice(k, min(k + size, count)) for k in range(0, count, size)]


def _evaluate_slice(
    circle: _Circle, centres: Array, halves: Array
) -> tuple[Array, Array, Array]:
    xp = _array.namespace(circle.B)
    inverse = 1 / _distances(circle, centres)
    # gamma = (z0 + lambda) / (z0 - lambda).
    gamma = 2 * inverse - 1
    # Neighbouring arcs overlap by the rounding of their ends.
    halves = halves + _ROUNDINGS_PER_TERM * _array.eps(circle.B)
    q = xp.tan(halves / 2)
    # Where the expansion diverges by far, only the trivial bound below is of use.
    ratios = q[:, None] * xp.abs(gamma)
    converging = ~xp.any(ratios > _WIDEST_RATIO, axis=-1)
    q = xp.where(converging, q, xp.zeros_like(q))
    turn = xp.exp(-1j * _array.to_complex(centres))[:, None]
    coefficients = _coefficients(circle, turn * inverse, gamma, q)
    value = xp.linalg.svdvals(coefficients[:, 0, ...])[..., 0]
    square = value * value + _sum_of_products(coefficients)
    nearest = _arc_distance(circle, centres, halves)
    weights = circle.residue_norms[None, :] / nearest
    ratios = xp.where(converging[:, None], ratios, xp.zeros_like(ratios))
    terms = xp.sum(weights, axis=-1) + circle.offset
    # Products are ten times faster than a power.
    for _ in range(_EXPANSION_ORDER):
        weights = weights * ratios
    remainder = xp.hypot(xp.ones_like(q), q) * xp.sum(weights, axis=-1)
    bound = xp.where(converging, xp.sqrt(square) + remainder, terms)
    rounding = _ROUNDINGS_PER_TERM * _array.eps(circle.B) * terms
    return value, xp.minimum(bound, terms) + rounding, rounding


def _distances(circle: _Circle, angles: Array) -> Array:
    """Factors 1 - lambda / z of the distances of all poles from points z, (F, n)."""
    xp = _array.namespace(angles)
    real = xp.real(circle.exponents)[None, :]
    half = (xp.imag(circle.exponents)[None, :] - angles[:, None]) / 2
    modulus, sine = xp.exp(real), xp.sin(half)
    # Of two numbers of one sign, without cancellation.
    across = 2 * modulus * sine * sine - xp.expm1(real)
    return complex_from_parts(across, -2 * modulus * sine * xp.cos(half))


def _coefficients(circle: _Circle, gains: Array, gamma: Array, q: Array) -> Array:
    """Terms q^k Y_k of (1 - iq) sum_k q^k C diag(gains (-i gamma)^k) B + D, stacked."""
    xp = _array.namespace(gains)
    iq = 1j * _array.to_complex(q)[:, None]
    step = -iq * gamma
    series = [_response(circle, gains)]
    for _ in range(_EXPANSION_ORDER - 1):
        gains = gains * step
        series.append(_response(circle, gains))
    iq = iq[:, :, None]
    first = series[0] + circle.D
    inner = [series[k] - iq * series[k - 1] for k in range(1, _EXPANSION_ORDER)]
    return xp.stack([first, *inner, -iq * series[-1]], axis=1)


def _sum_of_products(coefficients: Array) -> Array:
    """Bound of the sum over j > 0 of the norms of H_j, the coefficients of Y^H Y.

    Those of the first half by the products; the others, whose terms cancel little, by
    the products of the norms.
    """
    xp = _array.namespace(coefficients)
    count, length, p, m = coefficients.shape
    norms = xp.linalg.matrix_norm(coefficients, ord="fro")
    total = _array.to_real(_array.zeros((count,), coefficients))
    for k in range(1, length):
        total = total + norms[:, k] * xp.sum(norms[:, length - k :], axis=-1)
    adjoint = xp.conj(coefficients)
    backwards = xp.flip(coefficients, axis=1)
    for j in range(1, length):
        # Y_0, ..., Y_j over each other, and Y_j, ..., Y_0.
        shape = (count, (j + 1) * p, m)
        first = xp.reshape(adjoint[:, : j + 1, ...], shape)
        second = xp.reshape(backwards[:, length - 1 - j :, ...], shape)
        product = xp.matrix_transpose(first) @ second
        total = total + xp.linalg.matrix_norm(product, ord="fro")
    return total


def _arc_distance(circle: _Circle, centres: Array, halves: Array) -> Array:
    """Distances from the poles to the arcs."""
    xp = _array.namespace(circle.B)
    real = xp.real(circle.exponents)[None, :]
    angles = xp.imag(circle.exponents)[None, :]
    apart = xp.abs(_wrap_angle(xp, angles - centres[:, None])) - halves[:, None]
    sine = xp.sin(xp.maximum(apart, 0 * apart) / 2)
    return xp.hypot(-xp.expm1(real), 2 * xp.exp(real / 2) * sine)
