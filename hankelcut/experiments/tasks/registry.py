"""The tasks there are, by name."""

from collections.abc import Callable
from pathlib import Path

from hankelcut.experiments.tasks.aan import load_aan_task
from hankelcut.experiments.tasks.digits import load_digits_task
from hankelcut.experiments.tasks.imdb import load_imdb_task
from hankelcut.experiments.tasks.listops import load_listops_task
from hankelcut.experiments.tasks.pathfinder import load_pathfinder_task
from hankelcut.experiments.tasks.scifar import load_scifar_task
from hankelcut.experiments.tasks.smnist import load_smnist_task
from hankelcut.experiments.tasks.task import Task

__all__ = ["IMAGE_TASKS", "TASKS", "load_task", "pooling_for"]

_Data = Path | str | None

_IMAGES: dict[str, Callable[[_Data, int, int], Task]] = {
    "digits": lambda _data, seed, pooling: load_digits_task(seed, pooling=pooling),
    "smnist": lambda data, seed, p: load_smnist_task(data, seed=seed, pooling=p),
    "scifar": lambda data, seed, p: load_scifar_task(data, seed=seed, pooling=p),
    "pathfinder": lambda data, seed, p: load_pathfinder_task(
        data, seed=seed, pooling=p
    ),
}
_TEXTS: dict[str, Callable[[_Data, int], Task]] = {
    "listops": lambda data, _seed: load_listops_task(data),
    "imdb": lambda data, seed: load_imdb_task(data, seed=seed),
    "aan": lambda data, _seed: load_aan_task(data),
}

TASKS = (*_IMAGES, *_TEXTS)
"""Names of the tasks."""

IMAGE_TASKS = tuple(_IMAGES)
"""Names of those whose sequences are the pixels of images."""

_IMAGE_SIDES = {"digits": 8, "smnist": 28, "scifar": 32, "pathfinder": 32}


def pooling_for(name: str, length: int) -> int:
    """Return the side of the squares of pixels that make sequences of a length.

    Parameters
    ----------
    name : str
        A task of images.
    length : int
        Steps of a sequence.

    Raises
    ------
    ValueError
        If no squares make sequences of that length.
    """
    side = _IMAGE_SIDES.get(name, 0)
    lengths = {(side // k) ** 2: k for k in range(1, side + 1) if side % k == 0}
    if length not in lengths:
        known = ", ".join(map(str, lengths)) or "the lengths of the texts as they are"
        msg = f"got length={length} for the task {name!r}, need one of {known}"
        raise ValueError(msg)
    return lengths[length]


def load_task(
    name: str, *, data: Path | str | None = None, seed: int = 0, pooling: int = 1
) -> Task:
    """Load a task by its name.

    Parameters
    ----------
    name : str
        One of `TASKS`.
    data : path, optional
        Folder of the task's files, or one that holds it under its usual name; tasks
        that come with their data do not read it.
    seed : int
        Fixes the split into parts, where the data come without one.
    pooling : int
        For images: side of the squares of pixels that are averaged.

    Returns
    -------
    Task
        The task.

    Raises
    ------
    ValueError
        If there is no task of that name, or it cannot be pooled so.
    DataError
        If the task's data are missing or damaged.
    """
    if name in _IMAGES:
        return _IMAGES[name](data, seed, pooling)
    if name not in _TEXTS:
        msg = f"got the task {name!r}, need one of {', '.join(sorted(TASKS))}"
        raise ValueError(msg)
    if pooling != 1:
        images = ", ".join(IMAGE_TASKS)
        msg = f"got pooling={pooling} for the task {name!r}; only images ({images}) "
        raise ValueError(msg + "can be averaged")
    return _TEXTS[name](data, seed)
