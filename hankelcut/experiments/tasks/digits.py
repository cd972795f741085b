"""The task that needs no files: handwritten digits of 8 x 8 pixels."""

import torch

from hankelcut._errors import MissingDependencyError
from hankelcut.experiments.tasks.images import image_task, pixels
from hankelcut.experiments.tasks.task import Task

__all__ = ["load_digits_task"]


def load_digits_task(seed: int = 0, *, pooling: int = 1) -> Task:
    """Handwritten digits of 8 x 8 pixels as sequences of 64, shipped in scikit-learn.

    Parameters
    ----------
    seed : int
        Fixes the split: 60 % train, 20 % validation, 20 % test of the 1797 images, the
        classes in equal shares.
    pooling : int
        Side of the squares of pixels that are averaged.

    Returns
    -------
    Task
        The task ``digits``.

    Raises
    ------
    MissingDependencyError
        If scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split
    except ImportError as error:
        msg = (
            "the task 'digits' needs scikit-learn, which is not installed; run "
            "`pip install 'hankelcut[experiments]'`"
        )
        raise MissingDependencyError(msg) from error
    digits = load_digits()
    rest, test = train_test_split(
        range(len(digits.target)),
        test_size=0.2,
        stratify=digits.target,
        random_state=seed,
    )
    train, validation = train_test_split(
        rest, test_size=0.25, stratify=digits.target[rest], random_state=seed
    )
    images = torch.tensor(digits.images, dtype=torch.uint8)[..., None]
    values = pixels(images, pooling=pooling)
    targets = torch.tensor(digits.target, dtype=torch.int64)
    parts = [(values[part], targets[part]) for part in (train, validation, test)]
    return image_task("digits", parts, n_classes=len(digits.target_names))
