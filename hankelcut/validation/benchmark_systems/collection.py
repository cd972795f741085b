"""All systems by formula."""

from collections.abc import Callable, Iterator

from hankelcut.lti.systems.time_domain import Discrete
from hankelcut.validation.benchmark_systems.all_pass_system import all_pass_system
from hankelcut.validation.benchmark_systems.benchmark_system import BenchmarkSystem
from hankelcut.validation.benchmark_systems.heat_equation import heat_equation
from hankelcut.validation.benchmark_systems.hilbert_system import hilbert_system
from hankelcut.validation.benchmark_systems.jordan_chain import jordan_chain
from hankelcut.validation.benchmark_systems.lru_layer import lru_layer
from hankelcut.validation.benchmark_systems.mass_spring_chain import mass_spring_chain
from hankelcut.validation.benchmark_systems.penzl_model import penzl_model
from hankelcut.validation.benchmark_systems.rc_ladder import rc_ladder

__all__ = ["benchmark_systems"]

_SMALL: tuple[Callable[[], BenchmarkSystem], ...] = (
    hilbert_system,
    rc_ladder,
    heat_equation,
    mass_spring_chain,
    all_pass_system,
    lambda: all_pass_system(time=Discrete()),
    jordan_chain,
    lambda: jordan_chain(20, coupling=50.0),
    lru_layer,
    lambda: penzl_model(56),
)


def benchmark_systems(*, max_states: int = 200) -> Iterator[BenchmarkSystem]:
    """Yield the benchmark systems by formula, with what is known of each.

    Parameters
    ----------
    max_states : int
        Larger systems are left out; from 1006 on, Penzl's model is there in full.

    Yields
    ------
    BenchmarkSystem
        One after the other, small ones first.

    Examples
    --------
    >>> import hankelcut as hc
    >>> for benchmark in benchmark_systems(max_states=20):
    ...     fact = benchmark.facts.get("h2_norm")
    ...     if fact is not None:
    ...         found = float(hc.h2_norm(benchmark.system))
    ...         assert abs(found - fact.value) <= 1e-9 * fact.value
    """
    for make in (*_SMALL, *((penzl_model,) if max_states >= 1006 else ())):
        benchmark = make()
        if benchmark.system.n_states <= max_states:
            yield benchmark
