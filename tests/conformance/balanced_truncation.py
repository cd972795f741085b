"""Balanced truncation against Slycot, python-control and pyMOR."""

from collections.abc import Iterator

import control
import numpy as np
import slycot
from pymor.models.iosys import LTIModel
from pymor.reductors.bt import BTReductor

import hankelcut as hc
from hankelcut.validation import random_stable_system
from tests.conformance import Comparison, error_between
from tests.helpers import dico, fortran, with_unstable_modes

METHOD = "balanced truncation"
SIZES = (9, 2, 3)
ORDER = 4


def comparisons() -> Iterator[Comparison]:
    """Values and reduced models, both time domains, stable and unstable."""
    for time in (hc.Continuous(), hc.Discrete(0.1)):
        system = random_stable_system(np.random.default_rng(1), *SIZES, time)
        kind = "continuous" if dico(system) == "C" else "discrete"
        for projection in ("square_root", "balancing_free"):
            ours = hc.balanced_truncation(system, order=ORDER, projection=projection)
            n, m, p = SIZES
            matrices = fortran(system.A, system.B, system.C)
            nr, A, B, C, values = slycot.ab09ad(
                dico(system), "B", "N", n, m, p, *matrices, nr=ORDER
            )
            assert nr == ORDER
            theirs = hc.StateSpace(A, B, C, system.D, time)
            what = f"random {kind} system, order {ORDER}, {projection}"
            yield Comparison(
                METHOD,
                "Slycot ab09ad",
                f"transfer function, {what}",
                error_between(theirs, ours.system),
                1e-10,
            )
            yield Comparison(
                METHOD,
                "Slycot ab09ad",
                f"Hankel singular values, {what}",
                float(np.max(np.abs(ours.characteristic_values / values - 1))),
                1e-10,
            )
        yield from unstable(time, kind)
    yield from of_other_toolboxes()


def unstable(time: hc.Continuous | hc.Discrete, kind: str) -> Iterator[Comparison]:
    """The stable part cut and the unstable part kept."""
    rng = np.random.default_rng(2)
    n, m, p = SIZES
    stable = random_stable_system(rng, n - 2, m, p, time)
    system = with_unstable_modes(rng, stable)
    ours = hc.balanced_truncation(system, order=ORDER + 2)
    matrices = fortran(system.A, system.B, system.C)
    _, A, B, C, ns, values = slycot.ab09md(
        dico(system), "B", "N", n, m, p, *matrices, nr=ORDER + 2
    )
    theirs = hc.StateSpace(A, B, C, system.D, time)
    pair = [hc.stable_unstable_decomposition(s) for s in (theirs, ours.system)]
    for part in ("stable", "unstable"):
        first, second = (getattr(split, part) for split in pair)
        if part == "unstable":
            first, second = (
                hc.StateSpace(-s.A, s.B, s.C)
                if kind == "continuous"
                else hc.StateSpace(np.linalg.inv(s.A), s.B, s.C, time=time)
                for s in (first, second)
            )
        yield Comparison(
            METHOD,
            "Slycot ab09md",
            f"{part} part, random {kind} system with 2 unstable poles",
            error_between(first, second),
            1e-10,
        )
    yield Comparison(
        METHOD,
        "Slycot ab09md",
        f"Hankel singular values of the stable part, {kind}",
        float(np.max(np.abs(ours.characteristic_values / values[:ns] - 1))),
        1e-10,
    )


def of_other_toolboxes() -> Iterator[Comparison]:
    """Values of python-control, and model and bounds of pyMOR (continuous time)."""
    system = random_stable_system(np.random.default_rng(3), *SIZES)
    ours = hc.balanced_truncation(system, order=ORDER)
    plant = control.ss(system.A, system.B, system.C, system.D)
    values = np.asarray(control.hankel_singular_values(plant))
    yield Comparison(
        METHOD,
        "python-control hankel_singular_values",
        "Hankel singular values, random continuous system",
        float(np.max(np.abs(ours.characteristic_values - values)) / values[0]),
        1e-10,
    )
    model = LTIModel.from_matrices(system.A, system.B, system.C, D=system.D)
    reductor = BTReductor(model)
    A, B, C, D, _ = reductor.reduce(r=ORDER, projection="sr").to_matrices()
    theirs = hc.StateSpace(A, B, C, np.zeros((3, 2)) if D is None else D)
    yield Comparison(
        METHOD,
        "pyMOR BTReductor",
        f"transfer function, random continuous system, order {ORDER}",
        error_between(theirs, ours.system),
        1e-8,
    )
    bounds = np.asarray(reductor.error_bounds())
    yield Comparison(
        METHOD,
        "pyMOR BTReductor",
        f"error bound, random continuous system, order {ORDER}",
        abs(float(ours.error_bound) / bounds[ORDER - 1] - 1),
        1e-6,
    )
