import dataclasses
import math

import pytest

from hankelcut.lti import Continuous, Discrete


@pytest.mark.parametrize("dt", [0.0, -1.0, math.nan, math.inf])
def test_discrete_rejects_impossible_period(dt):
    with pytest.raises(ValueError, match="need a positive number of seconds"):
        Discrete(dt)


def test_domains_compare_by_value():
    assert Discrete(0.5) == Discrete(0.5)
    assert Discrete(0.5) != Discrete(0.25)
    assert Continuous() == Continuous()
    assert Continuous() != Discrete()
    assert len({Discrete(), Discrete(1.0), Continuous()}) == 2


def test_domain_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Discrete().dt = 2.0
