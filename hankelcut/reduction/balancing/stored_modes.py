r"""Stored diagonal states of a balanced truncation.

**Method.** The balanced system of order r (real for the real map) is diagonalised; of
each conjugate pair one stored state is kept, a real pole is a stored state of its own
with half the output gain, so that r real states take (r + n_real) / 2 stored ones.
"""

from dataclasses import dataclass, replace

import numpy as np

from hankelcut import _array
from hankelcut._typing import Array
from hankelcut.lti.norms.modal_norms import modal_norms
from hankelcut.lti.structure.stability import pole_margins
from hankelcut.lti.systems.conversions import map_arrays
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace, exponents_of
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.reduction.balancing.balancing import Balancing

__all__ = [
    "Modes",
    "Truncated",
    "eigenvectors",
    "modes_of",
    "n_stored",
    "padded",
    "pole_rounding",
    "project",
    "storage_error",
]

# Rounding of an eigenvalue of a balanced matrix, in units of the largest one's.
_EIGENVALUE_ROUNDINGS = 4.0
# Exponent of silent states: abs(pole) = 1/e.
_SILENT_EXPONENT = -1.0


@dataclass(frozen=True, eq=False)
class Modes:
    """Stored states of a reduced diagonal system, or a stack, most dominant first.

    Parameters
    ----------
    system : DiagonalStateSpace
        The reduced system, with the readout of the full one.
    left, right : (..., N, r) arrays
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

    def items(self, index: Array) -> "Modes":
        """Return the modes of some systems of a stack with one batch axis.

        Parameters
        ----------
        index : (k,) integer array
            Which ones.
        """
        return replace(
            self,
            system=map_arrays(self.system, lambda M: _array.take_items(M, index)),
            left=_array.take_items(self.left, index),
            right=_array.take_items(self.right, index),
        )


@dataclass(frozen=True, eq=False)
class Truncated:
    """A balanced truncation, or a stack of them, before it is diagonalised."""

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
            self.dense.A[..., :order, :order],
            self.dense.B[..., :order, :],
            self.dense.C[..., :order],
            self.dense.D,
            self.dense.time,
        )
        left, right = self.left[..., :order], self.right[..., :order]
        return replace(self, dense=dense, left=left, right=right)

    def items(self, index: Array) -> "Truncated":
        """Return some truncations of a stack with one batch axis.

        Parameters
        ----------
        index : (k,) integer array
            Which ones.
        """
        return replace(
            self,
            dense=map_arrays(self.dense, lambda M: _array.take_items(M, index)),
            left=_array.take_items(self.left, index),
            right=_array.take_items(self.right, index),
            stored_as=map_arrays(self.stored_as, lambda M: _array.take_items(M, index)),
        )


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
    a, b = xp.real(poles)[..., None], xp.imag(poles)[..., None]
    upper, lower = T[..., :n, :], T[..., n:, :]
    image = xp.concat([a * upper - b * lower, b * upper + a * lower], axis=-2)
    B = Wh[..., :n] @ xp.real(system.B) + Wh[..., n:] @ xp.imag(system.B)
    gain = 2 * system.readout_gain
    C = gain * (xp.real(system.C) @ upper - xp.imag(system.C) @ lower)
    return Wh @ image, B, C


def eigenvectors(A: Array) -> tuple[Array, Array]:
    """Return eigenvalues, in exact conjugate pairs when A is real, and eigenvectors."""
    values, vectors = _array.namespace(A).linalg.eig(A)
    return _array.to_complex(values), _array.to_complex(vectors)


def n_stored(poles: Array, *, real_map: bool) -> Array:
    """Return stored states that poles take, (...): one per conjugate pair or real pole.

    Parameters
    ----------
    poles : (..., r) complex array
        Poles of the reduced system.
    real_map : bool
        Whether conjugate pairs share one stored state.
    """
    xp = _array.namespace(poles)
    counted = xp.imag(poles) >= 0 if real_map else xp.abs(poles) >= 0
    return xp.sum(xp.astype(counted, xp.int64), axis=-1)


def modes_of(
    truncated: Truncated,
    poles: Array,
    vectors: Array,
    *,
    C: Array = None,
    n_kept: int | None = None,
) -> Modes | None:
    """Return stored modes from eigenvectors, of one truncation or of a stack of them.

    Parameters
    ----------
    truncated : Truncated
        The balanced truncation.
    poles, vectors : (..., r), (..., r, r) complex arrays
        Eigenvalues and eigenvectors of its (possibly perturbed) state matrix.
    C : (..., p, r) complex array, optional
        Output matrix of the modes; that of the truncation by default.
    n_kept : int, optional
        Number of stored states, silent ones at the end where there are fewer; as many
        as there are by default.

    Returns
    -------
    Modes or None
        None if a pole of any item is not stable or its eigenvectors are singular.
    """
    xp = _array.namespace(vectors)
    dense, X = truncated.dense, vectors
    if bool(xp.any(xp.real(exponents_of(poles, dense.time)) >= 0)):
        return None
    inverse = _inverse(X)
    if inverse is None:
        return None
    B = inverse @ _array.to_complex(dense.B)
    if C is None:
        C = _array.to_complex(dense.C) @ X
    left, right = _array.adjoint(inverse), X
    if truncated.real_map:
        # A real pole is stored once, a conjugate pair counts twice in Re(T x_r).
        factor = 1 + xp.astype(xp.imag(poles) > 0, X.dtype)[..., None, :]
        C, right = C * factor, right * factor
    left = _array.to_complex(truncated.left) @ left
    right = _array.to_complex(truncated.right) @ right
    if n_kept is None:
        n_kept = int(xp.max(n_stored(poles, real_map=truncated.real_map)))
    return _stored(truncated, poles, B, C, left, right, n_kept)


def _inverse(X: Array) -> Array:
    """Inverse of eigenvectors; None where they are exactly singular."""
    try:
        return _array.namespace(X).linalg.inv(X)
    except (np.linalg.LinAlgError, RuntimeError):  # the latter is PyTorch's
        return None


def _stored(
    truncated: Truncated,
    poles: Array,
    B: Array,
    C: Array,
    left: Array,
    right: Array,
    n_kept: int,
) -> Modes:
    """Return modes in the readout of the stored system, most dominant first."""
    xp = _array.namespace(B)
    readout, time = truncated.stored_as.readout, truncated.dense.time
    if readout != "complex":
        C = C / (2 * truncated.stored_as.readout_gain)
        if not truncated.real_map:
            left = xp.concat([left, -1j * left], axis=-2)
            right = xp.concat([right, -1j * right], axis=-2)
    exponents = exponents_of(poles, time)
    D = truncated.stored_as.D
    sizes = modal_norms(DiagonalStateSpace(exponents, B, C, D, time, readout))
    if truncated.real_map:
        # Of a conjugate pair the member above the real axis is stored.
        sizes = xp.where(xp.imag(poles) >= 0, sizes, -xp.ones_like(sizes))
    order = xp.argsort(sizes, axis=-1, descending=True)[..., :n_kept]
    exponents = xp.take_along_axis(exponents, order, axis=-1)
    B = _array.take_rows(B, order)
    C, left, right = (_array.take_columns(M, order) for M in (C, left, right))
    kept = xp.take_along_axis(sizes, order, axis=-1) >= 0
    exponents = xp.where(kept, exponents, xp.full_like(exponents, _SILENT_EXPONENT))
    mask = xp.astype(kept, B.dtype)
    B = _array.diagonal_rows(mask, B)
    C, left, right = (_array.diagonal_columns(M, mask) for M in (C, left, right))
    system = DiagonalStateSpace(exponents, B, C, D, time, readout)
    return padded(Modes(system, left, right, truncated.order), n_kept)


def padded(modes: Modes, n_stored: int) -> Modes:
    """Return modes with silent states (b = c = 0) up to a number of stored states.

    Parameters
    ----------
    modes : Modes
        One system's, or a stack's.
    n_stored : int
        The number of stored states wanted; what has more stays as it is.
    """
    system = modes.system
    missing = n_stored - system.n_states
    if missing <= 0:
        return modes
    xp, batch = _array.namespace(system.B), system.batch_shape
    silent = _array.zeros((*batch, missing), system.exponents) + _SILENT_EXPONENT
    rows = _array.zeros((*batch, missing, system.n_inputs), system.B)
    columns = _array.zeros((*batch, system.n_outputs, missing), system.C)
    nothing = _array.zeros((*batch, modes.left.shape[-2], missing), modes.left)
    longer = replace(
        system,
        exponents=xp.concat([system.exponents, silent], axis=-1),
        B=xp.concat([system.B, rows], axis=-2),
        C=xp.concat([system.C, columns], axis=-1),
    )
    left = xp.concat([modes.left, nothing], axis=-1)
    right = xp.concat([modes.right, nothing], axis=-1)
    return replace(modes, system=longer, left=left, right=right)


def storage_error(modes: Modes, storage_eps: float) -> Array:
    """Return the first-order H-infinity error, (...), of rounding stored parameters.

    Parameters
    ----------
    modes : Modes
        The stored modes.
    storage_eps : float
        Machine epsilon of the storage.
    """
    norms = modal_norms(modes.system)
    return storage_eps * _array.namespace(norms).sum(norms, axis=-1)


def pole_rounding(modes: Modes) -> Array:
    """Return the first-order H-infinity error, (...), of rounding in the eigenvalues.

    An eigenvalue is off by about u times the largest; a resonance of norm h with margin
    m to the stability boundary then moves by h / m times that.

    Parameters
    ----------
    modes : Modes
        The stored modes.
    """
    system = modes.system
    norms, margins = modal_norms(system), pole_margins(system)
    xp = _array.namespace(norms)
    if system.n_states == 0:
        return xp.sum(norms, axis=-1)
    largest = xp.max(xp.abs(system.poles), axis=-1)
    moved = _EIGENVALUE_ROUNDINGS * _array.eps(norms) * largest
    return moved * xp.sum(norms / margins, axis=-1)
