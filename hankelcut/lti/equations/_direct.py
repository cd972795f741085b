"""Equations of host matrices by their Schur forms, one system after the other."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeAlias

import numpy as np

from hankelcut._errors import IllConditionedError
from hankelcut.lti.equations._pole_checks import require_regular, require_stable_poles
from hankelcut.lti.equations._schur_form import SchurForm, schur_form
from hankelcut.lti.equations._schur_hammarling import factor_in_schur_form
from hankelcut.lti.equations._schur_lyapunov import solve_in_schur_form
from hankelcut.lti.equations._schur_sylvester import Matrix
from hankelcut.lti.systems.time_domain import TimeDomain

__all__ = ["DirectSolver", "Index", "require_range"]

Index: TypeAlias = tuple[int, ...]


class DirectSolver:
    """Solver of the equations of one or many state matrices that keeps Schur forms.

    Parameters
    ----------
    A : (..., n, n) array
        State matrices; indices are those of batch axes with which its own broadcast.
    time : Continuous or Discrete
        The time domain.
    caller : str
        Name of the public function, for messages.
    """

    def __init__(self, A: Matrix, time: TimeDomain, caller: str) -> None:
        self._A, self._time, self._caller = A, time, caller
        self._forms: dict[Index, SchurForm] = {}
        self._lock = threading.Lock()

    def form(self, index: Index) -> SchurForm:
        """Schur form of the state matrix of an equation, made once."""
        sizes = self._A.shape[:-2]
        own = index[len(index) - len(sizes) :]
        index = tuple(k if size > 1 else 0 for k, size in zip(own, sizes, strict=True))
        with self._lock:
            known = self._forms.get(index)
        if known is not None:
            return known
        form = schur_form(self._A[index])
        with self._lock:
            return self._forms.setdefault(index, form)

    def solution(self, index: Index, Q: Matrix, *, dual: bool) -> Matrix:
        """Solve one equation, unfactored; see `LyapunovEquation.solve`."""
        form = self.form(index)
        require_regular(self._caller, form.poles, self._time, _where(index))
        with self._guard(index):
            X = solve_in_schur_form(form.dual() if dual else form, Q, self._time)
            require_range(X)
        return X

    def factors(self, index: Index, B: Matrix, C: Matrix) -> tuple[Matrix, Matrix]:
        """Factors of both Gramians of one system, without columns that are zero."""
        form = self.form(index)
        require_stable_poles(self._caller, form.poles, self._time, _where(index))
        with self._guard(index):
            Lc = factor_in_schur_form(form, B, self._time)
            Lo = factor_in_schur_form(form.dual(), C.conj().T, self._time)
            require_range(Lc, Lo)
        return Lc, Lo

    @contextmanager
    def _guard(self, index: Index) -> Iterator[None]:
        """Name the equation in what is raised where its solution cannot be had."""
        try:
            with np.errstate(over="ignore", invalid="ignore"):
                yield
        except (np.linalg.LinAlgError, OverflowError) as error:
            dtype, where = self._A.dtype, _where(index)
            fault = (
                f"the solution{where} leaves the range"
                if isinstance(error, OverflowError)
                else f"the equation{where} is singular to the rounding"
            )
            narrow = np.finfo(dtype).bits < np.finfo(np.float64).bits
            advice = (
                "convert the system to double precision" if narrow else "rescale it"
            )
            msg = (
                f"{self._caller}: {fault} of {dtype} (strongly non-normal state "
                f"matrix, or data of extreme size); {advice}"
            )
            raise IllConditionedError(msg) from error


def require_range(*results: Matrix) -> None:
    """Raise `OverflowError` unless all entries are finite.

    Parameters
    ----------
    *results : arrays
        What was computed from finite data.
    """
    if not all(np.isfinite(result).all() for result in results):
        msg = "the solution leaves the range of its dtype"
        raise OverflowError(msg)


def _where(index: Index) -> str:
    if not index:
        return ""
    return f" of batch item {index[0] if len(index) == 1 else index}"
