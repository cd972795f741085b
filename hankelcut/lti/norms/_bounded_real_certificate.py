r"""Proof that the gain of a stable system stays below a level at every frequency.

**Method.** Bounded-real lemma: a Hermitian X with

.. math::
    \begin{bmatrix} A^HXE + E^HXA + C^HC & E^HXB + C^HD \\ \cdot & D^HD - \gamma^2 I
    \end{bmatrix} \prec 0

(discrete: :math:`A^HXA - E^HXE + C^HC`, :math:`A^HXB + C^HD` and
:math:`B^HXB + D^HD - \gamma^2 I`) proves :math:`\bar\sigma(G) < \gamma` at every point
of the stability boundary that is no pole; nothing else is asked of X. The inequality is
evaluated in twice the working precision with a bound of all rounding, and holds for
certain if a Cholesky factorization of the negative matrix, less what is not known of
it, runs to its end (Rump, BIT 46, 2006, p. 433).
"""

from dataclasses import dataclass

import numpy as np

from hankelcut.lti.norms._enclosure import Enclosure, Matrix, stacked
from hankelcut.lti.systems.time_domain import Continuous, TimeDomain

__all__ = ["EnclosedSystem", "enclose", "is_bounded_real", "middle"]

_UNIT = 2.0**-53


@dataclass(frozen=True, eq=False)
class EnclosedSystem:
    """System E x' = A x + B u, y = C x + D u whose real matrices are enclosed.

    Parameters
    ----------
    E : (n, n) enclosure or None
        None for the identity.
    A, B, C, D : enclosures
        The other matrices; those of complex systems in the form of `enclose`.
    time : Continuous or Discrete
        The time domain.
    """

    E: Enclosure | None
    A: Enclosure
    B: Enclosure
    C: Enclosure
    D: Enclosure
    time: TimeDomain


def enclose(matrix: Matrix, *, as_complex: bool) -> Enclosure:
    """Enclose a matrix of doubles exactly, a complex one as [[Re, -Im], [Im, Re]].

    Parameters
    ----------
    matrix : (p, m) array
        Real or complex; not modified.
    as_complex : bool
        Whether to double the size of real matrices too.
    """
    if not as_complex:
        return Enclosure.exactly(matrix)
    real, imag = np.real(matrix), np.imag(matrix)
    return Enclosure.exactly(np.block([[real, -imag], [imag, real]]))


def middle(enclosure: Enclosure, *, is_complex: bool) -> Matrix:
    """Middle of an enclosure of the form of `enclose`, in double precision.

    Parameters
    ----------
    enclosure : Enclosure
        Of a matrix whose size is doubled if it is complex.
    is_complex : bool
        Which of the two.
    """
    values = enclosure.high
    if not is_complex:
        return values
    rows, columns = values.shape[0] // 2, values.shape[1] // 2
    return values[:rows, :columns] + 1j * values[rows:, :columns]


def is_bounded_real(system: EnclosedSystem, X: Enclosure, level: float) -> bool:
    """Whether X proves that the largest gain is below a level; never wrongly True.

    Parameters
    ----------
    system : EnclosedSystem
        Without poles on the stability boundary.
    X : (n, n) enclosure
        Symmetric.
    level : float
        The level, positive.
    """
    slack = _negative_inequality(system, X, level)
    if not np.all(np.isfinite(slack.high)) or not np.all(np.isfinite(slack.radius)):
        return False
    return _is_positive_definite(slack)


def _negative_inequality(
    system: EnclosedSystem, X: Enclosure, level: float
) -> Enclosure:
    A, B, C, D = system.A, system.B, system.C, system.D
    XA, XB = X @ A, X @ B
    square = level * level * np.eye(B.high.shape[1])
    rounding = 2 * _UNIT * square
    feedthrough = D.transposed @ D + Enclosure(-square, 0 * square, rounding)
    if isinstance(system.time, Continuous):
        product, beside = XA, XB
        if system.E is not None:
            product, beside = system.E.transposed @ XA, system.E.transposed @ XB
        corner, last = product + product.transposed, feedthrough
    else:
        middle = X if system.E is None else system.E.transposed @ (X @ system.E)
        corner, beside = A.transposed @ XA + -middle, A.transposed @ XB
        last = B.transposed @ XB + feedthrough
    corner, beside = corner + C.transposed @ C, beside + C.transposed @ D
    return -stacked([[corner, beside], [beside.transposed, last]])


def _is_positive_definite(matrix: Enclosure) -> bool:
    """Whether every symmetric matrix of an enclosure is positive definite."""
    values = (matrix.high + matrix.high.T) / 2
    diagonal = np.diag(values)
    if np.any(diagonal <= 0):
        return False
    # Powers of two, so that the scaling is free of rounding.
    scale = 2.0 ** -np.round(np.log2(diagonal) / 2)
    scaled = scale[:, None] * values * scale
    radius = matrix.radius + np.abs(matrix.low) + 2 * _UNIT * np.abs(values)
    k = values.shape[0]
    # |R| <= diag(R 1) for symmetric R, doubled for the rounding of the sum itself; and
    # the backward error of the factorization, whose norm is at most (k + 1) u times the
    # trace.
    unknown = 2 * np.sum(scale[:, None] * radius * scale, axis=1)
    shift = unknown + (k + 4) * _UNIT * float(np.trace(scaled))
    try:
        np.linalg.cholesky(scaled - np.diag(shift))
    except np.linalg.LinAlgError:
        return False
    return True
