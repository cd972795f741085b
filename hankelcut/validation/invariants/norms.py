"""Properties of the H-infinity, H2 and Hankel norms.

Beside every relative tolerance, what rounding leaves of terms that cancel is allowed:
100 eps times the size of the terms, which `norm_size` tells; for norms that are roots,
it is their squares that may be off by 100 eps times the square of the size.
"""

from typing import Any, Literal, TypeAlias

import numpy as np

from hankelcut.lti.norms.hinf_norm import HinfBracket, hinf_norm
from hankelcut.lti.responses.frequency_response import frequency_response
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.lti.systems.time_domain import Continuous
from hankelcut.validation.invariants._host import (
    ROUNDING,
    Matrix,
    energy_size,
    gramians,
    hankel_size,
    spectrum,
)
from hankelcut.validation.invariants.violation import Property

__all__ = [
    "Norm",
    "check_norm_chain",
    "check_norm_first_order",
    "check_norm_grid",
    "check_norm_inequality",
    "check_norm_value",
    "norm_interval",
    "norm_size",
]

Norm: TypeAlias = Literal["hinf", "h2", "hankel"]
"""Which norm."""

_SOURCES = {
    "hinf": "largest gain over all frequencies, Boyd & Balakrishnan 1990",
    "h2": "energy of the impulse response, trace(C P C^H), Zhou et al. 1996",
    "hankel": "largest Hankel singular value, Glover 1984",
}


def norm_interval(found: Any) -> tuple[float, float]:
    """Return the ends of a norm that is a number or a bracket.

    Parameters
    ----------
    found : HinfBracket, number or array without axes
        What a function of norms returned.
    """
    if isinstance(found, HinfBracket):
        return float(found.lower), float(found.upper)
    return float(found), float(found)


def norm_size(system: StateSpace, norm: Norm) -> float:
    """Return the size of the terms that add up to a norm, without the feedthrough.

    Parameters
    ----------
    system : StateSpace
        A stable NumPy system.
    norm : {"hinf", "h2", "hankel"}
        Which norm: the product of the norms of the factors Lc and Lo of both Gramians,
        or of the H2 norm the larger one of those of C and Lc, and of B and Lo.
    """
    return energy_size(system) if norm == "h2" else hankel_size(system)


def check_norm_value(
    system: StateSpace, found: Any, *, norm: Norm, rtol: float = 1e-6
) -> None:
    """Check a norm against its definition.

    Parameters
    ----------
    system : StateSpace
        A stable NumPy system with few states.
    found : number or HinfBracket
        The norm to check.
    norm : {"hinf", "h2", "hankel"}
        Which one: compared with a certified bracket of the largest gain, with the
        Gramian by Kronecker products (infinite for a continuous feedthrough), or with
        the root of the largest eigenvalue of P Q from Kronecker products.
    rtol : float
        Allowed relative difference.

    Raises
    ------
    InvariantViolationError
        If the norm is further off, or an end of a bracket is on the wrong side.
    """
    lower, upper = norm_interval(found)
    least, most = _reference(system, norm, rtol)
    prop = Property("check_norm_value", _SOURCES[norm])
    slack = _slack(system, norm, least, rtol)
    holds = least - slack <= upper and lower <= most + slack and lower <= upper
    fact = (
        f"the {norm} norm is [{lower:.10g}, {upper:.10g}], expected "
        f"[{least:.10g}, {most:.10g}], allowed relative difference {rtol:.0e} "
        f"(absolute {slack:.3g})"
    )
    prop.require(holds, fact, {"system": system})


def check_norm_grid(
    system: StateSpace, found: Any, frequencies: Any, *, rtol: float = 1e-9
) -> None:
    """Check that no gain on a grid is above an H-infinity norm.

    Parameters
    ----------
    system : StateSpace
        A stable NumPy system.
    found : number or HinfBracket
        The norm to check, by its upper end.
    frequencies : (F,) array
        The grid, in rad/s (continuous) or radians per sample (discrete).
    rtol : float
        Allowed relative excess.

    Raises
    ------
    InvariantViolationError
        If a gain is larger.
    """
    _, upper = norm_interval(found)
    grid = np.asarray(frequencies, dtype=float)
    gains = np.linalg.norm(frequency_response(system, grid), ord=2, axis=(-2, -1))
    k = int(np.argmax(gains))
    prop = Property("check_norm_grid", _SOURCES["hinf"])
    fact = (
        f"the gain at {grid[k]:.6g} is {gains[k]:.10g}, above the norm {upper:.10g} "
        f"(allowed relative excess {rtol:.0e})"
    )
    allowed = upper * (1 + rtol) + ROUNDING * hankel_size(system)
    prop.require(gains[k] <= allowed, fact, {"system": system})


def check_norm_first_order(
    system: StateSpace, found: Any, *, norm: Norm, rtol: float = 1e-6
) -> None:
    r"""Check the norm of one state without feedthrough against its formula.

    With :math:`\beta = \|b\|\|c\|`: hinf :math:`\beta/|\mathrm{Re}\,\lambda|` or
    :math:`\beta/(1 - |\lambda|)`; h2 :math:`\beta/\sqrt{2|\mathrm{Re}\,\lambda|}` or
    :math:`\beta/\sqrt{1 - |\lambda|^2}`; hankel :math:`\beta/(2|\mathrm{Re}\,\lambda|)`
    or :math:`\beta/(1 - |\lambda|^2)`, continuous or discrete.

    Parameters
    ----------
    system : StateSpace
        A stable NumPy system with one state and D = 0.
    found : number or HinfBracket
        The norm to check.
    norm : {"hinf", "h2", "hankel"}
        Which one.
    rtol : float
        Allowed relative difference.

    Raises
    ------
    InvariantViolationError
        If it is another.
    """
    pole = complex(system.A[0, 0])
    gain = float(np.linalg.norm(system.B) * np.linalg.norm(system.C))
    if isinstance(system.time, Continuous):
        distance, gap = -pole.real, -2 * pole.real
    else:
        distance, gap = 1 - abs(pole), 1 - abs(pole) ** 2
    expected = gain / {"hinf": distance, "h2": gap**0.5, "hankel": gap}[norm]
    lower, upper = norm_interval(found)
    prop = Property("check_norm_first_order", _SOURCES[norm])
    fact = f"the {norm} norm is [{lower:.10g}, {upper:.10g}], expected {expected:.10g}"
    slack = rtol * expected
    holds = lower - slack <= expected <= upper + slack
    prop.require(holds, f"{fact}, allowed relative {rtol:.0e}", {"system": system})


def check_norm_chain(
    system: StateSpace, *, hankel: float, hinf: Any, rtol: float = 1e-9
) -> None:
    r"""Check :math:`\sigma_1 \le \|G\|_\infty \le \|D\| + 2 \sum_k \sigma_k`.

    Parameters
    ----------
    system : StateSpace
        A stable NumPy system.
    hankel : float
        Its Hankel norm.
    hinf : number or HinfBracket
        Its H-infinity norm.
    rtol : float
        Allowed relative excess.

    Raises
    ------
    InvariantViolationError
        If one of the inequalities, or :math:`\|D\| \le \|G\|_\infty`, does not hold.
    """
    lower, upper = norm_interval(hinf)
    gain = float(np.linalg.norm(system.D, 2)) if system.D.size else 0.0
    most = (gain + 2 * float(np.sum(spectrum(system)))) * (1 + rtol)
    prop = Property("check_norm_chain", "Enns 1984, Glover 1984")
    fact = (
        f"need max(|D| = {gain:.10g}, Hankel norm {hankel:.10g}) <= H-infinity norm "
        f"[{lower:.10g}, {upper:.10g}] <= |D| + 2 sum = {most:.10g}"
    )
    rounding = ROUNDING * hankel_size(system)
    above = max(gain, hankel) <= upper * (1 + rtol) + rounding
    holds = above and lower <= most + rounding
    prop.require(holds, fact, {"system": system})


def check_norm_inequality(
    parts: Any,
    combined: Any,
    limit: float,
    *,
    rule: str,
    rtol: float = 1e-6,
    size: float = 0.0,
) -> None:
    """Check that the norm of a combination of systems is within the rule's limit.

    Parameters
    ----------
    parts : tuple of StateSpace
        The systems that were combined.
    combined : number or HinfBracket
        The norm of the combination.
    limit : float
        What it may be: the sum of the norms of a sum (any norm), or the product of the
        H-infinity norms of a series connection.
    rule : str
        Which of them, for the message.
    rtol : float
        Allowed relative excess.
    size : float
        Size of the terms that add up to the combination, as of `norm_size`: what their
        rounding leaves of a norm that is a root, the square root of 100 eps times it,
        is allowed too.

    Raises
    ------
    InvariantViolationError
        If it is larger.
    """
    lower, _ = norm_interval(combined)
    prop = Property("check_norm_inequality", f"{rule}, Zhou et al. 1996")
    fact = f"the norm is {lower:.10g}, allowed {limit:.10g} (relative {rtol:.0e})"
    case = {f"system_{k + 1}": part for k, part in enumerate(parts)}
    allowed = limit * (1 + rtol) + ROUNDING**0.5 * size
    prop.require(lower <= allowed, fact, case)


def _slack(system: StateSpace, norm: Norm, value: float, rtol: float) -> float:
    """Return the allowed difference from a value: a relative one, and rounding."""
    if not np.isfinite(value):
        return 0.0
    size = norm_size(system, norm)
    if norm == "hinf":
        return rtol * value + ROUNDING * size
    return float(np.hypot((1 + rtol) * value, ROUNDING**0.5 * size)) - value


def _reference(system: StateSpace, norm: Norm, rtol: float) -> tuple[float, float]:
    """Return the ends between which the exact norm lies."""
    if norm == "hinf":
        bracket = hinf_norm(system, rtol=min(rtol, 1e-6))
        return float(bracket.lower), float(bracket.upper)
    if norm == "h2":
        value = _h2(system)
        return value, value
    P, Q = gramians(system)
    squares = np.linalg.eigvals(P @ Q).real
    value = float(np.sqrt(np.max(squares, initial=0.0)))
    return value, value


def _h2(system: StateSpace) -> float:
    D = system.D
    if isinstance(system.time, Continuous) and D.any():
        return float("inf")
    P: Matrix = gramians(system)[0]
    energy = np.trace(system.C @ P @ system.C.conj().T).real + np.linalg.norm(D) ** 2
    return float(np.sqrt(max(float(energy), 0.0)))
