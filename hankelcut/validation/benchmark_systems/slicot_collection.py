"""The files of the SLICOT benchmark collection, with their published norms."""

from collections.abc import Iterator
from pathlib import Path

from hankelcut._errors import DataError
from hankelcut.lti.exchange.files import load
from hankelcut.validation.benchmark_systems.benchmark_system import (
    BenchmarkSystem,
    Fact,
    Quantity,
)

__all__ = ["load_slicot_collection"]

_COLLECTION = (
    "Chahlaoui & Van Dooren, A collection of benchmark examples for model reduction, "
    "SLICOT Working Note 2002-2"
)
# H-infinity norm, where it is, and H2 norm by SLICOT's AB13DD (tolerance 1e-10) and
# AB13BD; leading Hankel singular values by AB09AD.
_NORMS = {
    "build": (5.27633376e-3, 5.206076, 4.530061e-3),
    "CDplayer": (2.31982097e6, 22.56819, 1.102129e6),
    "heat-cont": (5.61042218e-2, 0.0, 1.126304e-2),
}
_VALUES = {
    "build": (0.0025035, 0.00242849, 0.00193151, 0.00192831, 0.00070957, 0.0007026),
    "CDplayer": (1.171502e6, 1.148304e6, 1738.605, 1601.627, 406.9641, 329.3257),
    "heat-cont": (0.0325545279, 0.00456594687, 1.91937054e-4, 1.15364928e-4),
}
_VALUES_RTOL = {"build": 1e-5, "CDplayer": 5e-7, "heat-cont": 1e-8}


def load_slicot_collection(folder: Path | str) -> Iterator[BenchmarkSystem]:
    """Yield the systems of a folder of SLICOT's benchmark files.

    The files are not part of the package. Those of build, CDplayer and heat-cont come
    with the norms and leading Hankel singular values that SLICOT's own routines give;
    others, with no facts.

    Parameters
    ----------
    folder : path
        A folder of ``.mat`` files, each of which holds a system.

    Yields
    ------
    BenchmarkSystem
        One per file, by name; sparse if the matrix is stored sparse and large.

    Raises
    ------
    DataError
        If the folder has no ``.mat`` file, or one of them holds no system.
    """
    paths = sorted(Path(folder).glob("*.mat"))
    if not paths:
        msg = f"load_slicot_collection: got {folder}, need a folder of .mat files"
        raise DataError(msg)
    for path in paths:
        yield BenchmarkSystem(path.stem, load(path), _facts(path.stem), _COLLECTION)


def _facts(name: str) -> dict[Quantity, Fact]:
    if name not in _NORMS:
        return {}
    hinf, frequency, h2 = _NORMS[name]
    return {
        "hinf_norm": Fact((hinf,), 2e-9, "SLICOT AB13DD"),
        "peak_frequency": Fact((frequency,), 1e-6, "SLICOT AB13DD"),
        "h2_norm": Fact((h2,), 1e-6, "SLICOT AB13BD"),
        "hankel_singular_values": Fact(
            _VALUES[name], _VALUES_RTOL[name], "SLICOT AB09AD"
        ),
    }
