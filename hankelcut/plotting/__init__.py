"""Pictures of systems, of reductions, and of training runs.

Every function returns a `matplotlib.figure.Figure` of its own, without pyplot: nothing
global is read or changed. Save it with ``figure.savefig("picture.svg")``.
"""

from hankelcut.plotting.comparisons import (
    AccuracyRow,
    MethodPoint,
    plot_accuracies,
    plot_accuracy_against_size_and_time,
)
from hankelcut.plotting.frequency_responses import plot_singular_value_response
from hankelcut.plotting.poles import plot_poles
from hankelcut.plotting.reduction_values import plot_reduction_values
from hankelcut.plotting.time_responses import (
    plot_impulse_responses,
    plot_step_responses,
)
from hankelcut.plotting.training import (
    CutErrors,
    StateSizes,
    TrainingCurve,
    plot_error_certificates,
    plot_hankel_singular_values,
    plot_state_sizes,
    plot_training_curves,
)

__all__ = [
    "AccuracyRow",
    "CutErrors",
    "MethodPoint",
    "StateSizes",
    "TrainingCurve",
    "plot_accuracies",
    "plot_accuracy_against_size_and_time",
    "plot_error_certificates",
    "plot_hankel_singular_values",
    "plot_impulse_responses",
    "plot_poles",
    "plot_reduction_values",
    "plot_singular_value_response",
    "plot_state_sizes",
    "plot_step_responses",
    "plot_training_curves",
]
