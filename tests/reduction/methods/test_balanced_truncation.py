from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hankelcut import (
    InvalidSystemError,
    NumericalWarning,
    ToleranceNotAttainableError,
    UnstableSystemError,
)
from hankelcut.lti import (
    Continuous,
    DiagonalStateSpace,
    Discrete,
    StateSpace,
    error_system,
    frequency_response,
    hankel_singular_values,
    hinf_norm,
    impulse_response,
    is_stable,
    peak_gain,
)
from hankelcut.reduction import OrderTarget, balance, balanced_truncation, truncate
from hankelcut.validation import (
    check_hankel_bounds,
    random_diagonal_system,
    random_stable_system,
    stable_systems,
)
from tests.helpers import (
    BATCHES,
    DTYPES,
    TIMES,
    dico,
    fields_of,
    fortran,
    on,
    quietly,
    slycot_or_skip,
    strategies_may_draw,
    unchecked_types,
)

POINTS = np.linspace(-3.0, 3.0, 15)


# The promise


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_bound_holds(xp, time, dtype, rng):
    for batch in BATCHES:
        full = random_stable_system(rng, 6, 2, 3, time, dtype=dtype, batch=batch)
        system = on(xp, full)
        result = balanced_truncation(system, order=2)
        assert result.order == result.system.n_states == (2 if batch != (0,) else 0)
        assert result.system.time == time
        assert result.system.batch_shape == batch
        for ours, theirs in zip(
            fields_of(result.system), fields_of(system), strict=True
        ):
            assert ours.dtype == theirs.dtype
        values = xp.to_numpy(result.hankel_singular_values)
        bound = xp.to_numpy(result.error_bound)
        assert values.shape == (*batch, 6)
        assert bound.shape == batch
        np.testing.assert_array_equal(xp.to_numpy(result.system.D), full.D)
        for i in np.ndindex(*batch):
            matrices = [xp.to_numpy(x)[i] for x in fields_of(result.system)]
            reduced = StateSpace(*matrices, time)
            assert bool(is_stable(reduced))
            wide = StateSpace(*(x.astype(complex) for x in fields_of(reduced)), time)
            other = StateSpace(*(x.astype(complex) for x in fields_of(full[i])), time)
            error = float(peak_gain(error_system(other, wide))[0])
            slack = 2e3 * np.finfo(dtype).eps * values[i][0]
            assert values[i][2] * (1 - 1e-6) <= error + slack
            assert error <= bound[i] + slack
            assert bound[i] == pytest.approx(2 * values[i][2:].sum(), rel=1e-3)


@pytest.mark.parametrize("order", range(7))
@pytest.mark.parametrize("time", TIMES)
def test_every_order_keeps_its_promise(time, order, rng):
    system = random_stable_system(rng, 6, 2, 3, time)
    result = balanced_truncation(system, order=order)
    assert result.order == result.system.n_states == order
    assert result.hankel_singular_values.shape == (6,)
    assert result.left_projection.shape == result.right_projection.shape == (6, order)
    check_hankel_bounds(system, result)
    assert result.warnings == ()


@strategies_may_draw
@given(stable_systems(max_states=5), st.integers(0, 5))
def test_reduction_keeps_its_promise(system, order):
    result = quietly(system, order=min(order, system.n_states))
    check_hankel_bounds(system, result)


@strategies_may_draw
@given(stable_systems(max_states=5), st.sampled_from([0.3, 0.03]))
def test_energy_tolerance_keeps_its_promise(system, share):
    result = balanced_truncation(system, energy_tol=share)
    check_hankel_bounds(system, result)
    total = float(result.hankel_singular_values.sum())
    slack = 1e-12 * total
    assert float(result.error_bound) <= 2 * share * total + slack


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_projections_make_the_reduced_matrices(time, dtype, rng):
    system = random_stable_system(rng, 6, 2, 3, time, dtype=dtype)
    result = balanced_truncation(system, order=3)
    T, Wh = result.right_projection, result.left_projection.conj().T
    np.testing.assert_allclose(Wh @ T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(result.system.A, Wh @ system.A @ T, rtol=1e-13)
    np.testing.assert_allclose(result.system.B, Wh @ system.B, rtol=1e-13)
    np.testing.assert_allclose(result.system.C, system.C @ T, rtol=1e-13)


@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_full_order_reproduces_the_impulse_response(dtype, rng):
    system = random_stable_system(rng, 6, 2, 3, Discrete(), dtype=dtype)
    result = balanced_truncation(system, order=6)
    ours = impulse_response(result.system, n_samples=40)
    theirs = impulse_response(system, n_samples=40)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-10 * abs(theirs).max())
    assert float(result.error_bound) == 0.0


def test_values_of_the_reduced_model(rng):
    for time in TIMES:
        system = random_stable_system(rng, 6, 2, 3, time)
        result = balanced_truncation(system, order=3)
        kept = result.hankel_singular_values[:3]
        values = hankel_singular_values(result.system)
        if time == Continuous():
            # Balanced with the kept values; a discrete model's are only smaller.
            np.testing.assert_allclose(values, kept, rtol=1e-8)
        else:
            assert (values <= kept + 1e-12 * kept[0]).all()


@pytest.mark.parametrize("time", TIMES)
def test_no_model_of_that_order_beats_the_next_value(time, rng):
    system = random_stable_system(rng, 5, 2, 3, time)
    values = hankel_singular_values(system)
    for order in (0, 1, 3):
        for _ in range(10):
            other = random_stable_system(rng, order, 2, 3, time)
            error = hankel_singular_values(error_system(system, other))
            assert values[order] <= error[0] * (1 + 1e-10)


# Oracles


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("order", [2, 5])
def test_model_is_that_of_slycot(time, order, rng):
    slycot = slycot_or_skip()
    system = random_stable_system(rng, 9, 2, 3, time)
    arrays = fortran(system.A, system.B, system.C)
    _, A, B, C, values = slycot.ab09ad(
        dico(system), "B", "N", 9, 2, 3, *arrays, nr=order
    )
    theirs = StateSpace(A, B, C, system.D, time)
    ours = balanced_truncation(system, order=order)
    np.testing.assert_allclose(
        frequency_response(ours.system, POINTS),
        frequency_response(theirs, POINTS),
        rtol=0,
        atol=1e-9,
    )
    np.testing.assert_allclose(
        ours.hankel_singular_values, values, rtol=0, atol=1e-12 * values[0]
    )


def test_bound_is_attained_by_symmetric_systems(rng):
    # A = A^T < 0, C = B^T: the error is the bound, at frequency 0.
    for _ in range(5):
        poles, b = -rng.uniform(0.1, 5, 6), rng.standard_normal((6, 1))
        U, _ = np.linalg.qr(rng.standard_normal((6, 6)))
        system = StateSpace(U @ np.diag(poles) @ U.T, U @ b, (U @ b).T)
        result = balanced_truncation(system, order=2)
        error = error_system(system, result.system)
        at_zero = abs(frequency_response(error, [0.0])[0, 0, 0])
        assert at_zero == pytest.approx(float(result.error_bound), rel=1e-6)
        whole = abs(frequency_response(system, [0.0])[0, 0, 0])
        assert whole == pytest.approx(
            2 * float(result.hankel_singular_values.sum()), rel=1e-10
        )


# Targets


@pytest.mark.parametrize("time", TIMES)
def test_error_tolerance_is_met_by_the_smallest_order(time, rng):
    system = random_stable_system(rng, 6, 2, 3, time)
    values = hankel_singular_values(system)
    for order in range(6):
        bound = 2 * values[order:].sum()
        result = balanced_truncation(system, error_tol=bound * (1 + 1e-9))
        assert result.order == order
        assert float(result.error_bound) <= bound * (1 + 1e-9)
        tighter = balanced_truncation(system, error_tol=bound * (1 - 1e-9))
        assert tighter.order == order + 1


@pytest.mark.parametrize("time", TIMES)
def test_energy_tolerance_is_a_share_of_the_sum(time, rng):
    system = random_stable_system(rng, 6, 2, 3, time)
    values = hankel_singular_values(system)
    for order in range(1, 6):
        share = values[order:].sum() / values.sum()
        result = balanced_truncation(system, energy_tol=share * (1 + 1e-9))
        assert result.order == order


def test_unattainable_tolerance_is_refused(rng):
    system = random_stable_system(rng, 4, 2, 3)
    # Two more states that nothing reaches.
    A = np.block([[system.A, np.ones((4, 2))], [np.zeros((2, 4)), -np.eye(2)]])
    B = np.concatenate([system.B, np.zeros((2, 2))])
    padded = StateSpace(A, B, np.concatenate([system.C, np.ones((3, 2))], axis=1))
    with pytest.raises(
        ToleranceNotAttainableError,
        match=r"numerical rank 4 of 6 .*best \d.*at order 4",
    ):
        balanced_truncation(padded, error_tol=1e-20)
    result = quietly(padded, order=5)
    assert result.order == 4
    assert "above the numerical rank 4" in result.warnings[0]
    check_hankel_bounds(padded, result)


def test_fixed_order_warns_of_the_rank():
    system = StateSpace(-np.eye(3), np.eye(3, 1), np.ones((2, 3)))
    with pytest.warns(NumericalWarning, match="above the numerical rank 1"):
        result = balanced_truncation(system, order=2)
    assert result.order == 1


@pytest.mark.parametrize("arguments", [{}, {"order": 2, "error_tol": 0.1}])
def test_exactly_one_target(arguments, rng):
    system = random_stable_system(rng, 4, 2, 3)
    with pytest.raises(ValueError, match="exactly one of order, error_tol and energy"):
        balanced_truncation(system, **arguments)


def test_order_above_the_states_is_refused(rng):
    system = random_stable_system(rng, 4, 2, 3)
    with pytest.raises(ValueError, match="got order=5, need at most the 4"):
        balanced_truncation(system, order=5)


# Ties


def blaschke(n, gain=1.0):
    """All-pass of n equal real poles in cascade, as a dense balanced system."""
    # (1 - a z) / (z - a) in series; every Hankel singular value is the gain.
    a = 0.5
    A, B, C, D = np.array([[a]]), np.array([[1.0]]), np.array([[1 - a * a]]), -a
    full = (A, B, C, np.array([[D]]))
    for _ in range(n - 1):
        A1, B1, C1, D1 = full
        full = (
            np.block([[A1, np.zeros((len(A1), 1))], [B @ C1, A]]),
            np.concatenate([B1, B @ D1]),
            np.concatenate([D * C1, C], axis=1),
            D * D1,
        )
    A, B, C, D1 = full
    return StateSpace(A, B, gain * C, gain * D1, Discrete())


def test_tied_values_of_an_all_pass():
    system = blaschke(4, gain=3.0)
    np.testing.assert_allclose(hankel_singular_values(system), np.full(4, 3.0))
    with pytest.warns(NumericalWarning, match="cuts inside a tie"):
        result = balanced_truncation(system, order=2)
    assert bool(is_stable(result.system))
    assert float(result.error_bound) == pytest.approx(12.0)
    check_hankel_bounds(system, result)


def test_tolerance_does_not_cut_a_tie():
    system = blaschke(4, gain=3.0)
    result = balanced_truncation(system, error_tol=12.5)
    assert result.order == 4
    assert "moved up to 4" in result.warnings[0]


def test_two_copies_are_cut_together(rng):
    item = random_stable_system(rng, 2, 1, 2)
    zero = np.zeros((2, 2))
    twice = StateSpace(
        np.block([[item.A, zero], [zero, item.A]]),
        np.block([[item.B, 0 * item.B], [0 * item.B, item.B]]),
        np.block([[item.C, zero], [zero, item.C]]),
    )
    values = hankel_singular_values(item)
    result = balanced_truncation(twice, error_tol=3 * values[1] + values[0])
    assert result.order == 2
    tied = balanced_truncation(twice, error_tol=5 * values[1] + values[0])
    assert tied.order == 2


def test_marginally_stable_cut_of_a_continuous_tie_is_refused_or_stable():
    # Cutting 1 - s over 1 + s, squared, inside its tie may leave a pole on the axis.
    A = np.array([[0.0, 1.0], [-1.0, -np.sqrt(2.0)]])
    system = StateSpace(A, np.array([[0.0], [1.0]]), np.array([[0.0, -2 * np.sqrt(2)]]))
    np.testing.assert_allclose(*hankel_singular_values(system), rtol=1e-12)
    try:
        result = quietly(system, order=1)
    except UnstableSystemError as error:
        assert "cuts inside a tie" in str(error)  # noqa: PT017 - either is right
    else:
        assert bool(is_stable(result.system))


# Batches


@pytest.mark.parametrize("time", TIMES)
def test_batch_equals_loop(time, rng):
    system = random_stable_system(rng, 5, 2, 3, time, batch=(2, 3))
    result = balanced_truncation(system, order=2)
    for i in np.ndindex(2, 3):
        one = balanced_truncation(system[i], order=2)
        np.testing.assert_allclose(
            frequency_response(result.system[i], POINTS),
            frequency_response(one.system, POINTS),
            rtol=1e-10,
        )
        assert float(result.error_bound[i]) == pytest.approx(float(one.error_bound))


def unequal_pair(rng, time):
    """Two systems: all four states heard; only one of four."""
    system = random_stable_system(rng, 4, 2, 3, time)
    A = np.zeros((4, 4)) - 0.5 * np.eye(4)
    B, C = np.zeros((4, 2)), np.zeros((3, 4))
    B[0], C[:, 0] = 1.0, 1.0
    pair = [
        np.stack(arrays)
        for arrays in zip(fields_of(system), (A, B, C, system.D), strict=True)
    ]
    return StateSpace(*pair, time)


@pytest.mark.parametrize("time", TIMES)
def test_common_order_is_the_largest_needed(time, rng):
    pair = unequal_pair(rng, time)
    values = hankel_singular_values(pair)
    tolerance = 2 * values[0, 3] * (1 + 1e-9)
    result = balanced_truncation(pair, error_tol=tolerance)
    # The item of rank 1 must not drag the other one below its tolerance.
    assert result.order == 3
    assert (result.error_bound <= tolerance).all()
    assert is_stable(result.system).all()
    check_hankel_bounds(pair, result)
    full = quietly(pair, order=4)
    assert full.order == 4
    np.testing.assert_allclose(
        frequency_response(full.system, POINTS),
        frequency_response(pair, POINTS),
        atol=1e-10,
    )


def test_common_order_that_cuts_a_tie_says_so(rng):
    tied = blaschke(3)
    other = StateSpace(
        np.diag([0.9, 0.5, 0.1]),
        np.ones((3, 1)),
        np.array([[1.0, 0.5, 1.0]]),
        np.zeros((1, 1)),
        Discrete(),
    )
    pair = StateSpace(
        *(np.stack(a) for a in zip(fields_of(tied), fields_of(other), strict=True)),
        Discrete(),
    )
    result = quietly(pair, order=2)
    assert any("batch item (0,)" in note and "tie" in note for note in result.warnings)
    assert not any("batch item (1,)" in note for note in result.warnings)


def test_item_in_an_error_is_named(rng):
    pair = unequal_pair(rng, Discrete())
    A = pair.A.copy()
    A[1, 2, 2] = 1.5
    with pytest.raises(UnstableSystemError, match=r"state \d of batch item 1"):
        balanced_truncation(replace(pair, A=A), order=1)


@pytest.mark.parametrize("method", ["structured", "closed_form"])
def test_unstable_item_of_diagonal_systems_is_named(method, rng):
    system = random_diagonal_system(rng, 4, 2, 3, Discrete(), "real", batch=(3,))
    exponents = system.exponents.copy()
    exponents[1, 2] = 0.1
    broken = replace(system, exponents=exponents)
    with pytest.raises(UnstableSystemError, match="state 2 of batch item 1"):
        balanced_truncation(broken, order=2, gramians=method)


def test_item_whose_tolerance_is_unattainable_is_named(rng):
    pair = unequal_pair(rng, Discrete())
    with pytest.raises(
        ToleranceNotAttainableError, match=r"batch item \(1,\): no order"
    ):
        balanced_truncation(pair, error_tol=1e-20)
    exponents = np.array([[-0.1, -0.2 + 1j], [-0.3, -0.3]])
    layers = DiagonalStateSpace(
        exponents, rng.standard_normal((2, 2, 1)), rng.standard_normal((2, 3, 2))
    )
    with pytest.raises(
        ToleranceNotAttainableError, match=r"batch item \(1,\): no order"
    ):
        balanced_truncation(layers, error_tol=1e-20)


# Nasty systems


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize(("m", "p"), [(2, 3), (0, 3), (2, 0), (0, 0)])
@pytest.mark.parametrize("n", [0, 1, 4])
def test_degenerate_shapes(xp, time, n, m, p):
    full = random_stable_system(np.random.default_rng(3), n, m, p, time)
    system = on(xp, full)
    silent = m == 0 or p == 0
    result = balanced_truncation(system, error_tol=0.0)
    assert result.order == (0 if silent else n)
    assert result.system.D.shape == (p, m)
    assert xp.to_numpy(result.hankel_singular_values).shape == (n,)
    assert float(result.error_bound) == 0.0


@pytest.mark.parametrize("which", ["B", "C"])
def test_silent_system_becomes_its_feedthrough(which, rng):
    system = random_stable_system(rng, 4, 2, 3)
    silent = replace(system, **{which: 0 * getattr(system, which)})
    for target in ({"error_tol": 0.0}, {"energy_tol": 0.5}, {"energy_tol": 0.0}):
        result = balanced_truncation(silent, **target)
        assert result.order == 0
        assert float(result.error_bound) == 0.0
        np.testing.assert_array_equal(result.system.D, system.D)


def test_tiny_gains(rng):
    system = random_stable_system(rng, 5, 2, 3)
    tiny = replace(system, B=1e-150 * system.B, C=1e-150 * system.C, D=None)
    result = balanced_truncation(tiny, order=2)
    reference = balanced_truncation(replace(system, D=None), order=2)
    assert result.order == 2
    assert float(result.error_bound) / 1e-300 == pytest.approx(
        float(reference.error_bound), rel=1e-9
    )
    response = frequency_response(result.system, POINTS)
    np.testing.assert_allclose(
        response / 1e-300, frequency_response(reference.system, POINTS), rtol=1e-9
    )


def test_growing_powers():
    A = 0.9 * np.eye(20) + 50 * np.diag(np.ones(19), 1)
    rng = np.random.default_rng(1)
    system = StateSpace(
        A, rng.standard_normal((20, 2)), rng.standard_normal((3, 20)), time=Discrete()
    )
    result = balanced_truncation(system, order=3)
    assert bool(is_stable(result.system))
    check_hankel_bounds(system, result)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_non_finite_entries_are_refused(value, rng):
    system = random_stable_system(rng, 4, 2, 3)
    A = system.A.copy()
    A[1, 2] = value
    with pytest.raises(InvalidSystemError, match="balanced_truncation: A of shape"):
        balanced_truncation(replace(system, A=A), order=2)


def test_unstable_system_is_refused(rng):
    system = random_stable_system(rng, 4, 2, 3)
    with pytest.raises(UnstableSystemError, match="balanced_truncation: pole"):
        balanced_truncation(replace(system, A=-system.A), order=2)


def test_inputs_are_not_modified(rng):
    system = random_stable_system(rng, 4, 2, 3, Discrete(), dtype=np.complex128)
    before = [array.copy() for array in fields_of(system)]
    balanced_truncation(system, order=2)
    for array, copy in zip(fields_of(system), before, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_tensors_that_require_gradients(rng):
    torch = pytest.importorskip("torch")
    system = random_stable_system(rng, 4, 2, 3, Discrete())
    tensors = [torch.tensor(x, requires_grad=True) for x in fields_of(system)]
    result = balanced_truncation(StateSpace(*tensors, Discrete()), order=2)
    expected = balanced_truncation(system, order=2)
    np.testing.assert_allclose(
        result.system.A.detach().numpy(), expected.system.A, rtol=1e-9
    )


def test_truncating_twice_from_one_balancing(rng):
    system = random_stable_system(rng, 5, 2, 3)
    balancing = balance(system)
    for order in (1, 3):
        ours = truncate(balancing, system, OrderTarget(order=order))
        theirs = balanced_truncation(system, order=order)
        np.testing.assert_array_equal(ours.system.A, theirs.system.A)


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_balancing_free_models_have_the_same_response(time, dtype, rng):
    system = random_stable_system(rng, 8, 2, 3, time, dtype=dtype)
    points = np.linspace(-3.0, 3.0, 9)
    square_root = balanced_truncation(system, order=3)
    free = balanced_truncation(system, order=3, projection="balancing_free")
    np.testing.assert_allclose(
        frequency_response(free.system, points),
        frequency_response(square_root.system, points),
        rtol=1e-9,
    )
    T, W = free.right_projection, free.left_projection
    np.testing.assert_allclose(T.conj().T @ T, np.eye(3), atol=1e-14)
    np.testing.assert_allclose(W.conj().T @ T, np.eye(3), atol=1e-12)
    assert float(free.error_bound) == pytest.approx(float(square_root.error_bound))
    assert free.method == "balancing-free balanced truncation"
    assert max(float(r) for r in free.certify().gramian_residuals) < 1e-13
    message = r"got projection='free', need one of square"
    with unchecked_types(), pytest.raises(ValueError, match=message):
        balanced_truncation(system, order=3, projection="free")


@pytest.mark.parametrize("kind", [random_stable_system, random_diagonal_system])
def test_relative_tolerances_are_multiples_of_the_norm(kind, xp, rng):
    system = kind(rng, 6, 2, 3, Discrete(), batch=(2,))
    norms = hinf_norm(system).lower
    result = balanced_truncation(on(xp, system), error_tol=0.3, relative=True)
    bounds = xp.to_numpy(result.error_bound)
    assert np.all(bounds <= 0.3 * norms)
    orders = [
        balanced_truncation(system[k], error_tol=0.3 * float(norms[k])).order
        for k in range(2)
    ]
    assert result.order == max(orders)


@pytest.mark.parametrize("kind", [random_stable_system, random_diagonal_system])
def test_a_largest_order_caps_what_a_tolerance_asks_for(kind, rng):
    system = kind(rng, 6, 2, 3, Discrete())
    with pytest.warns(NumericalWarning, match="cut to max_order=2"):
        result = balanced_truncation(system, error_tol=1e-13, max_order=2)
    assert result.order == 2
    assert float(result.error_bound) > 1e-13
    plain = balanced_truncation(system, order=2)
    np.testing.assert_allclose(result.system.B, plain.system.B)
    easy = balanced_truncation(system, energy_tol=0.5, max_order=5)
    assert easy.order == balanced_truncation(system, energy_tol=0.5).order
