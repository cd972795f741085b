"""Singular perturbation approximation against Slycot and its own definition.

Slycot's ab09nd reduces the stable part of any system: of a stable one the whole. Its
balancing-free form serves as the oracle, because the discrete models of the other one
have neither the response at z = 1 nor that at z = -1.
"""

from collections.abc import Iterator

import numpy as np
import slycot

import hankelcut as hc
from hankelcut.validation import random_stable_system
from tests.conformance import Comparison, benchmark_systems
from tests.helpers import (
    dense_response,
    dico,
    fields_of,
    fortran,
    with_unstable_modes,
)
from tests.reduction.test_published_examples import two_area_power_system

METHOD = "singular perturbation approximation"
# Errors so small that the rounding of A, 1e-13 of the gain, shows in two right models.
TOLERANCES = {
    "CDplayer, order 20": 1e-5,
    "heat-cont, order 5": 1e-4,
    "heat-cont, order 10": 1e-2,
}
USUAL = 1e-6


def cases() -> Iterator[tuple[str, hc.StateSpace, int]]:
    """Name, system and order."""
    power = two_area_power_system()
    yield "power system", power, 5
    yield "sampled power system", hc.discretize(power, 0.1), 5
    for kind, time in {
        "continuous": hc.Continuous(),
        "discrete": hc.Discrete(),
    }.items():
        rng = np.random.default_rng(12)
        system = random_stable_system(rng, 9, 2, 3, time)
        yield f"random {kind} system", system, 4
        yield f"unstable {kind} system", with_unstable_modes(rng, system), 6
    orders = {"build": (10, 31), "CDplayer": (12, 20), "heat-cont": (5, 10)}
    for name, system in benchmark_systems(*orders):
        for order in orders[name]:
            yield name, system, order


def comparisons() -> Iterator[Comparison]:
    """Every system against Slycot's model, and its response at the matched point."""
    for name, system, order in cases():
        what = f"{name}, order {order}"
        result = hc.singular_perturbation_approximation(system, order=order)
        n, m, p = system.n_states, system.n_inputs, system.n_outputs
        matrices = fortran(*fields_of(system))
        *found, n_stable, values = slycot.ab09nd(
            dico(system), "N", "N", n, m, p, *matrices, nr=order
        )
        theirs = hc.StateSpace(*found[1:], system.time)
        errors = [error_response(system, model) for model in (theirs, result.system)]
        yield Comparison(
            METHOD,
            "Slycot ab09nd",
            f"frequency response in multiples of the error, {what}",
            float(np.max(np.abs(errors[0] - errors[1])) / np.max(np.abs(errors[0]))),
            TOLERANCES.get(what, USUAL),
        )
        kept = order - (n - n_stable) + 1
        ours = result.hankel_singular_values[:kept]
        yield Comparison(
            METHOD,
            "Slycot ab09nd",
            f"leading Hankel singular values, {what}",
            float(np.max(np.abs(ours / values[:kept] - 1))),
            1e-8,
        )
        point = np.array([0.0 if dico(system) == "C" else 1.0])
        full, reduced = (dense_response(s, point) for s in (system, result.system))
        scale = max(float(np.max(np.abs(full))), float(ours[0]))
        yield Comparison(
            METHOD,
            "definition: same response at frequency 0",
            f"static gain, {what}",
            float(np.max(np.abs(full - reduced))) / scale,
            1e-11,
        )


def error_response(full: hc.StateSpace, reduced: hc.StateSpace) -> np.ndarray:
    """Frequency response of the difference over the range of the system."""
    discrete = isinstance(full.time, hc.Discrete)
    at = np.linspace(0.1, 3.1, 31) if discrete else np.logspace(-2, 3, 31)
    difference = [np.asarray(hc.frequency_response(s, at)) for s in (full, reduced)]
    return difference[0] - difference[1]
