"""Bounds on arcs against responses that are evaluated at many points of them."""

import numpy as np
import pytest

from hankelcut.lti import Discrete
from hankelcut.lti.norms._arc_bounds import arc_bounds
from hankelcut.lti.norms._circle import circle_of
from hankelcut.validation import random_diagonal_system
from tests.helpers import TIMES

SHARES = np.linspace(-1, 1, 101)


def gains_on_arcs(system, centres, halves):
    """Largest gain at points of each arc, from the definition of the response."""
    angles = centres[:, None] + halves[:, None] * SHARES
    if isinstance(system.time, Discrete):
        z = np.exp(1j * angles)
    else:
        # The unit of the map to the circle.
        z = 1j * circle_of(system).poles.unit * np.tan(angles / 2)
    weights = 1 / (z[..., None] - system.poles)
    response = (system.C * weights[..., None, :]) @ system.B + system.D
    return np.linalg.norm(response, 2, axis=(-2, -1)).max(axis=1)


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize(("m", "p"), [(1, 1), (2, 3), (3, 2), (4, 5)])
def test_bounds_hold_on_arcs_however_little_is_enough(time, m, p, rng):
    system = random_diagonal_system(rng, 12, m, p, time, margin=0.01)
    circle = circle_of(system)
    # Off the point of the circle at which a continuous system has its infinity.
    centres = rng.uniform(-3.0, 3.0, 60)
    halves = 10 ** rng.uniform(-4, -0.9, 60)
    true = gains_on_arcs(system, centres, halves) / circle.scale
    found = {
        enough: arc_bounds(circle, centres, halves, enough)[1]
        for enough in (0.0, float(np.median(true)), np.inf)
    }
    for bounds in found.values():
        assert np.all(bounds >= true * (1 - 1e-12))
    sharp, some, vague = found.values()
    # What is not yet enough is as sharp as can be, and the rest need not be.
    middle = float(np.median(true))
    np.testing.assert_array_equal(some[vague > middle], sharp[vague > middle])
    assert np.all(sharp <= vague)
    assert np.any(sharp < vague)
    # Narrow arcs have bounds that are next to their gains.
    narrow = halves < 1e-3
    assert np.all(sharp[narrow] <= 1.1 * true[narrow])
