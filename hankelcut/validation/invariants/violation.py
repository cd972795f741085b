"""The error of every check: what was found and expected, and the case to replay."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hankelcut import _array
from hankelcut._errors import HankelcutError
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.state_space import StateSpace

__all__ = [
    "InvariantViolationError",
    "Property",
    "constructor",
]


class InvariantViolationError(HankelcutError, AssertionError):
    """A property that must hold does not; the message rebuilds the system.

    Parameters
    ----------
    message : str
        What was found and expected, and the case.
    usual_cause : str, optional
        What is wrong with most functions that fail in this way, where it is another
        thing than the check's own.
    """

    def __init__(self, message: str = "", usual_cause: str | None = None) -> None:
        super().__init__(message)
        self.usual_cause = usual_cause


@dataclass(frozen=True)
class Property:
    """One property, as the messages of its check speak of it.

    Parameters
    ----------
    check : str
        Name of the function that checks it.
    source : str
        The property in words, with author and year.
    """

    check: str
    source: str

    def require(
        self, holds: bool | np.bool_, fact: str, case: Mapping[str, Any]
    ) -> None:
        """Raise `InvariantViolationError` unless a fact holds.

        Parameters
        ----------
        holds : bool
            Whether it does.
        fact : str
            What was found and expected, with the tolerance.
        case : mapping
            Systems, arrays and numbers to paste to see it again, by their names.
        """
        if not holds:
            raise self.violation(fact, case)

    def violation(
        self, fact: str, case: Mapping[str, Any], usual_cause: str | None = None
    ) -> InvariantViolationError:
        """Return the error that says a fact.

        Parameters
        ----------
        fact : str
            What was found and expected.
        case : mapping
            As of `require`.
        usual_cause : str, optional
            As of `InvariantViolationError`.
        """
        lines = [f"{self.check}: {fact}", f"(property: {self.source})"]
        lines += [f"{name} = {_source(item)}" for name, item in case.items()]
        return InvariantViolationError("\n".join(lines), usual_cause)

    def require_close(
        self,
        what: str,
        found: Any,
        expected: Any,
        tolerance: float,
        case: Mapping[str, Any],
    ) -> None:
        """Require two arrays to have one shape and entries closer than a tolerance.

        Parameters
        ----------
        what : str
            What they are.
        found, expected : arrays
            The numbers.
        tolerance : float
            Largest difference of two entries.
        case : mapping
            As of `require`.
        """
        ours, theirs = np.asarray(expected), np.asarray(found)
        if ours.shape != theirs.shape:
            fact = f"{what} has shape {theirs.shape}, expected {ours.shape}"
            self.require(False, fact, case)
        worst = float(np.max(np.abs(ours - theirs), initial=0.0))
        fact = (
            f"{what}: found {_shown(theirs)}, expected {_shown(ours)}: they differ by "
            f"{worst:.3g}, allowed {tolerance:.3g}"
        )
        # Written so that NaN fails, and infinity.
        self.require(worst <= tolerance and np.isfinite(worst), fact, case)


def constructor(system: StateSpace | DiagonalStateSpace) -> str:
    """Python source that rebuilds a system exactly, with ``np`` and ``hc`` imported.

    Parameters
    ----------
    system : StateSpace or DiagonalStateSpace
        The system, of any array library in host memory.
    """
    diagonal = isinstance(system, DiagonalStateSpace)
    names = ("exponents" if diagonal else "A", "B", "C", "D")
    arguments = [_array_source(getattr(system, name)) for name in names]
    arguments.append(f"time=hc.{system.time!r}")
    if isinstance(system, DiagonalStateSpace):
        arguments.append(f"readout={system.readout!r}")
    inner = "".join(f"    {argument},\n" for argument in arguments)
    return f"hc.{type(system).__name__}(\n{inner})"


def _array_source(array: Any) -> str:
    values = _array.to_numpy(array)
    rows = repr(values.tolist()).replace("nan", "np.nan").replace("inf", "np.inf")
    dtype = values.dtype.name
    if values.size:
        return f"np.array({rows}, dtype=np.{dtype})"
    return f"np.zeros({values.shape}, dtype=np.{dtype})"


def _source(subject: Any) -> str:
    """Source of a system, an array or a number."""
    if isinstance(subject, StateSpace | DiagonalStateSpace):
        return constructor(subject).rstrip()
    return repr(subject) if np.ndim(subject) == 0 else _array_source(subject)


def _shown(values: Any) -> str:
    """Format an array in a few lines at most."""
    return np.array2string(values, precision=6, threshold=20, separator=", ")
