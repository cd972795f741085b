r"""Diagonal form of a dense system, with a proven bound of what it misses.

**Method.** With eigenvalues :math:`\Lambda`, eigenvectors V and W about
:math:`V^{-1}`, all as computed, the states :math:`x = Vz` give exactly

.. math::
    G(s) = CV\Phi(s)\,(I + \Delta(s))^{-1}\,WB + D, \qquad
    \Delta = (WV - I) - W(AV - V\Lambda)\Phi(s), \quad \Phi = (sI - \Lambda)^{-1}.

On the stability boundary no entry of :math:`\Phi` exceeds the reciprocal distance of
its pole, so that one matrix bounds :math:`|\Delta|` at every frequency. Where a norm of
it is below 1, the boundary is free of poles, also on the way from A to the diagonal
form: the system is stable if and only if the diagonal one is. States that are not
coupled, as those of the two parts of an error system, are taken apart first.

**Numerical aspects.** The residuals are evaluated in working precision; the bound
contains the rounding of every product, a multiple of that of the magnitudes, and that
of the logarithms of discrete poles.
"""

import functools
import math
from dataclasses import dataclass

import numpy as np

from hankelcut.lti.norms._bounded_real_frame import System
from hankelcut.lti.norms._enclosure import Matrix
from hankelcut.lti.norms._spectral_norms import spectral_norms
from hankelcut.lti.responses._schur_response import boundary
from hankelcut.lti.systems._uncoupled_states import uncoupled_states
from hankelcut.lti.systems.time_domain import Continuous, TimeDomain

__all__ = ["ModalForm", "modal_form"]

_EPS = float(np.finfo(float).eps)
_TINY = float(np.finfo(float).tiny)
# Each term of a sum of products adds half an eps of its size if one factor is real, and
# sqrt(2) eps if both are complex; a few terms more are for what is added later.
_MORE_ROUNDINGS = 4
_PER_TERM, _PER_COMPLEX_TERM = 0.5 * _EPS, 1.5 * _EPS
# The bounds themselves are rounded, and then enlarged by this.
_OUTWARDS = 1 + 1e-6
_CONVERGENT = 0.5
# Rounding of a pole of size 1 at most that is given by its logarithm: one eps of its
# modulus, two of its angle, and twice that for what libraries of functions may lose.
_LOGARITHM = 8 * _EPS


@dataclass(frozen=True, eq=False)
class ModalForm:
    """A diagonal system and how far, at most, its response is from the dense one's.

    Parameters
    ----------
    poles : (n,) complex array
        Strictly inside the stability region, as those of the dense system are.
    B, C, D : (n, m), (p, n) and (p, m) arrays
        The other matrices.
    distance : float
        Bound of the distance of the responses in the spectral norm, at every frequency.
    h2_distance : float
        Bound of their distance in the H2 norm.
    time : Continuous or Discrete
        The time domain.
    """

    poles: Matrix
    B: Matrix
    C: Matrix
    D: Matrix
    distance: float
    h2_distance: float
    time: TimeDomain

    def gains(self, frequencies: Matrix) -> Matrix:
        """Largest singular values of the response at frequencies, (F,)."""
        weights = 1 / (boundary(frequencies, self.time)[:, None] - self.poles)
        response = (weights @ self._residues).reshape(-1, *self.D.shape) + self.D
        largest: Matrix = spectral_norms(response)
        return largest

    @functools.cached_property
    def _residues(self) -> Matrix:
        """Products of the columns of C and the rows of B, (n, p m)."""
        products: Matrix = self.C.T[:, :, None] * self.B[:, None, :]
        return products.reshape(len(self.poles), -1)


@dataclass(frozen=True, eq=False)
class _Modes:
    """Modes of states that are coupled with each other only, in stacks of one size.

    Parameters
    ----------
    states : (g, k) int array
        The states.
    poles : (g, k) array
        Eigenvalues.
    right, left : (g, k, k) arrays
        V and W.
    inverse_error, residual : (g, k, k) real arrays
        Bounds of abs(W V - I) and of abs(W) abs(A V - V diag(poles)).
    """

    states: Matrix
    poles: Matrix
    right: Matrix
    left: Matrix
    inverse_error: Matrix
    residual: Matrix

    @classmethod
    def of(cls, A: Matrix, states: Matrix) -> "_Modes":
        """Diagonalize the blocks of a matrix at some states."""
        blocks, k = A[states[:, :, None], states[:, None, :]], states.shape[1]
        if np.array_equal(blocks, _adjoint(blocks)):
            poles, V = np.linalg.eigh(blocks)
            W = _adjoint(V)
        else:
            poles, V = np.linalg.eig(blocks)
            W = np.linalg.inv(V)
        # Zeros of A add no rounding.
        terms, turned = int(np.max(np.sum(blocks != 0, axis=2))), V * poles[:, None, :]
        rounding = _rounding(terms, blocks, V)
        sizes = np.abs(blocks) @ np.abs(V) + np.abs(turned)
        residual = np.abs(blocks @ V - turned) + rounding * sizes + _TINY
        overlap = np.abs(W) @ np.abs(V)
        inverse_error = np.abs(W @ V - np.eye(k)) + _rounding(k, W, V) * overlap
        return cls(states, poles, V, W, inverse_error, np.abs(W) @ residual)

    def distances(self, system: System) -> tuple[float, float]:
        """Bounds of the distances of the responses; infinite where none is proven."""
        inputs, outputs = _channels(system, self.states)
        k, W, V = self.poles.shape[1], self.left, self.right
        lost_b = _rounding(k, W, inputs) * _norms(np.abs(W) @ np.abs(inputs), 2) + _TINY
        lost_c = (
            _rounding(k, outputs, V) * _norms(np.abs(outputs) @ np.abs(V), 1) + _TINY
        )
        b, c = _norms(W @ inputs, 2) + lost_b, _norms(outputs @ V, 1) + lost_c
        margins, energies, moved = _boundary(self.poles, system.time)
        if not np.all(margins > 0):
            return math.inf, math.inf
        delta = self.residual + moved * (np.abs(W) @ np.abs(V))
        delta = _OUTWARDS * (self.inverse_error + delta / margins[:, None, :])
        # |x| <= b + |Delta| |x| bounds the states x = (I + Delta)^-1 W B from above.
        contraction = float(np.max(np.sum(delta, axis=2)))
        if not contraction < _CONVERGENT:
            return math.inf, math.inf
        changed = _times(delta, b)
        excess = np.max(changed, axis=1, keepdims=True) / (1 - contraction)
        changed = _times(delta, b + excess)
        terms = c * changed + c * lost_b + lost_c * b
        return (
            _OUTWARDS * float(np.sum(terms / margins)),
            _OUTWARDS * float(np.sum(terms * np.sqrt(energies))),
        )


def modal_form(system: System) -> ModalForm | None:
    """Diagonalize a dense system, or return None where nothing can be proven of that.

    Parameters
    ----------
    system : System
        With finite entries of about 1; not modified. Stable if there is a result.
    """
    try:
        parts = [_Modes.of(system.A, states) for states in uncoupled_states(system.A)]
    except np.linalg.LinAlgError:
        return None
    poles = np.zeros(system.A.shape[0], complex)
    B, C = np.zeros(system.B.shape, complex), np.zeros(system.C.shape, complex)
    for part in parts:
        inputs, outputs = _channels(system, part.states)
        poles[part.states] = part.poles
        B[part.states] = part.left @ inputs
        C[:, part.states] = np.moveaxis(outputs @ part.right, 1, 0)
    bounds = [part.distances(system) for part in parts]
    distance, h2_distance = (sum(ends) for ends in zip(*bounds, strict=True))
    if not math.isfinite(distance):
        return None
    return ModalForm(poles, B, C, system.D, distance, h2_distance, system.time)


def _channels(system: System, states: Matrix) -> tuple[Matrix, Matrix]:
    """Rows of B and columns of C at some states, (g, k, m) and (g, p, k)."""
    return system.B[states], np.moveaxis(system.C[:, states], 0, 1)


def _boundary(poles: Matrix, time: TimeDomain) -> tuple[Matrix, Matrix, float]:
    """Distances from the boundary, energies of the modes, and what logarithms move.

    The energy of a mode is the mean square of its resolvent on the boundary.
    """
    if isinstance(time, Continuous):
        margins = -np.real(poles)
        return margins, 1 / (2 * np.maximum(margins, _TINY)), 0.0
    margins = 1 - np.abs(poles) - 2 * _LOGARITHM
    return margins, 1 / np.maximum(margins, _TINY), _LOGARITHM


def _rounding(terms: int, first: Matrix, second: Matrix) -> float:
    """Bound the rounding of sums of products by a share of those of the magnitudes."""
    both = np.iscomplexobj(first) and np.iscomplexobj(second)
    return (terms + _MORE_ROUNDINGS) * (_PER_COMPLEX_TERM if both else _PER_TERM)


def _norms(matrices: Matrix, axis: int) -> Matrix:
    norms: Matrix = np.linalg.norm(matrices, axis=axis)
    return norms


def _times(matrices: Matrix, vectors: Matrix) -> Matrix:
    products: Matrix = np.squeeze(matrices @ vectors[:, :, None], 2)
    return products


def _adjoint(matrices: Matrix) -> Matrix:
    return np.conj(np.swapaxes(matrices, 1, 2))
