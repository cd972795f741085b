"""Balanced truncation with its certificate, beside the reduction alone by Slycot.

Peers: Slycot's `ab09ad`, which reduces and measures nothing, and its `ab13dd`, the
H-infinity norm of the full plant, not certified. The certificate: an H-infinity bracket
of 1 %, proven with all rounding, the H2 norm of the error, the stability margin and the
residuals of both Gramians.
One BLAS thread; runs alternate; each contestant gets its best time.

Floors: one eigenvalue problem with vectors of the error system's state matrix; one
Hamiltonian eigenvalue problem, without vectors, of twice its size, which a search by
level sets takes at least once.

Run: python benchmarks/certified_reduction.py [--data FOLDER] [--plants CDplayer ...]
"""

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import slycot
from threadpoolctl import threadpool_limits

import hankelcut as hc
from hankelcut.lti import StateSpace, error_system, stability_margin
from hankelcut.lti.norms.error_norms import error_norms

Matrix: TypeAlias = np.ndarray[Any, np.dtype[Any]]
Contest: TypeAlias = dict[str, Callable[[], object]]

ORDERS = {"CDplayer": 20, "build": 10, "heat-cont": 10}
RTOL = 0.01
ROUNDS = 30
# About this many seconds at most are spent on one plant, after five rounds.
SECONDS = 60.0


def best_times(contest: Contest) -> dict[str, float]:
    """Least seconds of each contestant over alternating rounds."""
    times: dict[str, list[float]] = {name: [] for name in contest}
    begun = time.perf_counter()
    for k in range(ROUNDS):
        for name, function in contest.items():
            start = time.perf_counter()
            function()
            times[name].append(time.perf_counter() - start)
        if k >= 4 and time.perf_counter() - begun > SECONDS:
            break
    return {name: min(seconds) for name, seconds in times.items()}


def fortran(*arrays: Matrix) -> list[Matrix]:
    """Copy arrays to the layout of Slycot, which overwrites its arguments."""
    return [np.array(array, order="F") for array in arrays]


def contest_of(plant: StateSpace, order: int) -> Contest:
    """Reduce and certify, as one and step by step, beside the peers and the floors."""
    n, m, p = plant.n_states, plant.n_inputs, plant.n_outputs
    result = hc.balanced_truncation(plant, order=order)
    error = error_system(plant, result.system)
    assert isinstance(error, StateSpace)  # noqa: S101 - narrows the type
    A, identity = np.asarray(error.A), np.eye(n)
    hamiltonian = np.block([[A, error.B @ error.B.T], [-error.C.T @ error.C, -A.T]])

    def slycot_reduction() -> Any:
        matrices = fortran(plant.A, plant.B, plant.C)
        return slycot.ab09ad("C", "B", "N", n, m, p, *matrices, nr=order)

    def slycot_norm() -> Any:
        matrices = fortran(plant.A, identity, plant.B, plant.C, plant.D)
        return slycot.ab13dd("C", "I", "S", "D", n, m, p, *matrices, tol=1e-6)

    return {
        "reduction and certificate": lambda: hc.balanced_truncation(
            plant, order=order
        ).certify(rtol=RTOL),
        "  reduction": lambda: hc.balanced_truncation(plant, order=order),
        "    Gramian factors, values": lambda: hc.balance(plant),
        "  certificate": lambda: result.certify(rtol=RTOL),
        "    error system": lambda: error_system(plant, result.system),
        "    H-infinity and H2 norm": lambda: error_norms(error, rtol=RTOL),
        "    Gramian residuals": result.residuals,
        "    stability margin": lambda: stability_margin(result.system),
        "norm of the plant": lambda: hc.hinf_norm(plant),
        "Slycot ab09ad": slycot_reduction,
        "Slycot ab13dd, plant": slycot_norm,
        "floor: eig of the error": lambda: np.linalg.eig(A),
        "floor: Hamiltonian": lambda: np.linalg.eigvals(hamiltonian),
    }


def main() -> None:
    """Print times and ratios."""
    beside = Path(__file__).parents[2] / "shared" / "data" / "slicot"
    folder = os.environ.get("HANKELCUT_DATA", str(beside))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path(folder))
    parser.add_argument("--plants", nargs="*", choices=list(ORDERS), default=ORDERS)
    arguments = parser.parse_args()
    for name in arguments.plants:
        plant = hc.load(arguments.data / f"{name}.mat")
        assert isinstance(plant, StateSpace)  # noqa: S101 - narrows the type
        with threadpool_limits(limits=1):
            times = best_times(contest_of(plant, ORDERS[name]))
        unit = times["Slycot ab09ad"]
        print(f"{name}: n = {plant.n_states}, cut to order {ORDERS[name]}")
        for title, seconds in times.items():
            shown = f"{1e3 * seconds:9.2f} ms   / ab09ad {seconds / unit:6.2f}"
            print(f"  {title:28}{shown}")
        share = times["norm of the plant"] / times["Slycot ab13dd, plant"]
        print(f"  norm of the plant / ab13dd {share:.2f}")


if __name__ == "__main__":
    main()
