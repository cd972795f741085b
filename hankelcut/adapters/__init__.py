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
    Policy,
    TargetOrder,
)
from hankelcut.adapters.protocol import Adapter, Replacement, StateParameter
from hankelcut.adapters.reduce_in_place import extract, reduce_, write_back
from hankelcut.adapters.reduction_event import LayerCut, ReductionEvent
from hankelcut.adapters.registry import find_adapter, find_layers, state_sizes

__all__ = [
    "Adapter",
    "EnergyTolerance",
    "ErrorTolerance",
    "FixedFraction",
    "InTrainingReducer",
    "LayerCut",
    "Policy",
    "ReductionEvent",
    "Replacement",
    "StateParameter",
    "TargetOrder",
    "extract",
    "find_adapter",
    "find_layers",
    "load_reduced",
    "reduce_",
    "state_sizes",
    "write_back",
]
