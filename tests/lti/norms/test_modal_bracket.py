import importlib
from dataclasses import replace

import numpy as np
import pytest

from hankelcut.lti import Discrete, hinf_norm
from hankelcut.lti.norms._bounded_real_frame import System
from hankelcut.lti.norms._modal_bracket import _diagonal_system, bracket_modal
from hankelcut.lti.norms._modal_form import _LOGARITHM, ModalForm
from hankelcut.validation import random_stable_system
from tests.exact import mpmath
from tests.helpers import TIMES

RTOL = 1e-2


def test_logarithms_move_discrete_poles_by_no_more_than_is_assumed(rng):
    # Next to the circle, next to its centre, on the real axis and anywhere.
    radii = np.concatenate([1 - 10 ** rng.uniform(-12, 0, 200), rng.uniform(0, 1, 200)])
    radii[:20] = 10.0 ** -np.arange(20)
    poles = radii * np.exp(1j * rng.uniform(-np.pi, np.pi, 400))
    poles[::10] = poles.real[::10]
    ones = np.ones((400, 1))
    form = ModalForm(poles, ones, ones.T, np.zeros((1, 1)), 0.0, 0.0, Discrete())
    with mpmath.workdps(40):
        moved = [
            abs(mpmath.exp(mpmath.mpmathify(exponent)) - mpmath.mpmathify(pole))
            for exponent, pole in zip(
                _diagonal_system(form).exponents.tolist(), poles.tolist(), strict=True
            )
        ]
    # The bound is twice what correctly rounded functions can do.
    assert 0 < max(moved) <= _LOGARITHM / 2


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
