import itertools
import math

import numpy as np
import pytest
import scipy.linalg

from hankelcut import IllConditionedError, InvalidSystemError, UnstableSystemError
from hankelcut.lti import (
    Continuous,
    DiagonalStateSpace,
    Discrete,
    StateSpace,
    controllability_gramian,
    frequency_limited_controllability_gramian,
    frequency_limited_observability_gramian,
    observability_gramian,
    time_limited_controllability_gramian,
    time_limited_observability_gramian,
    to_dense,
)
from hankelcut.validation import random_diagonal_system, random_stable_system
from tests.helpers import (
    DTYPES,
    READOUTS,
    TIMES,
    fields_of,
    on,
    to_precision,
)

# Matrix logarithms take their time: fewer items than elsewhere.
FEW = [(), (2,), (1, 2), (0,)]
TIME_LIMITED = [
    (time_limited_controllability_gramian, controllability_gramian),
    (time_limited_observability_gramian, observability_gramian),
]
FREQUENCY_LIMITED = [
    (frequency_limited_controllability_gramian, controllability_gramian),
    (frequency_limited_observability_gramian, observability_gramian),
]


def adjoint(matrix):
    return np.conj(np.swapaxes(matrix, -1, -2))


def pair(system, gramian):
    """The pair (A, B) whose controllability Gramian is meant."""
    if gramian is controllability_gramian:
        return system.A, system.B
    return adjoint(system.A), adjoint(system.C)


def kinds(rng, time):
    """One system of every kind."""
    return [
        random_stable_system(rng, 5, 2, 3, time),
        random_stable_system(rng, 5, 2, 3, time, dtype=np.complex128),
        *(random_diagonal_system(rng, 4, 2, 3, time, r) for r in READOUTS),
    ]


def is_real(system):
    return not np.iscomplexobj(to_dense(system).A)


def horizon_of(time):
    return 1.3 if time == Continuous() else 7


def band_integral(system, gramian, low, high):
    """Definition by Gauss-Legendre quadrature, mirrored for real systems."""
    dense = to_dense(system)
    A, B = (np.asarray(matrix, dtype=complex) for matrix in pair(dense, gramian))
    nodes, weights = np.polynomial.legendre.leggauss(300)
    w = (low + high) / 2 + nodes * (high - low) / 2
    if gramian is observability_gramian:
        w = -w  # (zI - A)^H = conj(z) I - A^H
    w = np.concatenate([w, -w]) if is_real(system) else w
    weights = np.resize(weights, w.shape) * (high - low) / 2
    z = 1j * w if dense.time == Continuous() else np.exp(1j * w)
    right = np.linalg.solve(z[:, None, None] * np.eye(len(A)) - A, B[None])
    return np.einsum("k,kij,klj->il", weights, right, right.conj()) / (2 * np.pi)


@pytest.mark.parametrize(("limited", "gramian"), TIME_LIMITED)
@pytest.mark.parametrize("time", TIMES)
def test_horizon_is_the_difference_of_two_gramians(limited, gramian, time, rng):
    for system in kinds(rng, time):
        dense, horizon = to_dense(system), horizon_of(time)
        A, _ = pair(dense, gramian)
        moved = (
            scipy.linalg.expm(A * horizon)
            if time == Continuous()
            else np.linalg.matrix_power(A, horizon)
        )
        P = gramian(dense)
        ours = limited(system, horizon)
        assert np.iscomplexobj(ours) != is_real(system)
        np.testing.assert_allclose(
            ours, P - moved @ P @ adjoint(moved), atol=1e-13 * abs(P).max()
        )


@pytest.mark.parametrize(("limited", "gramian"), TIME_LIMITED)
@pytest.mark.parametrize("time", TIMES)
def test_long_horizons_end_at_the_gramian(limited, gramian, time, rng):
    for system in kinds(rng, time):
        P = gramian(system)
        horizon = 1e5 if time == Continuous() else 100_001
        np.testing.assert_allclose(
            limited(system, horizon), P, atol=2e-13 * abs(P).max()
        )


@pytest.mark.parametrize(("limited", "gramian"), TIME_LIMITED)
@pytest.mark.parametrize("time", TIMES)
def test_horizons_add_up(limited, gramian, time, rng):
    first, second = (0.7, 1.9) if time == Continuous() else (5, 11)
    for system in kinds(rng, time):
        A, _ = pair(to_dense(system), gramian)
        moved = (
            scipy.linalg.expm(A * first)
            if time == Continuous()
            else np.linalg.matrix_power(A, first)
        )
        theirs = limited(system, first) + moved @ limited(system, second) @ adjoint(
            moved
        )
        ours = limited(system, first + second)
        np.testing.assert_allclose(ours, theirs, atol=1e-13 * abs(theirs).max())


@pytest.mark.parametrize("time", TIMES)
def test_longer_horizons_have_larger_gramians(time, rng):
    system = random_stable_system(rng, 5, 2, 3, time)
    last = np.zeros((5, 5))
    for horizon in (1, 2, 5, 20):
        P = time_limited_controllability_gramian(system, horizon)
        assert np.linalg.eigvalsh(P - last)[0] >= -1e-13 * abs(P).max()
        last = P


@pytest.mark.parametrize(("limited", "gramian"), TIME_LIMITED)
def test_unstable_sums_are_the_definition(limited, gramian, rng):
    made = random_stable_system(rng, 4, 2, 3, Discrete(), dtype=np.complex128)
    dense = StateSpace(1.3 * made.A, made.B, made.C, time=Discrete())
    poles = np.array([1.2, 1.0, np.exp(2j), 0.5])
    diagonal = DiagonalStateSpace.from_poles(poles, made.B, made.C)
    for system in (dense, diagonal):
        A, B = pair(to_dense(system), gramian)
        powers = [np.linalg.matrix_power(A, k) @ B for k in range(9)]
        theirs = sum(M @ adjoint(M) for M in powers)
        np.testing.assert_allclose(
            limited(system, 9), theirs, atol=1e-13 * abs(theirs).max()
        )


def test_integrators_in_closed_form():
    double = StateSpace([[0.0, 1.0], [0.0, 0.0]], [[0.0], [1.0]], [[1.0, 0.0]])
    T = 3.0
    exact = np.array([[T**3 / 3, T**2 / 2], [T**2 / 2, T]])
    ours = time_limited_controllability_gramian(double, T)
    np.testing.assert_allclose(ours, exact, rtol=1e-14)
    ours = time_limited_observability_gramian(double, T)
    exact = np.array([[T, T**2 / 2], [T**2 / 2, T**3 / 3]])
    np.testing.assert_allclose(ours, exact, rtol=1e-14)
    counter = StateSpace([[1.0]], [[2.0]], [[3.0]], time=Discrete())
    assert float(time_limited_controllability_gramian(counter, 10)[0, 0]) == 40.0


def test_unstable_continuous_gramian_is_the_integral():
    growing = StateSpace([[0.5]], [[2.0]], [[1.0]])
    exact = 4 * math.expm1(20.0)
    for system in (
        growing,
        DiagonalStateSpace([0.5], [[2.0]], [[1.0]], None, Continuous()),
    ):
        ours = time_limited_controllability_gramian(system, 20.0)
        np.testing.assert_allclose(ours, [[exact]], rtol=1e-12)


def test_whole_turns_between_exponents_do_not_matter(rng):
    poles = np.exp(np.array([-0.1 + 1j, -0.1 + 1j, 0 + 2j]))
    B, C = rng.standard_normal((3, 2)), rng.standard_normal((2, 3))
    plain = DiagonalStateSpace.from_poles(poles, B, C)
    turned = DiagonalStateSpace(
        plain.exponents + 2j * np.pi * np.array([3, 0, -5]), B, C
    )
    for limited, _ in TIME_LIMITED:
        ours, theirs = (limited(s, 13) for s in (turned, plain))
        np.testing.assert_allclose(ours, theirs, atol=1e-12 * abs(theirs).max())


@pytest.mark.parametrize(("limited", "gramian"), FREQUENCY_LIMITED)
@pytest.mark.parametrize("time", TIMES)
def test_band_is_the_integral(limited, gramian, time, rng):
    for system in kinds(rng, time):
        for band in ((0.0, 0.4), (0.3, 2.5)):
            theirs = band_integral(system, gramian, *band)
            ours = limited(system, band)
            assert np.iscomplexobj(ours) != is_real(system)
            atol = 1e-12 * abs(gramian(system)).max()
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=atol)


@pytest.mark.parametrize(("limited", "gramian"), FREQUENCY_LIMITED)
@pytest.mark.parametrize("time", TIMES)
def test_bands_of_the_whole_boundary_add_up(limited, gramian, time, rng):
    end = math.inf if time == Continuous() else math.pi
    for system in kinds(rng, time):
        ends = [0.0, 0.5, 1.7, end]
        if not is_real(system):
            ends = [-end, -1.0, *ends]
        bands = itertools.pairwise(ends)
        P = gramian(system)
        atol = 1e-13 * abs(P).max()
        total = sum(limited(system, band) for band in bands)
        np.testing.assert_allclose(total, P, rtol=0, atol=atol)
        np.testing.assert_allclose(
            limited(system, (ends[0], ends[-1])), P, rtol=0, atol=atol
        )


def test_circle_may_be_cut_anywhere(rng):
    system = random_stable_system(rng, 4, 2, 3, Discrete(), dtype=np.complex128)
    P = controllability_gramian(system)
    ours = frequency_limited_controllability_gramian(system, (1.0, 1.0 + 2 * math.pi))
    np.testing.assert_allclose(ours, P, atol=1e-13 * abs(P).max())


@pytest.mark.parametrize("time", TIMES)
def test_narrow_bands_of_diagonal_systems_keep_their_digits(time, rng):
    layer = random_diagonal_system(rng, 4, 2, 3, time)
    low, width = 0.7, 1e-7
    ours = frequency_limited_controllability_gramian(layer, (low, low + width))
    middle = low + width / 2
    z = 1j * middle if time == Continuous() else np.exp(1j * middle)
    right = layer.B / (z - layer.poles)[:, None]
    theirs = right @ adjoint(right) * width / (2 * np.pi)
    np.testing.assert_allclose(ours, theirs, atol=1e-8 * abs(theirs).max())


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_batch_equals_loop(xp, time, dtype, rng):
    limits = [(limited, horizon_of(time)) for limited, _ in TIME_LIMITED]
    limits += [(limited, (0.2, 1.5)) for limited, _ in FREQUENCY_LIMITED]
    for batch in FEW:
        full = random_stable_system(rng, 4, 2, 3, time, dtype=dtype, batch=batch)
        system = on(xp, full)
        for limited, limit in limits:
            ours = limited(system, limit)
            assert ours.dtype == getattr(xp, dtype.__name__)
            ours = xp.to_numpy(ours)
            assert ours.shape == (*batch, 4, 4)
            for i in np.ndindex(*batch):
                item = full[i]
                wide = [
                    x.astype(np.result_type(x, np.float64)) for x in fields_of(item)
                ]
                theirs = limited(StateSpace(*wide, time), limit)
                size = abs(controllability_gramian(item)).max()
                size = max(size, abs(observability_gramian(item)).max())
                atol = 300 * np.finfo(dtype).eps * size
                np.testing.assert_allclose(ours[i], theirs, rtol=0, atol=atol)


@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("single", [True, False])
def test_diagonal_batch_equals_loop(xp, readout, time, single, rng):
    limits = [(limited, horizon_of(time)) for limited, _ in TIME_LIMITED]
    limits += [(limited, (0.2, 1.5)) for limited, _ in FREQUENCY_LIMITED]
    N = 3 if readout == "complex" else 6
    for batch in FEW:
        full = random_diagonal_system(rng, 3, 2, 4, time, readout, batch=batch)
        system = on(xp, to_precision(full, single))
        for limited, limit in limits:
            ours = xp.to_numpy(limited(system, limit))
            assert ours.shape == (*batch, N, N)
            assert ours.dtype.itemsize == (4 if single else 8) * (1 + (N == 3))
            for i in np.ndindex(*batch):
                theirs = limited(full[i], limit)
                size = abs(controllability_gramian(full[i])).max()
                size = max(size, abs(observability_gramian(full[i])).max())
                atol = (3e-5 if single else 1e-13) * size
                np.testing.assert_allclose(ours[i], theirs, rtol=0, atol=atol)


@pytest.mark.parametrize(("limited", "gramian"), TIME_LIMITED + FREQUENCY_LIMITED)
def test_results_are_hermitian(limited, gramian, rng):
    for time in TIMES:
        limit = (0.1, 1.0) if "frequency" in limited.__name__ else horizon_of(time)
        for system in kinds(rng, time):
            P = limited(system, limit)
            np.testing.assert_allclose(P, adjoint(P), atol=1e-14 * abs(P).max())
            assert np.linalg.eigvalsh(P)[0] >= -1e-13 * abs(gramian(system)).max()


def test_no_horizon_has_a_zero_gramian(rng):
    for time in TIMES:
        for system in kinds(rng, time):
            for limited, _ in TIME_LIMITED:
                assert not limited(system, 0).any()


def test_degenerate_shapes():
    for time in TIMES:
        for n, m, p in ((0, 2, 3), (2, 0, 3), (2, 2, 0)):
            A = -0.5 * np.eye(n)
            system = StateSpace(A, np.zeros((n, m)), np.zeros((p, n)), None, time)
            for limited, _ in TIME_LIMITED:
                np.testing.assert_array_equal(limited(system, 3), np.zeros((n, n)))
            for limited, _ in FREQUENCY_LIMITED:
                np.testing.assert_array_equal(
                    limited(system, (0.0, 1.0)), np.zeros((n, n))
                )


@pytest.mark.parametrize("horizon", [-1.0, math.inf, math.nan, 2.5])
def test_wrong_horizons_are_refused(horizon, rng):
    for time in TIMES:
        if time == Continuous() and horizon == 2.5:
            continue
        system = random_stable_system(rng, 3, 1, 2, time)
        with pytest.raises(
            InvalidSystemError, match=r"horizon=.* need a finite number"
        ):
            time_limited_controllability_gramian(system, horizon)


def test_horizon_beyond_the_range_is_refused():
    dense = StateSpace([[3.0]], [[1.0]], [[1.0]])
    sampled = StateSpace([[3.0]], [[1.0]], [[1.0]], time=Discrete())
    diagonal = DiagonalStateSpace([3.0], [[1.0]], [[1.0]])
    for system in (dense, sampled, diagonal):
        for limited, _ in TIME_LIMITED:
            with pytest.raises(IllConditionedError, match="leaves the range of"):
                limited(system, 1000)


@pytest.mark.parametrize(
    ("band", "real"),
    [
        ((1.0, 1.0), True),
        ((2.0, 1.0), False),
        ((-1.0, 1.0), True),
        ((0.0, 4.0), True),
        ((0.0, 7.0), False),
        ((0.0, math.nan), False),
        ((0.0, math.inf), False),
    ],
)
def test_wrong_bands_are_refused(band, real, rng):
    dtype = np.float64 if real else np.complex128
    system = random_stable_system(rng, 3, 1, 2, Discrete(), dtype=dtype)
    for limited, _ in FREQUENCY_LIMITED:
        with pytest.raises(InvalidSystemError, match=r"band=.* need .*w1 < w2"):
            limited(system, band)


def test_band_of_an_unstable_system_is_refused():
    for system in (
        StateSpace([[1.0]], [[1.0]], [[1.0]]),
        DiagonalStateSpace([0.1], [[1.0]], [[1.0]]),
    ):
        with pytest.raises(UnstableSystemError, match="frequency_limited_obs"):
            frequency_limited_observability_gramian(system, (0.0, 1.0))


def test_nan_is_refused():
    for system in (
        StateSpace([[np.nan]], [[1.0]], [[1.0]]),
        DiagonalStateSpace([np.nan], [[1.0]], [[1.0]]),
    ):
        for limited, limit in (
            (time_limited_controllability_gramian, 1),
            (frequency_limited_controllability_gramian, (0.0, 1.0)),
        ):
            with pytest.raises(InvalidSystemError, match="of shape"):
                limited(system, limit)
