"""Tasks, recipes, baselines, the runner and its report: real training, end to end."""

try:
    import torch as _torch  # noqa: F401 - its absence is reported here, once
except ImportError as error:
    from hankelcut._errors import MissingDependencyError

    msg = "hankelcut.experiments needs PyTorch: pip install 'hankelcut[torch]'"
    raise MissingDependencyError(msg) from error

from hankelcut.experiments.checkpoint import load_model, save_model
from hankelcut.experiments.cut_plan import CutPlan
from hankelcut.experiments.recipe import Distillation, HankelPenalty, Recipe
from hankelcut.experiments.recipes import RECIPES, recipe_for
from hankelcut.experiments.records import Measurement, RunRecord, RunResult, Spectra
from hankelcut.experiments.run_folder import RunFolder, free_folder
from hankelcut.experiments.summary import LabelledRun, Summary, summarise
from hankelcut.experiments.tasks import TASKS, Examples, Task, load_task
from hankelcut.experiments.training import Progress, train

__all__ = [
    "RECIPES",
    "TASKS",
    "CutPlan",
    "Distillation",
    "Examples",
    "HankelPenalty",
    "LabelledRun",
    "Measurement",
    "Progress",
    "Recipe",
    "RunFolder",
    "RunRecord",
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
