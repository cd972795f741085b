"""Frequency response of one dense system at many points, from one Schur form.

**Method.** With A = U T U^H and T upper triangular, (z I - A)^-1 B takes a back
substitution, done for all frequencies at once. Errors are those of an A changed by its
own rounding: a unitary similarity adds nothing to them.
"""

from dataclasses import dataclass

import numpy as np
import scipy.linalg

from hankelcut.lti.norms._enclosure import Matrix
from hankelcut.lti.systems.time_domain import Continuous, TimeDomain

__all__ = ["SchurResponse", "balancing_gauge"]

_BLOCK = 32
# Frequencies are taken in slices of about this many matrix entries.
_ENTRIES_PER_SLICE = 2**21


def balancing_gauge(A: Matrix, B: Matrix, C: Matrix) -> Matrix:
    """Powers of two t for which A / t[:, None] * t, B / t[:, None], C * t are balanced.

    Parameters
    ----------
    A, B, C : (n, n), (n, m) and (p, n) arrays
        The matrices, with at least one input and one output; not modified.

    Returns
    -------
    gauge : (n,) array
        From LAPACK's balancing of [[A, b], [c, 0]], b and c the largest magnitudes of
        the rows of B and the columns of C.
    """
    n = A.shape[0]
    bordered = np.zeros((n + 1, n + 1), order="F")
    bordered[:n, :n] = np.abs(A)
    bordered[:n, n] = np.max(np.abs(B), axis=1)
    bordered[n, :n] = np.max(np.abs(C), axis=0)
    gebal = scipy.linalg.get_lapack_funcs("gebal", (bordered,))
    _, _, _, scale, _ = gebal(bordered, scale=1, permute=0, overwrite_a=1)
    gauge: Matrix = scale[:n] / scale[n]
    return gauge


@dataclass(frozen=True, eq=False)
class SchurResponse:
    """A system in the coordinates of the complex Schur form of its A.

    Parameters
    ----------
    T, U : (n, n) arrays
        Upper triangular, and unitary.
    B, C, D : (n, m), (p, n), (p, m) arrays
        U^H B, C U, and the feedthrough.
    time : Continuous or Discrete
        The time domain.
    """

    T: Matrix
    U: Matrix
    B: Matrix
    C: Matrix
    D: Matrix
    time: TimeDomain

    @classmethod
    def of(
        cls, A: Matrix, B: Matrix, C: Matrix, D: Matrix, time: TimeDomain
    ) -> "SchurResponse":
        """Compute the Schur form of a system."""
        T, U = scipy.linalg.schur(A, output="complex", check_finite=False)
        return cls(T, U, U.conj().T @ B, C @ U, D, time)

    def dual(self) -> "SchurResponse":
        """Return the response of (A^H, C^H, B^H, D^H): G^H at negative frequencies."""
        reverse = self.U[:, ::-1]
        return SchurResponse(
            self.T.conj().T[::-1, ::-1],
            reverse,
            self.C.conj().T[::-1],
            self.B.conj().T[:, ::-1],
            self.D.conj().T,
            self.time,
        )

    def gains(self, frequencies: Matrix) -> Matrix:
        """Largest singular value at each frequency, (F,); 0 where it overflows."""
        values = [np.zeros(0)]
        for part in self._slices(frequencies):
            response = self._response(part)
            finite = np.all(np.isfinite(response), axis=(1, 2))
            response = np.where(finite[:, None, None], response, 0.0)
            values.append(np.linalg.svd(response, compute_uv=False)[:, 0])
        return np.concatenate(values)

    def response(self, frequencies: Matrix) -> Matrix:
        """Response at each frequency, (F, p, m)."""
        parts = [self._response(part) for part in self._slices(frequencies)]
        return np.concatenate([np.zeros((0, *self.D.shape), complex), *parts])

    def largest_states(self, frequencies: Matrix, coordinates: Matrix) -> Matrix:
        """Largest norm, over frequencies, of each row of S (z I - A)^-1 B.

        Parameters
        ----------
        frequencies : (F,) array
            At least one.
        coordinates : (k, n) array
            S.
        """
        rows = coordinates @ self.U
        largest = np.zeros(rows.shape[0])
        for part in self._slices(frequencies):
            states = rows @ self._states(part).reshape(self.T.shape[0], -1)
            shape = (rows.shape[0], self.B.shape[1], part.shape[0])
            norms = np.linalg.norm(states.reshape(shape), axis=1)
            largest = np.maximum(largest, np.max(norms, axis=1))
        return largest

    def _response(self, frequencies: Matrix) -> Matrix:
        outputs = self.C @ self._states(frequencies).reshape(self.T.shape[0], -1)
        shape = (self.C.shape[0], self.B.shape[1], frequencies.shape[0])
        return np.moveaxis(outputs.reshape(shape), 2, 0) + self.D

    def _slices(self, frequencies: Matrix) -> list[Matrix]:
        size = max(1, _ENTRIES_PER_SLICE // max(1, self.B.size))
        cuts = range(size, frequencies.shape[0], size)
        return np.split(frequencies, cuts) if frequencies.shape[0] else []

    def _states(self, frequencies: Matrix) -> Matrix:
        """(z I - T)^-1 U^H B at each frequency, (n, m F)."""
        n, m = self.B.shape
        points = np.tile(boundary(frequencies, self.time), m)
        states = np.repeat(self.B.astype(complex), frequencies.shape[0], axis=1)
        for stop in range(n, 0, -_BLOCK):
            start = max(stop - _BLOCK, 0)
            states[start:stop] += self.T[start:stop, stop:] @ states[stop:]
            for k in range(stop - 1, start - 1, -1):
                states[k] += self.T[k, k + 1 : stop] @ states[k + 1 : stop]
                gaps = points - self.T[k, k]
                # To rounding, a pole next to the boundary may lie on it.
                states[k] /= np.where(gaps == 0, np.spacing(abs(self.T[k, k])), gaps)
        return states


def boundary(frequencies: Matrix, time: TimeDomain) -> Matrix:
    """Points i w or exp(i w) of the stability boundary."""
    points: Matrix = 1j * frequencies
    return points if isinstance(time, Continuous) else np.exp(points)
