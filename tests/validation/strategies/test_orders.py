from collections import Counter

import pytest
from hypothesis import strategies

from hankelcut.validation import orders, random_diagonal_system, random_stable_system
from tests.helpers import strategies_may_draw
from tests.validation.strategies.drawing import drawn, minimal

pytestmark = strategies_may_draw


@pytest.mark.parametrize("kind", [random_stable_system, random_diagonal_system])
def test_orders_are_between_none_and_all(kind, rng):
    system = kind(rng, 20, 2, 3)
    tens = strategies.lists(orders(system, min_order=2), min_size=10, max_size=10)
    counts = Counter(order for ten in drawn(tens, 30) for order in ten)
    assert min(counts) == 2
    assert max(counts) == 20
    assert len(counts) > 10
    assert max(counts.values()) <= 100


def test_orders_shrink_to_the_least(rng):
    system = random_stable_system(rng, 5, 2, 3)
    assert minimal(orders(system), lambda order: True) == 0
    assert minimal(orders(system, min_order=2), lambda order: order > 2) == 3


def test_impossible_orders_are_refused(rng):
    system = random_stable_system(rng, 5, 2, 3)
    with pytest.raises(ValueError, match="got min_order=6, need 0 <= min_order <= 5"):
        orders(system, min_order=6)
