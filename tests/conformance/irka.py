"""The iterative rational Krylov algorithm against pyMOR and optimality."""

from collections.abc import Iterator

import numpy as np
from pymor.reductors.h2 import IRKAReductor, TSIAReductor

import hankelcut as hc
from hankelcut.validation import random_stable_system
from tests.conformance import Comparison, benchmark_systems
from tests.conformance.h2_oracles import reduced_by_pymor
from tests.helpers import dico, h2_part

METHOD = "iterative rational Krylov algorithm"
ORDER = 4
ORDERS = {"build": 10, "CDplayer": 20, "heat-cont": 5}


def comparisons() -> Iterator[Comparison]:
    """Models of pyMOR, and the conditions of an H2 optimum, both time domains."""
    for reductor, channels in ((IRKAReductor, (1, 1)), (TSIAReductor, (2, 3))):
        system = random_stable_system(np.random.default_rng(1), 10, *channels)
        yield from of_pymor(system, reductor, f"{channels} channels")
    for time in (hc.Continuous(), hc.Discrete(0.1)):
        system = random_stable_system(np.random.default_rng(1), 10, 2, 3, time)
        kind = "continuous" if dico(system) == "C" else "discrete"
        yield from optimality(system, ORDER, f"random {kind} system")
    for name, system in benchmark_systems(*ORDERS):
        yield from optimality(system, ORDERS[name], name)


def of_pymor(system: hc.StateSpace, reductor: type, what: str) -> Iterator[Comparison]:
    """The same iteration from the same balanced truncation."""
    theirs = reduced_by_pymor(reductor, system, ORDER)
    ours = hc.irka(system, order=ORDER).system
    yield Comparison(
        METHOD,
        f"pyMOR {reductor.__name__}",
        f"reduced model in the H2 norm, random system, {what}, order {ORDER}",
        h2_part(hc.error_system(ours, theirs)) / h2_part(system),
        1e-6,
    )


def optimality(system: hc.StateSpace, order: int, what: str) -> Iterator[Comparison]:
    """Pythagoras: the error is orthogonal to the model, and below the truncation's."""
    ours = hc.irka(system, order=order).system
    error = h2_part(hc.error_system(system, ours))
    # <G, G_r> = |G_r|^2 by the norm of a sum.
    together = h2_part(hc.parallel(system, ours))
    whole, own = h2_part(system), h2_part(ours)
    inner = (together**2 - whole**2 - own**2) / 2
    yield Comparison(
        METHOD,
        "definition: orthogonal error",
        f"inner product of system and model, {what}, order {order}",
        abs(inner / own**2 - 1),
        1e-6,
    )
    truncated = hc.balanced_truncation(system, order=order).system
    yield Comparison(
        METHOD,
        "balanced truncation",
        f"H2 error above that of the truncation, {what}, order {order}",
        max(error / h2_part(hc.error_system(system, truncated)) - 1, 0.0),
        0.0,
    )
