import math

import numpy as np
import pytest
import scipy.signal

from hankelcut import IllConditionedError, InvalidSystemError
from hankelcut.lti import (
    Continuous,
    DiagonalStateSpace,
    Discrete,
    SignalNames,
    StateSpace,
    controllability_gramian,
    discretize,
    frequency_response,
    hankel_singular_values,
    observability_gramian,
    simulate,
    to_dense,
    undiscretize,
)
from hankelcut.validation import random_diagonal_system, random_stable_system
from tests.helpers import (
    DTYPES,
    READOUTS,
    dense_response,
    fields_of,
    on,
    to_precision,
    unchecked_types,
)

mpmath = pytest.importorskip("mpmath", reason="mpmath is not installed")

# Matrix logarithms take their time: fewer items than elsewhere.
FEW = [(), (2,), (1, 2), (0,)]
METHODS = ["zoh", "bilinear"]


def tolerance(dtype):
    return 2e3 * float(np.finfo(dtype).eps)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_dense_round_trip(xp, method, dtype, rng):
    for batch in FEW:
        full = random_stable_system(rng, 4, 2, 3, dtype=dtype, batch=batch)
        system = on(xp, full)
        discrete = discretize(system, 0.25, method=method)
        assert (discrete.time, discrete.batch_shape) == (Discrete(0.25), batch)
        back = undiscretize(discrete, method=method)
        assert back.time == Continuous()
        for ours, theirs in zip(fields_of(back), fields_of(full), strict=True):
            assert ours.dtype == getattr(xp, np.dtype(dtype).name)
            ours = xp.to_numpy(ours)
            atol = tolerance(dtype) * max(abs(theirs).max(initial=0), 1)
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=atol)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("single", [True, False])
def test_diagonal_round_trip(xp, method, readout, single, rng):
    for batch in FEW:
        full = random_diagonal_system(rng, 4, 2, 3, Continuous(), readout, batch=batch)
        system = on(xp, to_precision(full, single))
        discrete = discretize(system, 0.25, method=method)
        assert isinstance(discrete, DiagonalStateSpace)
        assert (discrete.time, discrete.readout) == (Discrete(0.25), readout)
        back = undiscretize(discrete, method=method)
        dtype = np.float32 if single else np.float64
        for ours, theirs in zip(fields_of(back), fields_of(full), strict=True):
            atol = tolerance(dtype) * max(abs(theirs).max(initial=0), 1)
            np.testing.assert_allclose(xp.to_numpy(ours), theirs, rtol=0, atol=atol)


@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("method", METHODS)
def test_diagonal_systems_are_mapped_like_their_dense_form(readout, method, rng):
    full = random_diagonal_system(rng, 4, 2, 3, Continuous(), readout)
    w = np.linspace(-3.0, 3.0, 9)
    discrete = discretize(full, 0.4, method=method)
    dense = discretize(to_dense(full), 0.4, method=method)
    ours, theirs = (frequency_response(s, w) for s in (discrete, dense))
    np.testing.assert_allclose(ours, theirs, atol=1e-12 * abs(theirs).max())
    ours, theirs = (
        frequency_response(undiscretize(s, method=method), w) for s in (discrete, dense)
    )
    np.testing.assert_allclose(ours, theirs, atol=1e-11 * abs(theirs).max())


@pytest.mark.parametrize(
    "make",
    [
        random_stable_system,
        lambda *sizes: random_diagonal_system(*sizes, Continuous(), "real"),
    ],
    ids=["dense", "diagonal"],
)
def test_held_inputs_give_the_same_samples(make, rng):
    system = make(rng, 4, 2, 3)
    inputs = rng.standard_normal((30, 2))
    ours = simulate(discretize(system, 0.3), inputs)
    # Each sample is held for three steps of a third of the period.
    finer = simulate(system, np.repeat(inputs, 3, axis=0), sampling_period=0.1)[::3]
    np.testing.assert_allclose(ours, finer, atol=1e-12 * abs(finer).max())


@pytest.mark.parametrize("method", METHODS)
def test_scipy_gives_the_same_response(method, rng):
    system = random_stable_system(rng, 5, 2, 3)
    ours = discretize(system, 0.2, method=method)
    *theirs, dt = scipy.signal.cont2discrete(fields_of(system), 0.2, method=method)
    theirs = StateSpace(*theirs, Discrete(dt))
    w = np.linspace(0, np.pi, 11)
    responses = [frequency_response(s, w) for s in (ours, theirs)]
    np.testing.assert_allclose(*responses, atol=1e-12 * abs(responses[1]).max())


@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_bilinear_map_bends_frequencies(dtype, rng):
    system = random_stable_system(rng, 5, 2, 3, dtype=dtype)
    discrete = discretize(system, 0.2, method="bilinear")
    w = np.linspace(-3, 3, 13)
    ours = frequency_response(discrete, w)
    theirs = frequency_response(system, np.tan(w / 2) / 0.1)
    np.testing.assert_allclose(ours, theirs, atol=1e-12 * abs(theirs).max())


@pytest.mark.parametrize("frequency", [1e-3, 2.0, 15.0])
@pytest.mark.parametrize("readout", [None, *READOUTS])
def test_responses_agree_at_the_chosen_frequency(frequency, readout, rng):
    dt = 0.2
    if readout is None:
        system = random_stable_system(rng, 5, 2, 3)
    else:
        system = random_diagonal_system(rng, 5, 2, 3, Continuous(), readout)
    discrete = discretize(system, dt, method="bilinear", frequency=frequency)
    ours = frequency_response(discrete, np.array([frequency * dt]))
    theirs = frequency_response(system, np.array([frequency]))
    np.testing.assert_allclose(ours, theirs, atol=1e-12 * abs(theirs).max())
    back = undiscretize(discrete, method="bilinear", frequency=frequency)
    for ours, theirs in zip(fields_of(back), fields_of(system), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-10)


@pytest.mark.parametrize("frequency", [None, 1.5])
@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_bilinear_map_keeps_both_gramians(xp, frequency, dtype, rng):
    full = random_stable_system(rng, 5, 2, 3, dtype=dtype)
    system = on(xp, full)
    discrete = discretize(system, 0.7, method="bilinear", frequency=frequency)
    for gramian in (controllability_gramian, observability_gramian):
        ours, theirs = xp.to_numpy(gramian(discrete)), gramian(full)
        np.testing.assert_allclose(ours, theirs, atol=1e-12 * abs(theirs).max())
    values = xp.to_numpy(hankel_singular_values(discrete))
    np.testing.assert_allclose(values, hankel_singular_values(full), rtol=1e-9)


@pytest.mark.parametrize("readout", READOUTS)
def test_bilinear_map_keeps_the_gramians_of_diagonal_systems(readout, rng):
    system = random_diagonal_system(rng, 4, 2, 3, Discrete(0.5), readout)
    continuous = undiscretize(system, method="bilinear")
    for gramian in (controllability_gramian, observability_gramian):
        ours, theirs = gramian(continuous), gramian(system)
        np.testing.assert_allclose(ours, theirs, atol=1e-13 * abs(theirs).max())
    np.testing.assert_allclose(
        hankel_singular_values(continuous), hankel_singular_values(system), rtol=1e-11
    )


@pytest.mark.parametrize(
    "pole", [-1e-13 + 2j, -1e-20 + 0j, -3.0 + 4j, -1e6 + 1j, -20.5 + 1e-9j, 0j]
)
def test_poles_keep_the_digits_of_their_margin(pole):
    system = DiagonalStateSpace([pole], [[1.0]], [[1.0]], time=Continuous())
    with mpmath.workdps(60):
        z = mpmath.mpmathify(pole) * mpmath.mpf(0.05)
        exact = complex(mpmath.log((1 + z) / (1 - z)))
    discrete = discretize(system, 0.1, method="bilinear")
    ours = complex(discrete.exponents[0])
    np.testing.assert_allclose(ours.real, exact.real, rtol=2e-15, atol=1e-300)
    np.testing.assert_allclose(ours.imag, exact.imag, rtol=2e-15, atol=1e-300)
    back = complex(undiscretize(discrete, method="bilinear").exponents[0])
    np.testing.assert_allclose(back.real, pole.real, rtol=1e-10)
    exponent = complex(discretize(system, 0.1).exponents[0])
    assert exponent == 0.1 * pole


def test_pole_mapped_to_zero_is_held_as_the_smallest_number():
    system = DiagonalStateSpace([-2.0], [[1.0]], [[1.0]], time=Continuous())
    poles = discretize(system, 1.0, method="bilinear").poles
    assert 0 < abs(poles[0]) < 1e-300


def test_integrators_are_held_and_released():
    A = np.array([[0.0, 1.0], [0.0, 0.0]])
    system = StateSpace(A, [[0.0], [1.0]], [[1.0, 0.0]])
    discrete = discretize(system, 0.5)
    np.testing.assert_array_equal(discrete.A, [[1, 0.5], [0, 1]])
    np.testing.assert_array_equal(discrete.B, [[0.125], [0.5]])
    back = undiscretize(discrete)
    np.testing.assert_allclose(back.A, A, atol=1e-15)
    np.testing.assert_allclose(back.B, system.B, atol=1e-15)


def test_released_poles_are_principal():
    # 40 rad/s is beyond half of the sampling frequency: its samples are those of an
    # alias a whole turn away.
    system = DiagonalStateSpace([-0.5 + 40j], [[1.0]], [[2.0]], time=Continuous())
    for made in (system, to_dense(system)):
        back = undiscretize(discretize(made, 0.1))
        pole = complex(back.exponents[0] if made is system else back.A[0, 0])
        assert abs(pole - (-0.5 + 40j - 20j * math.pi)) < 1e-12
        u = np.ones((20, 1))
        ours = simulate(back, u, sampling_period=0.1)
        theirs = simulate(made, u, sampling_period=0.1)
        np.testing.assert_allclose(ours, theirs, atol=1e-12)


@pytest.mark.parametrize("pole", [-0.5, 0.0, -1e-20])
def test_samples_of_no_unique_system_are_refused(pole):
    with pytest.raises(IllConditionedError, match=r"pole .*state 1.* negative real"):
        undiscretize(
            StateSpace(np.diag([0.5, pole]), np.eye(2), np.eye(2), time=Discrete())
        )
    diagonal = DiagonalStateSpace.from_poles([0.5, pole], np.eye(2), np.eye(2))
    with pytest.raises(IllConditionedError, match=r"pole .*state 1.* negative real"):
        undiscretize(diagonal)


def test_chain_of_delays_is_refused(rng):
    # Its poles are zero, but computed as up to eps^(1/5).
    Q = np.linalg.qr(rng.standard_normal((5, 5)))[0]
    A = Q @ np.diag(np.ones(4), 1) @ Q.T
    system = StateSpace(A, Q[:, 4:], Q[:, :1].T, time=Discrete())
    with pytest.raises(IllConditionedError, match=r"negative real axis|logarithm of"):
        undiscretize(system)


@pytest.mark.parametrize(
    "A",
    [np.diag([0.5, -1.0]), np.array([[0.0, 1.0], [-1.0, -2.0]])],
    ids=["diagonal", "defective"],
)
def test_pole_at_minus_one_has_no_bilinear_image(A):
    system = StateSpace(A, np.eye(2), np.eye(2), time=Discrete())
    with pytest.raises(IllConditionedError, match="singular point -1 of the bilinear"):
        undiscretize(system, method="bilinear")


def test_poles_at_the_singular_points_are_named():
    dense = StateSpace(np.diag([-1.0, 4.0]), np.eye(2), np.eye(2))
    diagonal = DiagonalStateSpace([-1.0, 4.0], np.eye(2), np.eye(2), time=Continuous())
    for system in (dense, diagonal):
        with pytest.raises(IllConditionedError, match=r"4.* \(state 1\) .* point 4"):
            discretize(system, 0.5, method="bilinear")
    layer = DiagonalStateSpace.from_poles([-1.0], [[1.0]], [[1.0]])
    with pytest.raises(IllConditionedError, match="singular point -1"):
        undiscretize(layer, method="bilinear")


def test_stiff_systems_are_not_taken_for_singular_ones():
    system = StateSpace(np.diag([-1e18, -1.0]), np.ones((2, 1)), np.ones((1, 2)))
    discrete = discretize(system, 0.1, method="bilinear")
    w = np.array([0.3])
    np.testing.assert_allclose(
        frequency_response(discrete, w),
        dense_response(system, np.array([1j * math.tan(0.15) / 0.05])),
        rtol=1e-12,
    )


def test_names_are_kept(rng):
    names = SignalNames(("u", "v"), ("x", "y", "z"), ("a", "b"), "plant")
    made = random_stable_system(rng, 2, 2, 3)
    system = StateSpace(*fields_of(made), names=names)
    for method in METHODS:
        discrete = discretize(system, 0.1, method=method)
        assert discrete.names == names
        assert undiscretize(discrete, method=method).names == names


@pytest.mark.parametrize("method", METHODS)
def test_empty_systems_are_mapped(method):
    for n, m, p in ((0, 2, 3), (2, 0, 3), (2, 2, 0)):
        system = StateSpace(-np.eye(n), np.zeros((n, m)), np.zeros((p, n)))
        discrete = discretize(system, 0.5, method=method)
        assert (discrete.n_states, discrete.n_inputs, discrete.n_outputs) == (n, m, p)
        back = undiscretize(discrete, method=method)
        np.testing.assert_allclose(back.A, system.A, atol=1e-15)


def test_wrong_arguments_are_refused(rng):
    continuous = random_stable_system(rng, 3, 2, 4)
    discrete = random_stable_system(rng, 3, 2, 4, Discrete(0.1))
    with pytest.raises(InvalidSystemError, match="need a continuous one"):
        discretize(discrete, 0.1)
    with pytest.raises(InvalidSystemError, match="need a discrete one"):
        undiscretize(continuous)
    with pytest.raises(InvalidSystemError, match="need a positive number"):
        discretize(continuous, 0.0)
    with pytest.raises(InvalidSystemError, match='need method="bilinear"'):
        discretize(continuous, 0.1, frequency=1.0)
    for frequency in (0.0, -1.0, 10 * math.pi, math.nan):
        with pytest.raises(InvalidSystemError, match=r"need 0 < frequency < pi / dt"):
            undiscretize(discrete, method="bilinear", frequency=frequency)
    with unchecked_types(), pytest.raises(InvalidSystemError, match="need one of zoh"):
        discretize(continuous, 0.1, method="euler")
    broken = StateSpace([[np.nan]], [[1.0]], [[1.0]])
    with pytest.raises(InvalidSystemError, match="A of shape"):
        discretize(broken, 0.1)
