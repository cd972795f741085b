"""Balance and refine against pyMOR, the H2-optimal model and balanced truncation."""

from collections.abc import Iterator

import numpy as np
from pymor.reductors.h2 import TSIAReductor

import hankelcut as hc
from hankelcut.validation import random_stable_system
from tests.conformance import Comparison, benchmark_systems
from tests.conformance.h2_oracles import reduced_by_pymor
from tests.helpers import dico, h2_part

METHOD = "balance and refine"
ORDER = 4
ORDERS = {"build": 10, "CDplayer": 20, "heat-cont": 10}


def comparisons() -> Iterator[Comparison]:
    """The optimum of pyMOR, and errors next to those of other methods."""
    system = random_stable_system(np.random.default_rng(1), 10, 2, 3)
    theirs = reduced_by_pymor(TSIAReductor, system, ORDER)
    ours = hc.balance_and_refine(system, order=ORDER).system
    yield Comparison(
        METHOD,
        "pyMOR TSIAReductor",
        f"H2 error, random continuous system, order {ORDER}",
        abs(error(system, ours) / error(system, theirs) - 1),
        1e-8,
    )
    for time in (hc.Continuous(), hc.Discrete(0.1)):
        system = random_stable_system(np.random.default_rng(1), 10, 2, 3, time)
        kind = "continuous" if dico(system) == "C" else "discrete"
        yield from beside_others(system, ORDER, f"random {kind} system")
    for name, system in benchmark_systems(*ORDERS):
        yield from beside_others(system, ORDERS[name], name)


def beside_others(system: hc.StateSpace, order: int, what: str) -> Iterator[Comparison]:
    """H2 errors: that of the interpolating optimum, below that of the truncation."""
    ours = error(system, hc.balance_and_refine(system, order=order).system)
    yield Comparison(
        METHOD,
        "iterative rational Krylov algorithm",
        f"H2 error, {what}, order {order}",
        abs(ours / error(system, hc.irka(system, order=order).system) - 1),
        1e-6,
    )
    truncated = hc.balanced_truncation(system, order=order).system
    yield Comparison(
        METHOD,
        "balanced truncation",
        f"H2 error above that of the truncation, {what}, order {order}",
        max(ours / error(system, truncated) - 1, 0.0),
        0.0,
    )


def error(full: hc.StateSpace, reduced: hc.StateSpace) -> float:
    """H2 error of a model, but for its feedthrough."""
    return h2_part(hc.error_system(full, reduced))
