r"""Stored diagonal states of a balanced truncation.

**Method.** The balanced system of order r (real for the real map) is diagonalised; of
each conjugate pair one stored state is kept, a real pole is a stored state of its own
with half the output gain, so that r real states take (r + n_real) / 2 stored ones.
"""

from dataclasses import dataclass, replace

from hankelcut import _array
from hankelcut._typing import Array
from hankelcut.lti.norms.modal_norms import modal_norms
from hankelcut.lti.structure.stability import pole_margins
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace, exponents_of
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.reduction.balancing.balancing import Balancing

__all__ = [
    "Modes",
    "Truncated",
    "eigenvectors",
    "modes_of",
    "n_stored",
    "pole_rounding",
    "project",
    "storage_error",
]

# Rounding of an eigenvalue of a balanced matrix, in units of the largest one's.
_EIGENVALUE_ROUNDINGS = 4.0


@dataclass(frozen=True, eq=False)
class Modes:
    """Stored states of a reduced diagonal system, most dominant first.

    Parameters
    ----------
    system : DiagonalStateSpace
        The reduced system, with the readout of the full one.
    left, right : (N, r) arrays
        Projections in the sense of `ReductionResult`.
    balanced_order : int
        Number of Hankel singular values that were kept.
    added_error : float
        H-infinity error beyond the a-priori bound, where poles had to be separated or
        lie so close to the stability boundary that rounding counts.
    notes : tuple of str
        What was noticed on the way.
    """

    system: DiagonalStateSpace
    left: Array
    right: Array
    balanced_order: int
    added_error: float = 0.0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Truncated:
    """A balanced truncation before it is diagonalised."""

    dense: StateSpace
    left: Array
    right: Array
    stored_as: DiagonalStateSpace

    @property
    def order(self) -> int:
        """Number of Hankel singular values kept."""
        return self.dense.n_states

    @property
    def real_map(self) -> bool:
        """Whether conjugate pairs share one stored state."""
        return not _array.is_complex(self.dense.A)

    def leading(self, order: int) -> "Truncated":
        """Return the truncation to a smaller order: leading blocks, nothing else."""
        dense = StateSpace(
            self.dense.A[:order, :order],
            self.dense.B[:order, :],
            self.dense.C[:, :order],
            self.dense.D,
            self.dense.time,
        )
        left, right = self.left[:, :order], self.right[:, :order]
        return replace(self, dense=dense, left=left, right=right)


def project(
    balancing: Balancing, stored_as: DiagonalStateSpace, order: int
) -> Truncated:
    """Return the balanced truncation of the largest order wanted."""
    system = balancing.system
    T, W = balancing.projections(order)
    A, B, C = _apply(system, T, W)
    dense = StateSpace(A, B, C, None, stored_as.time)
    return Truncated(dense, W, T, stored_as)


def _apply(
    system: StateSpace | DiagonalStateSpace, T: Array, W: Array
) -> tuple[Array, Array, Array]:
    """Return W^H A T, W^H B and C T without a 2 n x 2 n matrix for the real map."""
    xp = _array.namespace(T, W)
    Wh = _array.adjoint(W)
    if isinstance(system, StateSpace):
        return Wh @ system.A @ T, Wh @ system.B, system.C @ T
    poles = system.poles
    if system.readout == "complex":
        return Wh @ _array.diagonal_rows(poles, T), Wh @ system.B, system.C @ T
    n = system.n_states
    a, b = xp.real(poles)[:, None], xp.imag(poles)[:, None]
    upper, lower = T[:n, :], T[n:, :]
    image = xp.concat([a * upper - b * lower, b * upper + a * lower], axis=0)
    B = Wh[:, :n] @ xp.real(system.B) + Wh[:, n:] @ xp.imag(system.B)
    gain = 2 * system.readout_gain
    C = gain * (xp.real(system.C) @ upper - xp.imag(system.C) @ lower)
    return Wh @ image, B, C


def eigenvectors(A: Array) -> tuple[Array, Array]:
    """Return eigenvalues, in exact conjugate pairs when A is real, and eigenvectors."""
    values, vectors = _array.namespace(A).linalg.eig(A)
    return _array.to_complex(values), _array.to_complex(vectors)


def n_stored(poles: Array, *, real_map: bool) -> int:
    """Return stored states that poles take: one per conjugate pair or real pole."""
    if not real_map:
        return int(poles.shape[0])
    xp = _array.namespace(poles)
    return int(xp.sum(xp.astype(xp.imag(poles) >= 0, xp.int64)))


def modes_of(
    truncated: Truncated, poles: Array, vectors: Array, *, C: Array = None
) -> Modes | None:
    """Return stored modes from eigenvectors; None if a pole is not stable.

    Parameters
    ----------
    truncated : Truncated
        The balanced truncation.
    poles, vectors : (r,), (r, r) complex arrays
        Eigenvalues and eigenvectors of its (possibly perturbed) state matrix.
    C : (p, r) complex array, optional
        Output matrix of the modes; that of the truncation by default.
    """
    xp = _array.namespace(vectors)
    dense, X = truncated.dense, vectors
    exponents = exponents_of(poles, dense.time)
    if bool(xp.any(xp.real(exponents) >= 0)):
        return None
    inverse = xp.linalg.inv(X)
    B = inverse @ _array.to_complex(dense.B)
    if C is None:
        C = _array.to_complex(dense.C) @ X
    left, right = _array.adjoint(inverse), X
    if truncated.real_map:
        kept = xp.nonzero(xp.imag(poles) >= 0)[0]
        poles, exponents = xp.take(poles, kept), xp.take(exponents, kept)
        B, C = xp.take(B, kept, axis=0), xp.take(C, kept, axis=1)
        left, right = xp.take(left, kept, axis=1), xp.take(right, kept, axis=1)
        # A real pole is stored once, a conjugate pair counts twice in Re(T x_r).
        factor = 1 + xp.astype(xp.imag(poles) > 0, X.dtype)
        C, right = C * factor, right * factor
    left = _array.to_complex(truncated.left) @ left
    right = _array.to_complex(truncated.right) @ right
    return _stored(truncated, exponents, B, C, left, right)


def _stored(
    truncated: Truncated,
    exponents: Array,
    B: Array,
    C: Array,
    left: Array,
    right: Array,
) -> Modes:
    """Return modes in the readout of the stored system, most dominant first."""
    xp = _array.namespace(B)
    readout = truncated.stored_as.readout
    if readout != "complex":
        C = C / (2 * truncated.stored_as.readout_gain)
        if not truncated.real_map:
            left = xp.concat([left, -1j * left], axis=0)
            right = xp.concat([right, -1j * right], axis=0)
    system = DiagonalStateSpace(
        exponents, B, C, truncated.stored_as.D, truncated.dense.time, readout
    )
    by_dominance = xp.flip(xp.argsort(modal_norms(system)))
    left = xp.take(left, by_dominance, axis=1)
    right = xp.take(right, by_dominance, axis=1)
    system = replace(
        system,
        exponents=xp.take(system.exponents, by_dominance, axis=0),
        B=xp.take(system.B, by_dominance, axis=0),
        C=xp.take(system.C, by_dominance, axis=1),
    )
    return Modes(system, left, right, truncated.order)


def storage_error(modes: Modes, storage_eps: float) -> float:
    """Return the first-order H-infinity error of rounding stored parameters."""
    norms = modal_norms(modes.system)
    return storage_eps * float(_array.namespace(norms).sum(norms))


def pole_rounding(modes: Modes) -> float:
    """Return the first-order H-infinity error of rounding in the eigenvalues.

    An eigenvalue is off by about u times the largest; a resonance of norm h with margin
    m to the stability boundary then moves by h / m times that.
    """
    system = modes.system
    if system.n_states == 0:
        return 0.0
    norms, margins = modal_norms(system), pole_margins(system)
    xp = _array.namespace(norms)
    largest = float(xp.max(xp.abs(system.poles)))
    moved = _EIGENVALUE_ROUNDINGS * _array.eps(norms) * largest
    return moved * float(xp.sum(norms / margins))
