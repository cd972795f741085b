from dataclasses import FrozenInstanceError

import numpy as np
import pytest
import scipy.sparse

from hankelcut import InvalidSystemError
from hankelcut.lti import (
    Continuous,
    Discrete,
    SparseStateSpace,
    StateSpace,
    error_system,
    frequency_response,
    h2_norm,
    to_dense,
)
from hankelcut.validation import random_stable_system
from tests.helpers import TIMES, dense_response, unchecked_types
from tests.sparse_systems import grid_system

FREQUENCIES = np.linspace(-3.0, 3.0, 7)
FORMATS = ["csc", "csr", "coo", "dia", "lil"]


def small_system(**changes):
    fields = {
        "A": scipy.sparse.diags_array([-1.0, -2.0, -3.0]),
        "B": np.ones((3, 1)),
        "C": np.ones((2, 3)),
    }
    return SparseStateSpace(**fields | changes)


def points(time):
    on_axis = 1j * FREQUENCIES
    return on_axis if time == Continuous() else np.exp(on_axis)


# Construction


@pytest.mark.parametrize("format", FORMATS)
def test_every_sparse_format_is_kept_as_csc(format, rng):
    dense = rng.standard_normal((5, 5))
    dense[abs(dense) < 0.7] = 0
    A = scipy.sparse.csc_array(dense).asformat(format)
    system = SparseStateSpace(A, scipy.sparse.csr_array(np.eye(5, 2)), np.ones((3, 5)))
    assert isinstance(system.A, scipy.sparse.csc_array)
    np.testing.assert_array_equal(system.A.toarray(), dense)
    np.testing.assert_array_equal(system.B, np.eye(5, 2))
    np.testing.assert_array_equal(system.E.toarray(), np.eye(5))
    np.testing.assert_array_equal(system.D, np.zeros((3, 2)))
    assert (system.n_states, system.n_inputs, system.n_outputs) == (5, 2, 3)
    assert system.batch_shape == ()
    assert system.time == Continuous()
    assert "n_states=5, n_inputs=2, n_outputs=3" in repr(system)


@pytest.mark.parametrize("which", ["A", "B", "C", "D", "E"])
def test_one_complex_matrix_makes_the_system_complex(which):
    fields = {"A": -np.eye(2), "B": np.eye(2, 1), "C": np.eye(1, 2), "D": np.eye(1)}
    fields["E"] = np.eye(2)
    fields[which] = fields[which].astype(np.complex64)
    for name in "AE":
        fields[name] = scipy.sparse.csc_array(fields[name])
    system = SparseStateSpace(**fields)
    assert {getattr(system, name).dtype for name in "ABCDE"} == {np.dtype(complex)}


def test_lower_precision_becomes_double():
    system = small_system(
        A=scipy.sparse.eye_array(3, dtype=int),
        B=np.ones((3, 1), np.float32),
        C=[[1, 2, 3]],
    )
    assert {getattr(system, name).dtype for name in "ABCDE"} == {np.dtype(float)}


def test_inputs_are_not_changed():
    rows, columns = np.array([1, 0, 1, 1]), np.array([1, 0, 1, 0])
    A = scipy.sparse.coo_array((np.arange(4.0), (rows, columns))).tocsc(copy=True)
    A = scipy.sparse.csc_array((A.data[::-1].copy(), A.indices[::-1].copy(), A.indptr))
    before = A.data.copy(), A.indices.copy(), A.toarray()
    system = SparseStateSpace(A, np.ones((2, 1)), np.ones((1, 2)))
    np.testing.assert_array_equal(A.data, before[0])
    np.testing.assert_array_equal(A.indices, before[1])
    np.testing.assert_array_equal(system.A.toarray(), before[2])
    assert system.A.has_canonical_format


def test_system_is_frozen():
    system = small_system()
    with pytest.raises(FrozenInstanceError):
        system.time = Discrete()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"A": np.eye(3)}, r"got A of type ndarray, need a scipy.sparse matrix"),
        ({"A": scipy.sparse.csc_array((3, 2))}, r"A of shape \(3, 2\), need \(n, n\)"),
        ({"E": np.eye(3)}, r"got E of type ndarray, need a scipy.sparse matrix"),
        ({"E": scipy.sparse.eye_array(4)}, r"E of shape \(4, 4\), need \(3, 3\)"),
        ({"B": np.ones((2, 1))}, r"got 3 states with B of shape \(2, 1\)"),
        ({"C": np.ones((2, 4))}, r"C of shape \(2, 4\).*need B \(..., 3, m\)"),
        ({"D": np.ones((1, 1))}, r"D of shape \(1, 1\)"),
        ({"B": np.ones((5, 3, 1))}, "a sparse system has no batch axes"),
        ({"B": np.ones(3)}, r"got B of shape \(3,\); need matrices"),
        ({"B": np.array([[1.0], [np.nan], [0.0]])}, "B .* holds 1 NaN or infinite"),
        (
            {"A": scipy.sparse.diags_array([1.0, np.inf, 1.0])},
            "A .* holds 1 NaN or infinite",
        ),
        ({"time": "continuous"}, "got time='continuous', need"),
    ],
)
def test_what_does_not_fit_is_refused(changes, message):
    with unchecked_types(), pytest.raises(InvalidSystemError, match=message):
        small_system(**changes)


@pytest.mark.parametrize(
    "E",
    [
        np.diag([1.0, 0.0, 1.0]),
        np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]),
        np.array([[0.1, 0.3, 0.0], [0.3, 0.9, 0.0], [0.0, 0.0, 1.0]]),
    ],
)
def test_singular_mass_matrix_is_refused(E):
    with pytest.raises(InvalidSystemError, match="numerically singular E"):
        small_system(E=scipy.sparse.csc_array(E))


def test_badly_scaled_mass_matrix_is_accepted():
    E = scipy.sparse.diags_array([1e-150, 1.0, 1e150])
    np.testing.assert_array_equal(small_system(E=E).E.toarray(), E.toarray())


# Conversion to dense


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", [float, complex])
def test_dense_system_has_the_same_response(time, dtype, rng):
    system = grid_system(rng, side=5, mass=True, dtype=dtype, time=time)
    dense = system.to_dense()
    assert isinstance(dense, StateSpace)
    assert dense.time == time
    E = system.E.toarray()
    np.testing.assert_allclose(E @ dense.A, system.A.toarray(), atol=1e-9)
    np.testing.assert_allclose(E @ dense.B, system.B, atol=1e-12)
    np.testing.assert_array_equal(dense.C, system.C)
    np.testing.assert_array_equal(dense.D, system.D)


def test_large_system_is_not_made_dense_by_accident():
    system = small_system()
    with pytest.raises(InvalidSystemError, match="got 3 states, need at most 2"):
        system.to_dense(max_states=2)


# Frequency response


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", [float, complex])
@pytest.mark.parametrize("more_inputs", [True, False])
def test_response_is_the_definition(time, dtype, more_inputs, rng):
    system = grid_system(rng, side=5, mass=True, dtype=dtype, time=time)
    if not more_inputs:
        system = SparseStateSpace(
            system.A, system.B[:, :1], system.C, None, system.E, time
        )
    response = frequency_response(system, FREQUENCIES)
    assert response.dtype == complex
    expected = dense_response(system.to_dense(), points(time))
    np.testing.assert_allclose(response, expected, rtol=1e-10, atol=1e-13)


def test_response_at_a_pole_is_infinite():
    system = small_system(A=scipy.sparse.diags_array([-1.0, 0.0, -3.0]))
    response = frequency_response(system, np.array([0.0, 1.0]))
    assert np.isinf(response[0]).all()
    assert np.isfinite(response[1]).all()


@pytest.mark.parametrize(("n", "m", "p"), [(0, 2, 3), (4, 0, 3), (4, 2, 0)])
def test_degenerate_shapes(n, m, p):
    A = scipy.sparse.csc_array(-np.eye(n))
    D = np.arange(1.0 * p * m).reshape(p, m)
    system = SparseStateSpace(A, np.ones((n, m)), np.ones((p, n)), D)
    response = frequency_response(system, FREQUENCIES)
    assert response.shape == (7, p, m)
    if n == 0:
        np.testing.assert_array_equal(response, np.broadcast_to(D, (7, p, m)))


# Systems and norms made from sparse systems


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", [float, complex])
def test_error_system_has_the_difference_as_response(time, dtype, rng):
    system = grid_system(rng, side=5, mass=True, dtype=dtype, time=time)
    other = random_stable_system(rng, 4, 3, 2, time, dtype=dtype)
    error = error_system(system, other)
    assert isinstance(error, SparseStateSpace)
    assert error.n_states == 29
    expected = frequency_response(system, FREQUENCIES)
    expected = expected - frequency_response(other, FREQUENCIES)
    np.testing.assert_allclose(
        frequency_response(error, FREQUENCIES), expected, rtol=1e-9, atol=1e-12
    )


def test_error_system_of_different_sizes_is_refused(rng):
    system = grid_system(rng, side=3)
    with pytest.raises(InvalidSystemError, match="need equal ones"):
        error_system(system, random_stable_system(rng, 4, 2, 2))


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("dtype", [float, complex])
def test_h2_norm_is_that_of_the_dense_system(time, dtype, rng):
    system = grid_system(rng, side=6, mass=True, dtype=dtype, time=time)
    if time == Continuous():
        assert float(h2_norm(system)) == np.inf
        system = SparseStateSpace(system.A, system.B, system.C, E=system.E)
    expected = float(h2_norm(to_dense(system.to_dense())))
    assert float(h2_norm(system)) == pytest.approx(expected, rel=1e-10)
