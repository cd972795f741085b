import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hankelcut import (
    IllConditionedError,
    NumericalWarning,
    ToleranceNotAttainableError,
)
from hankelcut.lti import (
    Continuous,
    DiagonalStateSpace,
    Discrete,
    error_system,
    frequency_response,
    hankel_singular_values,
    hinf_bracket,
    impulse_response,
    is_stable,
    real_form,
    simulate,
)
from hankelcut.reduction import OrderTarget, balance, balanced_truncation
from hankelcut.reduction.diagonal_truncation import truncate_to_modes
from hankelcut.validation import (
    check_hankel_bounds,
    diagonal_systems,
    random_diagonal_system,
    random_lru_system,
)
from tests.helpers import (
    EPS32,
    READOUTS,
    TIMES,
    fields_of,
    on,
    rebuilt,
    strategies_may_draw,
    to_precision,
)

POINTS = np.linspace(-3.0, 3.0, 15)
EPS = float(np.finfo(float).eps)


def quietly(system, **target):
    """Reduce without the warnings of fixed orders."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NumericalWarning)
        return balanced_truncation(system, **target)


def is_real(system):
    """Which stored poles are real (the exponent of a negative one has phase pi)."""
    return abs(system.poles.imag) <= 1e-14 * abs(system.poles)


def error_of(full, reduced):
    bracket = hinf_bracket(error_system(full, reduced))
    return float(bracket.lower), float(bracket.upper)


# The promise


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("single", [True, False])
@pytest.mark.parametrize("readout", ["complex", "real"])
def test_bound_holds(xp, time, single, readout, rng):
    for batch in [(), (2, 1), (0,)]:
        full = random_diagonal_system(rng, 5, 2, 3, time, readout, batch=batch)
        full = to_precision(full, single)
        system = on(xp, full)
        result = balanced_truncation(system, order=2)
        assert result.order == result.system.n_states == (2 if batch != (0,) else 0)
        assert (result.system.time, result.system.readout) == (time, readout)
        assert result.system.batch_shape == batch
        for ours, theirs in zip(
            fields_of(result.system), fields_of(system), strict=True
        ):
            assert ours.dtype == theirs.dtype
        N = 5 if readout == "complex" else 10
        values = xp.to_numpy(result.hankel_singular_values)
        bound = xp.to_numpy(result.error_bound)
        assert values.shape == (*batch, N)
        assert result.left_projection.shape == (*batch, N, result.order)
        assert result.right_projection.shape == (*batch, N, result.order)
        np.testing.assert_array_equal(xp.to_numpy(result.system.D), full.D)
        for i in np.ndindex(*batch):
            reduced = rebuilt(
                full, [xp.to_numpy(x)[i] for x in fields_of(result.system)]
            )
            assert bool(is_stable(reduced))
            lower, upper = error_of(
                to_precision(full[i], False), to_precision(reduced, False)
            )
            slack = 2e3 * np.finfo(values.dtype).eps * values[i][0]
            most = 2 if readout == "complex" else 4
            assert values[i][most] <= upper + slack
            assert lower <= bound[i] + slack


@pytest.mark.parametrize("order", [0, 1, 4])
@pytest.mark.parametrize(
    ("readout", "map"),
    [
        ("complex", "real"),
        ("real", "real"),
        ("real", "complex"),
        ("twice_real", "real"),
    ],
)
@pytest.mark.parametrize("time", TIMES)
def test_every_order_keeps_its_promise(time, readout, order, map, rng):
    system = random_diagonal_system(rng, 5, 2, 3, time, readout)
    result = balanced_truncation(system, order=order, map=map)
    assert result.order == result.system.n_states == order
    check_hankel_bounds(system, result)


@strategies_may_draw
@settings(max_examples=30)
@given(diagonal_systems(max_states=5), st.integers(0, 5))
def test_reduction_keeps_its_promise(system, order):
    order = min(order, system.n_states)
    try:
        result = quietly(system, order=order)
    except IllConditionedError:
        return
    assert result.order <= order
    check_hankel_bounds(system, result)


@strategies_may_draw
@settings(max_examples=30)
@given(
    diagonal_systems(max_states=5),
    st.sampled_from([0.3, 0.03]),
    st.sampled_from(["real", "complex"]),
    st.sampled_from(["structured", "closed_form"]),
)
def test_energy_tolerance_keeps_its_promise(system, share, map, method):
    try:
        result = balanced_truncation(system, energy_tol=share, map=map, gramians=method)
    except (IllConditionedError, ToleranceNotAttainableError):
        return
    assert result.order <= system.n_states
    check_hankel_bounds(system, result)


@pytest.mark.parametrize("method", ["structured", "closed_form"])
@pytest.mark.parametrize("seed", range(3))
def test_layer_keeps_its_promise(method, seed):
    layer = random_lru_system(np.random.default_rng(seed), 48, 7, 6)
    for target in ({"order": 16}, {"energy_tol": 0.05}, {"error_tol": 0.2}):
        result = balanced_truncation(layer, gramians=method, **target)
        assert 0 < result.order < 48
        lower, _ = error_of(layer, result.system)
        assert lower <= float(result.error_bound)
        assert bool(is_stable(result.system))
        if "error_tol" in target:
            assert float(result.error_bound) <= 0.2


# The real map against the complex states


def test_real_map_beats_the_complex_states():
    better = 0
    for seed in range(20):
        layer = random_lru_system(np.random.default_rng(seed), 64, 8, 8)
        errors, bounds = [], []
        for kind in ("real", "complex"):
            result = balanced_truncation(layer, order=32, map=kind)
            assert 31 <= result.order <= 32
            certificate = result.certify(rtol=0.03)
            lower = float(certificate.hinf_error.lower)
            upper = float(certificate.hinf_error.upper)
            bound = float(result.error_bound)
            assert lower <= min(upper, bound)
            assert upper <= 1.031 * lower
            errors.append((lower, upper))
            bounds.append(bound)
        better += errors[0][1] < errors[1][0]
        assert bounds[0] <= bounds[1] * (1 + 1e-9)
    assert better >= 18


def test_bound_of_the_complex_map_holds_for_the_real_layer(rng):
    for readout in ("real", "twice_real"):
        layer = replace(random_lru_system(rng, 24, 3, 2), readout=readout)
        for order in (4, 12, 20):
            result = balanced_truncation(layer, order=order, map="complex")
            assert result.order == order
            assert result.hankel_singular_values.shape == (24,)
            assert result.system.readout == readout
            gain = 2 * layer.readout_gain
            states = replace(layer, readout="complex", C=gain * layer.C, D=None)
            tail = 2 * hankel_singular_values(states)[order:].sum()
            assert float(result.error_bound) == pytest.approx(tail, rel=1e-9, abs=1e-9)
            lower, _ = error_of(layer, result.system)
            assert lower <= tail


# Stored states


def stored_modes(system, order):
    """Stored modes, with the number of Hankel singular values that they keep."""
    target = OrderTarget(order=order)
    return truncate_to_modes(
        balance(system), system, target, storage_eps=EPS, caller="test"
    )


@pytest.mark.parametrize("readout", ["real", "twice_real"])
@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("seed", range(4))
def test_stored_states_are_pairs_and_real_poles(readout, time, seed):
    rng = np.random.default_rng(seed)
    system = random_diagonal_system(rng, 9, 2, 3, time, readout)
    # Some real poles, so that balanced models have real poles too.
    poles = np.concatenate([system.poles[:5], system.poles[5:].real])
    system = DiagonalStateSpace.from_poles(
        poles, system.B, system.C, system.D, time=time, readout=readout
    )
    for order in range(9):
        modes = stored_modes(system, order)
        stored = modes.system
        reals = int(is_real(stored).sum())
        assert stored.n_states <= order
        assert 2 * stored.n_states == modes.balanced_order + reals
        assert (stored.exponents.imag >= 0).all()


def test_order_kept_is_the_largest_that_fits():
    rng = np.random.default_rng(4)
    # All poles real: a stored state each, so that half of the 2 n values fit.
    system = DiagonalStateSpace.from_poles(
        rng.uniform(-0.9, 0.9, 12),
        rng.standard_normal((12, 2)),
        rng.standard_normal((3, 12)),
        readout="real",
    )
    balancing = balance(system)
    dense = real_form(system)
    for order in range(1, 11):
        modes = stored_modes(system, order)
        fitting = []
        for kept in range(min(2 * order, balancing.spectrum().numerical_rank) + 1):
            T, W = balancing.projections(kept)
            poles = np.linalg.eigvals(W.T @ dense.A @ T) if kept else np.zeros(0)
            if (kept + np.sum(poles.imag == 0)) / 2 <= order:
                fitting.append(kept)
        assert modes.balanced_order == max(fitting)


@pytest.mark.parametrize("readout", ["real", "twice_real"])
@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("map", ["real", "complex"])
def test_projections_make_the_stored_states(readout, time, map, rng):
    system = random_diagonal_system(rng, 8, 2, 3, time, readout)
    result = balanced_truncation(system, order=5, map=map)
    T, Wh = result.right_projection, result.left_projection.conj().T
    dense, stored = real_form(system), result.system
    gain = 2 * system.readout_gain
    np.testing.assert_allclose(stored.B, Wh @ dense.B, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(gain * stored.C, dense.C @ T, rtol=1e-10, atol=1e-12)
    # x = Re(T x_r) and x_r = W^H x are inverse to each other (real poles: real x_r).
    states = rng.standard_normal((5, 4)) + 1j * rng.standard_normal((5, 4))
    if map == "real":
        states = np.where(is_real(stored)[:, None], states.real, states)
    np.testing.assert_allclose(Wh @ (T @ states).real, states, rtol=1e-9, atol=1e-11)
    moved = Wh @ dense.A @ (T @ states).real
    if map == "real":
        np.testing.assert_allclose(
            moved, stored.poles[:, None] * states, rtol=1e-8, atol=1e-10
        )


@pytest.mark.parametrize("time", TIMES)
def test_projections_of_complex_readouts(time, rng):
    system = random_diagonal_system(rng, 8, 2, 3, time)
    result = balanced_truncation(system, order=3)
    T, Wh = result.right_projection, result.left_projection.conj().T
    np.testing.assert_allclose(Wh @ T, np.eye(3), atol=1e-11)
    np.testing.assert_allclose(
        Wh @ (system.poles[:, None] * T), np.diag(result.system.poles), atol=1e-11
    )
    np.testing.assert_allclose(result.system.B, Wh @ system.B, rtol=1e-10)
    np.testing.assert_allclose(result.system.C, system.C @ T, rtol=1e-10)


@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("time", TIMES)
def test_full_order_is_the_system_itself(readout, time, rng):
    system = random_diagonal_system(rng, 4, 2, 3, time, readout)
    for target in ({"order": 4}, {"error_tol": 1e-12}):
        result = balanced_truncation(system, **target)
        assert result.order == 4
        assert float(result.error_bound) == 0.0
        for ours, theirs in zip(
            fields_of(result.system), fields_of(system), strict=True
        ):
            np.testing.assert_array_equal(ours, theirs)
        T, Wh = result.right_projection, result.left_projection.conj().T
        np.testing.assert_allclose(
            Wh @ T, (2 if readout != "complex" else 1) * np.eye(4), atol=1e-15
        )


def test_removing_silent_states_changes_nothing(rng):
    system = random_diagonal_system(rng, 4, 2, 3, Discrete(), "real")
    padded = DiagonalStateSpace(
        np.append(system.exponents, [-1.0, -1.0]),
        np.concatenate([system.B, np.zeros((2, 2))]),
        np.concatenate([system.C, np.zeros((3, 2))], axis=1),
        system.D,
        system.time,
        "real",
    )
    result = balanced_truncation(padded, order=4)
    assert result.order == 4
    ours = impulse_response(result.system, n_samples=60)
    theirs = impulse_response(system, n_samples=60)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-10 * abs(theirs).max())


@pytest.mark.parametrize("map", ["real", "complex"])
def test_storing_in_single_precision_is_harmless(map):
    for seed in range(5):
        layer = random_lru_system(np.random.default_rng(seed), 32, 4, 3)
        result = balanced_truncation(layer, order=12, map=map, storage_eps=EPS32)
        stored = to_precision(to_precision(result.system, True), False)
        assert bool(is_stable(stored))
        difference = error_of(result.system, stored)[1]
        margin = 1 - np.exp(stored.exponents.real)
        gains = np.linalg.norm(stored.B, axis=1) * np.linalg.norm(stored.C, axis=0)
        assert difference <= 50 * EPS32 * np.sum(gains / margin)
        assert difference <= 0.1 * float(result.error_bound)
        samples = impulse_response(stored, n_samples=50)
        exact = impulse_response(result.system, n_samples=50)
        assert abs(samples - exact).max() <= 50 * EPS32 * np.sum(gains / margin)


def test_layer_scan_of_the_stored_states_is_the_model(rng):
    """The layer by hand: x = lambda x + B u, y = Re(C x), one step at a time."""
    layer = random_lru_system(rng, 16, 3, 2)
    reduced = balanced_truncation(layer, order=6).system
    inputs, state, outputs = rng.standard_normal((30, 3)), np.zeros(6), []
    for u in inputs:
        outputs.append((reduced.C @ state).real)
        state = reduced.poles * state + reduced.B @ u
    np.testing.assert_allclose(outputs, simulate(reduced, inputs), atol=1e-13)
    error = np.linalg.norm(np.array(outputs) - simulate(layer, inputs))
    bound = float(balanced_truncation(layer, order=6).error_bound)
    assert error <= bound * np.linalg.norm(inputs)


# Poles on the real axis and at the origin


@pytest.mark.parametrize(
    "poles",
    [
        [0.5, -0.5, 0.9],
        [0.0, 0.5, -0.5],
        [0.0, 0.0, 0.3],
        [0.5, 0.5, 0.2 + 0.1j],
        [0.5 + 1e-9j, -0.2, 0.7],
        [0.9, 0.9 + 1e-12j, 0.1j],
    ],
    ids=str,
)
@pytest.mark.parametrize("readout", ["real", "twice_real"])
def test_special_poles(poles, readout):
    rng = np.random.default_rng(8)
    system = DiagonalStateSpace.from_poles(
        np.array(poles, dtype=complex),
        rng.standard_normal((3, 4)) + 1j * rng.standard_normal((3, 4)),
        rng.standard_normal((5, 3)) + 1j * rng.standard_normal((5, 3)),
        readout=readout,
    )
    for order in (1, 2):
        for eps in (EPS, EPS32):
            try:
                result = quietly(system, order=order, storage_eps=eps)
            except IllConditionedError:
                continue
            assert result.order <= order
            for array in fields_of(result.system):
                assert np.isfinite(array).all()
            check_hankel_bounds(system, result)


def test_real_pole_has_half_the_gain():
    # One real pole: Re(C x) = C x, so that the stored model is the system.
    system = DiagonalStateSpace.from_poles(
        [0.5, 0.3], [[2.0], [0.0]], [[3.0, 1.0]], readout="twice_real"
    )
    result = quietly(system, order=1)
    np.testing.assert_allclose(result.system.poles, [0.5], atol=1e-14)
    np.testing.assert_allclose(
        impulse_response(result.system, n_samples=5)[:, 0, 0],
        [0.0, 12.0, 6.0, 3.0, 1.5],
        rtol=1e-12,
    )


def test_complex_gains_of_a_real_pole_keep_their_rank():
    # Re(c b) of rank 2 at one real pole: two real states, two stored ones.
    b, c = np.array([1.0, 1j, 0.5]), np.array([1.0, -1j, 0.3 + 0.2j])
    system = DiagonalStateSpace.from_poles(
        [0.6, 0.1], np.stack([b, 0 * b]), np.stack([c, 0 * c], axis=1), readout="real"
    )
    values = hankel_singular_values(system)
    assert values[1] > 0.1 * values[0]
    assert values[2] <= 1e-14 * values[0]
    result = balanced_truncation(system, error_tol=1e-9)
    assert result.order == 2
    np.testing.assert_allclose(
        frequency_response(result.system, POINTS),
        frequency_response(system, POINTS),
        atol=1e-10,
    )


@pytest.mark.parametrize("n_inputs", [1, 3])
def test_copies_of_a_pole_are_merged(n_inputs, rng):
    system = DiagonalStateSpace(
        np.full(4, -0.2 + 1j),
        rng.standard_normal((4, n_inputs)) + 0j,
        rng.standard_normal((5, 4)) + 0j,
    )
    with pytest.raises(ToleranceNotAttainableError, match="numerical rank"):
        balanced_truncation(system, error_tol=0.0)
    result = quietly(system, order=3)
    assert result.order <= n_inputs
    check_hankel_bounds(system, result)


def next_to_the_circle(nu):
    rng = np.random.default_rng(6)
    exponents = -np.array([nu, 2 * nu, 1e-4, 0.1, 0.5]) + 1j * np.arange(5)
    B, C = rng.standard_normal((5, 2)), rng.standard_normal((3, 5))
    return DiagonalStateSpace(exponents, B, C, readout="real")


@pytest.mark.parametrize("nu", [1e-9, 1e-6, 1e-3])
def test_next_to_the_unit_circle(nu):
    system = next_to_the_circle(nu)
    result = quietly(system, order=3)  # at 1e-9 rounding counts, and is warned of
    assert bool(result.warnings) == (nu == 1e-9)
    assert bool(is_stable(result.system))
    lower, upper = error_of(system, result.system)
    values = hankel_singular_values(system)
    # Reduced poles are rounded: a relative eps / nu of the largest resonances.
    rounding = 100 * EPS / nu * values[0]
    assert values[6] <= upper + rounding
    assert lower <= float(result.error_bound) + rounding


def test_rounding_next_to_the_unit_circle_is_not_silent():
    # 1 - abs(pole) = 1e-12 has four digits in an eigenvalue of double precision: the
    # error is 1e-4 of sigma_1, far above the bound.
    system = next_to_the_circle(1e-12)
    try:
        result = quietly(system, order=3)
    except IllConditionedError:
        return
    lower, _ = error_of(system, result.system)
    assert lower <= float(result.error_bound) or result.warnings


# Nearly colliding poles


def colliding(gap, readout="real"):
    """Two poles `gap` apart with large opposite residues, and four others."""
    rng = np.random.default_rng(1)
    poles = 0.9 * np.exp(1j) * np.array([1.0, 1.0 - gap])
    others = rng.uniform(0.1, 0.6, 4) * np.exp(1j * rng.uniform(0, 6.28, 4))
    B = np.array([1 / gap, 1 / gap, 0.05, 0.05, 0.05, 0.05])[:, None]
    C = np.array([[1.0, -1.0, 0.05, 0.05, 0.05, 0.05], [0.5, -0.5, 0.0, 0.1, 0.1, 0.2]])
    return DiagonalStateSpace.from_poles(
        np.concatenate([poles, others]), B, C, readout=readout
    )


@pytest.mark.parametrize("gap", [1e-3, 1e-5])
@pytest.mark.parametrize("order", [2, 3, 4, 5])
def test_colliding_poles_are_stored_harmlessly_or_refused(gap, order):
    system = colliding(gap)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            result = balanced_truncation(system, order=order, storage_eps=EPS32)
    except IllConditionedError as error:
        assert "nearly) defective" in str(error)  # noqa: PT017 - either is right
        return
    stored = to_precision(to_precision(result.system, True), False)
    values = hankel_singular_values(system)
    lower, _ = error_of(system, result.system)
    assert lower <= float(result.error_bound) * (1 + 1e-9)
    # Rounding to single precision stays within what the result promises to accept.
    with_storage = error_of(system, stored)[0]
    allowed = max(0.1 * float(result.error_bound), EPS32 ** (2 / 3) * values[0])
    assert with_storage <= float(result.error_bound) + allowed
    # Another order than the one asked for, or a perturbation, is said.
    if result.order < order:
        assert result.warnings
        assert caught


@pytest.mark.parametrize("order", [3, 4])
def test_collision_is_said(order):
    with pytest.warns(NumericalWarning, match="nearly colliding poles"):
        balanced_truncation(colliding(1e-5), order=order, storage_eps=EPS32)


def test_same_poles_are_harmless_in_double_precision():
    result = balanced_truncation(colliding(1e-3), order=4)
    assert result.order == 4
    assert result.warnings == ()
    check_hankel_bounds(colliding(1e-3), result)


def test_nothing_helps_a_close_triple():
    # A triple pole, nearly: single precision cannot hold its three residues.
    gap = 1e-4
    poles = 0.9 * np.exp(1j) * np.array([1.0, 1.0 - gap, 1.0 - 2 * gap])
    B = np.append(np.array([1.0, -2.0, 1.0]) / gap**2, [1.0, 1.0])[:, None]
    system = DiagonalStateSpace.from_poles(
        np.append(poles, [0.1, 0.3j]), B, np.array([[1.0, 1.0, 1.0, 1e-3, 1e-3]])
    )
    with pytest.raises(IllConditionedError, match="no diagonal form can be stored"):
        balanced_truncation(system, error_tol=1e-2, storage_eps=EPS32)
    result = balanced_truncation(system, error_tol=1e-2)
    assert error_of(system, result.system)[0] <= 1e-2


def test_separated_poles_are_in_the_bound():
    gap = 1e-4
    poles = 0.9 * np.exp(1j) * np.array([1.0, 1.0 - gap, 1.0 - 2 * gap])
    B = np.append(np.array([1.0, -2.0, 1.0]) / gap**2, [1.0, 1.0])[:, None]
    system = DiagonalStateSpace.from_poles(
        np.append(poles, [0.1, 0.3j]), B, np.array([[1.0, 1.0, 1.0, 1e-3, 1e-3]])
    )
    with pytest.warns(NumericalWarning, match="separated by a perturbation that adds"):
        result = balanced_truncation(system, order=3, storage_eps=EPS32)
    tail = 2 * result.hankel_singular_values[3:].sum()
    assert float(result.error_bound) > 10 * tail
    stored = to_precision(to_precision(result.system, True), False)
    for reduced in (result.system, stored):
        assert error_of(system, reduced)[0] <= 2 * float(result.error_bound)
    assert error_of(system, result.system)[0] <= float(result.error_bound)


# Batches


@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("map", ["real", "complex"])
def test_batch_equals_loop(readout, map, rng):
    system = random_diagonal_system(rng, 5, 2, 3, Discrete(), readout, batch=(2, 3))
    result = balanced_truncation(system, order=3, map=map)
    for i in np.ndindex(2, 3):
        one = balanced_truncation(system[i], order=3, map=map)
        np.testing.assert_allclose(
            frequency_response(result.system[i], POINTS),
            frequency_response(one.system, POINTS),
            rtol=1e-9,
        )
        assert float(result.error_bound[i]) == pytest.approx(float(one.error_bound))
        np.testing.assert_allclose(
            result.left_projection[i].conj().T @ result.right_projection[i],
            one.left_projection.conj().T @ one.right_projection,
            atol=1e-9,
        )


@pytest.mark.parametrize("time", TIMES)
def test_batch_takes_the_largest_order_and_pads_with_silence(time, rng):
    system = random_diagonal_system(rng, 5, 2, 3, time, "real", batch=(2,))
    gains = np.array([1.0, 1e-6])[:, None, None]
    system = replace(system, C=gains * system.C)
    tolerance = 1e-2
    result = balanced_truncation(system, error_tol=tolerance)
    orders = [balanced_truncation(system[i], error_tol=tolerance).order for i in (0, 1)]
    assert orders[1] == 0 < orders[0] == result.order
    assert (result.error_bound <= tolerance).all()
    assert not result.system.B[1].any()
    assert is_stable(result.system).all()
    for i in (0, 1):
        assert error_of(system[i], result.system[i])[0] <= tolerance


def test_permuting_the_batch_permutes_the_results(rng):
    system = random_diagonal_system(rng, 5, 2, 3, Discrete(), "real", batch=(3,))
    order = np.array([2, 0, 1])
    moved = rebuilt(system, [array[order] for array in fields_of(system)])
    first = balanced_truncation(system, order=2)
    second = balanced_truncation(moved, order=2)
    np.testing.assert_allclose(second.error_bound, first.error_bound[order], rtol=1e-12)
    np.testing.assert_allclose(
        frequency_response(second.system, POINTS),
        frequency_response(first.system, POINTS)[order],
        rtol=1e-9,
    )


# Targets and refusals


@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("map", ["real", "complex"])
def test_error_tolerance_is_met(readout, map, rng):
    layer = replace(random_lru_system(rng, 24, 4, 3), readout=readout)
    for tolerance in (1.0, 0.1, 0.01):
        result = balanced_truncation(layer, error_tol=tolerance, map=map)
        assert float(result.error_bound) <= tolerance
        assert error_of(layer, result.system)[0] <= tolerance


def test_energy_tolerance_is_a_share_of_the_sum(rng):
    layer = random_lru_system(rng, 24, 4, 3)
    values = hankel_singular_values(layer)
    orders = []
    for share in (0.5, 0.1, 0.02):
        result = balanced_truncation(layer, energy_tol=share)
        assert float(result.error_bound) <= 2 * share * values.sum() * (1 + 1e-9)
        orders.append(result.order)
    assert orders == sorted(orders)
    assert len(set(orders)) == 3


def test_order_above_the_stored_states_is_refused(rng):
    system = random_diagonal_system(rng, 4, 2, 3, Discrete(), "real")
    with pytest.raises(ValueError, match="got order=5, need at most the 4 stored"):
        balanced_truncation(system, order=5)


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("readout", ["complex", "real"])
@pytest.mark.parametrize(("n", "m", "p"), [(0, 2, 3), (1, 2, 3), (4, 0, 3), (4, 2, 0)])
def test_degenerate_shapes(xp, time, readout, n, m, p):
    full = random_diagonal_system(np.random.default_rng(3), n, m, p, time, readout)
    system = on(xp, full)
    silent = m == 0 or p == 0 or n == 0
    for method in ("structured", "closed_form"):
        result = balanced_truncation(system, error_tol=1e-3, gramians=method)
        assert result.order == result.system.n_states
        assert result.order == 0 if silent else result.order >= 1
        assert result.system.D.shape == (p, m)
        assert float(result.error_bound) <= 1e-3
        cut = balanced_truncation(system, order=0, gramians=method)
        assert cut.system.n_states == 0
        np.testing.assert_array_equal(xp.to_numpy(cut.system.D), full.D)


@pytest.mark.parametrize("method", ["structured", "closed_form"])
@pytest.mark.parametrize("which", ["B", "C"])
def test_silent_system_becomes_its_feedthrough(which, method, rng):
    system = random_diagonal_system(rng, 4, 2, 3, Discrete(), "real")
    silent = replace(system, **{which: 0 * getattr(system, which)})
    for target in ({"error_tol": 0.0}, {"energy_tol": 0.5}):
        result = balanced_truncation(silent, gramians=method, **target)
        assert result.order == 0
        assert float(result.error_bound) == 0.0


@pytest.mark.parametrize("scale", [1e-150, 1e100])
def test_extreme_gains(scale, rng):
    system = random_diagonal_system(rng, 5, 2, 3, Discrete(), "real")
    system = replace(system, D=None)
    scaled = replace(system, B=scale * system.B, C=scale * system.C)
    result = balanced_truncation(scaled, order=3)
    reference = balanced_truncation(system, order=3)
    assert float(result.error_bound) / scale**2 == pytest.approx(
        float(reference.error_bound), rel=1e-9
    )
    np.testing.assert_allclose(
        frequency_response(result.system, POINTS) / scale**2,
        frequency_response(reference.system, POINTS),
        rtol=1e-8,
    )


def test_scaling_of_states_is_irrelevant(rng):
    system = random_diagonal_system(rng, 5, 2, 3, Discrete(), "real")
    scales = 10.0 ** np.linspace(-8, 8, 5)
    scaled = replace(system, B=system.B * scales[:, None], C=system.C / scales)
    ours, theirs = (balanced_truncation(s, order=3) for s in (scaled, system))
    np.testing.assert_allclose(
        frequency_response(ours.system, POINTS),
        frequency_response(theirs.system, POINTS),
        rtol=1e-8,
    )


def test_inputs_are_not_modified(rng):
    system = random_diagonal_system(rng, 5, 2, 3, Discrete(), "real")
    before = [array.copy() for array in fields_of(system)]
    balanced_truncation(system, order=2)
    for array, copy in zip(fields_of(system), before, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_tensors_that_require_gradients(rng):
    torch = pytest.importorskip("torch")
    system = random_diagonal_system(rng, 5, 2, 3, Discrete(), "real")
    tensors = [torch.tensor(x, requires_grad=True) for x in fields_of(system)]
    result = balanced_truncation(
        DiagonalStateSpace(*tensors, system.time, "real"), order=3
    )
    expected = balanced_truncation(system, order=3)
    np.testing.assert_allclose(
        frequency_response(result.system, torch.tensor(POINTS)).detach().numpy(),
        frequency_response(expected.system, POINTS),
        rtol=1e-9,
    )


def test_continuous_layer_with_slow_and_fast_poles(rng):
    exponents = -(10.0 ** rng.uniform(-3, 3, 10)) + 1j * 10.0 ** rng.uniform(-2, 3, 10)
    system = DiagonalStateSpace(
        exponents,
        rng.standard_normal((10, 2)) + 0j,
        rng.standard_normal((3, 10)) + 0j,
        time=Continuous(),
        readout="twice_real",
    )
    result = balanced_truncation(system, order=6)
    check_hankel_bounds(system, result)
