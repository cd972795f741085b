"""Systems of the same gain at every frequency."""

from hankelcut.lti.systems.state_space import StateSpace
from hankelcut.lti.systems.time_domain import Continuous, TimeDomain
from hankelcut.validation._all_pass import continuous_all_pass, discrete_all_pass
from hankelcut.validation.benchmark_systems._facts import exact, require_size
from hankelcut.validation.benchmark_systems.benchmark_system import (
    BenchmarkSystem,
    Fact,
    Quantity,
)

__all__ = ["all_pass_system"]


def all_pass_system(
    n_states: int = 6, *, gain: float = 2.0, time: TimeDomain = Continuous()
) -> BenchmarkSystem:
    """System with one gain at all frequencies: all Hankel singular values equal it.

    Parameters
    ----------
    n_states : int
        Number of states, at least 1.
    gain : float
        The gain, positive.
    time : Continuous or Discrete
        The time domain.

    Returns
    -------
    BenchmarkSystem
        A balanced system up to the gain; everything by construction. No order between
        0 and n is free of a tie.

    Raises
    ------
    ValueError
        If there is no state.

    Examples
    --------
    >>> import hankelcut as hc
    >>> bool((hc.hankel_singular_values(all_pass_system(3).system) > 1.999999).all())
    True
    """
    require_size("all_pass_system", "n_states", n_states, 1)
    reason = "both Gramians are the identity but for the gain; Glover, 1984, section 5"
    facts: dict[Quantity, Fact] = {
        "hankel_singular_values": exact([gain] * n_states, reason),
        "hankel_sum": exact(n_states * gain, reason),
        "hinf_norm": exact(gain, reason),
        "static_gain": exact(gain, reason),
        "all_pass": exact(gain, reason),
    }
    if isinstance(time, Continuous):
        A, B, C, D = continuous_all_pass([1.0] * (n_states - 1), 1.0)
    else:
        A, B, C, D = discrete_all_pass([(0.6, 0.8)] * n_states)
        facts["h2_norm"] = exact(gain, "the mean of the squared gain over the circle")
    return BenchmarkSystem(
        f"{type(time).__name__.lower()} all-pass system, n = {n_states}",
        StateSpace(A, B, gain * C, gain * D, time),
        facts,
        "Glover, International Journal of Control 39 (1984)",
    )
