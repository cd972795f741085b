"""Live PyTorch layers: read as systems, cut in batches, written back in training."""

try:
    import torch as _torch  # noqa: F401 - its absence is reported here, once
except ImportError as error:
    from hankelcut._errors import MissingDependencyError

    msg = "hankelcut.adapters needs PyTorch: pip install 'hankelcut[torch]'"
    raise MissingDependencyError(msg) from error

from hankelcut.adapters.checkpoint import load_reduced
from hankelcut.adapters.in_training import InTrainingReducer
from hankelcut.adapters.policies import (
    EnergyTolerance,
    ErrorTolerance,
    FixedFraction,
    GlobalBudget,
    LayerSpectrum,
    ModelPolicy,
    Policy,
    TargetOrder,
)
from hankelcut.adapters.protocol import (
    Adapter,
    LayerReading,
    LinearAdapter,
    Replacement,
    StateParameter,
)
from hankelcut.adapters.reduce_in_place import extract, reduce_, write_back
from hankelcut.adapters.reduction_event import LayerCut, ReductionEvent
from hankelcut.adapters.registry import find_adapter, find_layers, state_sizes
from hankelcut.adapters.stored_matrix import StoredMatrix

__all__ = [
    "Adapter",
    "EnergyTolerance",
    "ErrorTolerance",
    "FixedFraction",
    "GlobalBudget",
    "InTrainingReducer",
    "LayerCut",
    "LayerReading",
    "LayerSpectrum",
    "LinearAdapter",
    "ModelPolicy",
    "Policy",
    "ReductionEvent",
    "Replacement",
    "StateParameter",
    "StoredMatrix",
    "TargetOrder",
    "extract",
    "find_adapter",
    "find_layers",
    "load_reduced",
    "reduce_",
    "state_sizes",
    "write_back",
]
