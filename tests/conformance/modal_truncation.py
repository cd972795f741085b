"""Modal truncation against pyMOR and the definition of a sum of modes."""

from collections.abc import Iterator

import numpy as np
from pymor.models.iosys import LTIModel
from pymor.reductors.mt import MTReductor

import hankelcut as hc
from hankelcut.validation import random_stable_system
from tests.conformance import Comparison, benchmark_systems
from tests.helpers import dico

METHOD = "modal truncation"
ORDERS = {"build": 10, "CDplayer": 20, "heat-cont": 10}
FREQUENCIES = np.linspace(-3.0, 3.0, 61)


def comparisons() -> Iterator[Comparison]:
    """The model of pyMOR, sums of modes, and measured errors within the bound."""
    yield of_pymor()
    for time in (hc.Continuous(), hc.Discrete(0.1)):
        system = random_stable_system(
            np.random.default_rng(1), 9, 2, 3, time, dtype=np.complex128
        )
        kind = "continuous" if dico(system) == "C" else "discrete"
        yield sum_of_modes(system, 4, kind)
        yield within_bound(system, 4, f"random complex {kind} system")
    for name, system in benchmark_systems(*ORDERS):
        yield within_bound(system, ORDERS[name], name)


def of_pymor() -> Comparison:
    """Dominant poles of four well-separated pairs."""
    A = np.zeros((8, 8))
    for k, (decay, turn) in enumerate([(0.1, 5), (0.3, 1), (0.7, 9), (2.0, 3)]):
        pair = slice(2 * k, 2 * k + 2)
        A[pair, pair] = [[-decay, turn], [-turn, -decay]]
    B, C = np.tile([[1.0], [0.0]], (4, 1)), np.tile([[1.0, 0.0]], (1, 4))
    X = np.linalg.qr(np.random.default_rng(1).standard_normal((8, 8)))[0]
    system = hc.StateSpace(X @ A @ X.T, X @ B, C @ X.T)
    model = LTIModel.from_matrices(system.A, system.B, system.C)
    reduced = MTReductor(model).reduce(4, decomposition="samdp", which="NR")
    A, B, C, _, E = reduced.to_matrices()
    theirs = hc.StateSpace.from_descriptor(np.eye(4) if E is None else E, A, B, C)
    ours = hc.modal_truncation(system, order=4).system
    difference = hc.h2_norm(hc.error_system(ours, theirs)) / hc.h2_norm(ours)
    return Comparison(
        METHOD,
        "pyMOR MTReductor",
        "reduced model in the H2 norm, four pairs of poles, order 4",
        float(difference),
        1e-10,
    )


def sum_of_modes(system: hc.StateSpace, order: int, kind: str) -> Comparison:
    """The modes of the largest norms, added by hand."""
    poles, vectors = np.linalg.eig(system.A)
    rows, columns = np.linalg.solve(vectors, system.B), system.C @ vectors
    sizes = np.linalg.norm(rows, axis=1) * np.linalg.norm(columns, axis=0)
    margins = -poles.real if kind == "continuous" else 1 - np.abs(poles)
    points = 1j * FREQUENCIES if kind == "continuous" else np.exp(1j * FREQUENCIES)
    expected = np.zeros((FREQUENCIES.shape[0], 3, 2), dtype=complex) + system.D
    for k in np.argsort(-sizes / margins)[:order]:
        term = np.outer(columns[:, k], rows[k])
        expected += term / (points[:, None, None] - poles[k])
    found = hc.frequency_response(
        hc.modal_truncation(system, order=order).system, FREQUENCIES
    )
    return Comparison(
        METHOD,
        "definition: sum of the kept modes",
        f"frequency response, random complex {kind} system, order {order}",
        float(np.max(np.abs(found - expected)) / np.max(np.abs(expected))),
        1e-11,
    )


def within_bound(system: hc.StateSpace, order: int, what: str) -> Comparison:
    """Share of the measured error that is above the bound."""
    result = hc.modal_truncation(system, order=order)
    lower = float(result.certify().hinf_error.lower)
    return Comparison(
        METHOD,
        "definition: triangle inequality",
        f"H-infinity error above the bound, {what}, order {order}",
        max(lower / float(result.error_bound) - 1, 0.0),
        0.0,
    )
