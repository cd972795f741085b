"""Images of dashed curves, of which one joins two dots or not."""

import io
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from matplotlib.image import imread

from hankelcut._errors import DataError
from hankelcut.experiments.tasks.folders import find_folder, read_file
from hankelcut.experiments.tasks.images import image_task, pixels
from hankelcut.experiments.tasks.task import Task

__all__ = ["load_pathfinder_task"]

_SIDE = 32
_SHARES = (0.8, 0.1)
_ADVICE = (
    "give the folder pathfinder32/curv_baseline (metadata/*.npy and imgs/) in "
    "lra_release.gz of https://github.com/google-research/long-range-arena, or one "
    "that holds it; the harder curv_contour_length_9 and _14 are taken if they are "
    "what is given"
)


def load_pathfinder_task(
    data: Path | str | None, *, seed: int = 0, pooling: int = 1
) -> Task:
    """Images of dashed curves as sequences of their 1024 grey pixels.

    Parameters
    ----------
    data : path
        Folder of one level of difficulty. Of a folder that holds several,
        ``curv_baseline`` is taken, the level that the code of Chahine et al. reads;
        the Long Range Arena reports ``curv_contour_length_14``, the hardest.
    seed : int
        Fixes the split: 80 % train, 10 % validation, 10 % test.
    pooling : int
        Side of the squares of pixels that are averaged.

    Returns
    -------
    Task
        The task ``pathfinder``.

    Raises
    ------
    DataError
        If the folder or a file is missing or damaged, or the metadata are none.

    Notes
    -----
    An image whose file is empty is left out: the distribution has one such.
    """
    folder = find_folder(
        "pathfinder",
        data,
        subfolders=(
            "curv_baseline",
            "pathfinder32/curv_baseline",
            "pathfinder/pathfinder32/curv_baseline",
        ),
        marks=("metadata",),
        advice=_ADVICE,
    )
    images, labels = [], []
    for path, label in _listed(folder):
        content = read_file(path, _ADVICE)
        if content:
            images.append(_grey(path, content))
            labels.append(label)
    if len(images) < 10:
        msg = (
            f"{folder}: got {len(images)} images, need at least 10 to split; {_ADVICE}"
        )
        raise DataError(msg)
    stacked = torch.from_numpy(np.stack(images))[..., None]
    values, targets = pixels(stacked, pooling=pooling), torch.tensor(labels)
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
    sizes = [int(share * len(images)) for share in _SHARES]
    indices = torch.split(order, [*sizes, len(images) - sum(sizes)])
    parts = [(values[part], targets[part]) for part in indices]
    return image_task("pathfinder", parts, n_classes=2)


def _listed(folder: Path) -> list[tuple[Path, int]]:
    """Paths and labels of the images, from the metadata: text, whatever their name."""
    listed = []
    for file in sorted((folder / "metadata").glob("*.npy"), key=lambda p: p.name):
        lines = read_file(file, _ADVICE).decode("ascii", "replace").splitlines()
        for number, line in enumerate(lines, start=1):
            columns = line.split()
            if len(columns) < 4 or columns[3] not in ("0", "1"):
                msg = (
                    f"{file}, line {number}: got '{line[:40]}', need a folder, a "
                    f"name, a number and the label 0 or 1; {_ADVICE}"
                )
                raise DataError(msg)
            listed.append((folder / columns[0] / columns[1], int(columns[3])))
    return listed


def _grey(path: Path, content: bytes) -> UInt8[np.ndarray, "side side"]:
    """Grey values of a PNG image, from 0 to 255."""
    try:
        values = imread(io.BytesIO(content), format="png")
    except (OSError, SyntaxError, ValueError) as error:
        msg = f"{path}: got '{error}', need a PNG image; {_ADVICE}"
        raise DataError(msg) from error
    if values.shape[:2] != (_SIDE, _SIDE):
        msg = f"{path}: got {values.shape[:2]} pixels, need {(_SIDE, _SIDE)}; {_ADVICE}"
        raise DataError(msg)
    grey = values if values.ndim == 2 else values[..., :3].mean(-1)
    rounded: UInt8[np.ndarray, "side side"] = np.rint(255 * grey).astype(np.uint8)
    return rounded
