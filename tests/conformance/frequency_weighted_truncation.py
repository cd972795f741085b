"""Frequency-weighted truncation against SLICOT and against the definition."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import hankelcut as hc
from tests.conformance import Comparison, error_between
from tests.conformance.weighted_problems import CASES
from tests.reduction.methods.gramian_integrals import (
    characteristic_values,
    weighted_gramians,
    whole_boundary,
)

METHOD = "frequency-weighted truncation"
STORED = Path(__file__).with_name("ctrlsys_frequency_weighted_truncation.json")


def comparisons() -> Iterator[Comparison]:
    """Models and values of Enns' method, and the bound of the default."""
    stored = json.loads(STORED.read_text("utf-8"))
    for case in CASES:
        system, before, after = case.systems()
        weights = {
            "input_weight": None if case.weight == "L" else before,
            "output_weight": None if case.weight == "R" else after,
        }
        ours = hc.frequency_weighted_truncation(
            system, **weights, variant="enns", order=case.order
        )
        theirs = stored[case.name]
        yield Comparison(
            METHOD,
            "ctrlsys ab09id",
            f"weighted Hankel singular values, {case.name}",
            worst_ratio(ours.characteristic_values, np.array(theirs["values"])),
            1e-12,
        )
        A, B, C, D = (np.array(theirs[k]) for k in "ABCD")
        model = hc.StateSpace(A, B, C, D, system.time)
        yield Comparison(
            METHOD,
            "ctrlsys ab09id",
            f"transfer function, {case.name}",
            error_between(model, ours.system),
            1e-12,
        )
        exact = characteristic_values(*weighted_gramians(system, *weights.values()))
        yield Comparison(
            METHOD,
            "definition: integrals over all frequencies",
            f"weighted Hankel singular values, {case.name}",
            worst_ratio(ours.characteristic_values, exact),
            1e-8,
        )
        yield bound_comparison(system, weights, case.name, case.order)
    yield from printed_example()


def worst_ratio(first: np.ndarray, second: np.ndarray) -> float:
    """Largest relative difference of two vectors."""
    return float(np.max(np.abs(first / second - 1)))


def bound_comparison(
    system: hc.StateSpace,
    weights: dict[str, hc.StateSpace | None],
    name: str,
    order: int,
) -> Comparison:
    """By how much the weighted error exceeds its bound, at any frequency."""
    result = hc.frequency_weighted_truncation(system, **weights, order=order)
    z, _ = whole_boundary(system.time, 2000)
    w = z.imag if isinstance(system.time, hc.Continuous) else np.angle(z)
    error = hc.frequency_response(system, w) - hc.frequency_response(result.system, w)
    before, after = weights["input_weight"], weights["output_weight"]
    if before is not None:
        error = error @ hc.frequency_response(before, w)
    if after is not None:
        error = hc.frequency_response(after, w) @ error
    seen = np.linalg.svd(error, compute_uv=False)[:, 0].max()
    return Comparison(
        METHOD,
        "definition: weighted error on a grid, beyond the bound",
        f"Wang, Sreeram & Liu, {name}",
        max(0.0, float(seen) / float(result.error_bound) - 1),
        0.0,
    )


def printed_example() -> Iterator[Comparison]:
    """The example of AB09ID, to the digits printed: one unstable pole is kept."""
    A = np.array([[-26.4, 6.4023, 4.3868], [32.0, 0.0, 0.0], [0.0, 8.0, 0.0]])
    C = np.array([[9.2994, 1.1624, 0.1090]])
    system = hc.StateSpace(A, [[16.0], [0.0], [0.0]], C)
    Av = np.zeros((6, 6))
    Av[:3, :3] = np.diag([-1.0, 2.0, -3.0])
    Av[0, 2] = 4.0
    Av[:3, 3:], Av[3, :3], Av[3:, 3:] = -C, 16.0, A
    Bv = np.array([[1.0, 1.0, 1.0, 0.0, 0.0, 0.0]]).T
    weight = hc.StateSpace(Av, Bv, Bv.T)
    ours = hc.frequency_weighted_truncation(
        system, output_weight=weight, variant="enns", order=2
    )
    printed = np.array([3.8253, 0.2005])
    yield Comparison(
        METHOD,
        "SLICOT AB09ID, printed",
        "weighted Hankel singular values, 3 states with one unstable pole",
        float(np.max(np.abs(ours.characteristic_values - printed)) / printed[0]),
        0.5e-4 / printed[0],
    )
    theirs = hc.StateSpace(
        np.diag([9.1900, -34.5297]), [[11.9593], [16.9329]], [[2.8955, 6.9152]]
    )
    w = np.geomspace(0.1, 1000.0, 200)
    pair = [hc.frequency_response(s, w) for s in (theirs, ours.system)]
    yield Comparison(
        METHOD,
        "SLICOT AB09ID, printed",
        "transfer function, 3 states with one unstable pole, order 2",
        float(np.max(np.abs(pair[0] - pair[1])) / np.max(np.abs(pair[0]))),
        2e-5,
    )
