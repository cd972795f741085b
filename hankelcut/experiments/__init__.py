"""Tasks, recipes, baselines, the runner and its report: real training, end to end."""

try:
    import torch as _torch  # noqa: F401 - its absence is reported here, once
except ImportError as error:
    from hankelcut._errors import MissingDependencyError

    msg = "hankelcut.experiments needs PyTorch: pip install 'hankelcut[torch]'"
    raise MissingDependencyError(msg) from error

from hankelcut.experiments.checkpoint import load_model, save_model
from hankelcut.experiments.comparison import CutEffect, Estimate, Figures
from hankelcut.experiments.cut_afterwards import cut_afterwards
from hankelcut.experiments.cut_plan import CutPlan
from hankelcut.experiments.methods import METHODS, Method, RunId
from hankelcut.experiments.protocols import Protocol, protocol_for
from hankelcut.experiments.recipe import Distillation, HankelPenalty, Recipe
from hankelcut.experiments.recipes import RECIPES, recipe_for
from hankelcut.experiments.records import Measurement, RunRecord, RunResult, Spectra
from hankelcut.experiments.reproduction import reproduce
from hankelcut.experiments.results_page import Results
from hankelcut.experiments.run_folder import RunFolder, free_folder
from hankelcut.experiments.summary import LabelledRun, Summary, summarise
from hankelcut.experiments.tasks import (
    TASKS,
    Examples,
    ListOps,
    Task,
    generate_listops,
    load_task,
)
from hankelcut.experiments.training import Progress, train

__all__ = [
    "METHODS",
    "RECIPES",
    "TASKS",
    "CutEffect",
    "CutPlan",
    "Distillation",
    "Estimate",
    "Examples",
    "Figures",
    "HankelPenalty",
    "LabelledRun",
    "ListOps",
    "Measurement",
    "Method",
    "Progress",
    "Protocol",
    "Recipe",
    "Results",
    "RunFolder",
    "RunId",
    "RunRecord",
    "RunResult",
    "Spectra",
    "Summary",
    "Task",
    "cut_afterwards",
    "free_folder",
    "generate_listops",
    "load_model",
    "load_task",
    "protocol_for",
    "recipe_for",
    "reproduce",
    "save_model",
    "summarise",
    "train",
]
