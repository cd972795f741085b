"""Systems by formula of which something is known exactly, to test against."""

from hankelcut.validation.benchmark_systems.all_pass_system import all_pass_system
from hankelcut.validation.benchmark_systems.benchmark_system import (
    BenchmarkSystem,
    Fact,
    Quantity,
)
from hankelcut.validation.benchmark_systems.collection import benchmark_systems
from hankelcut.validation.benchmark_systems.heat_equation import heat_equation
from hankelcut.validation.benchmark_systems.hilbert_system import hilbert_system
from hankelcut.validation.benchmark_systems.jordan_chain import jordan_chain
from hankelcut.validation.benchmark_systems.lru_layer import lru_layer
from hankelcut.validation.benchmark_systems.mass_spring_chain import mass_spring_chain
from hankelcut.validation.benchmark_systems.penzl_model import penzl_model
from hankelcut.validation.benchmark_systems.rc_ladder import rc_ladder
from hankelcut.validation.benchmark_systems.slicot_collection import (
    load_slicot_collection,
)

__all__ = [
    "BenchmarkSystem",
    "Fact",
    "Quantity",
    "all_pass_system",
    "benchmark_systems",
    "heat_equation",
    "hilbert_system",
    "jordan_chain",
    "load_slicot_collection",
    "lru_layer",
    "mass_spring_chain",
    "penzl_model",
    "rc_ladder",
]
