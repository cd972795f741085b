r"""Balanced truncation of diagonal systems back to stored diagonal states.

**Method.** The balanced system of order r (real for the real map) is diagonalised; of
each conjugate pair one stored state is kept, a real pole is a stored state of its own
with half the output gain, so that r real states take (r + n_real) / 2 stored ones. The
diagonal form is accepted only if storing it is harmless: the rounding of the storage
times :math:`\sum_i \|c_i\|\|b_i\| / (1 - |\lambda_i|)` must stay below a tenth of the
error bound (or a few digits of :math:`\sigma_1`). Where eigenvalues nearly collide, the
ladder is: neighbouring orders; a small perturbation that separates them, with C
refitted in the H2 norm; refusal. No diagonal form is returned unverified.
"""

from dataclasses import dataclass, replace

from hankelcut import _array
from hankelcut._errors import IllConditionedError
from hankelcut._typing import Array
from hankelcut.lti._structured_cholesky import displacement
from hankelcut.lti.conversions import to_dense
from hankelcut.lti.diagonal_state_space import DiagonalStateSpace, exponents_of
from hankelcut.lti.interconnection import error_system
from hankelcut.lti.peak_gain import peak_gain
from hankelcut.lti.state_space import StateSpace
from hankelcut.lti.time_domain import Continuous
from hankelcut.reduction.balancing import Balancing
from hankelcut.reduction.order_selection import HankelSpectrum, OrderTarget
from hankelcut.reduction.result import storage_tolerance

__all__ = ["Modes", "truncate_to_modes"]

_TOO_MANY_STATES = "too many states"
_COLLIDED = "collided poles"
# Orders tried beyond the first fitting one before poles are perturbed.
_NEIGHBOURS = 4
# Share of the a-priori bound that storage rounding, or a perturbation, may add.
_SHARE_OF_BOUND = 0.1
# Perturbations tried, as powers of the storage precision: a pair of poles that collide
# is best separated by its cube root (double pole: error u / gap + gap^2), larger
# clusters by more.
_PERTURBATION_POWERS = (1 / 2, 1 / 3, 1 / 5)


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
    notes : tuple of str
        What was noticed on the way.
    """

    system: DiagonalStateSpace
    left: Array
    right: Array
    balanced_order: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class _Truncated:
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

    def leading(self, order: int) -> "_Truncated":
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


def truncate_to_modes(
    balancing: Balancing,
    stored_as: DiagonalStateSpace,
    target: OrderTarget,
    *,
    storage_eps: float,
    caller: str,
) -> Modes | None:
    """Truncate one balanced diagonal system to the order of a target.

    Parameters
    ----------
    balancing : Balancing
        Of an unbatched diagonal system.
    stored_as : DiagonalStateSpace
        The full system as it is stored: readout, feedthrough, number of states.
    target : OrderTarget
        A fixed order counts stored states.
    storage_eps : float
        Machine epsilon of the arithmetic in which the result will be stored.
    caller : str
        Name for messages.

    Returns
    -------
    Modes or None
        The stored states; None when there is nothing to remove: the target needs every
        stored state.

    Raises
    ------
    ToleranceNotAttainableError, ValueError
        As `OrderTarget.select`.
    IllConditionedError
        If no admissible order has a diagonal form that can be stored accurately.
    """
    spectrum, n = balancing.spectrum(), stored_as.n_states
    if target.order is None:
        most = n - 1
        selection = target.select(spectrum, caller)
        last = min(spectrum.numerical_rank, selection.order + _NEIGHBOURS)
        orders = range(selection.order, max(last, selection.order) + 1)
    else:
        most = target.order
        if most > n:
            msg = f"{caller}: got order={most}, need at most the {n} stored states"
            raise ValueError(msg)
        values_per_state = len(spectrum.values) // max(n, 1)
        wanted = OrderTarget(order=values_per_state * most)
        selection = wanted.select(spectrum, caller)
        orders = range(selection.order, -1, -1)
    if most == n:
        return None
    truncated = _project(balancing, stored_as, max(orders))
    modes = _search(truncated, orders, most, spectrum, storage_eps)
    if isinstance(modes, Modes):
        return replace(modes, notes=(*selection.notes, *modes.notes))
    if target.order is None and modes == _TOO_MANY_STATES:
        return None
    msg = (
        f"{caller}: the reduced systems of order {orders[0]} and its neighbours are "
        "(nearly) defective: no diagonal form can be stored with precision "
        f"{storage_eps:.1g} within the error bound; choose another order or tolerance"
    )
    raise IllConditionedError(msg)


def _search(
    truncated: _Truncated,
    orders: range,
    most: int,
    spectrum: HankelSpectrum,
    storage_eps: float,
) -> Modes | str:
    """Return the first modes of a range of orders that fit and can be stored."""
    bounds = spectrum.error_bounds()
    accuracy = storage_tolerance(storage_eps) * max(spectrum.values, default=0.0)
    collided: list[tuple[_Truncated, float]] = []
    order = orders[0]
    while order in orders and len(collided) <= _NEIGHBOURS:
        block = truncated.leading(order)
        poles, vectors = _eigenvectors(block.dense.A)
        stored = _n_stored(poles, real_map=block.real_map)
        if stored > most:
            if orders.step > 0:
                return _TOO_MANY_STATES
            # Real poles take a stored state each: step by their share, less a little.
            order -= max(1, order * (stored - most) // stored - 2)
            continue
        modes = _modes(block, poles, vectors)
        allowed = max(_SHARE_OF_BOUND * bounds[order], accuracy)
        if modes is not None and _storage_error(modes, storage_eps) <= allowed:
            return _noted(modes, orders[0]) if orders.step > 0 else modes
        collided.append((block, allowed))
        order += orders.step
    for block, allowed in collided:
        modes = _separated_modes(block, most, storage_eps, allowed)
        if modes is not None:
            return modes
    return _COLLIDED


def _eigenvectors(A: Array) -> tuple[Array, Array]:
    """Eigenvalues, in exact conjugate pairs when A is real, and eigenvectors."""
    values, vectors = _array.namespace(A).linalg.eig(A)
    return _array.to_complex(values), _array.to_complex(vectors)


def _n_stored(poles: Array, *, real_map: bool) -> int:
    """Return stored states that poles take: one per conjugate pair or real pole."""
    if not real_map:
        return int(poles.shape[0])
    xp = _array.namespace(poles)
    return int(xp.sum(xp.astype(xp.imag(poles) >= 0, xp.int64)))


def _noted(modes: Modes, wanted: int) -> Modes:
    if modes.balanced_order == wanted:
        return modes
    note = f"order {wanted} has nearly colliding poles that cannot be stored accurately"
    return replace(modes, notes=(f"{note}; took {modes.balanced_order}",))


def _project(
    balancing: Balancing, stored_as: DiagonalStateSpace, order: int
) -> _Truncated:
    """Balanced matrices of the largest order wanted."""
    system = balancing.system
    T, W = balancing.projections(order)
    A, B, C = _apply(system, T, W)
    dense = StateSpace(A, B, C, None, stored_as.time)
    return _Truncated(dense, W, T, stored_as)


def _apply(
    system: StateSpace | DiagonalStateSpace, T: Array, W: Array
) -> tuple[Array, Array, Array]:
    """W^H A T, W^H B and C T without forming the 2 n x 2 n matrix of the real map."""
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


def _modes(
    truncated: _Truncated, poles: Array, vectors: Array, *, refit: bool = False
) -> Modes | None:
    """Return stored modes from eigenvectors; None if a pole is not stable."""
    xp = _array.namespace(vectors)
    dense, X = truncated.dense, vectors
    exponents = exponents_of(poles, dense.time)
    if bool(xp.any(xp.real(exponents) >= 0)):
        return None
    inverse = xp.linalg.inv(X)
    B = inverse @ _array.to_complex(dense.B)
    C = _array.to_complex(dense.C) @ X
    if refit:
        C = _refitted(truncated, poles, exponents, B)
    left, right = _array.adjoint(inverse), X
    factor = _array.to_real(poles) * 0 + 1
    if truncated.real_map:
        kept = xp.imag(poles) >= 0
        exponents, B, C = exponents[kept], B[kept, :], C[:, kept]
        left, right = left[:, kept], right[:, kept]
        # A real pole is stored once, a conjugate pair counts twice in Re(T x_r).
        factor = xp.where(xp.imag(poles[kept]) > 0, 2 * factor[kept], factor[kept])
    factor = xp.astype(factor, X.dtype)
    C, right = C * factor, right * factor
    left = _array.to_complex(truncated.left) @ left
    right = _array.to_complex(truncated.right) @ right
    return _stored(truncated, exponents, B, C, left, right)


def _stored(
    truncated: _Truncated,
    exponents: Array,
    B: Array,
    C: Array,
    left: Array,
    right: Array,
) -> Modes:
    """Modes in the readout of the stored system, most dominant first."""
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
    by_dominance = xp.flip(xp.argsort(_mode_norms(system)))
    left = xp.take(left, by_dominance, axis=1)
    right = xp.take(right, by_dominance, axis=1)
    system = replace(
        system,
        exponents=xp.take(system.exponents, by_dominance, axis=0),
        B=xp.take(system.B, by_dominance, axis=0),
        C=xp.take(system.C, by_dominance, axis=1),
    )
    return Modes(system, left, right, truncated.order)


def _mode_norms(system: DiagonalStateSpace) -> Array:
    """H-infinity norms of the single complex states, (r,)."""
    xp = _array.namespace(system.B)
    norms = xp.linalg.vector_norm(system.B, axis=1)
    norms = norms * xp.linalg.vector_norm(system.C, axis=0)
    if system.readout != "complex":
        norms = 2 * system.readout_gain * norms
    real = xp.real(system.exponents)
    continuous = isinstance(system.time, Continuous)
    return norms / (-real if continuous else -xp.expm1(real))


def _storage_error(modes: Modes, storage_eps: float) -> float:
    """First-order H-infinity error of rounding the stored parameters."""
    norms = _mode_norms(modes.system)
    return storage_eps * float(_array.namespace(norms).sum(norms))


def _separated_modes(
    truncated: _Truncated, most: int, storage_eps: float, allowed: float
) -> Modes | None:
    """Modes of a perturbed A, C refitted, if their measured error is allowed."""
    xp = _array.namespace(truncated.dense.A)
    A = truncated.dense.A
    rows = xp.cumulative_sum(_array.to_real(A[:, 0]) * 0 + 1)
    generic = xp.cos(rows[:, None] * (2 * rows[None, :] - 1))
    generic = xp.astype(generic / xp.linalg.matrix_norm(generic), A.dtype)
    for power in _PERTURBATION_POWERS:
        size = storage_eps**power * float(xp.linalg.matrix_norm(A, ord=2))
        poles, vectors = _eigenvectors(A + size * generic)
        if _n_stored(poles, real_map=truncated.real_map) > most:
            continue
        modes = _modes(truncated, poles, vectors, refit=True)
        if modes is None:
            continue
        if _storage_error(modes, storage_eps) > allowed:
            continue
        stored = replace(modes.system, D=0 * modes.system.D)
        if not truncated.real_map and stored.readout != "complex":
            gain = 2 * stored.readout_gain
            stored = replace(stored, C=gain * stored.C, readout="complex")
        error, _ = peak_gain(error_system(truncated.dense, to_dense(stored)))
        if float(error) <= allowed:
            note = f"order {truncated.order}: nearly colliding poles were separated by "
            return replace(modes, notes=(note + "a perturbation of its system",))
    return None


def _refitted(truncated: _Truncated, poles: Array, exponents: Array, B: Array) -> Array:
    """Output matrix of given modes that is best in the H2 norm: C X P^-1."""
    xp = _array.namespace(B)
    dense = truncated.dense
    A = _array.to_complex(dense.A)
    conjugate = xp.conj(poles)[:, None, None]
    identity = _array.eye(dense.n_states, A)
    right = _array.to_complex(dense.B) @ _array.adjoint(B)
    right = xp.matrix_transpose(right)[..., None]
    if isinstance(dense.time, Continuous):
        cross = xp.linalg.solve(A + conjugate * identity, -right)
    else:
        cross = xp.linalg.solve(identity - conjugate * A, right)
    cross = xp.matrix_transpose(cross[..., 0])
    denominators = displacement(exponents[:, None], exponents[None, :], dense.time)
    P = (B @ _array.adjoint(B)) / denominators
    fitted = xp.linalg.solve(P, _array.adjoint(_array.to_complex(dense.C) @ cross))
    return _array.adjoint(fitted)
