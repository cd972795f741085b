import numpy as np
import pytest

from hankelcut.lti import Continuous, StateSpace
from hankelcut.reduction.balancing.definite_input import (
    balance_definite,
    definite_input,
    state_sizes,
)
from hankelcut.reduction.balancing.generalized_balancing import Promise
from hankelcut.validation import random_stable_system

KINDS = [np.float64, np.complex128]


def draw(rng, dtype, *shape):
    values = rng.standard_normal(shape)
    if dtype == np.complex128:
        return values + 1j * rng.standard_normal(shape)
    return values


def absolute(X):
    """The matrix with its eigenvalues made positive."""
    w, V = np.linalg.eigh(X)
    return (V * np.abs(w)) @ V.conj().T


@pytest.mark.parametrize("size", [1.0, 1e-9, 1e9])
@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("n", [3, 9])
def test_eigenvalues_are_made_positive(n, dtype, size, rng):
    M, N = draw(rng, dtype, n, 2), size * draw(rng, dtype, n, 2)
    ours = definite_input(M, M, N, np.ones(n))
    X = M @ N.conj().T + N @ M.conj().T
    Bw = ours.matrix
    np.testing.assert_allclose(
        Bw @ Bw.conj().T, absolute(X), rtol=0, atol=1e-13 * abs(X).max()
    )
    assert ours.complete
    np.testing.assert_allclose(Bw @ ours.gain, M, rtol=0, atol=1e-12 * abs(M).max())


def test_units_change_nothing_but_units(rng):
    M, N = draw(rng, np.float64, 7, 2), draw(rng, np.float64, 7, 2)
    t = 10.0 ** rng.uniform(-8, 8, 7)
    ours = definite_input(t[:, None] * M, t[:, None] * M, t[:, None] * N, t)
    theirs = definite_input(M, M, N, np.ones(7))
    np.testing.assert_allclose(
        (ours.matrix / t[:, None]) @ ours.gain, theirs.matrix @ theirs.gain, rtol=1e-9
    )
    product = ours.matrix @ ours.matrix.T / np.outer(t, t)
    np.testing.assert_allclose(
        product, theirs.matrix @ theirs.matrix.T, rtol=0, atol=1e-13 * product.max()
    )


def test_definite_sides_stay_what_they_are(rng):
    B = draw(rng, np.float64, 6, 2)
    ours = definite_input(B, B, B / 2, np.ones(6))
    np.testing.assert_allclose(ours.matrix @ ours.matrix.T, B @ B.T, atol=1e-13)
    np.testing.assert_allclose(ours.gain.T @ ours.gain, np.eye(2), atol=1e-13)


def test_inputs_out_of_the_range_are_seen(rng):
    B = draw(rng, np.float64, 6, 2)
    first = B[:, :1]
    assert not definite_input(B, first, first / 2, np.ones(6)).complete
    used = np.array([[1.0], [0.0]])
    assert definite_input(B, first, first / 2, np.ones(6), used).complete
    assert not definite_input(B, 0 * B, B, np.ones(6)).complete
    # What cancels leaves nothing.
    skew = definite_input(first + 0j, first + 0j, 1j * first, np.ones(6))
    assert not skew.complete
    assert np.linalg.norm(skew.matrix) < 1e-7


def test_sizes_make_states_as_controllable_as_observable(rng):
    Lc, Lo = draw(rng, np.float64, 5, 3), draw(rng, np.float64, 5, 4)
    Lc[1], Lo[2] = 0, 0
    sizes = state_sizes(Lc, Lo)
    assert sizes[1] == sizes[2] == 1
    rows = np.linalg.norm(Lc / sizes[:, None], axis=1)
    others = np.linalg.norm(Lo * sizes[:, None], axis=1)
    known = [0, 3, 4]
    np.testing.assert_allclose(rows[known], others[known], rtol=1e-14)


def test_bounds_come_with_the_right_promise(rng):
    system = random_stable_system(rng, 5, 2, 3, Continuous())
    B, Ch = system.B, system.C.T
    whole = definite_input(Ch, Ch, Ch / 2, np.ones(5))
    promises = (Promise("holds"), Promise("does not"))
    for M, said in ((B, "holds"), (B[:, :1], "does not")):
        sides = (definite_input(B, M, M / 2, np.ones(5)), whole)
        ours = balance_definite(
            system, np.ones(5), sides, 3.0, promises, "values", "test"
        )
        assert ours.promise.condition == said
        plain = StateSpace(system.A, sides[0].matrix, system.C)
        if said == "holds":
            bounds = ours.balancing.spectrum().error_bounds()
            np.testing.assert_allclose(ours.spectrum.bounds, 3 * np.array(bounds))
            assert ours.cut(2).bound.value == ours.spectrum.bounds[2]
        else:
            assert ours.spectrum.bounds == ()
            assert ours.cut(1).bound.value is None
        assert plain.n_inputs == sides[0].matrix.shape[1]
