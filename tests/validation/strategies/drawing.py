"""What the tests of strategies share: finding, counting, shrinking."""

import random

from hypothesis import Phase, find, given, seed, settings
from hypothesis.errors import NoSuchExample


def exists(strategy, condition):
    """Whether 500 draws have one that fulfils a condition."""
    quick = settings(max_examples=500, phases=[Phase.generate], database=None)
    try:
        find(strategy, condition, settings=quick)
    except NoSuchExample:
        return False
    return True


def minimal(strategy, condition):
    """What a failure shrinks to, the same in every run."""
    thorough = settings(
        max_examples=2000, database=None, phases=[Phase.generate, Phase.shrink]
    )
    return find(strategy, condition, settings=thorough, random=random.Random(0))


def drawn(strategy, count, number=0):
    """Draws of one seed."""
    examples = []

    @seed(number)
    @settings(max_examples=count, database=None, phases=[Phase.generate])
    @given(strategy)
    def draw(example):
        examples.append(example)

    draw()
    return examples
