"""Random nested lists of digits, in files as those of the task ListOps.

**Method.** The specification of Tay et al. (Long Range Arena, 2021, appendix A.1) and
Nangia & Bowman (ListOps, 2018): below the largest depth a node is an operation with
probability 1/4 and a digit otherwise; an operation takes 2 to 10 arguments. Expressions
whose number of tokens, parentheses left out, is not strictly between the limits are
drawn again, and no expression occurs twice.
"""

import random
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hankelcut._errors import DataError
from hankelcut.experiments.tasks.listops import LISTOPS_FILES
from hankelcut.lti.exchange._atomic_write import write_atomically

__all__ = ["ListOps", "generate_listops"]

_OPERATION_SHARE = 0.25
_OPERATIONS: dict[str, Callable[[Sequence[int]], int]] = {
    "[MIN": min,
    "[MAX": max,
    # Of an even number of digits the mean of the middle two, rounded down.
    "[MED": lambda values: int(statistics.median(values)),
    "[SM": lambda values: sum(values) % 10,
}


@dataclass(frozen=True)
class ListOps:
    """What expressions are drawn, and how many; the defaults are those of LRA.

    Parameters
    ----------
    n_train, n_validation, n_test : int
        Expressions in each part.
    min_length, max_length : int
        Every expression is longer than the one and shorter than the other, in tokens.
    max_depth, max_arguments : int
        Largest depth of the nesting, and most arguments of an operation.
    seed : int
        Decides all expressions.

    Raises
    ------
    ValueError
        If a number is out of its range.
    """

    n_train: int = 96_000
    n_validation: int = 2_000
    n_test: int = 2_000
    min_length: int = 500
    max_length: int = 2_000
    max_depth: int = 10
    max_arguments: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        sizes = (self.n_train, self.n_validation, self.n_test)
        if min(sizes) < 1 or self.max_depth < 2 or self.max_arguments < 2:
            msg = f"got {self}, need at least one expression in each part, and a depth "
            raise ValueError(msg + "and a number of arguments of at least 2")
        if not 0 <= self.min_length < self.max_length - 1:
            msg = (
                f"got min_length={self.min_length} and max_length={self.max_length}, "
                "need lengths between them"
            )
            raise ValueError(msg)


def generate_listops(
    folder: Path | str,
    settings: ListOps | None = None,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write the three files of the task ListOps.

    Parameters
    ----------
    folder : path
        Where to; made if there is none. Files that exist are replaced.
    settings : ListOps, optional
        What is drawn; by default what the Long Range Arena draws.
    progress : callable, optional
        Called with the number of expressions drawn so far and of all.

    Raises
    ------
    DataError
        If the folder cannot be written to.
    """
    folder, settings = Path(folder), settings or ListOps()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"got '{error}', need a folder that can be made or written to"
        raise DataError(msg) from error
    sizes = (settings.n_train, settings.n_validation, settings.n_test)
    expressions = _distinct(settings)
    drawn = 0
    for name, size in zip(LISTOPS_FILES, sizes, strict=True):
        lines = ["Source\tTarget\n"]
        for _ in range(size):
            source, value = next(expressions)
            lines.append(f"{source}\t{value}\n")
            drawn += 1
            if progress is not None:
                progress(drawn, sum(sizes))
        write_atomically(folder / name, "".join(lines).encode("ascii"))


def _distinct(settings: ListOps) -> Iterator[tuple[str, int]]:
    """Draw expressions of the right length with their values, none of them twice."""
    generator = random.Random(settings.seed)
    seen: set[str] = set()
    while True:
        node = _draw(generator, settings, 1, settings.max_length)
        if node is None or not settings.min_length < node.length < settings.max_length:
            continue
        if node.source not in seen:
            seen.add(node.source)
            yield node.source, node.value


@dataclass(frozen=True)
class _Node:
    """An expression, its value, and its number of tokens."""

    source: str
    value: int
    length: int


def _draw(
    generator: random.Random, settings: ListOps, depth: int, room: int
) -> _Node | None:
    """Draw a node at a depth; None once it needs more tokens than there is room for."""
    is_operation = depth < settings.max_depth and generator.random() < _OPERATION_SHARE
    if not is_operation:
        digit = generator.randrange(10)
        return _Node(str(digit), digit, 1)
    arguments: list[_Node] = []
    length = 2
    for _ in range(generator.randint(2, settings.max_arguments)):
        argument = _draw(generator, settings, depth + 1, room - length)
        if argument is None or length + argument.length > room:
            return None
        arguments.append(argument)
        length += argument.length
    operation = generator.choice(list(_OPERATIONS))
    source = operation
    for part in (*(argument.source for argument in arguments), "]"):
        source = f"( {source} {part} )"
    value = _OPERATIONS[operation]([argument.value for argument in arguments])
    return _Node(source, value, length)
