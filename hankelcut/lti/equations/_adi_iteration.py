"""The low-rank ADI iteration: shifts, shared factorizations, stopping and failures."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NoReturn

from hankelcut._errors import ConvergenceError, UnstableSystemError
from hankelcut._parallel import one_blas_thread
from hankelcut.lti.equations._adi_equation import AdiEquation
from hankelcut.lti.equations._adi_settings import AdiSettings
from hankelcut.lti.equations._adi_shifts import projection_shifts, unstable_value
from hankelcut.lti.equations.low_rank_factor import LowRankFactor
from hankelcut.lti.systems import _sparse_lu
from hankelcut.lti.systems._sparse_lu import Dense, Factorization, SparseMatrix

__all__ = ["solve_together"]

# Residuals of stable but non-normal pencils may grow for some steps; 1e6 in W.
_GROWTH_LIMIT = 1e12
# Part of the residual that is left when a sequence of shifts was of little use.
_STALL = 0.9
# How far the measured residual may be above the tolerance: compression uses a tenth of
# it, the power iteration that measures is right to a few percent.
_RESIDUAL_SLACK = 2.0
# Rounding errors of the measured residual, in units of u |A| |E| |Z|^2.
_ROUNDINGS = 100.0


def solve_together(
    A: SparseMatrix,
    E: SparseMatrix,
    sources: Sequence[tuple[Dense, bool]],
    settings: AdiSettings,
) -> list[LowRankFactor]:
    """Solve equations of one pencil; every factorization serves all.

    Parameters
    ----------
    A, E : (n, n) sparse matrices
        The pencil, as `checked_pencil` returns it.
    sources : sequence of (B, adjoint)
        Right-hand sides; adjoint ones belong to the equation of A^H and E^H.
    settings : AdiSettings
        Tolerance, limits and shifts; discrete ones are those of Stein equations.

    Returns
    -------
    list of LowRankFactor
        One for each source.

    Raises
    ------
    UnstableSystemError
        If a pole on or outside the stability boundary is found.
    ConvergenceError
        If the tolerance is not reached, or a factor does not have the residual that
        the iteration promises.
    """
    solve = _solve_stein if settings.discrete else _solve_lyapunov
    return solve(A, E, sources, settings)


def _iterate(
    A: SparseMatrix,
    E: SparseMatrix,
    equations: Sequence[AdiEquation],
    settings: AdiSettings,
) -> list[complex]:
    """Take steps until all equations are solved; return their shifts."""
    used: list[complex] = []
    pending: list[complex] = []
    before = math.inf
    while live := [equation for equation in equations if not equation.converged]:
        worst = max(equation.relative_residual for equation in live)
        if len(used) >= settings.max_iterations or not worst < _GROWTH_LIMIT:
            _fail(live, len(used), settings)
        if not pending:
            if worst > _STALL * before:
                _require_no_unstable_value(live, settings)
            before = worst
            chosen = settings.shifts or projection_shifts(A, E, live, taken=len(used))
            pending = list(chosen)
        used.append(complex(pending.pop(0)))
        lu = _factorized(A, E, used[-1], settings)
        for equation in live:
            equation.step(used[-1], lu)
        if settings.progress is not None:
            residuals = [equation.relative_residual for equation in equations]
            settings.progress(len(used), max(residuals))
    return used


def _solve_stein(
    A: SparseMatrix,
    E: SparseMatrix,
    sources: Sequence[tuple[Dense, bool]],
    settings: AdiSettings,
) -> list[LowRankFactor]:
    """Solve Stein equations of one pencil as Lyapunov equations of A - E, A + E."""
    root = math.sqrt(2)
    doubled = [(root * B, adjoint) for B, adjoint in sources]
    return [
        replace(solution, residual_factor=solution.residual_factor / root)
        for solution in _solve_lyapunov(A - E, A + E, doubled, settings)
    ]


def _solve_lyapunov(
    A: SparseMatrix,
    E: SparseMatrix,
    sources: Sequence[tuple[Dense, bool]],
    settings: AdiSettings,
) -> list[LowRankFactor]:
    equations = [
        AdiEquation(A, E, B, adjoint=adjoint, tol=settings.tol)
        for B, adjoint in sources
    ]
    # The factorizations call BLAS for small blocks only.
    with one_blas_thread():
        used = _iterate(A, E, equations, settings)
        return [_finished(equation, used, settings) for equation in equations]


def _factorized(
    A: SparseMatrix, E: SparseMatrix, shift: complex, settings: AdiSettings
) -> Factorization:
    """LU of A + shift E, which is regular when the pencil is stable."""
    pencil = A + (shift.real if shift.imag == 0 else shift) * E
    try:
        return _sparse_lu.factorize(_sparse_lu.csc(pencil))
    except _sparse_lu.SingularMatrixError:
        _raise_unstable(-shift, settings)


def _fail(
    equations: Sequence[AdiEquation], iterations: int, settings: AdiSettings
) -> NoReturn:
    """Say why the iteration failed: an unstable pole, or slow convergence."""
    _require_no_unstable_value(equations, settings)
    reached = max(equation.relative_residual for equation in equations)
    grown = not reached < _GROWTH_LIMIT
    advice = (
        "the pencil is unstable or far from normal; check its poles, or pass shifts"
        if grown
        else "raise max_iterations or tol, or pass shifts that suit the spectrum"
    )
    msg = (
        f"{settings.caller}: relative residual {reached:.2g} after {iterations} "
        f"iterations, need {settings.tol:.2g}; {advice}"
    )
    raise ConvergenceError(msg)


def _require_no_unstable_value(
    equations: Sequence[AdiEquation], settings: AdiSettings
) -> None:
    value = unstable_value(equations)
    if value is not None:
        _raise_unstable(value, settings)


def _raise_unstable(value: complex, settings: AdiSettings) -> NoReturn:
    pole = settings.pole(value)
    shown = (
        f"abs(pole) - 1 = {abs(pole) - 1:.3g}, need abs(pole) < 1"
        if settings.discrete
        else f"Re(pole) = {pole.real:.3g} rad/s, need Re(pole) < 0"
    )
    msg = (
        f"{settings.caller}: pole {pole:.6g} is not stable: {shown}; remove or "
        "stabilise it first"
    )
    raise UnstableSystemError(msg)


def _finished(
    equation: AdiEquation, used: Sequence[complex], settings: AdiSettings
) -> LowRankFactor:
    """Compress the factor, measure its residual and refuse it if that is too large."""
    factor = equation.factor()
    residual = equation.measured_residual()
    limit = _RESIDUAL_SLACK * settings.tol + _ROUNDINGS * equation.rounding()
    if not residual <= limit:
        msg = (
            f"{settings.caller}: the factor has relative residual {residual:.2g}, need "
            f"{limit:.2g}: the shifted systems were solved too inaccurately; scale the "
            "states so that the rows of A and E have similar sizes"
        )
        raise ConvergenceError(msg)
    iterations = len(equation.history) - 1
    return LowRankFactor(
        factor,
        residual,
        iterations,
        tuple(used[:iterations]),
        tuple(equation.history),
        equation.residual_factor,
    )
