"""Tasks, recipes, baselines, the runner and its report: real training, end to end."""

try:
    import torch as _torch  # noqa: F401 - its absence is reported here, once
except ImportError as error:
    from hankelcut._errors import MissingDependencyError

    msg = "hankelcut.experiments needs PyTorch: pip install 'hankelcut[torch]'"
    raise MissingDependencyError(msg) from error

from hankelcut.experiments.checkpoint import load_model, save_model
from hankelcut.experiments.recipe import RECIPES, CutPlan, Recipe, recipe_for
from hankelcut.experiments.run_folder import RunFolder, free_folder
from hankelcut.experiments.summary import LabelledRun, Summary, summarise
from hankelcut.experiments.tasks import TASKS, Task, load_task
from hankelcut.experiments.training import Progress, RunResult, train
from hankelcut.experiments.training_state import Measurement, Spectra

__all__ = [
    "RECIPES",
    "TASKS",
    "CutPlan",
    "LabelledRun",
    "Measurement",
    "Progress",
    "Recipe",
    "RunFolder",
    "RunResult",
    "Spectra",
    "Summary",
    "Task",
    "free_folder",
    "load_model",
    "load_task",
    "recipe_for",
    "save_model",
    "summarise",
    "train",
]
