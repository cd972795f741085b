"""4,096 Lyapunov and Stein equations of n = 16 in one call, against a loop over SciPy.

The peer solves one equation after the other: `scipy.linalg.solve_continuous_lyapunov`
by a Schur form, `scipy.linalg.solve_discrete_lyapunov` by its default, a bilinear map
to a continuous equation for n >= 10. hankelcut takes the stack in one call, on all
cores. Each side gets its best of one and two BLAS threads, and of the repetitions. Both
accuracies are the largest relative residual of the stack in units of 20 n u, the limit
beyond which hankelcut solves an item by its Schur form instead.

Run: python benchmarks/lyapunov_batches.py
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg
from threadpoolctl import threadpool_limits

from hankelcut.lti import (
    Continuous,
    Discrete,
    LyapunovEquation,
    continuous_lyapunov,
    discrete_lyapunov,
)
from hankelcut.validation import random_stable_system

COUNT, N_STATES, N_INPUTS = 4096, 16, 2
REPETITIONS = 5

Matrix = np.ndarray[Any, np.dtype[Any]]


def best_time(function: Callable[[], object]) -> float:
    """Least seconds over repetitions and numbers of BLAS threads."""
    times = []
    for limit in (1, 2):
        with threadpool_limits(limits=limit):
            for _ in range(REPETITIONS):
                begun = time.perf_counter()
                function()
                times.append(time.perf_counter() - begun)
    return min(times)


def scipy_loop(A: Matrix, Q: Matrix, domain: Continuous | Discrete) -> Matrix:
    """Solve one equation after the other."""
    if isinstance(domain, Continuous):
        pairs = zip(A, -Q, strict=True)
        return np.stack([scipy.linalg.solve_continuous_lyapunov(*p) for p in pairs])
    pairs = zip(A, Q, strict=True)
    return np.stack([scipy.linalg.solve_discrete_lyapunov(*p) for p in pairs])


def main() -> None:
    """Print times, ratios and residuals."""
    rng = np.random.default_rng(0)
    print(f"{COUNT} equations of n = {N_STATES}; seconds, best of {REPETITIONS} runs")
    heads = ("SciPy loop", "hankelcut", "ratio", "residual / limit", "SciPy's")
    print(f"{'':22}" + "{:>12}{:>11}{:>7}{:>18}{:>9}".format(*heads))
    for domain, solve in (
        (Continuous(), continuous_lyapunov),
        (Discrete(), discrete_lyapunov),
    ):
        for dtype in (np.float64, np.complex128):
            system = random_stable_system(
                rng, N_STATES, N_INPUTS, 1, domain, dtype=dtype, batch=(COUNT,)
            )
            A, Q = system.A, system.B @ np.conj(np.swapaxes(system.B, -1, -2))
            equation = LyapunovEquation(A, domain)
            limit = 20 * N_STATES * np.finfo(dtype).eps / 2
            ours, theirs = (
                float(np.max(equation.residual(X, Q))) / limit
                for X in (solve(A, Q), scipy_loop(A, Q, domain))
            )
            peer = best_time(lambda A=A, Q=Q, d=domain: scipy_loop(A, Q, d))
            seconds = best_time(lambda A=A, Q=Q, solve=solve: solve(A, Q))
            name = f"{type(domain).__name__.lower()}, {np.dtype(dtype)}"
            print(
                f"{name:22}{peer:12.3f}{seconds:11.3f}{peer / seconds:7.1f}"
                f"{ours:18.3f}{theirs:9.3f}"
            )


if __name__ == "__main__":
    main()
