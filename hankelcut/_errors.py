"""Typed errors and warnings: each message says what was got, needed, and what to do."""

__all__ = [
    "CalibrationError",
    "CheckpointMismatchError",
    "ConvergenceError",
    "DataError",
    "HankelcutError",
    "IllConditionedError",
    "InvalidSystemError",
    "MissingDependencyError",
    "NumericalWarning",
    "OptimizerMismatchError",
    "PolicyError",
    "ToleranceNotAttainableError",
    "UnstableSystemError",
    "UnsupportedLayerError",
    "WorkerError",
]


class HankelcutError(Exception):
    """Base class of every error that hankelcut raises on purpose."""


class InvalidSystemError(HankelcutError, ValueError):
    """A system whose matrices do not fit together or hold NaN or infinity."""


class UnstableSystemError(HankelcutError, ValueError):
    """A pole on or outside the stability boundary, where a stable system is needed."""


class ToleranceNotAttainableError(HankelcutError, ValueError):
    """No admissible order meets the tolerance; the message names the best value."""


class ConvergenceError(HankelcutError, RuntimeError):
    """An iteration ended, or a result was checked, without reaching its accuracy."""


class IllConditionedError(HankelcutError, ArithmeticError):
    """The exact answer exists but cannot be stored or computed accurately enough."""


class UnsupportedLayerError(HankelcutError, TypeError):
    """A layer that no adapter recognises, or whose parameters cannot be exact."""


class OptimizerMismatchError(HankelcutError, ValueError):
    """An optimizer that does not hold the parameters, or state of an unknown kind."""


class PolicyError(HankelcutError, ValueError):
    """A reduction policy that would leave a layer without any state."""


class CalibrationError(HankelcutError, ValueError):
    """A calibration on data that a cut needs: it is missing, or of other layers."""


class CheckpointMismatchError(HankelcutError, ValueError):
    """A checkpoint that belongs to another model or another reducer."""


class DataError(HankelcutError, OSError):
    """A data file that is missing, damaged, or of another format."""


class MissingDependencyError(HankelcutError, ImportError):
    """An optional dependency is not installed; the message names the extra."""


class WorkerError(HankelcutError, RuntimeError):
    """A process that ended before its work was done; what is finished stays."""


class NumericalWarning(UserWarning):
    """A result that is right but weaker than asked; the message says how much."""
