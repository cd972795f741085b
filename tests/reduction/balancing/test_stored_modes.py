import numpy as np
import pytest

from hankelcut import (
    IllConditionedError,
    ToleranceNotAttainableError,
)
from hankelcut.lti import (
    DiagonalStateSpace,
    Discrete,
    frequency_response,
    hankel_singular_values,
    impulse_response,
    is_stable,
    real_form,
    simulate,
)
from hankelcut.reduction import OrderTarget, balance, balanced_truncation
from hankelcut.reduction.balancing.diagonal_truncation import truncate_to_modes
from hankelcut.validation import (
    check_hankel_bounds,
    random_diagonal_system,
    random_lru_system,
)
from tests.helpers import (
    EPS32,
    READOUTS,
    TIMES,
    error_of,
    fields_of,
    quietly,
    to_precision,
)

POINTS = np.linspace(-3.0, 3.0, 15)
EPS = float(np.finfo(float).eps)


def is_real(system):
    """Which stored poles are real (the exponent of a negative one has phase pi)."""
    return abs(system.poles.imag) <= 1e-14 * abs(system.poles)


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
