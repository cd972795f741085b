"""What there is to say about one system before it is reduced."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hankelcut import _array
from hankelcut._errors import HankelcutError, InvalidSystemError
from hankelcut.lti.equations import Progress
from hankelcut.lti.gramians.low_rank_gramians import low_rank_gramian_factors
from hankelcut.lti.norms.h2_norm import h2_norm
from hankelcut.lti.norms.hinf_norm import HinfBracket, hinf_norm
from hankelcut.lti.responses.sampled_peak import sampled_peak
from hankelcut.lti.structure.stability import pole_margins, poles_of, stability_margin
from hankelcut.lti.structure.stable_unstable_decomposition import (
    stable_unstable_decomposition,
)
from hankelcut.lti.systems.diagonal_state_space import DiagonalStateSpace
from hankelcut.lti.systems.sparse_state_space import SparseStateSpace
from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.lti.systems.time_domain import Continuous
from hankelcut.plotting._drawable import Matrix, seconds_per_sample
from hankelcut.reduction.balancing.balancing import balance
from hankelcut.reduction.balancing.truncation import truncate
from hankelcut.reduction.methods.low_rank_balanced_truncation import truncate_sparse
from hankelcut.reduction.order_selection import OrderTarget
from hankelcut.reduction.result import ReductionResult
from hankelcut.reports.wording import (
    System,
    in_bracket,
    margin_unit,
    number,
    peak_frequency,
    system_in_words,
)

__all__ = ["TOLERANCES", "OrderAdvice", "PoleFacts", "SystemAnalysis", "analyze_system"]

TOLERANCES = tuple(10.0**-k for k in range(1, 9))

_CALLER = "analyze_system"
_RTOL = 1e-3
# How much of the values is discarded of the model whose poles say where to look for the
# peak of a sparse system.
_PEAK_ENERGY = 1e-6
_VALUES_IN_WORDS = 8


@dataclass(frozen=True)
class OrderAdvice:
    """The smallest order for a relative tolerance; None where there is none.

    Parameters
    ----------
    tolerance : float
        Share of the H-infinity norm.
    order : int or None
        Smallest order whose error bound meets it, unstable states included.
    bound : float or None
        That bound, absolute.
    refusal : str or None
        Why there is none.
    """

    tolerance: float
    order: int | None
    bound: float | None
    refusal: str | None = None


@dataclass(frozen=True)
class PoleFacts:
    """Poles of a system in a few numbers, of discrete systems in rad/s by log(z) / dt.

    Parameters
    ----------
    n_unstable : int
        Number of poles on or outside the stability boundary.
    margin : float
        Distance of the nearest pole from the boundary, negative if one is outside.
    slowest, fastest : float
        Smallest rate of decay, and largest magnitude, of the stable poles, in rad/s.
    damping, damping_at : float
        Smallest damping ratio of the stable poles, and the magnitude of that pole.
    """

    n_unstable: int
    margin: float
    slowest: float
    fastest: float
    damping: float
    damping_at: float


@dataclass(frozen=True, eq=False)
class SystemAnalysis:
    """Norms, poles and Hankel singular values of one system, or of its stable part.

    Parameters
    ----------
    system : StateSpace, DiagonalStateSpace or SparseStateSpace
        The system.
    poles : PoleFacts or None
        None for sparse systems and without states.
    norm : HinfBracket
        H-infinity norm; of sparse systems the largest gain on a grid of frequencies.
    h2_norm : float
        H2 norm.
    values : tuple of float
        Hankel singular values, of sparse systems those that were computed.
    numerical_rank : int
        Number of values that rounding leaves.
    orders : tuple of OrderAdvice
        Recommended orders.
    """

    system: System
    poles: PoleFacts | None
    norm: HinfBracket
    h2_norm: float
    values: tuple[float, ...]
    numerical_rank: int
    orders: tuple[OrderAdvice, ...]

    @property
    def n_unstable(self) -> int:
        """Number of unstable poles; all other numbers are those of the stable part."""
        return 0 if self.poles is None else self.poles.n_unstable

    def facts(self) -> list[tuple[str, str]]:
        """Return names and values of what is known, in words."""
        facts = [("system", system_in_words(self.system))]
        if self.poles is not None:
            facts += _poles_in_words(self.poles, self.system)
        of = " of the stable part" if self.n_unstable else ""
        values = ", ".join(number(value) for value in self.values[:_VALUES_IN_WORDS])
        more = ", ..." if len(self.values) > _VALUES_IN_WORDS else ""
        computed = len(self.values)
        norm = in_bracket(self.norm, self.system.time)
        facts += [
            (f"H-infinity norm{of}", norm),
            (f"H2 norm{of}", number(self.h2_norm)),
            (f"Hankel norm{of}", number(self.values[0] if self.values else 0.0)),
            (f"Hankel singular values{of}", f"{values}{more}" or "none"),
            ("numerical rank", f"{self.numerical_rank} of {computed} values"),
        ]
        return facts

    def to_dict(self) -> dict[str, Any]:
        """Return everything as numbers and strings."""
        system = self.system
        dt = None if isinstance(system.time, Continuous) else system.time.dt
        return {
            "system": {
                "states": system.n_states,
                "inputs": system.n_inputs,
                "outputs": system.n_outputs,
                "dt": dt,
            },
            "poles": None if self.poles is None else vars(self.poles),
            "hinf_norm": {
                "lower": float(self.norm.lower),
                "upper": float(self.norm.upper),
                "frequency": peak_frequency(self.norm, system.time),
            },
            "h2_norm": self.h2_norm,
            "hankel_norm": self.values[0] if self.values else 0.0,
            "hankel_singular_values": list(self.values),
            "numerical_rank": self.numerical_rank,
            "orders": [vars(advice) for advice in self.orders],
        }


def analyze_system(
    system: System,
    *,
    tolerances: Sequence[float] = TOLERANCES,
    progress: Progress | None = None,
) -> SystemAnalysis:
    """Find out what a system is like and to which orders it can be reduced.

    Parameters
    ----------
    system : StateSpace, DiagonalStateSpace or SparseStateSpace
        One system; of an unstable one norms, values and orders are those of the stable
        part, beside which a reduction keeps the unstable one.
    tolerances : sequence of float
        Shares of the H-infinity norm for which balanced truncation finds orders.
    progress : callable, optional
        Of sparse systems: called as progress(iteration, relative_residual).

    Returns
    -------
    SystemAnalysis
        Poles, norms, Hankel singular values and recommended orders.

    Raises
    ------
    InvalidSystemError
        If the system is a stack.
    UnstableSystemError
        If a sparse system is not stable.

    Examples
    --------
    >>> import hankelcut as hc
    >>> plant = hc.StateSpace([[-1.0, 0.0], [0.0, -50.0]], [[1.0], [1.0]], [[1.0, 1.0]])
    >>> analysis = analyze_system(plant, tolerances=[0.1, 1e-6])
    >>> [advice.order for advice in analysis.orders]
    [1, 2]
    """
    if system.batch_shape:
        msg = f"{_CALLER}: got a stack of systems of shape {system.batch_shape}, need "
        raise InvalidSystemError(msg + "one system")
    if isinstance(system, SparseStateSpace):
        return _analyze_sparse(system, tolerances, progress)
    part: StateSpace | DiagonalStateSpace = system
    poles = _pole_facts(system)
    n_kept = 0
    if poles is not None and poles.n_unstable:
        parts = stable_unstable_decomposition(system)
        part, n_kept = parts.stable, parts.unstable.n_states
    balancing = balance(part, caller=_CALLER)
    norm = hinf_norm(part, rtol=_RTOL)

    def cut(target: OrderTarget) -> ReductionResult:
        return truncate(balancing, part, target, caller=_CALLER)

    orders = [_advice(cut, tol, float(norm.lower), n_kept) for tol in tolerances]
    return SystemAnalysis(
        system,
        poles,
        norm,
        float(h2_norm(part)),
        tuple(_array.to_list(balancing.values)),
        balancing.spectrum().numerical_rank,
        tuple(orders),
    )


def _analyze_sparse(
    system: SparseStateSpace, tolerances: Sequence[float], progress: Progress | None
) -> SystemAnalysis:
    factors = low_rank_gramian_factors(system, progress=progress, caller=_CALLER)

    def cut(target: OrderTarget) -> ReductionResult:
        return truncate_sparse(system, factors, target, _CALLER)[0]

    model = cut(OrderTarget(energy_tol=_PEAK_ENERGY))
    peak, frequency = sampled_peak(system, np.asarray(poles_of(model.system)))
    values = tuple(_array.to_list(model.characteristic_values))
    rounding = float(np.finfo(np.float64).eps) * len(values) * max(values, default=0.0)
    return SystemAnalysis(
        system,
        None,
        HinfBracket(peak, float("inf"), frequency, certified=False),
        float(h2_norm(system)),
        values,
        sum(value > rounding for value in values),
        tuple(_advice(cut, tol, peak, 0) for tol in tolerances),
    )


def _advice(
    cut: Callable[[OrderTarget], ReductionResult],
    tolerance: float,
    norm: float,
    n_kept: int,
) -> OrderAdvice:
    """Find the order for one tolerance."""
    try:
        result = cut(OrderTarget(error_tol=tolerance * norm))
    except HankelcutError as error:
        return OrderAdvice(tolerance, None, None, " ".join(str(error).split()))
    return OrderAdvice(tolerance, result.order + n_kept, float(result.error_bound))


def _pole_facts(system: StateSpace | DiagonalStateSpace) -> PoleFacts | None:
    if system.n_states == 0:
        return None
    dt = seconds_per_sample(system.time)
    exponents = _exponents(system) / dt
    stable = exponents[exponents.real < 0]
    magnitudes = np.abs(stable)
    ratios = -stable.real / magnitudes
    nothing = stable.size == 0
    worst = 0 if nothing else int(np.argmin(ratios))
    return PoleFacts(
        int(np.sum(np.asarray(pole_margins(system)) <= 0)),
        float(stability_margin(system)),
        float("nan") if nothing else float(np.min(-stable.real)),
        float("nan") if nothing else float(np.max(magnitudes)),
        float("nan") if nothing else float(ratios[worst]),
        float("nan") if nothing else float(magnitudes[worst]),
    )


def _exponents(system: StateSpace | DiagonalStateSpace) -> Matrix:
    """Poles, those of discrete systems as logarithms; none for z = 0."""
    if isinstance(system, DiagonalStateSpace):
        return _array.to_numpy(system.exponents)
    poles = _array.to_numpy(poles_of(system))
    return poles if isinstance(system.time, Continuous) else np.log(poles[poles != 0])


def _poles_in_words(poles: PoleFacts, system: System) -> list[tuple[str, str]]:
    n_stable = system.n_states - poles.n_unstable
    margin = f"{number(poles.margin)} {margin_unit(system.time)}"
    facts = [
        ("poles", f"{n_stable} stable, {poles.n_unstable} unstable"),
        ("stability margin", margin),
    ]
    if np.isfinite(poles.slowest):
        facts += [
            (
                "slowest decay",
                f"{number(poles.slowest)} rad/s (time constant "
                f"{number(1 / poles.slowest)} s)",
            ),
            ("fastest pole", f"{number(poles.fastest)} rad/s"),
            (
                "least damping",
                f"{number(poles.damping)} at {number(poles.damping_at)} rad/s",
            ),
        ]
    return facts
