"""Dense continuous systems: singular values and a cut to order 10; one equation.

Peers: Slycot's `ab09ad` (all values and the reduced model), python-control's
`hankel_singular_values` (values alone), Slycot's `sb03md57` (one Lyapunov equation).
Random systems with 2 inputs and 2 outputs, eigenvalues in a disc, the slowest at -0.1.
BLAS threads are pinned alike, runs alternate; each side gets its best number.

Floor: one real Schur form of the state matrix, measured beside.

Run: python benchmarks/dense_systems.py [--states 200 500 1000]
"""

import argparse
import time
from collections.abc import Callable
from typing import Any, TypeAlias

import control
import numpy as np
import scipy.linalg
import slycot
from threadpoolctl import threadpool_limits

import hankelcut as hc
from hankelcut.lti import continuous_lyapunov

Matrix: TypeAlias = np.ndarray[Any, np.dtype[Any]]

ORDER = 10
THREADS = (1, 2)
# About this many seconds are spent on each contest, at least two rounds of it.
SECONDS = 20.0


def random_system(n: int) -> hc.StateSpace:
    """Random dense system of n states, 2 inputs and 2 outputs."""
    rng = np.random.default_rng(n)
    A = rng.standard_normal((n, n)) / np.sqrt(n)
    A -= (np.linalg.eigvals(A).real.max() + 0.1) * np.eye(n)
    return hc.StateSpace(A, rng.standard_normal((n, 2)), rng.standard_normal((2, n)))


def best_times(contest: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Least seconds of each contestant, over rounds and numbers of threads."""
    times: dict[str, list[float]] = {name: [] for name in contest}
    begun = time.perf_counter()
    while len(times[next(iter(contest))]) < 4 or time.perf_counter() - begun < SECONDS:
        for threads in THREADS:
            with threadpool_limits(limits=threads):
                for name, function in contest.items():
                    start = time.perf_counter()
                    function()
                    times[name].append(time.perf_counter() - start)
    return {name: min(seconds) for name, seconds in times.items()}


def fortran(*arrays: Matrix) -> list[Matrix]:
    """Copy arrays to the layout of Slycot, which overwrites its arguments."""
    return [np.array(array, order="F") for array in arrays]


def reduction_contest(system: hc.StateSpace) -> dict[str, Callable[[], object]]:
    """Values and reduced models of one system, by each side."""
    n, peer = system.n_states, control.ss(system.A, system.B, system.C, system.D)

    def slycot_reduction() -> Any:
        A, B, C = fortran(system.A, system.B, system.C)
        return slycot.ab09ad("C", "B", "N", n, 2, 2, A, B, C, nr=ORDER)

    return {
        "hankelcut": lambda: hc.balanced_truncation(system, order=ORDER),
        "hankelcut, values": lambda: hc.hankel_singular_values(system),
        "Slycot ab09ad": slycot_reduction,
        "python-control": lambda: control.hankel_singular_values(peer),
        "Schur form": lambda: scipy.linalg.schur(system.A),
    }


def equation_contest(system: hc.StateSpace) -> dict[str, Callable[[], object]]:
    """Solve one Lyapunov equation with a full right-hand side, by each side."""
    n = system.n_states
    Q = np.eye(n) + system.B @ system.B.T

    def slycot_solution() -> Any:
        A, C = fortran(system.A, -Q)
        return slycot.sb03md57(A, C=C, dico="C")

    return {
        "hankelcut": lambda: continuous_lyapunov(system.A, Q),
        "Slycot sb03md57": slycot_solution,
        "scipy": lambda: scipy.linalg.solve_continuous_lyapunov(system.A, -Q),
        "Schur form": lambda: scipy.linalg.schur(system.A),
    }


def agreement(system: hc.StateSpace) -> float:
    """Largest difference of the values to Slycot's, relative to the largest value."""
    A, B, C = fortran(system.A, system.B, system.C)
    theirs = slycot.ab09ad("C", "B", "N", system.n_states, 2, 2, A, B, C, nr=ORDER)[4]
    ours = hc.hankel_singular_values(system)
    return float(np.max(np.abs(ours - theirs)) / theirs[0])


def print_contest(title: str, times: dict[str, float], ours: str = "hankelcut") -> None:
    """Print the seconds of each contestant and our share of them."""
    print(title)
    for name, seconds in times.items():
        print(
            f"  {name:20}{seconds:9.4f} s   hankelcut / it {times[ours] / seconds:6.2f}"
        )


def main() -> None:
    """Print times and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--states", type=int, nargs="*", default=[200, 500, 1000])
    for n in parser.parse_args().states:
        system = random_system(n)
        times = best_times(reduction_contest(system))
        print_contest(f"n = {n}: values and a cut to order {ORDER}", times)
        share = times["hankelcut, values"] / times["python-control"]
        print(f"  values alone / python-control {share:6.2f}")
        print(f"  largest difference of the values to Slycot's {agreement(system):.1e}")
        print_contest(
            f"n = {n}: one Lyapunov equation", best_times(equation_contest(system))
        )


if __name__ == "__main__":
    main()
