"""Conversions between diagonal, conjugate-closed, real and dense systems."""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from hankelcut import _array
from hankelcut._errors import IllConditionedError
from hankelcut._typing import Array
from hankelcut.lti.systems._kinds import require_dense_or_diagonal
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.state_space import StateSpace

__all__ = [
    "conjugate_closure",
    "detached",
    "diagonalize",
    "map_arrays",
    "real_form",
    "to_dense",
]

_System = TypeVar("_System", bound=StateSpace | DiagonalStateSpace)


def conjugate_closure(system: DiagonalStateSpace) -> DiagonalStateSpace:
    r"""Return the system with poles [lambda; conj lambda] that a real readout is.

    Parameters
    ----------
    system : DiagonalStateSpace
        n states with readout "real" or "twice_real".

    Returns
    -------
    DiagonalStateSpace
        2 n states, readout "complex", B = [B; conj B] and C = kappa [C, conj C]: the
        same (real) input-output map.

    Raises
    ------
    InvalidSystemError
        If the readout is "complex".
    """
    xp = _array.namespace(system.B)
    gain = system.readout_gain
    return DiagonalStateSpace(
        xp.concat([system.exponents, xp.conj(system.exponents)], axis=-1),
        xp.concat([system.B, xp.conj(system.B)], axis=-2),
        gain * xp.concat([system.C, xp.conj(system.C)], axis=-1),
        system.D,
        system.time,
    )


def real_form(system: DiagonalStateSpace) -> StateSpace:
    """Return the real system, in [Re x; Im x], of a diagonal one with a real readout.

    Parameters
    ----------
    system : DiagonalStateSpace
        n states with readout "real" or "twice_real" (for inputs that are real).

    Returns
    -------
    StateSpace
        2 n real states with the same input-output map.

    Raises
    ------
    InvalidSystemError
        If the readout is "complex".
    """
    xp = _array.namespace(system.B)
    gain = 2 * system.readout_gain
    poles = system.poles
    real, imag = _diagonal(xp.real(poles)), _diagonal(xp.imag(poles))
    upper = xp.concat([real, -imag], axis=-1)
    A = xp.concat([upper, xp.concat([imag, real], axis=-1)], axis=-2)
    B = xp.concat([xp.real(system.B), xp.imag(system.B)], axis=-2)
    C = gain * xp.concat([xp.real(system.C), -xp.imag(system.C)], axis=-1)
    return StateSpace(A, B, C, system.D, system.time)


def to_dense(system: StateSpace | DiagonalStateSpace) -> StateSpace:
    """Return the same input-output map as a dense system.

    Parameters
    ----------
    system : StateSpace or DiagonalStateSpace
        A dense system is returned as it is; a diagonal one with a real readout becomes
        the real system of `real_form`, another one keeps its complex states.
    """
    require_dense_or_diagonal("to_dense", system)
    if isinstance(system, StateSpace):
        return system
    if system.readout != "complex":
        return real_form(system)
    return StateSpace(
        _diagonal(system.poles), system.B, system.C, system.D, system.time
    )


def detached(system: _System) -> _System:
    """Return the system cut off from what a library recorded for its gradients.

    Parameters
    ----------
    system : StateSpace or DiagonalStateSpace
        Torch tensors may require gradients; other arrays are returned as they are.
    """
    return map_arrays(system, _array.detach)


def map_arrays(system: _System, function: Callable[[Array], Array]) -> _System:
    """Return the system with a function applied to each of its four arrays.

    Parameters
    ----------
    system : StateSpace or DiagonalStateSpace
        The system.
    function : callable
        Takes and returns an array; what it does to the axes must fit together.
    """
    first = "A" if isinstance(system, StateSpace) else "exponents"
    arrays = {k: function(getattr(system, k)) for k in (first, "B", "C", "D")}
    return replace(system, **arrays)


def diagonalize(system: StateSpace) -> DiagonalStateSpace:
    r"""Return the same system in its eigenvectors, readout "complex".

    Parameters
    ----------
    system : StateSpace
        Dense system with n states and a full set of eigenvectors.

    Returns
    -------
    DiagonalStateSpace
        n complex modes, :math:`B = X^{-1}B`, :math:`C = CX`; eigenvectors have norm 1.

    Raises
    ------
    IllConditionedError
        If the condition number of the eigenvectors is above 1/sqrt(u): the system is
        defective or nearly so and has no accurate diagonal form.
    InvalidSystemError
        If an entry is NaN or infinite.
    """
    require_dense_or_diagonal("diagonalize", system)
    _array.require_finite("diagonalize", A=system.A, B=system.B, C=system.C)
    xp = _array.namespace(system.A)
    poles, X = xp.linalg.eig(system.A)
    poles, X = _array.to_complex(poles), _array.to_complex(X)
    if 0 not in X.shape:
        singular = xp.linalg.svdvals(X)
        worst = float(xp.max(singular[..., 0] / singular[..., -1]))
        # Eigenvectors worse than this lose more than half of the digits.
        limit = _array.eps(X) ** -0.5
        if not worst < limit:
            msg = (
                f"diagonalize: the eigenvectors have condition number {worst:.2g}, "
                f"need less than {limit:.2g}: the state matrix is "
                "(nearly) defective; keep the dense system"
            )
            raise IllConditionedError(msg)
    B = xp.linalg.solve(X, _array.to_complex(system.B))
    diagonal = DiagonalStateSpace.from_poles(
        poles, B, _array.to_complex(system.C) @ X, time=system.time
    )
    return replace(diagonal, D=system.D)


def _diagonal(values: Array) -> Array:
    return values[..., :, None] * _array.eye(values.shape[-1], values)
