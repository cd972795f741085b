"""ListOps: the files are read, and generated ones keep to the specification."""

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pytest

from hankelcut._errors import DataError
from hankelcut.experiments.tasks import ListOps, generate_listops, load_task
from tests.experiments.tasks.reading import sizes_of, texts_of

LINES = {
    "train": ["( ( ( [MAX 4 ) 3 ) ] )\t4", "( ( ( [SM 9 ) 3 ) ] )\t2", "7\t7"],
    "val": ["( ( ( [MIN ( ( ( [MED 1 ) 8 ) ] ) ) 9 ) ] )\t4"],
    "test": [f"( ( [MAX {'1 ' * 3000}) ] )\t1", "0\t0"],
}
WORDS = ["end", *"0123456789", "[MIN", "[MAX", "[MED", "[SM", "]"]
SMALL = ListOps(40, 7, 9, min_length=5, max_length=60, max_depth=5, seed=3)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "listops").mkdir()
    for part, lines in LINES.items():
        content = "\n".join(["Source\tTarget", *lines]) + "\n"
        (tmp_path / "listops" / f"basic_{part}.tsv").write_text(content)
    return tmp_path


def value_of(words: list[str]) -> int:
    """Value of an expression without parentheses, read from the left by a stack."""
    stack: list[list] = [[]]
    for word in words:
        if word.startswith("["):
            stack.append([word])
        elif word == "]":
            operation, *digits = stack.pop()
            stack[-1].append(
                {
                    "[MIN": lambda d: sorted(d)[0],
                    "[MAX": lambda d: sorted(d)[-1],
                    "[MED": lambda d: int(np.median(d)),
                    "[SM": lambda d: int(np.sum(d)) % 10,
                }[operation](digits)
            )
        else:
            stack[-1].append(int(word))
    ((value,),) = stack
    return value


def depth_of(words: list[str]) -> int:
    steps = [word.startswith("[") - (word == "]") for word in words]
    return max(itertools.accumulate(steps)) + 1


def read(path: Path) -> list[tuple[str, list[str], int]]:
    header, *lines = path.read_text().splitlines()
    assert header == "Source\tTarget"
    rows = [line.split("\t") for line in lines]
    return [
        (source, source.replace("(", "").replace(")", "").split(), int(target))
        for source, target in rows
    ]


def test_it_reads_what_was_written(folder: Path) -> None:
    task = load_task("listops", data=folder)
    assert sizes_of(task) == [3, 1, 2]
    assert (task.n_classes, task.d_input, task.inputs) == (10, 16, "tokens")
    found = [[WORDS[k] for k in text] for text in texts_of(task.train)]
    assert found == [
        ["[MAX", "4", "3", "]", "end"],
        ["[SM", "9", "3", "]", "end"],
        ["7", "end"],
    ]
    assert task.train.targets.tolist() == [4, 2, 7]
    assert [len(text) for text in texts_of(task.test)] == [2048, 2]
    assert texts_of(task.test)[0][-1] == 0


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("( ( [AVG 4 ) ] )\t4", r"line 3: got b'\[AVG', need an expression"),
        ("end\t4", r"line 3: got b'end'"),
        ("( ( [MAX 4 ) ] )\t10", r"line 3: got b'10'"),
        ("( ( [MAX 4 ) ] ) 4", r"line 3: got "),
        ("\t4", r"line 3: got "),
    ],
)
def test_lines_that_are_no_expressions_are_named(
    folder: Path, line: str, message: str
) -> None:
    path = folder / "listops" / "basic_val.tsv"
    path.write_text(f"Source\tTarget\n1\t1\n{line}\n")
    with pytest.raises(DataError, match=rf"basic_val.tsv, {message}"):
        load_task("listops", data=folder)


def test_missing_files_say_what_is_needed_and_how_to_get_it(folder: Path) -> None:
    with pytest.raises(DataError, match=r"no basic_train.tsv in .*`hankelcut listops"):
        load_task("listops", data=Path(__file__).parent)
    (folder / "listops" / "basic_val.tsv").write_text("Source Target\n")
    with pytest.raises(DataError, match=r"got the first line b'Source Target' and 0"):
        load_task("listops", data=folder)


def test_generated_files_are_a_task(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    generate_listops(
        tmp_path / "new" / "listops",
        SMALL,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen[0] == (1, 56)
    assert seen[-1] == (56, 56)
    task = load_task("listops", data=tmp_path / "new")
    assert sizes_of(task) == [
        40,
        7,
        9,
    ]


def test_generated_expressions_keep_to_the_specification(tmp_path: Path) -> None:
    generate_listops(tmp_path, SMALL)
    parts = ("train", "val", "test")
    rows = [row for part in parts for row in read(tmp_path / f"basic_{part}.tsv")]
    assert len({source for source, _, _ in rows}) == 56
    for source, words, value in rows:
        assert value_of(words) == value
        assert 5 < len(words) < 60
        assert depth_of(words) <= 5
        assert source.count("(") == source.count(")") == len(words) - 1
    operations = {word for _, words, _ in rows for word in words if "[" in word}
    assert operations == {"[MIN", "[MAX", "[MED", "[SM"}


def test_the_seed_fixes_the_files(tmp_path: Path) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        generate_listops(tmp_path / name, dataclasses.replace(SMALL, seed=seed))
    a, b, c = ((tmp_path / n / "basic_train.tsv").read_bytes() for n in "abc")
    assert a == b != c


def test_expressions_of_the_long_range_arena_are_long_and_deep(tmp_path: Path) -> None:
    settings = ListOps(n_train=60, n_validation=1, n_test=1)
    generate_listops(tmp_path, settings)
    rows = read(tmp_path / "basic_train.tsv")
    lengths = [len(words) for _, words, _ in rows]
    assert min(lengths) > 500
    assert max(lengths) < 2000
    depths = [depth_of(words) for _, words, _ in rows]
    assert max(depths) == 10
    assert all(value_of(words) == value for _, words, value in rows)
    # A quarter of the nodes above the deepest level are operations.
    shares = []
    for _, words, _ in rows:
        depth, operations, nodes = 1, 0, 0
        for word in words:
            nodes += word != "]" and depth < 10
            operations += word.startswith("[")
            depth += word.startswith("[") - (word == "]")
        shares.append(operations / nodes)
    assert np.mean(shares) == pytest.approx(0.25, abs=0.03)


@pytest.mark.parametrize(
    "values",
    [{"n_test": 0}, {"max_depth": 1}, {"max_arguments": 1}, {"min_length": 1999}],
)
def test_settings_out_of_range_are_named(values: dict[str, int]) -> None:
    ((name, value),) = values.items()
    with pytest.raises(ValueError, match=f"{name}={value}"):
        ListOps(**values)


def test_a_folder_that_cannot_be_made_is_a_data_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="need a folder that can be made"):
        generate_listops(tmp_path / "file" / "listops", SMALL)
