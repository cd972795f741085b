"""Bounded-real truncation against pyMOR, SciPy and its definition."""

from collections.abc import Iterator

import numpy as np
import scipy.linalg
from pymor.models.iosys import LTIModel
from pymor.reductors.bt import BRBTReductor

import hankelcut as hc
from hankelcut.validation import random_stable_system
from tests.conformance import Comparison, benchmark_systems, norm_of_difference

METHOD = "bounded-real truncation"
ORDER = 4


def comparisons() -> Iterator[Comparison]:
    """Values, models and bounds, with and without feedthrough."""
    rng = np.random.default_rng(1)
    system = random_stable_system(rng, 9, 2, 3)
    # pyMOR leaves out the feedthrough.
    plain = hc.StateSpace(system.A, system.B, system.C)
    yield from of_pymor(plain, "random continuous system", 1.1, ORDER)
    for name, benchmark in benchmark_systems("build"):
        # In its own states pyMOR loses digits from the first value on.
        balanced = hc.balanced_realization(benchmark).system
        yield from of_pymor(balanced, f"{name} in balanced states", 1.2, 2 * ORDER)
    for name, benchmark in benchmark_systems("CDplayer"):
        # Factors of its Gramians have five digits of the values above 1e-4.
        yield from of_pymor(benchmark, name, 1.2, 2 * ORDER, digits=1e-5)
    yield from of_equations(system, "random continuous system with feedthrough")
    discrete = random_stable_system(rng, 9, 2, 3, hc.Discrete(0.1))
    yield from of_equations(discrete, "random discrete system with feedthrough")


def of_pymor(
    system: hc.StateSpace, what: str, level: float, order: int, digits: float = 1e-6
) -> Iterator[Comparison]:
    """Values, the model and its bound; factors of Gramians lose small values."""
    norm = float(hc.hinf_norm(system).upper)
    gamma = level * norm
    ours = hc.bounded_real_truncation(system, order=order, gamma=gamma)
    model = LTIModel.from_matrices(system.A, system.B, system.C)
    reductor = BRBTReductor(model, gamma=gamma)
    values = np.asarray(model._hankel_svd(("br", gamma))[1])
    mine = np.asarray(ours.characteristic_values)[: len(values)]
    seen = values > 1e-4 * values[0]
    yield Comparison(
        METHOD,
        "pyMOR BRBTReductor",
        f"bounded-real characteristic values above 1e-4 of the largest, {what}",
        float(np.max(np.abs(mine[seen] / values[seen] - 1))),
        digits,
    )
    A, B, C, _, _ = reductor.reduce(r=order, projection="sr").to_matrices()
    yield Comparison(
        METHOD,
        "pyMOR BRBTReductor",
        f"transfer function, {what}, order {order}",
        norm_of_difference(hc.StateSpace(A, B, C), ours.system) / norm,
        1e-7,
    )
    bound = float(np.asarray(reductor.error_bounds())[order - 1])
    yield Comparison(
        METHOD,
        "pyMOR BRBTReductor",
        f"error bound, {what}, order {order}",
        abs(float(ours.error_bound) / bound - 1),
        1e-5,
    )


def of_equations(system: hc.StateSpace, what: str) -> Iterator[Comparison]:
    """Values by the Riccati equations of SciPy, in the time domain of the system."""
    gamma = 1.1 * float(hc.hinf_norm(system).upper)
    ours = hc.bounded_real_truncation(system, order=ORDER, gamma=gamma)
    continuous = system.time == hc.Continuous()
    name = "solve_continuous_are" if continuous else "solve_discrete_are"
    A, B, C, D = system.A, system.B, system.C, system.D
    P, Q = (
        getattr(scipy.linalg, name)(
            F, G, H.T @ H, E.T @ E - gamma**2 * np.eye(E.shape[1]), s=H.T @ E
        )
        for F, G, H, E in ((A.T, C.T, B.T, D.T), (A, B, C, D))
    )
    values = np.sqrt(np.sort(np.linalg.eigvals(P @ Q).real)[::-1])
    mine = np.asarray(ours.characteristic_values)
    yield Comparison(
        METHOD,
        f"definition: SciPy {name}",
        f"bounded-real characteristic values, {what}",
        float(np.max(np.abs(mine - values)) / values[0]),
        1e-9,
    )
    yield Comparison(
        METHOD,
        "definition: gain of the model at most gamma",
        f"excess of the H-infinity norm, {what}, order {ORDER}",
        max(float(hc.hinf_norm(ours.system).upper) / gamma - 1, 0.0),
        0.0,
    )
