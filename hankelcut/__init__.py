"""Reduce linear state-space models, with error bounds, alone or in live training."""

import importlib
from types import ModuleType

from hankelcut._errors import (
    CheckpointMismatchError,
    ConvergenceError,
    DataError,
    HankelcutError,
    IllConditionedError,
    InvalidSystemError,
    MissingDependencyError,
    NumericalWarning,
    OptimizerMismatchError,
    PolicyError,
    ToleranceNotAttainableError,
    UnstableSystemError,
    UnsupportedLayerError,
)
from hankelcut.lti import (
    Continuous,
    DiagonalStateSpace,
    Discrete,
    HinfBracket,
    StateSpace,
    conjugate_closure,
    controllability_gramian,
    controllability_gramian_factor,
    diagonalize,
    error_system,
    frequency_response,
    h2_norm,
    hankel_singular_values,
    hinf_bracket,
    impulse_response,
    is_stable,
    observability_gramian,
    observability_gramian_factor,
    peak_gain,
    real_form,
    simulate,
    stability_margin,
    to_dense,
)
from hankelcut.reduction import (
    Certificate,
    OrderTarget,
    ReductionResult,
    balance,
    balanced_truncation,
    truncate,
)

__version__ = "0.1.0"

__all__ = [
    "Certificate",
    "CheckpointMismatchError",
    "Continuous",
    "ConvergenceError",
    "DataError",
    "DiagonalStateSpace",
    "Discrete",
    "HankelcutError",
    "HinfBracket",
    "IllConditionedError",
    "InvalidSystemError",
    "MissingDependencyError",
    "NumericalWarning",
    "OptimizerMismatchError",
    "OrderTarget",
    "PolicyError",
    "ReductionResult",
    "StateSpace",
    "ToleranceNotAttainableError",
    "UnstableSystemError",
    "UnsupportedLayerError",
    "balance",
    "balanced_truncation",
    "conjugate_closure",
    "controllability_gramian",
    "controllability_gramian_factor",
    "diagonalize",
    "error_system",
    "frequency_response",
    "h2_norm",
    "hankel_singular_values",
    "hinf_bracket",
    "impulse_response",
    "is_stable",
    "observability_gramian",
    "observability_gramian_factor",
    "peak_gain",
    "real_form",
    "simulate",
    "stability_margin",
    "to_dense",
    "truncate",
]

_LAZY_SUBPACKAGES = ("adapters", "experiments", "nn", "validation")


def __getattr__(name: str) -> ModuleType:
    """Import the subpackages with optional dependencies when they are first used."""
    if name in _LAZY_SUBPACKAGES:
        return importlib.import_module(f"{__name__}.{name}")
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
