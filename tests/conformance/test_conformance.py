import math

import pytest

from tests.conformance import modules


@pytest.mark.parametrize("name", sorted(modules()))
def test_every_comparison_is_within_its_tolerance(name):
    found = list(modules()[name])
    wrong = [
        item
        for item in found
        if not (math.isfinite(item.difference) and item.difference <= item.tolerance)
    ]
    assert not wrong
    assert found, "not a single comparison"
