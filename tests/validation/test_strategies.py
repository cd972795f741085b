import random
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis.errors import NoSuchExample

from hankelcut import MissingDependencyError
from hankelcut.lti import (
    Continuous,
    DiagonalStateSpace,
    Discrete,
    StateSpace,
    stability_margin,
)
from hankelcut.validation import diagonal_systems, stable_systems
from tests.helpers import READOUTS, TIMES, fields_of, strategies_may_draw

pytestmark = strategies_may_draw


@given(stable_systems(min_states=0, max_states=4, max_inputs=2, max_outputs=3))
def test_dense_systems_are_stable_and_of_their_sizes(system):
    assert isinstance(system, StateSpace)
    assert 0 <= system.n_states <= 4
    assert 1 <= system.n_inputs <= 2
    assert 1 <= system.n_outputs <= 3
    assert float(stability_margin(system)) >= 0.0999
    assert system.batch_shape == ()


@given(diagonal_systems(max_states=4))
def test_diagonal_systems_are_stable_and_of_their_sizes(system):
    assert isinstance(system, DiagonalStateSpace)
    assert 1 <= system.n_states <= 4
    assert float(stability_margin(system)) >= 0.0999
    for array in fields_of(system):
        assert np.isfinite(array).all()


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("real", [True, False])
def test_choices_of_dense_systems_are_kept(time, real):
    @settings(max_examples=10)
    @given(stable_systems(time=time, real=real, max_states=3))
    def check(system):
        assert system.time == time
        assert np.isrealobj(system.A) == real

    check()


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("readout", READOUTS)
def test_choices_of_diagonal_systems_are_kept(time, readout):
    @settings(max_examples=10)
    @given(diagonal_systems(time=time, readout=readout, max_states=3))
    def check(system):
        assert (system.time, system.readout) == (time, readout)

    check()


def exists(strategy, condition):
    try:
        return find(
            strategy,
            condition,
            settings=settings(max_examples=500, phases=[Phase.generate]),
        )
    except NoSuchExample:
        return None


@pytest.mark.parametrize(
    "condition",
    [
        lambda s: s.time == Continuous(),
        lambda s: s.time == Discrete(),
        lambda s: np.iscomplexobj(s.A),
        lambda s: np.isrealobj(s.A) and abs(np.linalg.eigvals(s.A).imag).max() > 0,
        lambda s: len({s.n_states, s.n_inputs, s.n_outputs}) == 3,
        lambda s: s.n_states > 2 and np.triu(s.A, 2).any(),
    ],
    ids=["continuous", "discrete", "complex", "pairs", "sizes", "coupled"],
)
def test_dense_systems_of_every_kind_are_drawn(condition):
    assert exists(stable_systems(), condition) is not None


@pytest.mark.parametrize(
    "condition",
    [
        lambda s: s.readout == "twice_real",
        lambda s: (abs(s.poles) < 1e-100).any(),
        lambda s: s.n_states > 1 and s.poles[0] == s.poles[1] != 0,
        lambda s: (s.poles.imag == 0).any() and (s.poles.real > 0.1).any(),
        lambda s: abs(s.B).max() * abs(s.C).max() > 3,
    ],
    ids=["twice_real", "zero", "equal", "real", "large"],
)
def test_diagonal_systems_of_every_kind_are_drawn(condition):
    assert exists(diagonal_systems(), condition) is not None


def test_failures_shrink_to_small_systems():
    phases = [Phase.generate, Phase.shrink]
    quick = settings(max_examples=100, database=None, phases=phases)
    # The product of gains, a stand-in for a failure.
    smallest = find(
        stable_systems(max_states=3, max_inputs=2, max_outputs=2),
        lambda s: abs(s.B).max() * abs(s.C).max() > 1,
        settings=quick,
        random=random.Random(0),
    )
    assert smallest.n_states == 1
    assert smallest.n_inputs * smallest.n_outputs <= 2
    assert not smallest.A.any()
    assert not smallest.D.any()
    two = find(
        diagonal_systems(max_states=3, max_inputs=2, max_outputs=2),
        lambda s: (abs(s.C) > 0).sum() >= 2,
        settings=quick,
        random=random.Random(0),
    )
    assert two.n_states * two.n_outputs == 2
    assert not two.B.any()


def test_missing_hypothesis_is_said_when_it_is_needed():
    code = (
        "import sys; sys.modules['hypothesis'] = None\n"
        "sys.modules['hypothesis.strategies'] = None\n"
        "import hankelcut.validation as v\n"
        "import numpy as np\n"
        "v.random_stable_system(np.random.default_rng(0), 2, 1, 3)\n"
        "for make in (v.stable_systems, v.diagonal_systems):\n"
        "    try:\n"
        "        make()\n"
        "    except v.strategies.MissingDependencyError as error:\n"
        "        assert 'hankelcut[validation]' in str(error), error\n"
        "    else:\n"
        "        sys.exit('no error')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert issubclass(MissingDependencyError, ImportError)


def test_import_needs_no_optional_package():
    code = (
        "import sys, hankelcut.validation\n"
        "loaded = {'torch', 'hypothesis', 'slycot', 'control', 'mpmath'} & "
        "set(sys.modules)\n"
        "sys.exit(str(loaded) if loaded else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
