r"""Other choices of the states that a cut keeps, for comparison.

**Method.** ``"smallest"`` and ``"random"`` keep states of the balanced realisation that
have the smallest Hankel singular values, or random ones: with
:math:`A \Sigma A^H + B B^H = \Sigma` every principal block of it is stable
(ablations of Chahine et al., ICLR 2026). ``"hinf"`` and ``"energy"`` keep states as
they are, by the score of each alone:
:math:`(\|c_i\|\|b_i\| / (1 - |\lambda_i|))^2`, the squared H-infinity norm of a mode
(LAST: Gwak et al., NeurIPS 2024), and
:math:`\|c_i\|^2\|b_i\|^2 / (1 - |\lambda_i|^2)`, the energy of its impulse response
(AIRE-Prune: Padhy et al., ICLR 2026). No choice but the largest values has an a-priori
bound that is worth having: errors are to be measured.
"""

from dataclasses import replace
from typing import Literal, TypeAlias

import numpy as np

from hankelcut import _array
from hankelcut._errors import IllConditionedError, InvalidSystemError
from hankelcut._typing import Array, Float
from hankelcut.lti.gramians._structured_cholesky import displacement
from hankelcut.lti.norms.modal_norms import modal_norms
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.reduction.balancing.balancing import Balancing
from hankelcut.reduction.balancing.stored_modes import (
    Modes,
    eigenvectors,
    modes_of,
    n_stored,
    project,
    storage_error,
)
from hankelcut.reduction.result import storage_tolerance

__all__ = ["StateScore", "StateSelection", "modal_scores", "selected_modes"]

StateScore: TypeAlias = Literal["hinf", "energy"]
"""By what single states are ranked: see `modal_scores`."""

StateSelection: TypeAlias = Literal["largest", "smallest", "random", "hinf", "energy"]
"""Which states a cut keeps: those of the largest Hankel singular values, or an ablation
(the smallest, random ones) or pruning by scores of single states."""


def modal_scores(
    system: DiagonalStateSpace, score: StateScore
) -> Float[Array, "*batch n"]:
    """Scores of single states.

    Parameters
    ----------
    system : DiagonalStateSpace
        Stable system.
    score : {"hinf", "energy"}
        Squared H-infinity norm, or energy of the impulse response, of each mode.

    Returns
    -------
    scores : (..., n) real array
        Squared gains, up to a factor that all have in common.
    """
    xp = _array.namespace(system.B)
    if score == "hinf":
        return modal_norms(system) ** 2
    own = xp.real(displacement(system.exponents, system.exponents, system.time))
    rows = xp.linalg.vector_norm(system.B, axis=-1)
    columns = xp.linalg.vector_norm(system.C, axis=-2)
    return (rows * columns) ** 2 / own


def selected_modes(
    balancing: Balancing,
    full: DiagonalStateSpace,
    count: int,
    selection: StateSelection,
    *,
    seed: int,
    storage_eps: float,
    caller: str,
) -> Modes:
    """Keep a number of stored states by another choice than the largest values.

    Parameters
    ----------
    balancing : Balancing
        Of the system.
    full : DiagonalStateSpace
        The system as it is stored; for ``"smallest"`` and ``"random"`` one system.
    count : int
        Number of stored states to keep. Of balanced states a few less where their poles
        come out real.
    selection : {"smallest", "random", "hinf", "energy"}
        The choice.
    seed : int
        Decides random ones, with the number of states.
    storage_eps : float
        Machine epsilon of the arithmetic in which the result will be stored.
    caller : str
        Name for messages.

    Returns
    -------
    Modes
        The stored states and the projections onto them.

    Raises
    ------
    InvalidSystemError
        If balanced states of a stack of systems are asked for.
    IllConditionedError
        If no such choice can be stored.
    """
    if selection in ("hinf", "energy"):
        return _of_single_states(full, count, modal_scores(full, selection))
    if full.batch_shape:
        msg = f"{caller}: got selection={selection!r} for a bank of channels, need one "
        raise InvalidSystemError(msg + "system; use 'hinf' or 'energy'")
    spectrum = balancing.spectrum()
    rank = spectrum.numerical_rank
    if selection == "smallest":
        order = np.arange(rank)[::-1]
    else:
        order = np.random.default_rng([seed, full.n_states, count]).permutation(rank)
    chosen = _rearranged(balancing, order)
    accuracy = storage_tolerance(storage_eps) * spectrum.values[0]
    truncated = project(chosen, full, min(2 * count, rank))
    balanced_order = truncated.order
    while balanced_order > 0:
        block = truncated.leading(balanced_order)
        poles, vectors = eigenvectors(block.dense.A)
        excess = int(n_stored(poles, real_map=block.real_map)) - count
        modes = None if excess > 0 else modes_of(block, poles, vectors)
        if modes is not None and float(storage_error(modes, storage_eps)) <= accuracy:
            return modes
        balanced_order -= max(1, excess)
    msg = f"{caller}: no choice of {count} {selection} states can be stored accurately"
    raise IllConditionedError(msg)


def _of_single_states(full: DiagonalStateSpace, count: int, scores: Array) -> Modes:
    """Return the states of the largest scores, as they are."""
    xp = _array.namespace(full.B)
    order = xp.argsort(scores, axis=-1, descending=True)[..., :count]
    identity = _array.eye(full.n_states, full.B)
    identity = xp.broadcast_to(identity, (*full.batch_shape, *identity.shape))
    if full.readout != "complex":
        identity = xp.concat([identity, -1j * identity], axis=-2)
    columns = _array.take_columns(identity, order)
    system = replace(
        full,
        exponents=xp.take_along_axis(full.exponents, order, axis=-1),
        B=_array.take_rows(full.B, order),
        C=_array.take_columns(full.C, order),
    )
    return Modes(system, columns, columns, balanced_order=count)


def _rearranged(balancing: Balancing, order: Array) -> Balancing:
    """Return a balancing whose first states are others than those of largest values."""
    index = _array.indices(order.tolist(), balancing.values)
    return replace(
        balancing,
        values=_array.take_items(balancing.values, index),
        uncertainty=_array.take_items(balancing.uncertainty, index),
        left_vectors=_array.take_columns(balancing.left_vectors, index),
        right_vectors=_array.take_columns(balancing.right_vectors, index),
    )
