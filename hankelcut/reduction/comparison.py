"""Every method side by side: orders, bounds, measured errors and times."""

import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hankelcut._errors import HankelcutError, NumericalWarning
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.sparse_state_space import SparseStateSpace
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.reduction.certificate import Certificate
from hankelcut.reduction.methods.balance_and_refine import balance_and_refine
from hankelcut.reduction.methods.balanced_stochastic_truncation import (
    balanced_stochastic_truncation,
)
from hankelcut.reduction.methods.balanced_truncation import balanced_truncation
from hankelcut.reduction.methods.bounded_real_truncation import bounded_real_truncation
from hankelcut.reduction.methods.frequency_limited_truncation import (
    frequency_limited_truncation,
)
from hankelcut.reduction.methods.frequency_weighted_truncation import (
    frequency_weighted_truncation,
)
from hankelcut.reduction.methods.hankel_norm_approximation import (
    hankel_norm_approximation,
)
from hankelcut.reduction.methods.irka import irka
from hankelcut.reduction.methods.low_rank_balanced_truncation import (
    low_rank_balanced_truncation,
)
from hankelcut.reduction.methods.lqg_balanced_truncation import lqg_balanced_truncation
from hankelcut.reduction.methods.modal_truncation import modal_truncation
from hankelcut.reduction.methods.positive_real_truncation import (
    positive_real_truncation,
)
from hankelcut.reduction.methods.singular_perturbation_approximation import (
    singular_perturbation_approximation,
)
from hankelcut.reduction.methods.time_limited_truncation import time_limited_truncation
from hankelcut.reduction.result import ReductionResult

__all__ = ["METHODS", "Comparison", "ComparisonRow", "Method", "compare"]


@dataclass(frozen=True)
class Method:
    """One method of reduction in the registry.

    Parameters
    ----------
    function : callable
        The public function.
    title : str
        Its name for people.
    needs : tuple of str
        Arguments that it cannot do without, besides the system and a target.
    """

    function: Callable[..., ReductionResult]
    title: str
    needs: tuple[str, ...] = ()


METHODS: Mapping[str, Method] = {
    method.function.__name__: method
    for method in (
        Method(balanced_truncation, "balanced truncation"),
        Method(low_rank_balanced_truncation, "low-rank balanced truncation"),
        Method(
            singular_perturbation_approximation, "singular perturbation approximation"
        ),
        Method(hankel_norm_approximation, "Hankel-norm approximation"),
        Method(balanced_stochastic_truncation, "balanced stochastic truncation"),
        Method(bounded_real_truncation, "bounded-real truncation"),
        Method(positive_real_truncation, "positive-real truncation"),
        Method(lqg_balanced_truncation, "LQG balanced truncation"),
        Method(
            frequency_weighted_truncation,
            "frequency-weighted truncation",
            ("input_weight",),
        ),
        Method(frequency_limited_truncation, "frequency-limited truncation", ("band",)),
        Method(time_limited_truncation, "time-limited truncation", ("horizon",)),
        Method(modal_truncation, "modal truncation"),
        Method(irka, "IRKA"),
        Method(balance_and_refine, "balance and refine"),
    )
}
"""Every method by the name of its function."""


@dataclass(frozen=True, eq=False)
class ComparisonRow:
    """One method at one order.

    Parameters
    ----------
    method : str
        Name in `METHODS`.
    order : int
        Order asked for.
    result : ReductionResult or None
        What came of it; None where the method refused.
    certificate : Certificate or None
        The measured errors; None where the method refused or none were asked for.
    seconds : float
        Time of the reduction, without the certificate.
    refusal : str or None
        Why the method refused.
    """

    method: str
    order: int
    result: ReductionResult | None
    certificate: Certificate | None
    seconds: float
    refusal: str | None = None


@dataclass(frozen=True, eq=False)
class Comparison:
    """A table of methods and orders; `print` it, or read its rows.

    Parameters
    ----------
    rows : tuple of ComparisonRow
        In the order of orders, then of methods.
    """

    rows: tuple[ComparisonRow, ...]

    def records(self) -> list[dict[str, Any]]:
        """Return one dictionary of plain numbers and strings per row."""
        return [_record(row) for row in self.rows]

    def __str__(self) -> str:
        heads = (f"{head:>11}" for head in ("bound", "error", "H2 error"))
        lines = [f"{'method':37}{'order':>6}{''.join(heads)}{'seconds':>9}"]
        marked = False
        for row, item in zip(self.rows, self.records(), strict=True):
            if row.result is None:
                lines.append(f"{item['title']:37}{item['order']:>6}  {item['refusal']}")
                continue
            other = item["error_bound"] is not None and row.result.bound.error
            numbers = (item[k] for k in ("error_bound", "hinf_error", "h2_error"))
            cells = ["-" if x is None else f"{x:.3e}" for x in numbers]
            if other:
                cells[0], marked = f"*{cells[0]}", True
            shown = "".join(f"{cell:>11}" for cell in cells)
            lines.append(
                f"{item['title']:37}{item['reached']:>6}{shown}{item['seconds']:9.3f}"
            )
        if marked:
            lines.append("* bounds another error than G - G_r: see `bounded_quantity`")
        return "\n".join(lines)


def compare(
    system: StateSpace | DiagonalStateSpace | SparseStateSpace,
    *,
    orders: Sequence[int],
    methods: Iterable[str] | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    certify: bool = True,
    progress: Callable[[str, int], None] | None = None,
) -> Comparison:
    """Reduce one system by several methods to several orders.

    Parameters
    ----------
    system : StateSpace, DiagonalStateSpace or SparseStateSpace
        The system.
    orders : sequence of int
        Numbers of states to keep.
    methods : iterable of str, optional
        Names in `METHODS`; by default all that need no arguments of their own or have
        them in `options`.
    options : mapping, optional
        Further keyword arguments by the name of the method:
        ``{"frequency_limited_truncation": {"band": (0.0, 10.0)}}``.
    certify : bool
        Whether to measure the errors, which takes longer than most reductions.
    progress : callable, optional
        Called as progress(method, order) before each reduction.

    Returns
    -------
    Comparison
        One row for every method and order; a method that does not apply to the system
        says why in its row.

    Raises
    ------
    ValueError
        If a method is unknown, or needs an argument that is not in `options`.

    Examples
    --------
    >>> import numpy as np
    >>> import hankelcut as hc
    >>> A = np.diag([-1.0, -3.0, -20.0, -50.0])
    >>> plant = hc.StateSpace(A, np.ones((4, 1)), [[1.0, 4.0, 2.0, 1.0]])
    >>> table = hc.compare(plant, orders=[2], methods=["balanced_truncation"])
    >>> [(row.method, row.result.order) for row in table.rows]
    [('balanced_truncation', 2)]
    """
    given = {} if options is None else options
    names = _applicable(system, given) if methods is None else list(methods)
    _require_known([*names, *given], given)
    rows = []
    for order in orders:
        for name in names:
            if progress is not None:
                progress(name, order)
            rows.append(_row(system, name, order, given.get(name, {}), certify))
    return Comparison(tuple(rows))


def _applicable(
    system: StateSpace | DiagonalStateSpace | SparseStateSpace,
    options: Mapping[str, Mapping[str, Any]],
) -> list[str]:
    """Return the methods for systems of this kind that have what they need."""
    sparse = isinstance(system, SparseStateSpace)
    return [
        name
        for name, method in METHODS.items()
        if sparse == (method.function is low_rank_balanced_truncation)
        and all(need in options.get(name, {}) for need in method.needs)
    ]


def _require_known(
    names: Iterable[str], options: Mapping[str, Mapping[str, Any]]
) -> None:
    for name in names:
        if name not in METHODS:
            msg = f"compare: got method {name!r}, need one of {', '.join(METHODS)}"
            raise ValueError(msg)
        missing = [n for n in METHODS[name].needs if n not in options.get(name, {})]
        if missing:
            msg = f"compare: {name} needs {', '.join(missing)}; pass them in options"
            raise ValueError(msg)


def _row(
    system: StateSpace | DiagonalStateSpace | SparseStateSpace,
    name: str,
    order: int,
    options: Mapping[str, Any],
    certify: bool,
) -> ComparisonRow:
    begun = time.perf_counter()
    try:
        with warnings.catch_warnings():
            # What is noted is in the results.
            warnings.simplefilter("ignore", NumericalWarning)
            result = METHODS[name].function(system, order=order, **options)
            seconds = time.perf_counter() - begun
            certificate = result.certify() if certify else None
    except (HankelcutError, ValueError) as error:
        seconds = time.perf_counter() - begun
        return ComparisonRow(name, order, None, None, seconds, str(error))
    return ComparisonRow(name, order, result, certificate, seconds)


def _record(row: ComparisonRow) -> dict[str, Any]:
    """Return a row as plain numbers and strings."""
    result, certificate = row.result, row.certificate
    record: dict[str, Any] = {
        "method": row.method,
        "title": METHODS[row.method].title,
        "order": row.order,
        "reached": None if result is None else result.order,
        "error_bound": None,
        "bounded_quantity": None,
        "hinf_error": None,
        "hinf_error_upper": None,
        "peak_frequency": None,
        "bounded_error": None,
        "h2_error": None,
        "stability_margin": None,
        "seconds": row.seconds,
        "refusal": row.refusal,
    }
    if result is not None:
        bound = result.bound.value
        record["error_bound"] = None if bound is None else float(bound)
        record["bounded_quantity"] = result.bound.quantity
    if certificate is not None:
        bracket = certificate.hinf_error
        record["hinf_error"] = float(bracket.lower)
        record["hinf_error_upper"] = float(bracket.upper)
        record["peak_frequency"] = float(bracket.frequency)
        record["bounded_error"] = float(certificate.bounded_error.upper)
        record["h2_error"] = float(certificate.h2_error)
        record["stability_margin"] = float(certificate.stability_margin)
    return record
