"""Frequency-limited truncation against the definition of its Gramians."""

from collections.abc import Iterator

import numpy as np

import hankelcut as hc
from hankelcut.validation import random_stable_system
from tests.conformance import Comparison, benchmark_systems, distance
from tests.reduction.methods.gramian_integrals import (
    band_gramians,
    characteristic_values,
)

METHOD = "frequency-limited truncation"


def comparisons() -> Iterator[Comparison]:
    """Values by quadrature, whole bands, and errors within a band."""
    for time in (hc.Continuous(), hc.Discrete(0.1)):
        kind = "continuous" if isinstance(time, hc.Continuous) else "discrete"
        for dtype, field in ((np.float64, "real"), (np.complex128, "complex")):
            rng = np.random.default_rng(7)
            system = random_stable_system(rng, 8, 2, 3, time, dtype=dtype)
            what = f"random {kind} {field} system"
            band = (0.3, 2.5)
            ours = hc.frequency_limited_truncation(system, band=band, order=0)
            theirs = characteristic_values(*band_gramians(system, band))
            yield Comparison(
                METHOD,
                "definition: integrals over the band",
                f"values relative to the largest, {what}, band 0.3 to 2.5",
                distance(ours.characteristic_values, theirs),
                1e-9,
            )
            end = np.inf if kind == "continuous" else np.pi
            whole = (0.0 if field == "real" else -end, float(end))
            for modified in (False, True):
                ours = hc.frequency_limited_truncation(
                    system, band=whole, modified=modified, order=0
                )
                yield Comparison(
                    METHOD,
                    "identity: the whole band is no limit",
                    f"values, {what}" + (", modified" if modified else ""),
                    distance(
                        ours.characteristic_values, hc.hankel_singular_values(system)
                    ),
                    1e-12,
                )
    yield from within_a_band()


def within_a_band() -> Iterator[Comparison]:
    """Errors of the building within a band, in multiples of the plain method's."""
    band = (4.0, 6.0)
    for name, system in benchmark_systems("build"):
        w = np.linspace(*band, 500)
        full = hc.frequency_response(system, w)
        for order in (4, 6):
            errors = [
                np.max(np.abs(hc.frequency_response(result.system, w) - full))
                for result in (
                    hc.frequency_limited_truncation(system, band=band, order=order),
                    hc.balanced_truncation(system, order=order),
                )
            ]
            yield Comparison(
                METHOD,
                "hankelcut balanced_truncation: error within the band, as a share",
                f"{name}, band 4 to 6 rad/s, order {order}",
                float(errors[0] / errors[1]),
                0.5,
            )
