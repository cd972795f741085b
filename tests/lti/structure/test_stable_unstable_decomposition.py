import numpy as np
import pytest

from hankelcut import IllConditionedError, InvalidSystemError, NumericalWarning
from hankelcut.lti import (
    Continuous,
    DiagonalStateSpace,
    Discrete,
    SignalNames,
    StateSpace,
    frequency_response,
    hankel_singular_values,
    impulse_response,
    is_stable,
    parallel,
    stability_margin,
    stable_unstable_decomposition,
)
from hankelcut.validation import random_diagonal_system, random_stable_system
from tests.helpers import (
    BATCHES,
    DTYPES,
    READOUTS,
    TIMES,
    dico,
    fields_of,
    fortran,
    on,
    slycot_or_skip,
    to_precision,
)

POINTS = np.linspace(-3.0, 3.0, 11)


def system_with_poles(rng, poles, time, *, dtype=np.float64, batch=()):
    """A dense system with given poles (upper triangular, then mixed)."""
    n = len(poles)
    U = np.linalg.qr(rng.standard_normal((*batch, n, n)))[0]
    B, C = rng.standard_normal((*batch, n, 2)), rng.standard_normal((*batch, 3, n))
    upper = np.diag(poles) + np.triu(rng.standard_normal((*batch, n, n)), 1)
    if np.dtype(dtype).kind == "c":
        upper = upper + 0.5j * np.eye(n)
    A = U @ upper @ np.swapaxes(U, -1, -2)
    arrays = (matrix.astype(dtype) for matrix in (A, B, C))
    return StateSpace(*arrays, None, time)


def poles_for(time):
    """Two stable, three other poles; with half an i they stay where they are."""
    return (
        [-1.0, -0.5, 0.4, 1.0, 2.0]
        if time == Continuous()
        else ([0.2, -0.3, 1.5, -1.2, 3.0])
    )


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_parts_add_up_to_the_system(xp, time, dtype, rng):
    eps = float(np.finfo(dtype).eps)
    for batch in BATCHES:
        full = system_with_poles(rng, poles_for(time), time, dtype=dtype, batch=batch)
        parts = stable_unstable_decomposition(on(xp, full))
        if 0 in batch:
            assert parts.stable.batch_shape == batch
            continue
        assert (parts.stable.n_states, parts.unstable.n_states) == (2, 3)
        for array in fields_of(parts.stable) + fields_of(parts.unstable):
            assert array.dtype == getattr(xp, np.dtype(dtype).name)
            assert tuple(array.shape[:-2]) == batch
        ours = sum(
            xp.to_numpy(frequency_response(part, xp.asarray(POINTS)))
            for part in (parts.stable, parts.unstable)
        )
        theirs = frequency_response(full, POINTS)
        coupling = xp.to_numpy(parts.coupling).max()
        atol = 100 * eps * coupling * abs(theirs).max()
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=atol)


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_transformation_makes_the_system_block_diagonal(time, dtype, rng):
    system = system_with_poles(rng, poles_for(time), time, dtype=dtype)
    parts = stable_unstable_decomposition(system)
    T, back = parts.T, parts.T_inverse
    atol = 1e-14 * (1 + parts.coupling) ** 2
    np.testing.assert_allclose(back @ T, np.eye(5), atol=atol)
    blocks = np.zeros((5, 5), dtype=dtype)
    blocks[:2, :2], blocks[2:, 2:] = parts.stable.A, parts.unstable.A
    np.testing.assert_allclose(back @ system.A @ T, blocks, atol=10 * atol)
    assert bool(is_stable(parts.stable))
    poles = np.linalg.eigvals(parts.unstable.A)
    assert ((poles.real if time == Continuous() else abs(poles) - 1) > 0).all()
    np.testing.assert_array_equal(parts.stable.D, system.D)
    assert not parts.unstable.D.any()


@pytest.mark.parametrize("time", TIMES)
def test_coupling_is_that_of_the_sylvester_equation(time):
    stable, other = (-1.0, 3.0) if time == Continuous() else (0.5, 4.5)
    system = StateSpace(
        [[stable, 1.0], [0.0, other]], np.ones((2, 1)), np.ones((1, 2)), None, time
    )
    parts = stable_unstable_decomposition(system)
    np.testing.assert_allclose(parts.coupling, 0.25, rtol=1e-14)
    np.testing.assert_allclose(abs(parts.T), [[1.0, 0.25], [0.0, 1.0]], rtol=1e-14)


def test_bad_units_of_states_do_not_matter(rng):
    full = system_with_poles(rng, [-1.0, -0.5, 0.4, 1.0, 2.0], Continuous())
    t = 2.0 ** np.array([-40, 13, 0, 27, -8])
    scaled = StateSpace(t[:, None] * full.A / t, t[:, None] * full.B, full.C / t)
    parts = stable_unstable_decomposition(scaled)
    assert parts.stable.n_states == 2
    ours = frequency_response(parts.stable, POINTS)
    theirs = frequency_response(stable_unstable_decomposition(full).stable, POINTS)
    np.testing.assert_allclose(ours, theirs, atol=1e-10 * abs(theirs).max())


@pytest.mark.parametrize("time", TIMES)
def test_conjugate_pairs_stay_together(time, rng):
    for seed in range(20):
        system = random_stable_system(np.random.default_rng(seed), 9, 2, 3, time)
        shift = 0.8 if time == Continuous() else 0.0
        grown = system.A + shift * np.eye(9) if shift else 2.0 * system.A
        moved = StateSpace(grown, system.B, system.C, system.D, time)
        parts = stable_unstable_decomposition(moved)
        poles = np.linalg.eigvals(parts.stable.A)
        np.testing.assert_allclose(
            np.sort_complex(poles), np.sort_complex(poles.conj()), atol=1e-10
        )
        both = np.concatenate([poles, np.linalg.eigvals(parts.unstable.A)])
        np.testing.assert_allclose(
            np.sort(abs(both)), np.sort(abs(np.linalg.eigvals(grown))), rtol=1e-8
        )


@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("single", [True, False])
def test_diagonal_systems_are_only_sorted(xp, readout, time, single, rng):
    for batch in BATCHES:
        full = random_diagonal_system(rng, 5, 2, 3, time, readout, batch=batch)
        exponents = full.exponents.copy()
        exponents[..., [0, 3]] = [0.25 + 1j, 0.0 + 2j]
        full = to_precision(
            DiagonalStateSpace(exponents, full.B, full.C, full.D, time, readout), single
        )
        parts = stable_unstable_decomposition(on(xp, full))
        assert isinstance(parts.stable, DiagonalStateSpace)
        assert isinstance(parts.unstable, DiagonalStateSpace)
        if 0 in batch:
            continue
        for part, kept in ((parts.stable, [1, 2, 4]), (parts.unstable, [0, 3])):
            assert (part.readout, part.time) == (readout, time)
            ours = [xp.to_numpy(array) for array in fields_of(part)[:3]]
            np.testing.assert_array_equal(ours[0], full.exponents[..., kept])
            np.testing.assert_array_equal(ours[1], full.B[..., kept, :])
            np.testing.assert_array_equal(ours[2], full.C[..., kept])
        np.testing.assert_array_equal(xp.to_numpy(parts.stable.D), full.D)
        np.testing.assert_array_equal(xp.to_numpy(parts.unstable.D), 0)
        T, back = xp.to_numpy(parts.T), xp.to_numpy(parts.T_inverse)
        np.testing.assert_array_equal(back @ T, np.broadcast_to(np.eye(5), T.shape))
        sorted_rows = np.concatenate(
            [xp.to_numpy(parts.stable.B), xp.to_numpy(parts.unstable.B)], axis=-2
        )
        np.testing.assert_array_equal(back @ full.B, sorted_rows)


def test_impulse_responses_add_up(rng):
    system = system_with_poles(rng, [0.5, 1.25, -0.9, -1.1, 1.0], Discrete())
    parts = stable_unstable_decomposition(system)
    whole = parallel(parts.stable, parts.unstable)
    ours, theirs = (impulse_response(s, n_samples=20) for s in (whole, system))
    np.testing.assert_allclose(ours, theirs, atol=1e-10 * abs(theirs).max())


@pytest.mark.parametrize("time", TIMES)
def test_slycot_counts_the_same_stable_poles(time, rng):
    slycot = slycot_or_skip()
    system = system_with_poles(rng, poles_for(time), time)
    alpha = 0.0 if time == Continuous() else 1.0
    *_, n_stable, values = slycot.ab09md(
        dico(system), "B", "N", 5, 2, 3, *fortran(*fields_of(system)[:3]), alpha
    )
    parts = stable_unstable_decomposition(system)
    assert parts.stable.n_states == n_stable
    ours = hankel_singular_values(parts.stable)
    np.testing.assert_allclose(ours, values[:n_stable], rtol=1e-9)


def test_system_of_one_kind_keeps_its_coordinates(rng):
    stable = random_stable_system(rng, 4, 2, 3)
    parts = stable_unstable_decomposition(stable)
    for ours, theirs in zip(fields_of(parts.stable), fields_of(stable), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert parts.unstable.n_states == 0
    np.testing.assert_array_equal(parts.T, np.eye(4))
    unstable = StateSpace(-stable.A, stable.B, stable.C, stable.D)
    parts = stable_unstable_decomposition(unstable)
    assert (parts.stable.n_states, parts.unstable.n_states) == (0, 4)
    np.testing.assert_array_equal(parts.stable.D, stable.D)


@pytest.mark.parametrize("pole", [-1e-6, -1e-3])
def test_slow_stable_poles_are_stable(pole):
    system = StateSpace(np.diag([pole, -2.0, 1.0]), np.ones((3, 1)), np.ones((1, 3)))
    assert stable_unstable_decomposition(system).stable.n_states == 2


@pytest.mark.parametrize("time", TIMES)
def test_double_poles_at_the_boundary_are_not_split(time, rng):
    # Rounding makes eigenvalues about sqrt(eps) to both sides of the boundary of them.
    at = 0.0 if time == Continuous() else 1.0
    block = np.array([[at, 1.0], [0.0, at]])
    U = np.linalg.qr(rng.standard_normal((4, 4)))[0]
    A = np.zeros((4, 4))
    A[:2, :2], A[2:, 2:] = block, np.diag([-0.5, -0.25])
    system = StateSpace(U @ A @ U.T, np.ones((4, 1)), np.ones((1, 4)), None, time)
    parts = stable_unstable_decomposition(system)
    assert (parts.stable.n_states, parts.unstable.n_states) == (2, 2)
    assert float(parts.coupling) < 10


def test_margin_moves_poles_to_the_unstable_part():
    system = StateSpace(np.diag([-0.1, -2.0, 1.0]), np.ones((3, 1)), np.ones((1, 3)))
    parts = stable_unstable_decomposition(system, margin=0.5)
    assert parts.stable.n_states == 1
    assert float(parts.margin) == 0.5
    assert float(stability_margin(parts.stable)) > 0.5
    layer = DiagonalStateSpace([-0.1, -2.0], np.ones((2, 1)), np.ones((1, 2)))
    assert stable_unstable_decomposition(layer, margin=0.1).stable.n_states == 1


def test_poles_of_diagonal_systems_are_taken_at_their_word():
    layer = DiagonalStateSpace([-1e-300, 0.0, -1.0], np.ones((3, 1)), np.ones((1, 3)))
    parts = stable_unstable_decomposition(layer)
    np.testing.assert_array_equal(parts.stable.exponents, [-1e-300, -1.0])
    assert not np.asarray(parts.coupling).any()


def test_strong_coupling_is_a_warning():
    A = np.array([[-1e-7, 1.0], [0.0, 1e-7]])
    system = StateSpace(A, np.ones((2, 1)), np.ones((1, 2)))
    with pytest.warns(NumericalWarning, match=r"coupled by 5e\+06, .* move the margin"):
        parts = stable_unstable_decomposition(system, margin=0.0)
    np.testing.assert_allclose(parts.coupling, 5e6)


def test_poles_that_cannot_be_told_apart_are_refused():
    A = np.array([[-1e-300, 1.0], [0.0, 1e-300]])
    system = StateSpace(A, np.ones((2, 1)), np.ones((1, 2)))
    with pytest.raises(IllConditionedError, match="cannot be separated"):
        stable_unstable_decomposition(system, margin=0.0)


def test_items_with_different_counts_are_refused():
    A = np.stack([np.diag([-1.0, -2.0]), np.diag([-1.0, 2.0])])
    system = StateSpace(A, np.ones((2, 1)), np.ones((1, 2)))
    layer = DiagonalStateSpace([[-1.0, -2.0], [-1.0, 2.0]], system.B, system.C)
    for made in (system, layer):
        with pytest.raises(InvalidSystemError, match=r"have \[2, 1\] stable poles"):
            stable_unstable_decomposition(made)


def test_names_of_signals_are_kept():
    names = SignalNames(("u",), ("y",), ("a", "b"), "plant")
    system = StateSpace(
        np.diag([-1.0, 1.0]), np.ones((2, 1)), np.ones((1, 2)), names=names
    )
    parts = stable_unstable_decomposition(system)
    for part in (parts.stable, parts.unstable):
        assert part.names == names.without_states()


def test_inputs_are_not_modified(rng):
    system = system_with_poles(rng, [-1.0, 1.0, 2.0], Continuous())
    copies = [array.copy() for array in fields_of(system)]
    stable_unstable_decomposition(system)
    for array, copy in zip(fields_of(system), copies, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_degenerate_shapes(rng):
    for n, m, p in ((0, 2, 3), (3, 0, 2), (3, 2, 0)):
        A = np.diag([-1.0, 1.0, 2.0])[:n, :n]
        system = StateSpace(A, np.ones((n, m)), np.ones((p, n)))
        parts = stable_unstable_decomposition(system)
        assert parts.stable.n_states + parts.unstable.n_states == n
        assert parts.unstable.D.shape == (p, m)


@pytest.mark.parametrize("margin", [-1.0, np.inf, np.nan])
def test_wrong_margin_is_refused(margin, rng):
    system = random_stable_system(rng, 2, 1, 1)
    with pytest.raises(InvalidSystemError, match="need a finite one >= 0"):
        stable_unstable_decomposition(system, margin=float(margin))


def test_nan_is_refused():
    with pytest.raises(InvalidSystemError, match="A of shape"):
        stable_unstable_decomposition(StateSpace([[np.nan]], [[1.0]], [[1.0]]))
    with pytest.raises(InvalidSystemError, match="exponents of shape"):
        stable_unstable_decomposition(DiagonalStateSpace([np.nan], [[1.0]], [[1.0]]))
