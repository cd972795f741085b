from functools import reduce

import numpy as np
import pytest
import scipy.signal

from hankelcut import InvalidSystemError, NumericalWarning
from hankelcut.lti import (
    Continuous,
    DiagonalStateSpace,
    Discrete,
    SignalNames,
    StateSpace,
    append,
    feedback,
    frequency_response,
    impulse_response,
    is_stable,
    minimal_realization,
    parallel,
    series,
    to_dense,
)
from hankelcut.validation import random_diagonal_system, random_stable_system
from tests.helpers import BATCHES, DTYPES, READOUTS, TIMES, fields_of, on

CONTINUOUS = Continuous()
POINTS = np.geomspace(0.01, 3.0, 15)


def transfer(numerator, denominator, time=CONTINUOUS):
    return StateSpace(*scipy.signal.tf2ss(numerator, denominator), time)


def negative(system):
    return StateSpace(system.A, system.B, -system.C, -system.D, system.time)


def one_input(systems):
    """Single-input systems that share their input."""
    whole = reduce(append, systems)
    B = np.concatenate([system.B for system in systems])
    D = np.concatenate([system.D for system in systems])
    return StateSpace(whole.A, B, whole.C, D, whole.time)


def one_output(systems):
    """Systems whose outputs are added."""
    whole = reduce(append, systems)
    return StateSpace(
        whole.A, whole.B, whole.C.sum(0, keepdims=True), whole.D.sum(0, keepdims=True)
    )


def hidden(rng, sizes, time, *, dtype=np.float64, growth=0.0, batch=(), coupling=0.3):
    """States that are only observable, minimal, or only controllable, mixed.

    Poles are stable without growth and on both sides of the boundary with it.
    """
    n_seen, n, n_driven = sizes
    parts = [
        random_stable_system(rng, k, 2, 3, time, dtype=dtype, batch=batch)
        for k in sizes
    ]
    total = sum(sizes)
    A = np.zeros((*batch, total, total), dtype=dtype)
    start = 0
    for part in parts:
        stop = start + part.n_states
        identity = np.eye(part.n_states)
        grown = (
            part.A + growth * identity
            if time == Continuous()
            else (part.A * (1 + growth))
        )
        A[..., start:stop, start:stop] = grown
        start = stop
    A[..., n_seen:, :n_seen] = coupling * rng.standard_normal(
        (*batch, n + n_driven, n_seen)
    )
    last = slice(n_seen + n, None), slice(n_seen, n_seen + n)
    A[..., *last] = coupling * rng.standard_normal((*batch, n_driven, n))
    core = slice(n_seen, n_seen + n)
    B = np.concatenate([0 * parts[0].B, parts[1].B, parts[2].B], axis=-2)
    C = np.concatenate([parts[0].C, parts[1].C, 0 * parts[2].C], axis=-1)
    minimal = StateSpace(A[..., core, core], parts[1].B, parts[1].C, parts[1].D, time)
    U = np.linalg.qr(rng.standard_normal((total, total)))[0]
    A, B, C = U @ A @ U.T, U @ B, C @ U.T
    return StateSpace(*(x.astype(dtype) for x in (A, B, C)), minimal.D, time), minimal


def assert_same_response(system, other, rtol):
    ours, theirs = (frequency_response(s, POINTS) for s in (system, other))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=rtol * abs(theirs).max())


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("growth", [0.0, 0.5])
def test_hidden_states_are_removed(xp, time, dtype, growth, rng):
    single = np.finfo(dtype).bits == 32
    # Single precision tells hidden states from others only where poles are well apart.
    for batch in [()] if single and growth else BATCHES:
        full, minimal = hidden(
            rng,
            (2, 4, 3),
            time,
            dtype=dtype,
            growth=growth,
            batch=batch,
            coupling=0.05 if single else 0.3,
        )
        result = minimal_realization(on(xp, full), rtol=1e-3 if single else 1e-9)
        if 0 in batch:
            assert result.system.batch_shape == batch
            continue
        system = result.system
        assert (system.n_states, system.time) == (4, time)
        arrays = [xp.to_numpy(array) for array in fields_of(system)]
        assert all(array.dtype == dtype for array in arrays)
        assert xp.to_numpy(result.kept).shape == batch
        assert (xp.to_numpy(result.neglected) < 0.01 * xp.to_numpy(result.kept)).all()
        rtol = 1e-2 if single else 1e-9
        assert_same_response(StateSpace(*arrays, time), minimal, rtol)


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("growth", [0.0, 0.5])
@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_projections_give_the_system(time, growth, dtype, rng):
    full, _ = hidden(rng, (2, 4, 3), time, dtype=dtype, growth=growth)
    result = minimal_realization(full)
    T, W = result.T, result.W
    np.testing.assert_allclose(W.conj().T @ T, np.eye(4), atol=1e-10)
    np.testing.assert_allclose(result.system.A, W.conj().T @ full.A @ T, atol=1e-12)
    np.testing.assert_allclose(result.system.B, W.conj().T @ full.B, atol=1e-12)
    np.testing.assert_allclose(result.system.C, full.C @ T, atol=1e-12)


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("growth", [0.0, 0.5])
def test_larger_systems_keep_their_response(time, growth, rng):
    full, minimal = hidden(rng, (5, 20, 5), time, growth=growth)
    result = minimal_realization(full)
    assert result.system.n_states == 20
    assert_same_response(result.system, minimal, 1e-9)


@pytest.mark.parametrize("multiplicity", [2, 3, 4, 5])
@pytest.mark.parametrize("pole", [1.0, -1.0])
def test_shared_multiple_poles_are_found_once(multiplicity, pole):
    # 1/(s g), 1/g, s/g, ..., with g = (s - 1)^k: order 21 instead of 5 was reported of
    # another toolbox for k = 4 (ControlSystems.jl, issue 890).
    g = np.poly([pole] * multiplicity)
    rows = [transfer([1.0], np.polymul(g, [1, 0]))]
    rows += [transfer([1.0, *[0] * j], g) for j in range(multiplicity)]
    system = one_input(rows)
    result = minimal_realization(system)
    assert result.system.n_states == multiplicity + 1
    assert float(result.neglected) < 1e-12 < 1e-6 < float(result.kept)
    assert_same_response(result.system, system, 1e-11)


def test_shared_subsystems_are_found_once():
    # Seven first-order systems, of which four are different (ControlSystems.jl, 992).
    G, W1, W2, W3 = (
        transfer(*pair)
        for pair in (([1], [2, 3]), ([4], [5, 6]), ([7], [8, 9]), ([10], [11, 12]))
    )
    zero, one = (
        StateSpace(np.zeros((0, 0)), np.zeros((0, 1)), np.zeros((1, 0)), [[d]])
        for d in (0.0, 1.0)
    )
    rows = [
        one_output([W1, negative(series(G, W1))]),
        one_output([zero, W2]),
        one_output([zero, series(G, W3)]),
        one_output([one, negative(G)]),
    ]
    whole = reduce(append, rows)
    system = StateSpace(
        whole.A,
        np.concatenate([row.B for row in rows]),
        whole.C,
        np.concatenate([row.D for row in rows]),
    )
    assert system.n_states == 7
    result = minimal_realization(system)
    assert result.system.n_states == 4
    assert_same_response(result.system, system, 1e-13)


def test_loop_with_a_repeated_plant_loses_the_copies():
    plant, controller = transfer([1], [1, 3]), transfer([3, 25], [1, 0])
    opened = series(plant, controller)
    one = StateSpace(np.zeros((0, 0)), np.zeros((0, 1)), np.zeros((1, 0)), [[1.0]])
    # P K / (1 + P K) with P K built twice; the integrator cancels.
    loop = series(opened, feedback(one, opened))
    result = minimal_realization(loop)
    assert (loop.n_states, result.system.n_states) == (4, 2)
    poles = np.sort_complex(np.linalg.eigvals(result.system.A))
    np.testing.assert_allclose(poles, [-3 - 4j, -3 + 4j], rtol=1e-12)
    assert_same_response(result.system, feedback(opened), 1e-12)


def test_difference_of_paths_with_an_integrator():
    # (G1 G2 - G2) / (1 + G1 G2 - G2), whose paths share G2 (python-control, 1193).
    first, second = transfer([3], [1, 1]), transfer([3], [1, 4, 0])
    loop = feedback(parallel(series(first, second), negative(second)))
    result = minimal_realization(loop)
    assert (loop.n_states, result.system.n_states) == (5, 3)
    theirs = transfer([-3, 6], [1, 5, 1, 6])
    assert_same_response(result.system, theirs, 1e-12)


@pytest.mark.parametrize(
    ("system", "order"),
    [
        (series(transfer([1], [1, 0, 0, 0]), transfer([1, 0, 1], [1, 2, 1])), 5),
        (series(transfer([1], [1, 0, 0, 0]), transfer([1, 0], [1, 2])), 3),
        (transfer([1, -1], [1, 1, -2]), 1),
        (transfer([1, 0, 4], [1, 1, 4, 4]), 1),
        (parallel(transfer([1], [1, 0]), negative(transfer([1], [1, 0]))), 0),
    ],
    ids=["triple integrator", "one cancels", "unstable", "oscillator", "difference"],
)
def test_marginal_and_unstable_poles_cancel(system, order):
    result = minimal_realization(system)
    assert result.system.n_states == order
    ours, theirs = (frequency_response(s, POINTS) for s in (result.system, system))
    np.testing.assert_allclose(ours, theirs, atol=1e-12 * abs(theirs).max())


def test_only_stable_states_that_do_nothing_are_removed():
    # A controllable one, an observable one, and a minimal unstable one.
    A = np.diag([-1.0, -2.0, 1.0])
    system = StateSpace(A, [[1.0], [0.0], [1.0]], [[0.0, 1.0, 1.0]])
    rotation = np.linalg.qr(np.random.default_rng(0).standard_normal((3, 3)))[0]
    turned = StateSpace(
        rotation @ A @ rotation.T, rotation @ system.B, system.C @ rotation.T
    )
    for made in (system, turned):
        result = minimal_realization(made)
        assert result.system.n_states == 1
        np.testing.assert_allclose(result.system.A, [[1.0]], rtol=1e-12)


def test_delays_next_to_an_integrator_stay():
    chain = StateSpace(
        np.eye(60, k=-1), np.eye(60)[:, :1], np.eye(60)[-1:], None, Discrete()
    )
    system = parallel(chain, transfer([1], [1, -1], Discrete()))
    assert minimal_realization(system).system.n_states == 61
    twice = parallel(system, chain)
    result = minimal_realization(twice)
    assert result.system.n_states == 61
    ours, theirs = (impulse_response(s, n_samples=80) for s in (result.system, twice))
    np.testing.assert_allclose(ours, theirs, atol=1e-12)


@pytest.mark.parametrize("growth", [0.0, 0.5])
def test_units_do_not_matter(growth, rng):
    full, minimal = hidden(rng, (3, 5, 2), Continuous(), growth=growth)
    t = 10.0 ** rng.uniform(-8, 8, 10)
    u, y = np.array([1e-9, 1e6]), np.array([1e5, 1.0, 1e-7])
    scaled = StateSpace(
        t[:, None] * full.A / t,
        t[:, None] * full.B * u,
        y[:, None] * full.C / t,
        y[:, None] * full.D * u,
    )
    result = minimal_realization(scaled)
    assert result.system.n_states == 5
    ours = frequency_response(result.system, POINTS) / (y[:, None] * u)
    theirs = frequency_response(minimal, POINTS)
    np.testing.assert_allclose(ours, theirs, atol=1e-9 * abs(theirs).max())


def test_minimal_system_keeps_its_coordinates(rng):
    for time in TIMES:
        system = random_stable_system(rng, 5, 2, 3, time)
        result = minimal_realization(system)
        for ours, theirs in zip(
            fields_of(result.system), fields_of(system), strict=True
        ):
            np.testing.assert_array_equal(ours, theirs)
        np.testing.assert_array_equal(result.T, np.eye(5))
        np.testing.assert_array_equal(result.W, np.eye(5))
        again = minimal_realization(result.system)
        np.testing.assert_array_equal(again.system.A, system.A)


@pytest.mark.parametrize("time", TIMES)
def test_stable_system_stays_stable(time, rng):
    for _ in range(5):
        full, _ = hidden(rng, (3, 6, 4), time)
        assert bool(is_stable(minimal_realization(full).system))


@pytest.mark.parametrize("readout", READOUTS)
def test_silent_and_repeated_modes_of_a_diagonal_system_go(readout, rng):
    layer = random_diagonal_system(rng, 4, 1, 3, Discrete(), readout)
    B, exponents = layer.B.copy(), layer.exponents.copy()
    B[0] = 0
    exponents[2] = exponents[1]
    system = DiagonalStateSpace(exponents, B, layer.C, layer.D, Discrete(), readout)
    result = minimal_realization(system)
    # Of four modes one is silent and two with one input are one.
    assert result.system.n_states == (2 if readout == "complex" else 4)
    assert_same_response(result.system, to_dense(system), 1e-12)


def test_real_pole_of_a_real_readout_is_one_state():
    layer = DiagonalStateSpace.from_poles(
        [0.5, 0.3 + 0.4j], [[1.0], [1.0]], [[1.0, 2.0]], readout="real"
    )
    result = minimal_realization(layer)
    assert result.system.n_states == 3
    assert_same_response(result.system, to_dense(layer), 1e-14)


def test_slycot_removes_as_much(rng):
    control = pytest.importorskip("control", reason="python-control is not installed")
    pytest.importorskip("slycot", reason="Slycot is not installed")
    for sizes in ((1, 2, 1), (2, 3, 2)):
        full, _ = hidden(rng, sizes, Continuous())
        theirs = control.minreal(control.ss(*fields_of(full)), tol=1e-9, verbose=False)
        assert minimal_realization(full).system.n_states == theirs.nstates


def test_tolerance_decides():
    # Hankel singular values in the ratio of 5e-9.
    system = StateSpace(np.diag([-1.0, -2.0]), [[1.0], [1e-4]], [[1.0, 1e-4]])
    assert minimal_realization(system).system.n_states == 2
    result = minimal_realization(system, rtol=1e-6)
    assert result.system.n_states == 1
    np.testing.assert_allclose(result.neglected, 5.6e-10, rtol=0.1)


def test_order_without_a_gap_is_a_warning():
    # Hankel singular values that fall by a factor of about eight each.
    n = 30
    A = np.diag(-np.geomspace(1, 1e3, n))
    system = StateSpace(A, np.ones((n, 1)), np.ones((1, n)))
    with pytest.warns(NumericalWarning, match=r"without a clear gap"):
        result = minimal_realization(system)
    assert 5 < result.system.n_states < n
    assert_same_response(result.system, system, 1e-9)
    assert float(result.neglected) < result.rtol < float(result.kept)


def test_items_of_different_orders_are_refused():
    B = np.array([[[1.0], [1.0]], [[1.0], [0.0]]])
    system = StateSpace(np.diag([-1.0, -2.0]), B, [[1.0, 1.0]])
    with pytest.raises(InvalidSystemError, match=r"of orders \[2, 1\], need one order"):
        minimal_realization(system)


def test_degenerate_shapes():
    for n, m, p in ((0, 2, 3), (3, 0, 2), (3, 2, 0)):
        system = StateSpace(
            np.diag([-1.0, 1.0, 0.0])[:n, :n], np.ones((n, m)), np.ones((p, n))
        )
        result = minimal_realization(system)
        assert result.system.n_states == 0
        assert result.system.D.shape == (p, m)
    silent = StateSpace(np.diag([-1.0, 1.0]), np.zeros((2, 1)), np.ones((1, 2)))
    assert minimal_realization(silent).system.n_states == 0


def test_names_of_signals_are_kept():
    names = SignalNames(("u",), ("y",), ("a", "b"), "plant")
    system = StateSpace(
        np.diag([-1.0, -2.0]), [[1.0], [0.0]], np.ones((1, 2)), names=names
    )
    assert minimal_realization(system).system.names == names.without_states()


def test_inputs_are_not_modified(rng):
    full, _ = hidden(rng, (1, 2, 1), Continuous())
    copies = [array.copy() for array in fields_of(full)]
    minimal_realization(full)
    for array, copy in zip(fields_of(full), copies, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("rtol", [0.0, 1.0, -1e-3, np.nan])
def test_wrong_tolerance_is_refused(rtol, rng):
    with pytest.raises(InvalidSystemError, match="need 0 < rtol < 1"):
        minimal_realization(random_stable_system(rng, 2, 1, 1), rtol=float(rtol))


def test_nan_is_refused():
    with pytest.raises(InvalidSystemError, match="B of shape"):
        minimal_realization(StateSpace([[-1.0]], [[np.nan]], [[1.0]]))
