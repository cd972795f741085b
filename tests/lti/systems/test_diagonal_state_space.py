import numpy as np
import pytest

from hankelcut import InvalidSystemError
from hankelcut.lti import Continuous, DiagonalStateSpace, Discrete, stability_margin
from hankelcut.validation import random_diagonal_system
from tests.helpers import BATCHES, READOUTS, TIMES, fields_of, on


@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("single", [True, False])
def test_arrays_are_kept(xp, readout, single, rng):
    for batch in BATCHES:
        dtype = np.complex64 if single else np.complex128
        full = random_diagonal_system(
            rng, 3, 2, 4, Discrete(0.5), readout, dtype=dtype, batch=batch
        )
        system = on(xp, full)
        sizes = (system.n_states, system.n_inputs, system.n_outputs)
        assert sizes == (3, 2, 4)
        assert system.batch_shape == batch
        assert (system.time, system.readout) == (Discrete(0.5), readout)
        for ours, theirs in zip(fields_of(system), fields_of(full), strict=True):
            assert isinstance(ours, type(xp.asarray([1.0])))
            assert ours.dtype == getattr(xp, theirs.dtype.name)
            np.testing.assert_array_equal(xp.to_numpy(ours), theirs)


@pytest.mark.parametrize("time", TIMES)
def test_poles_round_trip(xp, time, rng):
    poles = random_diagonal_system(rng, 5, 2, 3, time).poles
    system = DiagonalStateSpace.from_poles(
        xp.asarray(poles),
        xp.asarray(np.ones((5, 2))),
        xp.asarray(np.ones((3, 5))),
        time=time,
    )
    np.testing.assert_allclose(xp.to_numpy(system.poles), poles, rtol=1e-15)


def test_real_negative_and_zero_poles_have_exponents():
    system = DiagonalStateSpace.from_poles(
        [0.0, 0.5, -0.5], np.ones((3, 1)), np.ones((2, 3))
    )
    assert np.isfinite(system.exponents).all()
    np.testing.assert_allclose(system.poles, [0.0, 0.5, -0.5], atol=1e-300)
    assert system.poles[1].imag == 0


def test_continuous_exponents_are_the_poles():
    poles = np.array([-1.0 + 2.0j, -3.0])
    system = DiagonalStateSpace.from_poles(
        poles, np.ones((2, 1)), np.ones((1, 2)), time=Continuous()
    )
    np.testing.assert_array_equal(system.exponents, poles)


def test_stability_cannot_be_lost_by_rounding():
    system = DiagonalStateSpace([-1e-20 + 1j], [[1.0]], [[1.0]])
    assert abs(system.poles[0]) >= 1 - 1e-15
    assert float(stability_margin(system)) == 1e-20


def test_real_readout_has_a_real_feedthrough():
    arguments = ([-1.0 + 1j], [[1.0]], [[1.0]])
    for readout in ("real", "twice_real"):
        system = DiagonalStateSpace(*arguments, [[2.0]], readout=readout)
        assert system.D.dtype == np.float64
        with pytest.raises(InvalidSystemError, match="complex D"):
            DiagonalStateSpace(*arguments, [[2.0j]], readout=readout)
    assert DiagonalStateSpace(*arguments, [[2.0j]]).D[0, 0] == 2j


def test_readout_gain():
    arguments = ([-1.0 + 1j], [[1.0]], [[1.0]])
    assert DiagonalStateSpace(*arguments, readout="real").readout_gain == 0.5
    assert DiagonalStateSpace(*arguments, readout="twice_real").readout_gain == 1.0
    with pytest.raises(InvalidSystemError, match="real readouts only"):
        DiagonalStateSpace(*arguments).readout_gain  # noqa: B018 - raises


@pytest.mark.parametrize(
    ("exponents", "B", "C", "message"),
    [
        (np.array(-1.0), np.ones((1, 2)), np.ones((3, 1)), "scalar exponents"),
        (-np.ones(2), np.ones((3, 1)), np.ones((4, 2)), "need B"),
        (-np.ones(2), np.ones((2, 1)), np.ones((4, 3)), "need B"),
        (-np.ones((5, 2)), np.ones((3, 2, 1)), np.ones((4, 2)), "do not broadcast"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(exponents, B, C, message):
    with pytest.raises(InvalidSystemError, match=message):
        DiagonalStateSpace(exponents, B, C)


def test_batch_axes_broadcast():
    system = DiagonalStateSpace(-np.ones(2), np.ones((3, 1, 2, 1)), np.ones((4, 5, 2)))
    assert system.batch_shape == (3, 4)
    assert system.exponents.shape == (3, 4, 2)
    assert system[2, 1].D.shape == (5, 1)


def test_index_keeps_time_and_readout(rng):
    system = random_diagonal_system(rng, 3, 2, 4, Continuous(), "real", batch=(2,))
    item = system[1]
    assert (item.time, item.readout) == (Continuous(), "real")
    np.testing.assert_array_equal(item.C, system.C[1])
