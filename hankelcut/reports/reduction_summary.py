"""What there is to say about one reduction, for the shell, for pages and as JSON."""

from dataclasses import dataclass
from typing import Any

from hankelcut import _array
from hankelcut._errors import InvalidSystemError
from hankelcut.lti.norms.hinf_norm import HinfBracket
from hankelcut.lti.systems.time_domain import Continuous
from hankelcut.plotting.reduction_values import bounds_by_kept_values, kept_values
from hankelcut.reduction.certificate import Certificate
from hankelcut.reduction.result import ReductionResult
from hankelcut.reports.wording import (
    in_bracket,
    margin_unit,
    number,
    peak_frequency,
    system_in_words,
)

__all__ = ["ReductionSummary", "ValueRow"]

_UPPER_ENDS = {
    "certified": "certified over all frequencies",
    "a priori": "the upper end is the a-priori bound",
    "sampled": "sampled; the upper end is the bound",
}


@dataclass(frozen=True)
class ValueRow:
    """One characteristic value, and the bound of a model that keeps it and all before.

    Parameters
    ----------
    number : int
        Its number k, from 1 on.
    value : float
        The value.
    bound : float or None
        The bound; None where there is none that is known for every order.
    kept : bool
        Whether the reduced model keeps it.
    """

    number: int
    value: float
    bound: float | None
    kept: bool


@dataclass(frozen=True, eq=False)
class ReductionSummary:
    """A reduction of one system and what was measured of it.

    Parameters
    ----------
    result : ReductionResult
        The reduction.
    certificate : Certificate, optional
        The measured errors.
    norm : HinfBracket, optional
        H-infinity norm of the full system, which relative errors refer to.
    reason : str
        Why the order was chosen.
    seconds : float, optional
        How long the reduction took.

    Raises
    ------
    InvalidSystemError
        If a stack of systems was reduced.
    """

    result: ReductionResult
    certificate: Certificate | None = None
    norm: HinfBracket | None = None
    reason: str = ""
    seconds: float | None = None

    def __post_init__(self) -> None:
        if shape := self.result.full.batch_shape:
            msg = f"ReductionSummary: got the reduction of a stack of shape {shape}, "
            raise InvalidSystemError(msg + "need that of one system")

    def facts(self) -> list[tuple[str, str]]:
        """Return names and values of all that is known, in words."""
        result = self.result
        reason = f": {self.reason}" if self.reason else ""
        facts = [
            ("system", system_in_words(result.full)),
            ("method", result.method),
            ("order", f"{result.order} of {result.full.n_states}{reason}"),
            ("error bound", self._bound_in_words()),
        ]
        if self.norm is not None:
            words = in_bracket(self.norm, result.full.time)
            facts.append(("norm of the system", words))
        if self.certificate is not None:
            facts += self._measured(self.certificate)
        if self.seconds is not None:
            facts.append(("time", f"{self.seconds:.3g} s"))
        return facts

    def values(self, *, around: int | None = None) -> list[ValueRow]:
        """Return the characteristic values with the bounds of all orders.

        Parameters
        ----------
        around : int, optional
            Only so many on each side of the cut.
        """
        values = _array.to_list(self.result.characteristic_values)
        bounds, kept = bounds_by_kept_values(self.result), kept_values(self.result)
        first, last = 0, len(values)
        if around is not None:
            first, last = max(kept - around, 0), min(kept + around, last)
        return [
            ValueRow(
                k,
                values[k - 1],
                None if bounds is None else float(bounds[k]),
                k <= kept,
            )
            for k in range(first + 1, last + 1)
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as numbers and strings; frequencies are in rad/s."""
        result, full = self.result, self.result.full
        continuous = isinstance(full.time, Continuous)
        bound = result.bound
        return {
            "system": {
                "states": full.n_states,
                "inputs": full.n_inputs,
                "outputs": full.n_outputs,
                "dt": None if isinstance(full.time, Continuous) else full.time.dt,
            },
            "method": result.method,
            "order": result.order,
            "reason": self.reason,
            "values_name": result.values_name,
            "values": _array.to_list(result.characteristic_values),
            "bound": {
                "value": None if bound.value is None else float(bound.value),
                "quantity": bound.quantity,
                "condition": bound.condition,
            },
            "norm": self._bracket(self.norm),
            "certificate": self._certificate(),
            "margin_unit": "rad/s" if continuous else "per sample",
            "seconds": self.seconds,
            "notes": list(result.warnings),
        }

    @property
    def plain_bound(self) -> float | None:
        """The bound on the H-infinity norm of G - G_r itself, if there is one."""
        bound = self.result.bound
        if bound.value is None or bound.error is not None:
            return None
        return float(bound.value)

    @property
    def relative_error(self) -> float | None:
        """Upper end of the H-infinity error over the norm of the system, if known."""
        if self.norm is None or self.certificate is None or not self.norm.lower > 0:
            return None
        return float(self.certificate.hinf_error.upper / self.norm.lower)

    def _bound_in_words(self) -> str:
        bound = self.result.bound
        if bound.value is None:
            return f"none: {bound.condition.removeprefix('none: ')}"
        return f"{number(bound.value)} on the {bound.quantity}; {bound.condition}"

    def _measured(self, certificate: Certificate) -> list[tuple[str, str]]:
        full, error = self.result.full, certificate.hinf_error
        words = f"{in_bracket(error, full.time)} ({_UPPER_ENDS[certificate.upper_end]})"
        facts = [("H-infinity error", words)]
        if self.relative_error is not None:
            words = f"{number(self.relative_error)} of the norm of the system"
            facts.append(("relative error", f"at most {words}"))
        if certificate.bounded_error is not error:
            words = in_bracket(certificate.bounded_error, full.time)
            facts.append(("bounded error", words))
        if certificate.bound_holds is not None:
            words = "yes" if bool(certificate.bound_holds) else "NO"
            facts.append(("bound holds", words))
        unit = margin_unit(full.time)
        facts += [
            ("H2 error", _h2_in_words(certificate)),
            ("stability margin", f"{number(certificate.stability_margin)} {unit}"),
        ]
        if certificate.gramian_residuals is not None:
            words = " and ".join(number(r) for r in certificate.gramian_residuals)
            facts.append(("equation residuals", words))
        return facts

    def _certificate(self) -> dict[str, Any] | None:
        certificate = self.certificate
        if certificate is None:
            return None
        holds, residuals = certificate.bound_holds, certificate.gramian_residuals
        return {
            "hinf_error": self._bracket(certificate.hinf_error),
            "upper_end": certificate.upper_end,
            "relative_error": self.relative_error,
            "h2_error": float(certificate.h2_error),
            "bounded_error": self._bracket(certificate.bounded_error),
            "bound_holds": None if holds is None else bool(holds),
            "stability_margin": float(certificate.stability_margin),
            "residuals": None if residuals is None else [float(r) for r in residuals],
        }

    def _bracket(self, bracket: HinfBracket | None) -> dict[str, Any] | None:
        """Return both ends, and the frequency in rad/s."""
        if bracket is None:
            return None
        return {
            "lower": float(bracket.lower),
            "upper": float(bracket.upper),
            "frequency": float(peak_frequency(bracket, self.result.full.time)),
        }


def _h2_in_words(certificate: Certificate) -> str:
    if float(certificate.h2_error) < float("inf"):
        return number(certificate.h2_error)
    stable = float(certificate.hinf_error.upper) < float("inf")
    return "infinite: " + ("the feedthroughs differ" if stable else "unstable poles")
