"""What is asked of another toolbox, and what it may answer."""

import importlib
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

import numpy as np

from hankelcut._errors import HankelcutError, MissingDependencyError
from hankelcut.lti.gramians.gramian_factors import gramian_factors
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.lti.systems.time_domain import Discrete

__all__ = [
    "Answer",
    "Fault",
    "NotAvailableError",
    "Peer",
    "Problem",
    "Quantity",
    "imported",
    "roots_of_gramians_fault",
]

Matrix: TypeAlias = np.ndarray[Any, np.dtype[Any]]
Quantity: TypeAlias = Literal[
    "poles",
    "frequency response",
    "Lyapunov solution",
    "Gramians",
    "Hankel singular values",
    "H2 norm",
    "H-infinity norm",
    "balanced truncation",
]
"""What is compared."""

Answer: TypeAlias = Matrix | StateSpace | float
"""Values in an array, a reduced model, or a norm. Gramians are stacked: P, then Q."""


class NotAvailableError(HankelcutError):
    """A question that a toolbox has no answer to; the message is the reason."""


@dataclass(frozen=True, eq=False)
class Problem:
    """One system, and what is asked about it.

    Parameters
    ----------
    system : StateSpace
        One dense system of NumPy arrays in double precision.
    order : int
        Number of states that balanced truncation keeps.
    frequencies : (k,) array
        Where the frequency response is evaluated: rad/s, or radians per sample.
    rtol : float
        The relative difference that still is agreement.
    """

    system: StateSpace
    order: int
    frequencies: Matrix
    rtol: float = 1e-6

    @property
    def discrete(self) -> bool:
        """Whether the system is discrete."""
        return isinstance(self.system.time, Discrete)

    @property
    def is_complex(self) -> bool:
        """Whether a matrix of the system is complex."""
        names = ("A", "B", "C", "D")
        return any(np.iscomplexobj(getattr(self.system, name)) for name in names)

    @property
    def points(self) -> Matrix:
        """Where the transfer function is evaluated, on the stability boundary."""
        turned = 1j * self.frequencies
        return np.exp(turned) if self.discrete else turned


@dataclass(frozen=True)
class Fault:
    """A mistake that a toolbox is known to make.

    Parameters
    ----------
    reason : str
        What is wrong, and of which version it is known.
    floor : float
        The answer is right to the tolerance for values above this share of the largest:
        those are compared all the same. Nothing is by default.
    """

    reason: str
    floor: float = float("inf")


@runtime_checkable
class Peer(Protocol):
    """Another toolbox."""

    @property
    def title(self) -> str:
        """Name for people."""
        ...

    def answer(self, quantity: Quantity, problem: Problem) -> Answer:
        """Compute a quantity.

        Raises
        ------
        NotAvailableError
            If the toolbox does not have it for such systems.
        MissingDependencyError
            If the toolbox is not installed.
        """
        ...

    def fault(self, quantity: Quantity, problem: Problem) -> Fault | None:
        """Return the known mistake of the toolbox that this question meets, if any."""
        ...


def imported(name: str) -> Any:
    """Import an optional package.

    Raises
    ------
    MissingDependencyError
        If it is not installed; names the extra.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        package = name.split(".", maxsplit=1)[0]
        msg = f"{package} is not installed; pip install 'hankelcut[validation]'"
        raise MissingDependencyError(msg) from error


def roots_of_gramians_fault(toolbox: str, problem: Problem) -> Fault:
    r"""Return the fault of values that are roots of full Gramians.

    Such values are off by about :math:`\epsilon \|P\| \|Q\| / \sigma`: those above
    :math:`(100\,n\,\epsilon\,\|P\| \|Q\| / r)^{1/2}` are right to a tolerance r.
    """
    factors = gramian_factors(problem.system)
    Lc, Lo = factors.controllability, factors.observability
    sizes = [float(np.linalg.norm(L, 2)) for L in (Lc, Lo)]
    largest = float(np.linalg.norm(Lo.conj().T @ Lc, 2))
    eps = float(np.finfo(np.float64).eps)
    share = (100 * problem.system.n_states * eps / problem.rtol) ** 0.5
    floor = share * sizes[0] * sizes[1] / largest if largest > 0 else 0.0
    reason = (
        f"{toolbox} takes roots of full Gramians, where values below about "
        f"{floor:.0e} of the largest may be lost"
    )
    return Fault(reason, floor)
