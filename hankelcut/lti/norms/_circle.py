r"""A diagonal system on the unit circle, and the distances of its poles.

Every distance is right to its own size. That of a point :math:`z = (1 + iw)/(1 - iw)`
from a pole :math:`\lambda = (1 + p)/(1 - p)`, p in the left half-plane, is

.. math::
    1 - \lambda/z = 2\,(iw - p) / ((1 - p)(1 + iw)).

Continuous systems are mapped to the circle by :math:`s = a(z - 1)/(z + 1)`, a the power
of two next to the size of the poles: w and p are frequencies and poles over a, without
rounding. Discrete poles are held by their exponents, and points by their angles.
"""

import math
from dataclasses import dataclass

from hankelcut import _array
from hankelcut._typing import Array, Namespace
from hankelcut.lti.systems._complex_functions import complex_from_parts
from hankelcut.lti.systems._scaling import magnitude, state_gauge
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.time_domain import Continuous

__all__ = ["Circle", "DiscPoles", "HalfPlanePoles", "circle_of", "wrapped"]

# Up to so many entries all residues are kept: one matrix product serves all points.
_MOST_RESIDUES = 2**18


@dataclass(frozen=True, eq=False)
class HalfPlanePoles:
    """Poles of a continuous system that is mapped to the circle; points are w.

    Parameters
    ----------
    xp : namespace
        Of the poles.
    places : (n,) complex array
        p.
    unit : float
        Frequency of w = 1.
    """

    xp: Namespace
    places: Array
    unit: float

    @property
    def margins(self) -> Array:
        """1 - abs(lambda)^2, (n,)."""
        away = self.xp.abs(1 - self.places)
        return -4 * (self.xp.real(self.places) / away) / away

    @property
    def angles(self) -> Array:
        """Angles of the poles, from -pi to pi, (n,)."""
        xp, size = self.xp, self.xp.abs(self.places)
        return xp.atan2(2 * xp.imag(self.places) / (1 + size), 1 - size)

    @property
    def nearest(self) -> Array:
        """Points next to the poles, (n,)."""
        return self.xp.imag(self.places)

    def points(self, angles: Array) -> Array:
        """Points at angles of the circle."""
        return self.xp.tan(angles / 2)

    def frequency(self, point: float) -> float:
        """Frequency of the system at a point."""
        return self.unit * point

    def reciprocals(self, points: Array) -> tuple[Array, Array]:
        """Return 1 / z, (F, 1), and 1 / (1 - lambda / z), (F, n), at points."""
        w = points[:, None]
        turned = complex_from_parts(self.xp.ones_like(w), w)
        quotients = turned / ((turned - 1) - self.places)
        return self.xp.conj(turned) / turned, quotients * ((1 - self.places) / 2)


@dataclass(frozen=True, eq=False)
class DiscPoles:
    """Poles of a discrete system; points are angles. Members as of `HalfPlanePoles`.

    Parameters
    ----------
    xp : namespace
        Of the poles.
    exponents : (n,) complex array
        Their logarithms.
    """

    xp: Namespace
    exponents: Array

    @property
    def margins(self) -> Array:
        """1 - abs(lambda)^2, (n,)."""
        return -self.xp.expm1(2 * self.xp.real(self.exponents))

    @property
    def angles(self) -> Array:
        """Angles of the poles, from -pi to pi, (n,)."""
        return wrapped(self.xp, self.xp.imag(self.exponents))

    @property
    def nearest(self) -> Array:
        """Points next to the poles, (n,)."""
        return self.angles

    def points(self, angles: Array) -> Array:
        """Points at angles of the circle."""
        return angles

    def frequency(self, point: float) -> float:
        """Frequency of the system at a point."""
        return point

    def reciprocals(self, points: Array) -> tuple[Array, Array]:
        """Return 1 / z, (F, 1), and 1 / (1 - lambda / z), (F, n), at points."""
        xp, real = self.xp, self.xp.real(self.exponents)
        half = (xp.imag(self.exponents) - points[:, None]) / 2
        sine = xp.sin(half)
        across = xp.exp(real) * sine
        # Of two numbers of one sign, without cancellation.
        along = 2 * across * sine - xp.expm1(real)
        distances = complex_from_parts(along, -2 * across * xp.cos(half))
        return xp.exp(-1j * _array.to_complex(points))[:, None], 1 / distances


@dataclass(frozen=True, eq=False)
class Circle:
    """One system on the unit circle: poles, gains and feedthrough.

    Parameters
    ----------
    xp : namespace
        Of the arrays.
    poles : HalfPlanePoles or DiscPoles
        Where the poles are.
    B, C, D : (n, m), (p, n) and (p, m) arrays
        Divided by `scale`, transposed if that makes m <= p.
    residues : (n, p m) array or None
        Products of the columns of C and the rows of B, where they are few.
    residue_norms : (n,) array
        Their norms.
    margins : (n,) array
        Of the poles.
    scale : float
        Power of two, so that no square of a gain can leave the range.
    offset : float
        Sum of the norms of what was added up in D.
    """

    xp: Namespace
    poles: HalfPlanePoles | DiscPoles
    B: Array
    C: Array
    D: Array
    residues: Array | None
    residue_norms: Array
    margins: Array
    scale: float
    offset: float

    def response(self, gains: Array) -> Array:
        """Return C diag(gains) B, (F, p, m), for each row of gains, (F, n)."""
        if self.residues is None:
            return self.C @ (gains[..., None] * self.B)
        shape = (gains.shape[0], *self.D.shape)
        return self.xp.reshape(gains @ self.residues, shape)


def circle_of(system: DiagonalStateSpace) -> Circle:
    """Map one diagonal system to the unit circle.

    Parameters
    ----------
    system : DiagonalStateSpace
        Stable, in double precision, with complex readout and finite entries.
    """
    xp, B, C, D = _array.namespace(system.B), system.B, system.C, system.D
    poles: HalfPlanePoles | DiscPoles = DiscPoles(xp, system.exponents)
    added = None
    if isinstance(system.time, Continuous):
        unit = _size(xp, system.exponents)
        poles = HalfPlanePoles(xp, system.exponents / unit, unit)
        away = unit - system.exponents
        gains = math.sqrt(2 * unit) / away
        D = D + C @ _array.diagonal_rows(1 / away, B)
        B, C = _array.diagonal_rows(gains, B), _array.diagonal_columns(C, gains)
        # What the map adds to D: the gains over the distance from -1.
        added = xp.abs(away) / (2 * unit)
    n, (B, C, D, scale) = system.n_states, _scaled(B, C, D)
    if not bool(xp.any(D != 0)):
        B, C, D = _compressed(xp, B, C, D)
    norms = xp.linalg.vector_norm(B, axis=1) * xp.linalg.vector_norm(C, axis=0)
    if C.shape[0] < B.shape[1]:
        B, C, D = (xp.matrix_transpose(matrix) for matrix in (C, B, D))
    offset = float(xp.linalg.matrix_norm(D, ord="fro"))
    if added is not None:
        offset += float(xp.sum(norms * added))
    residues = None
    if n * C.shape[0] * B.shape[1] <= _MOST_RESIDUES:
        products = xp.matrix_transpose(C)[:, :, None] * B[:, None, :]
        residues = xp.reshape(products, (n, C.shape[0] * B.shape[1]))
    return Circle(xp, poles, B, C, D, residues, norms, poles.margins, scale, offset)


def wrapped(xp: Namespace, angles: Array) -> Array:
    """Angles from -pi to pi.

    Parameters
    ----------
    xp : namespace
        Of the angles.
    angles : array
        In radians.
    """
    return angles - 2 * xp.pi * xp.round(angles / (2 * xp.pi))


def _size(xp: Namespace, poles: Array) -> float:
    """Power of two next to the geometric mean of the magnitudes."""
    if poles.shape[0] == 0:
        return 1.0
    return 2.0 ** round(float(xp.mean(xp.log2(xp.abs(poles)))))


def _scaled(B: Array, C: Array, D: Array) -> tuple[Array, Array, Array, float]:
    """B, C and D with entries of about 1, and the power of two taken out of them."""
    xp = _array.namespace(B)
    gauge = _array.to_complex(state_gauge(B, C))
    B, C = _array.diagonal_rows(gauge, B), _array.diagonal_columns(C, 1 / gauge)
    D = _array.to_complex(D)
    b, c, d = (float(magnitude(matrix)) for matrix in (B, C, D))
    B, C = B / b, C / c
    if not bool(xp.any(D != 0)):
        return B, C, D, b * c
    gain = b * c if bool(xp.any(B != 0)) and bool(xp.any(C != 0)) else 0.0
    scale = max(gain, d)
    return B, C * (gain / scale), D / scale, scale


def _compressed(
    xp: Namespace, B: Array, C: Array, D: Array
) -> tuple[Array, Array, Array]:
    """Gains of at most n columns and rows with the same singular values, without D."""
    n = B.shape[0]
    if B.shape[1] > n:
        B = _array.adjoint(xp.linalg.qr(_array.adjoint(B)).R)
    if C.shape[0] > n:
        C = xp.linalg.qr(C).R
    return B, C, _array.zeros((C.shape[0], B.shape[1]), D)
