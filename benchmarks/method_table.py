"""Every method on the SLICOT systems, next to the peers that have it.

For each system and order: the a-priori bound, the upper end of the certified bracket of
the H-infinity error, both relative to the norm, the time of each method and of its
certificate; and the error and the time of Slycot's and pyMOR's model of the same kind,
whose errors are measured by the same function. Times are the best of a few runs in one
process, with one BLAS thread.

Run: python benchmarks/method_table.py [--data FOLDER] [--systems build ...]
"""

import argparse
import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import slycot
from pymor.core.logger import set_log_levels
from pymor.models.iosys import LTIModel
from pymor.reductors.bt import (
    BRBTReductor,
    BTReductor,
    LQGBTReductor,
    PRBTReductor,
)
from pymor.reductors.h2 import IRKAReductor
from pymor.reductors.mt import MTReductor
from threadpoolctl import threadpool_limits

import hankelcut as hc

DATA = Path(__file__).parents[2] / "shared/data"
ORDERS = {"build": 10, "CDplayer": 20, "heat-cont": 5}
RUNS = 3
# Methods that take longer than this are run once.
LONG = 2.0
# Width of the brackets that are printed, and of those that are timed.
WIDTH, TIMED_WIDTH = 1e-4, 1e-2


def fortran(*arrays: Any) -> list[Any]:
    """Copy arrays to the layout of Slycot, which overwrites its arguments."""
    return [np.array(array, order="F") for array in arrays]


def slycot_bt(system: hc.StateSpace, order: int) -> hc.StateSpace:
    """Balanced truncation by Slycot."""
    n, m, p = system.n_states, system.n_inputs, system.n_outputs
    arrays = fortran(system.A, system.B, system.C)
    _, A, B, C, _ = slycot.ab09ad("C", "B", "N", n, m, p, *arrays, nr=order)
    return hc.StateSpace(A, B, C, system.D)


def slycot_spa(system: hc.StateSpace, order: int) -> hc.StateSpace:
    """Singular perturbation approximation by Slycot (its ab09bd corrupts the heap)."""
    n, m, p = system.n_states, system.n_inputs, system.n_outputs
    arrays = fortran(system.A, system.B, system.C, system.D)
    _, A, B, C, D, _, _ = slycot.ab09nd("C", "N", "N", n, m, p, *arrays, nr=order)
    return hc.StateSpace(A, B, C, D)


def pymor_peer(reductor: type, **options: Any) -> Callable[..., hc.StateSpace]:
    """Return the reduction of one of pyMOR's reductors."""

    def reduce(system: hc.StateSpace, order: int) -> hc.StateSpace:
        model = LTIModel.from_matrices(system.A, system.B, system.C, D=system.D)
        if reductor is IRKAReductor:
            reduced = IRKAReductor(model).reduce(order)
        else:
            reduced = reductor(model, **options).reduce(order)
        A, B, C, D, E = reduced.to_matrices()
        if E is not None:
            A, B = np.linalg.solve(E, A), np.linalg.solve(E, B)
        return hc.StateSpace(A, B, C, np.zeros_like(system.D) if D is None else D)

    return reduce


PEERS: dict[str, list[tuple[str, Callable[[hc.StateSpace, int], hc.StateSpace]]]] = {
    "balanced_truncation": [
        ("Slycot ab09ad", slycot_bt),
        ("pyMOR BT", pymor_peer(BTReductor)),
    ],
    "singular_perturbation_approximation": [("Slycot ab09nd", slycot_spa)],
    "bounded_real_truncation": [("pyMOR BRBT", pymor_peer(BRBTReductor))],
    "positive_real_truncation": [("pyMOR PRBT", pymor_peer(PRBTReductor))],
    "lqg_balanced_truncation": [("pyMOR LQGBT", pymor_peer(LQGBTReductor))],
    "irka": [("pyMOR IRKA", pymor_peer(IRKAReductor))],
    "modal_truncation": [("pyMOR MT", pymor_peer(MTReductor))],
}


def options_for(system: hc.StateSpace) -> dict[str, dict[str, Any]]:
    """Return the arguments of the methods that cannot do without.

    The weight is a low-pass filter of the peak frequency, which the band goes beyond by
    a factor 2; the horizon is the slowest time constant; errors are relative to gains
    above 1 % of the norm.
    """
    norm, slowest = hc.hinf_norm(system), float(hc.stability_margin(system))
    gain, corner = float(norm.upper), max(abs(float(norm.frequency)), slowest)
    identity = np.eye(system.n_inputs)
    low_pass = hc.StateSpace(-corner * identity, corner * identity, identity)
    return {
        "balanced_stochastic_truncation": {"regularization": 0.01 * gain},
        "bounded_real_truncation": {"gamma": 2 * gain},
        "frequency_limited_truncation": {"band": (0.0, 2 * corner)},
        "frequency_weighted_truncation": {"input_weight": low_pass},
        "time_limited_truncation": {"horizon": 1 / slowest},
    }


def best_time(work: Callable[[], Any]) -> tuple[Any, float]:
    """Return the result of some work and its least seconds over a few runs."""
    times = []
    while True:
        begun = time.perf_counter()
        result = work()
        times.append(time.perf_counter() - begun)
        if len(times) == RUNS or times[0] > LONG:
            return result, min(times)


def measured(system: hc.StateSpace, reduced: hc.StateSpace) -> str:
    """H-infinity error of a model relative to the norm of the system, as text."""
    try:
        error = hc.hinf_norm(hc.error_system(system, reduced), rtol=WIDTH)
    except hc.UnstableSystemError:
        return "unstable"
    return f"{float(error.upper) / float(hc.hinf_norm(system).lower):.3e}"


def peer_cells(system: hc.StateSpace, order: int, name: str) -> list[tuple[str, ...]]:
    """Peer, relative error and milliseconds of everyone who has the method."""
    cells = []
    for peer, function in PEERS.get(name, []):
        try:
            reduced, seconds = best_time(lambda run=function: run(system, order))
        except Exception as error:
            cells.append((peer, type(error).__name__, ""))
            continue
        cells.append((peer, measured(system, reduced), f"{1e3 * seconds:.1f}"))
    return cells or [("", "", "")]


def rows(name: str, system: hc.StateSpace, order: int) -> list[str]:
    """Return the lines of the table of one system."""
    norm = float(hc.hinf_norm(system).lower)
    options = options_for(system)
    lines = []
    for method in hc.reduction.METHODS.values():
        key = method.function.__name__
        arguments = options.get(key, {})
        if key == "low_rank_balanced_truncation" or set(method.needs) - set(arguments):
            continue
        try:
            result, seconds = best_time(
                lambda call=method.function, more=arguments: call(
                    system, order=order, **more
                )
            )
        except (hc.HankelcutError, ValueError) as error:
            _, _, reason = str(error).partition(": ")
            refused = f"refused: {reason.partition(';')[0]}"
            lines.append(f"| {name} | {method.title} | {refused} |" + " |" * 7)
            continue
        _, certificate_seconds = best_time(
            lambda made=result: made.certify(rtol=TIMED_WIDTH)
        )
        bound = result.error_bound
        plain = result.bound.error is None and bound is not None
        shown = f"{float(bound) / norm:.3e}" if plain else "-"
        for k, cells in enumerate(peer_cells(system, order, key)):
            own = (name, method.title, str(result.order), shown)
            own += (measured(system, result.system), f"{1e3 * seconds:.1f}")
            own += (f"{1e3 * certificate_seconds:.1f}",)
            line = (*(own if k == 0 else ("",) * len(own)), *cells)
            lines.append("| " + " | ".join(line) + " |")
    return lines


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    folder = Path(os.environ.get("HANKELCUT_DATA", DATA))
    parser.add_argument("--data", type=Path, default=folder)
    parser.add_argument("--systems", nargs="*", default=list(ORDERS))
    arguments = parser.parse_args()
    set_log_levels({"pymor": "ERROR"})
    heads = ("system", "method", "order", "bound", "error", "ms", "certificate, ms")
    heads += ("peer", "error", "ms")
    print("| " + " | ".join(heads) + " |\n|" + "---|" * len(heads))
    with threadpool_limits(limits=1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in arguments.systems:
            path = arguments.data / "slicot" / f"{name}.mat"
            if not path.is_file():
                print(f"| {name} | no file {path} |" + " |" * 8)
                continue
            system = hc.load(path)
            for line in rows(name, system, ORDERS[name]):
                print(line)


if __name__ == "__main__":
    main()
