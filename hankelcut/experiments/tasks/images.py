"""Images as sequences of their pixels, row by row."""

from collections.abc import Sequence

import torch
from jaxtyping import Shaped, UInt8
from torch import Tensor

from hankelcut._errors import DataError
from hankelcut.experiments.tasks.sequences import ChannelSequences
from hankelcut.experiments.tasks.task import Examples, Task

__all__ = ["image_task", "pixels"]


def pixels(
    images: UInt8[Tensor, "n height width channels"], *, pooling: int = 1
) -> UInt8[Tensor, "n length channels"]:
    """Return the pixels of images, or the means of squares of them, row by row.

    Parameters
    ----------
    images : (n, height, width, channels) uint8 tensor
        The images.
    pooling : int
        Side of the squares, which are averaged and rounded to whole grey values.

    Raises
    ------
    ValueError
        If the squares do not fill the image.
    """
    n, height, width, channels = images.shape
    if pooling < 1 or height % pooling or width % pooling:
        msg = (
            f"got pooling={pooling}, need the side of squares that fill an image of "
            f"{height} x {width} pixels"
        )
        raise ValueError(msg)
    if pooling > 1:
        squares = images.unfold(1, pooling, pooling).unfold(2, pooling, pooling)
        images = squares.float().mean((-2, -1)).round().to(torch.uint8)
    return images.reshape(n, -1, channels)


def image_task(
    name: str,
    parts: Sequence[tuple[Shaped[Tensor, "_ length channels"], Tensor]],
    *,
    n_classes: int,
) -> Task:
    """Make a task of pixels and classes, standardised by the training part.

    Parameters
    ----------
    name : str
        Name of the task.
    parts : sequence of three tuples of tensors
        Pixels (n, length, channels) and classes (n,) for training, validation, test.
    n_classes : int
        Number of classes.

    Raises
    ------
    DataError
        If all training pixels of a channel are equal.
    """
    values, _ = parts[0]
    n_channels = values.shape[-1]
    deviation, mean = torch.std_mean(values.float().flatten(0, 1), dim=0)
    if not bool((deviation > 0).all()):
        msg = f"the task {name!r} got training pixels that are all equal, need images"
        raise DataError(msg)
    train, validation, test = (
        Examples(ChannelSequences(values, mean, deviation), targets)
        for values, targets in parts
    )
    return Task(name, train, validation, test, n_classes=n_classes, d_input=n_channels)
