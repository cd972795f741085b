"""One system in several toolboxes, number by number."""

import math
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, TypeAlias, get_args

from hankelcut import _array
from hankelcut._errors import HankelcutError, InvalidSystemError
from hankelcut.lti.systems._kinds import require_dense_or_diagonal
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.validation.invariants._host import host
from hankelcut.validation.peers import PEERS, Answer, Fault, Problem, Quantity
from hankelcut.validation.peers._differences import (
    relative_difference,
    residuals,
    size,
)
from hankelcut.validation.peers._own_answers import own_answer, posed
from hankelcut.validation.peers.peer import NotAvailableError

__all__ = ["CrossCheck", "CrossCheckRow", "Verdict", "cross_check"]

Verdict: TypeAlias = Literal[
    "agrees", "differs", "peer is known to be wrong", "not available"
]
"""What a comparison with a peer came to."""

_WRONG: Verdict = "peer is known to be wrong"
# Relative residual of what does solve an equation.
_SOLVED = 1e-10
# What toolboxes raise where they give up; Slycot's are errors of run time.
_REFUSALS = (
    ArithmeticError,
    AssertionError,
    HankelcutError,
    ImportError,
    RuntimeError,
    ValueError,
)


@dataclass(frozen=True)
class CrossCheckRow:
    """One quantity, from hankelcut and from one peer.

    Parameters
    ----------
    quantity : str
        What was computed.
    peer : str
        Who else computed it.
    ours, theirs : float or None
        Both values: a norm itself, of an array its Frobenius norm, of a reduced model
        that of its frequency response on a grid; None where there is none.
    difference : float or None
        Relative difference of the whole answers, not of these two numbers.
    verdict : {"agrees", "differs", "peer is known to be wrong", "not available"}
        What it came to.
    reason : str
        Why, where they do not agree.
    """

    quantity: Quantity
    peer: str
    ours: float | None
    theirs: float | None
    difference: float | None
    verdict: Verdict
    reason: str = ""


@dataclass(frozen=True)
class CrossCheck:
    """A table of quantities and peers; `print` it, or read its rows.

    Parameters
    ----------
    rows : tuple of CrossCheckRow
        Quantity by quantity.
    order : int
        Number of states of the reduced models.
    rtol : float
        The relative difference that still is agreement.
    """

    rows: tuple[CrossCheckRow, ...]
    order: int
    rtol: float

    @property
    def agrees(self) -> bool:
        """Whether no peer differs without being known to be wrong."""
        return all(row.verdict != "differs" for row in self.rows)

    def records(self) -> list[dict[str, Any]]:
        """Return one dictionary of plain numbers and strings per row."""
        return [asdict(row) for row in self.rows]

    def __str__(self) -> str:
        heads = "".join(f"{head:>12}" for head in ("ours", "theirs", "difference"))
        lines = [f"{'quantity':24}{'peer':16}{heads}  verdict"]
        for row in self.rows:
            numbers = (row.ours, row.theirs)
            cells = ["-" if x is None else f"{x:.5g}" for x in numbers]
            cells.append("-" if row.difference is None else f"{row.difference:.1e}")
            shown = "".join(f"{cell:>12}" for cell in cells)
            verdict = ": ".join(filter(None, (row.verdict, row.reason)))
            lines.append(f"{row.quantity:24}{row.peer:16}{shown}  {verdict}")
        return "\n".join(lines)


def cross_check(
    system: StateSpace | DiagonalStateSpace,
    *,
    peers: Sequence[str] = ("control", "slycot", "pymor"),
    order: int | None = None,
    rtol: float = 1e-6,
    progress: Callable[[str, str], None] | None = None,
) -> CrossCheck:
    """Compute what hankelcut and other toolboxes have in common, and compare.

    Poles, frequency response, a Lyapunov equation, Gramians, Hankel singular values, H2
    and H-infinity norm, and the model of balanced truncation. Where a peer is known to
    be wrong, the table says so and why, instead of blaming one of the two.

    Parameters
    ----------
    system : StateSpace or DiagonalStateSpace
        One system; it is made dense, in double precision, for all.
    peers : sequence of {"control", "slycot", "pymor"}
        Whom to ask. One that is not installed says so in its rows.
    order : int, optional
        Number of states that balanced truncation keeps; by default the least for a
        relative error of 1%, but no more than half of them.
    rtol : float
        The largest relative difference that is agreement. Hankel singular values are
        compared one by one, those that rounding leaves too few digits excepted.
    progress : callable, optional
        Called as progress(quantity, peer) before each comparison.

    Returns
    -------
    CrossCheck
        One row for every quantity and peer.

    Raises
    ------
    ValueError
        If a peer is not known, `order` is out of range, or `rtol` is not positive.
    InvalidSystemError
        If the system is sparse, a stack, or has entries that are not finite.

    Examples
    --------
    >>> import hankelcut as hc
    >>> from hankelcut.validation import cross_check
    >>> plant = hc.StateSpace([[-1.0, 2.0], [0.0, -3.0]], [[1.0], [1.0]], [[1.0, 0.0]])
    >>> table = cross_check(plant, peers=["control"])
    >>> table.agrees
    True
    >>> [row.verdict for row in table.rows if row.quantity == "H2 norm"]
    ['agrees']
    """
    _require_known(peers, rtol)
    dense = _one_system(system)
    if order is not None and not 0 <= order <= dense.n_states:
        msg = f"cross_check: got order={order}, need 0 to {dense.n_states}"
        raise ValueError(msg)
    rows: list[CrossCheckRow] = []
    with warnings.catch_warnings():
        # Of toolboxes as of hankelcut: what they warn of shows in the differences.
        warnings.simplefilter("ignore")
        problem = posed(dense, order, rtol)
        for quantity in get_args(Quantity):
            rows += _rows(quantity, problem, peers, progress)
    return CrossCheck(tuple(rows), problem.order, rtol)


def _require_known(peers: Iterable[str], rtol: float) -> None:
    for name in peers:
        if name not in PEERS:
            msg = f"cross_check: got peer {name!r}, need one of {', '.join(PEERS)}"
            raise ValueError(msg)
    if not rtol > 0:
        msg = f"cross_check: got rtol={rtol!r}, need a positive number"
        raise ValueError(msg)


def _one_system(system: StateSpace | DiagonalStateSpace) -> StateSpace:
    caller = "cross_check"
    require_dense_or_diagonal(caller, system)
    if system.batch_shape:
        msg = (
            f"{caller}: got a stack of systems of shape {system.batch_shape}, need one "
            "system; pass system[index]"
        )
        raise InvalidSystemError(msg)
    dense = host(system)
    _array.require_finite(caller, A=dense.A, B=dense.B, C=dense.C, D=dense.D)
    return dense


def _rows(
    quantity: Quantity,
    problem: Problem,
    peers: Sequence[str],
    progress: Callable[[str, str], None] | None,
) -> list[CrossCheckRow]:
    """Return the rows of one quantity."""
    try:
        ours = own_answer(quantity, problem)
    except (HankelcutError, ValueError) as error:
        reason = _one_line(error)
        return [
            CrossCheckRow(
                quantity, PEERS[name].title, None, None, None, "not available", reason
            )
            for name in peers
        ]
    rows = []
    for name in peers:
        if progress is not None:
            progress(quantity, PEERS[name].title)
        rows.append(_row(quantity, problem, ours, name))
    return rows


def _row(
    quantity: Quantity, problem: Problem, ours: Answer, name: str
) -> CrossCheckRow:
    peer = PEERS[name]
    fault = peer.fault(quantity, problem)
    row = CrossCheckRow(
        quantity, peer.title, size(ours, problem), None, None, "not available"
    )
    try:
        theirs = peer.answer(quantity, problem)
    except _REFUSALS as error:
        if fault is not None and isinstance(error, NotAvailableError):
            return replace(row, verdict=_WRONG, reason=fault.reason)
        return replace(row, reason=_one_line(error))
    difference = relative_difference(quantity, ours, theirs, problem)
    row = replace(row, theirs=size(theirs, problem), difference=difference)
    if difference <= problem.rtol:
        return replace(row, verdict="agrees")
    if fault is not None and _is_explained(fault, quantity, ours, theirs, problem):
        return replace(row, verdict=_WRONG, reason=fault.reason)
    both = residuals(quantity, ours, theirs, problem)
    if both is None:
        return replace(row, verdict="differs")
    reason = f"the relative residuals are {both[0]:.1e} here and {both[1]:.1e} there"
    proven = both[0] <= _SOLVED < problem.rtol < both[1]
    return replace(row, verdict=_WRONG if proven else "differs", reason=reason)


def _is_explained(
    fault: Fault, quantity: Quantity, ours: Answer, theirs: Answer, problem: Problem
) -> bool:
    """Whether the answers agree where the fault leaves the peer right."""
    if math.isinf(fault.floor):
        return True
    remaining = relative_difference(quantity, ours, theirs, problem, fault.floor)
    return remaining <= problem.rtol


def _one_line(error: BaseException) -> str:
    return " ".join(f"{error}".split()) or type(error).__name__
