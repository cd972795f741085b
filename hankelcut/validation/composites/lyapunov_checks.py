"""What a solver of Lyapunov or Stein equations must do."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hankelcut.lti.systems.time_domain import TimeDomain
from hankelcut.validation.composites._examples import Example
from hankelcut.validation.composites.check import (
    DEFAULT_EXAMPLES,
    REFUSED,
    Check,
    call,
    call_or_refuse,
    run_check,
    selected,
)
from hankelcut.validation.invariants._host import Matrix, host, host_array
from hankelcut.validation.invariants.equations import (
    check_lyapunov_accuracy,
    check_lyapunov_definiteness,
    check_lyapunov_duality,
    check_lyapunov_factor,
    check_lyapunov_homogeneity,
    check_lyapunov_residual,
)
from hankelcut.validation.invariants.violation import Property
from hankelcut.validation.strategies._lattice import hypothesis_strategies
from hankelcut.validation.strategies.stable_systems import stable_systems
from hankelcut.validation.strategies.unstable_systems import unstable_systems

__all__ = [
    "LYAPUNOV_CHECKS",
    "LyapunovSubject",
    "check_lyapunov_solver",
    "lyapunov_checks",
]


@dataclass(frozen=True)
class LyapunovSubject:
    """A solver, and which equation it solves.

    Parameters
    ----------
    function : callable
        (A, Q) -> X, or (A, B) -> L with X = L L^H when factored.
    time : Continuous or Discrete
        A X + X A^H + Q = 0, or A X A^H - X + Q = 0.
    factored : bool
        Whether it gets and returns factors.
    """

    function: Callable[[Any, Any], Any]
    time: TimeDomain
    factored: bool = False

    @property
    def name(self) -> str:
        """Name of the function."""
        return getattr(self.function, "__name__", type(self.function).__name__)

    def solve(self, A: Matrix, B: Matrix, check: str) -> Matrix:
        """Return X for the right side B B^H."""
        if self.factored:
            L = self.raw(A, B, check)
            return np.asarray(L @ L.conj().T)
        return self.raw(A, B @ B.conj().T, check)

    def raw(self, A: Matrix, right: Matrix, check: str) -> Matrix:
        """Call the solver on copies; what it returns has the shape of an answer."""
        case = {"A": A, ("B" if self.factored else "Q"): right}
        found: Matrix = call(
            lambda: host_array(self.function(A.copy(), right.copy())), check, case
        )
        n, shape = len(A), found.shape
        prop = Property(check, "a solution is a matrix of finite numbers")
        need = f"({n}, k)" if self.factored else f"({n}, {n})"
        fits = len(shape) == 2 and shape[0] == n and (self.factored or shape[1] == n)
        prop.require(fits, f"got an answer of shape {shape}, need {need}", case)
        finite = bool(np.isfinite(found).all())
        prop.require(finite, "the answer has entries that are not finite", case)
        return found


def check_lyapunov_solver(
    function: Callable[[Any, Any], Any],
    *,
    time: TimeDomain,
    factored: bool = False,
    checks: Iterable[str] | None = None,
    max_examples: int = DEFAULT_EXAMPLES,
    seed: int | None = None,
) -> None:
    """Try to break a solver of Lyapunov or Stein equations.

    Parameters
    ----------
    function : callable
        (A, Q) -> X with A X + X A^H + Q = 0 (continuous) or A X A^H - X + Q = 0
        (discrete); when factored (A, B) -> L with X = L L^H and Q = B B^H. It gets
        stable NumPy matrices, real and complex, in double precision.
    time : Continuous or Discrete
        Which equation.
    factored : bool
        Whether it gets and returns factors.
    checks : iterable of str, optional
        Names in `LYAPUNOV_CHECKS`; all by default.
    max_examples : int
        Number of examples of each check.
    seed : int, optional
        Start of the random numbers; always the same ones by default.

    Raises
    ------
    InvariantViolationError
        If a check fails: its message has the smallest example that was found.
    MissingDependencyError
        If hypothesis is not installed.
    ValueError
        If a check is unknown.

    Examples
    --------
    >>> import hankelcut as hc
    >>> from hankelcut.lti import continuous_lyapunov
    >>> check_lyapunov_solver(
    ...     continuous_lyapunov, time=hc.Continuous(), max_examples=5
    ... )
    """
    __tracebackhide__ = True
    subject = LyapunovSubject(function, time, factored)
    for check in lyapunov_checks(subject, checks):
        run_check(check, subject, max_examples=max_examples, seed=seed)


def lyapunov_checks(
    subject: LyapunovSubject, checks: Iterable[str] | None
) -> list[Check]:
    """Return the checks of a solver by name, by default all for its kind.

    Parameters
    ----------
    subject : LyapunovSubject
        The solver.
    checks : iterable of str, optional
        Names in `LYAPUNOV_CHECKS`.
    """
    if checks is not None:
        return selected(LYAPUNOV_CHECKS, {}, checks, "check_lyapunov_solver")
    other = "right_side" if subject.factored else "refusal"
    return [check for name, check in LYAPUNOV_CHECKS.items() if name != other]


def _residual(subject: LyapunovSubject, example: Example) -> None:
    system = host(example.system)
    if subject.factored:
        L = subject.raw(system.A, system.B, "check_lyapunov_factor")
        check_lyapunov_factor(system.A, system.B, L, time=subject.time)
        return
    X = subject.solve(system.A, system.B, "check_lyapunov_residual")
    Q = system.B @ system.B.conj().T
    check_lyapunov_residual(system.A, Q, X, time=subject.time)


def _right_side(subject: LyapunovSubject, example: Example) -> None:
    """Hermitian right sides of any sign."""
    system = host(example.system)
    G = example.rng.integers(-9, 10, system.A.shape) / 4
    Q = G + G.T + (system.B @ system.B.conj().T)
    X = subject.raw(system.A, Q, "check_lyapunov_residual")
    check_lyapunov_residual(system.A, Q, X, time=subject.time)
    check_lyapunov_accuracy(system.A, Q, X, time=subject.time)


def _accuracy(subject: LyapunovSubject, example: Example) -> None:
    system = host(example.system)
    X = subject.solve(system.A, system.B, "check_lyapunov_accuracy")
    Q = system.B @ system.B.conj().T
    check_lyapunov_accuracy(system.A, Q, X, time=subject.time)


def _definiteness(subject: LyapunovSubject, example: Example) -> None:
    system = host(example.system)
    X = subject.solve(system.A, system.B, "check_lyapunov_definiteness")
    Q = system.B @ system.B.conj().T
    check_lyapunov_definiteness(system.A, Q, X, time=subject.time)


def _duality(subject: LyapunovSubject, example: Example) -> None:
    system, name = host(example.system), "check_lyapunov_duality"
    adjoint, C = system.A.conj().T, system.C.conj().T
    X, Y = subject.solve(system.A, system.B, name), subject.solve(adjoint, C, name)
    Q, W = system.B @ system.B.conj().T, C @ C.conj().T
    check_lyapunov_duality(system.A, Q, X, W, Y, time=subject.time)


def _homogeneity(subject: LyapunovSubject, example: Example) -> None:
    system, name = host(example.system), "check_lyapunov_homogeneity"
    A, B = system.A, system.B
    X, Q = subject.solve(A, B, name), B @ B.conj().T
    for exponent in (-100, 100):
        factor = float(2.0 ** (exponent // 2))
        scaled = subject.solve(A, factor * B, name)
        check_lyapunov_homogeneity(A, Q, X, scaled, exponent=exponent)


def _untouched(subject: LyapunovSubject, example: Example) -> None:
    system = host(example.system)
    right = system.B if subject.factored else system.B @ system.B.conj().T
    given = (system.A.copy(), right.copy())
    prop = Property("inputs_untouched", "inputs are never written into")
    case = {"A": system.A, "right_side": right}
    call(lambda: subject.function(*given), prop.check, case)
    for what, found, expected in zip("AQ", given, (system.A, right), strict=True):
        same = found.dtype == expected.dtype and np.array_equal(found, expected)
        prop.require(same, f"{what} was changed", case)


def _refusal(subject: LyapunovSubject, example: Example) -> None:
    system = host(example.system)
    A, B = system.A, system.B
    found = call_or_refuse(
        lambda: host_array(subject.function(A.copy(), B.copy())),
        "check_lyapunov_factor",
        {"A": A, "B": B},
    )
    # Where no unstable state is reached, there may be a solution.
    if found is not REFUSED:
        check_lyapunov_factor(A, B, found, time=subject.time, unique=False)


def _stable(subject: LyapunovSubject) -> Any:
    strategies = hypothesis_strategies()
    systems = stable_systems(time=subject.time)
    return strategies.builds(Example, systems, seed=strategies.integers(0, 9))


def _unstable(subject: LyapunovSubject) -> Any:
    systems = unstable_systems(time=subject.time, max_states=4)
    return hypothesis_strategies().builds(Example, systems)


LYAPUNOV_CHECKS: Mapping[str, Check] = {
    check.name: check
    for check in (
        Check(
            "residual",
            _residual,
            _stable,
            "the solution solves the equation",
            "another sign of Q; A^T or A^H on the wrong side; a plain transpose where "
            "an adjoint is needed, which only complex matrices show",
        ),
        Check(
            "right_side",
            _right_side,
            _stable,
            "right sides of any sign are solved",
            "the right side was factored, or replaced by its positive part",
        ),
        Check(
            "accuracy",
            _accuracy,
            _stable,
            "the solution agrees with the one by Kronecker products",
            "an iteration that stops early, single precision on the way, or a complex "
            "result for real matrices",
        ),
        Check(
            "definiteness",
            _definiteness,
            _stable,
            "the solution of a stable equation is positive semidefinite",
            "an error in the sign, or in the order of the factors",
        ),
        Check(
            "duality",
            _duality,
            _stable,
            "trace(W X) = trace(Q Y) for the equation and its adjoint",
            "lambda where its conjugate is needed",
        ),
        Check(
            "homogeneity",
            _homogeneity,
            _stable,
            "a right side times a power of two gives that multiple of the solution",
            "jitter, or a tolerance that is an absolute number",
        ),
        Check(
            "inputs_untouched",
            _untouched,
            _stable,
            "the arguments are not written into",
            "an in-place operation, or overwrite_a=True",
        ),
        Check(
            "refusal",
            _refusal,
            _unstable,
            "an unstable A has no factor and is refused",
            "roots of negative numbers, clipped to zero or left as NaN",
        ),
    )
}
"""Every check of a solver by name."""
