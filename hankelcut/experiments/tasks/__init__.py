"""Classification tasks over sequences, split into train, validation and test."""

from hankelcut.experiments.tasks.aan import load_aan_task
from hankelcut.experiments.tasks.digits import load_digits_task
from hankelcut.experiments.tasks.imdb import load_imdb_task
from hankelcut.experiments.tasks.listops import load_listops_task
from hankelcut.experiments.tasks.listops_generator import ListOps, generate_listops
from hankelcut.experiments.tasks.pathfinder import load_pathfinder_task
from hankelcut.experiments.tasks.registry import (
    IMAGE_TASKS,
    TASKS,
    load_task,
    pooling_for,
)
from hankelcut.experiments.tasks.scifar import load_scifar_task
from hankelcut.experiments.tasks.sequences import (
    Batch,
    ChannelSequences,
    Sequences,
    TokenSequences,
)
from hankelcut.experiments.tasks.smnist import load_smnist_task
from hankelcut.experiments.tasks.task import Examples, Task

__all__ = [
    "IMAGE_TASKS",
    "TASKS",
    "Batch",
    "ChannelSequences",
    "Examples",
    "ListOps",
    "Sequences",
    "Task",
    "TokenSequences",
    "generate_listops",
    "load_aan_task",
    "load_digits_task",
    "load_imdb_task",
    "load_listops_task",
    "load_pathfinder_task",
    "load_scifar_task",
    "load_smnist_task",
    "load_task",
    "pooling_for",
]
