"""Balancing: Hankel singular values and the projections of every order."""

import math
from dataclasses import dataclass, fields, replace
from typing import Literal, TypeAlias

import numpy as np

from hankelcut import _array
from hankelcut._parallel import map_in_threads
from hankelcut._typing import Array
from hankelcut.lti.equations.lyapunov_equation import LyapunovEquation
from hankelcut.lti.gramians._graded_singular_values import graded_singular_values
from hankelcut.lti.gramians._square_root_projections import square_root_projections
from hankelcut.lti.gramians.gramian_factors import (
    GramianFactors,
    GramianMethod,
    gramian_factors,
    require_solvable,
)
from hankelcut.lti.systems._kinds import require_dense_or_diagonal
from hankelcut.lti.systems.conversions import detached, to_dense
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.reduction.order_selection import HankelSpectrum
from hankelcut.reduction.reduction_method import require_choice

__all__ = ["Balancing", "StateMap", "balance", "balance_factors"]

StateMap: TypeAlias = Literal["real", "complex"]
"""What is balanced for a diagonal system with a real readout: see `balance`."""

# Values with all their digits take a second decomposition: a few percent of the time
# of a balancing up to this size.
_MOST_GRADED_VALUES = 64
# Entries of the generators of the systems that one core works on at a time.
_ENTRIES_PER_PART = 4096


@dataclass(frozen=True, eq=False)
class Balancing:
    """Hankel singular values of a system and what its projections are made of.

    Parameters
    ----------
    system : StateSpace or DiagonalStateSpace
        The balanced system: for the real map of a real readout its N = 2 n states are
        [Re x; Im x]; for the complex map its readout is "complex" and C is 2 kappa C.
    values : (..., N) real array
        All Hankel singular values, descending.
    uncertainty : (..., N) real array
        How far each may be off.
    controllability, observability : (..., N, K) arrays
        Factors Lc, Lo of the Gramians, K <= N.
    left_vectors, right_vectors : (..., K, k) arrays
        U and V of the decomposition Lo^H Lc = U diag(values) V^H without the vectors of
        values that are zero by the shapes of the factors.
    """

    system: StateSpace | DiagonalStateSpace
    values: Array
    uncertainty: Array
    controllability: Array
    observability: Array
    left_vectors: Array
    right_vectors: Array

    def __getitem__(self, index: int | tuple[int, ...]) -> "Balancing":
        """Return the balancing at an index of the batch axes."""
        whole = (*(index if isinstance(index, tuple) else (index,)), ...)
        arrays = {k: v[whole] for k, v in vars(self).items() if k != "system"}
        return Balancing(self.system[index], **arrays)

    def spectrum(self) -> HankelSpectrum:
        """Return the values of one (unbatched) system on the host."""
        return HankelSpectrum.from_arrays(self.values, self.uncertainty)

    def projections(self, order: int) -> tuple[Array, Array]:
        r"""Square-root projections (Tombs & Postlethwaite, IJC 46, 1987, p. 1319).

        Parameters
        ----------
        order : int
            Number of values to keep; columns of values beyond the numerical rank mean
            nothing.

        Returns
        -------
        T, W : (..., N, order) arrays
            :math:`T = L_c V S^{-1/2}`, :math:`W = L_o U S^{-1/2}` with
            :math:`W^H T = I`; the reduced state matrix is :math:`W^H A T`.
        """
        xp = _array.namespace(self.values)
        known = min(order, int(self.left_vectors.shape[-1]))
        T, W = square_root_projections(
            self.controllability,
            self.observability,
            self.left_vectors[..., :known],
            self.values[..., :known],
            self.right_vectors[..., :known],
        )
        nothing = _array.zeros((*T.shape[:-1], order - known), T)
        return xp.concat([T, nothing], axis=-1), xp.concat([W, nothing], axis=-1)

    def residuals(
        self, right_sides: tuple[Array, Array] | None = None
    ) -> tuple[Array, Array]:
        """Relative residuals of the Lyapunov equations that both Gramians solve.

        Parameters
        ----------
        right_sides : tuple of two (..., N, N) arrays, optional
            X and Y of A P + P A^H + X = 0 and A^H Q + Q A + Y = 0, or of their discrete
            analogues; B B^H and C^H C by default.

        Returns
        -------
        controllability, observability : (...) real arrays
            See `LyapunovEquation.residual`.
        """
        system = to_dense(self.system)
        equation = LyapunovEquation(system.A, system.time, caller="residuals")
        Lc, Lo = self.controllability, self.observability
        B, Ch = system.B, _array.adjoint(system.C)
        X, Y = right_sides or (B @ _array.adjoint(B), Ch @ _array.adjoint(Ch))
        return (
            equation.residual(Lc @ _array.adjoint(Lc), X),
            equation.residual(Lo @ _array.adjoint(Lo), Y, dual=True),
        )


def balance(
    system: StateSpace | DiagonalStateSpace,
    *,
    map: StateMap = "real",
    gramians: GramianMethod = "structured",
    caller: str = "balance",
) -> Balancing:
    r"""Decompose a system, or a stack of them, for balanced truncation to any order.

    Parameters
    ----------
    system : StateSpace or DiagonalStateSpace
        Stable system.
    map : {"real", "complex"}
        For diagonal systems with a real readout. ``"real"`` balances the 2 n real
        states of the input-output map; ``"complex"`` the n complex states, whose tail
        sums are never smaller (an ablation: the way of Chahine et al., ICLR 2026).
    gramians : {"structured", "closed_form"}
        For diagonal systems: see `hankelcut.lti.gramian_factors`.
    caller : str
        Name in error messages.

    Returns
    -------
    Balancing
        Values, factors and singular vectors; `projections(order)` cuts them.

    Raises
    ------
    InvalidSystemError
        If an entry is NaN or infinite.
    UnstableSystemError
        If a pole is on or outside the stability boundary.
    """
    require_dense_or_diagonal(caller, system)
    require_choice(caller, "map", map, StateMap)
    system = detached(system)
    if (
        map == "complex"
        and isinstance(system, DiagonalStateSpace)
        and system.readout != "complex"
    ):
        gain = 2 * system.readout_gain
        system = replace(system, C=gain * system.C, readout="complex")
    is_stack = bool(system.batch_shape) and 0 not in system.batch_shape
    on_cores = is_stack and _array.is_numpy(system.B)
    if on_cores and isinstance(system, DiagonalStateSpace):
        require_solvable(caller, system)
        parts = _parts(system)
        balancings = map_in_threads(
            lambda part: _balance(part, gramians, caller), parts
        )
        return _rejoined(system, balancings)
    return _balance(system, gramians, caller)


def _parts(system: DiagonalStateSpace) -> list[DiagonalStateSpace]:
    """Pieces of a stack, with one batch axis, that stay in a core's cache."""
    n, m, p = system.n_states, system.n_inputs, system.n_outputs
    axes, count = len(system.batch_shape), math.prod(system.batch_shape)
    exponents, B, C, D = (
        np.reshape(array, (count, *array.shape[axes:]))
        for array in (system.exponents, system.B, system.C, system.D)
    )
    step = max(1, _ENTRIES_PER_PART // max(1, n * max(1, min(n, m), min(n, p))))
    pieces = [slice(k, k + step) for k in range(0, count, step)]
    return [
        replace(system, exponents=exponents[k], B=B[k], C=C[k], D=D[k]) for k in pieces
    ]


def _balance(
    system: StateSpace | DiagonalStateSpace, gramians: GramianMethod, caller: str
) -> Balancing:
    factors = gramian_factors(system, gramians=gramians, caller=caller)
    return _decomposed(system, factors)


def balance_factors(system: StateSpace, Lc: Array, Lo: Array) -> Balancing:
    """Balance any pair of Gramians that is known by its factors.

    Parameters
    ----------
    system : StateSpace
        System with n states.
    Lc, Lo : (..., n, K) arrays
        Factors of the two Gramians, :math:`P = L_cL_c^H` and :math:`Q = L_oL_o^H`.
    """
    return _decomposed(system, GramianFactors.of_dense(Lc, Lo))


def _decomposed(
    system: StateSpace | DiagonalStateSpace, factors: GramianFactors
) -> Balancing:
    Lc, Lo = factors.controllability, factors.observability
    xp = _array.namespace(Lc, Lo)
    product = _array.adjoint(Lo) @ Lc
    U, values, Vh = xp.linalg.svd(product, full_matrices=False)
    if values.shape[-1] <= _MOST_GRADED_VALUES:
        values = graded_singular_values(product)
    values = factors.with_zeros(values)
    doubt = factors.uncertainty(values)
    return Balancing(system, values, doubt, Lc, Lo, U, _array.adjoint(Vh))


def _rejoined(system: DiagonalStateSpace, parts: list[Balancing]) -> Balancing:
    """Return the balancing of a stack of systems from those of its pieces."""
    joined = {
        field.name: np.concatenate([getattr(part, field.name) for part in parts])
        for field in fields(Balancing)
        if field.name != "system"
    }
    shape = system.batch_shape
    arrays = {k: np.reshape(v, (*shape, *v.shape[1:])) for k, v in joined.items()}
    return Balancing(system, **arrays)
