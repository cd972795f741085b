"""Positive-real truncation against pyMOR and the definition."""

from collections.abc import Iterator

import numpy as np
from pymor.models.iosys import LTIModel
from pymor.reductors.bt import PRBTReductor

import hankelcut as hc
from tests.conformance import Comparison, benchmark_systems, norm_of_difference

METHOD = "positive-real truncation"
ORDER = 4


def comparisons() -> Iterator[Comparison]:
    """Values and models, those of a SLICOT file with a resistance added."""
    system = passive_system(np.random.default_rng(1))
    yield from of_pymor(system, "random passive system", ORDER)
    for name, plain in benchmark_systems("build"):
        # Passive by a feedthrough of more than the largest gain.
        D = 1.5 * float(hc.hinf_norm(plain).upper) * np.eye(plain.n_inputs)
        # In its own states pyMOR loses digits from the first value on.
        balanced = hc.balanced_realization(plain).system
        system = hc.StateSpace(balanced.A, balanced.B, balanced.C, D)
        what = f"{name} in balanced states, with a feedthrough"
        yield from of_pymor(system, what, 2 * ORDER)
    yield from of_scattering(
        passive_system(np.random.default_rng(2)), "random passive system"
    )
    discrete = hc.discretize(
        passive_system(np.random.default_rng(3)), 0.1, method="bilinear"
    )
    yield from of_scattering(discrete, "random passive discrete system")


def passive_system(rng: np.random.Generator) -> hc.StateSpace:
    """Return a port-Hamiltonian system: x' = (J - R) x + B u, y = B^T x + D u."""
    n, m = 9, 2
    root, B, skew = (rng.standard_normal(shape) for shape in ((n, 2), (n, m), (n, n)))
    A = skew - skew.T - root @ root.T / 4 - 0.1 * np.eye(n)
    return hc.StateSpace(A, B, B.T, np.array([[1.0, 0.2], [-0.2, 0.5]]))


def of_pymor(system: hc.StateSpace, what: str, order: int) -> Iterator[Comparison]:
    """Values and the model; factors of Gramians lose small values."""
    ours = hc.positive_real_truncation(system, order=order)
    model = LTIModel.from_matrices(system.A, system.B, system.C, D=system.D)
    values = np.asarray(model._hankel_svd("pr")[1])
    mine = np.asarray(ours.characteristic_values)[: len(values)]
    seen = values > 1e-4 * values[0]
    yield Comparison(
        METHOD,
        "pyMOR PRBTReductor",
        f"positive-real characteristic values above 1e-4 of the largest, {what}",
        float(np.max(np.abs(mine[seen] / values[seen] - 1))),
        1e-6,
    )
    reduced = PRBTReductor(model).reduce(r=order, projection="sr")
    A, B, C, D, _ = reduced.to_matrices()
    norm = float(hc.hinf_norm(system).lower)
    yield Comparison(
        METHOD,
        "pyMOR PRBTReductor",
        f"transfer function, {what}, order {order}",
        norm_of_difference(hc.StateSpace(A, B, C, D), ours.system) / norm,
        1e-7,
    )


def of_scattering(system: hc.StateSpace, what: str) -> Iterator[Comparison]:
    """The bounded-real truncation of (G - I)(G + I)^-1, and the passivity."""
    ours = hc.positive_real_truncation(system, order=ORDER)
    theirs = hc.bounded_real_truncation(scattering(system), order=ORDER)
    values = np.asarray(theirs.characteristic_values)
    yield Comparison(
        METHOD,
        "definition: bounded-real truncation of the scattering matrix",
        f"characteristic values, {what}",
        float(np.max(np.abs(np.asarray(ours.characteristic_values) / values - 1))),
        1e-9,
    )
    yield Comparison(
        METHOD,
        "definition: bounded-real truncation of the scattering matrix",
        f"scattering matrix, {what}, order {ORDER}",
        norm_of_difference(scattering(ours.system), theirs.system),
        1e-9,
    )
    yield Comparison(
        METHOD,
        "definition: scattering matrix of the model contractive",
        f"excess of the H-infinity norm, {what}, order {ORDER}",
        max(float(hc.hinf_norm(scattering(ours.system)).upper) - 1, 0.0),
        0.0,
    )


def scattering(system: hc.StateSpace) -> hc.StateSpace:
    """Return (G - I)(G + I)^-1."""
    identity = np.eye(system.n_inputs)
    inverse = np.linalg.inv(system.D + identity)
    return hc.StateSpace(
        system.A - system.B @ inverse @ system.C,
        np.sqrt(2) * system.B @ inverse,
        np.sqrt(2) * inverse @ system.C,
        (system.D - identity) @ inverse,
        system.time,
    )
