"""What every method of reduction is compared with, and how far apart the two are.

Each module here yields the comparisons of one method. The test beside them asserts
their tolerances, and ``python -m tests.conformance`` writes them as a page.
"""

import importlib
import pkgutil
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hankelcut import NumericalWarning, StateSpace, error_system, hinf_norm, load
from tests.helpers import DATA_FOLDER

__all__ = [
    "Comparison",
    "benchmark_systems",
    "distance",
    "error_between",
    "modules",
]


@dataclass(frozen=True)
class Comparison:
    """One number of a method against an independent oracle.

    Parameters
    ----------
    method : str
        Name of the method.
    oracle : str
        What it is compared with: "Slycot ab09bd", "definition: all-pass error".
    quantity : str
        What is compared, of which system, at which order.
    difference : float
        Relative difference.
    tolerance : float
        Largest difference that the test accepts.
    """

    method: str
    oracle: str
    quantity: str
    difference: float
    tolerance: float


def modules() -> dict[str, Iterator[Comparison]]:
    """Comparisons of every module, not yet computed, by its name."""
    found = {}
    for info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{info.name}")
        if hasattr(module, "comparisons"):
            found[info.name] = module.comparisons()
    return found


def benchmark_systems(*names: str) -> Iterator[tuple[str, StateSpace]]:
    """Those of the SLICOT files build, CDplayer and heat-cont that are at hand."""
    for name in names:
        path = DATA_FOLDER / "slicot" / f"{name}.mat"
        if path.is_file():
            system = load(path)
            assert isinstance(system, StateSpace)
            yield name, system


def distance(first: np.ndarray, second: np.ndarray) -> float:
    """Largest difference of two vectors, relative to the largest entry."""
    return float(np.max(np.abs(first - second)) / np.max(second))


def error_between(first: StateSpace, second: StateSpace) -> float:
    """H-infinity norm of the difference of two models, relative to the first."""
    return norm_of_difference(first, second) / float(hinf_norm(first).lower)


def norm_of_difference(first: StateSpace, second: StateSpace) -> float:
    """Upper end of the H-infinity norm of the difference of two models."""
    with warnings.catch_warnings():
        # The norm of what is all rounding has a wide bracket.
        warnings.simplefilter("ignore", NumericalWarning)
        return float(hinf_norm(error_system(first, second), rtol=0.1).upper)
