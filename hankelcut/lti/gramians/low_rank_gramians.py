"""Low-rank factors of both Gramians of a large sparse system."""

from dataclasses import dataclass

import numpy as np

from hankelcut.lti.equations._adi_iteration import solve_together
from hankelcut.lti.equations._adi_settings import AdiSettings, Progress
from hankelcut.lti.equations.low_rank_factor import LowRankFactor
from hankelcut.lti.systems._sparse_lu import Dense
from hankelcut.lti.systems.sparse_state_space import SparseStateSpace
from hankelcut.lti.systems.time_domain import Discrete

__all__ = [
    "LowRankGramians",
    "hankel_product",
    "low_rank_gramian_factors",
    "sparse_h2_norm",
    "sparse_hankel_values",
]


@dataclass(frozen=True, eq=False)
class LowRankGramians:
    r"""Factors of both Gramians of a sparse system.

    Parameters
    ----------
    controllability : LowRankFactor
        Z_c with :math:`P \approx Z_cZ_c^H`.
    observability : LowRankFactor
        Z_o with :math:`Q \approx E^HZ_oZ_o^HE`.
    """

    controllability: LowRankFactor
    observability: LowRankFactor


def low_rank_gramian_factors(
    system: SparseStateSpace,
    *,
    tol: float = 1e-12,
    max_iterations: int = 500,
    progress: Progress | None = None,
    caller: str = "low_rank_gramian_factors",
) -> LowRankGramians:
    r"""Low-rank factors of both Gramians, from one sequence of sparse factorizations.

    Continuous: :math:`APE^H + EPA^H + BB^H = 0`, :math:`A^HYE + E^HYA + C^HC = 0`;
    discrete: :math:`APA^H - EPE^H + BB^H = 0`, :math:`A^HYA - E^HYE + C^HC = 0`; the
    observability Gramian is :math:`Q = E^HYE`.

    Parameters
    ----------
    system : SparseStateSpace
        Stable system with few inputs and outputs.
    tol : float
        Relative residual to reach in both equations. The Hankel singular values are
        mostly right to about `tol` times the largest, at least to its square root.
    max_iterations : int
        Largest number of sparse factorizations.
    progress : callable, optional
        Called as progress(iteration, relative_residual), with the larger residual.
    caller : str
        Name in error messages.

    Returns
    -------
    LowRankGramians
        The factors of P and Y with their residuals.

    Raises
    ------
    UnstableSystemError
        If a pole on or outside the stability boundary is met. Unstable poles that are
        neither controllable nor observable are not met.
    ConvergenceError
        If the tolerance is not reached.

    Notes
    -----
    **Method.** `low_rank_adi` or `low_rank_smith` for both equations in step: the LU
    factorization of a shift serves the one and, adjoint, the other.
    """
    settings = AdiSettings(
        caller,
        tol,
        max_iterations,
        progress=progress,
        discrete=isinstance(system.time, Discrete),
    )
    sources = [(system.B, False), (system.C.conj().T, True)]
    return LowRankGramians(*solve_together(system.A, system.E, sources, settings))


def hankel_product(system: SparseStateSpace, factors: LowRankGramians) -> Dense:
    """Z_o^H E Z_c, whose singular values are the Hankel singular values.

    Parameters
    ----------
    system : SparseStateSpace
        The system.
    factors : LowRankGramians
        Factors of its Gramians.
    """
    Zc, Zo = factors.controllability.factor, factors.observability.factor
    product: Dense = Zo.conj().T @ (system.E @ Zc)
    return product


def sparse_hankel_values(system: SparseStateSpace, caller: str) -> Dense:
    """Hankel singular values that the low-rank factors hold, descending.

    Parameters
    ----------
    system : SparseStateSpace
        Stable system.
    caller : str
        Name in error messages.
    """
    factors = low_rank_gramian_factors(system, caller=caller)
    values: Dense = np.linalg.svd(hankel_product(system, factors), compute_uv=False)
    return values


def sparse_h2_norm(system: SparseStateSpace, caller: str) -> Dense:
    """H2 norm, from the low-rank factor of the controllability Gramian.

    Parameters
    ----------
    system : SparseStateSpace
        Stable system.
    caller : str
        Name in error messages.
    """
    discrete = isinstance(system.time, Discrete)
    if not discrete and system.D.any():
        return np.asarray(np.inf)
    settings = AdiSettings(caller, discrete=discrete)
    source = (system.B, False)
    Zc = solve_together(system.A, system.E, [source], settings)[0].factor
    return np.asarray(np.hypot(np.linalg.norm(system.C @ Zc), np.linalg.norm(system.D)))
