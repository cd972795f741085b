"""Live PyTorch layers: read as systems, cut in batches, written back in training."""

try:
    import torch as _torch  # noqa: F401 - its absence is reported here, once
except ImportError as error:
    from hankelcut._errors import MissingDependencyError

    msg = "hankelcut.adapters needs PyTorch: pip install 'hankelcut[torch]'"
    raise MissingDependencyError(msg) from error

from hankelcut.adapters.checkpoint import load_reduced
from hankelcut.adapters.cuts.settings import CutSettings
from hankelcut.adapters.hankel_nuclear_norm import hankel_nuclear_norm
from hankelcut.adapters.in_training import InTrainingReducer
from hankelcut.adapters.layers.projected_mamba2 import ProjectedMamba2
from hankelcut.adapters.layers.refused import RefusedKind
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
    SelectiveAdapter,
    StateParameter,
)
from hankelcut.adapters.real_inputs import with_real_inputs
from hankelcut.adapters.reduce_in_place import extract, reduce_, write_back
from hankelcut.adapters.reduction_event import LayerCut, ReductionEvent
from hankelcut.adapters.registry import (
    find_adapter,
    find_layers,
    find_refused,
    state_sizes,
)
from hankelcut.adapters.selective.calibration import Calibration, calibrate
from hankelcut.adapters.selective.gramians import EmpiricalGramians
from hankelcut.adapters.skeleton import skeleton
from hankelcut.adapters.stored_matrix import StoredMatrix
from hankelcut.adapters.survey import Survey, SurveyedLayer, survey
from hankelcut.adapters.weights import load_weights

__all__ = [
    "Adapter",
    "Calibration",
    "CutSettings",
    "EmpiricalGramians",
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
    "ProjectedMamba2",
    "ReductionEvent",
    "RefusedKind",
    "Replacement",
    "SelectiveAdapter",
    "StateParameter",
    "StoredMatrix",
    "Survey",
    "SurveyedLayer",
    "TargetOrder",
    "calibrate",
    "extract",
    "find_adapter",
    "find_layers",
    "find_refused",
    "hankel_nuclear_norm",
    "load_reduced",
    "load_weights",
    "reduce_",
    "skeleton",
    "state_sizes",
    "survey",
    "with_real_inputs",
    "write_back",
]
