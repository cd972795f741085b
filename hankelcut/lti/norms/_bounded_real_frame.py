r"""Coordinates in which the bounded-real inequality is solved and verified.

**Method.** The inequality needs a strict solution: that of the Riccati equation of the
system with a small state weight W more, where :math:`\|W^{1/2}(zI - A)^{-1}B\|^2` stays
below what the squared level exceeds the squared gain by. The first coordinates are the
system's own, scaled by powers of two. The second ones balance the Gramians of the
system with weak additional inputs and outputs: states that cancel in the response, as
those of the difference of two nearly equal systems do, become small ones. The
transformation needs no accuracy, because the transformed system is enclosed.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from hankelcut.lti.equations._schur_form import schur_form
from hankelcut.lti.equations._schur_hammarling import factor_in_schur_form
from hankelcut.lti.norms._bounded_real_certificate import (
    EnclosedSystem,
    enclose,
    is_bounded_real,
    middle,
)
from hankelcut.lti.norms._enclosure import Matrix
from hankelcut.lti.norms._schur_bounded_real import far_point, solve_bounded_real
from hankelcut.lti.responses._schur_response import SchurResponse
from hankelcut.lti.systems.time_domain import TimeDomain

__all__ = ["Frame", "System", "gramian_factors_of", "own_frame", "times_power_of_two"]

_EPS = float(np.finfo(float).eps)
# Gains of states below this share of the largest one are taken as if they had it.
_NEGLIGIBLE = 1e-8
# Gain of the additional inputs and outputs when balancing, as a share of the level.
_BALANCING_SHARE = 0.1


@dataclass(frozen=True, eq=False)
class System:
    """Matrices of one system in double precision.

    Parameters
    ----------
    A, B, C, D : (n, n), (n, m), (p, n) and (p, m) arrays
        The matrices, all real or all complex.
    time : Continuous or Discrete
        The time domain.
    """

    A: Matrix
    B: Matrix
    C: Matrix
    D: Matrix
    time: TimeDomain

    @property
    def is_complex(self) -> bool:
        """Whether the matrices are complex."""
        return bool(np.iscomplexobj(self.A))


def times_power_of_two(matrix: Matrix, exponents: Matrix | int) -> Matrix:
    """Multiply a real or complex array by 2 to the exponents, exactly."""
    if not np.iscomplexobj(matrix):
        scaled: Matrix = np.ldexp(matrix, exponents)
        return scaled
    return times_power_of_two(matrix.real, exponents) + 1j * times_power_of_two(
        matrix.imag, exponents
    )


@dataclass(frozen=True, eq=False)
class Frame:
    """One system in coordinates for the bounded-real inequality.

    Parameters
    ----------
    system : System
        In these coordinates, to rounding; its gain divided by 2 to twice `half`.
    enclosed : EnclosedSystem
        The same, enclosed, as E x' = A x + B u with E near the identity.
    inverse : (n, n) array or None
        Inverse of E, to rounding; None for the identity.
    reach, outlook : (n,) arrays
        Largest gains from the inputs to each state, and from each state to the outputs.
    gauge : (n,) int array
        Exponents of the powers of two between the states of the system and those of
        its own frame.
    half : int
        Exponent of what both B and C are divided by.
    point : complex
        For discrete systems, what `solve_bounded_real` maps about.
    rounding : float
        About the rounding of an evaluated gain.
    """

    system: System
    enclosed: EnclosedSystem
    inverse: Matrix | None
    reach: Matrix
    outlook: Matrix
    gauge: Matrix
    half: int
    point: complex
    rounding: float

    def prove(self, level: float, lower: float) -> tuple[bool, Matrix]:
        """Try to prove that the largest gain is below a level.

        Parameters
        ----------
        level : float
            The level.
        lower : float
            A gain of the system, below the level.

        Returns
        -------
        proven : bool
            Whether it is proven.
        frequencies : (N,) array
            Next to which the gain may cross the level if it is not.
        """
        system, n = self.system, self.system.A.shape[0]
        level, lower = (float(np.ldexp(x, -2 * self.half)) for x in (level, lower))
        room = (level - lower) * (level + lower) / 2
        # Not more than the room allows nor, where states are reached as they are seen,
        # than its share of the level, which keeps X in the scale of the gain.
        weight = np.minimum(
            np.sqrt(room / n) / self.reach,
            np.sqrt(room / level * (self.outlook / self.reach)),
        )
        C = np.vstack([system.C, np.diag(weight)])
        D = np.vstack([system.D, np.zeros((n, system.D.shape[1]))])
        X, frequencies = solve_bounded_real(
            (system.A, system.B, C, D), level, system.time, self.point
        )
        if X is None:
            return False, frequencies
        if self.inverse is not None:
            X = self.inverse.conj().T @ X @ self.inverse
            X = (X + X.conj().T) / 2
        enclosed = enclose(X, as_complex=system.is_complex)
        return is_bounded_real(self.enclosed, enclosed, level), frequencies

    def balanced(self, response: SchurResponse, frequencies: Matrix) -> "Frame":
        """Return the frame that balances the Gramians.

        Parameters
        ----------
        response : SchurResponse
            Response of the system before any scaling.
        frequencies : (F,) array
            Where to look for the largest gains of states.

        Raises
        ------
        numpy.linalg.LinAlgError
            If the transformation leaves the range of the numbers or is singular.
        """
        system = self.system
        share = _BALANCING_SHARE / np.sqrt(system.A.shape[0])
        Lc, Lo = gramian_factors_of(
            replace(
                system,
                B=np.hstack([system.B, np.diag(share / self.outlook)]),
                C=np.vstack([system.C, np.diag(share / self.reach)]),
            )
        )
        W, values, Vh = np.linalg.svd(Lo.conj().T @ Lc, full_matrices=False)
        if values.shape != self.gauge.shape or not np.all(values > 0):
            msg = "the Gramians are singular to rounding"
            raise np.linalg.LinAlgError(msg)
        root = np.sqrt(values)
        T, Y = Lc @ Vh.conj().T / root, W.conj().T / root[:, None] @ Lo.conj().T
        E, enclosed = _transformed(system, T, Y)
        A, B, C = (
            middle(matrix, is_complex=system.is_complex)
            for matrix in (enclosed.A, enclosed.B, enclosed.C)
        )
        inverse = np.linalg.inv(E)
        reach, outlook = _gains_of_states(
            response,
            frequencies,
            times_power_of_two(inverse @ Y, self.gauge - self.half),
            times_power_of_two(T.conj().T, -self.gauge - self.half),
        )
        return replace(
            self,
            system=replace(system, A=inverse @ A, B=inverse @ B, C=C),
            enclosed=enclosed,
            inverse=inverse,
            reach=reach,
            outlook=outlook,
        )


def own_frame(
    system: System, response: SchurResponse, frequencies: Matrix, gain: float
) -> Frame:
    """Frame of a system's own states, scaled to be reached and seen alike.

    Parameters
    ----------
    system : System
        Stable system.
    response : SchurResponse
        Its response.
    frequencies : (F,) array
        Where to look for the largest gains of states.
    gain : float
        About its H-infinity norm; 0 where it is lost in rounding.

    Raises
    ------
    numpy.linalg.LinAlgError
        If gains of states leave the range of the numbers.
    """
    identity = np.eye(system.A.shape[0])
    reach, outlook = _gains_of_states(response, frequencies, identity, identity)
    if not np.all(np.isfinite(reach * outlook)):
        msg = "the gains of states leave the range of the numbers"
        raise np.linalg.LinAlgError(msg)
    gauge = np.round(np.log2(outlook / reach) / 2).astype(int)
    rounding = _EPS * len(gauge) * float(np.max(reach * outlook))
    half = round(math.log2(max(gain, rounding)) / 2)
    scaled = replace(
        system,
        A=times_power_of_two(system.A, gauge[:, None] - gauge),
        B=times_power_of_two(system.B, gauge[:, None] - half),
        C=times_power_of_two(system.C, -gauge - half),
        D=times_power_of_two(system.D, -2 * half),
    )
    A, B, C, D = (
        enclose(matrix, as_complex=system.is_complex)
        for matrix in (scaled.A, scaled.B, scaled.C, scaled.D)
    )
    return Frame(
        scaled,
        EnclosedSystem(None, A, B, C, D, system.time),
        None,
        times_power_of_two(reach, gauge - half),
        times_power_of_two(outlook, -gauge - half),
        gauge,
        half,
        far_point(np.diag(response.T), real=not system.is_complex),
        rounding,
    )


def gramian_factors_of(system: System) -> tuple[Matrix, Matrix]:
    """Factors of both Gramians of one system, (n, k) with k <= n."""
    form = schur_form(system.A)
    with np.errstate(over="ignore", invalid="ignore"):
        controllability = factor_in_schur_form(form, system.B, system.time)
        observability = factor_in_schur_form(
            form.dual(), system.C.conj().T, system.time
        )
    return controllability, observability


def _gains_of_states(
    response: SchurResponse, frequencies: Matrix, states: Matrix, adjoint: Matrix
) -> tuple[Matrix, Matrix]:
    """Reach and outlook of new states, none of them negligible."""
    reach = response.largest_states(frequencies, states)
    outlook = response.dual().largest_states(-frequencies, adjoint)
    reach = np.maximum(reach, _NEGLIGIBLE * np.max(reach))
    strongest = np.max(reach * outlook)
    strongest = max(strongest, _EPS**2 * np.max(reach) * np.max(outlook))
    return reach, np.maximum(outlook, _NEGLIGIBLE * strongest / reach)


def _transformed(system: System, T: Matrix, Y: Matrix) -> tuple[Matrix, EnclosedSystem]:
    """Return E = Y T, and E z' = Y A T z + Y B u, y = C T z + D u enclosed."""
    right, left, A, B, C, D = (
        enclose(matrix, as_complex=system.is_complex)
        for matrix in (T, Y, system.A, system.B, system.C, system.D)
    )
    E = left @ right
    enclosed = EnclosedSystem(
        E, left @ (A @ right), left @ B, C @ right, D, system.time
    )
    return middle(E, is_complex=system.is_complex), enclosed
