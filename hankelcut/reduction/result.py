"""The result of a reduction: the model, its bound, and how to measure its error."""

from collections.abc import Callable
from dataclasses import dataclass

from hankelcut import _array
from hankelcut._typing import Array
from hankelcut.lti.gramians.hankel_singular_values import hankel_singular_values
from hankelcut.lti.structure.stability import stability_margin
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.interconnection import error_system
from hankelcut.lti.systems.sparse_state_space import SparseStateSpace
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.reduction.certificate import Certificate, measured_h2, measured_norms

__all__ = ["ErrorBound", "ReductionResult", "storage_tolerance"]

_HANKEL = "Hankel singular values"


def storage_tolerance(eps: float) -> float:
    """Relative error accepted from storing a model in arithmetic of precision eps.

    2.4e-5 in single and 3.7e-11 in double precision: a third of the digits is left for
    the condition of the diagonal form.
    """
    return float(eps ** (2 / 3))


@dataclass(frozen=True, eq=False)
class ErrorBound:
    """What a method promises of its error before anything is measured.

    Parameters
    ----------
    value : (...) array or None
        The bound; None where the method has none.
    quantity : str
        What it bounds.
    condition : str
        When it holds and by whom it was proven, or why there is none.
    error : StateSpace, optional
        Stable system whose H-infinity norm is bounded, where that is not G - G_r.
    """

    value: Array | None
    quantity: str = "H-infinity norm of G - G_r"
    condition: str = "G stable (Enns 1984, Glover 1984; Al-Saggaf & Franklin 1987)"
    error: StateSpace | None = None


@dataclass(frozen=True, eq=False)
class ReductionResult:
    r"""A reduced system and everything that is known about its error.

    Parameters
    ----------
    system : StateSpace or DiagonalStateSpace
        The reduced system, of the array library and dtype of the full one. Balanced
        truncation keeps diagonal systems diagonal; all else is dense.
    order : int
        Its number of states (stored complex states of a diagonal system), unstable ones
        that were kept included.
    characteristic_values : (..., N) array
        All values by which the method ranks states, descending: `values_name` says
        which. N = n, or 2 n for the real map of a diagonal system with a real readout;
        without the unstable states that were kept; of a sparse system those that were
        computed.
    bound : ErrorBound
        The a-priori error bound, what it bounds and when it holds.
    method : str
        Name of the method.
    full : StateSpace, DiagonalStateSpace or SparseStateSpace
        The system that was reduced.
    left_projection, right_projection : (..., N, order) arrays or None
        W and T, for methods that project. Dense and complex readout:
        :math:`x \approx T x_r`, :math:`x_r = W^H x`. Real readouts: the same with
        :math:`[\mathrm{Re}\,x; \mathrm{Im}\,x] \approx \mathrm{Re}(T x_r)`. Sparse:
        :math:`x_r = W^H E x`.
    values_name : str
        What the characteristic values are.
    stable_error : StateSpace or None
        G - G_r, where unstable poles that both have in common cancel in it.
    residuals : callable or None
        Computes the relative residuals of the two matrix equations that were balanced.
    warnings : tuple of str
        What was noticed on the way: ties, ranks, changed orders.
    """

    system: StateSpace | DiagonalStateSpace
    order: int
    characteristic_values: Array
    bound: ErrorBound
    method: str
    full: StateSpace | DiagonalStateSpace | SparseStateSpace
    left_projection: Array | None = None
    right_projection: Array | None = None
    values_name: str = _HANKEL
    stable_error: StateSpace | None = None
    residuals: Callable[[], tuple[Array, Array]] | None = None
    warnings: tuple[str, ...] = ()

    @property
    def error_bound(self) -> Array:
        """The a-priori bound, (...), on what `bound.quantity` says; None without."""
        return self.bound.value

    @property
    def hankel_singular_values(self) -> Array:
        """Hankel singular values, (..., N), of what was reduced.

        Raises
        ------
        UnstableSystemError
            If another kind of value was computed and the full system is not stable.
        """
        if self.values_name == _HANKEL or isinstance(self.full, SparseStateSpace):
            return self.characteristic_values
        return hankel_singular_values(self.full)

    def error_system(self) -> StateSpace | DiagonalStateSpace | SparseStateSpace:
        """Return G - G_r as a system, without unstable poles that cancel in it."""
        if self.stable_error is not None:
            return self.stable_error
        return error_system(self.full, self.system)

    def certify(self, *, rtol: float = 0.01) -> Certificate:
        """Measure the error: H-infinity bracket, H2 norm, stability margin, residuals.

        Parameters
        ----------
        rtol : float
            Relative width wanted of the H-infinity brackets; sparse systems, whose
            lower end is sampled, ignore it.

        Returns
        -------
        Certificate
            The measured errors beside the a-priori bound.
        """
        error, special, bound = self.error_system(), self.bound.error, self.bound.value
        like = self.characteristic_values
        own_bound = bound if special is None else None
        bracket, upper_end, h2 = measured_norms(
            error, self.system, own_bound, rtol, like
        )
        bounded = bracket
        if special is not None:
            bounded, _, _ = measured_norms(special, self.system, bound, rtol, like)
        margin = stability_margin(self.system)
        slack = self._slack(margin)
        return Certificate(
            bracket,
            upper_end,
            measured_h2(error, like) if h2 is None else h2,
            bound,
            bounded,
            margin,
            None if bound is None else bounded.lower <= bound + slack,
            None if self.residuals is None else self.residuals(),
        )

    def _slack(self, margin: Array) -> Array:
        """Return what rounding may add to a measured error.

        Rounding moves poles by about eps times the norm of the state matrix, and gains
        of twice the largest value by that over the distance from the boundary.
        """
        largest = self.characteristic_values[..., :1]
        xp, eps = _array.namespace(largest), _array.eps(largest)
        moved = 4 * eps * self._pole_size()
        inside = margin > 0
        shift = xp.where(inside, moved / xp.where(inside, margin, 1.0), 0.0)
        return xp.sum(largest, axis=-1) * (storage_tolerance(eps) + shift)

    def _pole_size(self) -> Array:
        """Return the size, (...), to which the poles of the model are rounded."""
        system = self.system
        if isinstance(system, StateSpace):
            xp = _array.namespace(system.A)
            return xp.linalg.matrix_norm(system.A) * system.n_states**0.5
        xp = _array.namespace(system.exponents)
        return xp.linalg.vector_norm(system.exponents, axis=-1)
