"""Time-limited truncation against the definition of its Gramians."""

from collections.abc import Iterator

import numpy as np
from scipy.linalg import expm

import hankelcut as hc
from hankelcut.validation import random_stable_system
from tests.conformance import Comparison, benchmark_systems, distance
from tests.reduction.methods.gramian_integrals import characteristic_values

METHOD = "time-limited truncation"


def horizon_gramian(
    A: np.ndarray, B: np.ndarray, time: hc.Continuous | hc.Discrete, horizon: float
) -> np.ndarray:
    """Integral by Gauss-Legendre quadrature, or sum, of the squared responses."""
    if isinstance(time, hc.Discrete):
        terms = [np.linalg.matrix_power(A, k) @ B for k in range(int(horizon))]
        return sum(M @ M.conj().T for M in terms)
    nodes, weights = np.polynomial.legendre.leggauss(60)
    times, weights = horizon * (nodes + 1) / 2, horizon * weights / 2
    terms = [np.sqrt(w) * expm(A * t) @ B for t, w in zip(times, weights, strict=True)]
    return sum(M @ M.conj().T for M in terms)


def comparisons() -> Iterator[Comparison]:
    """Values by quadrature and by sums, long horizons, and errors up to a horizon."""
    for time in (hc.Continuous(), hc.Discrete(0.1)):
        kind = "continuous" if isinstance(time, hc.Continuous) else "discrete"
        horizon = 1.7 if kind == "continuous" else 7
        for dtype, field in ((np.float64, "real"), (np.complex128, "complex")):
            rng = np.random.default_rng(7)
            stable = random_stable_system(rng, 8, 2, 3, time, dtype=dtype)
            shift = 0.3 * np.eye(8)
            A = stable.A + shift if kind == "continuous" else 1.3 * stable.A
            growing = hc.StateSpace(A, stable.B, stable.C, time=time)
            for what, system in (("stable", stable), ("unstable", growing)):
                ours = hc.time_limited_truncation(system, horizon=horizon, order=4)
                P = horizon_gramian(system.A, system.B, time, horizon)
                Ah, Ch = system.A.conj().T, system.C.conj().T
                theirs = characteristic_values(
                    P, horizon_gramian(Ah, Ch, time, horizon)
                )
                yield Comparison(
                    METHOD,
                    "definition: integrals or sums over the horizon",
                    f"values relative to the largest, random {kind} {field} {what} "
                    "system",
                    distance(ours.characteristic_values, theirs),
                    1e-11,
                )
            for modified in (False, True):
                ours = hc.time_limited_truncation(
                    stable, horizon=3000, modified=modified, order=4
                )
                yield Comparison(
                    METHOD,
                    "identity: a long horizon is no limit",
                    f"values, random {kind} {field} system"
                    + (", modified" if modified else ""),
                    distance(
                        ours.characteristic_values, hc.hankel_singular_values(stable)
                    ),
                    1e-12,
                )
    yield from up_to_a_horizon()


def up_to_a_horizon() -> Iterator[Comparison]:
    """Errors of the building up to a time, in multiples of the plain method's."""
    horizon = 0.3
    for name, system in benchmark_systems("build"):
        for order in (6, 10):
            errors = []
            for result in (
                hc.time_limited_truncation(system, horizon=horizon, order=order),
                hc.balanced_truncation(system, order=order),
            ):
                error = hc.to_dense(hc.error_system(system, result.system))
                P = hc.time_limited_controllability_gramian(error, horizon)
                errors.append(float(np.trace(error.C @ P @ error.C.T)) ** 0.5)
            yield Comparison(
                METHOD,
                "hankelcut balanced_truncation: error up to the horizon, as a share",
                f"{name}, L2 norm of the impulse response to 0.3 s, order {order}",
                errors[0] / errors[1],
                0.5,
            )
