import numpy as np
import pytest

from hankelcut import InvalidSystemError, UnstableSystemError
from hankelcut.lti import (
    Continuous,
    DiagonalStateSpace,
    Discrete,
    SignalNames,
    StateSpace,
    balanced_realization,
    controllability_gramian,
    frequency_response,
    hankel_singular_values,
    observability_gramian,
    to_dense,
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


def diagonal(values):
    return values[..., None] * np.eye(values.shape[-1])


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_both_gramians_are_the_values(xp, time, dtype, rng):
    eps = float(np.finfo(dtype).eps)
    for batch in BATCHES:
        full = random_stable_system(rng, 5, 2, 3, time, dtype=dtype, batch=batch)
        balanced = balanced_realization(on(xp, full))
        system = balanced.system
        assert (system.time, system.batch_shape) == (time, batch)
        assert system.A.dtype == getattr(xp, np.dtype(dtype).name)
        values = xp.to_numpy(balanced.hankel_singular_values)
        assert values.shape == (*batch, 5)
        if 0 in batch:
            continue
        atol = 1e4 * eps * values.max()
        np.testing.assert_allclose(
            values, hankel_singular_values(full), rtol=0, atol=atol
        )
        wide = StateSpace(
            *(xp.to_numpy(array).astype(complex) for array in fields_of(system)), time
        )
        for gramian in (controllability_gramian, observability_gramian):
            np.testing.assert_allclose(
                gramian(wide), diagonal(values), rtol=0, atol=atol
            )


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_response_is_kept(time, dtype, rng):
    full = random_stable_system(rng, 6, 2, 3, time, dtype=dtype, batch=(2,))
    balanced = balanced_realization(full)
    ours, theirs = (frequency_response(s, POINTS) for s in (balanced.system, full))
    np.testing.assert_allclose(ours, theirs, atol=1e-11 * abs(theirs).max())


@pytest.mark.parametrize("time", TIMES)
def test_transformation_leads_to_the_system(time, rng):
    full = random_stable_system(rng, 5, 2, 3, time, dtype=np.complex128)
    balanced = balanced_realization(full)
    T, back = balanced.T, balanced.T_inverse
    np.testing.assert_allclose(back @ T, np.eye(5), atol=1e-11)
    np.testing.assert_allclose(balanced.system.A, back @ full.A @ T, atol=1e-12)
    np.testing.assert_allclose(balanced.system.B, back @ full.B, atol=1e-12)
    np.testing.assert_allclose(balanced.system.C, full.C @ T, atol=1e-12)


@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("single", [True, False])
def test_diagonal_systems_are_balanced_in_dense_form(xp, readout, time, single, rng):
    full = random_diagonal_system(rng, 3, 2, 4, time, readout)
    balanced = balanced_realization(on(xp, to_precision(full, single)))
    system = balanced.system
    N = 3 if readout == "complex" else 6
    assert system.n_states == N
    assert np.iscomplexobj(xp.to_numpy(system.A)) == (readout == "complex")
    dense = to_dense(full)
    T = xp.to_numpy(balanced.T).astype(complex)
    back = xp.to_numpy(balanced.T_inverse).astype(complex)
    values = hankel_singular_values(full)
    atol = 3e4 * (1e-7 if single else 1e-16) * values[0]
    P = back @ controllability_gramian(dense) @ back.conj().T
    Q = T.conj().T @ observability_gramian(dense) @ T
    for gramian in (P, Q):
        np.testing.assert_allclose(gramian, diagonal(values), rtol=0, atol=atol)


@pytest.mark.parametrize("time", TIMES)
def test_slycot_finds_the_same_values(time, rng):
    slycot = slycot_or_skip()
    full = random_stable_system(rng, 6, 2, 3, time)
    *_, theirs = slycot.ab09ad(
        dico(full), "B", "N", 6, 2, 3, *fortran(*fields_of(full)[:3])
    )
    ours = balanced_realization(full).hankel_singular_values
    np.testing.assert_allclose(ours, theirs, rtol=1e-9)


def test_published_example():
    # (s^3 + 11 s^2 + 36 s + 26) / (s^4 + 14.6 s^3 + 74.96 s^2 + 153.7 s + 99.65),
    # from the documentation of MATLAB's balreal.
    A = np.diag(np.ones(3), 1)
    A[3] = [-99.65, -153.7, -74.96, -14.6]
    system = StateSpace(A, [[0.0], [0.0], [0.0], [1.0]], [[26.0, 36.0, 11.0, 1.0]])
    balanced = balanced_realization(system)
    values = balanced.hankel_singular_values
    np.testing.assert_allclose(values[:2], [0.1393850, 0.00954817], rtol=1e-6)
    np.testing.assert_allclose(values[2:], [6.27122e-4, 7.32447e-6], rtol=1e-5)
    # Single inputs and outputs balance to a symmetric matrix but for signs.
    np.testing.assert_allclose(abs(balanced.system.A), abs(balanced.system.A.T), 1e-6)


@pytest.mark.parametrize(
    ("B", "C"),
    [([[1.0], [0.0]], [[1.0, 1.0]]), ([[1.0], [1.0]], [[0.0, 1.0]])],
    ids=["uncontrollable", "unobservable"],
)
def test_system_that_is_not_minimal_is_refused(B, C):
    system = StateSpace([[-1.0, 0.0], [0.0, -2.0]], B, C)
    layer = DiagonalStateSpace([-1.0, -2.0], B, C, time=Continuous())
    for made in (system, layer):
        with pytest.raises(InvalidSystemError, match=r"only 1 of 2 .* minimal_realiz"):
            balanced_realization(made)


def test_batch_item_that_is_not_minimal_is_named():
    B = np.array([[[1.0], [1.0]], [[1.0], [0.0]], [[1.0], [1.0]]])
    system = StateSpace([[-1.0, 0.0], [0.0, -2.0]], B, [[1.0, 1.0]])
    with pytest.raises(InvalidSystemError, match=r"values of batch item 1 exceed"):
        balanced_realization(system)


def test_unstable_system_is_refused():
    with pytest.raises(UnstableSystemError, match="balanced_realization"):
        balanced_realization(StateSpace([[1.0]], [[1.0]], [[1.0]]))


def test_system_without_states_is_balanced():
    system = StateSpace(np.zeros((0, 0)), np.zeros((0, 2)), np.zeros((3, 0)))
    balanced = balanced_realization(system)
    assert balanced.system.n_states == 0
    assert balanced.hankel_singular_values.shape == (0,)


def test_names_of_signals_are_kept(rng):
    names = SignalNames(("u", "v"), ("x", "y", "z"), ("a", "b"), "plant")
    made = random_stable_system(rng, 2, 2, 3, Discrete())
    system = StateSpace(*fields_of(made), made.time, names)
    assert balanced_realization(system).system.names == names.without_states()
