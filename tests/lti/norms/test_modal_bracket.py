import importlib
from dataclasses import replace

import pytest

from hankelcut.lti import hinf_norm
from hankelcut.lti.norms._bounded_real_frame import System
from hankelcut.lti.norms._modal_bracket import bracket_modal
from hankelcut.validation import random_stable_system
from tests.helpers import TIMES

RTOL = 1e-2


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("share", [0.04, 0.15, 0.3])
def test_distance_of_the_responses_may_take_a_fifth_of_the_width(
    time, share, rng, monkeypatch
):
    stable = random_stable_system(rng, 6, 2, 3, time)
    system = System(stable.A, stable.B, stable.C, stable.D, time)
    norm = float(hinf_norm(stable, rtol=1e-8).lower)
    close = bracket_modal(system, RTOL)
    own = close.form

    def farther(scaled):
        """Pretend that less is known of the responses than is."""
        return replace(own, distance=share * RTOL * norm / 2.0**close.gain)

    module = importlib.import_module("hankelcut.lti.norms._modal_bracket")
    monkeypatch.setattr(module, "modal_form", farther)
    found = bracket_modal(system, RTOL)
    if share > 0.2:
        assert found is None
        return
    assert found.bracket.lower <= norm * (1 + 1e-8)
    assert norm <= found.bracket.upper <= (1 + RTOL) * found.bracket.lower
