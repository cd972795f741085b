from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hankelcut import (
    IllConditionedError,
    ToleranceNotAttainableError,
)
from hankelcut.lti import (
    Continuous,
    DiagonalStateSpace,
    Discrete,
    frequency_response,
    hankel_singular_values,
    is_stable,
)
from hankelcut.reduction import balanced_truncation
from hankelcut.validation import (
    check_hankel_bounds,
    diagonal_systems,
    random_diagonal_system,
    random_lru_system,
)
from tests.helpers import (
    READOUTS,
    TIMES,
    error_of,
    fields_of,
    on,
    quietly,
    rebuilt,
    strategies_may_draw,
    to_precision,
)

POINTS = np.linspace(-3.0, 3.0, 15)


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
    for seed in range(6):
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
    assert better == 6


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
