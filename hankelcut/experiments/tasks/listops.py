"""Nested lists of digits, and the values of their minima, maxima, medians and sums."""

from pathlib import Path

from hankelcut._errors import DataError
from hankelcut.experiments.tasks.folders import find_folder, read_file
from hankelcut.experiments.tasks.task import Examples, Task
from hankelcut.experiments.tasks.texts import text_examples

__all__ = ["LISTOPS_FILES", "load_listops_task"]

LISTOPS_FILES = ("basic_train.tsv", "basic_val.tsv", "basic_test.tsv")
"""Files of the three parts, as the Long Range Arena names them."""

_MAX_LENGTH = 2048
_CLASSES = 10
_HEADER = b"Source\tTarget"
_WORDS = [
    b"end",
    *(b"%d" % k for k in range(10)),
    b"[MIN",
    b"[MAX",
    b"[MED",
    b"[SM",
    b"]",
]
_TOKENS = {word: token for token, word in enumerate(_WORDS)}
_ADVICE = (
    f"give the folder of {', '.join(LISTOPS_FILES)} (listops-1000 in lra_release.gz of "
    "https://github.com/google-research/long-range-arena), or one that holds it as "
    "listops or listops-1000; `hankelcut listops FOLDER` makes such files"
)


def load_listops_task(data: Path | str | None) -> Task:
    """Values of nested lists of digits: the task ListOps of LRA.

    Parameters
    ----------
    data : path
        Folder of the three files.

    Returns
    -------
    Task
        The task ``listops``: sequences of at most 2048 tokens out of 16, the end
        included; parentheses, which say nothing, are left out. 96,000 / 2,000 / 2,000
        expressions in the original files.

    Raises
    ------
    DataError
        If the folder or a file is missing, or a line is no expression with its value;
        names the line.
    """
    folder = find_folder(
        "listops",
        data,
        subfolders=("listops", "listops-1000"),
        marks=LISTOPS_FILES[:1],
        advice=_ADVICE,
    )
    train, validation, test = (_read_part(folder / name) for name in LISTOPS_FILES)
    return Task(
        "listops",
        train,
        validation,
        test,
        n_classes=_CLASSES,
        d_input=len(_WORDS),
        inputs="tokens",
    )


def _read_part(path: Path) -> Examples:
    """Read expressions and values, one to a line behind the header."""
    header, *lines = read_file(path, _ADVICE).splitlines() or [b""]
    if header != _HEADER or not lines:
        msg = (
            f"{path}: got the first line {header[:40]!r} and {len(lines)} more, need "
            f"{_HEADER!r} and expressions; {_ADVICE}"
        )
        raise DataError(msg)
    texts, labels = [], []
    for number, line in enumerate(lines, start=2):
        source, _, target = line.rpartition(b"\t")
        words = source.replace(b"(", b" ").replace(b")", b" ").split()
        unknown = [word for word in words if word not in _TOKENS or word == b"end"]
        if unknown or not words or target not in _WORDS[1:11]:
            found = unknown[0] if unknown else target
            msg = (
                f"{path}, line {number}: got {found[:20]!r}, need an expression of "
                f"digits and {', '.join(w.decode() for w in _WORDS[11:])}, a tab, and "
                f"its value; {_ADVICE}"
            )
            raise DataError(msg)
        tokens = [_TOKENS[word] for word in words[: _MAX_LENGTH - 1]]
        texts.append(bytes([*tokens, _TOKENS[b"end"]]))
        labels.append(int(target))
    return text_examples(texts, labels)
