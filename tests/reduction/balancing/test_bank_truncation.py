"""Banks of systems: one number of stored states for all channels."""

from dataclasses import replace

import numpy as np
import pytest

from hankelcut import ToleranceNotAttainableError
from hankelcut.lti import (
    Continuous,
    DiagonalStateSpace,
    Discrete,
    frequency_response,
    hankel_singular_values,
    is_stable,
    real_form,
)
from hankelcut.reduction import OrderTarget, balance, balanced_truncation
from hankelcut.reduction.balancing.bank_truncation import truncate_bank
from hankelcut.validation import random_diagonal_system
from tests.helpers import READOUTS, TIMES, error_of, fields_of, on, rebuilt

EPS = float(np.finfo(np.float64).eps)


def bank(rng, H=5, n=6, m=1, p=2, time=TIMES[0], readout="twice_real"):
    return random_diagonal_system(rng, n, m, p, time, readout, batch=(H,))


def cut(full, target, storage_eps=EPS, **options):
    return truncate_bank(
        balance(full), full, target, stored_as=full, storage_eps=storage_eps, **options
    )


def channel(xp, system, h):
    return rebuilt(system, [xp.to_numpy(array)[h] for array in fields_of(system)])


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("readout", READOUTS)
def test_every_channel_keeps_its_bound(xp, time, readout, rng):
    full = bank(rng, time=time, readout=readout)
    result = cut(on(xp, full), OrderTarget(order=3))
    assert result.order == result.system.n_states == 3
    assert (result.system.time, result.system.readout) == (time, readout)
    bounds = xp.to_numpy(result.error_bound)
    assert bounds.shape == (5,)
    for h in range(5):
        reduced = channel(xp, result.system, h)
        assert bool(is_stable(reduced))
        lower, _ = error_of(full[h], reduced)
        assert lower <= bounds[h] * (1 + 1e-9) + 1e-12


@pytest.mark.parametrize("readout", READOUTS)
def test_channels_equal_the_truncation_of_one_system(rng, readout):
    full = bank(rng, readout=readout)
    result = cut(full, OrderTarget(order=3))
    frequencies = np.linspace(0.0, 3.0, 11)
    for h in range(5):
        alone = balanced_truncation(full[h], order=3)
        np.testing.assert_allclose(
            frequency_response(result.system[h], frequencies),
            frequency_response(alone.system, frequencies),
            rtol=1e-9,
            atol=1e-9 * float(alone.hankel_singular_values[0]),
        )
        np.testing.assert_allclose(result.error_bound[h], alone.error_bound)


def test_projections_are_those_of_the_stored_states(rng):
    full = bank(rng)
    result = cut(full, OrderTarget(order=3))
    for h in range(5):
        dense, T = real_form(full[h]), result.right_projection[h]
        # [Re B; Im B] = Re(T b) holds on what is kept; c = C T by definition.
        C = dense.C @ T
        weights = 1 + (np.abs(result.system.exponents[h].imag) > 0)
        np.testing.assert_allclose(C / weights * weights, C)
        np.testing.assert_allclose(
            result.system.C[h] * 2 * full.readout_gain, C, rtol=1e-9, atol=1e-12
        )
        W = result.left_projection[h]
        np.testing.assert_allclose(
            W.conj().T @ dense.B, result.system.B[h], rtol=1e-9, atol=1e-12
        )


def test_an_energy_tolerance_is_of_all_channels_together(rng):
    full = bank(rng, H=7)
    loud = replace(full, C=full.C * np.array([1e3] + [1.0] * 6)[:, None, None])
    result = cut(loud, OrderTarget(energy_tol=0.05))
    values = hankel_singular_values(loud)
    dropped = values[:, 2 * result.order :].sum() / values.sum()
    fewer = values[:, 2 * (result.order - 1) :].sum() / values.sum()
    assert dropped <= 0.05 < fewer
    # The loud channel decides: one of the others alone would need more states.
    alone = max(
        balanced_truncation(loud[h], energy_tol=0.05).order for h in range(1, 7)
    )
    assert result.order < alone


def test_an_error_tolerance_holds_for_the_worst_channel(rng):
    full = bank(rng, n=8)
    for tolerance in (0.5, 0.05, 1e-3):
        result = cut(full, OrderTarget(error_tol=tolerance))
        if result is None:
            continue
        assert float(result.error_bound.max()) <= tolerance
        if result.order:
            fewer = cut(full, OrderTarget(order=result.order - 1))
            assert float(fewer.error_bound.max()) > tolerance


def test_real_poles_take_a_stored_state_each(rng):
    poles = np.concatenate([np.full((1, 6), 0.0), np.full((1, 6), 1.1)])
    poles = np.linspace(0.2, 0.9, 6) * np.exp(1j * poles)
    B = rng.standard_normal((2, 6, 1)) + 0j
    C = rng.standard_normal((2, 1, 6)) + 0j
    full = DiagonalStateSpace.from_poles(poles, B, C, readout="real")
    result = cut(full, OrderTarget(order=3))
    stored = result.system.exponents[0]
    assert np.all(np.abs(stored.imag) < 1e-12)
    values = hankel_singular_values(full)
    np.testing.assert_allclose(result.error_bound[0], 2 * values[0, 3:].sum())
    np.testing.assert_allclose(result.error_bound[1], 2 * values[1, 6:].sum())


def test_silent_and_small_channels_get_silent_states(rng):
    full = bank(rng, H=3, n=4)
    B = full.B.copy()
    B[0] = 0.0
    B[1, 1:] = 0.0
    result = cut(replace(full, B=B), OrderTarget(order=2))
    assert not result.system.B[0].any()
    assert not result.system.C[0].any()
    assert result.error_bound[0] == 0.0
    assert result.error_bound[1] < 1e-11 * result.hankel_singular_values[1, 0]
    assert np.abs(result.system.C[1, :, 1]).max() == 0.0
    assert np.all(np.isfinite(result.system.exponents))


def test_nothing_to_remove_is_none(rng):
    full = bank(rng)
    assert cut(full, OrderTarget(order=6)) is None
    assert cut(full, OrderTarget(energy_tol=1e-12)) is None


def test_orders_above_the_stored_states_are_refused(rng):
    with pytest.raises(ValueError, match=r"order=7, need at most the 6"):
        cut(bank(rng), OrderTarget(order=7))


def test_tolerances_below_rounding_name_the_best(rng):
    poles = np.full((2, 4), 0.5 + 0.2j)  # four equal poles: rank 1 of 4
    ones = np.ones((2, 4, 1))
    full = DiagonalStateSpace.from_poles(poles, ones, ones.mT, readout="real")
    with pytest.raises(ToleranceNotAttainableError, match=r"best .* raise error_tol"):
        cut(full, OrderTarget(error_tol=0.0))


def test_a_largest_order_caps_a_tolerance(rng):
    result = cut(bank(rng), OrderTarget(energy_tol=1e-9, max_order=2))
    assert result.order == 2
    assert "cut to max_order=2" in result.warnings[0]


def test_colliding_poles_take_the_ladder(rng):
    """A channel whose reduced poles collide is stored at another order, and says so."""
    lam, delta = 0.8 * np.exp(0.5j), 1e-9
    poles = np.array([[lam, lam + delta, 0.1, 0.2], [lam, 0.5j, 0.1, 0.2]])
    B = np.array([[[1.0], [-1.0], [1e-9], [1e-9]], [[1.0], [1.0], [1e-9], [1e-9]]])
    C = np.array([[[1.0, 1.0, 1.0, 1.0]], [[1.0, 1.0, 1.0, 1.0]]]) / delta**0.5
    full = DiagonalStateSpace.from_poles(poles, B, C, readout="real")
    result = cut(full, OrderTarget(order=2), storage_eps=1e-7)
    assert bool(np.all(is_stable(result.system)))
    for h in range(2):
        lower, _ = error_of(full[h], result.system[h])
        assert lower <= result.error_bound[h] * (1 + 1e-9)


@pytest.mark.parametrize("time", [Discrete(0.5), Continuous()])
def test_dense_real_systems_are_stored_as_modes(xp, time, rng):
    """Real states in any coordinates: the bank of modes is the same map."""
    stored_as = bank(rng, time=time)
    turn = np.linalg.qr(rng.standard_normal((5, 12, 12))).Q
    dense = real_form(stored_as)
    dense = replace(
        dense, A=turn.mT @ dense.A @ turn, B=turn.mT @ dense.B, C=dense.C @ turn
    )
    full = on(xp, dense)
    result = truncate_bank(
        balance(full),
        full,
        OrderTarget(order=4),
        stored_as=on(xp, stored_as),
        storage_eps=EPS,
    )
    direct = cut(stored_as, OrderTarget(order=4))
    frequencies = np.linspace(0.0, 3.0, 11)
    for h in range(5):
        np.testing.assert_allclose(
            frequency_response(channel(xp, result.system, h), frequencies),
            frequency_response(direct.system[h], frequencies),
            atol=1e-8 * float(direct.hankel_singular_values[h, 0]),
        )


def test_many_channels_equal_few(rng):
    """Parts that cores work on side by side are put back in order."""
    full = bank(rng, H=150, n=3, p=1)
    result = cut(full, OrderTarget(order=1))
    picked = [0, 63, 64, 149]
    few = replace(
        full,
        exponents=full.exponents[picked],
        B=full.B[picked],
        C=full.C[picked],
        D=full.D[picked],
    )
    expected = cut(few, OrderTarget(order=1))
    np.testing.assert_allclose(
        result.system.exponents[picked], expected.system.exponents, rtol=1e-9
    )
    np.testing.assert_allclose(result.error_bound[picked], expected.error_bound)
