"""Pairs of articles, letter by letter, of which one cites the other or not."""

from pathlib import Path

from hankelcut._errors import DataError
from hankelcut.experiments.tasks.folders import find_folder, read_file
from hankelcut.experiments.tasks.task import Examples, Task
from hankelcut.experiments.tasks.texts import N_BYTES, as_tokens, text_examples

__all__ = ["load_aan_task"]

_MAX_LENGTH = 4096
_COLUMNS = 5
_LABELS = {b"0": 0, b"0.0": 0, b"1": 1, b"1.0": 1}
_FILES = tuple(f"new_aan_pairs.{part}.tsv" for part in ("train", "eval", "test"))
_ADVICE = (
    f"give the folder of {', '.join(_FILES)} (label, two numbers, two texts; tsv_data "
    "in lra_release.gz of https://github.com/google-research/long-range-arena), or one "
    "that holds it as aan or tsv_data"
)


def load_aan_task(data: Path | str | None) -> Task:
    """Pairs of articles of the ACL Anthology as bytes: the task "retrieval" of LRA.

    Parameters
    ----------
    data : path
        Folder of the three files.

    Returns
    -------
    Task
        The task ``aan``: two texts to an example, of at most 4096 bytes each with their
        ends; 147,086 / 18,090 / 17,437 pairs from the original files.

    Raises
    ------
    DataError
        If the folder or a file is missing, or a line is no pair; names the line.
    """
    folder = find_folder(
        "aan", data, subfolders=("aan", "tsv_data"), marks=_FILES[:1], advice=_ADVICE
    )
    train, validation, test = (_read_part(folder / name) for name in _FILES)
    return Task(
        "aan",
        train,
        validation,
        test,
        n_classes=2,
        d_input=N_BYTES,
        inputs="tokens",
        n_documents=2,
    )


def _read_part(path: Path) -> Examples:
    """Read the pairs of a file, one to a line."""
    texts, labels = [], []
    for number, line in enumerate(read_file(path, _ADVICE).splitlines(), start=1):
        label, *rest = line.split(b"\t", _COLUMNS - 1)
        if label not in _LABELS or len(rest) != _COLUMNS - 1:
            msg = (
                f"{path}, line {number}: got {1 + len(rest)} columns and the label "
                f"{label[:20]!r}, need {_COLUMNS} columns and 0 or 1; {_ADVICE}"
            )
            raise DataError(msg)
        texts += [as_tokens(text, _MAX_LENGTH) for text in rest[-2:]]
        labels.append(_LABELS[label])
    if not labels:
        msg = f"{path}: got no pairs; {_ADVICE}"
        raise DataError(msg)
    return text_examples(texts, labels, n_documents=2)
