"""Reductions that the reports are about."""

import numpy as np
import pytest

from hankelcut.lti import Continuous, Discrete, StateSpace


@pytest.fixture(params=["continuous", "discrete"])
def plant(request: pytest.FixtureRequest) -> StateSpace:
    """A system of 6 states, 2 inputs and 3 outputs."""
    draw = np.random.default_rng(5).standard_normal
    A = draw((6, 6))
    if request.param == "continuous":
        A -= (np.linalg.eigvals(A).real.max() + 0.4) * np.eye(6)
        return StateSpace(A, draw((6, 2)), draw((3, 6)), time=Continuous())
    A *= 0.9 / np.abs(np.linalg.eigvals(A)).max()
    return StateSpace(A, draw((6, 2)), draw((3, 6)), draw((3, 2)), Discrete(0.25))
