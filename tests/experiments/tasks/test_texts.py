"""Film reviews and pairs of articles, in the layouts they are distributed in."""

from pathlib import Path

import pytest

from hankelcut._errors import DataError
from hankelcut.experiments.tasks import load_imdb_task, load_task
from tests.experiments.tasks.reading import sizes_of, texts_of

REVIEWS = {
    "train": {"neg": [b"bad" * k for k in range(1, 12)], "pos": [b"good film"] * 9},
    "test": {"neg": [b"no\0t", "é".encode()], "pos": [b"x" * 5000]},
}
PAIRS = {
    "train": [("1.0", b"one", b'the "first"'), ("0", b"'two", b"second")],
    "eval": [("1", b"a", b"b" * 5000)],
    "test": [("0.0", b"c\0c", b"d"), ("1.0", b"e", "ü".encode()), ("0", b"f", b"g")],
}


@pytest.fixture
def imdb(tmp_path: Path) -> Path:
    for part, classes in REVIEWS.items():
        for name, texts in classes.items():
            folder = tmp_path / "aclImdb" / part / name
            folder.mkdir(parents=True)
            for k, text in enumerate(texts):
                (folder / f"{k:02d}_7.txt").write_bytes(text)
    (tmp_path / "aclImdb" / "train" / "unsup").mkdir()
    return tmp_path


@pytest.fixture
def aan(tmp_path: Path) -> Path:
    folder = tmp_path / "tsv_data"
    folder.mkdir()
    for part, pairs in PAIRS.items():
        lines = [
            b"\t".join([label.encode(), b"P1", b"P2", first, second]) + b"\n"
            for label, first, second in pairs
        ]
        (folder / f"new_aan_pairs.{part}.tsv").write_bytes(b"".join(lines))
    return tmp_path


def test_imdb_reads_what_was_written(imdb: Path) -> None:
    task = load_task("imdb", data=imdb)
    assert sizes_of(task) == [
        18,
        2,
        3,
    ]
    assert (task.n_classes, task.d_input, task.inputs) == (2, 256, "tokens")
    assert texts_of(task.test) == [
        [*b"no t", 0],
        [*"é".encode(), 0],
        [*b"x" * 4095, 0],
    ]
    assert task.test.targets.tolist() == [0, 0, 1]
    found = [
        (target, bytes(text))
        for part in (task.train, task.validation)
        for target, text in zip(part.targets.tolist(), texts_of(part), strict=True)
    ]
    written = [
        (label, text + b"\0")
        for label, name in enumerate(("neg", "pos"))
        for text in REVIEWS["train"][name]
    ]
    assert sorted(found) == sorted(written)


def test_imdb_seed_fixes_the_validation_part(imdb: Path) -> None:
    first, again, other = (load_imdb_task(imdb, seed=s) for s in (1, 1, 5))
    assert texts_of(first.validation) == texts_of(again.validation)
    assert texts_of(first.train) != texts_of(other.train)


def test_imdb_without_texts_says_what_is_needed(imdb: Path) -> None:
    with pytest.raises(DataError, match=r"no train/pos in .*aclImdb.*stanford"):
        load_task("imdb", data=imdb / "aclImdb" / "train")
    for path in (imdb / "aclImdb" / "test" / "neg").iterdir():
        path.unlink()
    with pytest.raises(DataError, match=r"no texts in .*test/neg; give the unpacked"):
        load_task("imdb", data=imdb)


def test_aan_reads_what_was_written(aan: Path) -> None:
    task = load_task("aan", data=aan)
    assert sizes_of(task) == [2, 1, 3]
    assert (task.n_classes, task.d_input, task.n_documents) == (2, 256, 2)
    assert task.train.targets.tolist() == [1, 0]
    assert task.test.targets.tolist() == [0, 1, 0]
    assert [bytes(text) for text in texts_of(task.train)] == [
        b"one\0",
        b'the "first"\0',
        b"'two\0",
        b"second\0",
    ]
    assert [len(text) for text in texts_of(task.validation)] == [2, 4096]
    assert bytes(texts_of(task.test)[0]) == b"c c\0"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"2\tP\tP\ta\tb", r"5 columns and the label b'2', need 5 columns and 0 or 1"),
        (b"1\tP\tP\ta", r"4 columns and the label b'1'"),
        (b"", r"1 columns and the label b''"),
    ],
)
def test_aan_lines_that_are_no_pairs_are_named(
    aan: Path, line: bytes, message: str
) -> None:
    path = aan / "tsv_data" / "new_aan_pairs.eval.tsv"
    path.write_bytes(b"1\tP\tP\ta\tb\n" + line + b"\n")
    with pytest.raises(DataError, match=rf"eval.tsv, line 2: got {message}"):
        load_task("aan", data=aan)


def test_aan_without_its_files_says_what_is_needed(aan: Path) -> None:
    (aan / "tsv_data" / "new_aan_pairs.test.tsv").unlink()
    with pytest.raises(DataError, match=r"the file .*pairs.test.tsv; give.*long-range"):
        load_task("aan", data=aan)
    (aan / "tsv_data" / "new_aan_pairs.eval.tsv").write_bytes(b"")
    with pytest.raises(DataError, match=r"eval.tsv: got no pairs"):
        load_task("aan", data=aan)
    with pytest.raises(DataError, match=r"no data folder for the task 'aan'"):
        load_task("aan")
