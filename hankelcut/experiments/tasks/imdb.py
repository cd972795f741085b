"""Film reviews, letter by letter, kind or not."""

from pathlib import Path

from hankelcut._errors import DataError
from hankelcut.experiments.tasks.folders import find_folder, read_file
from hankelcut.experiments.tasks.task import Examples, Task, split_at_random
from hankelcut.experiments.tasks.texts import N_BYTES, as_tokens, text_examples

__all__ = ["load_imdb_task"]

_MAX_LENGTH = 4096
_VALIDATION_SHARE = 0.1
_CLASSES = ("neg", "pos")
_ADVICE = (
    "give the unpacked folder aclImdb (train/pos, train/neg, test/pos, test/neg, one "
    "text to a file) of https://ai.stanford.edu/~amaas/data/sentiment/, or one that "
    "holds it"
)


def load_imdb_task(data: Path | str | None, *, seed: int = 0) -> Task:
    """Film reviews as sequences of bytes, kind or not: the task "text" of LRA.

    Parameters
    ----------
    data : path
        The folder ``aclImdb``, or one that holds it.
    seed : int
        Fixes which tenth of the training reviews is the validation part. (The Long
        Range Arena and the code of Chahine et al. use the test part for validation.)

    Returns
    -------
    Task
        The task ``imdb``: 22,500 / 2,500 / 25,000 texts of at most 4096 bytes, their
        end included, from the original files.

    Raises
    ------
    DataError
        If a folder or a file is missing or cannot be read, or there are no texts.
    """
    folder = find_folder(
        "imdb", data, subfolders=("aclImdb",), marks=("train/pos",), advice=_ADVICE
    )
    validation, train = split_at_random(
        _read_part(folder / "train"), (_VALIDATION_SHARE,), seed=seed
    )
    return Task(
        "imdb",
        train,
        validation,
        _read_part(folder / "test"),
        n_classes=len(_CLASSES),
        d_input=N_BYTES,
        inputs="tokens",
    )


def _read_part(folder: Path) -> Examples:
    """Read the texts of a part, in the order of their names."""
    texts, labels = [], []
    for label, name in enumerate(_CLASSES):
        paths = sorted((folder / name).glob("*.txt"))
        if not paths:
            msg = f"got no texts in {folder / name}; {_ADVICE}"
            raise DataError(msg)
        texts += [as_tokens(read_file(path, _ADVICE), _MAX_LENGTH) for path in paths]
        labels += [label] * len(paths)
    return text_examples(texts, labels)
