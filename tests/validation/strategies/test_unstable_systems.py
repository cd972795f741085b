import numpy as np
import pytest

from hankelcut.lti import Continuous, Discrete, is_stable
from hankelcut.validation import unstable_systems
from tests.helpers import BATCHES, TIMES, strategies_may_draw
from tests.validation.strategies.drawing import drawn, exists, minimal

pytestmark = strategies_may_draw


def margins(system):
    """Signed distances of the poles from the boundary, positive inside."""
    poles = np.linalg.eigvals(system.A)
    return -poles.real if system.time == Continuous() else 1 - abs(poles)


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("real", [True, False])
@pytest.mark.parametrize("max_states", [1, 4])
def test_some_poles_are_outside_and_none_near(time, real, max_states):
    strategy = unstable_systems(
        time=time, real=real, max_states=max_states, max_unstable=2
    )
    for system in drawn(strategy, 40):
        distances = margins(system)
        assert not is_stable(system)
        outside = int((distances < 0).sum())
        assert 1 <= outside <= (4 if real else 2)
        # Coupled equal poles are computed to a root of the precision only.
        assert (abs(distances) >= 0.0999 - 1e-3).all()
        assert system.n_states <= max_states


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("condition", [1.0, 100.0])
def test_every_system_of_a_stack_is_unstable(batch, condition):
    strategy = unstable_systems(batch=batch, condition=condition, max_states=3)
    for system in drawn(strategy, 20):
        assert system.batch_shape == batch
        assert (margins(system).min(axis=-1) <= -0.0499).all()


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("real", [True, False])
def test_boundary_systems_are_marginal(time, real):
    strategy = unstable_systems(boundary=True, time=time, real=real, max_states=3)
    for system in drawn(strategy, 50):
        distances = margins(system)
        assert distances.min() >= -1e-7
        assert (abs(distances) <= 1e-7).any()


def test_every_corner_is_drawn():
    cases = [
        lambda s: (margins(s) > 0).any(),
        lambda s: (margins(s) < 0).sum() == 2 and np.iscomplexobj(s.A),
        lambda s: np.isrealobj(s.A) and (np.linalg.eigvals(s.A).imag != 0).any(),
    ]
    for condition in cases:
        assert exists(unstable_systems(), condition)


def test_failures_shrink_to_one_state():
    smallest = minimal(unstable_systems(), lambda s: True)
    assert smallest.time == Discrete()
    assert smallest.A.tolist() == [[1.1]]
    assert not smallest.B.any()
    assert not smallest.C.any()
    integrator = minimal(unstable_systems(boundary=True), lambda s: s.B.any())
    assert integrator.A.tolist() == [[1.0]]
    assert abs(integrator.B).tolist() == [[0.01]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_unstable": 0}, "got max_unstable=0, need at least 1"),
        ({"max_states": 0}, "got min_states=1, max_states=0, need 0 <="),
        ({"boundary": True, "condition": 10.0}, "got condition=10 with boundary=True"),
    ],
)
def test_options_without_systems_are_refused(options, message):
    with pytest.raises(ValueError, match=f"unstable_systems: {message}"):
        unstable_systems(**options)
