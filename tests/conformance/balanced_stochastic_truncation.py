"""Balanced stochastic truncation against ctrlsys and the definition of its error.

`ctrlsys_balanced_stochastic_truncation.json` holds what SLICOT's AB09HD made of the
same systems, in the translation of ctrlsys 1.1.1. Of discrete systems it holds values
and poles only: the input matrix that ctrlsys returns there is not one of a model with
the response of the system at z = -1, which the method keeps.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import hankelcut as hc
from hankelcut.validation import random_stable_system
from tests.conformance import Comparison, benchmark_systems
from tests.reduction.test_published_examples import two_area_power_system

METHOD = "balanced stochastic truncation"
STORED = Path(__file__).with_name("ctrlsys_balanced_stochastic_truncation.json")
ORACLE = "ctrlsys ab09hd"
USUAL = 1e-9


def cases() -> Iterator[tuple[str, hc.StateSpace, int, float]]:
    """Name, system, order and regularization (0 for none)."""
    power = two_area_power_system()
    yield "power system", power, 5, 1.0
    yield "power system", power, 3, 0.1
    for kind, time in {
        "continuous": hc.Continuous(),
        "discrete": hc.Discrete(),
    }.items():
        rng = np.random.default_rng(7)
        yield f"square {kind} system", random_stable_system(rng, 8, 2, 2, time), 6, 0.0
        wide = random_stable_system(rng, 8, 3, 2, time)
        yield f"wide {kind} system", wide, 5, 0.0
        tall = random_stable_system(rng, 8, 2, 3, time)
        yield f"tall {kind} system", tall, 5, 0.5
        if kind == "continuous":
            shifted = hc.StateSpace(wide.A + 0.4 * np.eye(8), wide.B, wide.C, wide.D)
            yield f"unstable {kind} system", shifted, 6, 0.0
    for name, system in benchmark_systems("build"):
        level = 0.1 * float(hc.hinf_norm(system).lower)
        yield name, system, 12, level


def points(system: hc.StateSpace) -> np.ndarray:
    """Frequencies over the whole range of a system."""
    if isinstance(system.time, hc.Discrete):
        return np.array([0.0, 0.3, 1.0, 2.0, 3.0])
    return np.array([0.0, 0.01, 0.3, 2.0, 5.2, 30.0, 400.0])


def comparisons() -> Iterator[Comparison]:
    """Every system against the stored model, and the error against its definition."""
    stored = json.loads(STORED.read_text(encoding="utf-8"))
    for name, system, order, beta in cases():
        what = f"{name}, order {order}"
        theirs = stored[what]
        result = hc.balanced_stochastic_truncation(
            system, order=order, regularization=beta or None
        )
        values = np.array(theirs["values"])
        yield Comparison(
            METHOD,
            ORACLE,
            f"values, {what}",
            float(np.max(np.abs(result.characteristic_values - values))),
            USUAL,
        )
        at = points(system)
        response = hc.frequency_response(result.system, at)
        if isinstance(system.time, hc.Discrete):
            polynomial = np.poly(result.system.A)
            difference = np.max(np.abs(polynomial - theirs["polynomial"]))
            yield Comparison(
                METHOD,
                ORACLE,
                f"characteristic polynomial, {what}",
                float(difference / np.max(np.abs(polynomial))),
                1e-8,
            )
        else:
            expected = np.array(theirs["real"]) + 1j * np.array(theirs["imag"])
            size = np.max(np.abs(expected))
            yield Comparison(
                METHOD,
                ORACLE,
                f"response, {what}",
                float(np.max(np.abs(response - expected)) / size),
                1e-8,
            )
        if bool(hc.is_stable(system)):
            yield pointwise_error(system, result, response, beta, what)


def pointwise_error(
    system: hc.StateSpace,
    result: hc.ReductionResult,
    response: np.ndarray,
    beta: float,
    what: str,
) -> Comparison:
    """The error system against L^-1 (G - G_r), L L^H = G G^H + beta^2 I."""
    at = points(system)
    G = hc.frequency_response(system, at)
    gram = G @ G.conj().swapaxes(1, 2) + beta**2 * np.eye(system.n_outputs)
    weighted = np.linalg.solve(np.linalg.cholesky(gram), G - response)
    expected = np.linalg.svd(weighted, compute_uv=False)[:, 0]
    assert result.bound.error is not None
    error = hc.frequency_response(result.bound.error, at)
    ours = np.linalg.svd(error, compute_uv=False)[:, 0]
    return Comparison(
        METHOD,
        "definition: left relative error",
        f"gains of the error system, {what}",
        float(np.max(np.abs(ours - expected)) / np.max(expected)),
        1e-7,
    )
