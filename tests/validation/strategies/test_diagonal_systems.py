import numpy as np
import pytest
from hypothesis import given

from hankelcut.lti import (
    DiagonalStateSpace,
    Discrete,
    hankel_singular_values,
    stability_margin,
)
from hankelcut.validation import diagonal_systems
from tests.helpers import BATCHES, READOUTS, TIMES, fields_of, strategies_may_draw
from tests.validation.strategies.drawing import drawn, exists, minimal

pytestmark = strategies_may_draw


@given(diagonal_systems(max_states=4))
def test_systems_are_stable_and_of_their_sizes(system):
    assert isinstance(system, DiagonalStateSpace)
    assert 1 <= system.n_states <= 4
    assert float(stability_margin(system)) >= 0.0999
    for array in fields_of(system):
        assert np.isfinite(array).all()


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("readout", READOUTS)
def test_choices_are_kept(time, readout):
    strategy = diagonal_systems(time=time, readout=readout, max_states=3)
    for system in drawn(strategy, 10):
        assert (system.time, system.readout) == (time, readout)


@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
@pytest.mark.parametrize("batch", BATCHES)
def test_stacks_have_their_shape_and_dtype(dtype, batch):
    systems = drawn(diagonal_systems(dtype=dtype, batch=batch, max_states=4), 20)
    assert systems
    for system in systems:
        assert system.batch_shape == batch
        assert system.exponents.dtype == system.B.dtype == np.dtype(dtype)
        assert system.D.real.dtype == np.dtype(dtype).type(0).real.dtype
        assert np.isrealobj(system.D) == (system.readout != "complex")


@pytest.mark.parametrize("margin", [1e-30, 1e-12, 0.3])
@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
def test_margin_is_kept_and_nearly_reached(margin, time, dtype):
    strategy = diagonal_systems(margin=margin, time=time, dtype=dtype, max_states=4)
    for system in drawn(strategy, 30):
        assert float(stability_margin(system)) >= margin * (1 - 1e-6)
    assert exists(strategy, lambda s: float(stability_margin(s)) <= 1e3 * margin)


def test_silent_modes_have_no_row_or_no_column():
    for system in drawn(diagonal_systems(silent=2, min_states=3), 30):
        silent = ~system.B.any(axis=1) | ~system.C.any(axis=0)
        assert silent.sum() >= 2
        assert system.n_states >= 3


def test_copies_repeat_every_value():
    for system in drawn(diagonal_systems(copies=2, readout="complex"), 30):
        pairs = hankel_singular_values(system).reshape(-1, 2)
        np.testing.assert_allclose(pairs[:, 0], pairs[:, 1], rtol=1e-7, atol=1e-200)


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
def test_every_corner_is_drawn(condition):
    assert exists(diagonal_systems(), condition)


def test_failures_shrink_to_the_simplest_system():
    smallest = minimal(diagonal_systems(), lambda s: (abs(s.C) > 0).sum() >= 2)
    assert smallest.n_states * smallest.n_outputs == 2
    assert (smallest.time, smallest.readout) == (Discrete(), "complex")
    assert sorted(abs(smallest.C).ravel()) == [0.01, 0.01]
    assert not smallest.B.any()
    assert abs(smallest.poles).max() < 1e-300


def test_small_margins_shrink_to_one_digit():
    smallest = minimal(
        diagonal_systems(margin=1e-9, time=Discrete()),
        lambda s: float(stability_margin(s)) < 1e-4,
    )
    assert smallest.n_states <= 2
    *_, slowest = sorted(-np.expm1(smallest.exponents.real), reverse=True)
    assert slowest == pytest.approx(9e-5, rel=1e-9)
    assert not any(x.any() for x in (smallest.exponents.imag, smallest.B, smallest.C))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dtype": np.float64}, "got dtype=float64, need complex64 or complex128"),
        ({"margin": 2.0}, "got margin=2, need 1e-30 <= margin <= 0.9"),
        ({"copies": 4}, "got copies=4 with silent=0"),
    ],
)
def test_options_without_systems_are_refused(options, message):
    with pytest.raises(ValueError, match=f"diagonal_systems: {message}"):
        diagonal_systems(**options)
