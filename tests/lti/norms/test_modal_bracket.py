import numpy as np
import pytest

from hankelcut.lti import frequency_response
from hankelcut.lti.norms._bounded_real_frame import System
from hankelcut.lti.norms._modal_bracket import bracket_modal
from hankelcut.validation import random_stable_system
from tests.helpers import TIMES, grid_norm


@pytest.mark.parametrize("time", TIMES)
def test_width_may_be_a_few_times_the_distance_of_the_responses(time, rng):
    stable = random_stable_system(rng, 6, 2, 3, time, margin=1e-3)
    system = System(stable.A, stable.B, stable.C, stable.D, time)
    wide = bracket_modal(system, 1e-3)
    distance = wide.form.distance * 2.0**wide.gain / wide.bracket.lower
    for share in (0.04, 0.15):
        rtol = distance / share
        bracket = bracket_modal(system, rtol).bracket
        at_peak = frequency_response(stable, np.array([bracket.frequency]))
        gain = grid_norm(at_peak)
        assert bracket.lower <= gain * (1 + 1e-15)
        assert gain <= bracket.upper <= (1 + rtol) * bracket.lower
    assert bracket_modal(system, distance / 0.5) is None
