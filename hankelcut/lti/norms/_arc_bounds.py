r"""Bounds of the gain of a diagonal system on arcs of the unit circle.

**Method.** With :math:`z = z_0(1+iq)/(1-iq)`, q real, the transfer function on an arc
around :math:`z_0` is a polynomial :math:`Y(q) = \sum_k q^k Y_k` up to a remainder
bounded by the poles' distances. Most arcs are settled by the norms of the terms. Where
they say too little,
:math:`\|G\| \le \sqrt{\|Y_0\|^2 + \sum_j |q|^j \|H_j\|} + \text{remainder}`
with the coefficients :math:`H_j` of :math:`Y^H Y`, in which rotating phases cancel.
With :math:`\gamma = (z_0 + \lambda)/(z_0 - \lambda)` the distance of a pole is
:math:`1 - \lambda/z = (1 - \lambda/z_0)(1 + iq\gamma)/(1 + iq)`, and
:math:`|1 + iq\gamma|` is at least :math:`1 - |q\gamma|` and
:math:`\mathrm{Re}\,\gamma/|\gamma|`.
"""

from hankelcut import _array
from hankelcut._typing import Array, Namespace
from hankelcut.lti.norms._circle import Circle
from hankelcut.lti.norms._spectral_norms import spectral_norms

__all__ = ["ROUNDINGS", "arc_bounds", "gains_at"]

# Order of the expansion on an arc: remainders fall like (arc / distance)^(order).
_EXPANSION_ORDER = 6
# Beyond this ratio of arc and distance the expansion says nothing, and may overflow.
_WIDEST_RATIO = 1e3
# Arcs are evaluated in slices of about so many matrix entries, to bound the memory, and
# their poles, in the host's memory, in chunks of so many, to stay in the cache.
_ENTRIES_PER_SLICE = 2**21
_ENTRIES_PER_CHUNK = 2**13
# Roundings of a term of the response, and for each term of the sum of their products.
ROUNDINGS = 8.0
_ROUNDINGS_OF_SUM = 1.5


def gains_at(circle: Circle, points: Array) -> Array:
    """Norms of the response at single points, (F,).

    Parameters
    ----------
    circle : Circle
        The system.
    points : (F,) array
        The points.
    """
    xp, parts = circle.xp, []
    for cut in _cuts(int(points.shape[0]), _ENTRIES_PER_SLICE, _entries(circle)):
        turn, reciprocals = circle.poles.reciprocals(points[cut])
        parts.append(circle.response(turn * reciprocals))
    return spectral_norms(xp.concat(parts) + circle.D)


def arc_bounds(
    circle: Circle, centres: Array, halves: Array, enough: float
) -> tuple[Array, Array, Array]:
    """Norms at the centres of arcs, bounds on the arcs, and the rounding in both.

    Parameters
    ----------
    circle : Circle
        The system.
    centres, halves : (F,) arrays
        The arcs: centre - half to centre + half.
    enough : float
        Bounds below this number need not be sharp.
    """
    size = 3 * _EXPANSION_ORDER * _entries(circle)
    parts = [
        _bounds_of_slice(circle, centres[cut], halves[cut], enough)
        for cut in _cuts(int(centres.shape[0]), _ENTRIES_PER_SLICE, size)
    ]
    values, bounds, roundings = _joined(circle.xp, parts)
    return values, bounds, roundings


def _entries(circle: Circle) -> int:
    p, m = circle.D.shape
    return int(p * m + circle.B.shape[0])


def _cuts(count: int, entries: int, size: int) -> list[slice]:
    """Slices of so many items of a size that their entries are about so many."""
    step = max(1, entries // max(size, 1))
    return [slice(k, min(k + step, count)) for k in range(0, count, step)]


def _joined(xp: Namespace, parts: list[tuple[Array, ...]]) -> tuple[Array, ...]:
    if len(parts) == 1:
        return parts[0]
    return tuple(xp.concat(list(arrays)) for arrays in zip(*parts, strict=True))


def _bounds_of_slice(
    circle: Circle, centres: Array, halves: Array, enough: float
) -> tuple[Array, Array, Array]:
    xp, eps = circle.xp, _array.eps(circle.B)
    # Neighbouring arcs overlap by the rounding of their ends and centres.
    q = xp.tan((halves + ROUNDINGS * eps) / 2)
    entries = _ENTRIES_PER_CHUNK if _array.on_host(q) else _ENTRIES_PER_SLICE
    cuts = _cuts(int(q.shape[0]), entries, circle.B.shape[0])
    chunks = [_expansion(circle, centres[cut], q[cut], eps) for cut in cuts]
    coefficients, sizes, remainders, converging = _joined(xp, chunks)
    value = spectral_norms(coefficients[:, 0, ...])
    stretch = xp.hypot(xp.ones_like(q), q)
    terms, remainders = stretch * sizes + circle.offset, stretch * remainders
    norms = _norms_of_terms(xp, coefficients)
    bound = value + xp.sum(norms[:, 1:], axis=-1)
    vague = bound + remainders > enough
    if bool(xp.any(vague)):
        few = xp.nonzero(vague)[0]
        rest = _sum_of_products(
            xp, xp.take(coefficients, few, axis=0), xp.take(norms, few, axis=0)
        )
        sharp = xp.sqrt(xp.take(value, few) ** 2 + rest)
        place = xp.cumulative_sum(xp.astype(vague, xp.int64)) - 1
        sharp = xp.take(sharp, xp.where(vague, place, xp.zeros_like(place)))
        bound = xp.where(vague, xp.minimum(sharp, bound), bound)
    bound = xp.where(converging, bound + remainders, terms)
    n_roundings = ROUNDINGS + _ROUNDINGS_OF_SUM * circle.B.shape[0]
    rounding = n_roundings * eps * terms
    bound = xp.minimum(bound, terms) + rounding
    # What overflows bounds nothing.
    bound = xp.where(xp.isnan(bound), xp.full_like(bound, xp.inf), bound)
    return value, bound, rounding


def _expansion(
    circle: Circle, centres: Array, q: Array, eps: float
) -> tuple[Array, Array, Array, Array]:
    """Terms q^k Y_k on arcs, with D, and bounds without the factor (1 + q^2)^(1/2).

    Returns
    -------
    coefficients : (F, k, p, m) array
        Of the polynomial; those of a constant where it says nothing.
    sizes, remainders : (F,) arrays
        Bounds of the sum of the norms of the terms of all poles, and of the remainder.
    converging : (F,) bool array
        Where the polynomial may say something.
    """
    xp = circle.xp
    turn, reciprocals = circle.poles.reciprocals(circle.poles.points(centres))
    gamma = 2 * reciprocals - 1
    magnitudes, moduli = xp.abs(reciprocals), xp.abs(gamma)
    ratios = q[:, None] * moduli
    converging = xp.all(ratios <= _WIDEST_RATIO, axis=-1)
    # Re gamma / |gamma| is at most 1, whatever rounding leaves of a small gamma.
    closest = circle.margins * magnitudes * (magnitudes / moduli)
    closest = xp.minimum(closest, xp.ones_like(circle.margins))
    clear = xp.maximum((1 - ROUNDINGS * eps) - ratios, closest)
    weights = circle.residue_norms * magnitudes / clear
    sizes = xp.sum(weights, axis=-1)
    q = xp.where(converging, q, xp.zeros_like(q))
    rest = weights
    for _ in range(_EXPANSION_ORDER):
        rest = rest * ratios
    remainders = xp.sum(rest, axis=-1)
    coefficients = _coefficients(circle, turn * reciprocals, gamma, q)
    return coefficients, sizes, remainders, converging


def _coefficients(circle: Circle, gains: Array, gamma: Array, q: Array) -> Array:
    """Terms q^k Y_k of (1 - iq) sum_k q^k C diag(gains (-i gamma)^k) B + D, stacked."""
    xp = circle.xp
    iq = 1j * _array.to_complex(q)[:, None]
    step = -iq * gamma
    series = [circle.response(gains)]
    for _ in range(_EXPANSION_ORDER - 1):
        gains = gains * step
        series.append(circle.response(gains))
    terms = xp.stack(series, axis=1)
    nothing = xp.zeros_like(terms[:, :1, ...])
    value, others = terms[:, :1, ...] + circle.D, terms[:, 1:, ...]
    first = xp.concat([value, others, nothing], axis=1)
    return first - iq[:, :, None, None] * xp.concat([nothing, terms], axis=1)


def _norms_of_terms(xp: Namespace, coefficients: Array) -> Array:
    """Frobenius norms of the terms, (F, k)."""
    count, length, p, m = coefficients.shape
    flat = xp.reshape(coefficients, (count, length, p * m))
    return xp.linalg.vector_norm(flat, axis=-1)


def _sum_of_products(xp: Namespace, coefficients: Array, norms: Array) -> Array:
    """Bound of the sum over j > 0 of the norms of H_j, the coefficients of Y^H Y.

    Those of the first half by the products; the others, whose terms cancel little, by
    the products of the norms.
    """
    count, length, p, m = coefficients.shape
    tails = xp.cumulative_sum(xp.flip(norms, axis=1), axis=1)
    total = xp.vecdot(norms[:, 1:], tails[:, :-1])
    # All products in one: Y_0, ..., Y_k over each other, times a block Toeplitz matrix.
    padded = xp.concat([xp.zeros_like(coefficients[:, 1:, ...]), coefficients], axis=1)
    columns = [padded[:, j : j + length, ...] for j in range(1, length)]
    shape = count, length * p, (length - 1) * m
    toeplitz = xp.reshape(xp.stack(columns, axis=3), shape)
    backwards = xp.reshape(xp.flip(coefficients, axis=1), (count, length * p, m))
    products = xp.conj(xp.matrix_transpose(backwards)) @ toeplitz
    products = xp.reshape(products, (count, m, length - 1, m))
    return total + xp.sum(xp.linalg.vector_norm(products, axis=(1, 3)), axis=-1)
