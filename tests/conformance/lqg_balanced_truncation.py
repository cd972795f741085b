"""LQG balanced truncation against pyMOR and the definition of its values."""

from collections.abc import Iterator

import numpy as np
import scipy.linalg
from pymor.models.iosys import LTIModel
from pymor.reductors.bt import LQGBTReductor

import hankelcut as hc
from hankelcut.validation import random_stable_system
from tests.conformance import Comparison, benchmark_systems

METHOD = "LQG balanced truncation"


def cases() -> Iterator[tuple[str, hc.StateSpace, int]]:
    """Name, system without feedthrough, and order."""
    system = random_stable_system(np.random.default_rng(4), 9, 2, 3)
    yield (
        "random stable system",
        hc.StateSpace(system.A, system.B, system.C),
        5,
    )
    yield (
        "random unstable system",
        hc.StateSpace(system.A + 0.4 * np.eye(9), system.B, system.C),
        5,
    )
    for name, plant in benchmark_systems("build"):
        scale = 1 / float(hc.hinf_norm(plant).lower)
        yield f"{name} of norm 1", hc.StateSpace(plant.A, scale * plant.B, plant.C), 20


def comparisons() -> Iterator[Comparison]:
    """Values, bounds and responses of pyMOR; Riccati equations of SciPy."""
    for name, system, order in cases():
        what = f"{name}, order {order}"
        result = hc.lqg_balanced_truncation(system, order=order)
        model = LTIModel.from_matrices(system.A, system.B, system.C)
        values = model._hankel_svd("lqg")[1]
        ours = result.characteristic_values[: len(values)]
        yield Comparison(
            METHOD,
            "pyMOR LQGBTReductor",
            f"characteristic values, {what}",
            float(np.max(np.abs(ours - values)) / values[0]),
            1e-9,
        )
        reductor = LQGBTReductor(model)
        A, B, C, _, _ = reductor.reduce(r=order, projection="sr").to_matrices()
        at = np.array([0.01, 0.3, 1.0, 5.2, 40.0])
        theirs = hc.frequency_response(hc.StateSpace(A, B, C), at)
        response = hc.frequency_response(result.system, at)
        yield Comparison(
            METHOD,
            "pyMOR LQGBTReductor",
            f"response, {what}",
            float(np.max(np.abs(response - theirs)) / np.max(np.abs(theirs))),
            1e-7,
        )
        bounds = np.asarray(reductor.error_bounds())
        yield Comparison(
            METHOD,
            "pyMOR LQGBTReductor",
            f"error bound, {what}",
            abs(float(result.error_bound) / bounds[order - 1] - 1),
            1e-6,
        )
    yield from of_discrete_equations()


def of_discrete_equations() -> Iterator[Comparison]:
    """Coprime factors of a discrete system, without the map to continuous time."""
    time = hc.Discrete(0.1)
    system = random_stable_system(np.random.default_rng(5), 8, 2, 3, time)
    A, B, C, D = 1.3 * system.A, system.B, system.C, system.D
    R, S = np.eye(2) + D.T @ D, C.T @ D
    X = scipy.linalg.solve_discrete_are(A, B, C.T @ C, R, s=S)
    R = R + B.T @ X @ B
    F = -np.linalg.solve(R, B.T @ X @ A + S.T)
    root = np.linalg.inv(scipy.linalg.sqrtm(R))
    outputs = np.vstack([C + D @ F, F])
    factors = hc.StateSpace(A + B @ F, B @ root, outputs, time=time)
    of_factors = hc.hankel_singular_values(factors)
    expected = of_factors / np.sqrt((1 - of_factors) * (1 + of_factors))
    plant = hc.StateSpace(A, B, C, D, time)
    values = hc.lqg_balanced_truncation(plant, order=8).characteristic_values
    yield Comparison(
        METHOD,
        "SciPy solve_discrete_are",
        "characteristic values, random unstable discrete system",
        float(np.max(np.abs(values / expected - 1))),
        1e-8,
    )
